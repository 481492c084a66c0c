"""A visitor in front of the kiosk. Owns what a person does when the screen asks; refuses to know how it decides.

The actor reads the same state as the screen shows and touches the same facade as the screen does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.scene import Scene, Visitor
from kiosk.demonstration.visits import PlannedVisit
from models.errors import MusterError, RetryReason
from web.panel.facade import PanelFacade, PanelResult, PanelState, PanelStep

_VISIT_LIMIT_S = 90.0
_IDLE_LIMIT_S = 30.0
_LIFTED_S = 0.4
_OBEY_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Played:
    """What the visitor saw at the end: the result page, or None if none came in time. Seconds from first to last."""

    result: PanelResult | None
    seconds: float


@dataclass(slots=True)
class Actor:
    """Plays visits on one scene against one kiosk. ``fingers`` are by person's number, and ``stranger``."""

    scene: Scene
    facade: PanelFacade
    visitors: Mapping[str, Visitor]
    fingers: Mapping[str, SimulatedFinger]
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep

    def play(self, visit: PlannedVisit) -> Played:
        """Step up, do as the screen says, leave. Raises MusterError if the kiosk never returns to its start page."""
        self._until_idle()
        started_s = self.clock()
        if visit.shows is not None:
            label, behaviour = visit.shows
            self.scene.show(self.visitors[label], behaviour)
        if visit.claims is not None:
            self.facade.claim(visit.claims)
        result = self._obey(visit, started_s + _VISIT_LIMIT_S)
        seconds = self.clock() - started_s
        self.scene.leave()
        self._until_idle()
        return Played(result, seconds)

    def _obey(self, visit: PlannedVisit, deadline_s: float) -> PanelResult | None:
        state: PanelState | None = None
        heard: tuple[object, ...] = ()  # the prompt of the moment; obeyed once more when nothing came of it
        heard_s = 0.0
        while self.clock() < deadline_s:
            state = self.facade.wait(state.version if state else -1, 0.5)
            if state.step == PanelStep.RESULT and state.result is not None:
                return state.result
            if state.step == PanelStep.CHALLENGE and state.challenge is not None:
                spoken = (state.challenge, state.dot, state.tries_left)
                if spoken != heard or self.clock() - heard_s > _OBEY_AGAIN_S:
                    heard, heard_s = spoken, self.clock()
                    self.scene.challenge(state.challenge, dot=state.dot)
            if state.step == PanelStep.FINGER and visit.lays is not None:
                self._touch(state.hint, self.fingers[visit.lays])
        return None

    def _touch(self, hint: str | None, finger: SimulatedFinger) -> None:
        if hint is not None:  # something was wrong with the last touch: lift, then lay the finger on anew
            self.scene.lift_finger()
            if hint == RetryReason.LIFT_FINGER:
                return
            self.wait(_LIFTED_S)
        self.scene.lay_finger(finger)

    def _until_idle(self) -> None:
        deadline_s = self.clock() + _IDLE_LIMIT_S
        state = self.facade.state()
        while state.step != PanelStep.IDLE:
            if self.clock() > deadline_s:
                raise MusterError(f"The kiosk did not return to its start page; it shows {state.step!r}.")
            if state.step in (PanelStep.RESULT, PanelStep.HELP):
                self.facade.cancel()
            state = self.facade.wait(state.version, 0.5)
