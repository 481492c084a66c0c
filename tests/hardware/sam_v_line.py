"""A line in memory between the card reader's driver and the inside of a simulated one, with a clock and a spoiler."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from zfm_line import Clock

from hardware.sam_v.codes import Status
from hardware.sam_v.frame import HEADER, OrderReader, encode_answer
from hardware.simulation.sam_v_module import SamVModule
from models.errors import DeviceUnplugged

Stream = Iterator[bytes]
Spoiler = Callable[[random.Random, bytes], Stream]


class MemoryLine:
    """Implements the driver's transport. ``spoiler`` sees an answer's frame and says what arrives instead."""

    def __init__(self, module: SamVModule, clock: Clock, *, seed: int = 0) -> None:
        self._module, self._clock = module, clock
        self._reader = OrderReader()
        self._incoming: Stream = iter(())
        self._rng = random.Random(seed)
        self.spoiler: Spoiler | None = None
        self.closed = False

    def read(self, *, timeout_s: float) -> bytes:
        chunk = next(self._incoming, b"")
        self._clock.sleep(0.02 if chunk else timeout_s)
        return chunk

    def write(self, content: bytes) -> None:
        for order in self._reader.feed(content):
            frame = self._module.answer(order)
            self._incoming = iter([frame]) if self.spoiler is None else self.spoiler(self._rng, frame)

    def discard(self) -> None:
        self._incoming = iter(())

    def set_baud(self, baud: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def flip_bits(rng: random.Random, frame: bytes) -> Stream:
    spoilt = bytearray(frame)
    for _ in range(rng.randint(1, 4)):
        spoilt[rng.randrange(min(len(spoilt), rng.choice((12, 300, 100_000))))] ^= 1 << rng.randrange(8)
    yield bytes(spoilt)


def truncate(rng: random.Random, frame: bytes) -> Stream:
    yield frame[: rng.randrange(len(frame))]


def corrupt_length(rng: random.Random, frame: bytes) -> Stream:
    length = rng.choice((b"\0\0", b"\0\1", b"\0\3", b"\x09\x0a", b"\xff\xff", rng.randbytes(2)))
    yield frame[:5] + length + frame[7:]


def noise_before(rng: random.Random, frame: bytes) -> Stream:
    yield rng.randbytes(rng.randint(1, 400)) + rng.choice((b"", b"\xaa", HEADER[:4], HEADER, HEADER + b"\x05"))
    yield frame


def endless_noise(rng: random.Random, _frame: bytes) -> Stream:
    while True:
        yield rng.randbytes(rng.choice((1, 115)))


def endless_headers(rng: random.Random, _frame: bytes) -> Stream:
    while True:
        yield HEADER * rng.randint(1, 50)


def silence(_rng: random.Random, _frame: bytes) -> Stream:
    return iter(())


def wrong_check(rng: random.Random, frame: bytes) -> Stream:
    yield frame[:-1] + bytes([frame[-1] ^ rng.randint(1, 255)])


def other_status(rng: random.Random, _frame: bytes) -> Stream:
    """A whole and undamaged answer with another status or another content."""
    status = rng.choice((*Status, rng.randrange(256)))
    yield encode_answer(status, rng.randbytes(rng.choice((0, 0, 4, 8, 16, 260, 1284))))


def other_sizes(rng: random.Random, frame: bytes) -> Stream:
    if len(frame) < 300:
        yield frame
        return
    content = rng.choice((b"\0\0", b"\1\0", b"\4\0", rng.randbytes(2))) + frame[12:-1]
    yield encode_answer(Status.OK, content)


def late_answer_first(rng: random.Random, frame: bytes) -> Stream:
    yield encode_answer(rng.choice((Status.OK, Status.FOUND, Status.NO_CARD)), bytes(rng.choice((0, 4, 8)))) + frame


def byte_by_byte(_rng: random.Random, frame: bytes) -> Stream:
    for byte in frame:
        yield bytes([byte])


def unplug(rng: random.Random, frame: bytes) -> Stream:
    yield frame[: rng.randrange(len(frame))]
    raise DeviceUnplugged("The line went away.")


SPOILERS: tuple[Spoiler, ...] = (
    flip_bits,
    truncate,
    corrupt_length,
    noise_before,
    endless_noise,
    endless_headers,
    silence,
    wrong_check,
    other_status,
    other_sizes,
    late_answer_first,
    byte_by_byte,
    unplug,
)
