"""A line in memory between our driver and the inside of a simulated sensor, with a clock of its own and a spoiler.

For thousands of damaged conversations in seconds: waiting costs nothing but virtual time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from hardware.simulation.zfm_chip import ZfmChip
from hardware.zfm.frame import Packet, PacketKind, PacketReader, checksum, encode, split
from models.errors import DeviceUnplugged

Stream = Iterator[bytes]
Spoiler = Callable[[random.Random, list[bytes]], Stream]


class Clock:
    """Monotonic seconds that pass when somebody waits."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class MemoryLine:
    """Implements the driver's transport. ``spoiler`` sees the frames of an answer and says what arrives instead."""

    def __init__(self, chip: ZfmChip, clock: Clock, *, seed: int = 0) -> None:
        self._chip = chip
        self._clock = clock
        self._reader = PacketReader()
        self._incoming: Stream = iter(())
        self._rng = random.Random(seed)
        self.spoiler: Spoiler | None = None
        self.closed = False

    def read(self, *, timeout_s: float) -> bytes:
        chunk = next(self._incoming, b"")
        self._clock.sleep(0.02 if chunk else timeout_s)
        return chunk

    def write(self, content: bytes) -> None:
        self._reader.feed(content)
        while (packet := self._reader.take()) is not None:
            if packet.kind is PacketKind.COMMAND:
                frames = self._answer(packet)
                self._incoming = iter([b"".join(frames)]) if self.spoiler is None else self.spoiler(self._rng, frames)

    def discard(self) -> None:
        self._incoming = iter(())

    def set_baud(self, baud: int) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def _answer(self, packet: Packet) -> list[bytes]:
        reply = self._chip.answer(packet.payload)
        if reply.accept is not None:
            reply.accept(bytes(512))
        answer = [Packet(PacketKind.ACK, bytes([reply.confirmation]) + reply.payload)]
        if reply.transfer is not None:
            answer += split(reply.transfer, self._chip.packet_bytes)
        return [encode(each) for each in answer]


def flip_bits(rng: random.Random, frames: list[bytes]) -> Stream:
    spoilt = bytearray(b"".join(frames))
    for _ in range(rng.randint(1, 4)):
        spoilt[rng.randrange(min(len(spoilt), rng.choice((12, 60, 100_000))))] ^= 1 << rng.randrange(8)
    yield bytes(spoilt)


def truncate(rng: random.Random, frames: list[bytes]) -> Stream:
    whole = b"".join(frames)
    yield whole[: rng.randrange(len(whole))]


def corrupt_length(rng: random.Random, frames: list[bytes]) -> Stream:
    number = rng.randrange(len(frames))
    spoilt = bytearray(frames[number])
    spoilt[7:9] = rng.choice((b"\x00\x00", b"\x00\x01", b"\x00\x02", b"\x80\x03", b"\xff\xff", rng.randbytes(2)))
    yield b"".join(frames[:number]) + bytes(spoilt) + b"".join(frames[number + 1 :])


def noise_before(rng: random.Random, frames: list[bytes]) -> Stream:
    yield rng.randbytes(rng.randint(1, 400)) + rng.choice(
        (b"", b"\xef", b"\xef\x01", b"\xef\x01\xff\xff\xff\xff\x07\x01")
    )
    yield b"".join(frames)


def noise_between(rng: random.Random, frames: list[bytes]) -> Stream:
    yield b"".join(rng.randbytes(rng.choice((0, 0, 0, 5))) + frame for frame in frames)


def endless_noise(rng: random.Random, _frames: list[bytes]) -> Stream:
    while True:
        yield rng.randbytes(rng.choice((1, 115)))


def endless_headers(rng: random.Random, _frames: list[bytes]) -> Stream:
    while True:
        yield b"\xef\x01" * rng.randint(1, 50)


def endless_transfer(rng: random.Random, frames: list[bytes]) -> Stream:
    yield frames[0]
    while True:
        yield encode(Packet(PacketKind.DATA, rng.randbytes(rng.choice((0, 1, 128)))))


def endless_answers(_rng: random.Random, _frames: list[bytes]) -> Stream:
    while True:
        yield encode(Packet(PacketKind.ACK, b""))


def silence(_rng: random.Random, _frames: list[bytes]) -> Stream:
    return iter(())


def wrong_address(rng: random.Random, frames: list[bytes]) -> Stream:
    number = rng.randrange(len(frames))
    spoilt = frames[number][:2] + rng.randbytes(4) + frames[number][6:]
    yield b"".join([*frames[:number], spoilt, *frames[number + 1 :]])


def wrong_checksum(rng: random.Random, frames: list[bytes]) -> Stream:
    number = rng.randrange(len(frames))
    spoilt = frames[number][:-1] + bytes([frames[number][-1] ^ rng.randint(1, 255)])
    yield b"".join([*frames[:number], spoilt, *frames[number + 1 :]])


def wrong_kind(rng: random.Random, frames: list[bytes]) -> Stream:
    number = rng.randrange(len(frames))
    kind, payload = rng.randrange(256), frames[number][9:-2]
    spoilt = frames[number][:6] + bytes([kind]) + frames[number][7:-2] + checksum(kind, payload).to_bytes(2, "big")
    yield b"".join([*frames[:number], spoilt, *frames[number + 1 :]])


def other_answer(rng: random.Random, frames: list[bytes]) -> Stream:
    """A whole and undamaged answer with another confirmation or another payload."""
    payload = bytes([rng.choice((0, 0, rng.randrange(256)))]) + rng.randbytes(rng.choice((0, 1, 2, 4, 16, 32, 255)))
    yield encode(Packet(PacketKind.ACK, payload)) + b"".join(frames[1:])


def oversized(rng: random.Random, frames: list[bytes]) -> Stream:
    yield b"".join(frames) + b"".join(frames[1:]) * rng.randint(1, 3) + rng.randbytes(3000)


def out_of_order(rng: random.Random, frames: list[bytes]) -> Stream:
    shuffled = [frame for frame in frames for _ in range(rng.choice((0, 1, 1, 1, 2)))]
    rng.shuffle(shuffled)
    yield b"".join(shuffled)


def echo_first(_rng: random.Random, frames: list[bytes]) -> Stream:
    yield encode(Packet(PacketKind.COMMAND, b"\x0f")) + b"".join(frames)


def byte_by_byte(_rng: random.Random, frames: list[bytes]) -> Stream:
    for frame in frames:
        for byte in frame:
            yield bytes([byte])


def unplug(rng: random.Random, frames: list[bytes]) -> Stream:
    yield frames[0][: rng.randrange(len(frames[0]))]
    raise DeviceUnplugged("The line went away.")


SPOILERS: tuple[Spoiler, ...] = (
    flip_bits,
    truncate,
    corrupt_length,
    noise_before,
    noise_between,
    endless_noise,
    endless_headers,
    endless_transfer,
    endless_answers,
    silence,
    wrong_address,
    wrong_checksum,
    wrong_kind,
    other_answer,
    oversized,
    out_of_order,
    echo_first,
    byte_by_byte,
    unplug,
)
