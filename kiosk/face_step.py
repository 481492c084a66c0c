"""The face's part of a visit: frames until one is good, the presentation check, the probe, the comparison.

Owns what a try with the face is. Refuses to say how a visit ends: it answers with a ``Found``. A frame that is not good
enough costs no try; time that runs out, a comparison without a match and a presentation check without an answer do.

Only the head that passed the presentation check is compared: frames from before the check are never used, frames during
and after it only if they show one head followed all the time *and* their templates agree with that of the very frame
in which the turn was completed. A photograph shown before or after somebody's own turn does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

from hardware.ports import Frame
from kiosk.config import FaceConfig, VisitConfig
from kiosk.looking import Head, Look, look
from kiosk.roster import SitePerson
from kiosk.thresholds import SiteThresholds, basis_of
from kiosk.verdict import Finding, Found
from kiosk.visit import Visit
from matcher.approach import Approach
from matcher.decision import (
    Identification,
    decide,
    decide_verification,
)
from matcher.empty_room import EmptyRoom
from matcher.gallery import Gallery
from matcher.ports import FaceEngine
from matcher.presentation import PresentationCheck, TriesBefore
from matcher.scales import similarity_threshold
from models.attendance import Evidence, PresentationEvidence, WitnessVerdict
from models.biometrics import Modality, Template
from models.errors import DeviceError, RetryReason
from web.panel.facade import PanelHint, PanelStep

_FRAME_WAIT_S = 0.25
SAME_HEAD_FMR = 1e-3  # how strictly a template is held against the head that passed the presentation check
_LEAST_WEIGHT = 0.05
_FAR = 0.6  # of the width of a near face: somebody further back, round whom the room can be learned
SAME_HEAD = "same_head"  # the witness's name in the evidence


class FrameSource(Protocol):
    """Where frames come from: ``kiosk.devices.CameraReader``."""

    def read(self, *, after: int, timeout_s: float) -> Frame | None:
        """The newest frame after this number; None if none came in time. Raises DeviceError."""
        ...


@dataclass(slots=True)
class Bond:
    """Ties templates to the head that passed the presentation check; a witness of its own in the evidence."""

    passed: Template
    threshold: float  # of the engine's own similarity, for two templates and nobody else
    lowest: float | None = None  # of the templates that agreed
    strangers: int = 0

    def holds(self, engine: FaceEngine, template: Template) -> bool:
        """Whether ``template`` is that head's, as far as the engine can say."""
        score = engine.compare(self.passed, template)
        if not score >= self.threshold:
            self.strangers += 1
            return False
        self.lowest = score if self.lowest is None else min(score, self.lowest)
        return True

    def evidence(self) -> PresentationEvidence:
        """Passed if what was compared agreed; frames that did not were left out and are counted."""
        measures = {"threshold": self.threshold, "left_out": float(self.strangers)}
        if self.lowest is None:
            return PresentationEvidence(SAME_HEAD, WitnessVerdict.UNDECIDED, measures)
        return PresentationEvidence(SAME_HEAD, WitnessVerdict.PASSED, measures | {"agreement": self.lowest})


