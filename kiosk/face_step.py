"""The face's part of a visit: frames until one is good, the presentation check, the probe, the comparison.

Owns what a try with the face is. Refuses to say how a visit ends: it answers with a ``Found``. A frame that is not good
enough costs no try; time that runs out, a comparison without a match and a presentation check without an answer do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from hardware.ports import Frame
from kiosk.config import FaceConfig, VisitConfig
from kiosk.verdict import Finding, Found
from kiosk.visit import Visit
from matcher.decision import (
    Identification,
    decide,
    decide_verification,
    identification_threshold,
    verification_threshold,
)
from matcher.gallery import Gallery
from matcher.ports import DetectedFace, FaceEngine, Quality
from matcher.presentation import PresentationCheck
from matcher.quality import face_quality
from models.attendance import Evidence, PresentationEvidence, WitnessVerdict
from models.biometrics import Modality, Template
from models.errors import DeviceError, RetryReason
from web.panel.facade import PanelHint, PanelStep

_FRAME_WAIT_S = 0.25
_LARGER_BY = 2.0  # a face this much larger than the next (area) is the one that stands at the kiosk
_SAME_FACE_OVERLAP = 0.25


class FrameSource(Protocol):
    """Where frames come from: ``kiosk.devices.CameraReader``."""

    def read(self, *, after: int, timeout_s: float) -> Frame | None:
        """The newest frame after this number; None if none came in time. Raises DeviceError."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One frame, looked at: the face in it, how good it is, and what to do about it."""

    frame: Frame
    face: DetectedFace | None
    quality: Quality | None
    hint: str | None
    taken_ns: int | None = None  # when the frame was handed over, by the visit's clock


def look(engine: FaceEngine, frame: Frame) -> Look:
    """Find the face that stands at the kiosk in a frame."""
    faces = engine.detect(frame.pixels)
    if not faces:
        return Look(frame, None, None, RetryReason.NO_FACE.value)
    if len(faces) > 1 and _area(faces[0]) < _LARGER_BY * _area(faces[1]):
        return Look(frame, None, None, RetryReason.SEVERAL_FACES.value)
    quality = face_quality(frame.pixels, faces[0])
    return Look(frame, faces[0], quality, quality.hints[0] if quality.hints else None)


def _area(face: DetectedFace) -> float:
    return face.box[2] * face.box[3]


def same_place(one: DetectedFace, other: DetectedFace) -> bool:
    """Whether two boxes of following frames can be one head (intersection over union)."""
    left, top = max(one.box[0], other.box[0]), max(one.box[1], other.box[1])
    right = min(one.box[0] + one.box[2], other.box[0] + other.box[2])
    bottom = min(one.box[1] + one.box[3], other.box[1] + other.box[3])
    shared = max(0.0, right - left) * max(0.0, bottom - top)
    return shared >= _SAME_FACE_OVERLAP * (_area(one) + _area(other) - shared)


