"""One check-in, from a camera frame to a signed event on the disk, in the order in which it happens.

::

    idle ──face near──────────────┐                      ┌─claimed, no face──────────────┐
      └───number typed──> claim ──┴─> look ─> challenge ─> compare ─> finger <───────────┘
                            │          │         │            │          │
                            │          │         └─flat───────┼──────────┼──> attack_suspected
                            │          └─never good───────────┼──────────┼──> failure_to_acquire
                            │                                 ├──────────┼──> not_identified, not_verified
                            └─all references revoked──────────┼──────────┼──> reference_revoked
                                                              └────┬─────┘
                                                      reporting rule ──> accepted, already_present, outside_window
      device failed, second factor missing, help asked, disk full ──> referred_to_staff ──> witnessed (staff)

    every arrow to the right ends in ONE transaction (journal + outbox), then the screen, then the reporter

Three things are never mixed: a non-match is a value; what the person can fix becomes a hint; a device that fails is a
finding. ``method`` is set by the code that compared. Never more than ``policy.max_tries`` tries in a visit; a visit
that is broken off after a try is recorded too. ``already_present`` knows this kiosk's journal only: it works offline.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from kiosk.clock import Clock
from kiosk.dating import dated, judge_by
from kiosk.face_step import FaceStep
from kiosk.finger_step import FingerStep
from kiosk.journal import Journal
from kiosk.recording import Recorder
from kiosk.roster import RosterStore, SitePerson
from kiosk.screen import HelpAsked, Screen
from kiosk.thresholds import SiteThresholds
from kiosk.today import Today, today_of
from kiosk.verdict import NUMBER_FIRST, Finding, Found, Settled, settle_both, settle_face, settle_left
from kiosk.visit import BrokenOff, Identified, Visit
from matcher.fusion import finger_suffices
from matcher.presentation import TriesBefore
from models.attendance import (
    CheckInOutcome,
    EventType,
    Evidence,
    Method,
    SignedEvent,
    format_time,
)
from models.errands import next_report
from models.errors import StoreError
from models.supervision import ReportVerdict
from web.panel.facade import PanelHint, PanelResult, PanelStep

log = structlog.get_logger("kiosk.checkin")

HELP_ASKED = "help_asked"  # the note of a visit that ended because the person wants to see somebody
_IN_PASSING_S = 2.0  # a finger that was noticed on the sensor still lies there
WITNESS_WITHIN_S = 900.0  # a staff member vouches while the person still stands there
_RECOGNISED = frozenset({CheckInOutcome.ACCEPTED, CheckInOutcome.ALREADY_PRESENT, CheckInOutcome.OUTSIDE_WINDOW})
_BY_RULE = {
    ReportVerdict.DUE: CheckInOutcome.ACCEPTED,
    ReportVerdict.ALREADY_PRESENT: CheckInOutcome.ALREADY_PRESENT,
    ReportVerdict.OUTSIDE_WINDOW: CheckInOutcome.OUTSIDE_WINDOW,
}


@dataclass(frozen=True, slots=True)
class CheckInResult:
    """How a visit ended. ``signed`` is None if it could not be stored: then nothing was accepted either.

    ``timings_ms``: detect, presentation, template, compare, finger..., store, and ``total`` from the first good frame
    to the stored event.
    """

    outcome: CheckInOutcome
    person_id: str | None
    method: Method
    note: str | None
    at: datetime
    signed: SignedEvent | None
    timings_ms: dict[str, float]

    @property
    def receipt(self) -> str:
        """The number that the person can write down: the event's place in this kiosk's chain."""
        return "" if self.signed is None else f"{self.signed.event.seq:06d}"


@dataclass(slots=True)
class CheckIn:
    """The line. One object per kiosk, used by the matcher thread only."""

    face: FaceStep | None
    finger: FingerStep | None
    roster: RosterStore
    journal: Journal
    screen: Screen
    clock: Clock
    thresholds: SiteThresholds = field(default_factory=SiteThresholds)
    unrecognised: CheckInResult | None = None  # the last visit, if it ended in a staff member's hands

    def warm_up(self) -> None:
        """Load what the first visit would otherwise wait for."""
        if self.face is not None and self.roster.current.policy.challenge_required:
            self.face.make_check(TriesBefore())

    def run(self, visit: Visit) -> CheckInResult | None:
        """The visit until somebody is identified or cannot be; None if the person left before anything was tried, and
        if nothing is recorded yet of somebody who is ``visit.identified`` and came for something else than to report.

        Raises ShuttingDown, and BrokenOff when the person cancels or claims a number; what was tried until then is
        recorded and stands in its ``result``."""
        try:
            settled, evidence = self._compare(visit)
        except BrokenOff as broken:
            if not isinstance(broken.request, HelpAsked):
                broken.result = self._left(visit)
                raise
            settled = Settled(CheckInOutcome.REFERRED_TO_STAFF, visit.claimed_id, note=HELP_ASKED)
            evidence = visit.evidence
        if settled is None:
            return None
        return self.end(visit, settled, evidence)

    def _left(self, visit: Visit) -> CheckInResult | None:
        """Record a visit that was broken off after a try: nobody tries for ever without a trace."""
        policy = visit.roster.policy_for(visit.claimed_id)
        settled = settle_left(policy, visit.face, visit.finger, claimed=visit.claimed_id)
        return None if settled is None else self._store(visit, settled, visit.evidence)

    def end(self, visit: Visit, settled: Settled, evidence: tuple[Evidence, ...] = ()) -> CheckInResult | None:
        """The last part of the line: still valid, the reporting rule, one transaction, the screen. None as ``run``."""
        settled = self.still_valid(visit, settled)
        if settled.outcome is CheckInOutcome.ACCEPTED and settled.person_id is not None:
            settled, at_once = self._judged(visit, settled, evidence)
            if not at_once:
                return None
        return self.conclude(visit, settled, evidence)

    def conclude(self, visit: Visit, settled: Settled, evidence: tuple[Evidence, ...] = ()) -> CheckInResult:
        """Store how the visit ended, and show it."""
        result = self._store(visit, settled, evidence)
        self.show(visit, result)
        return result

    def _judged(self, visit: Visit, settled: Settled, evidence: tuple[Evidence, ...]) -> tuple[Settled, bool]:
        """What the reporting rule makes of an accepted comparison, and whether that is recorded at once."""
        person = visit.roster.person(settled.person_id)
        if person is None:
            return settled, True
        try:
            today = self.today(visit, person)
        except StoreError as error:
            log.error("journal_unreadable", code=error.code)
            return replace(settled, outcome=CheckInOutcome.REFERRED_TO_STAFF, note=error.code), True
        verdict = judge_by(visit.roster.policy, self.clock, today.reports, today.events)
        visit.identified = Identified(person, settled.method, evidence, _BY_RULE[verdict])
        self.unrecognised = None  # somebody was recognised since, though perhaps nothing is recorded yet
        # Where nobody can say what day it is nobody knows what is due, and no due report may be missed for that.
        nameless_day = self.clock.rule_now() is None and verdict is ReportVerdict.DUE
        at_once = nameless_day or today.begins_with_report(visit.roster.errands, person)
        return replace(settled, outcome=_BY_RULE[verdict]), at_once

    def outcome_now(self, visit: Visit, known: Identified) -> CheckInOutcome:
        """What a report of somebody who was identified counts as by now: whoever came in time is not late for having
        waited at the kiosk, and whoever came too early may have waited long enough. Raises StoreError.
        """
        if known.outcome is CheckInOutcome.ACCEPTED:
            return known.outcome
        today = self.today(visit, known.person)
        return _BY_RULE[judge_by(visit.roster.policy, self.clock, today.reports, today.events)]

    def today(self, visit: Visit, person: SitePerson) -> Today:
        """What this person did today. Raises StoreError."""
        wall = self.clock.now()
        now = self.clock.rule_now() or wall
        events = dated(self.journal.lately(person.person_id, min(now, wall)), self.clock)
        return today_of(person, events, policy=visit.roster.policy, now=now)

    def _compare(self, visit: Visit) -> tuple[Settled | None, tuple[Evidence, ...]]:
        """Face, then finger where policy or doubt asks for it."""
        person = visit.claimed
        if person is not None and (at_once := _cannot_compare(person)) is not None:
            return at_once, ()
        if visit.finger_first and self.finger is not None:
            return self._by_finger(visit, self.finger)
        face = self._look(visit)
        if face.finding is Finding.ABSENT and person is None:
            return None, ()  # nobody was compared: the first try already found nobody there
        suspect = person or visit.roster.person(face.identification.person_id if face.identification else None)
        possible = self._finger_possible(suspect) and visit.tries_left > 0
        policy = visit.roster.policy_for(suspect.person_id if suspect else None)
        settled = settle_face(policy, face, claimed=visit.claimed_id, finger_possible=possible)
        if settled is not None or self.finger is None:
            return settled, face.evidence
        finger = self.finger.run(visit, suspect, tries=visit.tries_left)
        if suspect is None and finger.identification is not None:
            policy = visit.roster.policy_for(finger.identification.person_id)
        settled = settle_both(policy, face, finger, claimed=visit.claimed_id)
        return settled, face.evidence + finger.evidence

    def _by_finger(self, visit: Visit, step: FingerStep) -> tuple[Settled | None, tuple[Evidence, ...]]:
        """Search for whose finger it is. One that was laid on unasked may be a touch in passing: that is nothing.

        But somebody whose finger was taken saw the kiosk begin: if the sensor fails then, staff are sent for.
        """
        finger = step.run(visit, None, tries=1, wait_s=None if visit.finger_asked else _IN_PASSING_S)
        broken = finger.finding is Finding.BROKEN
        taken = visit.finger_asked or visit.first_good_ns is not None
        if finger.finding is Finding.ABSENT or (broken and not taken):
            return None, ()
        if not finger.matched and not broken and visit.tries_left > 0:
            again = step.run(visit, None, tries=visit.tries_left)
            finger = again if again.identification is not None or finger.identification is None else finger
        policy = visit.roster.policy_for(finger.identification.person_id if finger.identification else None)
        face = Found(Finding.SKIPPED)
        if finger.matched and not finger_suffices(policy) and self.face is not None:
            face = self.face.run(visit, tries=max(1, visit.tries_left))
        return settle_both(policy, face, finger, claimed=None), finger.evidence + face.evidence

    def _look(self, visit: Visit) -> Found:
        """The face's part. A claimed person whose finger is enough gets one try with the face, then the finger; one of
        whom both are demanded all tries but the last, which is the finger's."""
        person = visit.claimed
        if self.face is None or (person is not None and not self.face.knows(person)):
            return Found(Finding.SKIPPED)
        if person is None or not self._finger_possible(person):
            return self.face.run(visit, tries=visit.tries_left)
        instead = finger_suffices(visit.roster.policy_for(person.person_id))
        return self.face.run(visit, tries=1 if instead else max(1, visit.tries_left - 1))

    def _finger_possible(self, person: SitePerson | None) -> bool:
        return self.finger is not None and (person is None or self.finger.knows(person))

    def still_valid(self, visit: Visit, settled: Settled) -> Settled:
        """``settled``, unless the person lost all references, or left the site, while standing here."""
        newest = self.roster.current
        if settled.outcome is not CheckInOutcome.ACCEPTED or newest is visit.roster:
            return settled
        person = newest.person(settled.person_id)
        if person is not None and person.active and not person.all_revoked:
            return settled
        return replace(settled, outcome=CheckInOutcome.REFERENCE_REVOKED, note="revoked_during_visit")

    def _store(self, visit: Visit, settled: Settled, evidence: tuple[Evidence, ...]) -> CheckInResult:
        """Sign and store in one transaction. What cannot be stored was not accepted."""
        recorder = Recorder(self.journal, self.clock)
        draft = recorder.draft(
            _kind(settled),
            person_id=settled.person_id,
            outcome=settled.outcome,
            method=settled.method,
            evidence=evidence,
            policy_version=visit.roster.policy.version,
            note=settled.note,
        )
        signed: SignedEvent | None = None
        try:
            with visit.timed("store"):
                signed = recorder.store(draft)
        except StoreError as error:  # the recorder's log has it
            settled = replace(settled, outcome=CheckInOutcome.REFERRED_TO_STAFF, note=error.code)
        if visit.first_good_ns is not None:
            visit.timings_ms["total"] = (self.clock.monotonic_ns() - visit.first_good_ns) / 1e6
        result = CheckInResult(
            settled.outcome,
            settled.person_id,
            settled.method,
            settled.note,
            draft.captured_at,
            signed,
            dict(visit.timings_ms),
        )
        if signed is None:
            visit.identified = None  # nothing was accepted either
        elif visit.first_event is None:
            visit.first_event = draft.event_id
        self.unrecognised = None if settled.outcome in _RECOGNISED else result
        return result

    def show(self, visit: Visit, result: CheckInResult) -> None:
        """The last page of a visit: neutral, one character of the name, the receipt."""
        if result.signed is None:
            self.screen.show(PanelStep.HELP, hint=result.note, tries_left=visit.tries_left)
            return
        if result.note == HELP_ASKED:
            self.screen.show(PanelStep.HELP, hint=PanelHint.HELP_ON_THE_WAY, tries_left=visit.tries_left)
            return
        if result.note == NUMBER_FIRST:
            self.screen.show(PanelStep.CLAIM, tries_left=visit.tries_left)
            return
        named = result.outcome in _RECOGNISED or result.outcome is CheckInOutcome.WITNESSED
        self.show_result(visit, result.outcome, result.person_id if named else None, result.at, result.receipt)

    def show_result(
        self,
        visit: Visit,
        outcome: CheckInOutcome,
        person_id: str | None,
        at: datetime,
        receipt: str,
        *,
        errand: str | None = None,
    ) -> None:
        """The result page. ``person_id`` None: nobody is named. ``errand``: what was recorded if it is no report."""
        person = visit.roster.person(person_id)
        shown = PanelResult(
            outcome=outcome.value,
            shown_name=person.shown_name if person else "",
            time=format_time(at),
            receipt=receipt,
            next_due=_next_due(visit, outcome, person, self.clock.rule_now()),
            errand=errand,
        )
        self.screen.show(PanelStep.RESULT, result=shown, tries_left=visit.tries_left)


