"""Finger minutiae records of ISO/IEC 19794-2:2005, so that templates can leave and enter.

Owns the bytes of the record format (clause 7 of the standard): 24 bytes of record header, then for every finger view 4
bytes, 6 for each minutia, and extended data behind their length. Big-endian; places in pixels of the record's own
resolution, angles in 256ths of a turn counter-clockwise. Refuses records that contradict themselves, card formats,
and the editions of 2011 and later. Extended data (ridge counts, cores) is carried and not understood.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from matcher.ports import Minutiae
from models.biometrics import FingerPosition
from models.errors import TemplateError

PER_CM_AT_500_DPI: Final = 197
MAX_MINUTIAE: Final = 255  # per view: one byte counts them
MAX_PLACE: Final = 16383  # 14 bits
MAX_VIEWS: Final = 255
_MAGIC: Final = b"FMR\0"
_VERSION: Final = b" 20\0"
_HEAD: Final = struct.Struct(">4s4sIHHHHHBB")
_VIEW: Final = struct.Struct(">BBBB")
_EXTENDED: Final = struct.Struct(">H")
_MINUTIA: Final = np.dtype([("x", ">u2"), ("y", ">u2"), ("angle", "u1"), ("quality", "u1")])
_PER_TURN: Final = 256
_PLACE_BITS: Final = 14
_BEST_QUALITY: Final = 100
_UNREPORTED_SCORE: Final = 0.7  # of a minutia whose quality is not told: the middle of those that are found here
_NBIS_HEAD: Final = 26  # see read_nbis_record


@dataclass(frozen=True, slots=True, eq=False)
class FingerView:
    """One impression of one finger. ``xy`` (N, 2) in pixels of the record, y down; ``angle`` (N,) in 256ths of a turn;
    ``kind`` (N,): 1 ending, 2 bifurcation, 0 other; ``quality`` (N,), 1 to 100, 0 not told; all integers.

    ``impression`` is the standard's code (0 live plain, 1 live rolled, 8 swiped), ``finger_quality`` 0 to 100.
    """

    xy: NDArray[np.int64]
    angle: NDArray[np.int64]
    kind: NDArray[np.int64]
    quality: NDArray[np.int64]
    position: FingerPosition = FingerPosition.UNKNOWN
    number: int = 0
    impression: int = 0
    finger_quality: int = 0
    extended: bytes = b""


@dataclass(frozen=True, slots=True, eq=False)
class FingerRecord:
    """Views of one or several fingers, taken by one device. ``size`` is (width, height) in pixels, ``resolution``
    pixels per cm along x and y, ``device`` the 4 bits of certification and 12 of the device's type."""

    views: tuple[FingerView, ...]
    size: tuple[int, int]
    resolution: tuple[int, int] = (PER_CM_AT_500_DPI, PER_CM_AT_500_DPI)
    device: int = 0


def read_record(content: bytes) -> FingerRecord:
    """The record in ``content``. Raises TemplateError, one sentence, if it is not a whole and consistent record."""
    if len(content) < _HEAD.size:
        raise TemplateError(f"A finger minutiae record has {_HEAD.size} bytes or more, not {len(content)}.")
    magic, version, length, device, width, height, per_cm_x, per_cm_y, count, reserved = _HEAD.unpack_from(content)
    if magic != _MAGIC:
        raise TemplateError("The file does not begin like a finger minutiae record (FMR).")
    if version != _VERSION:
        raise TemplateError("The finger minutiae record is not of the edition of 2005 (version 20).")
    if length != len(content):
        raise TemplateError(f"The record says that it has {length} bytes, but it has {len(content)}.")
    if not (width and height and per_cm_x and per_cm_y):
        raise TemplateError("The record gives no size or no resolution of its picture.")
    if reserved or not count:
        raise TemplateError("The record holds no finger view." if not count else "The record's reserved byte is not 0.")
    views, place = [], _HEAD.size
    for number in range(1, count + 1):
        view, place = _read_view(content, place, number, (width, height))
        views.append(view)
    if place != len(content):
        raise TemplateError(f"The record holds {len(content) - place} bytes after its last finger view.")
    return FingerRecord(tuple(views), (width, height), (per_cm_x, per_cm_y), device)


