"""Face and finger add up only for one and the same person, and neither pays for the other below its veto."""

from __future__ import annotations

import itertools
import math

import pytest

from matcher.decision import Doubt, Identification, Weighing, decide, second_factor_point
from matcher.fusion import Verdict, adds_up, finger_wanted, fuse
from matcher.likelihood import LikelihoodRatio
from models.attendance import Method
from models.biometrics import Candidate, OperatingPoint, TemplateFormat
from models.supervision import SecondFactor, SitePolicy

ENGINE = TemplateFormat("cosines", 1)
POINT = OperatingPoint(ENGINE, 0.5, None, None, "test")
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


FMR = 2.5e-4  # asks for a log-likelihood ratio of 8.3
STRICT = OperatingPoint(ENGINE, 0.5, FMR, None, "test")
RATIO = LikelihoodRatio(20.0, -5.0, 3000, 30_000, "test")  # 0.25 says nothing, 0.5 five, 0.65 eight
VETO = 0.35
BOTH = SitePolicy(face_alone=False, finger_alone=False, second_factor=SecondFactor.ALWAYS)


def weighed(score: float, person: str = "anna", *, watched: str = "", point: OperatingPoint = STRICT) -> Identification:
    return decide((Candidate(person, "r", score),), point, weighing=Weighing(RATIO, VETO, frozenset({watched})))


def test_a_finger_after_a_matching_face_brings_only_what_the_face_lacks() -> None:
    weighing = Weighing(RATIO, VETO)
    after_a_clear_face = second_factor_point(STRICT, weighing, weighed(0.60))  # 7 of 8.3: 1.3 are left, at 0.315
    assert after_a_clear_face.threshold == VETO
    after_a_narrow_face = second_factor_point(STRICT, weighing, weighed(0.50))  # 5 of 8.3: 3.3 are left
    assert after_a_narrow_face.threshold == pytest.approx(0.4147, abs=1e-3)
    assert "beside another modality" in after_a_narrow_face.dataset


def test_a_person_whose_finger_is_like_anothers_must_bring_a_whole_finger() -> None:
    watching = Weighing(RATIO, VETO, frozenset({"anna"}))
    assert second_factor_point(STRICT, watching, weighed(0.60)) == STRICT
    assert second_factor_point(STRICT, watching, weighed(0.60, "bert")).threshold < STRICT.threshold


def test_people_are_watched_where_nothing_is_known_of_the_scores() -> None:
    silent = Weighing(None, math.inf, frozenset({"anna"}))
    face = decide((Candidate("anna", "r", 0.99),), POINT, weighing=silent)
    assert (face.llr, face.vetoed, face.doubts & {Doubt.LOOK_ALIKE}) == (None, True, {Doubt.LOOK_ALIKE})
    assert fuse(FACE_ALONE, face=face).verdict is Verdict.FINGER_WANTED
    assert second_factor_point(STRICT, silent, weighed(0.60, "bert")) == STRICT


def test_the_veto_holds_however_perfect_the_face() -> None:
    perfect = weighed(1e6)
    point = second_factor_point(STRICT, Weighing(RATIO, VETO), perfect)
    assert point.threshold == VETO
    wrong_finger = weighed(VETO - 0.001, point=point)
    assert fuse(BOTH, face=perfect, finger=wrong_finger).verdict is Verdict.NOT_VERIFIED
    assert not adds_up(perfect, wrong_finger)


@pytest.mark.parametrize(
    "face",
    [
        None,
        weighed(0.45),  # did not match
        sure(),  # nothing is known of its scores
        weighed(0.60, watched="anna"),  # looks like somebody else
        decide((Candidate("anna", "r", 0.60), Candidate("bert", "r", 0.58)), STRICT, weighing=Weighing(RATIO, VETO)),
    ],
)
def test_a_face_that_proves_little_lowers_nothing(face: Identification | None) -> None:
    assert second_factor_point(STRICT, Weighing(RATIO, VETO), face) == STRICT


