"""Frames of the ZFM-20/R30x protocol and their reassembly from a stream. Owns bytes; refuses ports and clocks.

A frame is ``EF 01``, address (4), kind (1), length (2, payload and checksum), payload, checksum (2); numbers are
big-endian and the checksum is the sum of kind, length and payload, modulo 65,536. Source: ZhianTec ZFM-20 user
manual 1.4, section "Data package format".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER = b"\xef\x01"
DEFAULT_ADDRESS = 0xFFFFFFFF
LONGEST_PAYLOAD = 256  # the largest data packet a module can be set to
PACKET_SIZES = (32, 64, 128, 256)  # by the code that ReadSysPara and SetSysPara use
_PREFIX_BYTES = 9
_CHECKSUM_BYTES = 2


class PacketKind(IntEnum):
    """The packet identifier."""

    COMMAND = 0x01
    DATA = 0x02
    ACK = 0x07
    END = 0x08  # the last data packet of a transfer


_KINDS = frozenset(int(kind) for kind in PacketKind)


@dataclass(frozen=True, slots=True)
class Packet:
    """One frame's content. ``payload`` is at most 256 bytes."""

    kind: PacketKind
    payload: bytes
    address: int = DEFAULT_ADDRESS

    def __repr__(self) -> str:  # a payload may be a template or a picture: it never reaches a log
        return f"Packet({self.kind.name}, {len(self.payload)} bytes)"


def checksum(kind: int, payload: bytes) -> int:
    """The sum over kind, length and payload, modulo 65,536."""
    length = len(payload) + _CHECKSUM_BYTES
    return (kind + (length >> 8) + (length & 0xFF) + sum(payload)) & 0xFFFF


def encode(packet: Packet) -> bytes:
    """The bytes of a packet on the line. Raises ValueError for a payload over 256 bytes."""
    if len(packet.payload) > LONGEST_PAYLOAD:
        raise ValueError(f"a payload of {len(packet.payload)} bytes does not fit into a packet")
    prefix = struct.pack(">2sIBH", HEADER, packet.address, packet.kind, len(packet.payload) + _CHECKSUM_BYTES)
    return prefix + packet.payload + struct.pack(">H", checksum(packet.kind, packet.payload))


def split(content: bytes, packet_bytes: int, *, address: int = DEFAULT_ADDRESS) -> Iterator[Packet]:
    """Cut ``content`` into data packets of ``packet_bytes``; the last one is an END packet, even of nothing."""
    last = max(0, (len(content) - 1) // packet_bytes)
    for number in range(last + 1):
        part = content[number * packet_bytes : (number + 1) * packet_bytes]
        yield Packet(PacketKind.END if number == last else PacketKind.DATA, part, address)


class PacketReader:
    """Finds packets in a stream that may hold noise, half frames and damaged frames.

    It never waits for more than one longest frame: a length that cannot be is no frame, and the search for the next
    header goes on one byte later. ``skipped`` counts the bytes that belonged to no packet.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped = 0

    def feed(self, chunk: bytes) -> None:
        """Add what came in."""
        self._buffer += chunk

    def reset(self) -> None:
        """Forget everything that came in and start counting again."""
        self._buffer.clear()
        self.skipped = 0

    @property
    def pending(self) -> int:
        """Bytes that may be the beginning of a packet."""
        return len(self._buffer)

    def take(self) -> Packet | None:
        """The next whole packet, or None until more has come in."""
        while self._seek_header():
            if len(self._buffer) < _PREFIX_BYTES:
                return None
            kind, length = struct.unpack_from(">BH", self._buffer, 6)
            if kind not in _KINDS or not _CHECKSUM_BYTES <= length <= LONGEST_PAYLOAD + _CHECKSUM_BYTES:
                self._skip(1)
                continue
            if len(self._buffer) < _PREFIX_BYTES + length:
                return None
            packet = self._decode(kind, length)
            if packet is not None:
                return packet
        return None

    def take_past(self) -> Packet | None:
        """``take`` when the line went quiet: a header that promised more than came may be none.

        Noise that looks like a header would otherwise hold the true packet behind it back for ever. What is not a
        whole packet stays, in case the rest is only late.
        """
        start = 1
        while (start := self._buffer.find(HEADER, start)) >= 0:
            behind = PacketReader()
            behind.feed(bytes(self._buffer[start:]))
            packet = behind.take()
            if packet is not None:
                self._buffer = behind._buffer
                self.skipped += start + behind.skipped
                return packet
            start = len(self._buffer) - behind.pending + 1
        return None

    def _seek_header(self) -> bool:
        start = self._buffer.find(HEADER)
        if start < 0:  # a first half of the header may have its second half still to come
            start = len(self._buffer) - self._buffer.endswith(HEADER[:1])
            self._skip(start)
            return False
        self._skip(start)
        return True

    def _decode(self, kind: int, length: int) -> Packet | None:
        end = _PREFIX_BYTES + length
        payload = bytes(self._buffer[_PREFIX_BYTES : end - _CHECKSUM_BYTES])
        (claimed,) = struct.unpack_from(">H", self._buffer, end - _CHECKSUM_BYTES)
        if claimed != checksum(kind, payload):
            self._skip(1)
            return None
        (address,) = struct.unpack_from(">I", self._buffer, 2)
        del self._buffer[:end]
        return Packet(PacketKind(kind), payload, address)

    def _skip(self, count: int) -> None:
        del self._buffer[:count]
        self.skipped += count
