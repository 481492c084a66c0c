"""From what was found to how a visit ends: a pure function. Owns the order of the rules; refuses devices and storage.

What was compared is judged by ``matcher.fusion``; here stands what follows when something could not be compared. A
missing second factor is never waived, and a person who cannot be compared is never recorded as refused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from matcher.decision import Identification
from matcher.fusion import Verdict, finger_suffices, finger_wanted, fuse, may_add_up
from models.attendance import CheckInOutcome, Evidence, Method
from models.supervision import SitePolicy


class Finding(StrEnum):
    """What looking for one modality came to."""

    COMPARED = "compared"
    NOT_ACQUIRED = "not_acquired"  # tried, never good enough
    ABSENT = "absent"  # nobody there, or nothing laid on
    ATTACK = "attack"
    UNDECIDED = "undecided"  # the presentation check came to no answer
    BROKEN = "broken"  # the device failed
    SKIPPED = "skipped"  # no device, or no reference to compare with


@dataclass(frozen=True, slots=True)
class Found:
    """One modality's finding with the evidence for it; ``identification`` only where something was compared."""

    finding: Finding
    identification: Identification | None = None
    evidence: tuple[Evidence, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether a comparison ended in a match."""
        return self.identification is not None and self.identification.matched


@dataclass(frozen=True, slots=True)
class Settled:
    """How the visit ends before the reporting rule is asked. ``note`` is a code, never a sentence."""

    outcome: CheckInOutcome
    person_id: str | None = None
    method: Method = Method.NONE
    note: str | None = None


NUMBER_FIRST = "number_first"  # a face that is known, of somebody whose number goes first

_WITHOUT_FACE = {
    Finding.NOT_ACQUIRED: (CheckInOutcome.FAILURE_TO_ACQUIRE, "face_not_acquired"),
    Finding.ABSENT: (CheckInOutcome.FAILURE_TO_ACQUIRE, "face_not_acquired"),
    Finding.UNDECIDED: (CheckInOutcome.REFERRED_TO_STAFF, "presentation_undecided"),
    Finding.BROKEN: (CheckInOutcome.REFERRED_TO_STAFF, "camera_failed"),
    Finding.SKIPPED: (CheckInOutcome.REFERRED_TO_STAFF, "face_not_available"),
}
_OUTCOMES = {
    Verdict.ACCEPTED: CheckInOutcome.ACCEPTED,
    Verdict.CLAIM_WANTED: CheckInOutcome.NOT_IDENTIFIED,
    Verdict.NOT_IDENTIFIED: CheckInOutcome.NOT_IDENTIFIED,
    Verdict.NOT_VERIFIED: CheckInOutcome.NOT_VERIFIED,
    Verdict.CONFLICT: CheckInOutcome.REFERRED_TO_STAFF,
    Verdict.SECOND_FACTOR_MISSING: CheckInOutcome.REFERRED_TO_STAFF,
}
_NOTES = {Verdict.CONFLICT: "modalities_conflict", Verdict.SECOND_FACTOR_MISSING: "look_alike"}  # enrolled or found


def settle_face(policy: SitePolicy, face: Found, *, claimed: str | None, finger_possible: bool) -> Settled | None:
    """How the visit ends after the face; None if a finger is wanted now.

    ``policy`` is that of the person the face is taken for, by that person's level of supervision.
    """
    if face.finding is Finding.ATTACK:
        return Settled(CheckInOutcome.ATTACK_SUSPECTED, claimed, note="presentation_failed")
    instead = finger_possible and finger_suffices(policy)
    if face.identification is None:
        if instead and (claimed is not None or face.finding in (Finding.BROKEN, Finding.SKIPPED)):
            return None
        outcome, note = _WITHOUT_FACE[face.finding]
        return Settled(outcome, claimed, note=note)
    return _after_comparing(policy, face.identification, claimed=claimed, finger_possible=finger_possible)


def _after_comparing(
    policy: SitePolicy, face: Identification, *, claimed: str | None, finger_possible: bool
) -> Settled | None:
    if face.matched and claimed is None and policy.claim_first:
        return Settled(CheckInOutcome.NOT_IDENTIFIED, None, Method.FACE, note=NUMBER_FIRST)
    if face.matched:
        wanted = finger_wanted(policy, face)
    else:
        wanted = claimed is not None and finger_possible and (finger_suffices(policy) or may_add_up(face))
    if wanted and finger_possible:
        return None
    if wanted:
        method = fuse(policy, face=face, claimed=claimed, finger_available=False).method
        return Settled(CheckInOutcome.REFERRED_TO_STAFF, face.person_id, method, "second_factor_missing")
    return _fused(policy, face, None, claimed)


def settle_both(policy: SitePolicy, face: Found, finger: Found, *, claimed: str | None) -> Settled:
    """How the visit ends after face (as far as it went) and finger."""
    if face.finding is Finding.ATTACK:  # whosever finger it was
        return Settled(CheckInOutcome.ATTACK_SUSPECTED, claimed, note="presentation_failed")
    if finger.identification is not None:
        alone = finger.matched and face.identification is None
        if alone and not finger_suffices(policy):  # a level that demands both, and no face could be compared
            method = fuse(policy, finger=finger.identification, claimed=claimed).method
            missing = "second_factor_missing"
            return Settled(CheckInOutcome.REFERRED_TO_STAFF, finger.identification.person_id, method, missing)
        return _fused(policy, face.identification, finger.identification, claimed)
    person = face.identification.person_id if face.identification is not None else None
    if face.identification is not None and not face.matched and finger.finding is not Finding.BROKEN:
        return _fused(policy, face.identification, None, claimed)
    method = fuse(policy, face=face.identification, claimed=claimed).method if face.identification else Method.NONE
    if finger.finding in (Finding.NOT_ACQUIRED, Finding.ABSENT):
        return Settled(CheckInOutcome.FAILURE_TO_ACQUIRE, person or claimed, method, "finger_not_acquired")
    note = "sensor_failed" if finger.finding is Finding.BROKEN else "finger_not_available"
    return Settled(CheckInOutcome.REFERRED_TO_STAFF, person or claimed, method, note)


def settle_left(policy: SitePolicy, face: Found, finger: Found, *, claimed: str | None) -> Settled | None:
    """How a visit ends that the person broke off; None if nothing was tried yet. Never with an acceptance."""
    if not face.evidence and not finger.evidence:
        return None
    if face.identification is None and finger.identification is None:
        settled = settle_face(policy, face, claimed=claimed, finger_possible=False)
    else:
        settled = settle_both(policy, face, finger, claimed=claimed)
    if settled is None or settled.outcome is CheckInOutcome.ACCEPTED:
        settled = Settled(CheckInOutcome.REFERRED_TO_STAFF, claimed)
    return replace(settled, note="broken_off")


def _fused(
    policy: SitePolicy, face: Identification | None, finger: Identification | None, claimed: str | None
) -> Settled:
    fused = fuse(policy, face=face, finger=finger, claimed=claimed, finger_available=False)
    return Settled(_OUTCOMES[fused.verdict], fused.person_id, fused.method, _NOTES.get(fused.verdict))
