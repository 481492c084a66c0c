"""What begins a visit and what does not: the lobby, with a clock of its own and nobody's pictures."""

from __future__ import annotations

from errand_parts import Steps

from kiosk.config import KioskConfig
from kiosk.lobby import Lobby
from kiosk.screen import Cancelled, Chosen, HelpAsked, Request, Screen
from matcher.gallery import Gallery


def test_a_second_tap_on_cancel_begins_no_visit() -> None:
    """The first one ended the visit; whoever still stands there is not looked at again for the second."""
    taps: list[Request] = [Cancelled(), Chosen("done"), HelpAsked()]
    screen = Screen()
    lobby = Lobby(
        KioskConfig(), screen, Gallery(), lambda: 0.0, lambda wait_s: taps.pop(0) if taps else None,
        fresh=lambda: None, over=lambda: False,  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    assert lobby.until_gone() == HelpAsked()
    assert lobby.until_gone() is None


def test_no_frame_does_not_mean_that_somebody_has_gone() -> None:
    """A camera that is slow for a second does not begin another visit of whoever still stands there."""
    time = Steps()

    class Slow:
        error = None

        def read(self, *, after: int, timeout_s: float) -> None:
            time.pass_s(timeout_s)

    def hear(wait_s: float) -> None:
        time.pass_s(wait_s)

    config = KioskConfig()
    lobby = Lobby(
        config, Screen(), Gallery(), lambda: time.ns / 1e9, hear, camera=Slow(), engine=object(),
        fresh=lambda: None, over=lambda: False,  # type: ignore[arg-type,return-value]
    )  # fmt: skip
    began_s = time.ns / 1e9
    assert lobby.until_gone() is None
    assert time.ns / 1e9 - began_s >= config.visit.leave_timeout_s
