"""FMR and FNMR with intervals, by a bootstrap over people. Owns the resampling; refuses resampling of pairs.

One round draws as many people as there are, with replacement. A mated comparison then weighs as often as its person was
drawn, a non-mated one the product of both people's counts, so that whoever is easily confused takes all their
comparisons along. Pairs that share nobody stay in as they are: the product lets single pairs vary up to three times as
much as they do (Owen, The pigeonhole bootstrap, 2007), which errs towards wide intervals.

Scores are first sorted into the slots between thresholds, once; a round is then one product and one sum per slot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.evaluation.intervals import (
    ENOUGH_EVENTS,
    NOTHING,
    Basis,
    Interval,
    exact_upper,
    percentiles,
    person_weights,
    rule_of_three,
)
from matcher.evaluation.results import ComparisonSet, Int32Array
from models.biometrics import Float32Array, Float64Array
from models.errors import InputError

ROUNDS = 500
_SLICE = 1 << 18  # comparisons weighed at a time: a few megabytes whatever the number of comparisons


@dataclass(frozen=True, eq=False)
class Curve:
    """Both rates at ascending ``thresholds`` (G,) and in each round: ``drawn_fmr``, ``drawn_fnmr`` (rounds, G)."""

    thresholds: Float64Array
    fmr: tuple[Interval, ...]
    fnmr: tuple[Interval, ...]
    drawn_fmr: Float64Array
    drawn_fnmr: Float64Array


def curve(compared: ComparisonSet, thresholds: Sequence[float] | Float64Array, *, rounds: int = ROUNDS,
          seed: int = 1) -> Curve:  # fmt: skip
    """FMR and FNMR with 95 % intervals at each of ``thresholds``, which are sorted.

    Raises InputError for no thresholds or less than 20 rounds.
    """
    grid = np.unique(np.asarray(thresholds, np.float64))
    if not len(grid) or np.isnan(grid).any() or rounds < 20:
        raise InputError("Intervals need at least one threshold and 20 rounds.")
    # The thresholds where just enough was observed lend their limits to those where less was.
    lowest = worst_of_people(compared.genuine, compared.first[compared.mated], below=True)
    lenders = carrying(lowest, below=True) + carrying(_best_of_impostors(compared), below=False)
    full = np.unique(np.concatenate([grid, lenders]))
    weights = person_weights(len(compared.people), rounds, seed)
    drawn_fmr = _false_matches(compared, full, weights)
    drawn_fnmr = 1.0 - drawn_by_person(compared.genuine, compared.first[compared.mated], full, weights)
    fmr = limited(_fmr_errors(compared, full), drawn_fmr, errs_less_above=True)
    own = person_errors(compared.genuine, compared.first[compared.mated], full, below=True)
    fnmr = limited(own, drawn_fnmr, errs_less_above=False)
    asked = np.searchsorted(full, grid)
    return Curve(
        grid, tuple(fmr[at] for at in asked), tuple(fnmr[at] for at in asked), drawn_fmr[:, asked], drawn_fnmr[:, asked]
    )


def equal_error(measured: Curve) -> tuple[float, float]:
    """The 95 % limits of the equal error rate, from the rounds: where the greater of both rates is least.

    Rounds of comparisons without an error hold none either. Where so little was observed, the upper limit is at least
    that of both rates at this threshold: the rule of three, where nothing was.
    """
    drawn = np.maximum(measured.drawn_fmr, measured.drawn_fnmr).min(axis=1)
    low, high = percentiles(drawn, measured.fmr[0].people or measured.fnmr[0].people)
    least = min(zip(measured.fmr, measured.fnmr, strict=True), key=lambda both: max(one.rate for one in both))
    few = [one.high for one in least if one.basis is not Basis.BOOTSTRAP]
    return float(low), max(float(high), *few) if few else float(high)


@dataclass(frozen=True, eq=False)
class Errors:
    """Errors at each threshold: ``count`` (G,), of how many different pairs or people (G,), and of how many trials."""

    count: Any
    different: Any
    trials: int
    people: int
    independent: int


def _fmr_errors(compared: ComparisonSet, grid: Float64Array) -> Errors:
    others = ~compared.mated
    people = len(np.union1d(compared.first[others], compared.second[others]))
    best = _best_of_impostors(compared)
    return Errors(reaching(compared.impostor, grid), reaching(best, grid), len(compared.impostor), people, people // 2)


def person_errors(scores: Float32Array, person: Int32Array, grid: Float64Array, *, below: bool) -> Errors:
    """What erred at each threshold where each trial is one person's: the scores below it, or those that reach it."""
    extreme = worst_of_people(scores, person, below=below)
    reached, people_reached = reaching(scores, grid), reaching(extreme, grid)
    trials, people = len(scores), len(extreme)
    if below:
        return Errors(trials - reached, people - people_reached, trials, people, people)
    return Errors(reached, people_reached, trials, people, people)


