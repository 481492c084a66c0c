"""The finger engine: template bytes, the port's contract, generated fingers, and everything that is not a finger."""

from __future__ import annotations

import math
import struct
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hardware.simulation.fingers import SimulatedFinger
from matcher.engines import load_engine
from matcher.engines.minutiae import CAUTIOUS_THRESHOLD, EXTRAPOLATED_FMR, MEASURED_FMR, MinutiaeEngine
from matcher.ports import Minutiae
from models.biometrics import Template, TemplateFormat
from models.errors import CaptureRetry, ImageError, RetryReason, TemplateError, WeightsError
from tests.matcher.minutiae_sets import random_minutiae, seen_again


@pytest.fixture(scope="module")
def engine() -> MinutiaeEngine:
    return load_engine("minutiae")


@pytest.fixture(scope="module")
def touched(engine) -> dict[tuple[int, int], Template]:
    """Templates of three generated fingers, three touches of the first two and one of the third."""
    touches = [(11, 1), (11, 2), (11, 3), (12, 1), (12, 2), (13, 1)]
    return {(seed, n): engine.extract(SimulatedFinger(seed).impression(n)) for seed, n in touches}


def nothing(size: tuple[int, int] = (256, 288)) -> Minutiae:
    return random_minutiae(0, count=0, size=size)


def test_touches_of_one_finger_match_and_touches_of_two_do_not(engine, touched):
    for one, two in [((11, 1), (11, 2)), ((11, 1), (11, 3)), ((12, 1), (12, 2))]:
        assert engine.compare(touched[one], touched[two]) > CAUTIOUS_THRESHOLD
    for one, two in [((11, 1), (12, 1)), ((11, 2), (13, 1)), ((12, 2), (13, 1))]:
        assert engine.compare(touched[one], touched[two]) < CAUTIOUS_THRESHOLD


def test_a_score_is_a_fraction_and_the_same_in_either_order(engine, touched):
    prepared = [engine.prepare(template) for template in touched.values()]
    for one in prepared:
        for two in prepared:
            there, back = engine.compare_prepared(one, two), engine.compare_prepared(two, one)
            assert there == back
            assert 0 <= there <= 1


def test_a_picture_of_another_resolution_matches_the_same_finger(engine, touched):
    """A quarter more pixels of the same touch, said to be 625 dpi."""
    import cv2

    picture = cv2.resize(SimulatedFinger(11).impression(1), None, fx=1.25, fy=1.25, interpolation=cv2.INTER_CUBIC)
    template = engine.extract(picture, dpi=625)
    assert engine.minutiae(template).size == (256, 288)
    assert engine.compare(template, touched[11, 1]) > 0.5


def test_blank_glass_around_a_finger_changes_little(engine, touched):
    picture = SimulatedFinger(11).impression(1)
    glass = np.full((480, 400), int(picture[0, 0]), np.uint8)
    glass[100:388, 60:316] = picture
    found = engine.minutiae(engine.extract(glass))
    assert found.size == (400, 480)
    assert engine.compare(engine.template(found), touched[11, 1]) > 0.5


def test_directions_are_counted_counter_clockwise_and_turn_with_the_picture(engine, touched):
    upright = engine.minutiae(touched[11, 1])
    turned = engine.minutiae(engine.extract(np.ascontiguousarray(np.rot90(SimulatedFinger(11).impression(1)))))
    expected = seen_again(upright, turn=math.pi / 2, shift=(16, -16), size=(288, 256))
    gaps = np.hypot(*(expected.xy[:, None] - turned.xy[None, :]).transpose(2, 0, 1))
    near = gaps.min(axis=1) < 6
    difference = expected.angle[near] - turned.angle[gaps.argmin(axis=1)[near]]
    assert near.mean() > 0.6
    assert np.median(np.abs(np.angle(np.exp(1j * difference)))) < math.radians(12)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((288, 256), np.uint8),
        np.full((288, 256), 255, np.uint8),
        np.full((1, 1), 7, np.uint8),
        np.arange(20 * 20, dtype=np.uint8).reshape(20, 20),
        np.zeros((3, 700), np.uint8),
        np.tile(np.linspace(0, 255, 256).astype(np.uint8), (288, 1)),
    ],
    ids=["black", "white", "one pixel", "tiny", "a line", "a slope"],
)
def test_a_picture_without_a_finger_gives_a_template_that_matches_nothing(engine, touched, picture):
    template = engine.extract(picture)
    assert engine.minutiae(template).size == picture.shape[::-1]
    assert engine.compare(template, touched[11, 1]) == 0
    assert engine.compare(template, template) == 0


def test_of_a_huge_picture_the_detailed_part_is_looked_at(engine, touched):
    picture = SimulatedFinger(11).impression(1)
    huge = np.full((3000, 4000), 255, np.uint8)
    huge[2000:2288, 500:756] = picture
    assert engine.compare(engine.extract(huge), touched[11, 1]) > 0.5


