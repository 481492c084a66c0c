"""Finger minutiae records: what is written comes back, here and in others' readers, and nothing broken comes in."""

from __future__ import annotations

import importlib
import importlib.util
import math
import struct
import sys
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hardware.simulation.fingers import SimulatedFinger
from matcher.engines.minutiae import MinutiaeEngine
from matcher.iso_command import template as command
from matcher.iso_record import (
    FingerRecord,
    FingerView,
    minutiae_of,
    read_nbis_record,
    read_record,
    record_of,
    write_record,
)
from matcher.ports import Minutiae
from models.biometrics import FingerPosition
from models.errors import InputError, TemplateError
from tests.matcher.minutiae_sets import random_minutiae

SIZE = (256, 288)


@pytest.fixture
def pyfing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """pyfing's own reader of these records, unmodified. Its package would import Keras; this module needs nothing."""
    found = importlib.util.find_spec("pyfing")
    assert found is not None, "pyfing is installed with requirements/peers.lock"
    package = ModuleType("pyfing")
    package.__path__ = list(found.submodule_search_locations or ())
    monkeypatch.setitem(sys.modules, "pyfing", package)
    for name in ("definitions", "utils", "utils.iso_format"):
        monkeypatch.delitem(sys.modules, f"pyfing.{name}", raising=False)
    yield importlib.import_module("pyfing.utils.iso_format")
    for name in [name for name in sys.modules if name.startswith("pyfing.")]:
        monkeypatch.delitem(sys.modules, name)


def record(*views: FingerView, size: tuple[int, int] = SIZE) -> FingerRecord:
    return FingerRecord(views or (view((10, 20)),), size)


def view(*places: tuple[int, int], **fields: Any) -> FingerView:
    count = len(places)
    each = np.arange(count)
    columns = {
        "xy": np.array(places).reshape(count, 2),
        "angle": each * 7 % 256,
        "kind": each % 3,
        "quality": each % 101,
    }
    return FingerView(**(columns | fields))


def same(one: FingerRecord, two: FingerRecord) -> bool:
    def plain(made: FingerRecord) -> Any:
        return made.size, made.resolution, made.device, [
            (v.xy.tolist(), v.angle.tolist(), v.kind.tolist(), v.quality.tolist(), v.position, v.number, v.impression,
             v.finger_quality, v.extended) for v in made.views
        ]  # fmt: skip

    return bool(plain(one) == plain(two))


@st.composite
def records(draw: st.DrawFn) -> FingerRecord:
    size = draw(st.tuples(st.integers(1, 16384), st.integers(1, 16384)))
    views = []
    for _ in range(draw(st.integers(1, 4))):
        count = draw(st.integers(0, 12))

        def numbers(least: int, most: int, count: int = count) -> np.ndarray:
            return np.array(draw(st.lists(st.integers(least, most), min_size=count, max_size=count)), np.int64)

        views.append(
            FingerView(
                np.stack([numbers(0, size[0] - 1), numbers(0, size[1] - 1)], axis=1),
                numbers(0, 255), numbers(0, 2), numbers(0, 100), draw(st.sampled_from(FingerPosition)),
                draw(st.integers(0, 15)), draw(st.integers(0, 15)), draw(st.integers(0, 100)),
                draw(st.binary(max_size=9)),
            )
        )  # fmt: skip
    resolution = draw(st.tuples(st.integers(1, 65535), st.integers(1, 65535)))
    return FingerRecord(tuple(views), size, resolution, draw(st.integers(0, 65535)))


@given(records())
@settings(max_examples=60, deadline=None)
def test_a_record_comes_back_as_it_was_written(made):
    assert same(read_record(write_record(made)), made)


@given(st.one_of(st.binary(max_size=80), st.binary(max_size=60).map(lambda tail: b"FMR\0 20\0" + tail)))
@settings(max_examples=200, deadline=None)
def test_bytes_at_random_are_refused_with_a_template_error(content):
    for read in (read_record, read_nbis_record):
        with pytest.raises(TemplateError):
            read(content)


@given(records(), st.data())
@settings(max_examples=150, deadline=None)
def test_a_damaged_record_is_refused_or_is_another_record_that_holds_together(made, data):
    content = bytearray(write_record(made))
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = read_record(bytes(content))
    except TemplateError as error:
        assert str(error).endswith(".")
    else:
        assert minutiae_of(found).xy.shape[1] == 2


