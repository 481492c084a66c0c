"""How far a measured rate can be trusted: 95 % limits from few people. Owns the limits; refuses scores and engines.

Comparisons that share a person are not independent, so every limit counts people:

- where enough was observed, the percentile interval of a bootstrap over people, its percentiles widened for few people
  as a t interval is wider than a normal one (Hesterberg, What Teachers Should Know About the Bootstrap, 2015);
- where nothing was observed, the rule of three: of N independent people none failed, so the rate is below 3/N with
  95 % certainty (ISO/IEC 19795-1, annex B). Two people make one independent non-mated comparison, so for the FMR N is
  half the people;
- where little was observed, the exact binomial limit (Clopper and Pearson, 1934) over the same N.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.biometrics import Float64Array

LEVEL = 0.95
ENOUGH_EVENTS = 10  # errors of that many different people or pairs carry a bootstrap


class Basis(StrEnum):
    """What the upper limit of an interval rests on."""

    BOOTSTRAP = "bootstrap"  # people resampled
    RULE_OF_THREE = "rule_of_three"  # nothing was observed
    EXACT = "exact"  # little was observed: the binomial limit by people
    NEIGHBOR = "neighbor"  # the limit of a threshold that errs more often, where enough was observed
    NONE = "none"  # nobody to measure on


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A rate with its 95 % limits, all fractions, and on how much it rests.

    ``errors`` of ``trials`` comparisons (or searches, attempts) erred, made by ``people``; ``independent`` is the N of
    the rule of three. ``rate`` is nan and the limits 0 and 1 where there were no trials.
    """

    rate: float
    low: float
    high: float
    errors: int
    trials: int
    people: int
    independent: int
    basis: Basis


NOTHING = Interval(
    rate=math.nan, low=0.0, high=1.0, errors=0, trials=0, people=0, independent=0, basis=Basis.NONE
)  # fmt: skip


def rule_of_three(independent: int) -> float:
    """The upper 95 % limit of a rate of which nothing was observed in ``independent`` trials: about 3/N, at most 1."""
    return exact_upper(0, independent)


def exact_upper(errors: int, trials: int, *, level: float = LEVEL) -> float:
    """The one-sided upper limit of a binomial rate: where so few errors become unlikely (Clopper and Pearson, 1934)."""
    if errors >= trials:
        return 1.0
    if errors == 0:
        return float(1.0 - (1.0 - level) ** (1.0 / trials))
    low, high = errors / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _binomial_cdf(errors, trials, middle) > 1 - level else (low, middle)
    return high


def exact(errors: int, trials: int) -> Interval:
    """The two-sided binomial interval of independent trials such as people enrolled (Clopper and Pearson, 1934)."""
    if not trials:
        return NOTHING
    side = 1 - (1 - LEVEL) / 2
    return Interval(
        rate=errors / trials,
        low=1 - exact_upper(trials - errors, trials, level=side) if errors else 0.0,
        high=exact_upper(errors, trials, level=side) if errors else rule_of_three(trials),
        errors=errors,
        trials=trials,
        people=trials,
        independent=trials,
        basis=Basis.EXACT if errors else Basis.RULE_OF_THREE,
    )


def percentiles(drawn: NDArray[Any], people: int) -> tuple[Float64Array, Float64Array]:
    """The lower and upper limits of bootstrapped rates ``drawn`` (rounds, ...), widened for few people."""
    tail = _tail(people)
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return np.asarray(low, np.float64), np.asarray(high, np.float64)


def person_weights(people: int, rounds: int, seed: int) -> NDArray[np.float32]:
    """How often each person is drawn in each round of a bootstrap over people: (rounds, people) float32 counts."""
    random = np.random.default_rng(seed)
    return random.multinomial(people, np.full(people, 1.0 / people), size=rounds).astype(np.float32)


def _tail(people: int) -> float:
    """The percentile to take at each end: 0.025 for many people, less for few (Hesterberg 2015, section 5.3)."""
    ratio = max(people, 3)
    return NormalDist().cdf(-math.sqrt(ratio / (ratio - 1)) * _t_quantile(ratio - 1))


def _t_quantile(freedom: int) -> float:
    """The upper 2.5 % point of Student's t (Abramowitz and Stegun 26.7.5: an expansion, good from 4 degrees on)."""
    z = NormalDist().inv_cdf(1 - (1 - LEVEL) / 2)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
    )
    return float(z + sum(term / freedom**power for power, term in enumerate(terms, 1)))


def _binomial_cdf(errors: int, trials: int, rate: float) -> float:
    if rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    whole = math.lgamma(trials + 1)
    return sum(
        math.exp(
            whole - math.lgamma(k + 1) - math.lgamma(trials - k + 1)
            + k * math.log(rate) + (trials - k) * math.log1p(-rate)
        )
        for k in range(errors + 1)
    )  # fmt: skip
