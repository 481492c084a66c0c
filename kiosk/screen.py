"""What the screen shows and what the person asks for. Owns the panel's facade; refuses to decide anything.

The matcher thread and the reporter write here, the panel's threads wait here. Requests travel the other way through a
small queue, so that a tap on the screen never runs in the middle of a comparison.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import cv2

from hardware.ports import Frame
from models.errors import DeviceError, RetryReason
from web.panel.facade import CenterLink, PanelChoice, PanelDevice, PanelFrame, PanelResult, PanelState, PanelStep

_PREVIEW_JPEG_QUALITY = 70
_PREVIEW_WIDTH_PX = 640
_MOST_REQUESTS = 16  # a stuck finger on the glass of the panel does not fill the memory


@dataclass(frozen=True, slots=True)
class Claim:
    """The person typed a number."""

    number: str

    def __repr__(self) -> str:  # a number never reaches a log
        return "Claim(...)"


@dataclass(frozen=True, slots=True)
class HelpAsked:
    """The person wants to see somebody."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The person goes back to the start."""


@dataclass(frozen=True, slots=True)
class CardClaim:
    """An ID card was laid on the reader; ``digest`` is the keyed digest of its number."""

    digest: str

    def __repr__(self) -> str:
        return "CardClaim(...)"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The person chose something that the screen offered. ``page`` is what it showed then (``Screen.page``)."""

    code: str
    page: str | None = field(default=None, compare=False)


OPEN, BACK, OUT = "open", "back", "out"  # what staff may wish for at any page; all else answers one


@dataclass(frozen=True, slots=True)
class StaffActed:
    """Somebody used the staff's pages. ``fields`` may hold a PIN."""

    act: str
    fields: Mapping[str, str]

    @property
    def answers(self) -> bool:
        """Whether it answers a page, so that it means nothing where that page is gone."""
        return self.act not in (OPEN, BACK, OUT)

    def __repr__(self) -> str:
        return f"StaffActed({self.act!r}, ...)"


_CARD_STEPS = frozenset({PanelStep.IDLE, PanelStep.APPROACH, PanelStep.CLAIM})
Request = Claim | CardClaim | Chosen | StaffActed | HelpAsked | Cancelled
FrameAfter = Callable[[int, float], Frame | None]


