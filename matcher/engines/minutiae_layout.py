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
# Of a rolled finger, about twice over, and what a standard record holds. Time and memory of a comparison grow with the
# square and the cube: 255 take 0.02 s and 0.1 s to prepare, 1000 would take 0.2 s, 3 s and 1.6 GB.
MAX_COUNT: Final = 255
_MAGIC: Final = b"MUm1"
_HEAD: Final = struct.Struct("<4sHHH")
_TAIL: Final = struct.Struct("<I")
_RECORD: Final = np.dtype([("x", "<u2"), ("y", "<u2"), ("angle", "<u2"), ("kind", "u1"), ("score", "u1")])
_PER_PIXEL: Final = 8
_PER_TURN: Final = 65536
LARGEST_SIDE: Final = 65535 // _PER_PIXEL  # of a picture
_LAST_KIND: Final = 2


def encode(minutiae: Minutiae) -> Template:
    """The template of a set of minutiae, up to ``MAX_COUNT`` of them. Raises TemplateError if it cannot hold them."""
    count = len(minutiae.xy)
    if count > MAX_COUNT:
        raise TemplateError(f"A template holds at most {MAX_COUNT} minutiae, not {count}.")
    if not all(len(column) == count for column in (minutiae.angle, minutiae.kind, minutiae.score)):
        raise TemplateError("Every minutia needs a place, a direction, a kind and a score.")
    if not all(0 <= side <= LARGEST_SIDE for side in minutiae.size):
        raise TemplateError(f"A template cannot hold a picture of {minutiae.size} pixels.")
    places = np.rint(minutiae.xy.astype(np.float64) * _PER_PIXEL).reshape(count, 2)
    if not (np.isfinite(places).all() and np.isfinite(minutiae.angle).all() and np.isfinite(minutiae.score).all()):
        raise TemplateError("A minutia without a finite place, direction and score cannot be stored.")
    if ((places < 0) | (places > np.array(minutiae.size) * _PER_PIXEL)).any():
        raise TemplateError("A minutia that lies outside its picture cannot be stored.")
    if (minutiae.kind > _LAST_KIND).any():
        raise TemplateError("A minutia of an unknown kind cannot be stored.")
    turns = np.mod(minutiae.angle.astype(np.float64) / (2 * math.pi), 1.0)
    records = np.zeros(count, _RECORD)
    records["x"], records["y"] = places[:, 0], places[:, 1]
    records["angle"] = np.rint(turns * _PER_TURN).astype(np.int64) % _PER_TURN
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
    if count > MAX_COUNT:
        raise TemplateError(f"A template holds at most {MAX_COUNT} minutiae, not {count}.")
    if len(payload) != _HEAD.size + count * _RECORD.itemsize + _TAIL.size:
        raise TemplateError("The template's length is not the one it states.")
    if zlib.crc32(payload[: -_TAIL.size]) != _TAIL.unpack_from(payload, len(payload) - _TAIL.size)[0]:
        raise TemplateError("The template is damaged: its checksum differs.")
    records = np.frombuffer(payload, _RECORD, count, _HEAD.size)
    if (records["kind"] > _LAST_KIND).any():
        raise TemplateError("The template holds a minutia of an unknown kind.")
    return Minutiae(
        xy=np.stack([records["x"], records["y"]], axis=1).astype(np.float32) / np.float32(_PER_PIXEL),
        angle=records["angle"].astype(np.float32) * np.float32(2 * math.pi / _PER_TURN),
        kind=records["kind"].copy(),
        score=records["score"].astype(np.float32) / np.float32(255),
        size=(width, height),
    )