@pytest.mark.parametrize(
    "picture",
    [
        None,
        "finger.png",
        np.zeros((9, 9)),
        np.zeros((9, 9, 3), np.uint8),
        np.zeros((0, 0), np.uint8),
        np.zeros(9, np.uint8),
    ],
)
def test_what_is_no_gray_picture_is_refused(engine, picture):
    with pytest.raises(ImageError):
        engine.extract(picture)


@pytest.mark.parametrize("dpi", [0, -500, 5, 100_000])
def test_an_impossible_resolution_is_refused(engine, dpi):
    with pytest.raises(ImageError):
        engine.extract(np.zeros((288, 256), np.uint8), dpi=dpi)


def test_comparing_templates_needs_no_weights_and_extracting_names_what_is_missing(tmp_path):
    bare = MinutiaeEngine(weights_path=tmp_path / "missing.onnx")
    template = bare.template(random_minutiae(1))
    assert bare.compare(template, template) > 0.5
    with pytest.raises(WeightsError, match=r"missing\.onnx"):
        bare.extract(SimulatedFinger(11).impression(1))


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 120))
def test_a_template_gives_back_its_minutiae_up_to_rounding(seed, count):
    rng = np.random.default_rng(seed)
    size = (int(rng.integers(1, 800)), int(rng.integers(1, 800)))
    engine = MinutiaeEngine()
    minutiae = Minutiae(
        xy=(rng.random((count, 2)) * size).astype(np.float32),
        angle=(rng.random(count) * 2 * math.pi).astype(np.float32),
        kind=rng.integers(0, 3, count).astype(np.uint8),
        score=rng.random(count).astype(np.float32),
        size=size,
    )
    back = engine.minutiae(engine.template(minutiae))
    assert back.size == size
    assert np.abs(back.xy - minutiae.xy).max(initial=0) <= 1 / 16 + 1e-4
    assert np.abs(np.angle(np.exp(1j * (back.angle - minutiae.angle)))).max(initial=0) < 1e-4
    assert ((back.angle >= 0) & (back.angle < 2 * math.pi)).all()
    assert (back.kind == minutiae.kind).all()
    assert engine.template(back).payload == engine.template(minutiae).payload


@settings(deadline=None)
@given(st.data())
def test_a_damaged_template_is_noticed(data):
    engine = MinutiaeEngine()
    payload = bytearray(engine.template(random_minutiae(5)).payload)
    where = data.draw(st.integers(0, len(payload) - 1))
    payload[where] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TemplateError):
        engine.prepare(Template(engine.format, bytes(payload)))


@given(st.binary(max_size=600))
def test_bytes_that_are_no_template_are_refused(payload):
    with pytest.raises(TemplateError):
        MinutiaeEngine().minutiae(Template(MinutiaeEngine.format, payload))


def test_a_truncated_template_and_one_of_another_format_are_refused():
    engine = MinutiaeEngine()
    payload = engine.template(random_minutiae(5)).payload
    for damaged in (payload[:-1], payload + b"\0", payload[:-9]):
        with pytest.raises(TemplateError):
            engine.minutiae(Template(engine.format, damaged))
    with pytest.raises(TemplateError):
        engine.minutiae(Template(TemplateFormat("minutiae", 2), payload))


def test_minutiae_that_no_template_can_hold_are_refused():
    engine = MinutiaeEngine()
    for wrong in (float("nan"), float("inf"), -5.0, 1e6):
        minutiae = random_minutiae(5)
        minutiae.xy[3, 0] = wrong
        with pytest.raises(TemplateError):
            engine.template(minutiae)
    inside = random_minutiae(5)
    for wrong, sentence in (
        (replace(inside, xy=inside.xy + np.float32([200, 0])), "outside its picture"),
        (replace(inside, kind=inside.kind + np.uint8(2)), "unknown kind"),
        (replace(inside, angle=inside.angle[:-1]), "a direction"),
        (replace(inside, size=(70_000, 288)), "70000"),
    ):
        with pytest.raises(TemplateError, match=sentence):
            engine.template(wrong)


@pytest.mark.parametrize("turns", [0, 1, -3, 10_000, -1e17, 1e30])
def test_a_direction_of_many_turns_is_the_one_it_comes_to(turns):
    minutiae = random_minutiae(5)
    wound = replace(minutiae, angle=minutiae.angle.astype(np.float64) + turns * 2 * math.pi)
    back = MinutiaeEngine().minutiae(MinutiaeEngine().template(wound))
    assert ((back.angle >= 0) & (back.angle < 2 * math.pi)).all()
    if abs(turns) <= 10_000:
        assert np.abs(np.angle(np.exp(1j * (back.angle - minutiae.angle)))).max() < 1e-3


