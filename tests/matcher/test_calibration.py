"""A calibration claims only what its number of comparisons can carry."""

from __future__ import annotations

import json

import numpy as np
import pytest

from matcher.calibration import Calibration, calibrate, upper_rate
from models.errors import InputError
from tests.matcher.faces import NOW, SFACE


def spread(count: int) -> Calibration:
    return calibrate(SFACE, np.arange(count) / count, calibrated_on=NOW, dataset="spread")


def test_no_match_among_n_comparisons_proves_three_in_n() -> None:
    assert upper_rate(0, 3000) == pytest.approx(1e-3)
    assert spread(3000).lowest_fmr() == pytest.approx(1e-3)


@pytest.mark.parametrize(("matches", "limit"), [(1, 4.744), (2, 6.296), (5, 10.513), (10, 16.962), (100, 118.08)])
def test_the_upper_limit_is_that_of_the_poisson_distribution(matches: int, limit: float) -> None:
    assert upper_rate(matches, 1000) == pytest.approx(limit / 1000, rel=0.012)


def test_no_comparison_proves_nothing() -> None:
    assert upper_rate(0, 0) == 1.0


def test_too_few_comparisons_give_no_threshold() -> None:
    assert spread(299).threshold(0.01) is None
    assert spread(300).threshold(0.01) is not None


def test_at_the_rule_of_three_the_threshold_lies_above_every_score() -> None:
    threshold = spread(300).threshold(0.01)
    assert threshold is not None
    assert threshold > 299 / 300


def test_more_comparisons_allow_a_few_matches_and_never_too_many() -> None:
    calibration = spread(100_000)
    threshold = calibration.threshold(1e-3)
    assert threshold is not None
    matches = sum(score >= threshold for score in calibration.highest)
    assert 70 < matches < 100
    assert upper_rate(matches, 100_000) <= 1e-3 < upper_rate(matches + 1, 100_000)


def test_a_rarer_false_match_needs_a_higher_threshold() -> None:
    calibration = spread(100_000)
    thresholds = [calibration.threshold(rate) for rate in (1e-2, 1e-3, 1e-4)]
    assert thresholds == sorted(thresholds, key=lambda threshold: threshold or 0)


def test_it_survives_being_written_down() -> None:
    calibration = spread(5000)
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sface"},
        {"highest": [0.1, 0.9]},
        {"highest": ["x"]},
        {"highest": [float("nan")]},
        {"comparisons": 1},
        {"calibrated_on": "yesterday"},
    ],
)
def test_a_malformed_calibration_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(InputError) as caught:
        Calibration.from_json(spread(10).to_json() | change)
    assert caught.value.code == "calibration_malformed"


@pytest.mark.parametrize("scores", [[], [0.1, float("nan")]])
def test_scores_that_are_none_are_refused(scores: list[float]) -> None:
    with pytest.raises(InputError):
        calibrate(SFACE, scores, calibrated_on=NOW, dataset="none")