def write_record(record: FingerRecord) -> bytes:
    """The bytes of a record. Raises TemplateError if the format cannot hold it."""
    if not 1 <= len(record.views) <= MAX_VIEWS:
        raise TemplateError(f"A record holds 1 to {MAX_VIEWS} finger views, not {len(record.views)}.")
    if not all(0 < value <= 0xFFFF for value in (*record.size, *record.resolution)) or not 0 <= record.device <= 0xFFFF:
        raise TemplateError("A record cannot hold a picture of that size or resolution.")
    body = b"".join(_view_bytes(view, record.size) for view in record.views)
    head = _HEAD.pack(
        _MAGIC, _VERSION, _HEAD.size + len(body), record.device, *record.size, *record.resolution, len(record.views), 0
    )
    return head + body


def record_of(views: Sequence[tuple[FingerPosition, Minutiae]]) -> FingerRecord:
    """A record at 500 dpi of impressions and the fingers they are of, numbered for each finger in the order given.

    Places are rounded to whole pixels and angles to 256ths of a turn; of more than ``MAX_MINUTIAE``, the best are
    kept. The picture's size is the largest of all. Raises TemplateError if the format cannot hold them.
    """
    size = tuple(max((minutiae.size[axis] for _, minutiae in views), default=0) for axis in (0, 1))
    numbered: dict[FingerPosition, int] = {}
    made = []
    for position, minutiae in views:
        numbered[position] = numbered.get(position, -1) + 1
        made.append(_view(minutiae, position, numbered[position]))
    return FingerRecord(tuple(made), (size[0], size[1]))


def minutiae_of(record: FingerRecord, index: int = 0) -> Minutiae:
    """What one view holds, at 500 dpi: 197 pixels per cm are taken as 500 dpi, others are scaled."""
    view = record.views[index]
    scale = np.array([500.0 / round(per_cm * 2.54) for per_cm in record.resolution])
    score = np.where(view.quality > 0, view.quality / _BEST_QUALITY, _UNREPORTED_SCORE)
    width, height = (math.ceil(float(value) - 1e-6) for value in np.array(record.size) * scale)  # no place lies beyond
    return Minutiae(
        xy=(view.xy * scale).astype(np.float32),
        angle=(view.angle * (2 * math.pi / _PER_TURN)).astype(np.float32),
        kind=view.kind.astype(np.uint8),
        score=score.astype(np.float32),
        size=(width, height),
    )


def read_nbis_record(content: bytes) -> FingerRecord:
    """A record as nbis-py 0.1 writes it, which deviates from the standard: no resolution, a count of views that is 0,
    two bytes instead of a view's four (quality and count), no extended data, qualities of at most 63.

    Raises TemplateError if ``content`` is not exactly that. Its pictures are taken to be of 500 dpi.
    """
    if len(content) >= _NBIS_HEAD:
        magic, version, length, device, width, height, *zeros = _HEAD.unpack_from(content)
        quality, count = content[_HEAD.size], content[_HEAD.size + 1]
        whole = length == len(content) == _NBIS_HEAD + count * _MINUTIA.itemsize
        if magic == _MAGIC and version == _VERSION and whole and width and height and not any(zeros):
            fields = _fields(content, _NBIS_HEAD, count, (width, height), 1)
            return FingerRecord(
                (FingerView(*fields, finger_quality=min(quality, 100)),), (width, height), device=device
            )
    raise TemplateError("The file is not a finger minutiae record as nbis-py writes it.")


def _read_view(content: bytes, place: int, number: int, size: tuple[int, int]) -> tuple[FingerView, int]:
    if place + _VIEW.size > len(content):
        raise TemplateError(f"The record ends before its finger view {number}.")
    position, view_and_impression, quality, count = _VIEW.unpack_from(content, place)
    start, place = place + _VIEW.size, place + _VIEW.size + count * _MINUTIA.itemsize
    if place + _EXTENDED.size > len(content):
        raise TemplateError(f"The record ends within the {count} minutiae of finger view {number}.")
    (length,) = _EXTENDED.unpack_from(content, place)
    place += _EXTENDED.size
    if place + length > len(content):
        raise TemplateError(f"The record ends within the extended data of finger view {number}.")
    if position > max(FingerPosition):
        raise TemplateError(f"Finger view {number} is of a finger that does not exist (position {position}).")
    if quality > _BEST_QUALITY:
        raise TemplateError(f"Finger view {number} has a quality of {quality}, more than 100.")
    view = FingerView(
        *_fields(content, start, count, size, number),
        FingerPosition(position),
        view_and_impression >> 4,
        view_and_impression & 0xF,
        quality,
        content[place : place + length],
    )
    return view, place + length


