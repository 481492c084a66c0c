"""How long a clip is, from its own container. Owns the reading of Ogg (Opus, Vorbis), WAV and MP3 headers.

Refuses files that no browser could play, that hold nothing but silence as far as that can be told without decoding,
or that go on for too long. Decodes nothing: the kiosk needs no codec for this.
"""

from __future__ import annotations

import io
import struct
import wave
from collections.abc import Iterator
from functools import cache
from typing import Final

from models.errors import InputError

MOST_BYTES: Final = 2_000_000
LONGEST_S: Final = 30.0
SHORTEST_S: Final = 0.1
LEAST_OPUS_BYTES_PER_S: Final = 500.0  # Opus packs silence into three bytes per frame of 20 ms: 150 bytes/s
SUFFIXES: Final = (".ogg", ".wav", ".mp3")  # the order in which a site's files of one slot are preferred


def clip_duration_s(content: bytes, suffix: str) -> float:
    """How many seconds the clip plays; ``suffix`` is one of SUFFIXES. Raises InputError if it is no good clip."""
    if len(content) > MOST_BYTES:
        raise _bad(f"is larger than {MOST_BYTES:,} bytes")
    read = {".ogg": _ogg_duration_s, ".wav": _wav_duration_s, ".mp3": _mp3_duration_s}.get(suffix)
    if read is None:
        raise _bad(f"is not one of {', '.join(SUFFIXES)}")
    duration_s = read(content)
    if not SHORTEST_S <= duration_s <= LONGEST_S:
        raise _bad(f"plays {duration_s:.2f} s, not {SHORTEST_S:g} to {LONGEST_S:g} s")
    return duration_s


def _bad(what: str) -> InputError:
    return InputError(f"it {what}", code="clip_invalid")


def _ogg_duration_s(content: bytes) -> float:
    """RFC 3533 pages; the last granule position over the rate (RFC 7845 section 4, Vorbis I appendix A)."""
    pages = list(_ogg_pages(content))
    first = pages[0][1]
    end = max(granule for granule, _ in pages)
    if first.startswith(b"OpusHead") and len(first) >= 19:
        skipped = struct.unpack_from("<H", first, 10)[0]
        duration_s: float = (end - skipped) / 48_000
        if duration_s > 0 and sum(len(body) for _, body in pages[2:]) / duration_s < LEAST_OPUS_BYTES_PER_S:
            raise _bad("holds nothing but silence")
        return duration_s
    if first.startswith(b"\x01vorbis") and len(first) >= 16:
        rate_hz = struct.unpack_from("<I", first, 12)[0]
        return float(end / rate_hz) if rate_hz else 0.0
    raise _bad("is an Ogg file, but neither Opus nor Vorbis")


def _ogg_pages(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Granule position and body of every page, checksums compared."""
    at = 0
    while at < len(content):
        if content[at : at + 4] != b"OggS" or len(content) < at + 27:
            raise _bad("is not an Ogg file" if at == 0 else "is cut off or damaged")
        granule, checksum, segments = struct.unpack_from("<q8xIB", content, at + 6)
        head = at + 27 + segments
        end = head + sum(content[at + 27 : head])
        page = content[at : at + 22] + bytes(4) + content[at + 26 : end]
        if len(page) != end - at or _ogg_checksum(page) != checksum:
            raise _bad("is cut off or damaged")
        yield granule, content[head:end]
        at = end
    if at == 0:
        raise _bad("is empty")


@cache
def _ogg_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        table.append(value & 0xFFFFFFFF)
    return tuple(table)


def _ogg_checksum(page: bytes) -> int:
    """CRC-32 with polynomial 04C11DB7, nothing reflected, nothing inverted (RFC 3533 section 6)."""
    table, value = _ogg_table(), 0
    for byte in page:
        value = ((value << 8) & 0xFFFFFFFF) ^ table[(value >> 24) ^ byte]
    return value


def _wav_duration_s(content: bytes) -> float:
    try:
        with wave.open(io.BytesIO(content)) as clip:
            frames = clip.readframes(clip.getnframes())
            promised = clip.getnframes() * clip.getsampwidth() * clip.getnchannels()
            duration_s: float = clip.getnframes() / clip.getframerate()
    except (wave.Error, EOFError, struct.error, ZeroDivisionError) as error:
        raise _bad("is not a WAV file of plain samples (PCM)") from error
    if len(frames) < promised:
        raise _bad("is cut off or damaged")
    if len(set(frames)) < 2:
        raise _bad("holds nothing but silence")
    return duration_s


_MP3_KBIT = {  # ISO/IEC 11172-3 table of bit rates for layer III; 13818-3 for the lower sampling rates
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def _mp3_duration_s(content: bytes) -> float:
    """Frames of MPEG layer III one after the other, behind an ID3 tag if there is one."""
    at = 0
    if content[:3] == b"ID3" and len(content) > 10:
        at = 10 + sum(byte << shift for byte, shift in zip(content[6:10], (21, 14, 7, 0), strict=True))
    duration_s, frames = 0.0, 0
    while at + 4 <= len(content) and content[at : at + 3] != b"TAG":
        length, seconds = _mp3_frame(content[at : at + 4])
        if not length:
            break
        duration_s, frames, at = duration_s + seconds, frames + 1, at + length
    if frames < 3:
        raise _bad("is not an MP3 file")
    return duration_s


def _mp3_frame(head: bytes) -> tuple[int, float]:
    """Length in bytes and in seconds of the frame that begins with these four bytes; zeros if none does."""
    version, layer, rate, bits = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 2 & 3, head[2] >> 4
    if head[0] != 0xFF or head[1] < 0xE0 or layer != 1 or version == 1 or rate == 3 or bits in (0, 15):
        return 0, 0.0
    rate_hz, samples = _MP3_RATES_HZ[version][rate], 1152 if version == 3 else 576
    length = samples // 8 * _MP3_KBIT[version == 3][bits] * 1000 // rate_hz + (head[2] >> 1 & 1)
    return length, samples / rate_hz
