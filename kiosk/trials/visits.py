"""One simulated visit through the kiosk's own face step, in simulated time. Owns the stage, the clock and the record.

Frames come from a scene at the camera's rate, prompts reach the scene as they reach the screen; everything between is
what a kiosk runs: following one head, the presentation check with its witnesses, the bond to the head that passed.
Refuses to judge: it records what the kiosk found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zlib import crc32

import numpy as np

from hardware.ports import Frame
from hardware.simulation.room import View
from hardware.simulation.scene import Scene
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.face_step import SAME_HEAD, FaceStep
from kiosk.looking import look
from kiosk.presence import make_checks
from kiosk.roster import Roster, SitePerson
from kiosk.screen import Screen
from kiosk.trials.people import People, Person
from kiosk.verdict import Finding, Found
from kiosk.visit import Visit
from matcher.empty_room import EmptyRoom
from matcher.gallery import Gallery
from matcher.ports import FaceEngine
from matcher.presentation import PresentationCheck, TriesBefore
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Modality, Reference
from models.supervision import SitePolicy
from web.panel.facade import PanelHint, PanelStep

FPS = 15.0
_LONGEST_S = 120.0
_IDLE_S, _IDLE_FPS = 2.6, 5.0  # of the empty room, before anybody comes
_LAMPS_CHANGE = 0.125  # share of visits between which and the idle time before them the light changed
_SAID_AGAIN_S = 4.0  # a prompt that nothing came of is said once more
_BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class TryRecord:
    """One try: what it came to, how long it took, the prompts, and each witness's verdict and measures at its end.

    ``alone`` are the verdicts after every witness was allowed to watch on until it had decided; None if none was.
    """

    finding: str
    accepted: bool
    seconds: float
    prompts: tuple[str, ...]
    witnesses: dict[str, str]
    measures: dict[str, dict[str, float]]
    alone: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class VisitRecord:
    """One visit of a kind. ``accepted``: it was let through in some try; ``matched``: as the person who was shown."""

    kind: str
    number: int
    finding: str
    acquired: bool
    accepted: bool
    matched: bool
    seconds: float
    tries: tuple[TryRecord, ...]


class Stage:
    """The scene, its clock, and the camera before it. A frame that is read takes the time of a frame."""

    def __init__(self, seed: int) -> None:
        self.now_s = 1.0
        self.scene = Scene(seed=seed, clock=lambda: self.now_s)
        self._sequence = 0

    def read(self, *, after: int, timeout_s: float) -> Frame | None:
        """The next frame; None once the visit has lasted longer than any does."""
        self.now_s += 1.0 / FPS
        if self.now_s > _LONGEST_S:
            return None
        self._sequence += 1
        pixels = self.scene.render(sequence=self._sequence)
        return Frame(pixels, _BEGAN + timedelta(seconds=self.now_s), int(self.now_s * 1e9), self._sequence)

    def idle(self, rng: np.random.Generator) -> list[Frame]:
        """The empty room as the kiosk saw it before the visit; now and then in another light."""
        view, number = _light_before(self.scene.light_now(), rng), int(_IDLE_S * _IDLE_FPS)
        frames = []
        for left in range(number, 0, -1):
            at_s, sequence = self.now_s - left / _IDLE_FPS, 10_000 - left
            pixels = self.scene.vacant(view, sequence=sequence)
            frames.append(Frame(pixels, _BEGAN + timedelta(seconds=at_s), int(at_s * 1e9), -left))
        return frames


def _light_before(now: View, rng: np.random.Generator) -> View:
    if rng.uniform() >= _LAMPS_CHANGE:
        return now
    brighter, side = float(np.exp(rng.uniform(-0.45, 0.45))), float(rng.uniform(-0.25, 0.25))
    return replace(now, light=now.light * brighter, side=float(np.clip(now.side + side, -0.4, 0.4)))


class _HearingScreen(Screen):
    """The kiosk's screen, read to whoever stands before it."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(simulated=True)
        self._stage = stage
        self._last: tuple[Any, float] | None = None
        self.check: PresentationCheck | None = None
        self.spoken: list[str] = []

    def begin(self) -> None:
        """A try begins: nothing was asked yet."""
        self.check, self.spoken = None, []

    def show(self, step: PanelStep, **options: Any) -> None:
        """As the kiosk's, and heard on the stage when it is a new prompt, or one that nothing came of."""
        super().show(step, **options)
        if step is PanelStep.LOOK and options.get("hint") == PanelHint.UNCOVER_FACE:
            self._stage.scene.uncover()
        if step is not PanelStep.CHALLENGE or self.check is None:
            self._last = None
            return
        prompt = self.check.prompt()
        said, now_s = (id(self.check), prompt.kind, prompt.dot), self._stage.now_s
        if self._last is None or self._last[0] != said or now_s - self._last[1] > _SAID_AGAIN_S:
            self._last = said, now_s
            self.spoken.append(prompt.kind)
            self._stage.scene.challenge(prompt.kind, prompt.dot)


