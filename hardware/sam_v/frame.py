"""Frames of the SAM_V protocol: header, length, content, exclusive-or check. Owns encoding and the search for a frame.

``AnswerReader`` keeps the beginning of an answer only and forgets the rest while it comes in: a card's photo follows
its text in the same frame, and nothing here ever holds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import xor

from hardware.sam_v.codes import FINGERS_BYTES, PHOTO_BYTES, TEXT_BYTES, Order

HEADER = b"\xaa\xaa\xaa\x96\x69"
STATUS_BYTES = 3
SIZES_BYTES = 4  # length of the text, length of the photo
KEPT_BYTES = SIZES_BYTES + TEXT_BYTES
_SHORT = 64  # bytes of an answer that holds no card
_LENGTH_BYTES = 2
_CHECK_BYTES = 1
_SHORTEST = STATUS_BYTES + _CHECK_BYTES
_LONGEST = STATUS_BYTES + SIZES_BYTES + 2 + TEXT_BYTES + PHOTO_BYTES + FINGERS_BYTES + _CHECK_BYTES


@dataclass(frozen=True, slots=True)
class Answer:
    """A status word and the beginning of what followed; ``size`` counts all of it."""

    status: bytes
    content: bytes
    size: int

    def __repr__(self) -> str:  # the content may be a card's text
        return f"Answer({self.status.hex()}, {self.size} bytes)"


def encode_order(order: Order, content: bytes = b"") -> bytes:
    """A command's frame."""
    return _frame(order.value + content)


def encode_answer(status: int, content: bytes = b"") -> bytes:
    """An answer's frame; the first two bytes of its status word are zero."""
    return _frame(bytes([0, 0, status]) + content)


def checksum(content: bytes | bytearray) -> int:
    """All bytes between header and check, combined by exclusive or."""
    return reduce(xor, content, 0)


def _frame(content: bytes) -> bytes:
    covered = (len(content) + _CHECK_BYTES).to_bytes(_LENGTH_BYTES, "big") + content
    return HEADER + covered + bytes([checksum(covered)])


class OrderReader:
    """Finds commands in a stream, for the side that answers."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The commands that are whole now, as their bytes; None for one whose check is wrong."""
        self._buffer += chunk
        found: list[bytes | None] = []
        while (start := self._buffer.find(HEADER)) >= 0:
            del self._buffer[:start]
            body = len(HEADER) + _LENGTH_BYTES
            if len(self._buffer) < body:
                return found
            length = int.from_bytes(self._buffer[len(HEADER) : body], "big")
            if not 2 + _CHECK_BYTES <= length <= _SHORT:
                del self._buffer[:1]
                continue
            if len(self._buffer) < body + length:
                return found
            covered, check = bytes(self._buffer[len(HEADER) : body + length - 1]), self._buffer[body + length - 1]
            del self._buffer[: body + length]
            found.append(covered[_LENGTH_BYTES:] if checksum(covered) == check else None)
        del self._buffer[: max(0, len(self._buffer) - len(HEADER) + 1)]
        return found


class AnswerReader:
    """Finds one answer in a stream that may hold noise before it; keeps ``KEPT_BYTES`` of it and forgets the rest.

    ``damaged`` counts frames whose check was wrong. What a damaged frame swallowed is gone: whoever reads asks again.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self.noise = 0
        self._begin()

    def _begin(self) -> None:
        self._head = bytearray()  # header, length and status word
        self._kept = bytearray()
        self._running = 0
        self._left = 0

    def feed(self, chunk: bytes) -> Answer | None:
        """Take a piece of the stream; the answer once it is whole. What follows it is dropped."""
        for byte in chunk:
            answer = self._take(byte)
            if answer is not None:
                return answer
        return None

    @property
    def pending(self) -> bool:
        """Whether a frame has begun."""
        return bool(self._head)

    def _take(self, byte: int) -> Answer | None:
        if len(self._head) < len(HEADER) + _LENGTH_BYTES:
            self._take_head(byte)
            return None
        self._left -= 1
        if self._left == 0:
            return self._finish(byte)
        self._running ^= byte
        if len(self._head) < len(HEADER) + _LENGTH_BYTES + STATUS_BYTES:
            self._head.append(byte)
        elif len(self._kept) < self._wanted():
            self._kept.append(byte)
        return None

    def _wanted(self) -> int:
        """How much is kept: all of a short answer; of a card no more than the text that the answer says it has."""
        if self._length() <= _SHORT or len(self._kept) < SIZES_BYTES:
            return KEPT_BYTES
        return SIZES_BYTES + min(TEXT_BYTES, int.from_bytes(self._kept[:2], "big"))

    def _take_head(self, byte: int) -> None:
        self._head.append(byte)
        while self._head and not self._may_begin():
            del self._head[:1]
            self.noise += 1
        if len(self._head) == len(HEADER) + _LENGTH_BYTES:
            self._left = self._length()
            self._running = checksum(self._head[len(HEADER) :])

    def _may_begin(self) -> bool:
        head = bytes(self._head)
        if len(head) <= len(HEADER):
            return HEADER.startswith(head)
        upper = head[len(HEADER)]
        if len(head) < len(HEADER) + _LENGTH_BYTES:
            return head.startswith(HEADER) and upper <= _LONGEST >> 8
        return head.startswith(HEADER) and _SHORTEST <= self._length() <= _LONGEST

    def _length(self) -> int:
        return int.from_bytes(self._head[len(HEADER) : len(HEADER) + _LENGTH_BYTES], "big")

    def _finish(self, check: int) -> Answer | None:
        size = self._length() - _SHORTEST
        status = bytes(self._head[-STATUS_BYTES:])
        answer = Answer(status, bytes(self._kept), size) if check == self._running else None
        self.damaged += answer is None
        self._begin()
        return answer
