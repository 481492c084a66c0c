"""Somebody before a kiosk, who sees the screen's state and touches the screen's facade. Owns the hands; refuses faults.

Reacts at once: what a visit takes is the kiosk's time, and that of walking up, turning the head and walking away. Every
receipt that was seen is written down, so that it can be held against the ledger.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hardware.ports import CardText
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.papers import Paper
from hardware.simulation.sam_v_module import invented_card
from hardware.simulation.scene import Scene
from kiosk.app import Kiosk
from models.errors import RetryReason
from tests.whole.crowd import STAFF, STAFF_NAME, STAFF_PIN, STRANGER, card_of, finger_of
from web.panel.facade import PanelHint, PanelState, PanelStep

_AGAIN_S = 4.0  # a prompt that nothing came of is obeyed once more
_LIFTED_S = 0.3
_LAY_AGAIN_S, _AWAY_S = 3.0, 1.5  # the sensor is asked twice a second whether a finger lies on it
_TAP_AGAIN_S = 0.9  # a tap that nothing came of is tapped again
_STAFF_AGAIN_S = 15.0
_PAGES_WITHIN_S = 25.0  # then the person takes the paper home again
_GIVE_UP_S = 75.0
_SHEETS = 4


@dataclass(slots=True)
class Told:
    """One visit as the person was told to make it.

    ``walks_away_at``: the step at which they leave. ``claims``: what is typed, ``card``: whose card is laid on, a
    number or a card's serial; ``lays``: whose finger. ``answers``: what is pressed at a question, ``errands`` what is
    chosen from the menu, ``pages`` of a written report. ``presses_help``: instead of anything else. ``vouches_for``: it
    is the staff member, who vouches for a number.
    """

    number: int
    shows: str | None = None
    behaviour: str = "approach"
    claims: str | None = None
    card: str | None = None
    lays: str | None = None
    walks_away_at: str | None = None
    swaps_at: str | None = None
    answers: list[str] = field(default_factory=lambda: ["no"])
    errands: list[str] = field(default_factory=list)
    pages: int = 1
    presses_help: bool = False
    vouches_for: str | None = None

    @property
    def by_finger_alone(self) -> bool:
        """Whether a finger is laid on before anything else."""
        return self.lays is not None and self.shows is None and self.claims is None and self.card is None


@dataclass(slots=True)
class Seen:
    """What came of it, as the person saw it."""

    steps: list[tuple[str, float]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    receipts: list[dict[str, Any]] = field(default_factory=list)
    taps: Counter[str] = field(default_factory=Counter)
    answered: int = 0
    staff_pages: list[str] = field(default_factory=list)
    swapped: bool = False
    gave_up: bool = False
    left_at: str | None = None  # the step at which the person turned away

    def note(self, state: PanelState, at_s: float) -> None:
        """Write down what the screen shows."""
        if not self.steps or self.steps[-1][0] != state.step:
            self.steps.append((str(state.step), round(at_s, 3)))
        if state.hint is not None and str(state.hint) not in self.hints:
            self.hints.append(str(state.hint))
        shown = state.result
        if shown is not None and shown.receipt and shown.receipt not in [item["receipt"] for item in self.receipts]:
            self.receipts.append({"receipt": shown.receipt, "outcome": str(shown.outcome), "errand": shown.errand})
        page = str((state.staff or {}).get("page", ""))
        if page and (not self.staff_pages or self.staff_pages[-1] != page):
            self.staff_pages.append(page)


class Person:
    """Whoever is before the kiosk. ``lay_card`` puts a card on the reader, ``take_card`` lifts it."""

    def __init__(
        self,
        scene: Scene,
        kiosk: Kiosk,
        visitors: dict[str, Any],
        *,
        lay_card: Callable[[CardText], None] = lambda card: None,
        take_card: Callable[[], None] = lambda: None,
    ) -> None:
        self._scene, self._kiosk, self._visitors = scene, kiosk, visitors
        self._lay_card, self._take_card = lay_card, take_card
        self._fingers: dict[str, SimulatedFinger] = {}
        self._sheets = [Paper(seed) for seed in range(_SHEETS)]
        self._heard: tuple[Any, ...] = ()
        self._heard_s = 0.0
        self._tapped: tuple[Any, ...] = ()
        self._tapped_s = 0.0
        self._laid_s = 0.0
        self._paper_s: float | None = None  # since when pages are being taken
        self._vouched = False

    def visit(self, told: Told) -> dict[str, Any]:
        """Make the visit; what was seen, with the steps' times, and how it ended."""
        screen, seen = self._kiosk.screen, Seen()
        self._until_idle(None)
        self._heard, self._heard_s, self._tapped, self._paper_s, self._vouched = (), 0.0, (), None, False
        began_s = time.monotonic()
        self._begin(told)
        state, begun = screen.state(), False
        seen.gave_up = True
        while time.monotonic() - began_s < _GIVE_UP_S:
            seen.note(state, time.monotonic() - began_s)
            begun = begun or state.step != PanelStep.IDLE
            over = (begun and state.step in (PanelStep.IDLE, PanelStep.HELP)) or self._turned_down(state, told)
            if over or told.walks_away_at == state.step:
                seen.gave_up, seen.left_at = False, str(state.step)
                break
            if told.swaps_at == state.step:
                told.swaps_at, seen.swapped = None, True
                self._scene.show(self._visitors["visitor_3"], "stand")
            self._obey(state, told)
            self._press(state, told, seen)
            state = screen.wait(state.version, 0.25)
        ended_s, hint = time.monotonic() - began_s, state.hint
        self._scene.leave()
        self._take_card()
        self._until_idle(seen)
        return {
            "steps": seen.steps,
            "hint": hint,
            "hints": seen.hints,
            "seconds": round(ended_s, 3),
            "receipts": seen.receipts,
            "taps": dict(seen.taps),
            "answered": seen.answered,
            "staff_pages": seen.staff_pages,
            "swapped": seen.swapped,
            "gave_up": seen.gave_up,
            "left_at": seen.left_at,
        }

    def _begin(self, told: Told) -> None:
        """Step up, type, lay on, press."""
        screen = self._kiosk.screen
        if told.shows is not None:
            self._scene.show(self._visitors[told.shows], told.behaviour)
        if told.claims is not None:
            screen.claim(told.claims)
        elif told.card is not None:
            self._lay_card(invented_card(int(told.card)) if len(told.card) < 4 else card_of(told.card))
        elif told.presses_help:
            screen.ask_for_help()
        elif told.vouches_for is not None:
            screen.staff_act("open", {})
        elif told.by_finger_alone:
            time.sleep(_AWAY_S)  # the kiosk sees the empty glass first
            self._lay_alone(told)

    def _lay_alone(self, told: Told) -> None:
        self._laid_s = time.monotonic()
        self._scene.lay_finger(self._finger(told.lays or STRANGER))

    def _finger(self, label: str) -> SimulatedFinger:
        if label not in self._fingers:
            self._fingers[label] = finger_of(label)
        return self._fingers[label]

    def _obey(self, state: PanelState, told: Told) -> None:
        """Do with head and finger what the screen asks."""
        now_s = time.monotonic()
        if state.step == PanelStep.CHALLENGE and state.challenge is not None:
            said = (state.challenge, state.dot, state.tries_left)
            if said != self._heard or now_s - self._heard_s > _AGAIN_S:
                self._heard, self._heard_s = said, now_s
                self._scene.challenge(state.challenge, dot=state.dot)
        elif state.step == PanelStep.FINGER:
            label = STAFF if told.vouches_for is not None else told.lays
            if label is not None:
                self._touch(state, self._finger(label))
        elif state.step == PanelStep.IDLE and told.by_finger_alone and now_s - self._laid_s > _LAY_AGAIN_S:
            self._scene.lift_finger()  # nothing happens: the kiosk has to see an empty glass first
            time.sleep(_AWAY_S)
            self._lay_alone(told)

    def _press(self, state: PanelState, told: Told, seen: Seen) -> None:
        """Press what the screen offers."""
        if state.step == PanelStep.RESULT:
            self._tap(state, "next")
        elif state.step == PanelStep.QUESTION:
            self._answer(state, told, seen)
        elif state.step == PanelStep.MENU:
            self._choose(state, told, seen)
        elif state.step == PanelStep.DOCUMENT:
            self._hand_in(state, told)
        elif state.step == PanelStep.STAFF:
            self._serve(state, told)

    def _tap(self, state: PanelState, code: str) -> bool:
        """Tap, once a page; again only if the page stays. Whether it is the first tap on this page."""
        page, now_s = (state.step, state.question, state.result, state.choices, code), time.monotonic()
        first = page != self._tapped
        if first or now_s - self._tapped_s > _TAP_AGAIN_S:
            self._tapped, self._tapped_s = page, now_s
            self._kiosk.screen.choose(code)
        return first

    def _answer(self, state: PanelState, told: Told, seen: Seen) -> None:
        """One answer a question, the last one to all that follow; "next" is none."""
        code = told.answers[0]
        if self._tapped and self._tapped[0] == PanelStep.QUESTION:
            asked, said = self._tapped[1], self._tapped[4]
            if asked == state.question:
                self._tap(state, said)
                return
            code = told.answers[-1]
        if self._tap(state, code) and code != "next":
            seen.answered += 1

    def _choose(self, state: PanelState, told: Told, seen: Seen) -> None:
        """The next errand that is offered; nothing more once none is left.

        An errand is crossed off when its tap is made: the page that follows is another one, or the same tap again.
        """
        self._paper_s = None
        if self._tapped and self._tapped[0] == PanelStep.MENU and self._tapped[3] == state.choices:
            self._tap(state, self._tapped[4])  # still the same page: nothing came of the tap yet
            return
        offered = [choice.code for choice in state.choices]
        code = "done"
        while told.errands and code == "done":
            wanted = told.errands.pop(0)  # of a pair, such as education in and out, what is offered
            code = next((item for item in offered if item in (wanted, f"{wanted}_in", f"{wanted}_out")), "done")
        seen.taps[code] += 1
        self._tap(state, code)

    def _hand_in(self, state: PanelState, told: Told) -> None:
        """Hold up page after page, then hand them in; whoever cannot hand in any goes on."""
        now_s = time.monotonic()
        self._paper_s = now_s if self._paper_s is None else self._paper_s
        if state.pages >= told.pages or now_s - self._paper_s > _PAGES_WITHIN_S:
            self._scene.lower_page()
            self._tap_page(state, "done")
            return
        if self._tap_page(state, "take"):
            self._scene.hold_page(self._sheets[(told.number + state.pages) % _SHEETS])

    def _tap_page(self, state: PanelState, code: str) -> bool:
        """As ``_tap``, but the number of pages tells one page from the next; an unclear one is taken again."""
        unclear = state.hint == PanelHint.PAGE_UNCLEAR
        page, now_s = (state.step, state.pages, None, unclear, code), time.monotonic()
        first = page != self._tapped
        if first or (code == "done" and now_s - self._tapped_s > _TAP_AGAIN_S):
            self._tapped, self._tapped_s = page, now_s
            self._kiosk.screen.choose(code)
        return first

    def _serve(self, state: PanelState, told: Told) -> None:
        """The staff member's way: in, vouch once, out."""
        view = dict(state.staff or {})
        page, now_s = str(view.get("page", "")), time.monotonic()
        if (page, view.get("hint")) == self._tapped and now_s - self._tapped_s < _STAFF_AGAIN_S:
            return
        self._tapped, self._tapped_s = (page, view.get("hint")), now_s
        codes = [str(item["code"]) for item in view.get("items", ())]
        labels = {item.get("label"): str(item["code"]) for item in view.get("items", ())}
        act, fields = "pick", {"code": codes[0] if codes else "ok"}
        if page == "who":
            fields = {"code": labels.get(STAFF_NAME[-1:], fields["code"])}
        elif page == "pin":
            act, fields = "pin", {"pin": STAFF_PIN}
        elif page == "number":
            act, fields = "number", {"number": told.vouches_for or ""}
        elif page == "home":
            act, fields = ("out", {}) if self._vouched else ("pick", {"code": "witness"})
            self._vouched = True
        elif page == "whom":
            fields = {"code": "by_number"}
        elif page == "here":
            fields = {"code": "was_here"}
        elif page == "reason":
            fields = {"code": "no_match"}
        self._kiosk.screen.staff_act(act, fields)

    @staticmethod
    def _turned_down(state: PanelState, told: Told) -> bool:
        """A number or card that nobody has; also where a finger is asked for instead of looking the number up."""
        claimed = told.claims is not None or told.card is not None
        if not claimed:
            return False
        if state.step == PanelStep.CLAIM and state.hint in (PanelHint.NUMBER_UNKNOWN, PanelHint.CARD_UNKNOWN):
            return True
        return state.step == PanelStep.FINGER and told.lays is None

    def _touch(self, state: PanelState, finger: SimulatedFinger) -> None:
        if state.hint is not None:
            self._scene.lift_finger()
            if state.hint == RetryReason.LIFT_FINGER:
                return
            time.sleep(_LIFTED_S)
        self._scene.lay_finger(finger)

    def _until_idle(self, seen: Seen | None) -> None:
        """Until the last person is out of the picture and the screen waits for the next."""
        began_s = time.monotonic()
        screen = self._kiosk.screen
        state = screen.state()
        while self._scene.present() and time.monotonic() - began_s < _GIVE_UP_S:
            if seen is not None:
                seen.note(screen.state(), time.monotonic() - began_s)
            time.sleep(0.02)
        state = screen.state()
        while state.step not in (PanelStep.IDLE, PanelStep.FAULT) and time.monotonic() - began_s < _GIVE_UP_S:
            if seen is not None:
                seen.note(state, time.monotonic() - began_s)
            if state.step not in (PanelStep.APPROACH, PanelStep.LOOK):
                screen.cancel()
            state = screen.wait(state.version, 0.5)
