"""Limits of rates measured on few people: what they rest on, and that they hold the truth."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import comb

import numpy as np
import pytest

from matcher.evaluation.bootstrap import curve, equal_error
from matcher.evaluation.breakdown import by_group, worst_genuine, worst_impostors
from matcher.evaluation.intervals import Basis, exact, exact_upper, percentiles, person_weights, rule_of_three
from matcher.evaluation.rates import eer, fmr_at, fnmr_at
from matcher.evaluation.results import Acquisition, ComparisonSet, SearchSet
from matcher.evaluation.search_rates import (
    fnir,
    fnir_by_size,
    forecast,
    fpir,
    fpir_by_size,
    fpir_from_pairs,
    gallery_sizes,
)
from models.errors import InputError
from tests.interval_coverage import RATES, coverage
from tests.matcher.report_parts import compared, searched


def pairs(people: int, impostor: dict[tuple[int, int], float], genuine: float = 5.0) -> ComparisonSet:
    """Every two people once with score 0 but for those named, and each person once against themselves."""
    first, second = np.triu_indices(people, 1)
    scores = [impostor.get((int(one), int(two)), 0.0) for one, two in zip(first, second, strict=True)]
    own = np.arange(people)
    return ComparisonSet(
        scores=np.array(scores + [genuine] * people),
        first=np.concatenate([first, own]),
        second=np.concatenate([second, own]),
        people=tuple(f"P{number}" for number in range(people)),
    )


def test_nothing_observed_among_a_hundred_people_leaves_three_percent() -> None:
    assert rule_of_three(100) == pytest.approx(0.03, rel=0.02)
    assert rule_of_three(1000) == pytest.approx(0.003, rel=0.01)


def test_the_exact_limit_is_where_so_few_errors_have_a_chance_of_one_in_twenty() -> None:
    for errors, trials in ((1, 20), (3, 50), (9, 400)):
        limit = exact_upper(errors, trials)
        chance = sum(comb(trials, k) * limit**k * (1 - limit) ** (trials - k) for k in range(errors + 1))
        assert chance == pytest.approx(0.05, abs=1e-6)


def test_all_failed_leaves_no_upper_limit_below_one() -> None:
    assert exact_upper(7, 7) == 1.0
    assert exact(7, 7).high == 1.0
    assert exact(7, 7).low > 0.5


def test_rates_of_the_curve_are_those_counted_on_the_scores() -> None:
    measured = compared(40)
    thresholds = [1.0, 2.5, 4.0, 6.5]
    found = curve(measured, thresholds, rounds=20)
    assert [one.rate for one in found.fmr] == [fmr_at(measured.impostor, at) for at in thresholds]
    assert [one.rate for one in found.fnmr] == [fnmr_at(measured.genuine, at) for at in thresholds]


def test_a_score_equal_to_the_threshold_matches_in_every_round() -> None:
    found = curve(pairs(6, {}), [0.0, 5.0, 5.1], rounds=20)
    assert found.drawn_fmr[:, 0].tolist() == [1.0] * 20
    assert found.drawn_fnmr[:, 1].tolist() == [0.0] * 20
    assert found.drawn_fnmr[:, 2].tolist() == [1.0] * 20


def test_a_round_weighs_each_pair_by_the_product_of_how_often_both_people_were_drawn() -> None:
    measured = compared(7, spread=1.0)
    threshold, seed = 1.0, 5
    found = curve(measured, [threshold], rounds=20, seed=seed)
    for counts, drawn in zip(person_weights(7, 20, seed), found.drawn_fmr[:, 0], strict=True):
        weight = {(one, two): counts[one] * counts[two] for one, two in combinations(range(7), 2)}
        scores = {(int(a), int(b)): s for a, b, s in zip(measured.first, measured.second, measured.scores, strict=True)}
        matched = sum(weight[pair] for pair in weight if scores[pair] >= threshold)
        assert drawn == pytest.approx(matched / sum(weight.values()))


def test_the_same_seed_gives_the_same_limits_and_another_seed_others() -> None:
    measured = compared(40)
    one, same, other = (curve(measured, [1.5], rounds=60, seed=seed).fmr[0] for seed in (1, 1, 2))
    assert one == same
    assert one.high != other.high


def test_one_person_who_resembles_everybody_widens_the_interval_far_beyond_as_many_scattered_pairs() -> None:
    people = 40
    wolf = pairs(people, {(0, other): 1.0 for other in range(1, people)})
    random = np.random.default_rng(2)
    every = list(combinations(range(people), 2))
    scattered = pairs(people, {every[at]: 1.0 for at in random.choice(len(every), people - 1, replace=False)})
    of_wolf, of_scattered = (curve(one, [0.5], rounds=400).fmr[0] for one in (wolf, scattered))
    assert of_wolf.rate == of_scattered.rate
    assert of_wolf.high > 1.5 * of_scattered.high
    assert of_wolf.low == 0.0 < of_scattered.low


def test_no_false_match_counts_two_people_as_one_independent_comparison() -> None:
    found = curve(pairs(8, {}), [1.0], rounds=20).fmr[0]
    assert (found.errors, found.trials, found.people, found.independent) == (0, 28, 8, 4)
    assert (found.basis, found.high) == (Basis.RULE_OF_THREE, rule_of_three(4))


def test_where_nothing_was_seen_a_looser_threshold_with_enough_false_matches_lends_its_limit() -> None:
    random = np.random.default_rng(1)
    first, second = np.triu_indices(60, 1)
    measured = pairs(
        60, {(int(a), int(b)): s for a, b, s in zip(first, second, random.normal(0, 1, 1770), strict=True)}
    )
    strict = curve(measured, [4.5], rounds=200).fmr[0]
    tenth = float(np.sort(measured.impostor)[-10])
    assert (strict.errors, strict.basis) == (0, Basis.NEIGHBOR)
    assert strict.high == curve(measured, [tenth], rounds=200).fmr[0].high < rule_of_three(30)


def test_a_rate_lies_inside_its_limits_and_limits_never_fall_with_a_looser_threshold() -> None:
    found = curve(compared(60), np.linspace(-2, 8, 50), rounds=100)
    assert all(one.low <= one.rate <= one.high for one in (*found.fmr, *found.fnmr))
    enough = [one.high for one in found.fmr if one.basis is Basis.BOOTSTRAP]
    assert enough == sorted(enough, reverse=True)


def test_nobody_to_compare_leaves_everything_open() -> None:
    alone = ComparisonSet(scores=[0.5, 0.7], first=[0, 0], second=[0, 0], people=("P1",))
    found = curve(alone, [0.6], rounds=20).fmr[0]
    assert np.isnan(found.rate)
    assert (found.low, found.high, found.basis) == (0.0, 1.0, Basis.NONE)


def test_a_failure_to_acquire_never_matches() -> None:
    measured = ComparisonSet(scores=[-np.inf, 0.9, 0.1], first=[0, 0, 0], second=[0, 0, 1], people=("P1", "P2"))
    found = curve(measured, [-1e30], rounds=20)
    assert found.fnmr[0].rate == 0.5
    assert found.fmr[0].rate == 1.0


def test_intervals_of_few_people_are_wider_than_plain_percentiles() -> None:
    drawn = np.random.default_rng(1).normal(size=4000)
    low, high = percentiles(drawn, 8)
    assert high - low > np.ptp(np.quantile(drawn, [0.025, 0.975])) * 1.1
    low, high = percentiles(drawn, 5000)
    assert high - low == pytest.approx(np.ptp(np.quantile(drawn, [0.025, 0.975])), rel=0.02)


def test_the_limits_of_the_equal_error_rate_hold_it() -> None:
    measured = compared(80, apart=3.0)
    low, high = equal_error(curve(measured, np.linspace(-3, 6, 120), rounds=200))
    assert 0 < low < eer(measured.genuine, measured.impostor) < high < 0.5


def test_an_equal_error_rate_of_which_nothing_was_observed_is_limited_by_the_rule_of_three() -> None:
    measured = compared(8, apart=40.0)
    assert eer(measured.genuine, measured.impostor) == 0.0
    assert equal_error(curve(measured, np.linspace(-3, 60, 120), rounds=50)) == (0.0, rule_of_three(4))


def test_intervals_hold_the_truth_on_synthetic_people_nine_times_in_ten() -> None:
    held = dict(zip(RATES, coverage(40, spread=0.35, draws=60, rounds=100, seed=8), strict=True))
    assert min(held[0.1] + held[0.01] + held[0.001]) >= 0.85


def test_galleries_drawn_from_the_measured_one_have_the_mean_rate_of_all_that_can_be_drawn() -> None:
    candidates = np.array([[5.0, 4.0, 1.0, 0.0], [2.0, 1.0, 1.0, 0.0], [5.0, 2.0, 0.0, 0.0]])
    found = SearchSet(
        mated_scores=[], mated_correct=[], mated_person=[], stranger_scores=candidates[:, 0],
        stranger_person=[0, 1, 2], gallery=4, people=("P1", "P2", "P3"), stranger_candidates=candidates,
    )  # fmt: skip
    counted = np.mean([[max(drawn) >= 3.0 for drawn in combinations(row, 2)] for row in candidates.tolist()])
    by_size = {one.gallery: one for one in fpir_by_size(found, 3.0, sizes=[1, 2, 4], rounds=20)}
    assert by_size[2].rate == pytest.approx(counted)
    assert by_size[4].rate == fpir(found, 3.0, rounds=20).rate == pytest.approx(2 / 3)
    assert not by_size[2].computed


def test_a_mated_search_misses_in_a_smaller_gallery_only_if_somebody_above_was_drawn() -> None:
    found = SearchSet(
        mated_scores=[6.0, 4.0], mated_correct=[False, True], mated_person=[0, 1], stranger_scores=[],
        stranger_person=[], gallery=5, people=("P1", "P2"), mated_own=[5.0, 4.0], mated_above=[1, 0],
    )  # fmt: skip
    by_size = {one.gallery: one.rate for one in fnir_by_size(found, 3.0, sizes=[1, 3, 5], rounds=20)}
    assert by_size == {1: 0.0, 3: pytest.approx(0.5 * 2 / 4), 5: 0.5}
    assert fnir(found, 3.0, rounds=20).rate == 0.5


def test_each_person_searching_the_others_gives_the_rate_of_single_comparisons() -> None:
    measured = pairs(5, {(0, 1): 1.0, (0, 2): 1.0})
    one, whole = fpir_from_pairs(measured, 0.5, sizes=[1, 4], rounds=20)
    assert one.rate == pytest.approx(fmr_at(measured.impostor, 0.5))
    assert whole.rate == pytest.approx(3 / 5)
    assert one.computed


def test_a_forecast_grows_as_if_errors_fell_evenly() -> None:
    known = fpir_by_size(searched(50, strangers=40), 3.0, sizes=[50], rounds=50)[0]
    same, double = forecast(known, sizes=[10, 50, 100])
    assert same.rate == pytest.approx(known.rate)
    assert 1 - double.rate == pytest.approx((1 - known.rate) ** 2)
    assert double.computed


def test_sizes_are_round_and_end_with_the_gallery() -> None:
    assert gallery_sizes(30) == [1, 2, 5, 10, 20, 30]
    assert gallery_sizes(1) == [1]


def test_strangers_who_came_often_weigh_as_one_person() -> None:
    scores = np.concatenate([np.full(90, 5.0), np.zeros(10)])
    person = np.concatenate([np.zeros(90), np.arange(1, 11)])
    found = SearchSet(
        mated_scores=[], mated_correct=[], mated_person=[], stranger_scores=scores, stranger_person=person,
        gallery=3, people=tuple(f"P{at}" for at in range(11)),
    )  # fmt: skip
    rate = fpir(found, 1.0, rounds=200)
    assert (rate.rate, rate.people) == (0.9, 11)
    assert rate.low < 0.05


def test_a_group_of_few_is_said_to_be_too_small_and_a_clear_difference_is_found() -> None:
    measured = compared(120)
    shifted = measured.scores.copy()
    inside = np.array([number < 60 for number in range(120)])
    shifted[inside[measured.first] & inside[measured.second] & ~measured.mated] += 2.0
    office = tuple("A" if number < 60 else "B" if number < 110 else "C" for number in range(120))
    rates = {one.value: one for one in by_group(replace(measured, scores=shifted, groups={"office": office}), 2.5)}
    assert rates["A"].distinct
    assert not rates["A"].few
    assert rates["C"].few
    assert not rates["C"].distinct
    assert [rates[name].people for name in "ABC"] == [60, 50, 10]


def test_people_of_unknown_group_are_in_none() -> None:
    groups = {"sex": tuple("F" if number < 20 else None for number in range(40))}
    assert [(one.value, one.people) for one in by_group(replace(compared(40), groups=groups), 3.0, rounds=20)] == [
        ("F", 20)
    ]


def test_worst_pairs_name_each_pair_once_worst_first() -> None:
    measured = ComparisonSet(
        scores=[0.2, 0.9, 0.8, 0.7, 0.95, 0.4, 0.3],
        first=[0, 0, 1, 1, 0, 1, 2],
        second=[1, 2, 0, 2, 0, 1, 2],
        people=("P1", "P2", "P3"),
    )
    assert [(one.first, one.second, round(one.score, 3)) for one in worst_impostors(measured)] == [
        ("P1", "P3", 0.9), ("P1", "P2", 0.8), ("P2", "P3", 0.7),
    ]  # fmt: skip
    assert [one.first for one in worst_genuine(measured, most=2)] == ["P3", "P2"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"scores": [0.1]},
        {"scores": [0.1, float("nan")]},
        {"second": [0, 2]},
        {"people": ("P1", "P1")},
        {"groups": {"sex": ("F",)}},
    ],
)
def test_sets_that_cannot_be_are_refused(wrong: dict[str, object]) -> None:
    right = {"scores": [0.1, 0.2], "first": [0, 1], "second": [1, 1], "people": ("P1", "P2")}
    ComparisonSet(**right)
    with pytest.raises(InputError):
        ComparisonSet(**right | wrong)


def test_more_failures_than_attempts_are_refused() -> None:
    with pytest.raises(InputError):
        Acquisition(people=("P1",), attempts=[2], failures=[3], enrolled=[True])
