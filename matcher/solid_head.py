"""The witness ``solid_head``: a head moves as a solid, a photograph as a plane. Owns the verdict on the geometry.

Passes when the nose ran ahead of the plane of eyes and mouth while the jaw fell back, in enough frames and in at least
two directions. Fails when the face grew narrow or low as a turned plane does and the nose stayed in that plane. Anything
else is undecided, which is what doing nothing is. Refuses to know what was asked (``matcher.obedience``) and identity.

Limits were set on photographs of people in many poses (solid), printed photographs moved by hand (plane) and people at
a webcam (rest).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matcher.head_track import HeadTrack, Tracked
from matcher.parallax import NOSE_HEIGHT, Parallax
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array


@dataclass(frozen=True, slots=True)
class SolidLimits:
    """Lengths in eye distances; the first of each pair is sideways, the second up and down."""

    nose: tuple[float, float] = (0.10, 0.075)
    agreement: float = 0.6  # as much of it the other detector must see; 19 of 20 real turned heads reach it
    jaw: tuple[float, float] = (0.05, 0.03)  # falls back at least so far
    misfit: float = 0.09
    frames: int = 2  # in a row
    directions: int = 2
    narrow: float = 0.88  # a plane turned by 28 degrees
    solid_share: float = 0.6  # of the parallax that a head as narrow as this shows; 24 of 25 real turned heads do
    plane_share: float = 0.35  # of the parallax that a head turned so far would show
    plane_frames: int = 5


class SolidHead:
    """Watches the points of one head track. Not safe across threads."""

    name = "solid_head"

    def __init__(self, track: HeadTrack, *, limits: SolidLimits | None = None) -> None:
        self._track, self._limits = track, limits or SolidLimits()
        self._epoch = 0
        self._failed = False
        self._forget()

    def _forget(self) -> None:
        self._directions: set[tuple[int, int]] = set()
        self._row = self._flat = self._solid = 0
        self._last: tuple[int, int] | None = None

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """See one frame."""
        tracked = self._track.see(pixels, face, t_s)
        if tracked is not None:
            self.follow(tracked)

    def follow(self, tracked: Tracked) -> None:
        """``observe`` for a frame of the track."""
        if tracked.epoch != self._epoch:
            self._epoch = tracked.epoch
            self._forget()
        if tracked.moved is None or self._failed:
            return
        self._flat = self._flat + 1 if self._as_plane(tracked.moved) else 0
        self._failed = self._flat >= self._limits.plane_frames
        direction = self._as_solid(tracked.moved)
        self._row = self._row + 1 if direction is not None and direction == self._last else int(direction is not None)
        self._last = direction
        self._solid += direction is not None
        if direction is not None and self._row >= self._limits.frames:
            self._directions.add(direction)

    def verdict(self) -> PresentationEvidence:
        """Passed, failed or undecided, with the frames that looked solid or flat."""
        verdict = WitnessVerdict.UNDECIDED
        if self._failed:
            verdict = WitnessVerdict.FAILED
        elif len(self._directions) >= self._limits.directions:
            verdict = WitnessVerdict.PASSED
        measures = {
            "frames": float(self._track.frames),
            "solid_frames": float(self._solid),
            "solid_directions": float(len(self._directions)),
            "plane_frames": float(self._flat),
        }
        return PresentationEvidence(self.name, verdict, measures)

    def _as_solid(self, moved: Parallax) -> tuple[int, int] | None:
        """The direction in which nose (twice) and jaw went apart as those of a head, in the picture; None if none."""
        limits = self._limits
        if moved.misfit > limits.misfit:
            return None
        axis = int(abs(moved.nose[1]) > abs(moved.nose[0]))
        nose, again, jaw = moved.nose[axis], moved.nose_again[axis], moved.jaw[axis]
        sign = 1.0 if nose > 0 else -1.0
        if sign * nose < limits.nose[axis] or sign * again < max(0.8 * limits.nose[axis], limits.agreement * sign * nose):
            return None
        if -sign * jaw < limits.jaw[axis]:
            return None
        if axis == 0 and min(abs(nose), abs(again)) < limits.solid_share * expected(moved.narrowing):
            return None
        return (axis, int(sign))

    def _as_plane(self, moved: Parallax) -> bool:
        """Whether the face is as narrow as a turned one and nothing left its plane."""
        if moved.narrowing >= self._limits.narrow:
            return False
        allowed = self._limits.plane_share * expected(moved.narrowing)
        return max(abs(moved.nose[0]), abs(moved.nose_again[0]) * 0.8, abs(moved.jaw[0]) * 0.6) < allowed


def expected(narrowing: float) -> float:
    """The nose's parallax on a head that turned until its face was so narrow."""
    return NOSE_HEIGHT * float(np.sin(np.arccos(np.clip(narrowing, 0.0, 1.0))))
