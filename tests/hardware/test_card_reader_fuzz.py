"""Thousands of damaged answers: the driver never hangs, never invents a card, and raises nothing but its own errors."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sam_v_line import SPOILERS, MemoryLine, Spoiler, Stream
from zfm_line import Clock

from hardware.drivers.sam_v import SamVReader
from hardware.ports import CardText
from hardware.sam_v.codes import Order
from hardware.sam_v.frame import HEADER, AnswerReader, OrderReader, encode_answer, encode_order
from hardware.simulation.sam_v_module import SamVModule, invented_card
from models.errors import CaptureRetry, DeviceError, InputError
from models.id_card import card_key, digest

CARD = invented_card(3)
KEY = card_key(bytes(32))
RUNS = 60  # for each way to spoil a line
WAIT_S, TALK_S = 0.3, 1.0


def talk(seed: int) -> tuple[SamVReader, SamVModule, MemoryLine, Clock]:
    """An open reader with a card on it."""
    module, clock = SamVModule(), Clock()
    line = MemoryLine(module, clock, seed=seed)
    reader = SamVReader(
        "memory", timeout_s=TALK_S, connect=lambda port, *, baud: line, monotonic=clock, sleep=clock.sleep
    )
    reader.open()
    module.lay(CARD)
    return reader, module, line, clock


def survive(reader: SamVReader, clock: Clock) -> CardText | None:
    started = clock()
    card: CardText | None = None
    with contextlib.suppress(DeviceError, CaptureRetry):
        card = reader.read(timeout_s=WAIT_S)
    assert clock() - started <= WAIT_S + TALK_S + 0.2  # the last slice of reading may begin just before the end
    return card


def digests(card: CardText) -> bool:
    """Whether the number of a card is one; one changed bit in it is noticed here, when the line's check missed it."""
    try:
        return bool(digest(card.number, KEY))
    except InputError:
        return False


@pytest.mark.parametrize("spoiler", SPOILERS, ids=lambda spoiler: spoiler.__name__)
def test_damaged_answers_end_in_a_result_or_a_typed_error_in_time(spoiler: Spoiler) -> None:
    reader, module, line, clock = talk(seed=1)
    for _ in range(RUNS):
        line.spoiler = spoiler
        card = survive(reader, clock)
        assert card is None or not digests(card) or card.number == CARD.number
        line.spoiler = None
        module.lay(CARD)
        assert reader.read(timeout_s=WAIT_S) == CARD  # a damaged answer leaves nothing behind that spoils the next one
        module.lay(CARD)


@pytest.mark.parametrize("spoiler", SPOILERS, ids=lambda spoiler: spoiler.__name__)
def test_opening_a_port_that_answers_damaged_closes_it_again(spoiler: Spoiler) -> None:
    _, _, line, clock = talk(seed=5)
    for _ in range(20):
        line.closed, line.spoiler = False, spoiler
        reader = SamVReader(
            "memory", timeout_s=0.5, connect=lambda port, *, baud: line, monotonic=clock, sleep=clock.sleep
        )
        try:
            reader.open()
        except DeviceError:
            assert line.closed


@settings(max_examples=300, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6))
def test_any_bytes_at_all_end_in_a_result_or_a_typed_error_in_time(chunks: list[bytes]) -> None:
    reader, module, line, clock = talk(seed=9)
    line.spoiler = lambda _rng, _frame: iter(chunks)
    assert survive(reader, clock) is None
    line.spoiler = None
    module.lay(CARD)
    assert reader.read(timeout_s=0) == CARD


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_real_answer_with_any_slice_replaced_ends_in_time(draw: st.DataObject) -> None:
    def replace(_rng: random.Random, frame: bytes) -> Stream:
        start = draw.draw(st.integers(0, min(len(frame), 600)))
        end = draw.draw(st.integers(start, min(len(frame), start + 40)))
        yield frame[:start] + draw.draw(st.binary(max_size=40)) + frame[end:]

    reader, _, line, clock = talk(seed=9)
    line.spoiler = replace
    survive(reader, clock)


@given(
    st.binary(max_size=40).filter(lambda noise: HEADER[:1] not in noise), st.integers(0, 255), st.binary(max_size=20)
)
def test_an_answer_is_found_behind_noise_however_it_is_cut(noise: bytes, status: int, content: bytes) -> None:
    frame = noise + encode_answer(status, content)
    for step in (1, 3, len(frame)):
        reader, found = AnswerReader(), None
        for start in range(0, len(frame), step):
            found = reader.feed(frame[start : start + step]) or found
        assert found is not None and (found.status[-1], found.content, found.size) == (status, content, len(content))


def test_no_more_is_kept_of_an_answer_than_the_text_that_it_promises() -> None:
    reader = AnswerReader()
    answer = reader.feed(encode_answer(0x90, b"\0\x10\4\0" + b"T" * 16 + b"p" * 1024))
    assert answer is not None and b"p" not in answer.content and "T" not in repr(answer)


def test_the_frames_are_those_of_the_standard() -> None:
    """The worked examples that every maker's description prints."""
    assert encode_order(Order.FIND).hex() == "aaaaaa9669" + "0003" + "2001" + "22"
    assert encode_order(Order.SELECT).hex() == "aaaaaa9669" + "0003" + "2002" + "21"
    assert encode_order(Order.READ).hex() == "aaaaaa9669" + "0003" + "3001" + "32"
    assert encode_order(Order.SAM_ID).hex() == "aaaaaa9669" + "0003" + "12ff" + "ee"
    assert encode_answer(0x9F, bytes(4)).hex() == "aaaaaa9669" + "0008" + "00009f" + "00000000" + "97"
    assert encode_answer(0x80).hex() == "aaaaaa9669" + "0004" + "000080" + "84"
    whole = encode_answer(0x90, b"\1\0\4\0" + bytes(256 + 1024))
    assert whole[:14].hex() == "aaaaaa9669" + "0508" + "000090" + "0100" + "0400" and len(whole) == 1295


def test_a_module_reads_past_noise_and_answers_a_damaged_order() -> None:
    reader = OrderReader()
    spoilt = encode_order(Order.FIND)[:-1] + b"\0"
    assert reader.feed(b"\xaa\x96" + encode_order(Order.FIND) + b"noise" + spoilt) == [Order.FIND.value, None]
