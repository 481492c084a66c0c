"""The staff's desk at a kiosk: from the first tap to the sign-out. Owns the session; refuses each act's own rules.

::

    open ─> who ─> pin ─> own face or finger ─> home ─┬─> witness ─> home
                                                      ├─> enroll, enroll own references ─> home
                                                      ├─> health ─> test slip
                                                      ├─> notice ─> printed
                                                      └─> light ─> stored
    two minutes without a touch, signing out, another face for long, a new list without the member, the kiosk stops:
    ───────────────────────────────────────────────────────────────────────────> signed out (an event) ─> start page

While somebody is signed in the kiosk serves nobody else. Nothing of a session survives it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from kiosk.screen import OPEN, Request, StaffActed
from kiosk.staff.enrolling import Enrolling
from kiosk.staff.health import show_health
from kiosk.staff.lighting import calibrate_light
from kiosk.staff.members import Right
from kiosk.staff.onlooker import Onlooker
from kiosk.staff.parts import DeskParts
from kiosk.staff.printing import show_notice
from kiosk.staff.records import Acts, StaffAct
from kiosk.staff.sign_in import SignedIn, SignIn, still_there
from kiosk.staff.talk import Back, Over, Talk
from kiosk.staff.witnessing import Witnessing
from kiosk.staffing import StationTools
from kiosk.visit import ShuttingDown
from matcher.ports import FaceEngine
from models.biometrics import Modality, Template
from models.errors import DeviceError, InputError, StoreError, TemplateError

log = structlog.get_logger("kiosk.staff")

_WITH_SOMEBODY = frozenset({Right.WITNESS, Right.ENROLL})


@dataclass(slots=True)
class Session:
    """Somebody who is signed in, and the conversation with them."""

    talk: Talk
    signed_in: SignedIn
    onlooker: Onlooker | None

    def leave_to(self, somebody: bool) -> None:
        """Whether the signed-in face has to share the place before the kiosk with another one."""
        if self.onlooker is not None:
            self.onlooker.with_somebody = somebody
            self.onlooker.forget()


class Desk:
    """Implements ``kiosk.staffing.StaffDesk``."""

    def __init__(self, parts: DeskParts) -> None:
        self._parts = parts
        self._sign_in = SignIn(parts.back_off)

    def serve(self, request: StaffActed, tools: StationTools) -> Request | None:
        """Everything from opening the staff's pages to leaving them; what was asked for instead, if anything."""
        if request.act != OPEN:  # a tap of a session that is over
            return None
        talk = Talk(tools)
        try:
            signed_in = self._sign_in.run(talk)
        except Back:
            return None
        except Over as over:
            return over.request
        except StoreError as error:  # what cannot be recorded does not happen
            return _not_stored(talk, error)
        return self._session(talk, signed_in)

    def _session(self, talk: Talk, signed_in: SignedIn) -> Request | None:
        talk.shown_name = signed_in.member.shown_name
        session = Session(talk, signed_in, _onlooker(talk.tools, signed_in))
        if session.onlooker is not None:
            talk.stranger = session.onlooker
        why, request = "stopped", None
        try:
            while True:
                self._home(session)
        except Over as over:
            why, request = over.why, over.request
        finally:  # also when the kiosk stops
            self._signed_out(session, why)
        return request

    def _home(self, session: Session) -> None:
        """The choice of what to do, and doing it. Raises Over."""
        talk, rights = session.talk, session.signed_in.rights
        _expect_still_there(session)
        try:
            chosen = Right(talk.pick("home", [right.value for right in Right if right in rights], top=True))
        except Back:
            raise Over("sign_out") from None
        _expect_still_there(session)  # the list may have changed while the choice was on the screen
        session.leave_to(chosen in _WITH_SOMEBODY)
        try:
            self._act(chosen)(session)
        except Back:
            return
        except (StoreError, InputError) as error:
            log.error("staff_act_not_stored", act=chosen.value, code=error.code)
            _say(talk, "not_stored", error.code)
        except DeviceError as error:
            _say(talk, "device_failed", error.code)
        finally:
            talk.touched()
            session.leave_to(False)

    def _act(self, right: Right) -> Callable[[Session], None]:
        parts, sign_in = self._parts, self._sign_in
        acts: dict[Right, Callable[[Session], None]] = {
            Right.WITNESS: lambda session: Witnessing(sign_in).run(session.talk, session.signed_in),
            Right.ENROLL: lambda session: Enrolling(parts, sign_in).person(session.talk, session.signed_in),
            Right.ENROLL_SELF: lambda session: Enrolling(parts, sign_in).own(session.talk, session.signed_in),
            Right.HEALTH: lambda session: show_health(parts, session.talk, session.signed_in),
            Right.NOTICE: lambda session: show_notice(parts, session.talk, session.signed_in),
            Right.LIGHT: lambda session: calibrate_light(parts, session.talk, session.signed_in),
        }
        return acts[right]

    def _signed_out(self, session: Session, why: str) -> None:
        talk = session.talk
        seconds = round(talk.tools.checkin.clock.seconds() - session.signed_in.at_s)
        try:
            Acts(talk.tools).record(
                StaffAct.SIGN_OUT, staff_id=session.signed_in.staff_id, why=why, seconds=max(0, seconds)
            )
        except (StoreError, ShuttingDown) as error:  # the session ends nevertheless
            log.error("sign_out_not_stored", reason=type(error).__name__)


def _expect_still_there(session: Session) -> None:
    if not still_there(session.talk, session.signed_in.member):
        raise Over("withdrawn")


def _onlooker(tools: StationTools, signed_in: SignedIn) -> Onlooker | None:
    """Whoever watches that the face stays the same; None without a face of the own or a camera."""
    engine = tools.engine
    if engine is None:
        return None
    own = [
        item.template
        for item in signed_in.member.references
        if item.modality is Modality.FACE and item.template.format == engine.format and _compares(engine, item.template)
    ]
    return Onlooker(engine, own, tools.glance, tools.checkin.clock.seconds) if own else None


def _compares(engine: FaceEngine, template: Template) -> bool:
    """Whether it is whole; a damaged one was named in the log when it was compared for the sign-in."""
    try:
        engine.compare(template, template)
    except TemplateError:
        return False
    return True


def _not_stored(talk: Talk, error: StoreError) -> Request | None:
    log.error("staff_act_not_stored", act="sign_in", code=error.code)
    try:
        _say(talk, "not_stored", error.code)
    except Over as over:
        return over.request
    return None


def _say(talk: Talk, page: str, code: str) -> None:
    """A message; going back is understanding it, too."""
    try:
        talk.say(page, code=code)
    except Back:
        return
