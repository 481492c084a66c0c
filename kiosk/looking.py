"""One frame looked at, and one head followed through many. Owns who stands at the kiosk, and whether still the same.

Refuses to judge a presentation or an identity. A place is a weak sign: a photograph can be lowered, or raised, before
one and the same chest. Whoever compares a template after a presentation check binds it to the head that passed, too.
"""

from __future__ import annotations

from dataclasses import dataclass

from hardware.ports import Frame
from matcher.ports import DetectedFace, FaceEngine, Quality
from matcher.quality import face_quality
from models.errors import RetryReason

_LARGER_BY = 2.0  # a face this much larger than the next (area) is the one that stands at the kiosk
_SAME_FACE_OVERLAP = 0.25
_LOST_NS = 1_000_000_000  # after this long without the face nobody knows whether it is the same one


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One frame, looked at: the face in it, how good it is, and what to do about it."""

    frame: Frame
    face: DetectedFace | None
    quality: Quality | None
    hint: str | None
    taken_ns: int | None = None  # when the frame was handed over, by the visit's clock

    @property
    def good(self) -> bool:
        """Whether a template may be made of it."""
        return self.face is not None and self.hint is None


def look(engine: FaceEngine, frame: Frame) -> Look:
    """Find the face that stands at the kiosk in a frame."""
    faces = engine.detect(frame.pixels)
    if not faces:
        return Look(frame, None, None, RetryReason.NO_FACE.value)
    if len(faces) > 1 and _area(faces[0]) < _LARGER_BY * _area(faces[1]):
        return Look(frame, None, None, RetryReason.SEVERAL_FACES.value)
    quality = face_quality(frame.pixels, faces[0])
    return Look(frame, faces[0], quality, quality.hints[0] if quality.hints else None)


def _area(face: DetectedFace) -> float:
    return face.box[2] * face.box[3]


def same_place(one: DetectedFace, other: DetectedFace) -> bool:
    """Whether two boxes of following frames can be one head (intersection over union)."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right = min(one.box[0] + one.box[2], other.box[0] + other.box[2])
    bottom = min(one.box[1] + one.box[3], other.box[1] + other.box[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    return shared >= _SAME_FACE_OVERLAP * (_area(one) + _area(other) - shared)


class Head:
    """One head, followed from frame to frame, with its ``most`` best frames. Begins with nobody."""

    def __init__(self, *, most: int) -> None:
        self._most = most
        self._best: list[Look] = []
        self._face: DetectedFace | None = None
        self._seen_ns = 0
        self.last: Look | None = None

    def follow(self, seen: Look) -> bool:
        """Take a frame with a face in it; False if nobody can say that it is the head of the frame before: it is
        elsewhere, or comes after a longer while without a face. What was seen until then says nothing about it.
        """
        if seen.face is None:
            return True
        if self._face is not None and seen.frame.monotonic_ns - self._seen_ns > _LOST_NS:
            return False
        if self._face is not None and not same_place(self._face, seen.face):
            return False
        self._face, self._seen_ns, self.last = seen.face, seen.frame.monotonic_ns, seen
        if seen.good:
            self._best = sorted([*self._best, seen], key=_quality, reverse=True)[: self._most]
        return True

    @property
    def best(self) -> tuple[Look, ...]:
        """The best good frames of this head, the best one first."""
        return tuple(self._best)


def _quality(seen: Look) -> float:
    return seen.quality.value if seen.quality else 0.0
