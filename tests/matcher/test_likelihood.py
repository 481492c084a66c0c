"""A likelihood ratio claims no more than what was compared can carry, and says how good it is."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.likelihood import LikelihoodRatio, cllr, fit, min_cllr, pav_llrs
from models.errors import InputError


def drawn(genuine: int = 4000, impostor: int = 4000, *, apart: float = 4.0) -> tuple[np.ndarray, np.ndarray]:
    """Two normal distributions of spread 1: the true log-likelihood ratio is apart * (score - apart / 2)."""
    random = np.random.default_rng(1)
    return random.normal(apart, 1, genuine), random.normal(0, 1, impostor)


def test_the_fit_finds_the_ratio_that_made_the_scores() -> None:
    found = fit(*drawn(), source="drawn")
    for score in (1.5, 2.0, 2.5, 3.0):
        assert found.slope * score + found.offset == pytest.approx(4 * (score - 2), abs=0.7)


def test_no_score_claims_more_than_the_comparisons_can_carry() -> None:
    genuine, impostor = drawn(60, 300)
    found = fit(genuine, impostor, source="few")
    assert found.llr(1e9) == found.highest == pytest.approx(math.log(100))
    assert found.llr(-math.inf) == found.llr(math.nan) == found.lowest == pytest.approx(-math.log(20))


def test_scores_that_are_cleanly_apart_claim_no_infinity() -> None:
    found = fit([0.9, 0.95, 0.99], [0.1, 0.2, 0.3], source="apart")
    assert math.isfinite(found.slope)
    assert abs(found.llr(0.99)) == 0.0  # three comparisons carry nothing


def test_a_small_site_stays_near_what_ships_and_a_large_one_goes_its_own_way() -> None:
    genuine, impostor = drawn()
    prior = LikelihoodRatio(4.0, -16.0, 1000, 1000, "elsewhere")  # these people score two higher there
    near, far = (fit(genuine, impostor, prior=prior, prior_weight=weight, source="s") for weight in (1e6, 1e-6))
    at_prior, at_own = (ratio.slope * 3 + ratio.offset for ratio in (prior, fit(genuine, impostor, source="own")))
    assert near.slope * 3 + near.offset == pytest.approx(at_prior, abs=0.5)
    assert far.slope * 3 + far.offset == pytest.approx(at_own, abs=0.5)


def test_the_score_of_a_ratio_is_the_inverse_of_the_ratio_of_a_score() -> None:
    ratio = LikelihoodRatio(3.0, -9.0, 3000, 3000, "t")
    assert ratio.llr(ratio.score_at(2.0)) == pytest.approx(2.0)
    assert ratio.score_at(ratio.highest + 0.1) == math.inf
    assert ratio.score_at(ratio.lowest) == -math.inf
    assert ratio.moved(0.5).llr(3.5) == pytest.approx(ratio.llr(3.0))


def test_saying_nothing_costs_one_bit_and_a_perfect_answer_nothing() -> None:
    assert cllr([0.0, 0.0], [0.0]) == pytest.approx(1.0)
    assert cllr([50.0], [-50.0]) == pytest.approx(0.0, abs=1e-9)
    assert cllr([-5.0], [5.0]) > 5.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=1, max_size=30), st.lists(st.floats(-5, 5), min_size=1, max_size=30))
def test_no_rising_function_of_the_scores_is_better_than_pooling_violators(
    genuine: list[float], impostor: list[float]
) -> None:
    llrs = np.concatenate(pav_llrs(genuine, impostor))
    order = np.argsort(np.concatenate([genuine, impostor]), kind="stable")
    assert (llrs[order][1:] >= llrs[order][:-1]).all()  # equal scores have equal ratios
    lowest = min_cllr(genuine, impostor)
    assert lowest <= 1.0 + 1e-9
    for slope, offset in ((1.0, 0.0), (3.0, -1.0), (0.2, 0.5)):
        assert lowest <= cllr(slope * np.array(genuine) + offset, slope * np.array(impostor) + offset) + 1e-9


def test_it_survives_being_written_down_and_refuses_what_is_none() -> None:
    ratio = LikelihoodRatio(3.0, -9.0, 30, 3000, "t")
    assert LikelihoodRatio.from_json(json.loads(json.dumps(ratio.to_json()))) == ratio
    for change in ({"slope": -1.0}, {"slope": "x"}, {"offset": math.inf}, {"genuine": None}):
        with pytest.raises(InputError) as caught:
            LikelihoodRatio.from_json(ratio.to_json() | change)
        assert caught.value.code == "calibration_malformed"


@pytest.mark.parametrize(
    ("genuine", "impostor"), [([], [0.1]), ([0.9], []), ([math.nan], [0.1]), ([math.inf], [0.1]), ([0.1], [0.9])]
)
def test_scores_that_cannot_be_weighed_are_refused(genuine: list[float], impostor: list[float]) -> None:
    with pytest.raises(InputError):
        fit(genuine, impostor, source="none")
