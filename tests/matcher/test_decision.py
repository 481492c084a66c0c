"""Thresholds follow from what is wanted and what was measured; unknown is an answer; doubt is said aloud."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.calibration import Calibration, calibrate
from matcher.decision import (
    Answer,
    Doubt,
    decide,
    decide_verification,
    identification_threshold,
    required_fmr,
    shipped_weighing,
    verification_threshold,
    veto_threshold,
)
from matcher.scales import SCALES
from models.biometrics import Candidate, OperatingPoint, TemplateFormat
from models.errors import ConfigurationError, InputError
from tests.matcher.faces import NOW, SFACE

POINT = OperatingPoint(SFACE, 4.5, 1e-3, None, "uncalibrated")


def candidates(*scores: float) -> tuple[Candidate, ...]:
    return tuple(Candidate(f"person-{at}", f"reference-{at}", score) for at, score in enumerate(scores))


def plenty(highest: float = 0.6) -> Calibration:
    """100,000 impostor scores spread evenly below ``highest``."""
    return calibrate(
        SFACE, [highest * at / 100_000 for at in range(100_000)], calibrated_on=NOW, dataset="the site's own people"
    )


def test_the_required_fmr_is_the_fpir_shared_among_the_gallery() -> None:
    assert required_fmr(0.01, 1) == pytest.approx(0.01)
    assert required_fmr(0.01, 100) == pytest.approx(1e-4, rel=0.01)
    assert required_fmr(0.01, 0) == pytest.approx(0.01)


@pytest.mark.parametrize("fpir", [0.0, 1.0, -0.1, 2.0, float("nan")])
def test_an_impossible_fpir_is_refused(fpir: float) -> None:
    with pytest.raises(ConfigurationError):
        required_fmr(fpir, 10)


def test_an_uncalibrated_face_threshold_is_four_and_a_half_spreads_at_a_site() -> None:
    point = identification_threshold(SFACE, 0.01, 40)
    assert point.threshold == pytest.approx(4.5)
    assert point.calibrated_on is None
    assert point.dataset == "uncalibrated"


@pytest.mark.parametrize("name", sorted(SCALES))
def test_an_uncalibrated_threshold_rises_with_the_gallery_and_never_falls_below_the_floor(name: str) -> None:
    format = TemplateFormat(name, 1)
    thresholds = [identification_threshold(format, 0.01, size).threshold for size in (1, 10, 100, 1000, 10**5, 10**7)]
    assert thresholds == sorted(thresholds)
    assert thresholds[0] >= SCALES[name].floor
    assert thresholds[-1] == max(SCALES[name].floor, SCALES[name].steps[-1][1])


def test_a_calibration_moves_the_threshold_to_what_the_sites_people_show() -> None:
    low = identification_threshold(SFACE, 0.01, 20, plenty(0.3))
    high = identification_threshold(SFACE, 0.01, 20, plenty(0.8))
    assert low.threshold < 0.30
    assert high.threshold == pytest.approx(0.8, abs=0.001)
    assert (low.calibrated_on, low.dataset) == (NOW, "the site's own people")


def test_a_bigger_gallery_needs_a_higher_calibrated_threshold() -> None:
    small, large = (identification_threshold(SFACE, 0.01, size, plenty()).threshold for size in (5, 200))
    assert small < large


def test_too_few_pairs_never_lower_the_threshold_but_may_raise_it() -> None:
    few = calibrate(SFACE, [0.1, 0.2], calibrated_on=NOW, dataset="two pairs")
    assert identification_threshold(SFACE, 0.01, 40, few).threshold == 4.5
    alike = calibrate(SFACE, [6.4, 6.5, 6.6, 6.6, 6.6, 6.6], calibrated_on=NOW, dataset="six pairs")
    point = identification_threshold(SFACE, 0.01, 40, alike)
    assert point.threshold > 6.6
    assert point.calibrated_on is None


@pytest.mark.parametrize(
    ("pairs", "odd"),
    [*((pairs, 1) for pairs in (1, 3, 10, 45, 105, 190, 435, 12_100, 13_000)), (190, 2), (435, 3), (4950, 10)],
)
def test_a_few_odd_pairs_never_put_the_threshold_beyond_everybodys_reach(pairs: int, odd: int) -> None:
    scores = [1.0] * (pairs - odd) + [12.0] * odd
    found = calibrate(SFACE, scores, calibrated_on=NOW, dataset="with twins")
    for fpir, people in ((0.01, 10), (0.01, 40), (2.5e-4, 1), (2.5e-4, 2)):
        assert identification_threshold(SFACE, fpir, people, found).threshold < 5.5
    assert veto_threshold(SFACE, found) == veto_threshold(SFACE)


def test_a_calibration_of_another_engine_is_refused() -> None:
    with pytest.raises(InputError, match="says nothing of"):
        identification_threshold(TemplateFormat("dlib", 1), 0.01, 40, plenty())


def test_an_engine_nobody_measured_must_be_calibrated_first() -> None:
    with pytest.raises(ConfigurationError, match="calibrate it first"):
        identification_threshold(TemplateFormat("bought", 1), 0.01, 40)


def test_a_score_at_the_threshold_matches_and_one_below_is_unknown() -> None:
    at = decide(candidates(4.5), POINT)
    below = decide(candidates(4.4999), POINT)
    assert (at.answer, at.person_id) == (Answer.MATCH, "person-0")
    assert (below.answer, below.person_id) == (Answer.UNKNOWN, None)
    assert below.score == 4.4999


def test_nobody_to_compare_with_is_unknown_too() -> None:
    nobody = decide((), POINT)
    assert (nobody.answer, nobody.person_id, nobody.score) == (Answer.UNKNOWN, None, None)
    assert decide_verification(None, POINT).answer is Answer.UNKNOWN


def test_a_score_that_is_no_number_never_matches_and_adds_to_nothing() -> None:
    answer = decide(candidates(float("nan")), POINT, weighing=shipped_weighing(SFACE))
    assert not answer.matched
    assert answer.vetoed


def test_the_veto_lies_where_persons_scores_reach_its_rate_and_never_below_the_cautious_scale() -> None:
    assert veto_threshold(SFACE) == pytest.approx(4.0)
    assert veto_threshold(TemplateFormat("minutiae", 1)) == pytest.approx(0.102)


def test_rates_rarer_than_the_wanted_one_raise_nothing() -> None:
    found = calibrate(SFACE, [1.0] * 950 + [5.0] * 50, calibrated_on=NOW, dataset="x")
    assert found.surplus(((1e-1, 1.5), (1e-3, 2.0)), 1e-2) == 0.0
    assert found.surplus(((1e-1, 1.5), (1e-3, 2.0)), 1e-3) > 0.0


def test_a_match_near_the_threshold_wants_a_second_factor() -> None:
    near, clear = decide(candidates(4.8), POINT), decide(candidates(7.2), POINT)
    assert Doubt.NEAR_THRESHOLD in near.doubts
    assert near.second_factor_wanted
    assert clear.doubts == {Doubt.UNCALIBRATED}
    assert not clear.second_factor_wanted


def test_a_close_runner_up_wants_a_second_factor() -> None:
    twins = decide(candidates(7.2, 6.9), POINT)
    assert twins.doubts >= {Doubt.RUNNER_UP_CLOSE}
    assert twins.second_factor_wanted
    assert twins.runner_up == candidates(7.2, 6.9)[1]


def test_an_unknown_has_no_doubts_and_wants_nothing() -> None:
    assert not decide(candidates(3.6, 3.5), POINT).second_factor_wanted


def test_verifying_is_a_search_among_one() -> None:
    assert verification_threshold(SFACE, 1e-3) == identification_threshold(SFACE, 1e-3, 1)


@given(st.lists(st.floats(-1, 1), max_size=5), st.floats(0.01, 0.99))
def test_a_match_is_always_at_or_above_the_threshold(scores: list[float], threshold: float) -> None:
    ranked = candidates(*sorted(scores, reverse=True))
    answer = decide(ranked, OperatingPoint(SFACE, threshold, None, None, "t"))
    assert answer.matched == bool(scores and max(scores) >= threshold)
