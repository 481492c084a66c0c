"""The frame codec: what goes in comes out, whatever stands around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.ports import SensorParameters
from hardware.zfm.codes import (
    decode_index,
    decode_parameters,
    encode_index,
    encode_parameters,
    pack_image,
    unpack_image,
)
from hardware.zfm.frame import Packet, PacketKind, PacketReader, encode, split

packets = st.builds(
    Packet, st.sampled_from(PacketKind), st.binary(max_size=256), st.integers(min_value=0, max_value=0xFFFFFFFF)
)


def read_all(reader: PacketReader) -> list[Packet]:
    return list(iter(reader.take, None))


def test_a_command_has_the_bytes_of_the_manual() -> None:
    """ZFM-20 user manual 1.4: VfyPwd with the password 0."""
    frame = encode(Packet(PacketKind.COMMAND, bytes.fromhex("1300000000")))
    assert frame.hex() == "ef01ffffffff010007" + "1300000000" + "001b"


@given(st.lists(packets, max_size=5), st.integers(1, 50))
def test_packets_survive_any_cutting_of_the_stream(sent: list[Packet], step: int) -> None:
    stream = b"".join(encode(packet) for packet in sent)
    reader = PacketReader()
    received: list[Packet] = []
    for start in range(0, len(stream), step):
        reader.feed(stream[start : start + step])
        received += read_all(reader)
    assert (received, reader.skipped, reader.pending) == (sent, 0, 0)


@given(st.binary(max_size=400).filter(lambda noise: b"\xef" not in noise), packets)
def test_noise_in_front_is_skipped_and_counted(noise: bytes, packet: Packet) -> None:
    reader = PacketReader()
    reader.feed(noise + encode(packet))
    assert (read_all(reader), reader.skipped) == ([packet], len(noise))


@given(packets)
def test_a_header_that_promises_too_much_does_not_hold_the_next_packet_back(packet: Packet) -> None:
    reader = PacketReader()
    reader.feed(b"\xef\x01\xff\xff\xff\xff\x07\x01\x02" + encode(packet)[:200])
    if reader.take() is None and len(encode(packet)) <= 200:
        assert reader.take_past() == packet


@given(st.binary(max_size=2000))
def test_any_bytes_end_and_leave_less_than_one_packet_behind(stream: bytes) -> None:
    reader = PacketReader()
    reader.feed(stream)
    read_all(reader)
    assert reader.pending < 9 + 258


def test_a_damaged_packet_is_dropped_and_the_next_one_read() -> None:
    good = Packet(PacketKind.ACK, b"\0")
    damaged = bytearray(encode(good))
    damaged[-1] ^= 1
    reader = PacketReader()
    reader.feed(bytes(damaged) + encode(good))
    assert (read_all(reader), reader.skipped) == ([good], len(damaged))


def test_a_payload_never_shows_in_a_log() -> None:
    assert repr(Packet(PacketKind.DATA, b"secret")) == "Packet(DATA, 6 bytes)"
    with pytest.raises(ValueError, match="does not fit"):
        encode(Packet(PacketKind.DATA, bytes(257)))


@given(st.binary(max_size=2000), st.sampled_from([32, 64, 128, 256]))
def test_a_transfer_ends_with_exactly_one_end_packet(content: bytes, size: int) -> None:
    parts = list(split(content, size))
    assert b"".join(part.payload for part in parts) == content
    assert [part.kind for part in parts[:-1]] == [PacketKind.DATA] * (len(parts) - 1)
    assert parts[-1].kind is PacketKind.END


def test_an_image_keeps_its_upper_four_bits() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (288, 256), dtype=np.uint8)
    assert np.array_equal(unpack_image(pack_image(pixels)), pixels & 0xF0)
    with pytest.raises(ValueError, match="instead of"):
        unpack_image(b"short")


@given(st.frozensets(st.integers(0, 1023)))
def test_the_index_table_names_every_position(positions: frozenset[int]) -> None:
    pages = [decode_index(page, encode_index(page, positions)) for page in range(4)]
    assert frozenset().union(*pages) == positions


def test_parameters_that_cannot_be_are_refused() -> None:
    good = SensorParameters(4, 9, 162, 3, 0xFFFFFFFF, 128, 57_600)
    content = encode_parameters(good)
    assert decode_parameters(content) == good
    for bad in (content[:-1], content[:-3] + b"\x09\x00\x06", content[:-1] + b"\x00", content[:4] + bytes(12)):
        with pytest.raises(ValueError, match=r"parameters"):
            decode_parameters(bad)
