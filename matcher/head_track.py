"""One head from frame to frame: at rest first, then how its points moved. Owns a visit's landmarks, judges nothing.

Several witnesses look at one track, so that the points of a frame are located, and its patches found again, once. Where
the patches are found they say how far the head turned, and which way: they err by a third to a half as much as the 68
points, and keep still behind glasses, where those flicker. A head that jumps, or is away for
longer than ``gap_s``, begins a new epoch: what was seen before says nothing about what is seen now, but where the front
of this face is. That is known best from before anything was asked: later a head rests where it was sent.
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

_SURE_DEG, _LENGTHENED = 2.0, 1.5
Shift = tuple[float, float]  # eye distances along the face's axes


@dataclass(frozen=True, slots=True)
class TrackLimits:
    """Lengths in eye distances, times in seconds."""

    smallest_eye_px: float = 18.0
    rest_frames: int = 3  # the face from the front, before it moves
    rest_parallax: float = 0.045  # within the whole rest
    rest_s: float = 0.12  # at least: a fast camera sees little of a step
    rest_growth: float = 0.06  # likewise of the eyes' distance (logarithm): who still walks up is not at rest
    rest_asymmetry: float = 0.15  # looks at the camera first; people at a webcam stay below 0.12 in 99 of 100 frames
    settles_s: float = 0.3  # so long a rest goes on after it was found: nobody obeys a first prompt faster
    settles_parallax: float = 0.03
    settles_narrowing: float = 0.10  # a logarithm: a plane that turns shows no parallax
    front_deg: float = 7.0  # so near to the front as it was known before, a rest may begin anew
    front_still_deg: float = 3.0  # and keeps still there
    front_s: float = 0.25
    front_wait_s: float = 4.0  # after that, whatever keeps still for ``rest_again_s`` is a new front
    rest_again_s: float = 0.5
    told_s: float = 0.4  # so long the last turn that patches told is held on to while they are lost
    unlike: float = 0.35  # how far patches and points may disagree on how narrow the face grew (logarithm)
    farthest_tip: float = 0.30  # eye distances: no nose runs further ahead while patches can be followed
    step: float = 0.12  # a jump of the nose between two frames that no head makes
    speed: float = 1.6  # further eye distances per second that a quick head makes
    gap_s: float = 1.0
    again_frames: int = 3


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """A face at rest and from the front: its points, and its patches where there was a picture."""

    points: Points
    patches: FaceAtRest | None


class LocatesPoints(Protocol):
    """Finds 68 points: ``matcher.face_points.FacePoints``."""

    def locate(self, pixels: UInt8Array, face: DetectedFace) -> Float32Array:
        """(68, 2) float32 points in pixels."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Tracked:
    """One frame of the track. ``moved`` is against the head at rest, None as long as that is not known.

    ``heights`` is what the patches say, None where they were not found. ``turned_deg`` is yaw and pitch: the way is the
    patches', how far is lengthened by the points; ``held``: patches are lost, and it is what they told a moment ago;
    after that it is what the points say. ``again`` is the second detector's nose, the mean of the last frames because
    one alone is noisy.
    """

    t_s: float
    points: Points
    epoch: int
    moved: Parallax | None = None
    turned_deg: tuple[float, float] = (0.0, 0.0)
    again: tuple[float, float] = (0.0, 0.0)
    heights: Heights | None = None
    held: bool = False