@dataclass(slots=True)
class FaceStep:
    """Asks for a face and compares it. Lives in the matcher thread, which owns the engine."""

    engine: FaceEngine
    gallery: Gallery
    frames: FrameSource
    face: FaceConfig
    timing: VisitConfig
    make_check: Callable[[TriesBefore], PresentationCheck]
    simulated: Callable[[], bool]
    last_seen: int = -1  # the newest frame looked at
    approach: Approach = field(default_factory=Approach)
    room: EmptyRoom = field(default_factory=EmptyRoom)
    thresholds: SiteThresholds = field(default_factory=SiteThresholds)

    def knows(self, person: SitePerson) -> bool:
        """Whether this engine has anything of a person to compare with; references of another engine are nothing."""
        return person.person_id in self.gallery.people(Modality.FACE)

    def run(self, visit: Visit, *, tries: int) -> Found:
        """Up to ``tries`` probes; the first match ends it. Never raises a DeviceError: a broken camera is a finding.

        What an earlier try came to is not forgotten because a later one came to less, or the person left.
        """
        try:
            for left in reversed(range(tries)):
                found = self._one_try(visit)
                if found.finding is Finding.BROKEN:
                    return self._broken(visit)
                visit.face = max(visit.face, found, key=_weight) if visit.face.evidence else found
                if found.matched or found.finding in (Finding.ATTACK, Finding.ABSENT):
                    break
                visit.tries_left -= 1
                self._again(visit, uncover=found.finding is Finding.UNDECIDED and left > 0)
        except DeviceError:  # noted on the screen and in the log by the camera's own thread
            return self._broken(visit)
        return visit.face

    def _again(self, visit: Visit, *, uncover: bool) -> None:
        """Say that another try follows; what covers a face is what most often keeps a check from deciding."""
        hint = PanelHint.UNCOVER_FACE if uncover else PanelHint.TRY_AGAIN
        visit.screen.show(PanelStep.LOOK, hint=hint, tries_left=visit.tries_left)
        until_s = visit.clock.seconds() + self.timing.uncover_s
        while uncover and visit.clock.seconds() < until_s:
            self._next(visit)

    def _broken(self, visit: Visit) -> Found:
        """A camera that failed: whatever was found before, the person was not given every try."""
        visit.face = Found(Finding.BROKEN, evidence=visit.face.evidence)
        return visit.face

    def _one_try(self, visit: Visit) -> Found:
        first = self._good_look(visit)
        if isinstance(first, Finding):
            return Found(first)
        visit.good_frame(taken_ns=first.taken_ns)  # detection and quality of that frame count too
        head = Head(most=self.face.frames_per_probe)
        if not visit.roster.policy.challenge_required:
            head.follow(first)
            return self._compared(visit, head, None)
        check = self.make_check(visit.before)
        if not self._challenged(visit, head, check):
            return Found(Finding.ABSENT)
        visit.before = check.then()
        if check.verdict() is WitnessVerdict.PASSED:
            return self._compared(visit, head, check)
        failed = check.verdict() is WitnessVerdict.FAILED
        evidence = (self._evidence(visit, first, None, self._seen_by(check)),)
        return Found(Finding.ATTACK if failed else Finding.UNDECIDED, evidence=evidence)

    def _seen_by(self, check: PresentationCheck) -> tuple[PresentationEvidence, ...]:
        return *check.evidence(), self.approach.evidence()

    def _good_look(self, visit: Visit) -> Look | Finding:
        """The first frame that is good enough, saying meanwhile what stands in the way."""
        deadline = visit.clock.seconds() + self.timing.look_timeout_s
        seen_s, blind = visit.clock.seconds(), True
        while visit.clock.seconds() < deadline:
            seen = self._next(visit)
            if seen is None:
                continue
            blind = False
            if seen.good:
                return seen
            if seen.hint != RetryReason.NO_FACE.value:
                seen_s = visit.clock.seconds()
            elif visit.clock.seconds() - seen_s > self.timing.absent_after_s:
                return Finding.ABSENT
            visit.screen.show(PanelStep.LOOK, hint=seen.hint, tries_left=visit.tries_left)
        return Finding.BROKEN if blind else Finding.NOT_ACQUIRED  # not one frame came: that is the camera's fault

    def _next(self, visit: Visit) -> Look | None:
        """Look at the next frame. Raises DeviceError, BrokenOff or ShuttingDown."""
        visit.watch()
        frame = self.frames.read(after=self.last_seen, timeout_s=_FRAME_WAIT_S)
        if frame is None:
            return None
        self.last_seen = frame.sequence
        taken_ns = visit.clock.monotonic_ns()
        with visit.timed("detect"):
            seen = replace(look(self.engine, frame), taken_ns=taken_ns)
        self._note_approach(seen)
        return seen

    def _note_approach(self, seen: Look) -> float | None:
        """Remember how near the face was, as a share of the picture's width."""
        share = None if seen.face is None else seen.face.box[2] / seen.frame.pixels.shape[1]
        self.approach.note(share, seen.frame.monotonic_ns / 1e9)
        return share

    def note(self, seen: Look) -> None:
        """What the station saw between visits: how near a face was, and the room if nobody is near.

        Nothing is learned of the room during a visit: somebody whose face is not found, because a hat is being taken
        off before it, still stands in it.
        """
        share, at_s = self._note_approach(seen), seen.frame.monotonic_ns / 1e9
        if seen.hint == RetryReason.NO_FACE.value:
            self.room.feed(seen.frame.pixels, at_s)
        elif seen.face is not None and share is not None and share < _FAR * self.face.near_width_share:
            self.room.feed(seen.frame.pixels, at_s, beside=seen.face.box)

    def _challenged(self, visit: Visit, head: Head, check: PresentationCheck) -> bool:
        """Ask for the challenge and watch one and the same head until the witnesses know, or time is up.

        A head that jumps leaves the check undecided: somebody else may have stepped in. False if the person left.
        """
        self._ask(visit, check)
        seen_s = visit.clock.seconds()
        deadline = seen_s + self.timing.challenge_timeout_s
        while visit.clock.seconds() < deadline:
            seen = self._next(visit)
            if seen is None:
                continue
            if seen.face is None:
                if visit.clock.seconds() - seen_s > self.timing.absent_after_s:
                    return False
                continue
            if not head.follow(seen):
                return True
            seen_s = visit.clock.seconds()
            with visit.timed("presentation"):
                check.observe(seen.frame.pixels, seen.face, seen.frame.monotonic_ns / 1e9)
                known = check.verdict() is not WitnessVerdict.UNDECIDED or check.spent()
            if known:
                return True
            self._ask(visit, check)
        return True

    def _ask(self, visit: Visit, check: PresentationCheck) -> None:
        """Show the prompt of the moment."""
        prompt, hint = check.prompt(), check.hint()
        visit.screen.show(
            PanelStep.CHALLENGE,
            challenge=prompt.kind,
            dot=prompt.dot,
            hint=hint.value if hint else None,
            tries_left=visit.tries_left,
        )

    def _compared(self, visit: Visit, head: Head, check: PresentationCheck | None) -> Found:
        """Compare; a clear match needs one frame, everything else several of this visit, averaged by quality."""
        visit.screen.show(PanelStep.WORKING, tries_left=visit.tries_left)
        bond = None if check is None else self._bond(visit, head)
        templates: list[Template] = []
        qualities: list[float] = []
        used: Look | None = None
        answer: Identification | None = None
        for seen in self._frames_of(visit, head):
            with visit.timed("template"):
                template = self._template(seen)
            if bond is not None and not bond.holds(self.engine, template):
                continue
            templates.append(template)
            qualities.append(_quality(seen))
            used = used or seen
            with visit.timed("compare"):
                answer = self._answer(visit, templates, qualities)
            clear = answer.matched and not answer.second_factor_wanted
            if clear or len(templates) >= self.face.frames_per_probe:
                break
        presentation = () if check is None or bond is None else (*self._seen_by(check), bond.evidence())
        if answer is None or used is None:
            evidence = () if head.last is None else (self._evidence(visit, head.last, None, presentation),)
            return Found(Finding.UNDECIDED if bond is not None else Finding.NOT_ACQUIRED, evidence=evidence)
        if answer.matched:
            visit.probe = templates[0] if bond is None else bond.passed
        return Found(Finding.COMPARED, answer, (self._evidence(visit, used, answer, presentation),))

    def _frames_of(self, visit: Visit, head: Head) -> Iterator[Look]:
        """The good frames of one head: those that are there, then new ones, until it jumps, leaves or time is up."""
        yield from head.best
        seen_s = visit.clock.seconds()
        deadline = seen_s + self.timing.look_timeout_s
        while (now_s := visit.clock.seconds()) < min(deadline, seen_s + self.timing.absent_after_s):
            seen = self._next(visit)
            if seen is None or seen.face is None:
                continue
            if not head.follow(seen):
                return
            seen_s = now_s
            if seen.good:
                yield seen

    def _bond(self, visit: Visit, head: Head) -> Bond:
        """The template of the frame in which the check was passed: what is compared must agree with it."""
        assert head.last is not None  # noqa: S101 - no check passes without a face
        with visit.timed("template"):
            passed = self._template(head.last)
        return Bond(passed, similarity_threshold(self.engine.format, SAME_HEAD_FMR))

    def _template(self, seen: Look) -> Template:
        assert seen.face is not None  # noqa: S101 - only looks with a face come here
        return self.engine.extract(seen.frame.pixels, seen.face)

    def _answer(self, visit: Visit, templates: list[Template], qualities: list[float]) -> Identification:
        people, claimed = len(self.gallery.people(Modality.FACE)), visit.claimed
        point = self.thresholds.point(
            Modality.FACE, self.engine.format, visit.roster.policy, people=people, claimed=claimed is not None
        )
        weighing = self.thresholds.weighing(Modality.FACE, self.engine.format)
        if claimed is None:
            return decide(self.gallery.identify_face(templates, qualities), point, weighing=weighing)
        candidate = self.gallery.verify_face(claimed.person_id, templates, qualities)
        return decide_verification(candidate, point, weighing=weighing)

    def _evidence(
        self, visit: Visit, seen: Look, answer: Identification | None, presentation: tuple[PresentationEvidence, ...]
    ) -> Evidence:
        return Evidence(
            modality=Modality.FACE.value,
            engine=self.engine.name,
            template_format=str(self.engine.format),
            score=answer.score if answer else None,
            threshold=answer.operating_point.threshold if answer else None,
            matched=answer.matched if answer else False,
            quality=seen.quality.value if seen.quality else None,
            operation="identify" if visit.claimed is None else "verify",
            presentation=presentation,
            simulated=self.simulated(),
            basis=basis_of(answer) if answer else None,
        )


def _quality(seen: Look) -> float:
    """How much a frame weighs in the probe: never nothing, for it was good enough to be looked at."""
    return max(seen.quality.value, _LEAST_WEIGHT) if seen.quality else _LEAST_WEIGHT


def _weight(found: Found) -> tuple[bool, bool, bool]:
    """How much a try says: an attack most, then a match, a comparison, and a check without an answer."""
    return found.finding is Finding.ATTACK, found.matched, found.identification is not None