class _WatchedStep(FaceStep):
    """The kiosk's face step, which also keeps what each try came to."""

    watch_on_s: float = 0.0
    tries: list[TryRecord]

    def _one_try(self, visit: Visit) -> Found:
        screen, began_s = visit.screen, visit.clock.seconds()
        assert isinstance(screen, _HearingScreen)  # noqa: S101 - made here
        screen.begin()
        found = super()._one_try(visit)
        ended_s = visit.clock.seconds()
        check = screen.check
        evidence = _evidence(found) or (check.evidence() if check is not None else ())
        alone = None
        if check is not None and self.watch_on_s and not self.tries:
            alone = self._watch_on(visit, check, began_s + self.watch_on_s)
        record = TryRecord(
            found.finding.value,
            found.finding is Finding.COMPARED,
            round(ended_s - began_s, 2),
            tuple(screen.spoken),
            {item.witness: item.verdict.value for item in evidence},
            {item.witness: {name: round(value, 4) for name, value in item.measures.items()} for item in evidence},
            alone,
        )
        self.tries.append(record)
        return found

    def _watch_on(self, visit: Visit, check: PresentationCheck, until_s: float) -> dict[str, str]:
        """Let the witnesses that have not decided see the visit until its time is up."""
        while visit.clock.seconds() < until_s:
            verdicts = {item.verdict for item in check.evidence()}
            if WitnessVerdict.UNDECIDED not in verdicts or check.spent():
                break
            seen = self._next(visit)
            if seen is None:
                break
            if seen.face is not None:
                check.observe(seen.frame.pixels, seen.face, seen.frame.monotonic_ns / 1e9)
                self._ask(visit, check)
        return {item.witness: item.verdict.value for item in check.evidence()}


@dataclass(slots=True)
class VisitMaker:
    """Makes visits one after the other. ``sabotage`` may break a check before it is used."""

    engine: FaceEngine
    people: People
    seed: int = 0
    alone: bool = False
    sabotage: Callable[[PresentationCheck], None] = lambda check: None
    config: KioskConfig = field(default_factory=KioskConfig)
    most_tries: int = 3
    _rng: Random = field(default_factory=Random)
    _room: EmptyRoom = field(default_factory=EmptyRoom)
    _draw: Callable[[TriesBefore], PresentationCheck] | None = None

    def visit(self, kind: str, number: int) -> VisitRecord:
        """The ``number``-th visit of a behaviour of the suite; the same for the same seed."""
        drawn = [self.seed, crc32(kind.encode()), number]
        rng = np.random.default_rng(drawn)
        self._rng.seed(int(rng.integers(1 << 62)))
        person, other = self.people.pair(rng)
        stage = Stage(int(rng.integers(1 << 31)))
        stage.scene.show(person.visitor, kind, by=other.visitor)
        screen = _HearingScreen(stage)
        step = self._step(stage, screen, person)
        for frame in stage.idle(np.random.default_rng([*drawn, 1])):
            step.note(look(self.engine, frame))
        visit = Visit(_roster(person), None, 3, screen, Clock(monotonic_ns=lambda: int(stage.now_s * 1e9)))
        found = step.run(visit, tries=self.most_tries)
        return VisitRecord(
            kind,
            number,
            found.finding.value,
            any(item.prompts for item in step.tries),
            any(item.accepted for item in step.tries),
            found.matched,
            round(stage.now_s, 2),
            tuple(step.tries),
        )

    def _step(self, stage: Stage, screen: _HearingScreen, person: Person) -> _WatchedStep:
        draw = self._draw = self._draw or make_checks(self.config, self._room, rng=self._rng)
        self._room.forget()  # every visit is another kiosk's

        def make(before: TriesBefore) -> PresentationCheck:
            check = draw(before)
            self.sabotage(check)
            screen.check = check
            return check

        gallery = Gallery(face_engine=self.engine)
        gallery.replace(_roster(person).references())
        step = _WatchedStep(
            self.engine,
            gallery,
            stage,
            self.config.face,
            self.config.visit,
            make,
            simulated=lambda: True,
            room=self._room,
        )
        step.tries = []
        step.watch_on_s = self.config.visit.challenge_timeout_s if self.alone else 0.0
        return step


def _evidence(found: Found) -> tuple[PresentationEvidence, ...]:
    return found.evidence[0].presentation if found.evidence else ()


def _roster(person: Person) -> Roster:
    """A site where the person shown is enrolled, with the portrait that is shown: matching is not what is tried."""
    reference = Reference("r", "p", Modality.FACE, None, person.template, 0.9, _BEGAN)
    enrolled = SitePerson("p", "1", "", True, (reference,), (), 0)
    return Roster(1, SitePolicy(face_alone=True, challenge_required=True), {"p": enrolled})


def names_of(record: TryRecord) -> tuple[str, ...]:
    """The witnesses of a try, without the bond, which is no witness of the check."""
    return tuple(name for name in record.witnesses if name != SAME_HEAD)