class Screen:
    """The state shown, its version, and the requests that came in. Implements ``web.panel.facade.PanelFacade``."""

    def __init__(self, *, simulated: bool = False) -> None:
        self._changed = threading.Condition()
        self._state = PanelState(version=1, step=PanelStep.IDLE, simulated=simulated)
        self._devices: dict[str, PanelDevice] = {}
        self._requests: queue.Queue[Request] = queue.Queue(_MOST_REQUESTS)
        self._frames: FrameAfter | None = None

    # what the station says

    def show(  # noqa: PLR0913 - a screen shows many things, each named
        self,
        step: PanelStep,
        *,
        hint: str | None = None,
        challenge: str | None = None,
        dot: tuple[float, float] | None = None,
        finger: str | None = None,
        result: PanelResult | None = None,
        tries_left: int | None = None,
        choices: tuple[PanelChoice, ...] = (),
        question: str | None = None,
        pages: int = 0,
        staff: Mapping[str, Any] | None = None,
    ) -> None:
        """Go to ``step``; whatever is not named is cleared. Nothing happens if nothing changes."""
        with self._changed:
            self._put(
                replace(
                    self._state,
                    step=step,
                    hint=hint,
                    challenge=challenge,
                    dot=dot,
                    finger=finger,
                    result=result,
                    pairing_code=None,
                    tries_left=self._state.tries_left if tries_left is None else tries_left,
                    choices=choices,
                    question=question,
                    pages=pages,
                    staff=staff,
                )
            )

    def show_pairing(self, code: str | None, *, hint: str | None = None) -> None:
        """The pairing page with the code to compare."""
        with self._changed:
            self._put(
                replace(self._state, step=PanelStep.PAIRING, pairing_code=code, hint=hint, result=None, finger=None)
            )

    def note_device(self, name: str, error: DeviceError | None) -> None:
        """One line about a device: fine, or what is wrong with it."""
        with self._changed:
            self._devices[name] = PanelDevice(name, error is None, error.code if error else None)
            self._put(replace(self._state, devices=tuple(self._devices[key] for key in sorted(self._devices))))

    def note_simulated(self) -> None:
        """Say for good that a device here is simulated."""
        with self._changed:
            self._put(replace(self._state, simulated=True))

    def note_center(self, link: CenterLink, pending: int) -> None:
        """How the center is, and how many records are not there yet."""
        with self._changed:
            self._put(replace(self._state, center=link, pending=pending))

    def attach_preview(self, frames: FrameAfter) -> None:
        """Where preview pictures come from."""
        self._frames = frames

    def next_request(self, timeout_s: float = 0.0) -> Request | None:
        """The oldest request not yet handled, None if there is none within ``timeout_s``."""
        try:
            return self._requests.get(timeout=timeout_s) if timeout_s > 0 else self._requests.get_nowait()
        except queue.Empty:
            return None

    def _put(self, state: PanelState) -> None:
        if state != self._state:
            self._state = replace(state, version=self._state.version + 1)
            self._changed.notify_all()

    # what the panel asks

    def state(self) -> PanelState:
        """The state now."""
        with self._changed:
            return self._state

    @property
    def page(self) -> str:
        """What a tap is an answer to: the step, and which question or receipt it shows."""
        shown = self.state()
        return f"{shown.step}/{shown.question}/{shown.result.receipt if shown.result else None}"

    def wait(self, after: int, timeout_s: float) -> PanelState:
        """Block until the version is above ``after`` or ``timeout_s`` has passed, then answer the state now."""
        with self._changed:
            self._changed.wait_for(lambda: self._state.version > after, timeout_s)
            return self._state

    def preview(self, after: int, timeout_s: float) -> PanelFrame | None:
        """The newest camera frame after number ``after``, None after ``timeout_s``."""
        if self._frames is None:
            time.sleep(min(timeout_s, 0.5))  # no camera: do not let the page spin
            return None
        frame = self._frames(after, timeout_s)
        return None if frame is None else PanelFrame(frame.sequence, jpeg(frame), frame.monotonic_ns)

    def claim(self, number: str) -> None:
        """The person typed ``number``."""
        self._ask(Claim(number))

    def choose(self, code: str) -> None:
        """The person chose ``code``."""
        self._ask(Chosen(code, self.page))

    def staff_act(self, act: str, fields: Mapping[str, str]) -> None:
        """Somebody uses the staff's pages."""
        self._ask(StaffActed(act, dict(fields)))

    def card_claim(self, digest: str) -> None:
        """A card was laid on the reader; ``digest`` stands for its number."""
        self._ask(CardClaim(digest))

    @property
    def waits_for_card(self) -> bool:
        """Whether a card that is laid on now begins a visit."""
        return self.state().step in _CARD_STEPS

    def hint_card(self, hint: str) -> None:
        """Say what to do with a card, as long as the screen waits for one."""
        with self._changed:
            if self._state.step in _CARD_STEPS:
                self._put(replace(self._state, hint=hint))

    def hint_lift(self, wanted: bool) -> None:
        """Say, or no longer say, at the start page that a finger must be lifted; another hint stays."""
        hint, other = (RetryReason.LIFT_FINGER, None) if wanted else (None, RetryReason.LIFT_FINGER)
        with self._changed:
            if self._state.step == PanelStep.IDLE and self._state.hint == other:
                self._put(replace(self._state, hint=hint))

    def ask_for_help(self) -> None:
        """The person wants to see somebody."""
        self._ask(HelpAsked())

    def cancel(self) -> None:
        """The person goes back to the start."""
        self._ask(Cancelled())

    def _ask(self, request: Request) -> None:
        try:
            self._requests.put_nowait(request)
        except queue.Full:  # sixteen taps are waiting: the person is heard already
            if isinstance(request, HelpAsked):  # but a call for help is not lost among them
                self.next_request()
                self._ask(request)


def jpeg(frame: Frame) -> bytes:
    """A frame as a small JPEG for the preview; it exists in memory only."""
    height, width = frame.pixels.shape[:2]
    pixels: Any = frame.pixels
    if width > _PREVIEW_WIDTH_PX:
        size = (_PREVIEW_WIDTH_PX, round(height * _PREVIEW_WIDTH_PX / width))
        pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    encoded, picture = cv2.imencode(
        ".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, _PREVIEW_JPEG_QUALITY]
    )
    if not encoded:
        raise DeviceError("The camera's picture cannot be encoded for the preview.")
    return bytes(picture)
