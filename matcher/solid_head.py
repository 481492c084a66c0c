"""The witness ``solid_head``: a head moves as a solid, a photograph as a plane. Owns the verdict on the geometry.

Passes when the nose ran ahead of the plane of eyes and mouth while the jaw fell back, in two directions, or for long in
one. Fails when the face grew narrow or low as a turned plane does and the nose stayed in that plane, to both detectors
and to the patches, in fifteen pictures, five of them in a row, and in more than looked solid or in which patches saw it
turn: points err, at the far end of a turn they err together, and of whoever still walks up the front was taken too
soon. Whatever looked flat several times in a row must look solid in more pictures than it looked flat before it passes.
Anything else is undecided, which is what doing nothing is. Refuses to know what was asked (``matcher.obedience``) and
who it is.

Limits were set on photographs of people in many poses (solid), printed photographs moved by hand (plane) and people at
a webcam (rest).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from matcher.head_track import HeadTrack, Tracked
from matcher.parallax import NOSE_HEIGHT, Parallax, plane_again_deg, plane_deg, turned_deg
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array


@dataclass(frozen=True, slots=True)
class SolidLimits:
    """Angles in degrees as the parallax tells them, lengths in eye distances; pairs are sideways, up and down."""

    turned_deg: tuple[float, float] = (8.0, 7.0)
    nose: tuple[float, float] = (0.045, 0.040)  # the nose ran ahead
    jaw: tuple[float, float] = (0.030, 0.025)  # and the jaw fell back
    again: tuple[float, float] = (0.020, -0.015)  # as the second detector sees the nose
    misfit: float = 0.09
    frames: int = 2  # in a row
    ways: int = 2  # of which one at least is sideways
    one_way_frames: int = 12  # so many in a row in one direction sideways say as much
    solid_share: float = 0.55  # of the angle that the plane of the face shows
    plane_deg: tuple[float, float] = (27.0, 33.0)  # so far the plane must have turned to be called one
    plane_again_deg: float = 15.0  # as the second detector sees it: glasses make one of them wrong, seldom both
    plane_share: float = 0.35  # of that angle, as much parallax at most, as either detector sees it
    plane_misfit: float = 0.03  # points that do not fit are no evidence
    plane_frames: int = 5  # in a row
    plane_frames_in_all: int = 15


Way = tuple[int, int]  # axis (0 sideways, 1 up and down) and sign, in the picture


class SolidHead:
    """Watches the points of one head track. Not safe across threads."""

    name = "solid_head"

    def __init__(self, track: HeadTrack, *, limits: SolidLimits | None = None) -> None:
        self._track, self._limits = track, limits or SolidLimits()
        self._epoch = 0
        self._failed = False
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[Way, int] = {}
        self._longest: dict[Way, int] = {}
        self._flat = self._flattest = self._flat_frames = self._solid = self._turned = 0

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
        if tracked.moved is None or tracked.held or self._failed:
            return
        flat = self._as_plane(tracked, tracked.moved)
        self._flat = self._flat + 1 if flat else 0
        self._flat_frames += flat
        self._flattest = max(self._flat, self._flattest)
        self._turned += tracked.heights is not None and self._far(tracked.heights.turned_deg)
        longer = self._flat_frames > max(self._solid, self._turned)
        self._failed = self._looked_flat() and self._flat_frames >= self._limits.plane_frames_in_all and longer
        solid = [way for axis in (0, 1) if (way := self._as_solid(tracked, tracked.moved, axis)) is not None]
        self._solid += bool(solid)
        self._rows = {way: self._rows.get(way, 0) + 1 for way in solid}
        self._longest |= {way: max(frames, self._longest.get(way, 0)) for way, frames in self._rows.items()}

    def verdict(self) -> PresentationEvidence:
        """Passed, failed or undecided, with the frames that looked solid or flat."""
        verdict = WitnessVerdict.UNDECIDED
        if self._failed:
            verdict = WitnessVerdict.FAILED
        elif self._seen_enough():
            verdict = WitnessVerdict.PASSED
        measures = {
            "frames": float(self._track.frames),
            "solid_frames": float(self._solid),
            "solid_ways": float(len(self._ways())),
            "plane_frames": float(self._flattest),
            "plane_frames_in_all": float(self._flat_frames),
        }
        return PresentationEvidence(self.name, verdict, measures)

    def _far(self, turned: tuple[float, float]) -> bool:
        return any(abs(turn) >= far for turn, far in zip(turned, self._limits.turned_deg, strict=True))

    def _ways(self) -> list[Way]:
        return [way for way, frames in self._longest.items() if frames >= self._limits.frames]

    def _looked_flat(self) -> bool:
        return self._flattest >= self._limits.plane_frames

    def _seen_enough(self) -> bool:
        if self._looked_flat() and self._solid <= self._flat_frames:
            return False
        ways = self._ways()
        sideways = [way for way in ways if way[0] == 0]
        if len(ways) >= self._limits.ways and sideways:
            return True
        return any(self._longest[way] >= self._limits.one_way_frames for way in sideways)

    def _as_solid(self, tracked: Tracked, moved: Parallax, axis: int) -> Way | None:
        """The way in which nose (twice) and jaw went apart as those of a head; None if they did not."""
        limits = self._limits  # the patches' own word, where they gave it: points see a head in bent paper
        turned = (tracked.turned_deg if tracked.heights is None else tracked.heights.turned_deg)[axis]
        sign = 1 if turned > 0 else -1
        seen = (
            sign * turned >= limits.turned_deg[axis],
            sign * moved.nose[axis] >= limits.nose[axis],
            -sign * moved.jaw[axis] >= limits.jaw[axis],
            sign * tracked.again[axis] >= limits.again[axis],
            moved.misfit <= limits.misfit,
            axis == 1 or sign * turned >= limits.solid_share * plane_deg(moved)[0],
        )
        return (axis, sign) if all(seen) else None

    def _as_plane(self, tracked: Tracked, moved: Parallax) -> bool:
        """Whether the face is as narrow, or as low, as a turned one and nothing left its plane.

        The points, the other detector and, where they were found, the patches must all say so.
        """
        limits = self._limits
        if moved.misfit > limits.plane_misfit:
            return False
        seen, seen_again, turned = plane_deg(moved), plane_again_deg(moved), turned_deg(moved)
        return any(
            seen[axis] >= limits.plane_deg[axis]
            and seen_again[axis] >= limits.plane_again_deg
            and max(abs(turned[axis]), abs(tracked.turned_deg[axis])) < limits.plane_share * seen[axis]
            and abs(tracked.again[axis]) < limits.plane_share * NOSE_HEIGHT * math.sin(math.radians(seen[axis]))
            for axis in (0, 1)
        )
