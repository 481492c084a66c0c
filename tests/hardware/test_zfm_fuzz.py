"""Ten thousand damaged answers: our driver never hangs, and raises nothing but its own errors."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from zfm_line import SPOILERS, Clock, MemoryLine, Stream, silence

from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.finger_matcher import FingerMatcher
from hardware.simulation.glass import HandGlass
from hardware.simulation.zfm_chip import ZfmChip
from hardware.zfm.codes import Confirmation
from hardware.zfm.frame import Packet, PacketKind, encode
from models.biometrics import Template, TemplateFormat
from models.errors import CaptureRetry, DeviceError, DeviceProtocolError, DeviceTimeout

RUNS = 10_000
LONGEST_S = 3.0
FORMAT = TemplateFormat("fuzz", 1)

OPERATIONS: dict[str, Callable[[ZfmSensor], object]] = {
    "parameters": lambda sensor: sensor.parameters(),
    "capture": lambda sensor: sensor.capture(timeout_s=0),
    "image": lambda sensor: sensor.image(),
    "convert": lambda sensor: sensor.convert(1),
    "combine": lambda sensor: sensor.combine(),
    "read_characteristics": lambda sensor: sensor.read_characteristics(1),
    "write_characteristics": lambda sensor: sensor.write_characteristics(2, bytes(512)),
    "match": lambda sensor: sensor.match(),
    "store": lambda sensor: sensor.store(4),
    "load": lambda sensor: sensor.load(4),
    "search": lambda sensor: sensor.search(),
    "delete": lambda sensor: sensor.delete(9),
    "empty": lambda sensor: sensor.empty(),
    "count": lambda sensor: sensor.count(),
    "index": lambda sensor: sensor.index(),
    "set_baud": lambda sensor: sensor.set_baud(57_600),
    "set_security": lambda sensor: sensor.set_security(3),
    "set_packet_bytes": lambda sensor: sensor.set_packet_bytes(128),
}


class PlainEngine:
    """Takes any picture for a template, so that a conversation costs no network."""

    def extract(self, pixels: Any, *, dpi: int = 500) -> Template:
        return Template(FORMAT, pixels[::18, ::16].tobytes())

    def minutiae(self, template: Template) -> Any:
        return type("Many", (), {"xy": np.zeros((40, 2))})

    def prepare(self, template: Template) -> bytes:
        return template.payload

    def compare_prepared(self, probe: bytes, reference: bytes) -> float:
        return float(probe == reference)

    def to_characteristics(self, template: Template) -> bytes:
        return template.payload.ljust(512, b"\0")

    def from_characteristics(self, characteristics: bytes) -> Template:
        return Template(FORMAT, characteristics[:256])

    def combine(self, templates: Any) -> Template:
        return templates[0]


def talk(seed: int) -> tuple[ZfmSensor, MemoryLine, Clock]:
    """An open sensor with a finger on the glass, both buffers full and a template in the library."""
    rows, columns = np.mgrid[0:288, 0:256]
    stripes = (128 + 100 * np.sin((rows + columns) / 1.5)).astype(np.uint8)
    chip = ZfmChip(HandGlass(stripes), FingerMatcher(PlainEngine()), capacity=200, password=0)
    clock = Clock()
    line = MemoryLine(chip, clock, seed=seed)
    sensor = ZfmSensor("memory", connect=lambda port, *, baud: line, monotonic=clock, sleep=clock.sleep)
    sensor.open()
    assert sensor.capture()
    sensor.convert(1)
    sensor.convert(2)
    sensor.store(4)
    return sensor, line, clock


def survive(sensor: ZfmSensor, clock: Clock, operation: Callable[[ZfmSensor], object]) -> bool:
    """Run an operation on a spoilt line: a result, a typed error, and neither too late."""
    started = clock()
    try:
        operation(sensor)
        survived = True
    except (DeviceError, CaptureRetry):
        survived = False
    assert clock() - started <= LONGEST_S
    return survived


@pytest.mark.parametrize("name", OPERATIONS)
def test_damaged_answers_end_in_a_result_or_a_typed_error_in_time(name: str) -> None:
    sensor, line, clock = talk(seed=len(name))
    rng = random.Random(name)
    healthy = 0
    for run in range(-(-RUNS // len(OPERATIONS))):
        line.spoiler = SPOILERS[run % len(SPOILERS)] if run < 2 * len(SPOILERS) else rng.choice(SPOILERS)
        healthy += survive(sensor, clock, OPERATIONS[name])
        if run % 50 == 0:
            line.spoiler = None
            sensor.parameters()  # a damaged answer leaves nothing behind that spoils the next one
            assert sensor.capture()
            sensor.convert(1)
            sensor.convert(2)
            sensor.store(4)
    assert healthy > 0  # some of it is only noise around a good answer, which must get through


def test_opening_a_port_that_answers_damaged_closes_it_again() -> None:
    _, line, clock = talk(seed=5)
    for run in range(len(SPOILERS) * 10):
        line.closed = False
        line.spoiler = SPOILERS[run % len(SPOILERS)]
        sensor = ZfmSensor("memory", connect=lambda port, *, baud: line, monotonic=clock, sleep=clock.sleep)
        if not survive(sensor, clock, ZfmSensor.open):
            assert line.closed


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(OPERATIONS)), st.lists(st.binary(max_size=300), max_size=6))
def test_any_bytes_at_all_end_in_a_result_or_a_typed_error_in_time(name: str, chunks: list[bytes]) -> None:
    sensor, line, clock = talk(seed=99)
    line.spoiler = lambda _rng, _frames: iter(chunks)
    survive(sensor, clock, OPERATIONS[name])
    line.spoiler = None
    sensor.parameters()


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(OPERATIONS)), st.data())
def test_a_real_answer_with_any_slice_replaced_ends_in_time(name: str, draw: st.DataObject) -> None:
    def replace(_rng: random.Random, frames: list[bytes]) -> Stream:
        whole = b"".join(frames)
        start = draw.draw(st.integers(0, min(len(whole), 600)))
        end = draw.draw(st.integers(start, min(len(whole), start + 40)))
        yield whole[:start] + draw.draw(st.binary(max_size=40)) + whole[end:]

    sensor, line, clock = talk(seed=99)
    line.spoiler = replace
    survive(sensor, clock, OPERATIONS[name])
    line.spoiler = None
    sensor.parameters()


def test_a_trickle_of_bytes_does_not_move_the_deadline() -> None:
    def trickle(_rng: random.Random, frames: list[bytes]) -> Iterator[bytes]:
        for byte in frames[0]:
            yield from [b""] * 9
            yield bytes([byte])

    sensor, line, clock = talk(seed=1)
    line.spoiler = trickle
    assert not survive(sensor, clock, OPERATIONS["count"])


def test_silence_costs_one_deadline_and_not_more() -> None:
    sensor, line, clock = talk(seed=1)
    line.spoiler = silence
    started = clock()
    assert not survive(sensor, clock, OPERATIONS["image"])
    assert clock() - started == pytest.approx(2.0)


def test_an_answer_that_comes_too_late_is_not_taken_for_the_next_ones() -> None:
    """A count of 4 that comes after its deadline must not pass for the score of a comparison."""
    sensor, line, _clock = talk(seed=1)
    late: list[bytes] = []

    def hold_back(_rng: random.Random, frames: list[bytes]) -> Iterator[bytes]:
        late[:] = frames
        return iter(())

    def after_the_late_one(_rng: random.Random, frames: list[bytes]) -> Iterator[bytes]:
        owed, late[:] = list(late), []
        return iter([*owed, *frames])

    line.spoiler = hold_back
    with pytest.raises(DeviceTimeout):
        sensor.count()
    line.spoiler = after_the_late_one
    assert sensor.count() == 1
    line.spoiler = hold_back
    with pytest.raises(DeviceTimeout):
        sensor.count()
    line.spoiler = after_the_late_one
    assert sensor.match() == 1000  # the sensor's own score, not the count of 1


def test_a_sensor_that_sends_more_than_it_can_hold_is_stopped_before_the_deadline() -> None:
    def too_much(_rng: random.Random, frames: list[bytes]) -> Stream:
        yield frames[0]
        while True:
            yield frames[1] * 10

    sensor, line, _clock = talk(seed=1)
    line.spoiler = too_much
    with pytest.raises(DeviceProtocolError, match="more after UPLOAD_CHARACTERISTICS than it can hold"):
        sensor.read_characteristics(1)


def answers_an_earlier_order(rng: random.Random, frames: list[bytes]) -> Stream:
    """The "no finger" to the search that was under way when the cable was pulled."""
    return iter([encode(Packet(PacketKind.ACK, bytes([Confirmation.NO_FINGER])))])


def test_a_late_answer_to_an_earlier_order_is_the_lines_fault_and_nothing_for_a_person_to_mend() -> None:
    """A kiosk whose sensor was plugged in again in the middle of a search ended over this."""
    sensor, line, _clock = talk(seed=1)
    sensor.close()
    line.closed, line.spoiler = False, answers_an_earlier_order
    with pytest.raises(DeviceProtocolError):
        sensor.open()
    line.closed, line.spoiler = False, None
    sensor.open()
    line.spoiler = answers_an_earlier_order
    assert sensor.capture(timeout_s=0) is False
    with pytest.raises(CaptureRetry):
        sensor.convert(1)
    with pytest.raises(DeviceProtocolError):
        sensor.count()
