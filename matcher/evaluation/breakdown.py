"""Who the errors fall on: rates by group, and the pairs of people nearest to an error. Owns both; refuses reasons.

A group's difference is only worth a sentence where it can be told from chance; ``GroupRates.distinct`` says so, and
``few`` that the group is too small to say anything. No group is ever guessed from a picture: what is not recorded is
left out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from matcher.evaluation.bootstrap import ROUNDS, curve
from matcher.evaluation.intervals import Interval
from matcher.evaluation.results import ComparisonSet

FEW_PEOPLE = 30  # of a group: fewer cannot show a rate below a tenth (rule of three)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRates:
    """The rates inside one group: non-mated comparisons are those of two of its people.

    ``few``: the group is too small to tell; ``distinct``: the interval of a rate lies apart from everybody's.
    """

    name: str
    value: str
    people: int
    fmr: Interval
    fnmr: Interval
    few: bool
    distinct: bool


@dataclass(frozen=True, slots=True)
class WorstPair:
    """Two people (or twice one) and the comparison of theirs nearest to an error; labels as in the set."""

    first: str
    second: str
    score: float


def by_group(compared: ComparisonSet, threshold: float, *, rounds: int = ROUNDS, seed: int = 1) -> list[GroupRates]:
    """The rates of every group at a threshold, groups and values in order of name."""
    everybody = curve(compared, [threshold], rounds=rounds, seed=seed)
    rates = []
    for name, values in sorted(compared.groups.items()):
        for value in sorted({value for value in values if value is not None}):
            inside = np.array([own == value for own in values])
            own = curve(_within(compared, inside), [threshold], rounds=rounds, seed=seed)
            apart = _apart(own.fmr[0], everybody.fmr[0]) or _apart(own.fnmr[0], everybody.fnmr[0])
            people = int(inside.sum())
            few = people < FEW_PEOPLE
            rates.append(
                GroupRates(
                    name=name, value=value, people=people, fmr=own.fmr[0], fnmr=own.fnmr[0], few=few,
                    distinct=apart and not few,
                )
            )  # fmt: skip
    return rates


def worst_impostors(compared: ComparisonSet, *, most: int = 10) -> list[WorstPair]:
    """The pairs of different people with the highest score, highest first, each pair once."""
    others = np.flatnonzero(~compared.mated)
    return _worst(compared, others, -compared.scores[others], most)


def worst_genuine(compared: ComparisonSet, *, most: int = 10) -> list[WorstPair]:
    """The people with the lowest score against themselves, lowest first, each once."""
    own = np.flatnonzero(compared.mated)
    return _worst(compared, own, compared.scores[own], most)


def _worst(compared: ComparisonSet, chosen: np.ndarray, badness: np.ndarray, most: int) -> list[WorstPair]:
    found: dict[tuple[int, int], WorstPair] = {}
    for at in chosen[np.argsort(badness, kind="stable")]:
        key = sorted((int(compared.first[at]), int(compared.second[at])))
        pair = WorstPair(compared.people[key[0]], compared.people[key[1]], float(compared.scores[at]))
        found.setdefault((key[0], key[1]), pair)
        if len(found) >= most:
            break
    return list(found.values())


def _within(compared: ComparisonSet, inside: np.ndarray) -> ComparisonSet:
    """The comparisons of two of the people for whom ``inside`` (P,) bool holds, without anybody else."""
    kept = inside[compared.first] & inside[compared.second]
    renumbered = (np.cumsum(inside) - 1).astype(np.int32)
    return replace(
        compared,
        scores=compared.scores[kept],
        first=renumbered[compared.first[kept]],
        second=renumbered[compared.second[kept]],
        people=tuple(label for label, own in zip(compared.people, inside, strict=True) if own),
        groups={},
        similarity=None,
    )


def _apart(own: Interval, everybody: Interval) -> bool:
    return bool(own.trials) and (own.low > everybody.high or own.high < everybody.low)