@dataclass(slots=True)
class FaceStep:
    """Asks for a face and compares it. Lives in the matcher thread, which owns the engine."""

    engine: FaceEngine
    gallery: Gallery
    frames: FrameSource
    face: FaceConfig
    timing: VisitConfig
    make_check: Callable[[], PresentationCheck]
    simulated: Callable[[], bool]
    last_seen: int = -1  # the newest frame looked at

    def run(self, visit: Visit, *, tries: int) -> Found:
        """Up to ``tries`` probes; the first match ends it. Never raises a DeviceError: a broken camera is a finding."""
        found = Found(Finding.ABSENT)
        try:
            for _ in range(tries):
                found = self._one_try(visit)
                if found.matched or found.finding in (Finding.ATTACK, Finding.ABSENT):
                    return found
                visit.tries_left -= 1
                visit.screen.show(PanelStep.LOOK, hint=PanelHint.TRY_AGAIN, tries_left=visit.tries_left)
        except DeviceError:  # noted on the screen and in the log by the camera's own thread
            return Found(Finding.BROKEN)
        return found

    def _one_try(self, visit: Visit) -> Found:
        first = self._good_look(visit)
        if isinstance(first, Finding):
            return Found(first)
        visit.good_frame(taken_ns=first.taken_ns)  # detection and quality of that frame count too
        presentation: tuple[PresentationEvidence, ...] = ()
        if visit.roster.policy.challenge_required:
            check = self.make_check()
            self._challenged(visit, first, check)
            presentation = check.evidence()
            if check.verdict() is not WitnessVerdict.PASSED:
                failed = check.verdict() is WitnessVerdict.FAILED
                evidence = (self._evidence(visit, first, None, presentation),)
                return Found(Finding.ATTACK if failed else Finding.UNDECIDED, evidence=evidence)
        return self._compared(visit, first, presentation)

    def _good_look(self, visit: Visit) -> Look | Finding:
        """The first frame that is good enough, saying meanwhile what stands in the way."""
        deadline = visit.clock.seconds() + self.timing.look_timeout_s
        seen_s = visit.clock.seconds()
        while visit.clock.seconds() < deadline:
            seen = self._next(visit)
            if seen is None:
                continue
            if seen.hint is None:
                return seen
            if seen.hint != RetryReason.NO_FACE.value:
                seen_s = visit.clock.seconds()
            elif visit.clock.seconds() - seen_s > self.timing.absent_after_s:
                return Finding.ABSENT
            visit.screen.show(PanelStep.LOOK, hint=seen.hint, tries_left=visit.tries_left)
        return Finding.NOT_ACQUIRED

    def _next(self, visit: Visit) -> Look | None:
        """Look at the next frame. Raises DeviceError, BrokenOff or ShuttingDown."""
        visit.watch()
        frame = self.frames.read(after=self.last_seen, timeout_s=_FRAME_WAIT_S)
        if frame is None:
            return None
        self.last_seen = frame.sequence
        taken_ns = visit.clock.monotonic_ns()
        with visit.timed("detect"):
            return replace(look(self.engine, frame), taken_ns=taken_ns)

    def _challenged(self, visit: Visit, first: Look, check: PresentationCheck) -> None:
        """Ask for the challenge and watch one and the same head until the witnesses know, or time is up.

        A head that jumps or vanishes leaves the check undecided: somebody else may have stepped in.
        """
        visit.screen.show(PanelStep.CHALLENGE, challenge=check.challenge, tries_left=visit.tries_left)
        deadline = visit.clock.seconds() + self.timing.challenge_timeout_s
        before, seen_s = first.face, visit.clock.seconds()
        while visit.clock.seconds() < deadline:
            seen = self._next(visit)
            if seen is None:
                continue
            if seen.face is None:
                if visit.clock.seconds() - seen_s > self.timing.absent_after_s:
                    return
                continue
            if before is not None and not same_place(before, seen.face):
                return
            before, seen_s = seen.face, visit.clock.seconds()
            with visit.timed("presentation"):
                check.observe(seen.frame.pixels, seen.face, seen.frame.monotonic_ns / 1e9)
                known = check.verdict() is not WitnessVerdict.UNDECIDED or check.spent()
            if known:
                return
            hint = check.hint()
            visit.screen.show(
                PanelStep.CHALLENGE,
                challenge=check.challenge,
                hint=hint.value if hint else None,
                tries_left=visit.tries_left,
            )

    def _compared(self, visit: Visit, first: Look, presentation: tuple[PresentationEvidence, ...]) -> Found:
        """Compare; a clear match needs one frame, everything else several frames of this visit, averaged."""
        templates: list[Template] = []
        seen: Look | None = first
        deadline = visit.clock.seconds() + self.timing.look_timeout_s
        while True:
            if seen is not None and seen.face is not None and seen.hint is None:
                visit.screen.show(PanelStep.WORKING, tries_left=visit.tries_left)
                with visit.timed("template"):
                    templates.append(self.engine.extract(seen.frame.pixels, seen.face))
                with visit.timed("compare"):
                    answer = self._answer(visit, templates)
                clear = answer.matched and not answer.second_factor_wanted
                if clear or len(templates) >= self.face.frames_per_probe:
                    break
            if visit.clock.seconds() > deadline:
                break
            seen = self._next(visit)
        return Found(Finding.COMPARED, answer, (self._evidence(visit, first, answer, presentation),))

    def _answer(self, visit: Visit, templates: list[Template]) -> Identification:
        policy = visit.roster.policy
        if visit.claimed is None:
            people = len(self.gallery.people(Modality.FACE))
            point = identification_threshold(self.engine.format, policy.wanted_fpir, people)
            return decide(self.gallery.identify_face(templates), point)
        # One claimed person is compared as strictly as each person of a full search is.
        wanted_fmr = policy.wanted_fpir / max(1, policy.identify_up_to)
        point = verification_threshold(self.engine.format, wanted_fmr)
        return decide_verification(self.gallery.verify_face(visit.claimed.person_id, templates), point)

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
        )