def _fields(
    content: bytes, start: int, count: int, size: tuple[int, int], number: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Places, angles, kinds and qualities of the minutiae at ``start``."""
    rows = np.frombuffer(content, _MINUTIA, count, start)
    kind, x = np.divmod(rows["x"].astype(np.int64), 1 << _PLACE_BITS)
    reserved, y = np.divmod(rows["y"].astype(np.int64), 1 << _PLACE_BITS)
    if (kind > 2).any() or reserved.any():
        raise TemplateError(f"Finger view {number} holds a minutia of a kind that the standard does not know.")
    if (x > size[0]).any() or (y > size[1]).any():  # some writers count pixels from 1
        raise TemplateError(
            f"Finger view {number} holds a minutia outside its picture of {size[0]} × {size[1]} pixels."
        )
    if (rows["quality"] > _BEST_QUALITY).any():
        raise TemplateError(f"Finger view {number} holds a minutia with a quality above 100.")
    return np.stack([x, y], axis=1), rows["angle"].astype(np.int64), kind, rows["quality"].astype(np.int64)


def _view_bytes(view: FingerView, size: tuple[int, int]) -> bytes:
    count = len(view.xy)
    if count > MAX_MINUTIAE:
        raise TemplateError(f"A finger view holds at most {MAX_MINUTIAE} minutiae, not {count}.")
    limits = np.minimum(np.array(size), MAX_PLACE + 1)
    if count and (view.xy.min() < 0 or (view.xy >= limits).any()):
        raise TemplateError(f"A minutia outside its picture, or beyond pixel {MAX_PLACE}, cannot be written.")
    if not _all_within((view.angle, _PER_TURN - 1), (view.kind, 2), (view.quality, _BEST_QUALITY)):
        raise TemplateError(
            "A minutia with an angle, kind or quality that the standard does not know cannot be written."
        )
    codes = (
        (view.number, 15),
        (view.impression, 15),
        (view.finger_quality, _BEST_QUALITY),
        (len(view.extended), 0xFFFF),
    )
    if not all(0 <= code <= most for code, most in codes):
        raise TemplateError("A view number, impression or quality that the standard does not know cannot be written.")
    rows = np.zeros(count, _MINUTIA)
    rows["x"], rows["y"] = view.xy[:, 0] | view.kind << _PLACE_BITS, view.xy[:, 1]
    rows["angle"], rows["quality"] = view.angle, view.quality
    head = _VIEW.pack(int(view.position), view.number << 4 | view.impression, view.finger_quality, count)
    return head + rows.tobytes() + _EXTENDED.pack(len(view.extended)) + view.extended


def _all_within(*limits: tuple[NDArray[Any], int]) -> bool:
    return all(((values >= 0) & (values <= most)).all() for values, most in limits)


def _view(minutiae: Minutiae, position: FingerPosition, number: int) -> FingerView:
    if not (np.isfinite(minutiae.xy).all() and np.isfinite(minutiae.angle).all() and np.isfinite(minutiae.score).all()):
        raise TemplateError("A minutia without a finite place, direction and score cannot be written.")
    best = np.sort(np.argsort(-minutiae.score, kind="stable")[:MAX_MINUTIAE])
    score = np.rint(np.clip(minutiae.score[best], 0, 1) * _BEST_QUALITY).astype(np.int64)
    turns = minutiae.angle[best].astype(np.float64) / (2 * math.pi)
    finger_quality = round(float(np.mean(score))) if len(score) else 0
    return FingerView(
        # a place in the last half pixel would round to one outside
        np.minimum(np.rint(minutiae.xy[best]).astype(np.int64), np.array(minutiae.size) - 1),
        np.rint(turns * _PER_TURN).astype(np.int64) % _PER_TURN,
        minutiae.kind[best].astype(np.int64),
        np.maximum(score, 1),
        position,
        number,
        finger_quality=finger_quality,
    )
