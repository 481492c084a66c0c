"""Face and finger add up by decisions, never by summing weak scores, and must mean the same person."""

from __future__ import annotations

import itertools

import pytest

from matcher.decision import Identification, decide
from matcher.fusion import Verdict, finger_wanted, fuse
from models.attendance import Method
from models.biometrics import Candidate, OperatingPoint
from models.supervision import SecondFactor, SitePolicy
from tests.matcher.faces import SFACE

POINT = OperatingPoint(SFACE, 0.5, None, None, "test")
FACE_ALONE = SitePolicy(face_alone=True)
DEFAULT = SitePolicy()


def sure(person: str = "anna") -> Identification:
    return decide((Candidate(person, "r", 0.9),), POINT)


def doubtful(person: str = "anna") -> Identification:
    return decide((Candidate(person, "r", 0.51),), POINT)


def unknown() -> Identification:
    return decide((Candidate("anna", "r", 0.3),), POINT)


def test_a_sure_face_is_enough_only_where_the_policy_says_so() -> None:
    accepted = fuse(FACE_ALONE, face=sure())
    assert (accepted.verdict, accepted.person_id, accepted.method) == (Verdict.ACCEPTED, "anna", Method.FACE)
    assert fuse(DEFAULT, face=sure()).verdict is Verdict.FINGER_WANTED


def test_a_doubtful_face_asks_for_a_finger_even_there() -> None:
    assert fuse(FACE_ALONE, face=doubtful()).verdict is Verdict.FINGER_WANTED
    never = SitePolicy(face_alone=True, second_factor=SecondFactor.NEVER)
    assert fuse(never, face=doubtful()).verdict is Verdict.ACCEPTED


def test_face_and_finger_of_one_person_are_accepted_together() -> None:
    fused = fuse(DEFAULT, face=doubtful(), finger=sure())
    assert (fused.verdict, fused.person_id, fused.method) == (Verdict.ACCEPTED, "anna", Method.FACE_FINGER)


def test_face_and_finger_of_two_people_are_a_conflict() -> None:
    fused = fuse(DEFAULT, face=sure("anna"), finger=sure("bert"))
    assert (fused.verdict, fused.person_id) == (Verdict.CONFLICT, None)


def test_a_match_of_another_than_the_claimed_person_is_a_conflict() -> None:
    assert fuse(DEFAULT, finger=sure("bert"), claimed="anna").verdict is Verdict.CONFLICT


def test_a_claimed_finger_is_enough_by_default_and_not_where_two_are_always_wanted() -> None:
    fused = fuse(DEFAULT, finger=sure(), claimed="anna")
    assert (fused.verdict, fused.method) == (Verdict.ACCEPTED, Method.CLAIM_FINGER)
    always = SitePolicy(second_factor=SecondFactor.ALWAYS)
    assert fuse(always, finger=sure(), claimed="anna").verdict is Verdict.NOT_VERIFIED


def test_an_unknown_face_does_not_veto_a_finger_and_is_not_named_as_its_method() -> None:
    fused = fuse(DEFAULT, face=unknown(), finger=sure(), claimed="anna")
    assert (fused.verdict, fused.method) == (Verdict.ACCEPTED, Method.CLAIM_FINGER)


def test_a_sure_face_does_not_pay_for_a_wrong_finger() -> None:
    assert fuse(FACE_ALONE, face=sure(), finger=unknown()).verdict is Verdict.NOT_VERIFIED


def test_nobody_found_by_searching_is_asked_for_the_number() -> None:
    assert fuse(DEFAULT, face=unknown()).verdict is Verdict.CLAIM_WANTED
    assert fuse(DEFAULT, finger=unknown()).verdict is Verdict.NOT_IDENTIFIED


def test_a_claimed_person_whose_face_does_not_match_may_lay_a_finger() -> None:
    assert fuse(DEFAULT, face=unknown(), claimed="anna").verdict is Verdict.FINGER_WANTED
    assert fuse(DEFAULT, face=unknown(), claimed="anna", finger_available=False).verdict is Verdict.NOT_VERIFIED


def test_a_demanded_second_factor_is_never_waived_for_want_of_a_sensor() -> None:
    assert fuse(DEFAULT, face=sure(), finger_available=False).verdict is Verdict.NOT_VERIFIED


def test_before_anything_was_compared_there_is_no_method() -> None:
    assert fuse(DEFAULT).method is Method.NONE
    assert fuse(DEFAULT, claimed="anna").verdict is Verdict.FINGER_WANTED


@pytest.mark.parametrize("face_alone", [True, False])
@pytest.mark.parametrize("finger_alone", [True, False])
@pytest.mark.parametrize("second", list(SecondFactor))
def test_nobody_is_ever_accepted_without_a_match_of_exactly_that_person(
    face_alone: bool, finger_alone: bool, second: SecondFactor
) -> None:
    policy = SitePolicy(face_alone=face_alone, finger_alone=finger_alone, second_factor=second)
    answers = [None, unknown(), doubtful(), sure(), sure("bert")]
    for face, finger, claimed in itertools.product(answers, answers, [None, "anna"]):
        fused = fuse(policy, face=face, finger=finger, claimed=claimed)
        if fused.verdict is not Verdict.ACCEPTED:
            continue
        matched = {item.person_id for item in (face, finger) if item is not None and item.matched}
        assert matched == {fused.person_id}
        assert claimed in (None, fused.person_id)
        if second is SecondFactor.ALWAYS:
            assert fused.method in (Method.FACE_FINGER, Method.CLAIM_FACE_FINGER)
        if fused.method in (Method.FACE, Method.CLAIM_FACE):
            assert face is not None
            assert face_alone
            assert not finger_wanted(policy, face)