class HeadTrack:
    """Follows one head. ``prompted``: it may rest where an earlier try sent it. Not safe across threads."""

    def __init__(self, points: LocatesPoints, *, limits: TrackLimits | None = None, prompted: bool = False) -> None:
        self._points, self.limits, self._prompted = points, limits or TrackLimits(), prompted
        self.epoch = 0
        self.front: Front | None = None
        self.frames = 0
        self._followed: Front | None = None
        self._rest: list[tuple[Points, float]] = []
        self._settled_s = -math.inf
        self._near: list[tuple[tuple[float, float], float]] = []
        self._away_s: float | None = None  # since when the known front is looked for
        self._last: tuple[Points, float] | None = None
        self._before: tuple[Shift, Shift | None, float] | None = None  # the nose: of points, of patches, and when
        self._told: tuple[tuple[float, float], float] | None = None  # the last turn that patches told, and when
        self._again: list[tuple[float, float]] = []
        self._newest: Tracked | None = None

    @property
    def reference(self) -> Points | None:
        """The points at rest that movements are told against; None until they are known."""
        return None if self._followed is None else self._followed.points

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
            self.front = None  # it may be another head's
        self._last = (seen, t_s)
        if self._followed is None:
            self._begin(seen, t_s, pixels)
            self._newest = Tracked(t_s, seen, self.epoch)
        else:
            self._settle(seen, t_s, pixels)
            moved = measure(self._followed.points, seen)
            self._newest = self._measured(seen, t_s, moved, self._found(self._followed, moved, seen, pixels))
        return self._newest

    def _found(self, front: Front, moved: Parallax, seen: Points, pixels: UInt8Array | None) -> Heights | None:
        """What the patches say; None where they were not found, or in the wrong places, as at the far end of a turn.

        A face that turned by so much grew narrow, or low, by so much: what both detectors see otherwise is no turn.
        """
        heights = None if front.patches is None or pixels is None else front.patches.heights(pixels, seen)
        if heights is None or heights.tip > self.limits.farthest_tip:
            return None
        yaw, pitch = (math.radians(angle) for angle in heights.turned_deg)
        grown = math.log(max(math.cos(yaw), 0.1) / max(math.cos(pitch), 0.1))
        apart = [grown - math.log(max(narrowing, 0.1)) for narrowing in (moved.narrowing, moved.narrowing_again)]
        alike = apart[0] * apart[1] <= 0.0 or min(map(abs, apart)) <= self.limits.unlike
        return heights if alike else None

    def _measured(self, seen: Points, t_s: float, moved: Parallax, heights: Heights | None) -> Tracked:
        patches = None if heights is None else heights.nose
        if self._jumped(moved.nose, patches, t_s):
            self._forget()
            return Tracked(t_s, seen, self.epoch)
        self._before = (moved.nose, patches, t_s)
        self._again = [*self._again, moved.nose_again][-self.limits.again_frames :]
        again = np.mean(self._again, axis=0)
        turned, held = self._turned(moved, heights, t_s)
        return Tracked(t_s, seen, self.epoch, moved, turned, (float(again[0]), float(again[1])), heights, held)

    def _turned(self, moved: Parallax, heights: Heights | None, t_s: float) -> tuple[tuple[float, float], bool]:
        """Yaw and pitch by the patches; while they are lost for a moment as they last were; else by the points."""
        if heights is not None:
            self._told = (_as_far(heights.turned_deg, turned_deg(moved)), t_s)
            return self._told[0], False
        if self._told is not None and t_s - self._told[1] <= self.limits.told_s:
            return self._told[0], True
        return turned_deg(moved), False

    def _forget(self) -> None:
        self.epoch += 1
        self._rest, self._near, self._again = [], [], []
        self._followed = self._last = self._before = self._away_s = self._told = None
        self._settled_s = -math.inf

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

    def _begin(self, seen: Points, t_s: float, pixels: UInt8Array | None) -> None:
        """Wait for the face to rest and to look here, as the front is known from before, or as it seems to be."""
        if self.front is None:
            may_be_turned = self._prompted or self.epoch > 0
            self._begin_rest(seen, t_s, pixels, long_s=self.limits.rest_again_s if may_be_turned else 0.0)
            return
        self._away_s = t_s if self._away_s is None else self._away_s
        if t_s - self._away_s > self.limits.front_wait_s:  # another face, or what was known was no front
            self._begin_rest(seen, t_s, pixels, long_s=self.limits.rest_again_s)
            return
        moved = measure(self.front.points, seen)
        heights = self._found(self.front, moved, seen, pixels)
        turned = turned_deg(moved) if heights is None else heights.turned_deg
        if math.hypot(*turned) > self.limits.front_deg:
            self._near.clear()
            return
        while self._near and math.dist(self._near[0][0], turned) > self.limits.front_still_deg:
            self._near.pop(0)
        self._near.append((turned, t_s))
        if t_s - self._near[0][1] >= self.limits.front_s:
            self._followed = self.front

    def _begin_rest(self, seen: Points, t_s: float, pixels: UInt8Array | None, *, long_s: float) -> None:
        """Collect frames that show the face at rest and from the front; a movement that already goes on is none."""
        limits = self.limits
        if abs(asymmetry(seen)) > limits.rest_asymmetry:
            self._rest.clear()
            return
        while self._rest and not self._still(self._rest[0][0], seen):
            self._rest.pop(0)
        self._rest.append((seen, t_s))
        if len(self._rest) >= limits.rest_frames and t_s - self._rest[0][1] >= max(long_s, limits.rest_s):
            self._take_front(pixels)
            self._settled_s = t_s + limits.settles_s

    def _still(self, before: Points, seen: Points) -> bool:
        grown = abs(math.log(eye_distance(seen) / max(eye_distance(before), 1e-6)))
        moved = float(np.abs(measure(before, seen).nose).max())
        return moved <= self.limits.rest_parallax and grown <= self.limits.rest_growth

    def _settle(self, seen: Points, t_s: float, pixels: UInt8Array | None) -> None:
        """Take the front anew from whoever still comes a little nearer: what is nearer is seen better."""
        if t_s > self._settled_s or self._followed is None:
            return
        moved = measure(self._followed.points, seen)
        narrowed = max(abs(math.log(max(n, 0.1))) for n in (moved.narrowing, moved.narrowing_again))
        if float(np.abs(moved.nose).max()) > self.limits.settles_parallax or narrowed > self.limits.settles_narrowing:
            self._settled_s = t_s
            return
        self._rest.append((seen, t_s))
        self._take_front(pixels)

    def _take_front(self, pixels: UInt8Array | None) -> None:
        """What the last frames of the rest show is the front; ``pixels`` is the picture of the newest of them."""
        self._rest = self._rest[-self.limits.rest_frames :]
        rest = mean_points([points for points, _ in self._rest])
        self._followed = self.front = Front(rest, None if pixels is None else FaceAtRest(pixels, rest))

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


def _as_far(patches: tuple[float, float], points: tuple[float, float]) -> tuple[float, float]:
    """The patches' way, and how far both say it goes: patches of some noses lag behind, above all in a nod.

    Points see a head in bent paper, too: they may lengthen what the patches say by half, and nothing out of nothing.
    """
    far = math.hypot(*patches)
    if far < _SURE_DEG:
        return patches
    along = (patches[0] * points[0] + patches[1] * points[1]) / far
    share = min(max((far + along) / (2 * far), 1.0), _LENGTHENED)
    return share * patches[0], share * patches[1]
