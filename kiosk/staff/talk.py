"""The staff's pages: what is shown, what is answered, and when a session is over. Owns the waiting; refuses the acts.

A page is a code with plain values; its words are in the panel's translations. An act that comes back is one that the
page offered; everything else is not heard. Whoever goes back raises ``Back``; a session that ends raises ``Over``: on
signing out, after two minutes without a touch, or when somebody else's face has been before the kiosk for long.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from kiosk.screen import BACK, OUT, Cancelled, Claim, HelpAsked, Request, StaffActed
from kiosk.staffing import StationTools
from web.panel.facade import PanelStep

IDLE_S = 120.0
PICK, PIN, NUMBER, MORE = "pick", "pin", "number", "more"
_HEAR_S = 0.1
ITEMS_ON_A_PAGE = 6


class Back(Exception):  # noqa: N818 - a wish, not an error
    """One page back."""


class Over(Exception):  # noqa: N818 - an end, not an error
    """The session is over. ``why`` is a code; ``request`` is what somebody asked for instead."""

    def __init__(self, why: str, request: Request | None = None) -> None:
        super().__init__(why)
        self.why = why
        self.request = request


@dataclass(slots=True)
class Talk:
    """One conversation at the screen. ``stranger`` says whether it has to end because of who stands there."""

    tools: StationTools
    shown_name: str = ""  # of who is signed in
    stranger: Callable[[], bool] = lambda: False
    touched_s: float = field(init=False)

    def __post_init__(self) -> None:
        self.touched()

    def touched(self) -> None:
        """Somebody did something: the two minutes begin anew."""
        self.touched_s = self.tools.checkin.clock.seconds()

    def show(self, page: str, **view: Any) -> None:
        """Put a page on the screen; None values are left out."""
        values = {"page": page, "signed_in": self.shown_name} | view
        kept = {name: value for name, value in values.items() if value is not None}
        self.tools.checkin.screen.show(PanelStep.STAFF, staff=kept)

    def ask(
        self, page: str, acts: Collection[str], *, refresh: Callable[[], Mapping[str, Any]] | None = None, **view: Any
    ) -> StaffActed:
        """Show a page until one of ``acts`` comes. ``refresh`` gives what changes meanwhile. Raises Back, Over."""
        self.show(page, **view)
        while True:
            request = self.tools.hear(_HEAR_S)
            if request is None:
                self._still_here()
                if refresh is not None:
                    self.show(page, **(view | dict(refresh())))
                continue
            self.touched()
            act = self.heard(request)
            if act is not None and act.act in acts:
                return act

    def ask_digits(self, page: str, refused: int, *, hint: str) -> str:
        """What is typed on a page of the same name as its act and the act's field. Raises Back, Over.

        ``refused`` is how often that was in vain: shown with ``hint``, so that each refusal is news to the page.
        """
        news: dict[str, Any] = {"hint": hint, "refused": refused} if refused else {}
        return self.ask(page, {page}, **news).fields.get(page, "")

    def pick(
        self,
        page: str,
        codes: Collection[str],
        *,
        labels: Mapping[str, str] | None = None,
        refresh: Callable[[], Mapping[str, Any]] | None = None,
        **view: Any,
    ) -> str:
        """One of ``codes``, as large buttons, several pages of them if there are many. Raises Back, Over.

        ``labels`` are words for codes that have none in the translations.
        """
        listed, first = list(codes), 0
        here_most = ITEMS_ON_A_PAGE if len(listed) <= ITEMS_ON_A_PAGE else ITEMS_ON_A_PAGE - 1
        while True:
            here = listed[first : first + here_most]
            items = [{"code": code} | ({"label": labels[code]} if labels else {}) for code in here]
            items += [{"code": MORE}] if len(listed) > here_most else []
            code = self.ask(page, {PICK}, refresh=refresh, items=items, **view).fields.get("code", "")
            if code == MORE:
                first = first + here_most if first + here_most < len(listed) else 0
            elif code in here:
                return code

    def say(self, page: str, **view: Any) -> None:
        """A message, until it was read."""
        self.pick(page, ["ok"], **view)

    def drop_answers(self) -> None:
        """Forget what was tapped while the last answer was worked on: a second tap is no second answer.

        Raises Back, Over for what is more than an answer.
        """
        while (request := self.tools.hear(0.0)) is not None:
            self.heard(request)

    def wait(self, wait_s: float) -> None:
        """Leave what is on the screen there for a while, or until something is touched. Raises Over."""
        deadline = self.tools.checkin.clock.seconds() + wait_s
        while (left_s := deadline - self.tools.checkin.clock.seconds()) > 0:
            request = self.tools.hear(min(_HEAR_S, left_s))
            if request is not None:
                self.touched()
                try:
                    self.heard(request)
                except Back:
                    return
                return
        self.touched()

    def heard(self, request: Request) -> StaffActed | None:
        """An act; None for what means nothing here. Raises Back, Over."""
        if isinstance(request, Cancelled):
            raise Back
        if isinstance(request, Claim | HelpAsked):
            raise Over("other_request", request)
        if not isinstance(request, StaffActed):
            return None
        if request.act == BACK:
            raise Back
        if request.act == OUT:
            raise Over("sign_out")
        return request

    def _still_here(self) -> None:
        if self.tools.checkin.clock.seconds() - self.touched_s > IDLE_S:
            raise Over("timeout")
        if self.stranger():
            raise Over("other_face")
