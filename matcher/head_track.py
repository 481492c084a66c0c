"""One head from frame to frame: at rest first, then how its points moved. Owns a visit's landmarks, judges nothing.

Several witnesses look at one track, so that the points of a frame are located once. A head that jumps, or is away for
longer than ``gap_s``, begins a new epoch: what was seen before says nothing about what is seen now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from matcher.parallax import Parallax, Points, asymmetry, center, eye_distance, mean_points, measure, turned_deg
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, UInt8Array


@dataclass(frozen=True, slots=True)
class TrackLimits:
    """Lengths in eye distances, times in seconds."""

    smallest_eye_px: float = 18.0
    rest_frames: int = 3  # the face from the front, before it moves
    rest_parallax: float = 0.045
    rest_asymmetry: float = 0.20  # looks at the camera first; people at a webcam stay below 0.12 in 99 of 100 frames
    step: float = 0.12  # a jump of the nose between two frames that no head makes
    speed: float = 1.6  # further eye distances per second that a quick head makes
    gap_s: float = 1.0
    again_frames: int = 3


class LocatesPoints(Protocol):
    """Finds 68 points: ``matcher.face_points.FacePoints``."""

    def locate(self, pixels: UInt8Array, face: DetectedFace) -> Float32Array:
        """(68, 2) float32 points in pixels."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """One frame of the track. ``moved`` is against the head at rest, None as long as that is not known.

    ``turned_deg`` is what the parallax says of yaw and pitch; ``again`` the second detector's nose, the mean of the
    last frames because one alone is noisy.
    """

    t_s: float
    points: Points
    epoch: int
    moved: Parallax | None = None
    turned_deg: tuple[float, float] = (0.0, 0.0)
    again: tuple[float, float] = (0.0, 0.0)


class HeadTrack:
    """Follows one head. Not safe across threads."""

    def __init__(self, points: LocatesPoints, *, limits: TrackLimits | None = None) -> None:
        self._points, self.limits = points, limits or TrackLimits()
        self.epoch = 0
        self.reference: Points | None = None
        self.frames = 0
        self._rest: list[Points] = []
        self._last: tuple[Points, float] | None = None
        self._before: tuple[tuple[float, float], float] | None = None  # the nose's parallax and when
        self._again: list[tuple[float, float]] = []
        self._newest: Tracked | None = None

    def see(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> Tracked | None:
        """The frame at ``t_s``, located once whoever asks; None if it is not new or the face is too small."""
        if self._newest is not None and t_s <= self._newest.t_s:
            return self._newest if t_s == self._newest.t_s else None
        return self.add(Points(face.landmarks, self._points.locate(pixels, face)), t_s)

    def add(self, seen: Points, t_s: float) -> Tracked | None:
        """``see`` for a face whose points are known."""
        if eye_distance(seen) < self.limits.smallest_eye_px:
            return None
        self.frames += 1
        if not self._follows(seen, t_s):
            self._forget()
        self._last = (seen, t_s)
        if self.reference is None:
            self._begin_rest(seen)
            self._newest = Tracked(t_s, seen, self.epoch)
        else:
            self._newest = self._measured(seen, t_s, measure(self.reference, seen))
        return self._newest

    def _measured(self, seen: Points, t_s: float, moved: Parallax) -> Tracked:
        if self._jumped(moved, t_s):
            self._forget()
            return Tracked(t_s, seen, self.epoch)
        self._before = (moved.nose, t_s)
        self._again = [*self._again, moved.nose_again][-self.limits.again_frames :]
        again = np.mean(self._again, axis=0)
        return Tracked(t_s, seen, self.epoch, moved, turned_deg(moved), (float(again[0]), float(again[1])))

    def _forget(self) -> None:
        self.epoch += 1
        self._rest, self._again = [], []
        self.reference = self._last = self._before = None

    def _follows(self, seen: Points, t_s: float) -> bool:
        """Whether this face can be the one of the frame before: no jump in place, size or turn, and no long gap."""
        if self._last is None:
            return True
        before, before_s = self._last
        passed_s = t_s - before_s
        scale = eye_distance(before)
        leap = float(np.linalg.norm(center(seen) - center(before))) / scale
        growth = abs(np.log(max(eye_distance(seen), 1e-3) / max(scale, 1e-3)))
        return passed_s <= self.limits.gap_s and leap <= 0.5 + 6.0 * passed_s and bool(growth <= 0.25 + passed_s)

    def _begin_rest(self, seen: Points) -> None:
        """Collect frames that show the face at rest and from the front; a movement that already goes on is none."""
        limits = self.limits
        if abs(asymmetry(seen)) > limits.rest_asymmetry:
            self._rest.clear()
            return
        if self._rest and float(np.abs(measure(self._rest[-1], seen).nose).max()) > limits.rest_parallax:
            self._rest.clear()
        self._rest.append(seen)
        if len(self._rest) == limits.rest_frames:
            self.reference = mean_points(self._rest)

    def _jumped(self, moved: Parallax, t_s: float) -> bool:
        if self._before is None:
            return False
        nose, before_s = self._before
        far = float(np.hypot(moved.nose[0] - nose[0], moved.nose[1] - nose[1]))
        return far > self.limits.step + self.limits.speed * (t_s - before_s)
