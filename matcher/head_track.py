"""One head from frame to frame: at rest first, then how its points moved. Owns a visit's landmarks, judges nothing.

Several witnesses look at one track, so that the points of a frame are located, and its patches found again, once. Where
the patches are found they say how far the head turned, and which way: they err by a third to a half as much as the 68
points, and keep still behind glasses, where those flicker. A head that jumps, or is away for
longer than ``gap_s``, begins a new epoch: what was seen before says nothing about what is seen now.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from matcher.parallax import Parallax, Points, asymmetry, center, eye_distance, mean_points, measure, turned_deg
from matcher.ports import DetectedFace
from matcher.relief import FaceAtRest, Heights
from models.biometrics import Float32Array, UInt8Array

Shift = tuple[float, float]  # eye distances along the face's axes


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

    ``heights`` is what the patches say, None where they were not found. ``turned_deg`` is what the parallax of the
    patches, or else of the points, says of yaw and pitch; ``again`` the second detector's nose, the mean of the last
    frames because one alone is noisy.
    """

    t_s: float
    points: Points
    epoch: int
    moved: Parallax | None = None
    turned_deg: tuple[float, float] = (0.0, 0.0)
    again: tuple[float, float] = (0.0, 0.0)
    heights: Heights | None = None


class HeadTrack:
    """Follows one head. Not safe across threads."""

    def __init__(self, points: LocatesPoints, *, limits: TrackLimits | None = None) -> None:
        self._points, self.limits = points, limits or TrackLimits()
        self.epoch = 0
        self.reference: Points | None = None
        self.frames = 0
        self._rest: list[Points] = []
        self._at_rest: FaceAtRest | None = None
        self._last: tuple[Points, float] | None = None
        self._before: tuple[Shift, Shift | None, float] | None = None  # the nose: of points, of patches, and when
        self._again: list[tuple[float, float]] = []
        self._newest: Tracked | None = None

    def see(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> Tracked | None:
        """The frame at ``t_s``, located once whoever asks; None if it is not new or the face is too small."""
        if self._newest is not None and t_s <= self._newest.t_s:
            return self._newest if t_s == self._newest.t_s else None
        return self.add(Points(face.landmarks, self._points.locate(pixels, face)), t_s, pixels=pixels)

    def add(self, seen: Points, t_s: float, *, pixels: UInt8Array | None = None) -> Tracked | None:
        """``see`` for a face whose points are known; without ``pixels`` the points alone are heard."""
        if eye_distance(seen) < self.limits.smallest_eye_px:
            return None
        self.frames += 1
        if not self._follows(seen, t_s):
            self._forget()
        self._last = (seen, t_s)
        if self.reference is None:
            self._begin_rest(seen, pixels)
            self._newest = Tracked(t_s, seen, self.epoch)
        else:
            self._newest = self._measured(seen, t_s, measure(self.reference, seen), self._found(seen, pixels))
        return self._newest

    def _found(self, seen: Points, pixels: UInt8Array | None) -> Heights | None:
        if self._at_rest is None or pixels is None:
            return None
        return self._at_rest.heights(pixels, seen)

    def _measured(self, seen: Points, t_s: float, moved: Parallax, heights: Heights | None) -> Tracked:
        patches = None if heights is None else heights.nose
        if self._jumped(moved.nose, patches, t_s):
            self._forget()
            return Tracked(t_s, seen, self.epoch)
        self._before = (moved.nose, patches, t_s)
        self._again = [*self._again, moved.nose_again][-self.limits.again_frames :]
        again = np.mean(self._again, axis=0)
        turned = turned_deg(moved) if heights is None else heights.turned_deg
        return Tracked(t_s, seen, self.epoch, moved, turned, (float(again[0]), float(again[1])), heights)

    def _forget(self) -> None:
        self.epoch += 1
        self._rest, self._again = [], []
        self.reference = self._last = self._before = self._at_rest = None

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

    def _begin_rest(self, seen: Points, pixels: UInt8Array | None) -> None:
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
            self._at_rest = None if pixels is None else FaceAtRest(pixels, self.reference)

    def _jumped(self, nose: Shift, patches: Shift | None, t_s: float) -> bool:
        """Whether the nose is elsewhere at once: to the points and, where patches were found twice, to them as well."""
        if self._before is None:
            return False
        points_before, patches_before, before_s = self._before
        farthest = self.limits.step + self.limits.speed * (t_s - before_s)
        if math.hypot(nose[0] - points_before[0], nose[1] - points_before[1]) <= farthest:
            return False
        if patches is None or patches_before is None:
            return True
        return math.hypot(patches[0] - patches_before[0], patches[1] - patches_before[1]) > farthest