def _next_due(visit: Visit, outcome: CheckInOutcome, person: SitePerson | None, now: datetime | None) -> str | None:
    """When to come again: the next opening for whoever came outside of one, else the person's own next report.

    Nothing if nobody can say what day it is: a wrong date is worse than none.
    """
    if now is None:
        return None
    if outcome is CheckInOutcome.OUTSIDE_WINDOW:
        return visit.roster.policy.next_opening(now).isoformat()
    due = next_report(person.due, visit.roster.policy.local_day(now)) if person else None
    return due.isoformat() if due else None


def _kind(settled: Settled) -> EventType:
    if settled.note == HELP_ASKED:
        return EventType.HELP_REQUEST
    return EventType.REPORT_IN_PERSON if settled.outcome in _RECOGNISED else EventType.FAILED_ATTEMPT


def _cannot_compare(person: SitePerson) -> Settled | None:
    """Why a claimed person is not compared at all; None if comparing makes sense."""
    if not person.active:
        return Settled(CheckInOutcome.REFERRED_TO_STAFF, person.person_id, note="person_inactive")
    if person.all_revoked:
        return Settled(CheckInOutcome.REFERENCE_REVOKED, person.person_id, note="all_references_revoked")
    if not person.has_face and not person.has_finger:
        return Settled(CheckInOutcome.REFERRED_TO_STAFF, person.person_id, note="not_enrolled")
    return None
