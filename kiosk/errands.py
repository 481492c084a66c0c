"""What happens after an identification: the result, the office's questions, the menu, each errand in its own event.

::

    identified ──report due, or nothing known──> REPORT_IN_PERSON ──> result ──> questions ──> menu ──done──> idle
        └──something else is due──> menu ──errand──> its event ──> result ──> questions ──> menu ──done──> idle
                                     ├──done, or gone, with nothing recorded──> PRESENCE
                                     └──help──> HELP_REQUEST ──> help page

Every event carries the evidence of the visit's identification and, but for the first, the visit's first event in
``details.visit``. A person who walks away, or in whose place somebody else stands, ends the visit in any of these
steps; what was recorded stays. Refuses to compare: who stands here is ``kiosk.staying``'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from kiosk.checkin import HELP_ASKED, CheckIn, CheckInResult
from kiosk.config import KioskConfig
from kiosk.documents import DocumentDesk
from kiosk.questions import ask
from kiosk.recording import Recorder
from kiosk.screen import Cancelled, HelpAsked, Request
from kiosk.staying import PersonGone, Staying
from kiosk.verdict import Settled
from kiosk.visit import BrokenOff, Identified, Visit
from models.attendance import AttendanceEvent, CheckInOutcome, Detail, EventType, SignedEvent
from models.errands import Errand
from models.errors import ConfigurationError, RetryReason, StoreError
from web.panel.facade import PanelChoice, PanelHint, PanelStep

log = structlog.get_logger("kiosk.errands")

DONE, NEXT = "done", "next"
PRESENCE = EventType.PRESENCE.value
Tell = Callable[[CheckInResult], None]


class _NothingMoreToSay(Exception):  # noqa: N818 - the end of a visit, not an error
    """The visit ended with a page of its own, which stays up for a while."""


@dataclass(slots=True)
class Errands:
    """What a kiosk does for somebody whom it has identified. Lives in the matcher thread.

    ``tell`` is told of reports, ``wake`` of every other stored event, ``shown`` of an errand whose receipt the screen
    shows; ``documents`` is None without a camera.
    """

    checkin: CheckIn
    config: KioskConfig
    tell: Tell
    wake: Callable[[], None]
    documents: DocumentDesk | None = None
    shown: Tell = lambda result: None

    def serve(self, visit: Visit, result: CheckInResult | None) -> Request | None:
        """Everything until the visit is over; what was asked for instead, if anything.

        ``result`` is the report that was recorded already and stands on the screen, None if nothing is. Raises
        ShuttingDown; what was done until then is recorded.
        """
        known = visit.identified
        assert known is not None  # noqa: S101 - only identified visits come here
        here = self._staying(visit)
        try:
            self._walk(visit, known, here, reported=result is not None)
        except PersonGone as gone:
            log.info("person_gone", why=gone.why.value)
        except BrokenOff as broken:
            return self._broken_off(visit, known, here, broken.request)
        except _NothingMoreToSay:
            return self._last_page(here)
        finally:
            self._present(visit, known)
        return None

    def _walk(self, visit: Visit, known: Identified, here: Staying, *, reported: bool) -> None:
        """Result, questions, menu, and again, until nothing more is wanted."""
        if reported:
            self._stay_on_result(here)
            self._question(visit, known, here)
        while (errand := self._chosen(visit, known, here)) is not None:
            if self._done(visit, known, here, errand):
                self._stay_on_result(here)
                self._question(visit, known, here)
        if visit.first_event is None:
            signed = self._record(visit, self._draft(visit, known, EventType.PRESENCE))
            self._show_recorded(visit, known, signed, PRESENCE)
            self._stay_on_result(here)

    def _stay_on_result(self, here: Staying) -> None:
        """The receipt stays up for whoever stands there, and a while even if the person has left."""
        here.choice({NEXT, DONE}, least_s=self.config.visit.result_s)

    # the menu

    def _chosen(self, visit: Visit, known: Identified, here: Staying) -> Errand | None:
        """What the person wants next; None for nothing."""
        if all(errand is Errand.REPORT_IN_PERSON for errand in visit.roster.errands):
            return None
        try:
            offers = self.checkin.today(visit, known.person).choices(visit.roster.errands, known.person)
        except StoreError as error:
            raise self._stuck(visit, error.code) from error
        if self.documents is None:
            offers = tuple(item for item in offers if item[0] is not Errand.WRITTEN_REPORT)
        choices = (*(PanelChoice(errand.value, due) for errand, due in offers), PanelChoice(DONE))
        screen = self.checkin.screen
        screen.show(PanelStep.MENU, choices=choices)
        code = here.choice(
            {choice.code for choice in choices},
            unsure=lambda: screen.show(PanelStep.MENU, choices=choices, hint=RetryReason.LOOK_HERE.value),
        )
        return None if code == DONE else Errand(code)

    def _done(self, visit: Visit, known: Identified, here: Staying, errand: Errand) -> bool:
        """Do one errand and show how it ended; whether something was recorded."""
        self._check_valid(visit, known)
        if errand is Errand.HELP_REQUEST:
            raise BrokenOff(HelpAsked())
        if errand is Errand.REPORT_IN_PERSON:
            return self._report(visit, known)
        if errand is Errand.WRITTEN_REPORT:
            signed = self._written_report(visit, known, here)
        else:
            signed = self._record(visit, self._draft(visit, known, errand.event_type))
        if signed is not None:
            self._show_recorded(visit, known, signed, errand.value)
        return signed is not None

    def _report(self, visit: Visit, known: Identified) -> bool:
        try:
            outcome = self.checkin.outcome_now(visit, known)
        except StoreError as error:
            raise self._stuck(visit, error.code) from error
        result = self.checkin.conclude(visit, _settled(known, outcome), known.evidence)
        self.tell(result)
        if result.signed is None:
            visit.closed = True
            raise _NothingMoreToSay
        return True

    def _written_report(self, visit: Visit, known: Identified, here: Staying) -> SignedEvent | None:
        """Photograph the pages; None if none was handed in."""
        assert self.documents is not None  # noqa: S101 - else it is not offered
        pages = self.documents.photograph(visit, here)
        if not pages:
            return None
        self._check_valid(visit, known)
        draft = self._draft(visit, known, EventType.WRITTEN_REPORT)
        try:
            signed = self.documents.hand_in(self._recorder, draft, pages)
        except StoreError as error:
            raise self._stuck(visit, error.code) from error
        return self._recorded(visit, signed)

    # the questions

    def _question(self, visit: Visit, known: Identified, here: Staying) -> None:
        """Ask what the office wants to know, once a day; what was answered is recorded even if the person leaves."""
        if not visit.roster.questions or self._asked_today(visit, known):
            return
        answers: dict[str, Detail] = {}
        try:
            ask(visit.roster.questions, here, screen=self.checkin.screen, answers=answers)
        finally:
            if answers:
                draft = self._draft(visit, known, EventType.ANSWERS)
                self._record(visit, replace(draft, details={**draft.details, **answers}))

    def _asked_today(self, visit: Visit, known: Identified) -> bool:
        try:
            return EventType.ANSWERS in self.checkin.today(visit, known.person).done
        except StoreError as error:
            raise self._stuck(visit, error.code) from error

    # the events

    @property
    def _recorder(self) -> Recorder:
        return Recorder(self.checkin.journal, self.checkin.clock)

    def _draft(self, visit: Visit, known: Identified, kind: EventType) -> AttendanceEvent:
        details: dict[str, Detail] = {} if visit.first_event is None else {"visit": visit.first_event}
        return self._recorder.draft(
            kind,
            person_id=known.person.person_id,
            outcome=CheckInOutcome.ACCEPTED,
            method=known.method,
            evidence=known.evidence,
            policy_version=visit.roster.policy.version,
            details=details,
        )

    def _record(self, visit: Visit, draft: AttendanceEvent) -> SignedEvent:
        """Store an event. What cannot be stored was not done: then a person has to see to it."""
        try:
            signed = self._recorder.store(draft)
        except StoreError as error:
            raise self._stuck(visit, error.code) from error
        return self._recorded(visit, signed)

    def _recorded(self, visit: Visit, signed: SignedEvent) -> SignedEvent:
        if visit.first_event is None:
            visit.first_event = signed.event.event_id
        self.wake()
        return signed

    def _present(self, visit: Visit, known: Identified) -> SignedEvent | None:
        """Somebody was identified and nothing came of it: that they were here is recorded nevertheless."""
        if visit.first_event is not None or visit.closed:
            return None
        try:
            signed = self._recorder.store(self._draft(visit, known, EventType.PRESENCE))
        except StoreError:  # the recorder's log has it; nothing was promised to anybody
            visit.closed = True
            return None
        return self._recorded(visit, signed)

    def _show_recorded(self, visit: Visit, known: Identified, signed: SignedEvent, errand: str) -> None:
        event = signed.event
        receipt = f"{event.seq:06d}"
        outcome, person_id = CheckInOutcome.ACCEPTED, known.person.person_id
        self.checkin.show_result(visit, outcome, person_id, event.captured_at, receipt, errand=errand)
        self.shown(CheckInResult(outcome, person_id, known.method, None, event.captured_at, signed, {}))

    # the ends

    def _check_valid(self, visit: Visit, known: Identified) -> None:
        """Whoever lost all references while standing here does nothing more with them."""
        settled = self.checkin.still_valid(visit, _settled(known, CheckInOutcome.ACCEPTED))
        if settled.outcome is not CheckInOutcome.ACCEPTED:
            self.tell(self.checkin.conclude(visit, settled, known.evidence))
            visit.closed = True
            raise _NothingMoreToSay

    def _broken_off(self, visit: Visit, known: Identified, here: Staying, request: Request) -> Request | None:
        if not isinstance(request, HelpAsked):
            return None if isinstance(request, Cancelled) else request
        try:
            own = here.confirmed()
        except PersonGone:
            own = False
        return self._help(visit, known, here) if own else request  # else it is a visit of somebody unknown

    def _help(self, visit: Visit, known: Identified, here: Staying) -> Request | None:
        """Record that the person wants to see somebody, and say that somebody comes."""
        draft = self._draft(visit, known, EventType.HELP_REQUEST)
        try:
            self._record(visit, replace(draft, outcome=CheckInOutcome.REFERRED_TO_STAFF, note_code=HELP_ASKED))
        except _NothingMoreToSay:
            return self._last_page(here)
        self.checkin.screen.show(PanelStep.HELP, hint=PanelHint.HELP_ON_THE_WAY)
        return self._last_page(here, help_asked=True)

    def _last_page(self, here: Staying, *, help_asked: bool = False) -> Request | None:
        """Leave a page up that says how it ended for as long as somebody reads it; what was asked for instead.

        ``help_asked``: that is what it says, so asking again changes nothing.
        """
        while True:
            try:
                self._stay_on_result(here)
            except PersonGone as gone:
                log.info("person_gone", why=gone.why.value)
            except BrokenOff as broken:
                if help_asked and isinstance(broken.request, HelpAsked):
                    continue
                return None if isinstance(broken.request, Cancelled) else broken.request
            return None

    def _stuck(self, visit: Visit, code: str) -> _NothingMoreToSay:
        """The disk does not take it: say so, and that a person has to see to it."""
        visit.closed = True  # what could not be stored is not tried again under another name
        self.checkin.screen.show(PanelStep.HELP, hint=code)
        return _NothingMoreToSay()

    def _staying(self, visit: Visit) -> Staying:
        face = self.checkin.face
        if face is None:
            return Staying(visit, self.config.visit)
        try:
            return Staying(
                visit,
                self.config.visit,
                engine=face.engine,
                read=face.frames.read,
                near_width_share=self.config.face.near_width_share,
                probe=visit.probe,
            )
        except ConfigurationError as error:  # an engine of which nobody knows when two templates agree
            log.error("staying_unknown", reason=str(error))
            return Staying(visit, self.config.visit)


def _settled(known: Identified, outcome: CheckInOutcome) -> Settled:
    return Settled(outcome, known.person.person_id, known.method)