def test_a_template_holds_255_minutiae_and_no_more():
    engine = MinutiaeEngine()
    most, more = (random_minutiae(1, count=count, size=(700, 700)) for count in (255, 256))
    template = engine.template(most)
    assert len(engine.minutiae(template).xy) == 255
    with pytest.raises(TemplateError, match=r"^A template holds at most 255 minutiae, not 256\.$"):
        engine.template(more)
    head = struct.pack("<4sHHH", b"MUm1", 700, 700, 256) + bytes(256 * 8)
    forged = head + struct.pack("<I", zlib.crc32(head))
    with pytest.raises(TemplateError, match=r"^A template holds at most 255 minutiae, not 256\.$"):
        engine.prepare(Template(engine.format, forged))


@pytest.mark.parametrize("forged", ["at one place", "four times each", "everywhere"])
def test_a_forged_template_of_many_minutiae_matches_no_finger(forged):
    """Many that lie on each other must not each count the one of the finger that they lie on."""
    engine = MinutiaeEngine()
    rng = np.random.default_rng(1)
    copies = np.repeat(np.arange(40), 4)
    drawn = random_minutiae(50)
    places = {
        "at one place": np.full((160, 2), 120.0),
        "four times each": drawn.xy[copies],
        "everywhere": rng.random((160, 2)) * drawn.size,
    }
    angles = {"at one place": np.full(160, 1.0), "four times each": drawn.angle[copies]}
    key = engine.template(
        Minutiae(
            places[forged].astype(np.float32),
            angles.get(forged, rng.random(160) * 6).astype(np.float32),
            np.ones(160, np.uint8),
            np.ones(160, np.float32),
            drawn.size,
        )
    )
    assert max(engine.compare(key, engine.template(random_minutiae(seed))) for seed in range(51, 61)) < 0.06


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_minutiae_match_nothing_not_even_themselves(count):
    engine = MinutiaeEngine()
    few = engine.template(random_minutiae(1, count=count))
    assert engine.compare(few, few) == 0
    assert engine.compare(few, engine.template(random_minutiae(2))) == 0


@pytest.mark.parametrize("spread", ["line", "point", "far apart"])
def test_odd_constellations_are_compared_without_complaint(spread):
    engine = MinutiaeEngine()
    odd = random_minutiae(3, count=12)
    if spread == "line":
        odd.xy[:, 1] = 100
    elif spread == "point":
        odd.xy[:] = 100
    else:
        odd = random_minutiae(3, count=12, size=(5000, 5000))
    template = engine.template(odd)
    for other in (template, engine.template(random_minutiae(4))):
        assert 0 <= engine.compare(template, other) <= 1


def test_touches_of_one_finger_are_combined_into_one_that_matches_each(engine, touched):
    parts = [touched[11, 1], touched[11, 2]]
    combined = engine.combine(parts)
    assert len(engine.minutiae(combined).xy) >= max(len(engine.minutiae(part).xy) for part in parts)
    for part in parts:
        assert engine.compare(combined, part) > CAUTIOUS_THRESHOLD
    assert engine.compare(combined, touched[12, 1]) < CAUTIOUS_THRESHOLD


def test_two_halves_of_a_finger_are_combined_into_the_whole():
    engine = MinutiaeEngine()
    whole = random_minutiae(6, count=70, size=(300, 400))
    upper = seen_again(whole, size=(300, 260))
    lower = seen_again(whole, turn=0.3, shift=(10, -140), jitter=1, size=(320, 260))
    combined = engine.minutiae(engine.combine([engine.template(upper), engine.template(lower)]))
    assert len(upper.xy) < len(combined.xy) <= 85
    assert engine.compare(engine.template(combined), engine.template(whole)) > 0.5


def test_touches_of_two_fingers_are_not_combined(engine, touched):
    with pytest.raises(CaptureRetry) as refusal:
        engine.combine([touched[11, 1], touched[12, 1]])
    assert refusal.value.reason is RetryReason.FINGERS_DIFFER


def test_one_impression_is_combined_into_itself_and_none_or_an_empty_one_is_refused():
    engine = MinutiaeEngine()
    template = engine.template(random_minutiae(1))
    assert engine.combine([template]) == template
    with pytest.raises(TemplateError):
        engine.combine([])
    with pytest.raises(CaptureRetry):
        engine.combine([template, engine.template(nothing())])


def test_measured_thresholds_rise_as_the_false_match_rate_falls():
    rates, thresholds = zip(*MEASURED_FMR, *EXTRAPOLATED_FMR, strict=True)
    assert list(rates) == sorted(rates, reverse=True)
    assert list(thresholds) == sorted(thresholds)
    assert 0 < thresholds[0] < thresholds[-1] < CAUTIOUS_THRESHOLD