@given(records(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_truncated_record_is_refused(made, data):
    content = write_record(made)
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(TemplateError):
        read_record(content[:length])
    told = content[:8] + struct.pack(">I", length) + content[12:length]
    if length >= 12:  # a record that also tells its false length
        with pytest.raises(TemplateError):
            read_record(told)


def test_the_header_is_byte_for_byte_the_standards():
    made = record(view((258, 3), angle=np.array([64]), kind=np.array([2]), quality=np.array([99]),
                       position=FingerPosition.LEFT_INDEX, number=1, finger_quality=77), size=(300, 400))  # fmt: skip
    expected = (
        b"FMR\0" b" 20\0" b"\x00\x00\x00\x24" b"\x00\x00" b"\x01\x2c\x01\x90" b"\x00\xc5\x00\xc5" b"\x01\x00"
        b"\x07\x10\x4d\x01" b"\x81\x02\x00\x03\x40\x63" b"\x00\x00"
    )  # fmt: skip
    assert write_record(made) == expected
    assert len(expected) == 28 + 6 + 2


@pytest.mark.parametrize(
    ("offset", "changed", "sentence"),
    [
        (0, b"FMC\0", "does not begin like"),
        (4, b" 30\0", "not of the edition of 2005"),
        (8, b"\0\0\0\x25", "says that it has 37 bytes, but it has 36"),
        (14, b"\0\0", "no size or no resolution"),
        (18, b"\0\0", "no size or no resolution"),
        (22, b"\0", "holds no finger view"),
        (22, b"\2", "ends before its finger view 2"),
        (23, b"\1", "reserved byte"),
        (24, b"\x0b", "finger that does not exist .position 11."),
        (26, b"\x65", "quality of 101"),
        (27, b"\2", "ends within the 2 minutiae of finger view 1"),
        (28, b"\xc0", "kind that the standard does not know"),
        (30, b"\x40", "kind that the standard does not know"),
        (28, b"\x01\x01", "outside its picture of 256 × 288"),
        (33, b"\x65", "minutia with a quality above 100"),
        (34, b"\0\1", "ends within the extended data of finger view 1"),
    ],
)
def test_each_malformed_record_is_refused_with_one_clear_sentence(offset, changed, sentence):
    content = bytearray(write_record(record()))
    content[offset : offset + len(changed)] = changed
    with pytest.raises(TemplateError, match=sentence) as refused:
        read_record(bytes(content))
    assert str(refused.value).count(". ") == 0


def test_bytes_after_the_last_view_are_refused():
    content = write_record(record()) + b"\0"
    with pytest.raises(TemplateError, match="1 bytes after its last finger view"):
        read_record(content[:8] + struct.pack(">I", len(content)) + content[12:])


@pytest.mark.parametrize(
    "made",
    [
        record(view(*[(1, 1)] * 256)),
        record(view((256, 0))),
        record(view((0, -1))),
        record(view((16384, 0)), size=(20000, 20000)),
        record(view((1, 1), angle=np.array([256]))),
        record(view((1, 1), kind=np.array([3]))),
        record(view((1, 1), quality=np.array([101]))),
        record(view(number=16)),
        record(view(impression=16)),
        record(view(finger_quality=101)),
        record(view(extended=bytes(65536))),
        record(size=(0, 288)),
        record(size=(70000, 288)),
        FingerRecord((), SIZE),
        FingerRecord((view(),) * 256, SIZE),
        replace(record(), device=65536),
    ],
)
def test_what_the_format_cannot_hold_is_not_written(made):
    with pytest.raises(TemplateError):
        write_record(made)


def test_the_largest_record_that_the_format_holds_comes_back():
    largest = record(view(*[(16383, 16383)] * 255, extended=bytes(range(256)) * 255), size=(65535, 65535))
    made = replace(largest, views=largest.views * 255)
    assert same(read_record(write_record(made)), made)


def test_minutiae_survive_the_way_into_a_record_and_back():
    minutiae = random_minutiae(5, count=60)
    back = minutiae_of(read_record(write_record(record_of([(FingerPosition.RIGHT_INDEX, minutiae)]))))
    assert back.size == minutiae.size
    assert np.abs(back.xy - minutiae.xy).max() <= 0.5
    assert np.abs(np.angle(np.exp(1j * (back.angle - minutiae.angle)))).max() <= math.pi / 256 + 1e-6
    assert np.array_equal(back.kind, minutiae.kind)
    assert np.abs(back.score - minutiae.score).max() <= 0.005 + 1e-6


def test_views_are_numbered_for_each_finger_and_only_the_best_minutiae_are_kept():
    many, few = random_minutiae(1, count=300, size=(500, 500)), random_minutiae(2, count=5)
    right, left = FingerPosition.RIGHT_THUMB, FingerPosition.LEFT_THUMB
    made = read_record(write_record(record_of([(right, many), (left, few), (right, few)])))
    assert [(found.position, found.number) for found in made.views] == [(right, 0), (left, 0), (right, 1)]
    assert made.size == (500, 500)
    assert len(made.views[0].xy) == 255
    assert made.views[0].quality.min() >= np.sort(np.rint(many.score * 100))[-255]


def test_a_minutia_in_the_last_half_pixel_stays_inside_its_picture():
    edge = replace(random_minutiae(3, count=1), xy=np.array([[255.8, 287.9]], np.float32))
    assert read_record(write_record(record_of([(FingerPosition.UNKNOWN, edge)]))).views[0].xy.tolist() == [[255, 287]]


def test_a_minutia_that_is_not_finite_is_not_written():
    lost = replace(random_minutiae(3, count=2), angle=np.array([1, np.nan], np.float32))
    with pytest.raises(TemplateError, match="finite"):
        record_of([(FingerPosition.UNKNOWN, lost)])


def test_a_record_of_another_resolution_is_scaled_to_500_dpi():
    made = replace(record(view((100, 50))), resolution=(394, 394))
    found = minutiae_of(made)
    assert found.xy == pytest.approx(np.array([[50.0, 25.0]]), rel=1e-3)
    assert found.size == (128, 144)


@pytest.mark.parametrize("per_cm", [120, 197, 250, 394])
def test_a_minutia_at_the_very_edge_of_a_record_can_be_kept_as_a_template(per_cm):
    """Also where the picture's size at 500 dpi is no whole number, and where a writer counts pixels from 1."""
    for size in ((255, 287), (256, 288), (301, 403)):
        found = minutiae_of(replace(record(view((0, 0), size), size=size), resolution=(per_cm, per_cm)))
        kept = MinutiaeEngine().minutiae(MinutiaeEngine().template(found))
        assert np.abs(kept.xy - found.xy).max() <= 1 / 16 + 1e-3


def test_a_quality_that_is_not_told_becomes_a_middling_score():
    found = minutiae_of(record(view((1, 1), (2, 2), quality=np.array([0, 100]))))
    assert found.score.tolist() == pytest.approx([0.7, 1.0])


def test_an_independent_reader_finds_the_same_minutiae(pyfing):
    minutiae = random_minutiae(7, count=80)
    made = record_of([(FingerPosition.LEFT_RING, minutiae), (FingerPosition.LEFT_RING, random_minutiae(8))])
    found = pyfing._unpack_minutiae_from_iso_template(write_record(made))
    assert len(found) == 80
    order = {"O": 0, "E": 1, "B": 2}
    mine = made.views[0]
    assert [(m.x, m.y) for m in found] == [tuple(place) for place in mine.xy.tolist()]
    assert [order[m.type] for m in found] == mine.kind.tolist()
    assert [m.quality for m in found] == mine.quality.tolist()
    assert [m.direction for m in found] == pytest.approx((mine.angle * math.tau / 256).tolist())


def test_a_record_written_by_nbis_is_read_with_the_same_minutiae():
    """nbis-py's records are not the standard's (see read_nbis_record), and are read as what they are."""
    import cv2
    import nbis

    settings_ = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
    )
    _, picture = cv2.imencode(".png", SimulatedFinger(3).impression(1))
    written = nbis.new_nbis_extractor(settings_).extract_minutiae(picture.tobytes())
    with pytest.raises(TemplateError):
        read_record(written.to_iso_19794_2_2005())
    found = minutiae_of(read_nbis_record(written.to_iso_19794_2_2005()))
    theirs = written.get()
    assert len(theirs) > 20
    assert found.size == SIZE
    assert found.xy.tolist() == [[minutia.x(), minutia.y()] for minutia in theirs]
    assert np.degrees(found.angle).tolist() == pytest.approx([minutia.angle() for minutia in theirs], abs=0.8)
    assert found.kind.tolist() == [minutia.kind().value for minutia in theirs]


def test_the_directions_of_both_extractors_mean_the_same():
    """Counter-clockwise and into the ridge, which is what an imported template is compared by."""
    import cv2
    import nbis

    settings_ = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=500.0
    )
    pixels = SimulatedFinger(3).impression(1)
    theirs = nbis.new_nbis_extractor(settings_).extract_minutiae(cv2.imencode(".png", pixels)[1].tobytes())
    imported = minutiae_of(read_nbis_record(theirs.to_iso_19794_2_2005()))
    engine = MinutiaeEngine()
    assert engine.compare(engine.template(imported), engine.extract(pixels)) > 0.3


