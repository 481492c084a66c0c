"""Whoever stands before a whole kiosk and has nothing but its page: reads it, obeys it, presses what it shows.

The page is the kiosk's own in a real Chromium, the person is simulated before the simulated camera and sensor. What the
person does follows from what the page shows, never from the kiosk's state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from center_parts import Site, wait_until
from kiosk_parts import RunningKiosk
from staff_parts import ledger

from enrollment.notice import NOTICE_LINES
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.scene import Visitor
from models.attendance import AttendanceEvent
from web.panel.texts import load_texts

PANEL = {"enabled": True, "port": 0}
PATIENT = {"rest_s": 60.0, "away_after_s": 2.0, "challenge_timeout_s": 12.0, "finger_timeout_s": 8.0, "result_s": 1.0}
TEXTS: dict[str, Any] = load_texts("zh_CN")
PROMPTS = {words: code for code, words in TEXTS["challenge"].items()}
FINGERS = {TEXTS["finger_title"].format(finger=words): code for code, words in TEXTS["finger"].items()}
ARROWS = {"turn_left": "arrow-left", "turn_right": "arrow-right", "look_up": "arrow-up", "look_down": "arrow-down"}
LIFT = TEXTS["hint"]["lift_finger"]
READ_MS = 600  # a tap on what nobody can have read yet does not count (web/panel/static/steps/choices.js)
_OBEY_AGAIN_S = 4.0  # a prompt that nothing came of is obeyed once more
_TOUCHES = 2  # a glass that was not yet seen empty may hide the first one
_HELD_S, _LIFTED_S = 10.0, 2.0

# Since when the page asks what it asks now.
WATCH = """() => {
  let before = "";
  window.shownAt_ms = performance.now();
  const words = (id) => document.getElementById(id)?.textContent;
  new MutationObserver(() => {
    const now = [document.body.dataset.step, words("question-title"), words("result-receipt"), words("pages")].join();
    if (now !== before) [before, window.shownAt_ms] = [now, performance.now()];
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-step", "data-version"] });
}"""

REACHABLE = "(selector) => Boolean(document.querySelector(selector)?.checkVisibility({ visibilityProperty: true }))"

SEEN = """() => {
  const words = (selector) => {
    const node = document.querySelector(selector);
    return node && node.checkVisibility({ visibilityProperty: true }) ? node.textContent.trim() : "";
  };
  const [dot, hand] = [document.querySelector("#dot[data-on]"), document.getElementById("hand")];
  return {
    step: document.body.dataset.step,
    prompt: words("#camera-title"),
    arrows: [...document.querySelectorAll(".arrow[data-on]")].map((node) => node.id),
    dot: dot && [dot.style.left, dot.style.top].map((share) => (parseFloat(share) - 12) / 76),
    finger: words("#finger-title"),
    hint: words("main > section:not([hidden]) .hint span"),
    tries: words("main > section:not([hidden]) [data-tries]"),
    staff: document.getElementById("staff").dataset.page,
    hand: `${hand.dataset.hand}_${hand.querySelector("[data-on]")?.dataset.finger}`,
  };
}"""


class KioskPage:
    """The page, and the hands and the head of who stands before it."""

    def __init__(self, page: Any, running: RunningKiosk) -> None:
        self.page, self.running, self.scene = page, running, running.scene
        self.prompts: list[str] = []  # what the page asked the head to do, in order
        self._heard: tuple[Any, ...] = ()
        self._heard_s = 0.0
        self._asked_s: dict[str, tuple[float, float]] = {}  # by the tries left: when the first and last prompt was seen
        self._laid = False
        self._laid_at_tries = ""

    def seen(self) -> dict[str, Any]:
        """What can be seen at this moment."""
        seen: dict[str, Any] = self.page.evaluate(SEEN)
        return seen

    def sees(self, step: str) -> None:
        """Wait for this step."""
        self.page.wait_for_selector(f"body[data-step={step}] section[data-steps~={step}]:not([hidden])")

    def reads(self, selector: str, words: str) -> None:
        """Wait for these words at a place that can be seen."""
        self.page.locator(selector, has_text=words).first.wait_for(state="visible")

    def words(self, selector: str) -> str:
        """What stands there."""
        return str(self.page.inner_text(selector)).strip()

    def menu(self) -> list[str]:
        """What is offered, in order; wait for it."""
        self.sees("menu")
        codes: list[str] = self.page.eval_on_selector_all("#choices button", "all => all.map((n) => n.dataset.choose)")
        return codes

    # what hands do

    def press(self, selector: str) -> None:
        """Touch what is there."""
        self.page.click(selector)

    def reaches_for(self, selector: str) -> bool:
        """Touch at once what may be gone before the hand is there; whether it was there, and the kiosk heard of it."""
        if not self.page.evaluate(REACHABLE, selector):
            return False
        with self.page.expect_response("**/choose") as heard:
            self.page.dispatch_event(selector, "click")
        return bool(heard.value.ok)

    def read(self) -> None:
        """Look at what is asked for as long as it takes to read."""
        self.page.wait_for_function(f"() => performance.now() - window.shownAt_ms > {READ_MS}")

    def choose(self, code: str) -> None:
        """Read what is asked, then touch an answer."""
        self.read()
        self.page.click(f"section:not([hidden]) [data-choose={code}]:visible")

    def result(self, words: str) -> int:
        """Wait for a result with these words, go on from it; the number on its receipt."""
        self.sees("result")
        self.reads("#result-title", words)
        receipt = int(self.words("#result-receipt"))
        self.choose("next")
        return receipt

    def does(self, errand: str) -> int:
        """Choose an errand in the menu and read that it is recorded; its receipt's number."""
        assert errand in self.menu()
        self.choose(errand)
        return self.result(TEXTS["recorded"][errand])

    def type_number(self, number: str, pad: str = "#pad") -> None:
        """On the pad, one digit after the other."""
        for digit in number:
            self.page.click(f"{pad} [data-digit='{digit}']")
        self.page.click(f"{pad} [data-pad=enter]")

    def claim(self, number: str) -> None:
        """Type a number from the start page."""
        self.sees("idle")
        self.page.click("section[data-steps=idle] [data-do=number]")
        self.type_number(number)

    # what head and finger do

    def touches_the_sensor(self, finger: SimulatedFinger) -> None:
        """Lay a finger on at the start page, and once more if nothing comes of it, as people do, but no oftener."""
        for _ in range(_TOUCHES):
            self._lay(finger)
            if self._begins_within(_HELD_S):
                return
            self.lift()
            if self._begins_within(_LIFTED_S):
                return
        raise AssertionError(f"nothing came of {_TOUCHES} touches of the sensor")

    def _begins_within(self, limit_s: float) -> bool:
        """Whether the start page goes away."""
        deadline_s = time.monotonic() + limit_s
        while (idle := self.seen()["step"] == "idle") and time.monotonic() < deadline_s:
            self.page.wait_for_timeout(5)
        return not idle

    def does_as_told(self, *until: str, lays: Visitor | None = None) -> str:
        """Obey every prompt and lay the finger that is asked for until one of these steps is there; which one."""
        self._asked_s = {}

        def told() -> str | None:
            seen = self.seen()
            if seen["step"] in until:
                return str(seen["step"])
            if seen["step"] == "challenge":
                now_s = time.monotonic()
                self._asked_s[seen["tries"]] = self._asked_s.get(seen["tries"], (now_s, now_s))[0], now_s
                self._obey(seen)
            elif seen["step"] == "finger" and lays is not None:
                if seen["tries"] != self._laid_at_tries:
                    self.lift()
                self._laid_at_tries = seen["tries"]
                self.touch(lays, FINGERS.get(seen["finger"], "right_index"), seen["hint"])
            return None

        step = wait_until(told, 60.0)
        self.lift()
        return str(step)

    def looks_a_second(self, refused: AttendanceEvent) -> float:
        """How many pictures a second the witnesses saw of the first try of a visit that ended without an answer.

        Their number is in the event's evidence, which of several tries without an answer keeps the first one's.
        """
        began_s, last_s = next(iter(self._asked_s.values()))
        seen = [
            witness.measures["fresh"] + witness.measures["repeated"]
            for item in refused.evidence for witness in item.presentation if witness.witness == "frame_freshness"
        ]  # fmt: skip
        assert seen, "no witness saw anything"
        return max(seen) / max(last_s - began_s, 0.1)

    def stands_there(self, visitor: Visitor) -> None:
        """Take the place before the camera, and be on its newest picture."""
        camera = self.running.kiosk.camera
        assert camera is not None
        self.scene.show(visitor, "stand")
        before = camera.peek(-1, 0.0)
        wait_until(lambda: camera.peek(-1 if before is None else before.sequence + 1, 0.1))

    def leaves(self) -> None:
        """Walk away and see the start page come back."""
        self.scene.leave()
        self._laid = False
        self.sees("idle")

    def loads_again(self) -> None:
        """The page is reloaded, as a browser that was restarted does."""
        self.page.reload()
        self.page.wait_for_selector("body[data-link=live]")
        self.page.evaluate(WATCH)

    def _obey(self, seen: dict[str, Any]) -> None:
        kind, dot = PROMPTS.get(seen["prompt"]), seen["dot"]
        if kind is None or (kind == "follow_dot") != (dot is not None):
            return  # between two prompts
        assert seen["arrows"] in ([], [ARROWS.get(kind, "")])  # the arrow says what the words say
        heard, now_s = (kind, dot, seen["tries"]), time.monotonic()
        if heard == self._heard and now_s - self._heard_s < _OBEY_AGAIN_S:
            return
        self._heard, self._heard_s = heard, now_s
        self.prompts.append(kind)
        self.scene.challenge(kind, dot=tuple(dot) if dot else None)

    def touch(self, visitor: Visitor, finger: str, hint: str) -> None:
        """Lay a finger on, or lift it if the page says so."""
        if hint == LIFT:
            self.lift()
        elif not self._laid:
            self._lay(visitor.finger(finger))

    def _lay(self, finger: SimulatedFinger) -> None:
        self.scene.lay_finger(finger)
        self._laid = True

    def lift(self) -> None:
        """Take the finger away."""
        self.scene.lift_finger()
        self._laid = False


class StaffPage:
    """The same page in the hands of a staff member, who is ``visitor``."""

    def __init__(self, at: KioskPage, visitor: Visitor) -> None:
        self.at, self.page, self.visitor = at, at.page, visitor

    def sees(self, name: str, *, enrolling: Visitor | None = None) -> None:
        """Wait for this page of the staff's. Meanwhile do as told: the own finger, or those of who is enrolled."""

        def there() -> bool:
            seen = self.at.seen()
            if seen["step"] == "finger":
                self.at.touch(self.visitor, FINGERS.get(seen["finger"], "right_index"), seen["hint"])
            elif (seen["step"], seen["staff"]) == ("staff", "enroll_finger") and enrolling is not None:
                self.at.touch(enrolling, seen["hand"], seen["hint"])
            return (seen["step"], seen["staff"]) == ("staff", name)

        wait_until(there, 90.0)
        self.at.lift()

    def pick(self, code: str) -> None:
        """Touch one of the large buttons."""
        self.page.click(f"#staff-items [data-code={code}]")

    def type(self, digits: str) -> None:
        """PIN or number, on the pad."""
        self.at.type_number(digits, "#staff-pad")

    def sign_in(self, name: str, pin: str, *, by: str) -> None:
        """From the start page to the choice of what to do, by PIN and the own face or finger."""
        self.at.press("#language")
        self.at.press("#staff-entry")
        self.sees("who")
        self.page.locator("#staff-items button", has_text=name).click()
        self.sees("pin")
        if by == "face":
            self.at.scene.show(self.visitor, "stand")
        self.type(pin)
        self.sees("home")

    def names(self, page: str, number: str) -> None:
        """Choose what to do, then type whom for."""
        self.pick(page)
        self.sees("number")
        self.type(number)

    def tells_the_notice(self, last: str, *, print_it: bool = False) -> None:
        """Every line of it, and a print of it."""
        for line in range(1, NOTICE_LINES + 1):
            self.at.reads("#staff-notice", TEXTS["notice"][f"line_{line}"])
            if print_it and line == 1:
                self.pick("print")
                self.at.reads("#staff-hint", TEXTS["staff"]["hint"]["printed"])
            self.pick("next" if line < NOTICE_LINES else last)

    def leaves(self) -> None:
        """Sign out from the choice of what to do, and go."""
        self.at.press("#cancel")
        self.at.leaves()


def recorded(site: Site, running: RunningKiosk) -> list[tuple[str, str | None, str]]:
    """Type, outcome and method of what the center's ledger holds of this kiosk, in its order."""
    return [in_short(event) for event in ledger(site, running)]


def in_short(event: AttendanceEvent) -> tuple[str, str | None, str]:
    """An event's type, outcome and method."""
    return event.type.value, event.outcome and event.outcome.value, event.method.value


OpenPage = Callable[[RunningKiosk], KioskPage]
