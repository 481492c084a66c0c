"""Vouching for a person whom the kiosk did not recognise. Owns its rules; refuses to make it look like anything else.

For the visit that just ended unrecognised, or by number; of a visit that names nobody staff say whether it was this
person's. The witness's own face or finger, compared within the last minute, stands in the evidence; where the site's
policy asks for it a second staff member signs for it in the same way. The event is labelled so for ever. It counts for
the day like every check-in, and so it is refused where the day has one already, or outside of the site's hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from kiosk.checkin import WITNESS_WITHIN_S, CheckInResult
from kiosk.roster import SitePerson
from kiosk.staff.members import Right
from kiosk.staff.numbers import ask_number
from kiosk.staff.records import Acts, StaffAct, of_subject
from kiosk.staff.sign_in import SignedIn, SignIn
from kiosk.staff.talk import Back, Talk
from kiosk.today import today_of
from models.attendance import CheckInOutcome, Detail, EventType, Evidence, Method, Subject, Witness, format_time
from models.supervision import ReportVerdict, judge_report


class WitnessReason(StrEnum):
    """Why a staff member vouches."""

    NO_MATCH = "no_match"
    WORN_FINGERS = "worn_fingers"
    DEVICE_FAILED = "device_failed"
    INJURED = "injured"
    CANNOT_PERFORM_CHALLENGE = "cannot_perform_challenge"
    NO_REFERENCE = "no_reference"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Vouching:
    """Who is vouched for, and the visit that it is about, if there is one."""

    person: SitePerson
    visit: CheckInResult | None

    def moment(self, now: datetime) -> datetime:
        """When the person was here: at the visit, where there is one."""
        return now if self.visit is None else self.visit.at


@dataclass(frozen=True, slots=True)
class Witnessing:
    """The act. Used in the matcher thread."""

    sign_in: SignIn

    def run(self, talk: Talk, signed_in: SignedIn) -> None:
        """From the person's number to the signed event. Raises Back, Over, StoreError."""
        vouching = self._whom(talk)
        refused = self._refused(talk, vouching)
        if refused is not None:
            Acts(talk.tools).record(
                StaffAct.WITNESS_REFUSED, staff_id=signed_in.staff_id, person_id=vouching.person.person_id, why=refused
            )
            talk.say("witness_refused", why=refused)
            return
        shown: dict[str, Any] = {"number": vouching.person.number, "shown_name": vouching.person.shown_name[-1:]}
        reason = WitnessReason(talk.pick("reason", [reason.value for reason in WitnessReason], **shown))
        talk.pick("vouch", ["vouch"], reason=reason.value, **shown)
        signed_in = self.sign_in.fresh(talk, signed_in)
        evidence = of_subject(signed_in.evidence, Subject.WITNESS)
        second_id = None
        if talk.tools.fresh().policy_for(vouching.person.person_id).second_witness:
            second = self.sign_in.identify(talk, page="second", besides={signed_in.staff_id})
            if Right.WITNESS not in second.rights:  # a PIN alone, of whoever could be compared but has not enrolled
                talk.say("approval_needs_face")
                raise Back
            second_id = second.staff_id
            evidence += of_subject(second.evidence, Subject.SECOND_WITNESS)
        witness = Witness(signed_in.staff_id, reason.value, second_id)
        self._recorded(talk, vouching, witness, evidence)

    def _whom(self, talk: Talk) -> Vouching:
        """The person of the visit that just ended, or whoever has the number that is typed."""
        visit, roster = unrecognised(talk), talk.tools.fresh()
        person = roster.person(visit.person_id) if visit is not None else None
        if person is not None:
            name = person.shown_name[-1:]
            if talk.pick("whom", ["last", "by_number"], number=person.number, shown_name=name) == "last":
                return Vouching(person, visit)
        typed = ask_number(talk)
        if visit is None or visit.person_id not in (None, typed.person_id):
            return Vouching(typed, None)
        own = visit.person_id is not None or _was_here(talk, typed, visit)
        return Vouching(typed, visit if own else None)

    def _refused(self, talk: Talk, vouching: Vouching) -> str | None:
        """Why nobody may vouch for this person now; a code."""
        if not vouching.person.active:
            return "person_inactive"
        checkin = talk.tools.checkin
        now = checkin.clock.now()
        policy = talk.tools.fresh().policy_for(vouching.person.person_id)
        events = checkin.journal.lately(vouching.person.person_id, now)
        today = today_of(vouching.person, events, policy=policy, now=now)
        verdict = judge_report(policy, vouching.moment(now), today.reports)
        return None if verdict is ReportVerdict.DUE else verdict.value

    def _recorded(self, talk: Talk, vouching: Vouching, witness: Witness, evidence: tuple[Evidence, ...]) -> None:
        tools, person = talk.tools, vouching.person
        refused = self._refused(talk, vouching)  # a second witness may have taken a while
        if refused is not None:
            talk.say("witness_refused", why=refused)
            raise Back
        draft = tools.recorder.draft(
            EventType.WITNESSED_CHECK_IN,
            person_id=person.person_id,
            outcome=CheckInOutcome.WITNESSED,
            method=Method.WITNESS,
            evidence=evidence,
            policy_version=tools.fresh().policy.version,
            witness=witness,
            note=witness.reason,
            details=_about(vouching.visit),
        )
        signed = tools.recorder.store(draft)
        result = CheckInResult(
            CheckInOutcome.WITNESSED, person.person_id, Method.WITNESS, witness.reason, draft.captured_at, signed, {}
        )
        tools.checkin.unrecognised = None
        tools.checkin.show(tools.visit(person), result)
        tools.tell(result)
        talk.wait(tools.config.visit.result_s)


def unrecognised(talk: Talk) -> CheckInResult | None:
    """The last visit, if it ended unrecognised a short while ago."""
    last, now = talk.tools.checkin.unrecognised, talk.tools.checkin.clock.now()
    if last is None or last.signed is None or (now - last.at).total_seconds() > WITNESS_WITHIN_S:
        return None
    return last


def _was_here(talk: Talk, person: SitePerson, visit: CheckInResult) -> bool:
    """Whether a visit of which nobody knows whose it was is this person's: staff saw it, the kiosk did not."""
    shown: dict[str, Any] = {"number": person.number, "shown_name": person.shown_name[-1:], "at": format_time(visit.at)}
    return talk.pick("here", ["was_here", "was_not_here"], **shown) == "was_here"


def _about(visit: CheckInResult | None) -> dict[str, Detail]:
    if visit is None or visit.signed is None:
        return {"without_visit": True}
    return {"visit": str(visit.signed.body["event_id"])}
