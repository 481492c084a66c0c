"""The witness ``head_turn``: a head turns as a solid, a photograph as a plane. Owns the verdict on one drawn turn.

Passes when the nose runs ahead of the plane of eyes and mouth in the drawn direction, seen by two independent
landmark detectors, while the jaw falls back, steadily and not before the challenge. Fails when the face grows narrow as
a turned plane does and the nose stays in that plane. Anything else is undecided, which is what doing nothing is.
Refuses identity: that the same person was there all the time is the caller's to know.

Limits were set on photographs of people in many poses (solid), printed photographs moved by hand (plane) and people at
a webcam (rest). Known weakness: on some turned sheets both detectors slip along the nose alike, and the sheet passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from matcher.face_points import FacePoints
from matcher.parallax import NOSE_HEIGHT, Parallax, Points, asymmetry, center, eye_distance, mean_points, measure
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """Lengths in eye distances, times in seconds."""

    smallest_eye_px: float = 18.0
    rest_frames: int = 3  # the face from the front, before it turns
    rest_parallax: float = 0.045
    rest_asymmetry: float = 0.20  # looks at the camera first; people at a webcam stay below 0.12 in 99 of 100 frames
    nose: float = 0.11  # about 15 degrees
    nose_again: float = 0.09
    agreement: float = 0.6  # of the nose: as much the other detector must see; 19 of 20 real turned heads reach it
    jaw: float = 0.07  # falls back at least so far
    misfit: float = 0.09
    turned_frames: int = 3
    earliest_s: float = 0.25  # nobody obeys faster
    latest_s: float = 12.0
    step: float = 0.12  # a jump of the nose between two frames that no head makes
    speed: float = 1.6  # further eye distances per second that a quick head makes
    gap_s: float = 1.0
    narrow: float = 0.88  # a plane turned by 28 degrees
    solid_share: float = 0.6  # of the parallax that a head as narrow as this shows; 24 of 25 real turned heads do
    plane_share: float = 0.35  # of the parallax that a head turned so far would show
    plane_frames: int = 5


class TurnHint(StrEnum):
    """What the person can do better; codes for the screen."""

    LOOK_HERE = "look_here"
    TURN_MORE = "turn_more"
    TRY_AGAIN = "try_again"


class HeadTurn:
    """Watches one drawn turn, ``turn_left`` or ``turn_right`` as the person's own. Not safe across threads.

    ``mirrored``: the pictures are mirror pictures, in which the person's left is smaller x.
    """

    name = "head_turn"

    def __init__(
        self, kind: str, *, points: FacePoints, mirrored: bool = False, limits: TurnLimits | None = None
    ) -> None:
        if kind not in {"turn_left", "turn_right"}:
            raise ValueError(f"not a head turn: {kind!r}")
        self._points, self._limits = points, limits or TurnLimits()
        self._sign = (1.0 if kind == "turn_left" else -1.0) * (-1.0 if mirrored else 1.0)
        self._began_s: float | None = None
        self._verdict = WitnessVerdict.UNDECIDED
        self._frames = 0
        self._farthest = 0.0
        self._reaction_s: float | None = None
        self._hint: TurnHint | None = TurnHint.LOOK_HERE
        self.spent = False
        self._rest: list[Points] = []
        self._reference: Points | None = None
        self._last: tuple[Points, float] | None = None
        self._before: tuple[float, float] | None = None  # the nose's parallax and when
        self._turned = self._flat = 0

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """See one frame; after a verdict, or when the challenge is spent, nothing changes any more."""
        if self._verdict is WitnessVerdict.UNDECIDED and not self.spent:
            self.observe_points(Points(face.landmarks, self._points.locate(pixels, face)), t_s)

    def observe_points(self, seen: Points, t_s: float) -> None:
        """``observe`` for a face whose points are known."""
        if self._verdict is not WitnessVerdict.UNDECIDED or self.spent:
            return
        if self._began_s is None:
            self._began_s = t_s
        if t_s - self._began_s > self._limits.latest_s:
            self._spend()
        elif eye_distance(seen) < self._limits.smallest_eye_px:
            self._hint = TurnHint.LOOK_HERE
        elif self._last is None or t_s > self._last[1]:
            self._frames += 1
            self._compare(seen, t_s)

    def _compare(self, seen: Points, t_s: float) -> None:
        """Add to the face at rest, or judge against it."""
        if not self._follows(seen, t_s):
            self._forget()
        self._last = (seen, t_s)
        if self._reference is None:
            self._begin_rest(seen)
            return
        moved = measure(self._reference, seen)
        if self._jumped(moved, t_s):
            self._forget()
            self._hint = TurnHint.LOOK_HERE
            return
        self._before = (moved.nose[0], t_s)
        self._judge(moved, t_s)

    def verdict(self) -> PresentationEvidence:
        """Passed, failed or undecided, with the farthest parallax seen in the drawn direction."""
        measures = {
            "frames": float(self._frames),
            "parallax": round(self._farthest, 4),
            "turned_frames": float(self._turned),
            "plane_frames": float(self._flat),
            "spent": float(self.spent),
        }
        if self._reaction_s is not None:
            measures["reaction_s"] = round(float(self._reaction_s), 3)
        return PresentationEvidence(self.name, self._verdict, measures)

    def hint(self) -> TurnHint | None:
        """What the person can do now, None after a verdict."""
        return self._hint if self._verdict is WitnessVerdict.UNDECIDED else None

    def _forget(self) -> None:
        """Begin again: what comes next does not follow from what was seen."""
        self._rest = []
        self._reference = self._last = self._before = None
        self._turned = self._flat = 0

    def _follows(self, seen: Points, t_s: float) -> bool:
        """Whether this face can be the one of the frame before: no jump in place, size or turn, and no long gap."""
        if self._last is None:
            return True
        before, before_s = self._last
        passed_s = t_s - before_s
        scale = eye_distance(before)
        leap = float(np.linalg.norm(center(seen) - center(before))) / scale
        growth = abs(np.log(max(eye_distance(seen), 1e-3) / max(scale, 1e-3)))
        return passed_s <= self._limits.gap_s and leap <= 0.5 + 6.0 * passed_s and bool(growth <= 0.25 + passed_s)

    def _begin_rest(self, seen: Points) -> None:
        """Collect frames that show the face at rest and from the front; a turn that already goes on is none."""
        limits = self._limits
        if abs(asymmetry(seen)) > limits.rest_asymmetry:
            self._rest.clear()
            self._hint = TurnHint.LOOK_HERE
            return
        if self._rest and abs(measure(self._rest[-1], seen).nose[0]) > limits.rest_parallax:
            self._rest.clear()
        self._rest.append(seen)
        self._hint = TurnHint.TURN_MORE
        if len(self._rest) == limits.rest_frames:
            self._reference = mean_points(self._rest)

    def _judge(self, moved: Parallax, t_s: float) -> None:
        limits = self._limits
        self._farthest = max(self._farthest, min(self._sign * moved.nose[0], self._sign * moved.nose_again[0]))
        wrong_way = self._turned_as_solid(moved, -self._sign)
        right_way = self._turned_as_solid(moved, self._sign)
        self._turned = self._turned + 1 if right_way or wrong_way else 0
        self._flat = self._flat + 1 if self._turned_as_plane(moved) else 0
        if right_way and self._reaction_s is None and self._began_s is not None:
            self._reaction_s = t_s - self._began_s
            if self._reaction_s < limits.earliest_s:
                self._spend()
                return
        if self._flat >= limits.plane_frames:
            self._verdict = WitnessVerdict.FAILED
        elif self._turned >= limits.turned_frames and wrong_way:
            self._spend()
        elif self._turned >= limits.turned_frames and right_way:
            self._verdict = WitnessVerdict.PASSED

    def _jumped(self, moved: Parallax, t_s: float) -> bool:
        if self._before is None:
            return False
        nose, before_s = self._before
        return abs(moved.nose[0] - nose) > self._limits.step + self._limits.speed * (t_s - before_s)

    def _turned_as_solid(self, moved: Parallax, sign: float) -> bool:
        """Whether nose (twice) and jaw went apart as those of a head that turned towards ``sign``."""
        limits = self._limits
        return (
            sign * moved.nose[0] >= limits.nose
            and sign * moved.nose_again[0] >= max(limits.nose_again, limits.agreement * sign * moved.nose[0])
            and sign * moved.jaw[0] <= -limits.jaw
            and moved.misfit <= limits.misfit
            and min(abs(moved.nose[0]), abs(moved.nose_again[0])) >= limits.solid_share * _expected(moved.narrowing)
        )

    def _turned_as_plane(self, moved: Parallax) -> bool:
        """Whether the face is as narrow as a turned one and nothing left its plane."""
        if moved.narrowing >= self._limits.narrow:
            return False
        allowed = self._limits.plane_share * _expected(moved.narrowing)
        return max(abs(moved.nose[0]), abs(moved.nose_again[0]) * 0.8, abs(moved.jaw[0]) * 0.6) < allowed

    def _spend(self) -> None:
        self.spent = True
        self._hint = TurnHint.TRY_AGAIN


def _expected(narrowing: float) -> float:
    """The nose's parallax on a head that turned until its face was so narrow."""
    return NOSE_HEIGHT * float(np.sin(np.arccos(np.clip(narrowing, 0.0, 1.0))))
