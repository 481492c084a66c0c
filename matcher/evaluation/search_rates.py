"""FPIR and FNIR with intervals, and how they grow with the gallery. Owns searches; refuses single comparisons' rates.

A search of a stranger errs when its best candidate reaches the threshold (false positive identification); a search of
somebody enrolled errs unless the right person comes first and reaches it (false negative identification, rank 1;
ISO/IEC 19795-1). Intervals resample the people who searched; the gallery stays as it is, for it is the site's own.

Rates at smaller galleries are not simulated: of all galleries of n people that can be drawn from the one measured, the
share that holds none of the k people who reach a threshold is hypergeometric, so the mean over all of them is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from matcher.evaluation.bootstrap import ROUNDS, carrying, drawn_by_person, limited, person_errors, worst_of_people
from matcher.evaluation.intervals import ENOUGH_EVENTS, Interval, exact_upper, percentiles, person_weights
from matcher.evaluation.results import ComparisonSet, Int32Array, SearchSet
from models.biometrics import Float64Array


@dataclass(frozen=True, slots=True)
class SizedRate:
    """A mean rate at a gallery of ``gallery`` people with its 95 % limits; ``computed`` where no such gallery was."""

    gallery: int
    rate: float
    low: float
    high: float
    computed: bool


def fpir(searches: SearchSet, threshold: float, *, rounds: int = ROUNDS, seed: int = 1) -> Interval:
    """The false positive identification rate at a threshold, over the strangers' searches."""
    people = len(searches.people)
    return _rate(
        searches.stranger_scores,
        searches.stranger_person,
        threshold,
        below=False,
        people=people,
        rounds=rounds,
        seed=seed,
    )


def fnir(searches: SearchSet, threshold: float, *, rounds: int = ROUNDS, seed: int = 1) -> Interval:
    """The false negative identification rate at a threshold and rank 1, over the enrolled people's searches."""
    scores = np.where(searches.mated_correct, searches.mated_scores, -np.inf).astype(np.float32)
    people = len(searches.people)
    return _rate(scores, searches.mated_person, threshold, below=True, people=people, rounds=rounds, seed=seed)


def fpir_by_size(searches: SearchSet, threshold: float, *, sizes: Sequence[int], rounds: int = ROUNDS,
                 seed: int = 1) -> tuple[SizedRate, ...]:  # fmt: skip
    """The FPIR of galleries drawn from the measured one, where the strangers' candidates were kept; else nothing.

    A stranger whose every kept candidate reaches the threshold counts as having exactly so many.
    """
    if searches.stranger_candidates is None or not len(searches.stranger_scores):
        return ()
    hits = (searches.stranger_candidates.astype(np.float64) >= threshold).sum(axis=1)
    sizes = [size for size in sizes if size <= searches.gallery]
    per_search = np.stack([1.0 - _none_of(hits, searches.gallery, size) for size in sizes], axis=1)
    return _sized(
        per_search, searches.stranger_person, people=len(searches.people), sizes=sizes, computed=False,
        rounds=rounds, seed=seed,
    )  # fmt: skip


def fnir_by_size(searches: SearchSet, threshold: float, *, sizes: Sequence[int], rounds: int = ROUNDS,
                 seed: int = 1) -> tuple[SizedRate, ...]:  # fmt: skip
    """The FNIR of galleries drawn from the measured one that hold the right person; nothing if that was not kept."""
    if searches.mated_own is None or searches.mated_above is None or not len(searches.mated_scores):
        return ()
    reached = searches.mated_own.astype(np.float64) >= threshold
    sizes = [size for size in sizes if size <= searches.gallery]
    per_search = np.stack(
        [1.0 - reached * _none_of(searches.mated_above, searches.gallery - 1, size - 1) for size in sizes], axis=1
    )
    return _sized(
        per_search, searches.mated_person, people=len(searches.people), sizes=sizes, computed=False,
        rounds=rounds, seed=seed,
    )  # fmt: skip


