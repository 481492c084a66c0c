"""The witness ``challenge``: whether a head did what it was asked, where and when. Owns the sequence of one try.

The parallax of the nose says where the head went. Three prompts must be answered, each within 30 degrees of its
direction; four if any answer was slow; one more for a prompt that nothing came of, two more for one that led the wrong
way, or was answered sooner than anybody can obey. The third such prompt spends the try, or the second that led the
wrong way; nine seconds without any answer do, too. After a try that ended so, two more are asked from the beginning. A
few in a hundred simulated films that move of themselves, or that recorded an earlier visit, pass this witness: who
shows a film must also get past the others. Refuses to say whether a head or a sheet moved (``matcher.solid_head``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from matcher.challenge import REST, ChallengeScript, Direction, Prompt
from matcher.head_track import HeadTrack, Tracked
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array


@dataclass(frozen=True, slots=True)
class ObedienceLimits:
    """Angles in degrees as the parallax tells them, times in seconds."""

    turned_deg: float = 6.5  # sheets of paper turned by 28 stay below 6 in 95 of 100 pictures
    to_dot_deg: float = 5.0  # a dot lies on the screen: eyes do part of the way
    across: float = 0.3  # of that, so far beyond the middle must be who was sent to the other side
    reach_deg: float = 8.0  # where a head is expected to go, or as far as it went before
    settles_s: float = 1.0  # so long a head may go on to where it was sent before
    gentle: float = 0.75  # of all that, what is asked of a stiff neck
    within_deg: float = 30.0  # of the asked direction
    frames: int = 2  # in a row
    astray_deg: float = 8.0  # so far in another direction is the wrong way
    astray_beyond_deg: float = 60.0  # from the asked direction
    astray_frames: int = 3
    earliest_s: float = 0.3  # nobody obeys faster
    quick_s: float = 1.3  # a turn that was asked for in words
    quick_to_dot_s: float = 0.9
    turn_more_s: float = 2.0
    prompt_s: float = 4.0  # how long one prompt waits
    skips: int = 2  # prompts of a try that nothing, or the wrong thing, may come of
    wrong: int = 1  # of them, that may lead the wrong way
    latest_s: float = 20.0
    nothing_s: float = 9.0  # after that without an answer the person is told what may help, and begins anew
    answers: int = 3  # one more if any was slow
    dearer: int = 2  # so many more for each wrong way and each try before that went wrong; one for a prompt skipped
    most: int = 9


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
        self._strikes, self._wrong, self._ever_answered = strikes, 0, False
        self.spent = self.disobeyed = False
        self._began_s: float | None = None
        self._epoch = 0
        self._restart()

    def _restart(self) -> None:
        self.prompt, self._came_from = REST, REST
        self._shown_s, self._due = math.inf, False  # due: another prompt is to be shown
        self._shown_at: Direction = (0.0, 0.0)
        self._heading: Direction | None = None  # where the head was going when the prompt was shown
        self._there = self._astray = self._more = 0
        self._skips = self._wrong  # whoever jumps does not get rid of those
        self._waited_s = self.farthest_deg = 0.0
        self._slow = False
        self._latencies: list[float] = []
        self._asked: list[Prompt] = []
        self._in_vain: list[Prompt] = []  # the last prompt, if no answer to it counts: the head may be there

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
        if tracked.t_s - self._began_s > (self._limits.latest_s if self._ever_answered else self._limits.nothing_s):
            self.spent = True
            return
        if tracked.epoch != self._epoch:  # another head, or the same after a jump: begin again
            self._epoch = tracked.epoch
            self._restart()
        if self._track.reference is not None and self.prompt == REST:
            self._due = True
        if tracked.moved is not None:
            self._judge(tracked)
        if not self._settled() and self._due:
            self._ask(tracked)

    def verdict(self) -> PresentationEvidence:
        """Passed or undecided, with what was asked (degrees, 0 to the own right, 90 up) and how soon it was done."""
        measures = {
            "answers": float(len(self._latencies)),
            "needed": float(self._needed()),
            "skipped": float(self._skips),
            "farthest_deg": round(self.farthest_deg, 1),
            "gentle": float(self._script.gentle),
            "wrong_way": float(self._wrong),
            "spent": float(self.spent),
        }
        for place, (prompt, latency_s) in enumerate(zip(self._asked, self._latencies, strict=False), start=1):
            toward = prompt.toward or (0.0, 0.0)
            measures[f"asked_{place}_deg"] = float(round(math.degrees(math.atan2(-toward[1], toward[0])) % 360))
            measures[f"latency_{place}_s"] = round(latency_s, 3)
        passed = self._enough() and not self.spent
        return PresentationEvidence(self.name, WitnessVerdict.PASSED if passed else WitnessVerdict.UNDECIDED, measures)

    def hint(self) -> ChallengeHint | None:
        """What the person can do now; None when nothing has to be said."""
        if self.spent:
            return ChallengeHint.TRY_AGAIN
        if self._track.reference is None:
            return ChallengeHint.LOOK_HERE
        if self._waited_s > self._limits.turn_more_s:
            return ChallengeHint.TURN_MORE
        return None

    def go_on(self) -> None:
        """Ask once more although this witness has seen enough, because another one has not: for a turn in words."""
        if self._enough() and not self.spent:
            self._more += 1

    def _needed(self) -> int:
        limits = self._limits
        dearer = limits.dearer * (self._wrong + self._strikes)
        return limits.answers + int(self._slow) + dearer + self._skips - self._wrong + self._more

    def _enough(self) -> bool:
        return len(self._latencies) >= self._needed()

    def _settled(self) -> bool:
        return self.spent or self._enough()

    def _ask(self, tracked: Tracked) -> None:
        if len(self._asked) >= self._limits.most + self._more:  # what others lack does not use up this one's prompts
            self.spent = True
            return
        self._came_from = self.prompt
        self.prompt = self._script.next([*self._asked, *self._in_vain], far=self._more > 0)
        self._in_vain = []
        self._asked.append(self.prompt)
        self._shown_s, self._due = tracked.t_s, False
        self._shown_at = self._way(tracked)
        self._there = self._astray = 0

    def _judge(self, tracked: Tracked) -> None:
        toward, way = self.prompt.toward, self._way(tracked)
        if toward is not None and not self._due:  # a prompt is shown and not answered yet
            self._waited_s = tracked.t_s - self._shown_s
            self._settle(way)
            if not tracked.held:
                self._there = self._there + 1 if self._is_there(way, toward) else 0
            if self._there >= self._limits.frames:
                self._answered(tracked.t_s)
                return
            if self._waited_s > self._limits.prompt_s:
                self._skipped()
                return
        if tracked.held:  # one look of the patches is one frame, however long it is held on to
            return
        self._astray = self._astray + 1 if self._went_astray(way) else 0
        if self._astray >= self._limits.astray_frames:
            self._wrong += 1
            self._heading = _minus(way, self._shown_at)
            self._skipped()

    def _answered(self, t_s: float) -> None:
        latency_s = t_s - self._shown_s
        if latency_s < self._limits.earliest_s:  # it was on its way there already
            self._wrong += 1
            self._skipped()
            return
        self._latencies.append(latency_s)
        self._ever_answered = True
        quick_s = self._limits.quick_s if self.prompt.dot is None else self._limits.quick_to_dot_s
        self._slow = self._slow or latency_s > quick_s
        self._heading = self.prompt.toward
        self._due = True
        self._waited_s = 0.0
        self._astray = 0

    def _skipped(self) -> None:
        """Nothing, or the wrong thing, came of a prompt: another one is asked, and one answer more."""
        if len(self._asked) > len(self._latencies):
            self._in_vain = [self._asked.pop()]
        self._skips += 1
        self.spent = self._skips > self._limits.skips or self._wrong > self._limits.wrong
        self.disobeyed = self.spent and self._wrong > 0
        self._due = True

    def _is_there(self, way: Direction, toward: Direction) -> bool:
        """Whether the head went this way since it was asked, and mostly this way.

        Nobody stands like a post, so what counts is the way from where the head was. Who was sent to the other side
        must have come across the middle: to come back by oneself is no answer.
        """
        limits = self._limits
        wanted = limits.turned_deg if self.prompt.dot is None else limits.to_dot_deg
        wanted *= limits.gentle if self._script.gentle else 1.0
        moved = _minus(way, self._shown_at)
        along, before = _dot(moved, toward), self._came_from.toward
        self.farthest_deg = max(self.farthest_deg, along)
        back = before is not None and _dot(before, toward) < -0.1
        across = not back or _dot(way, toward) >= limits.across * wanted
        return along >= wanted and across and self._off_deg(moved, toward) <= limits.within_deg

    def _went_astray(self, way: Direction) -> bool:
        """Whether the head went far where this prompt did not send it."""
        moved, toward = _minus(way, self._shown_at), self.prompt.toward
        if math.hypot(*moved) < self._limits.astray_deg:
            return False
        return toward is None or self._off_deg(moved, toward) > self._limits.astray_beyond_deg

    def _off_deg(self, moved: Direction, toward: Direction) -> float:
        """The angle between a movement and the asked one: from where the head was sent before to its aim."""
        if self._came_from.toward is None:
            return _apart_deg(moved, toward)
        reach = max(self._limits.reach_deg, math.hypot(*self._shown_at))
        return _apart_deg(moved, _minus((reach * toward[0], reach * toward[1]), self._shown_at))

    def _settle(self, way: Direction) -> None:
        """A head that still goes where it went when the prompt was shown has not begun to answer yet."""
        if self._heading is None or self._waited_s > self._limits.settles_s:
            return
        if _apart_deg(_minus(way, self._shown_at), self._heading) <= self._limits.astray_beyond_deg:
            self._shown_at = way

    def _way(self, tracked: Tracked) -> Direction:
        """Where the head went from rest, in the person's own directions."""
        return self._sign * tracked.turned_deg[0], tracked.turned_deg[1]


def _dot(one: Direction, other: Direction) -> float:
    return one[0] * other[0] + one[1] * other[1]


def _minus(one: Direction, other: Direction) -> Direction:
    return one[0] - other[0], one[1] - other[1]


def _apart_deg(one: Direction, other: Direction) -> float:
    length = math.hypot(*one) * math.hypot(*other)
    return math.degrees(math.acos(max(-1.0, min(1.0, _dot(one, other) / length)))) if length else 180.0