def worst_of_people(scores: Float32Array, person: Int32Array, *, below: bool) -> Float64Array:
    """The lowest score of each person (``below``), or the highest: whether any of their trials errs."""
    if not len(scores):
        return np.empty(0)
    order = np.argsort(person, kind="stable")
    starts = np.flatnonzero(np.diff(person[order], prepend=-1))
    extreme = (np.minimum if below else np.maximum).reduceat(scores[order], starts)
    return np.asarray(extreme, np.float64)


def limited(errors: Errors, drawn: Float64Array, *, errs_less_above: bool) -> list[Interval]:
    """An interval per threshold; where little was observed, the least of the limits that hold there."""
    if not errors.trials:
        return [NOTHING] * drawn.shape[1]
    low, high = percentiles(drawn, errors.people)
    enough = errors.different >= ENOUGH_EVENTS
    intervals = []
    for at in range(drawn.shape[1]):
        basis, limit = Basis.BOOTSTRAP, float(high[at])
        if not enough[at]:
            basis, limit = _few(int(errors.different[at]), errors.independent)
            lender = _neighbor(enough, at, errs_less_above=errs_less_above)
            if lender is not None and high[lender] < limit:
                basis, limit = Basis.NEIGHBOR, float(high[lender])
        rate = float(errors.count[at] / errors.trials)
        intervals.append(
            Interval(
                rate=rate, low=min(float(low[at]), rate), high=max(limit, rate), errors=int(errors.count[at]),
                trials=errors.trials, people=errors.people, independent=errors.independent, basis=basis,
            )
        )  # fmt: skip
    return intervals


def _few(different: int, independent: int) -> tuple[Basis, float]:
    if not different:
        return Basis.RULE_OF_THREE, rule_of_three(independent) if independent else 1.0
    return Basis.EXACT, exact_upper(different, independent)


def _neighbor(enough: Any, at: int, *, errs_less_above: bool) -> int | None:
    """The nearest threshold on the side where errors are more frequent at which enough was observed."""
    side = np.flatnonzero(enough[:at]) if errs_less_above else np.flatnonzero(enough[at + 1 :]) + at + 1
    if not len(side):
        return None
    return int(side[-1] if errs_less_above else side[0])


def carrying(extreme: Float64Array, *, below: bool) -> list[float]:
    """The threshold nearest to no error at which enough different pairs or people erred; empty if none is."""
    if len(extreme) < ENOUGH_EVENTS:
        return []
    at = ENOUGH_EVENTS - 1 if below else len(extreme) - ENOUGH_EVENTS
    value = float(np.partition(extreme, at)[at])
    if not np.isfinite(value):
        return []
    return [float(np.nextafter(value, np.inf)) if below else value]


def _best_of_impostors(compared: ComparisonSet) -> Float64Array:
    """The highest score of each two people who were compared."""
    others = ~compared.mated
    scores, first, second = compared.scores[others], compared.first[others], compared.second[others]
    if not len(scores):
        return np.empty(0)
    key = np.minimum(first, second).astype(np.int64) * len(compared.people) + np.maximum(first, second)
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.diff(key[order], prepend=-1))
    return np.maximum.reduceat(scores[order], starts).astype(np.float64)


def reaching(scores: NDArray[Any], grid: Float64Array) -> Any:
    """How many scores reach each threshold: (G,) integers."""
    return len(scores) - np.searchsorted(np.sort(scores.astype(np.float64)), grid, side="left")


def _false_matches(compared: ComparisonSet, grid: Float64Array, weights: Float32Array) -> Float64Array:
    """The FMR of each round at each threshold, (rounds, G)."""
    others = ~compared.mated
    slot = np.searchsorted(grid, compared.scores[others].astype(np.float64), side="right")
    order = np.argsort(slot, kind="stable")
    slot = slot[order]
    first, second = compared.first[others][order], compared.second[others][order]
    sums = np.zeros((len(weights), len(grid) + 1))
    for begin in range(0, len(slot), _SLICE):
        part = slice(begin, begin + _SLICE)
        present, starts = np.unique(slot[part], return_index=True)
        for at, weight in enumerate(weights):
            sums[at, present] += np.add.reduceat(weight[first[part]] * weight[second[part]], starts, dtype=np.float64)
    return _shares(sums)


def drawn_by_person(
    scores: Float32Array, person: Int32Array, grid: Float64Array, weights: Float32Array
) -> Float64Array:
    """The share of ``scores`` at or above each threshold in each round, each weighing as its person: (rounds, G)."""
    counts = np.zeros((weights.shape[1], len(grid) + 1), np.float32)
    np.add.at(counts, (person, np.searchsorted(grid, scores.astype(np.float64), side="right")), 1)
    return _shares((weights @ counts).astype(np.float64))


def _shares(sums: Float64Array) -> Float64Array:
    """The share of the weight at or above each threshold; a round that drew nobody who was compared repeats another."""
    above = np.cumsum(sums[:, ::-1], axis=1)[:, ::-1]
    drawn = np.flatnonzero(above[:, 0] > 0)
    if not len(drawn):
        return np.zeros_like(above[:, 1:])
    above = above[drawn[np.arange(len(above)) % len(drawn)]]
    shares: Float64Array = above[:, 1:] / above[:, :1]
    return shares
