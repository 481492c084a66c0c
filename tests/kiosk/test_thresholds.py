"""The kiosk's thresholds follow its own people, without anybody waiting for it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from kiosk.roster import Roster, SitePerson
from kiosk.thresholds import SLICE_S, SiteThresholds, basis_of
from kiosk.verdict import NUMBER_FIRST, Finding, Found, settle_both, settle_face
from matcher.decision import Answer, Identification, decide, identification_threshold
from matcher.engines.sface import SFaceEngine
from matcher.engines.vectors import to_payload
from models.attendance import CheckInOutcome, Method
from models.biometrics import Candidate, Modality, OperatingPoint, Reference, Template, TemplateFormat
from models.people import SupervisionLevel
from models.supervision import SitePolicy

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SFACE = TemplateFormat("sface", 1)
POLICY = SitePolicy(version="v2", face_alone=True)
POINT = OperatingPoint(SFACE, 0.5, None, None, "test")


def references(count: int, *, twins: bool = False) -> list[Reference]:
    random = np.random.default_rng(1)
    made = []
    for person in range(count):
        vector = random.normal(size=128)
        owners = [f"p{person}", "twin"] if twins and person == 0 else [f"p{person}"]
        for owner, number in itertools.product(owners, range(3)):
            payload = to_payload((vector / np.linalg.norm(vector)).astype(np.float32))
            at = NOW + timedelta(days=number)
            made.append(Reference(f"{owner}-{number}", owner, Modality.FACE, None, Template(SFACE, payload), 0.9, at))
    return made


def thresholds(held: list[Reference], *, seconds: float = 0.0) -> SiteThresholds:
    """With a calibration of these references under way; each look at the clock takes ``seconds``."""
    made = SiteThresholds(face_engine=SFaceEngine.__new__(SFaceEngine))
    made.renew(held, now=NOW, seed=1, wanted_fpir=0.01)
    return made


def finish(made: SiteThresholds) -> int:
    slices = 0
    while made.pending:
        clock = itertools.count(0.0, SLICE_S)  # every step takes a whole slice
        made.work(lambda clock=clock: next(clock))  # type: ignore[misc]
        slices += 1
        assert slices < 1000
    return slices


def test_before_anything_is_compared_the_thresholds_are_those_that_ship() -> None:
    made = thresholds(references(5))
    point = made.point(Modality.FACE, SFACE, POLICY, people=5, claimed=False)
    assert point == identification_threshold(SFACE, POLICY.wanted_fpir, 5)
    assert made.weighing(Modality.FACE, SFACE) is not None
    assert made.current is None


def test_a_calibration_is_made_in_slices_and_then_used() -> None:
    made = thresholds(references(100, twins=True))
    assert finish(made) > 1
    assert made.current is not None
    weighing = made.weighing(Modality.FACE, SFACE)
    assert weighing is not None
    assert weighing.watched == {"p0", "twin"}


def test_a_new_roster_drops_what_was_under_way_and_keeps_what_was_in_force() -> None:
    made = thresholds(references(5, twins=True))
    finish(made)
    before = made.current
    made.renew(references(6), now=NOW, seed=2, wanted_fpir=0.01)
    assert made.current is before
    finish(made)
    assert made.current is not before
    assert made.current is not None
    assert not made.current.watched(Modality.FACE)


def test_references_that_cannot_be_compared_leave_the_thresholds_before() -> None:
    damaged = references(3)
    damaged[0] = Reference("r", "p9", Modality.FACE, None, Template(SFACE, b"short"), 0.9, NOW)
    made = thresholds(damaged)
    finish(made)
    assert made.current is None
    assert not made.pending


def test_the_evidence_names_scale_basis_and_doubts() -> None:
    point = OperatingPoint(SFACE, 4.5, 3.3e-4, None, "uncalibrated")
    basis = basis_of(decide((Candidate("p", "r", 4.6, similarity=0.5),), point))
    assert (basis.scale, basis.calibrated_on, basis.target_fmr) == ("spreads", "uncalibrated", 3.3e-4)
    assert basis.doubts == ("near_threshold", "uncalibrated")
    assert basis_of(decide((Candidate("p", "r", 0.9),), POINT)).scale == "similarity"


def matched(person: str = "p1") -> Found:
    return Found(Finding.COMPARED, Identification(Answer.MATCH, Candidate(person, "r1", 9.0), None, POINT))


def site(level: str | None, suffices: dict[str, str]) -> SitePolicy:
    policy = SitePolicy.from_json({"version": "v3", "face_alone": True, "levels": suffices})
    known = None if level is None else SupervisionLevel(level)
    person = SitePerson("p1", "1", "", True, (), (), 0, known)
    return Roster(1, policy, {"p1": person}).policy_for("p1")


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("1", (CheckInOutcome.ACCEPTED, "p1", None)),
        ("3", None),  # a finger is wanted now
        ("2", (CheckInOutcome.NOT_IDENTIFIED, None, NUMBER_FIRST)),
        (None, (CheckInOutcome.ACCEPTED, "p1", None)),
    ],
)
def test_the_level_of_the_person_found_says_what_suffices(level: str | None, expected: Any) -> None:
    policy = site(level, {"1": "either", "2": "claim_first", "3": "both"})
    settled = settle_face(policy, matched(), claimed=None, finger_possible=True)
    assert (settled and (settled.outcome, settled.person_id, settled.note)) == expected


def test_a_finger_alone_of_a_person_who_needs_both_ends_with_staff_and_not_as_refused() -> None:
    policy = site("3", {"3": "both"})
    settled = settle_both(policy, Found(Finding.BROKEN), matched(), claimed=None)
    assert (settled.outcome, settled.method) == (CheckInOutcome.REFERRED_TO_STAFF, Method.FINGER)
    assert settled.note == "second_factor_missing"
