"""What the panel may know and ask. Owns the port between the screen and the station; refuses everything else.

The screen sees codes, one character of a name and a receipt number: never a whole name, a person's number, an offence
or a category. The station implements ``PanelFacade``; the screen never imports the station.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from models.errors import RetryReason


class PanelStep(StrEnum):
    """What the screen shows now: one step, one question."""

    PAIRING = "pairing"
    IDLE = "idle"
    APPROACH = "approach"
    LOOK = "look"
    CHALLENGE = "challenge"
    CLAIM = "claim"
    FINGER = "finger"
    WORKING = "working"
    RESULT = "result"
    QUESTION = "question"
    MENU = "menu"
    DOCUMENT = "document"
    STAFF = "staff"
    HELP = "help"
    FAULT = "fault"


class PanelHint(StrEnum):
    """Hints beside ``RetryReason``: what the screen says besides how to stand or lay the finger."""

    TRY_AGAIN = "try_again"
    TURN_MORE = "turn_more"
    TURN_BACK = "turn_back"
    NUMBER_UNKNOWN = "number_unknown"
    UNCOVER_FACE = "uncover_face"
    CARD_UNKNOWN = "card_unknown"
    TOO_MANY_NUMBERS = "too_many_numbers"
    PAGE_NOT_SEEN = "page_not_seen"
    PAGE_UNCLEAR = "page_unclear"
    PAGE_TAKEN = "page_taken"
    HELP_ON_THE_WAY = "help_on_the_way"
    PAIRING_WAITING = "pairing_waiting"
    PAIRING_EXPIRED = "pairing_expired"
    PAIRING_REJECTED = "pairing_rejected"
    KIOSK_REVOKED = "kiosk_revoked"


class CenterLink(StrEnum):
    """How the station stands with the correction center."""

    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"
    UNPAIRED = "unpaired"


HINT_CODES = frozenset(hint.value for hint in (*RetryReason, *PanelHint))
CHALLENGE_CODES = (  # the person's own left and right
    "look_here",
    "turn_left",
    "turn_right",
    "look_up",
    "look_down",
    "follow_dot",
)
FINGER_CODES = tuple(
    f"{hand}_{name}" for hand in ("right", "left") for name in ("thumb", "index", "middle", "ring", "little")
)  # in the order of models.biometrics.FingerPosition 1..10
MOST_DIGITS = 20  # of a claimed number
CHOICE_CODES = frozenset({"yes", "no", "unsure", "next", "done", "take", "again"})
MOST_STAFF_FIELDS, LONGEST_STAFF_FIELD = 8, 64


class PanelDevice(NamedTuple):
    """One line about a device; ``code`` is a DeviceError's code when it is not ``ok``."""

    name: str
    ok: bool
    code: str | None = None


class PanelChoice(NamedTuple):
    """One thing that a person can choose. ``code`` is an Errand's value or "done"; ``due``: it is offered first."""

    code: str
    due: bool = False


class PanelFrame(NamedTuple):
    """One picture for the mirror. ``captured_ns`` is when the camera gave it, by this machine's monotonic clock."""

    number: int
    jpeg: bytes
    captured_ns: int


@dataclass(frozen=True, slots=True)
class PanelResult:
    """How a check-in ended, as far as a bystander may see it.

    ``outcome`` is a CheckInOutcome's value, ``shown_name`` the last character of the name (empty when nobody was
    identified), ``time`` RFC 3339 in UTC, ``receipt`` the receipt number, ``next_due`` an ISO date or time, if known.
    ``errand``: an Errand's value, or "presence", if something else than a report in person was recorded.
    """

    outcome: str
    shown_name: str
    time: str
    receipt: str
    next_due: str | None = None
    errand: str | None = None


@dataclass(frozen=True, slots=True)
class PanelState:
    """Everything the screen shows, at once. ``version`` grows by at least one with every change.

    ``hint`` is a RetryReason or PanelHint (at step ``fault`` also an error's code), ``challenge`` one of
    CHALLENGE_CODES, ``dot`` where the dot to follow is, as shares of the mirror from its left and top,
    ``finger`` one of FINGER_CODES, ``pairing_code`` twelve digits in groups, ``pending`` the number of records not yet
    at the center. ``choices`` is what step ``menu`` offers, ``question`` what step ``question`` asks, ``pages`` how
    many pages step ``document`` has photographed; ``staff`` is the view of the staff's pages, JSON values.
    """

    version: int
    step: str
    hint: str | None = None
    challenge: str | None = None
    dot: tuple[float, float] | None = None
    finger: str | None = None
    result: PanelResult | None = None
    pairing_code: str | None = None
    devices: tuple[PanelDevice | tuple[str, bool, str | None], ...] = ()
    center: str = CenterLink.UNPAIRED
    pending: int = 0
    simulated: bool = False
    tries_left: int = 3
    choices: tuple[PanelChoice, ...] = ()
    question: str | None = None
    pages: int = 0
    staff: Mapping[str, Any] | None = None


class PanelFacade(Protocol):
    """What the station offers its screen. All methods may be called from several threads at once."""

    def state(self) -> PanelState:
        """The state now."""
        ...

    def wait(self, after: int, timeout_s: float) -> PanelState:
        """Block until the version is above ``after`` or ``timeout_s`` has passed, then answer the state now."""
        ...

    def preview(self, after: int, timeout_s: float) -> PanelFrame | None:
        """The newest camera frame once its number is above ``after``; None after ``timeout_s``.

        Not mirrored: the page mirrors it, so that left is left for the person.
        """
        ...

    def claim(self, number: str) -> None:
        """The person typed ``number``: 1 to MOST_DIGITS digits. Whether it is known shows in the state."""
        ...

    def choose(self, code: str) -> None:
        """The person chose ``code``: of ``choices``, or one of CHOICE_CODES where the step asks for it."""
        ...

    def staff_act(self, act: str, fields: Mapping[str, str]) -> None:
        """Somebody uses the staff's pages; the station decides whether that is allowed."""
        ...

    def ask_for_help(self) -> None:
        """The person wants to see somebody."""
        ...

    def cancel(self) -> None:
        """The person goes back to the start; also leaves ``help`` and ``result``."""
        ...


def state_body(state: PanelState) -> dict[str, Any]:
    """The state as plain JSON values, as it is pushed to the page."""
    result = state.result
    return {
        "version": state.version,
        "step": str(state.step),
        "hint": state.hint and str(state.hint),
        "challenge": state.challenge,
        "dot": state.dot and list(state.dot),
        "finger": state.finger,
        "result": result
        and {
            "outcome": str(result.outcome),
            "shown_name": result.shown_name[-1:],  # a second lock: one character, whatever comes in
            "time": result.time,
            "receipt": result.receipt,
            "next_due": result.next_due,
            "errand": result.errand,
        },
        "pairing_code": state.pairing_code,
        "devices": [{"name": name, "ok": ok, "code": code} for name, ok, code in state.devices],
        "center": str(state.center),
        "pending": state.pending,
        "simulated": state.simulated,
        "tries_left": state.tries_left,
        "choices": [{"code": code, "due": due} for code, due in state.choices],
        "question": state.question,
        "pages": state.pages,
        "staff": state.staff and dict(state.staff),
    }
