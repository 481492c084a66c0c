"""The witness ``challenge``: whether a head did what it was asked, where and when. Owns the sequence of one try.

The nose's parallax says where the head went: up, down, left or right, seen by two landmark detectors. Each prompt that
is answered makes it less likely that the pictures move of themselves. A film that moves ``_RATE`` times a second
to places of its own choosing goes to the asked one within t seconds with probability (1 - exp(-_RATE t)) / choices; the
witness adds up the surprise, in bits, and passes when there is enough: three prompts answered at once, or more answered
slowly. The wrong way, or faster than anybody can obey, spends the try, and the next one asks for more.
Refuses to say whether a head or a sheet moved (``matcher.solid_head``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from matcher.challenge import REST, ChallengeScript, Prompt
from matcher.head_track import HeadTrack, Tracked
from matcher.parallax import Parallax
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array

_RATE = 0.7  # movements per second of a lively film


@dataclass(frozen=True, slots=True)
class ObedienceLimits:
    """Lengths in eye distances, times in seconds."""

    aside: float = 0.070  # the nose has gone left or right: about 9 degrees
    up_down: float = 0.055
    lower: float = 0.65  # of that, as much the detector must see that sees less
    sector: float = 0.9  # movement across the asked direction, as a share of that along it
    astray: float = 0.105  # so far in a direction that was never asked is the wrong way
    frames: int = 2  # in a row
    astray_frames: int = 3
    earliest_s: float = 0.2  # nobody obeys faster
    prompt_s: float = 5.0  # how long one prompt waits
    latest_s: float = 14.0
    gentle: float = 0.6  # movements asked of a stiff neck, as a share
    fewest: int = 3
    most: int = 7
    bits: float = 8.0  # one film in 256
    bits_more: float = 1.5  # for every try before that went wrong


class ChallengeHint(StrEnum):
    """What the person can do better; codes for the screen."""

    LOOK_HERE = "look_here"
    TURN_MORE = "turn_more"
    TRY_AGAIN = "try_again"


class Obedience:
    """Shows prompts of a script one after the other and watches them being obeyed. Not safe across threads.

    ``mirrored``: the pictures are mirror pictures. ``strikes``: how many tries of this visit went the wrong way.
    """

    name = "challenge"

    def __init__(
        self,
        track: HeadTrack,
        script: ChallengeScript,
        *,
        mirrored: bool = False,
        strikes: int = 0,
        limits: ObedienceLimits | None = None,
    ) -> None:
        self._track, self._script, self._limits = track, script, limits or ObedienceLimits()
        self._sign = 1.0 if mirrored else -1.0  # in a picture that is not mirrored the own right is smaller x
        self._reach = self._limits.gentle if script.gentle else 1.0
        self.needed_bits = self._limits.bits + self._limits.bits_more * strikes
        self.prompt = REST
        self.spent = self.disobeyed = False
        self._began_s: float | None = None
        self._epoch = 0
        self._restart()

    def _restart(self) -> None:
        self.prompt, self._came_from = REST, REST
        self._shown_s = self._next_s = math.inf
        self._choices = 0
        self._there = self._astray = 0
        self.bits, self.farthest = 0.0, 0.0
        self.latencies: list[float] = []
        self._asked: list[Prompt] = []

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """See one frame; after a verdict, or when the try is spent, nothing changes any more."""
        if not self._settled():
            tracked = self._track.see(pixels, face, t_s)
            if tracked is not None:
                self.follow(tracked)

    def follow(self, tracked: Tracked) -> None:
        """``observe`` for a frame of the track."""
        if self._settled():
            return
        if self._began_s is None:
            self._began_s = tracked.t_s
        if tracked.t_s - self._began_s > self._limits.latest_s:
            self.spent = True
            return
        if tracked.epoch != self._epoch:  # another head, or the same after a jump: begin again
            self._epoch = tracked.epoch
            self._restart()
        if self._track.reference is not None and self.prompt == REST and not math.isfinite(self._next_s):
            self._next_s = tracked.t_s + self._script.hold_s()
        if tracked.moved is not None:
            self._judge(tracked.moved, tracked.t_s)
        if not self._settled() and tracked.t_s >= self._next_s:
            self._ask(tracked.t_s)

    def verdict(self) -> PresentationEvidence:
        """Passed or undecided, with the prompts, the answers' latencies and the surprise in bits."""
        measures = {
            "prompts": float(len(self.latencies)),
            "bits": round(self.bits, 2),
            "needed_bits": self.needed_bits,
            "farthest": round(self.farthest, 4),
            "gentle": float(self._script.gentle),
            "wrong_way": float(self.disobeyed),
            "spent": float(self.spent),
        }
        for place, (prompt, latency_s) in enumerate(zip(self._asked, self.latencies, strict=False), start=1):
            toward = prompt.toward or (0.0, 0.0)
            measures[f"asked_{place}_deg"] = round(math.degrees(math.atan2(-toward[1], toward[0])) % 360)
            measures[f"latency_{place}_s"] = round(latency_s, 3)
        passed = self._enough() and not self.spent
        return PresentationEvidence(self.name, WitnessVerdict.PASSED if passed else WitnessVerdict.UNDECIDED, measures)

    def hint(self) -> ChallengeHint | None:
        """What the person can do now; None when nothing has to be said."""
        if self.spent:
            return ChallengeHint.TRY_AGAIN
        if self._track.reference is None:
            return ChallengeHint.LOOK_HERE
        return None

    def _settled(self) -> bool:
        return self.spent or self._enough()

    def _enough(self) -> bool:
        return len(self.latencies) >= self._limits.fewest and self.bits >= self.needed_bits

    def _ask(self, t_s: float) -> None:
        if len(self._asked) >= self._limits.most:
            self.spent = True
            return
        self._came_from = self.prompt
        self.prompt, self._choices = self._script.next(self.prompt)
        self._asked.append(self.prompt)
        self._shown_s, self._next_s = t_s, math.inf
        self._there = self._astray = 0

    def _judge(self, moved: Parallax, t_s: float) -> None:
        toward = self.prompt.toward
        waiting = math.isfinite(self._next_s)  # the prompt was answered, or none was shown yet
        if toward is not None and not waiting:
            along = self._along(moved, toward)
            self.farthest = max(self.farthest, along)
            self._there = self._there + 1 if self._is_there(moved, toward) else 0
            if self._there >= self._limits.frames:
                self._answered(t_s)
                return
            if t_s - self._shown_s > self._limits.prompt_s:
                self.spent = True
                return
        self._astray = self._astray + 1 if self._went_astray(moved) else 0
        if self._astray >= self._limits.astray_frames:
            self.spent = self.disobeyed = True

    def _answered(self, t_s: float) -> None:
        latency_s = t_s - self._shown_s
        if latency_s < self._limits.earliest_s:
            self.spent = self.disobeyed = True
            return
        self.latencies.append(latency_s)
        self.bits -= math.log2((1.0 - math.exp(-_RATE * latency_s)) / self._choices)
        self._next_s = t_s + self._script.hold_s()
        self._astray = 0

    def _went_astray(self, moved: Parallax) -> bool:
        """Whether the head is far out where neither this prompt nor the one before sent it."""
        allowed = (self.prompt.toward, self._came_from.toward)
        return any(
            self._along(moved, toward) >= self._limits.astray * self._reach and self._is_there(moved, toward)
            for toward in ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0))
            if toward not in allowed
        )

    def _is_there(self, moved: Parallax, toward: tuple[float, float]) -> bool:
        """Whether both detectors see the nose in this direction, and mostly in this direction."""
        wanted = self._reach * (self._limits.aside if abs(toward[0]) > abs(toward[1]) else self._limits.up_down)
        one, other = self._seen(moved.nose, toward), self._seen(moved.nose_again, toward)
        along, across = (one[0] + other[0]) / 2, (one[1] + other[1]) / 2
        return (
            along >= wanted
            and min(one[0], other[0]) >= self._limits.lower * wanted
            and abs(across) <= self._limits.sector * along
        )

    def _along(self, moved: Parallax, toward: tuple[float, float]) -> float:
        return min(self._seen(moved.nose, toward)[0], self._seen(moved.nose_again, toward)[0])

    def _seen(self, nose: tuple[float, float], toward: tuple[float, float]) -> tuple[float, float]:
        """The nose's way along and across a direction of the person's own."""
        x, y = self._sign * nose[0], nose[1]
        return x * toward[0] + y * toward[1], y * toward[0] - x * toward[1]
