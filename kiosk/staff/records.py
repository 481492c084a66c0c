"""What staff did, as events. Owns the names of the acts; refuses to perform one.

An act is recorded before its result is shown. Details are codes, counts and whole numbers: no name, no number of a
person, no PIN, no score outside of the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from kiosk.roster import Roster
from kiosk.staffing import StationTools
from models.attendance import Detail, EventType, Evidence, SignedEvent, Subject


class StaffAct(StrEnum):
    """What a STAFF event records, in its ``act``."""

    SIGN_IN = "sign_in"
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_OUT = "sign_out"
    WITNESS_REFUSED = "witness_refused"
    ENROLL = "enroll"
    RE_ENROLL = "re_enroll"
    ENROLL_SELF = "enroll_self"
    ENROLL_STOPPED = "enroll_stopped"
    HEALTH = "health"
    NOTICE_PRINTED = "notice_printed"
    TEST_SLIP = "test_slip"
    LIGHT = "light"
    EXPOSURE = "exposure"


@dataclass(frozen=True, slots=True)
class Acts:
    """Records acts in the journal of this kiosk."""

    tools: StationTools

    def record(
        self,
        act: StaffAct,
        *,
        staff_id: str | None,
        person_id: str | None = None,
        evidence: tuple[Evidence, ...] = (),
        **details: Detail | None,
    ) -> SignedEvent:
        """Store one act. A detail that is None is left out. Raises StoreError: then it did not happen."""
        roster: Roster = self.tools.fresh()
        draft = self.tools.recorder.draft(
            EventType.STAFF,
            person_id=person_id,
            evidence=evidence,
            policy_version=roster.policy.version,
            details=act_details(act, staff_id=staff_id, **details),
        )
        signed = self.tools.recorder.store(draft)
        self.tools.wake()
        return signed


def act_details(act: StaffAct, *, staff_id: str | None, **details: Detail | None) -> dict[str, Detail]:
    """The details of a STAFF event; those that are None are left out."""
    named = {"act": act.value, "staff_id": staff_id} | details
    return {name: value for name, value in named.items() if value is not None}


def of_subject(evidence: tuple[Evidence, ...], subject: Subject) -> tuple[Evidence, ...]:
    """The same comparisons, said to be of a staff member's face or finger."""
    return tuple(replace(item, subject=subject) for item in evidence)
