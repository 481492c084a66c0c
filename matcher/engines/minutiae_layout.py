"""The bytes of a ``minutiae`` template. Owns the layout, version 1; refuses damaged payloads.

Little-endian: ``MUm1``, width and height (uint16, pixels at 500 dpi), count (uint16), then for each minutia x and y
(uint16, eighths of a pixel), angle (uint16, 65536 to the full turn), kind and score (uint8, score in 255ths); at the
end the CRC-32 of everything before it.
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import Final

import numpy as np

from matcher.ports import Minutiae
from models.biometrics import Template, TemplateFormat
from models.errors import TemplateError

FORMAT: Final = TemplateFormat("minutiae", 1)
MAX_COUNT: Final = 1000
_MAGIC: Final = b"MUm1"
_HEAD: Final = struct.Struct("<4sHHH")
_TAIL: Final = struct.Struct("<I")
_RECORD: Final = np.dtype([("x", "<u2"), ("y", "<u2"), ("angle", "<u2"), ("kind", "u1"), ("score", "u1")])
_PER_PIXEL: Final = 8
_PER_TURN: Final = 65536
_LARGEST: Final = 65535


def encode(minutiae: Minutiae) -> Template:
    """The template of a set of minutiae, up to ``MAX_COUNT`` of them. Raises TemplateError if it cannot hold them."""
    count = len(minutiae.xy)
    xy = np.rint(minutiae.xy.astype(np.float64) * _PER_PIXEL).reshape(count, 2)
    if count > MAX_COUNT or not all(0 <= side <= _LARGEST for side in minutiae.size):
        raise TemplateError(f"A template cannot hold {count} minutiae of a picture of {minutiae.size} pixels.")
    if not (np.isfinite(xy).all() and np.isfinite(minutiae.angle).all() and np.isfinite(minutiae.score).all()):
        raise TemplateError("A minutia without a finite place, direction and score cannot be stored.")
    if count and (xy.min() < 0 or xy.max() > _LARGEST):
        raise TemplateError("A minutia that lies outside its picture cannot be stored.")
    records = np.zeros(count, _RECORD)
    records["x"], records["y"] = xy[:, 0], xy[:, 1]
    records["angle"] = (
        np.rint(minutiae.angle.astype(np.float64) * (_PER_TURN / (2 * math.pi))).astype(np.int64) % _PER_TURN
    )
    records["kind"] = minutiae.kind
    records["score"] = np.rint(np.clip(minutiae.score, 0, 1) * 255)
    body = _HEAD.pack(_MAGIC, *(int(side) for side in minutiae.size), count) + records.tobytes()
    return Template(FORMAT, body + _TAIL.pack(zlib.crc32(body)))


def decode(template: Template) -> Minutiae:
    """The minutiae of a template. Raises TemplateError if it is of another format, truncated or altered."""
    if template.format != FORMAT:
        raise TemplateError(f"A template of the format {template.format} is not one of {FORMAT}.")
    payload = template.payload
    if len(payload) < _HEAD.size + _TAIL.size or payload[:4] != _MAGIC:
        raise TemplateError("The template does not begin like one of minutiae.")
    _, width, height, count = _HEAD.unpack_from(payload)
    if count > MAX_COUNT or len(payload) != _HEAD.size + count * _RECORD.itemsize + _TAIL.size:
        raise TemplateError("The template's length is not the one it states.")
    if zlib.crc32(payload[: -_TAIL.size]) != _TAIL.unpack_from(payload, len(payload) - _TAIL.size)[0]:
        raise TemplateError("The template is damaged: its checksum differs.")
    records = np.frombuffer(payload, _RECORD, count, _HEAD.size)
    if (records["kind"] > 2).any():
        raise TemplateError("The template holds a minutia of an unknown kind.")
    return Minutiae(
        xy=np.stack([records["x"], records["y"]], axis=1).astype(np.float32) / np.float32(_PER_PIXEL),
        angle=records["angle"].astype(np.float32) * np.float32(2 * math.pi / _PER_TURN),
        kind=records["kind"].copy(),
        score=records["score"].astype(np.float32) / np.float32(255),
        size=(width, height),
    )