def fpir_from_pairs(compared: ComparisonSet, threshold: float, *, sizes: Sequence[int], rounds: int = ROUNDS,
                    seed: int = 1) -> tuple[SizedRate, ...]:  # fmt: skip
    """The FPIR from single comparisons: each person searches galleries drawn from the others they were compared with.

    Sizes that exceed the fewest comparisons of a person are left out. All are marked computed: nobody searched.
    """
    others = ~compared.mated
    both = np.concatenate([compared.first[others], compared.second[others]])
    match = np.tile(compared.scores[others].astype(np.float64) >= threshold, 2)
    people = len(compared.people)
    trials, hits = np.bincount(both, minlength=people), np.bincount(both[match], minlength=people)
    present = np.flatnonzero(trials)
    sizes = [size for size in sizes if len(present) and size <= trials[present].min()]
    if not sizes:
        return ()
    per_person = np.stack([1.0 - _none_of(hits[present], trials[present], size) for size in sizes], axis=1)
    return _sized(
        per_person, present.astype(np.int32), people=people, sizes=sizes, computed=True, rounds=rounds, seed=seed
    )


def forecast(known: SizedRate, *, sizes: Sequence[int]) -> tuple[SizedRate, ...]:
    """The FPIR at larger galleries from that at one, as if errors fell evenly: 1 - (1 - p)^(n / known size)."""

    def grown(rate: float, size: int) -> float:
        return float(1.0 - (1.0 - rate) ** (size / known.gallery))

    return tuple(
        SizedRate(size, grown(known.rate, size), grown(known.low, size), grown(known.high, size), True)
        for size in sizes
        if size >= known.gallery
    )


def gallery_sizes(largest: int) -> list[int]:
    """Round sizes up to ``largest`` (1, 2, 5, 10, ...), and ``largest`` itself."""
    steps = (base * 10**power for power in range(7) for base in (1, 2, 5))
    return [size for size in steps if size < largest] + [largest]


def _rate(scores: Any, person: Int32Array, threshold: float, *, below: bool, people: int, rounds: int,
          seed: int) -> Interval:  # fmt: skip
    lenders = carrying(worst_of_people(scores, person, below=below), below=below)
    grid = np.unique(np.array([threshold, *lenders], np.float64))
    reached = drawn_by_person(scores, person, grid, person_weights(people, rounds, seed))
    errors = person_errors(scores, person, grid, below=below)
    intervals = limited(errors, 1.0 - reached if below else reached, errs_less_above=not below)
    return intervals[int(np.searchsorted(grid, threshold))]


def _sized(values: Float64Array, person: Int32Array, *, people: int, sizes: Sequence[int], computed: bool,
           rounds: int, seed: int) -> tuple[SizedRate, ...]:  # fmt: skip
    """Means of (M, sizes) values with limits; where little erred, the limit by people holds instead."""
    low, high = percentiles(_means(values, person, people, rounds, seed), len(np.unique(person)))
    rate = values.mean(axis=0)
    sized = []
    for at, size in enumerate(sizes):
        erred, of_people = len(np.unique(person[values[:, at] > 0])), len(np.unique(person))
        limit = float(high[at]) if erred >= ENOUGH_EVENTS else max(exact_upper(erred, of_people), float(rate[at]))
        sized.append(SizedRate(size, float(rate[at]), min(float(low[at]), float(rate[at])), limit, computed))
    return tuple(sized)


def _means(values: Float64Array, person: Int32Array, people: int, rounds: int, seed: int) -> Float64Array:
    """The weighted means of (M, sizes) values in each round, each value weighing as its person: (rounds, sizes)."""
    sums, counts = np.zeros((people, values.shape[1])), np.bincount(person, minlength=people)
    np.add.at(sums, person, values)
    weights = person_weights(people, rounds, seed)
    whole = weights @ counts
    kept = whole > 0
    means: Float64Array = (weights[kept] @ sums) / whole[kept, None]
    return means


def _none_of(hits: NDArray[Any], people: Any, drawn: int) -> Float64Array:
    """The share of all draws of ``drawn`` out of ``people`` that hold none of ``hits`` of them (hypergeometric)."""
    shares = np.ones(len(hits))
    remaining = np.broadcast_to(np.asarray(people, np.float64), shares.shape)
    for at in range(drawn):  # one person drawn after the other
        shares = shares * np.clip(remaining - hits - at, 0, None) / np.maximum(remaining - at, 1)
    return shares