def test_the_command_writes_a_record_and_reads_it(tmp_path):
    pictures = [tmp_path / f"{number}.png" for number in (1, 2)]
    for number, picture in enumerate(pictures):
        Image.fromarray(SimulatedFinger(4).impression(number)).save(picture)
    file = tmp_path / "finger.fmr"
    run = CliRunner().invoke(command, ["write", *map(str, pictures), str(file), "--finger", "left_index"])
    assert run.exit_code == 0, run.output
    made = read_record(file.read_bytes())
    assert [(found.position, found.number) for found in made.views] == [
        (FingerPosition.LEFT_INDEX, 0),
        (FingerPosition.LEFT_INDEX, 1),
    ]
    counts = [str(len(found.xy)) for found in made.views]
    assert all(count in run.output for count in counts)
    shown = CliRunner().invoke(command, ["read", str(file)])
    assert shown.exit_code == 0
    assert all(count in shown.output for count in (*counts, "left_index"))
    engine = MinutiaeEngine()
    first, second = (engine.template(minutiae_of(made, index)) for index in range(2))
    assert engine.compare(first, second) > 0.3


def test_the_command_writes_over_no_picture_and_its_record_is_private(tmp_path):
    pictures = [tmp_path / f"101_{number}.png" for number in (1, 2)]
    for number, picture in enumerate(pictures, start=1):
        Image.fromarray(SimulatedFinger(4).impression(number)).save(picture)
    before = pictures[1].read_bytes()
    refused = CliRunner().invoke(command, ["write", *map(str, pictures)])
    assert isinstance(refused.exception, InputError) and "not written over" in str(refused.exception)
    assert pictures[1].read_bytes() == before
    record = tmp_path / "out.fmr"
    for _ in range(2):
        assert CliRunner().invoke(command, ["write", str(pictures[0]), str(record)]).exit_code == 0
        assert record.stat().st_mode & 0o077 == 0


def test_the_command_refuses_what_is_no_record_and_no_finger(tmp_path):
    other = tmp_path / "other.fmr"
    other.write_bytes(b"FMR\0 30\0" + bytes(40))
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((288, 256), 200, np.uint8)).save(blank)
    for arguments, error, sentence in (
        (["read", str(other)], TemplateError, "edition of 2005"),
        (["read", str(tmp_path / "missing")], InputError, "cannot be read"),
        (["write", str(blank), str(tmp_path / "out.fmr")], InputError, "blank.png shows no finger"),
    ):
        run = CliRunner().invoke(command, arguments)
        assert isinstance(run.exception, error)
        assert sentence in str(run.exception)
    assert not (tmp_path / "out.fmr").exists()


def test_an_empty_impression_makes_a_view_without_minutiae():
    nobody = Minutiae(np.zeros((0, 2), np.float32), np.zeros(0, np.float32), np.zeros(0, np.uint8),
                      np.zeros(0, np.float32), SIZE)  # fmt: skip
    made = read_record(write_record(record_of([(FingerPosition.UNKNOWN, nobody)])))
    assert len(minutiae_of(made).xy) == 0
