"""The witness ``face_relief``: what lies before what on a face that turned is what it is on a head. Owns that verdict.

It hears of the parallax of patches (``matcher.relief``) from each picture in which the tip of the nose left the plane
of eyes and mouth, and adds the whole try up. Three things hold for heads and not for paper, bent, twisted or worn:

- The tip of the nose is the foremost place. The bridge lies lower, forehead and brows about in the plane of the eyes. A
  print with the eyes cut out has all of itself before the wearer's eyes, the forehead too: the tip is one among many.
- The cheeks lie about in that plane. On a sheet bent in the hands they stand as high as the nose.
- A nose is high: for its tip to go so far, the head turned little and the face hardly grew narrow. A fold of paper, or
  a cylinder, must be turned much further, and then the face is narrower than any head's. Depth and turn can be
  exchanged in small movements (bas-relief: Belhumeur et al., 1999), but not without this.

A place that was hardly found again has no height: fringes and shadows hide a forehead, and so may whoever wears a
print. Two of forehead, bridge and brows must be seen, and a cheek, or nothing is said.

Passes or stays undecided; it never fails anybody. It refuses masks that are modelled as a face, with a nose as high as
a nose: to this witness they are heads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from matcher.head_track import HeadTrack, Tracked
from matcher.ports import DetectedFace
from matcher.relief import PLACES, Heights
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Float64Array, UInt8Array

NAME = "face_relief"
_UPPER = (("forehead",), ("ridge",), ("brow_right", "brow_left"))


@dataclass(frozen=True, slots=True)
class ReliefLimits:
    """Heights in tips of the nose, parallax in eye distances."""

    tip: float = 0.05  # of a nose 0.35 to 0.43 high this is a turn of 7 to 8 degrees
    frames: int = 10  # fewer may be noise that passed ``tip``
    highest_rise: float = 1.4  # forehead and bridge and mean of the brows; heads 0.4, masks about 3
    lowest_rise: float = -2.0
    cheeks: float = 0.6  # the rims of glasses stand before them
    narrow: float = 0.1  # beyond what a nose 0.35 high explains
    widened: float = -0.25  # no head grows wider than that by turning
    per_square: float = 8.0  # 1 / 0.35²
    seen: float = 0.05  # of how well the tip was found; less is chance
    places: int = 2  # of forehead, bridge and brows


class FaceRelief:
    """Watches the patches of one head track. Not safe across threads."""

    name = NAME

    def __init__(self, track: HeadTrack, *, limits: ReliefLimits | None = None) -> None:
        self._track, self._limits = track, limits or ReliefLimits()
        self._epoch = 0
        self._forget()

    def _forget(self) -> None:
        self._frames = 0
        self._square = self._narrowing = 0.0
        self._against: Float64Array = np.zeros(len(PLACES))
        self._seen: Float64Array = np.zeros(len(PLACES))

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
        if tracked.heights is not None:
            self.add(tracked.heights)

    def add(self, heights: Heights) -> None:
        """Add one picture in which the tip went far enough."""
        if heights.tip < self._limits.tip:
            return
        self._frames += 1
        self._square += heights.tip**2
        self._narrowing += heights.narrowing
        self._against += heights.weights * heights.along * heights.tip
        self._seen += heights.weights * heights.tip**2

    def verdict(self) -> PresentationEvidence:
        """Passed or undecided, with the heights over the plane of eyes and mouth."""
        if self._frames == 0:
            return PresentationEvidence(self.name, WitnessVerdict.UNDECIDED, {"frames": 0.0})
        limits, upper, cheeks = self._limits, self._upper(), self._height("cheek_right", "cheek_left")
        rise = len(_UPPER) * float(np.mean(upper)) if upper else None
        narrowing = self._narrowing / self._frames
        excess = narrowing - limits.per_square * self._square / self._frames
        seen = (
            self._frames >= limits.frames,
            len(upper) >= limits.places,
            rise is not None and limits.lowest_rise <= rise <= limits.highest_rise,
            cheeks is not None and cheeks <= limits.cheeks,
            narrowing >= limits.widened,
            excess <= limits.narrow,
        )
        measures = {
            "frames": float(self._frames),
            "places": float(len(upper)),
            "narrowing": round(narrowing, 3),
            "excess": round(excess, 3),
        }
        measures |= {name: round(value, 3) for name, value in (("rise", rise), ("cheeks", cheeks)) if value is not None}
        verdict = WitnessVerdict.PASSED if all(seen) else WitnessVerdict.UNDECIDED
        return PresentationEvidence(self.name, verdict, measures)

    def _upper(self) -> list[float]:
        """The heights of forehead, bridge and brows, of those that were seen."""
        heights = (self._height(*names) for names in _UPPER)
        return [height for height in heights if height is not None]

    def _height(self, *names: str) -> float | None:
        """The mean height of places, over all pictures, in tips of the nose; None if none of them was seen."""
        least = self._limits.seen * self._seen[PLACES.index("tip")]
        places = [at for at in map(PLACES.index, names) if self._seen[at] > least]
        return float((self._against[places] / self._seen[places]).mean()) if places else None