def test_a_threshold_that_no_rate_stands_behind_is_never_lowered() -> None:
    assert second_factor_point(POINT, Weighing(RATIO, VETO), weighed(0.9)) == POINT


def test_a_face_just_below_its_threshold_is_made_up_for_by_its_persons_finger_only() -> None:
    face = weighed(0.45)  # a log-likelihood ratio of 4
    assert not face.matched
    accepted = fuse(BOTH, face=face, finger=weighed(0.60), claimed="anna")
    assert (accepted.verdict, accepted.method) == (Verdict.ACCEPTED, Method.CLAIM_FACE_FINGER)
    weak = fuse(BOTH, face=weighed(0.36), finger=weighed(0.52), claimed="anna")  # 2.2 and 5.4 are not 8.3
    assert weak.verdict is Verdict.NOT_VERIFIED
    assert fuse(BOTH, face=face, finger=weighed(0.9, "bert"), claimed="anna").verdict is Verdict.CONFLICT
    assert not adds_up(face, weighed(0.9, "bert"))


def test_neither_a_vetoed_face_nor_a_look_alikes_adds_up() -> None:
    assert not adds_up(weighed(VETO - 0.001), weighed(0.9))
    assert not adds_up(weighed(0.45, watched="anna"), weighed(0.9))
    assert fuse(BOTH, face=weighed(VETO - 0.001), finger=weighed(0.9), claimed="anna").verdict is Verdict.NOT_VERIFIED


def test_a_look_alike_is_asked_for_the_second_factor() -> None:
    face = weighed(0.99, watched="anna")
    assert Doubt.LOOK_ALIKE in face.doubts
    assert fuse(FACE_ALONE, face=face).verdict is Verdict.FINGER_WANTED
    assert fuse(FACE_ALONE, face=weighed(0.99, watched="bert")).verdict is Verdict.ACCEPTED


def test_a_finger_that_is_like_anothers_is_not_enough_alone() -> None:
    finger = weighed(0.99, watched="anna")
    assert fuse(DEFAULT, finger=finger, claimed="anna").verdict is Verdict.SECOND_FACTOR_MISSING
    assert fuse(DEFAULT, face=sure(), finger=finger).verdict is Verdict.ACCEPTED


def test_a_finger_that_may_as_well_be_somebody_elses_is_not_enough_alone() -> None:
    """The search found two people alike: the first of them is only the first by name."""
    finger = decide((Candidate("anna", "r", 0.6), Candidate("bert", "s", 0.6)), POINT)
    assert Doubt.RUNNER_UP_CLOSE in finger.doubts
    assert fuse(DEFAULT, finger=finger).verdict is Verdict.SECOND_FACTOR_MISSING
    assert fuse(DEFAULT, face=sure(), finger=finger).verdict is Verdict.ACCEPTED
    assert fuse(DEFAULT, face=unknown(), finger=finger).verdict is Verdict.SECOND_FACTOR_MISSING


def test_where_the_number_goes_first_nobody_is_accepted_by_searching() -> None:
    first = SitePolicy(face_alone=True, identify_up_to=0)
    assert fuse(first, face=sure()).verdict is Verdict.CLAIM_WANTED
    assert fuse(first, face=sure(), claimed="anna").verdict is Verdict.ACCEPTED


@pytest.mark.parametrize("modality", ["face", "finger"])
def test_no_score_of_one_modality_buys_a_vetoed_one_of_the_other(modality: str) -> None:
    for strong, weak in itertools.product((0.5, 0.7, 1.0, 50.0), (-1.0, 0.0, 0.2, VETO - 1e-6)):
        scores = {"face": strong, "finger": weak} if modality == "face" else {"face": weak, "finger": strong}
        face = weighed(scores["face"])
        finger = weighed(scores["finger"], point=second_factor_point(STRICT, Weighing(RATIO, VETO), face))
        assert fuse(BOTH, face=face, finger=finger, claimed="anna").verdict is not Verdict.ACCEPTED
