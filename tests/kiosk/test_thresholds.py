"""The kiosk's thresholds follow its own people, without anybody waiting for it."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import pytest

from hardware.ports import DeviceInfo
from kiosk.checkin import CheckIn
from kiosk.config import FingerConfig
from kiosk.finger_step import FingerStep
from kiosk.roster import Roster, SitePerson
from kiosk.thresholds import SLICE_S, SiteThresholds, basis_of
from kiosk.verdict import NUMBER_FIRST, Finding, Found, settle_both, settle_face
from kiosk.visit import Visit
from matcher.decision import Answer, Doubt, Identification, decide, identification_threshold
from matcher.engines import on_chip
from matcher.engines.minutiae import MinutiaeEngine
from matcher.engines.sface import SFaceEngine
from matcher.engines.vectors import to_payload
from matcher.site import LookAlike, ModalityCalibration, SiteCalibration
from models.attendance import CheckInOutcome, Method
from models.biometrics import Candidate, Modality, OperatingPoint, Reference, Template, TemplateFormat
from models.people import SupervisionLevel
from models.supervision import SitePolicy

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
SFACE = TemplateFormat("sface", 1)
MINUTIAE = MinutiaeEngine.format
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


class TriesAsked:
    """A face step that only notes how many tries it was given."""

    def __init__(self) -> None:
        self.tries: list[int] = []

    def knows(self, person: SitePerson) -> bool:
        return True

    def run(self, visit: Any, *, tries: int) -> Found:
        self.tries.append(tries)
        return Found(Finding.ABSENT)


@pytest.mark.parametrize(("level", "tries"), [("1", 1), ("3", 2)])
def test_a_claimed_face_has_one_try_where_a_finger_is_enough_and_more_where_both_are_demanded(
    level: str, tries: int
) -> None:
    policy = SitePolicy.from_json({"version": "v3", "levels": {"1": "either", "3": "both"}})
    person = SitePerson("p1", "1", "", True, (), (), 0, SupervisionLevel(level))
    face: Any = TriesAsked()
    nothing: Any = None
    checkin = CheckIn(face, face, nothing, nothing, nothing, nothing)
    checkin._look(Visit(Roster(1, policy, {"p1": person}), person, 3, nothing, nothing))
    assert face.tries == [tries]


class OneScore:
    """A sensor that gives every stored template the same score."""

    def convert(self, buffer: int) -> None:
        """Nothing is laid on."""

    def write_characteristics(self, buffer: int, characteristics: bytes) -> None:
        """Nothing is kept."""

    def match(self) -> int:
        return 200

    def submit(self, job: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(job(self))
        return answer


def test_a_finger_compared_on_the_sensor_is_watched_too_and_adds_to_nothing() -> None:
    pair = LookAlike("p1", "p2", Modality.FINGER, 0.5, 0.18)
    known = ModalityCalibration(MINUTIAE, None, None, 2, 1, 1, 0, 0)
    held = SiteThresholds(current=SiteCalibration(None, known, (pair,), NOW))
    sensor, nothing = OneScore(), cast(Any, None)
    info = DeviceInfo("s", "finger_sensor", "zfm", "simulated", simulated=True)
    step = FingerStep(
        MinutiaeEngine(), nothing, sensor, lambda: info, FingerConfig(), nothing, nothing, thresholds=held
    )
    stored = [
        Reference("r", person, Modality.FINGER, None, on_chip.wrap(bytes(on_chip.LENGTH)), 0.9, NOW)
        for person in ("p1", "p3")
    ]
    visit = Visit(Roster(1, POLICY, {}), None, 3, nothing, nothing)
    watched, other = (step._on_sensor(visit, [item]).answer for item in stored)
    assert Doubt.LOOK_ALIKE in watched.doubts
    assert other.matched
    assert Doubt.LOOK_ALIKE not in other.doubts
    assert (other.llr, other.vetoed) == (None, True)


class Finds:
    """A step that finds the same each time."""

    def __init__(self, found: Found) -> None:
        self.found, self.runs = found, 0

    def knows(self, person: SitePerson) -> bool:
        return True

    def run(self, visit: Any, *arguments: Any, tries: int) -> Found:
        self.runs += 1
        return self.found


def compared(face: Any, finger: Any) -> Any:
    """How a visit ends at a site where either suffices and level 3, which is p1's, needs both."""
    policy = SitePolicy.from_json({"version": "v3", "face_alone": True, "levels": {"3": "both"}})
    person = SitePerson("p1", "1", "", True, (), (), 0, SupervisionLevel("3"))
    nothing: Any = None
    checkin = CheckIn(face, finger, nothing, nothing, nothing, nothing)
    return checkin._compare(Visit(Roster(1, policy, {"p1": person}), None, 3, nothing, nothing))[0]


def test_the_visit_asks_whoever_is_found_for_what_that_persons_level_demands() -> None:
    finger = Finds(Found(Finding.ABSENT))
    settled = compared(Finds(matched()), finger)
    assert finger.runs == 1
    assert settled.outcome is CheckInOutcome.FAILURE_TO_ACQUIRE


def test_a_finger_that_finds_somebody_who_needs_both_ends_with_staff() -> None:
    settled = compared(Finds(Found(Finding.BROKEN)), Finds(matched()))
    assert (settled.outcome, settled.note) == (CheckInOutcome.REFERRED_TO_STAFF, "second_factor_missing")
