"""Characteristics: 512 bytes that a ZFM sensor keeps and compares. Owns their wrapping and Muster's own layout of them.

A real sensor's characteristics are opaque: they are wrapped as a template so that they can be stored and sent back, and
the sensor compares them. A simulated sensor has no algorithm of its own; its characteristics are minutiae, packed into
the same 512 bytes by ``pack_characteristics``. Refuses to compare.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Final, NoReturn

import numpy as np

from matcher.ports import Minutiae
from models.biometrics import Template, TemplateFormat
from models.errors import TemplateError

FORMAT: Final = TemplateFormat("zfm-characteristics", 1)
LENGTH: Final = 512  # one character file, ZFM-20 user manual: upload characteristics
MAX_COUNT: Final = 99
_MAGIC: Final = b"MUc1"
_HEAD: Final = struct.Struct("<4sIHHB")  # magic, CRC-32 of all that follows it, width, height, count
_SUMMED_FROM: Final = 8
# A minutia is 40 bits, lowest first: x and y 11 each, angle 9 (512 to the full turn), kind 2, score 7.
_BITS: Final = (11, 11, 9, 2, 7)
_SHIFTS: Final = np.array([0, 11, 22, 31, 33], np.uint64)
_MASKS: Final = np.array([(1 << bits) - 1 for bits in _BITS], np.uint64)
_BYTES: Final = 5
_LARGEST: Final = 2047


def wrap(characteristics: bytes) -> Template:
    """Characteristics from a sensor as a template. Raises TemplateError if they are not 512 bytes."""
    if len(characteristics) != LENGTH:
        raise TemplateError(f"A sensor's characteristics have {LENGTH} bytes, these have {len(characteristics)}.")
    return Template(FORMAT, bytes(characteristics))


def unwrap(template: Template) -> bytes:
    """The characteristics to send to a sensor. Raises TemplateError for a template of another format or length."""
    if template.format != FORMAT or len(template.payload) != LENGTH:
        raise TemplateError(f"A template of the format {template.format} cannot be sent to the sensor.")
    return template.payload


def compare(probe: Template, reference: Template) -> NoReturn:
    """Always raises TemplateError: only the sensor that made characteristics can compare them."""
    raise TemplateError("A sensor's characteristics can be compared by the sensor alone.")


def pack_characteristics(minutiae: Minutiae) -> bytes:
    """The best ``MAX_COUNT`` minutiae in 512 bytes, positions rounded to pixels and kept below 2048."""
    best = np.argsort(-minutiae.score, kind="stable")[:MAX_COUNT]
    columns = np.stack(
        [
            np.clip(np.rint(minutiae.xy[best, 0]), 0, _LARGEST),
            np.clip(np.rint(minutiae.xy[best, 1]), 0, _LARGEST),
            np.rint(minutiae.angle[best] * (512 / (2 * math.pi))) % 512,
            minutiae.kind[best],
            np.rint(np.clip(minutiae.score[best], 0, 1) * 127),
        ],
        axis=1,
    ).astype(np.uint64)
    words = np.bitwise_or.reduce(columns << _SHIFTS, axis=1)
    body = words.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_BYTES].tobytes()
    width, height = (min(int(side), _LARGEST + 1) for side in minutiae.size)
    rest = struct.pack("<HHB", width, height, len(best)) + body
    rest = rest.ljust(LENGTH - _SUMMED_FROM, b"\0")
    packed: bytes = _MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest
    return packed


def unpack_characteristics(characteristics: bytes) -> Minutiae:
    """The minutiae that ``pack_characteristics`` wrote. Raises TemplateError for anything else."""
    if len(characteristics) != LENGTH or characteristics[:4] != _MAGIC:
        raise TemplateError("These characteristics were not written by a simulated sensor.")
    _, checksum, width, height, count = _HEAD.unpack_from(characteristics)
    if zlib.crc32(characteristics[_SUMMED_FROM:]) != checksum or count > MAX_COUNT:
        raise TemplateError("The characteristics are damaged: their checksum differs.")
    packed = np.frombuffer(characteristics, np.uint8, count * _BYTES, _HEAD.size).reshape(count, _BYTES)
    words = np.pad(packed, ((0, 0), (0, 8 - _BYTES))).reshape(-1).view("<u8")
    columns = (words[:, None] >> _SHIFTS) & _MASKS
    return Minutiae(
        xy=columns[:, :2].astype(np.float32),
        angle=columns[:, 2].astype(np.float32) * np.float32(2 * math.pi / 512),
        kind=columns[:, 3].astype(np.uint8),
        score=columns[:, 4].astype(np.float32) / np.float32(127),
        size=(width, height),
    )
