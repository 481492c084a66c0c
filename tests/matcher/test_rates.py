"""Error rates: definitions, ties, extremes, and the size of a real impostor list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matcher.evaluation import rates
from models.errors import InputError

# Few distinct values, so that ties happen all the time.
scores = st.lists(st.integers(0, 12).map(lambda n: n / 10), min_size=1, max_size=40)


def brute_fmr(impostor: list[float], threshold: float) -> float:
    return sum(score >= threshold for score in impostor) / len(impostor)


def brute_fnmr(genuine: list[float], threshold: float) -> float:
    return sum(score < threshold for score in genuine) / len(genuine)


def brute_thresholds(genuine: list[float], impostor: list[float]) -> list[float]:
    return [*sorted({*genuine, *impostor}), float("inf")]


def test_a_score_equal_to_the_threshold_matches():
    assert rates.fmr_at([0.2, 0.5, 0.5, 0.9], 0.5) == 0.75
    assert rates.fnmr_at([0.2, 0.5, 0.5, 0.9], 0.5) == 0.25


def test_separated_scores_have_no_errors():
    genuine, impostor = [0.7, 0.8, 0.9], [0.1, 0.2]
    assert rates.eer(genuine, impostor) == 0
    assert rates.zero_fmr(genuine, impostor) == 0
    assert rates.fnmr_at_fmr(genuine, impostor, 1e-3) == 0


def test_reversed_scores_are_all_errors():
    assert rates.eer([0.1, 0.2], [0.8, 0.9]) == 1
    assert rates.zero_fmr([0.1, 0.2], [0.8, 0.9]) == 1


def test_constant_scores_have_the_error_of_a_coin():
    assert rates.eer([0.5] * 7, [0.5] * 3) == 0.5


def test_the_equal_error_rate_is_the_mean_of_the_bracketing_point_with_the_smaller_sum():
    # t = 0.5: FMR 2/4, FNMR 1/5.  t = 0.6: FMR 1/4, FNMR 2/5.  The second sum is smaller: (0.25 + 0.4) / 2.
    genuine, impostor = [0.4, 0.5, 0.7, 0.8, 0.9], [0.1, 0.2, 0.5, 0.6]
    assert rates.eer(genuine, impostor) == pytest.approx(0.325)


def test_a_tie_of_genuine_and_impostor_at_the_limit_counts_against_the_algorithm():
    """Refusing the impostor at 0.6 also refuses the genuine pair at 0.6."""
    assert rates.zero_fmr([0.6, 0.7], [0.1, 0.6]) == 0.5


def test_a_share_that_binary_cannot_hold_still_allows_its_whole_number_of_false_matches():
    impostor = np.arange(100) / 100
    assert rates.fnmr_at_fmr([0.705, 0.715], impostor, 0.29) == 0
    assert rates.fmr_at(impostor, rates.threshold_at_fmr(impostor, 0.29)) == 0.29


def test_a_failure_to_acquire_never_matches():
    assert rates.zero_fmr([-np.inf, 0.9], [0.1, -np.inf]) == 0.5
    assert rates.eer([-np.inf, 0.9], [-np.inf, -np.inf]) == 0.25


def test_when_every_impostor_may_match_no_genuine_pair_is_refused():
    assert rates.fnmr_at_fmr([0.0, 0.1], [0.5, 0.9], 1.0) == 0
    assert rates.threshold_at_fmr([0.5, 0.9], 1.0) == -np.finfo(np.float64).max


def test_what_was_not_acquired_never_matches_whatever_may():
    assert rates.fnmr_at_fmr([-np.inf, 0.9], [0.1, 0.2], 1.0) == 0.5
    assert rates.fnmr_at_fmr([-np.inf, 0.9], [-np.inf, -np.inf], 0.0) == 0.5
    assert rates.fnmr_at([-np.inf, 0.9], rates.threshold_at_fmr([-np.inf], 0.0)) == 0.5


@pytest.mark.parametrize(
    "genuine, impostor", [([], [0.1]), ([0.1], []), ([float("nan")], [0.1]), ([0.1], [float("nan")])]
)
def test_no_scores_and_no_numbers_are_refused(genuine, impostor):
    with pytest.raises(InputError):
        rates.eer(genuine, impostor)


@pytest.mark.parametrize("fmr", [-0.1, 1.1, float("nan")])
def test_a_rate_outside_zero_and_one_is_refused(fmr):
    with pytest.raises(InputError):
        rates.fnmr_at_fmr([0.1], [0.2], fmr)


def test_a_million_impostors_of_a_known_distribution_give_its_known_rates():
    """Uniform scores: FMR(t) = 1 - t and FNMR(t) = t / 2 meet at 2/3; FNMR at FMR 1e-3 is 0.999 / 2."""
    count = 1_400_000
    impostor = (np.arange(count) + 0.5) / count
    genuine = (np.arange(20_000) + 0.5) / 10_000
    np.random.default_rng(1).shuffle(impostor)
    assert rates.eer(genuine, impostor) == pytest.approx(1 / 3, abs=1e-4)
    assert rates.fnmr_at_fmr(genuine, impostor, 1e-3) == pytest.approx(0.4995, abs=1e-4)


@given(scores, scores)
def test_the_equal_error_rate_agrees_with_the_definition_written_out(genuine, impostor):
    points = [(brute_fnmr(genuine, t), brute_fmr(impostor, t)) for t in brute_thresholds(genuine, impostor)]
    before = [point for point in points if point[0] <= point[1]][-1:]  # none if even the lowest threshold errs more
    after = next(point for point in points if point[0] >= point[1])
    assert rates.eer(genuine, impostor) == pytest.approx(min(sum(point) for point in [*before, after]) / 2)


@given(scores, scores, st.floats(0, 1))
def test_the_rate_at_a_limit_is_the_best_over_all_thresholds_that_keep_it(genuine, impostor, limit):
    allowed = [t for t in brute_thresholds(genuine, impostor) if brute_fmr(impostor, t) <= limit + 1e-10]
    assert rates.fnmr_at_fmr(genuine, impostor, limit) == pytest.approx(min(brute_fnmr(genuine, t) for t in allowed))


@given(scores, st.floats(0, 1))
def test_the_threshold_for_a_rate_keeps_it_and_no_lower_one_does(impostor, limit):
    threshold = rates.threshold_at_fmr(impostor, limit)
    assert rates.fmr_at(impostor, threshold) <= limit + 1e-9
    if threshold > -np.finfo(np.float64).max:
        assert rates.fmr_at(impostor, float(np.nextafter(threshold, -np.inf))) > limit


@given(scores, scores)
def test_the_rates_move_against_each_other_from_end_to_end(genuine, impostor):
    curve = rates.det(genuine, impostor)
    assert (np.diff(curve.threshold) > 0).all()
    assert (np.diff(curve.fmr) <= 0).all()
    assert (np.diff(curve.fnmr) >= 0).all()
    assert (curve.fmr[-1], curve.fnmr[-1]) == (0, 1)


@given(scores, scores)
def test_exchanging_the_lists_and_the_sign_exchanges_nothing_but_the_names(genuine, impostor):
    mirrored = rates.eer([-score for score in impostor], [-score for score in genuine])
    assert rates.eer(genuine, impostor) == pytest.approx(mirrored, abs=1 / min(len(genuine), len(impostor)))
