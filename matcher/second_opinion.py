"""How much a second face engine is heard, learned from the site's own references. Owns the weight; off by default.

The fused score is a mean of two cosines, ``(1 - weight) * first + weight * second``. The weight is that of a linear
discriminant (Fisher, 1936) between pairs of one person and pairs of two, pulled down to what the site's people support:
it is the lower 95 % limit over samples of people drawn with replacement, and 0 below 20 people, which is the first
engine alone. The second never speaks louder than the first: its part of the impostors' spread is at most as large.

What this does to groups of people is measured on people whom neither weight nor threshold was learned on, and is part
of the answer: an opinion that helps on the whole may hurt a group (``docs/accuracy/second-opinion.md``). Refuses to
switch itself on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np

from matcher.scales import ScoreScale
from models.biometrics import Float32Array
from models.errors import ConfigurationError, InputError

LEAST_PEOPLE: Final = 20  # with two references or more
_DRAWS: Final = 200
_LOWER: Final = 0.05  # quantile of the drawn weights
EVERYONE: Final = "everyone"


class Spread(NamedTuple):
    """Mean and standard deviation of impostor scores."""

    mean: float
    deviation: float


@dataclass(frozen=True, slots=True)
class GroupEffect:
    """Rates of one group before and after, as fractions; None where there was nothing to compare.

    The impostor comparisons are between people of the group, and depend on each other: ``people`` says how few.
    """

    group: str
    people: int
    impostor_comparisons: int
    genuine_comparisons: int
    fmr_first: float | None
    fmr_fused: float | None
    fnmr_first: float | None
    fnmr_fused: float | None

    @property
    def worse(self) -> bool:
        """Whether people of this group are more often taken for another, or not known, than before.

        Everyone's false match rate does not count: the threshold is set for it.
        """
        pairs = [(self.fnmr_first, self.fnmr_fused)]
        if self.group != EVERYONE:
            pairs.append((self.fmr_first, self.fmr_fused))
        return any(before is not None and after is not None and after > before for before, after in pairs)


@dataclass(frozen=True, slots=True)
class SecondOpinion:
    """What was learned: the ``weight`` in [0, 1), from whom, where impostors lie, and the effect by group.

    ``first`` and ``fused`` are the impostors' spreads before and after, by which a threshold is carried over.
    """

    weight: float
    people: int
    first: Spread
    fused: Spread
    target_fmr: float | None = None
    effect: tuple[GroupEffect, ...] = ()

    def carried(self, scale: ScoreScale) -> ScoreScale:
        """The thresholds of the first engine's scores as thresholds of fused ones, as far from the impostors."""
        stretch = self.fused.deviation / self.first.deviation

        def moved(threshold: float) -> float:
            return self.fused.mean + (threshold - self.first.mean) * stretch

        steps = tuple((fmr, moved(threshold)) for fmr, threshold in scale.steps)
        return ScoreScale(moved(scale.floor), steps, near=scale.near * stretch, apart=scale.apart * stretch)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse."""
        worse = [item.group for item in self.effect if item.worse]
        return asdict(self) | {"first": list(self.first), "fused": list(self.fused), "groups_worse": worse}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read one back. Raises ConfigurationError if it is not one."""
        try:
            opinion = cls(
                float(values["weight"]),
                int(values["people"]),
                Spread(*(float(value) for value in values["first"])),
                Spread(*(float(value) for value in values["fused"])),
                None if values["target_fmr"] is None else float(values["target_fmr"]),
                tuple(GroupEffect(**item) for item in values["effect"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigurationError("What was learned of a second opinion is malformed.") from error
        numbers = (opinion.weight, *opinion.first, *opinion.fused)
        narrowest = min(opinion.first.deviation, opinion.fused.deviation)
        if not np.isfinite(numbers).all() or not 0 <= opinion.weight < 1 or narrowest <= 0:
            raise ConfigurationError("The weight of a second opinion lies from 0 to below 1.")
        return opinion


UNHEARD: Final = SecondOpinion(0.0, 0, Spread(0.0, 1.0), Spread(0.0, 1.0))  # the first engine alone


def read_opinion(file: Path) -> SecondOpinion:
    """What ``muster evaluate second-opinion --write`` wrote. Raises ConfigurationError."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ConfigurationError(f"{file}: is not JSON.") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"{file}: holds no second opinion.")
    return SecondOpinion.from_json(content)


def fused_rows(first: Float32Array, second: Float32Array, weight: float) -> Float32Array:
    """(N, D1 + D2) rows of unit length whose dot product is the fused score, from two engines' unit rows."""
    parts = [np.sqrt(np.float32(1 - weight)) * first, np.sqrt(np.float32(weight)) * second]
    return np.concatenate(parts, axis=1).astype(np.float32)


def learn(first: Float32Array, second: Float32Array, owner: Any, *, seed: int) -> SecondOpinion:
    """The weight that these references support: (N, D1) and (N, D2) unit rows of (N,) people.

    Raises InputError for fewer than two people.
    """
    people, index = np.unique(owner, return_inverse=True)
    if len(people) < 2:
        raise InputError("A second opinion is learned from the references of at least two people.")
    pairs = _Pairs.of(first @ first.T, second @ second.T, index, len(people))
    several = int((np.bincount(index) > 1).sum())
    weight = 0.0
    if several >= LEAST_PEOPLE:
        rng = np.random.default_rng(seed)
        drawn = [np.bincount(rng.integers(0, len(people), len(people)), minlength=len(people)) for _ in range(_DRAWS)]
        weight = float(np.quantile([pairs.weight(counts.astype(np.float64)) for counts in drawn], _LOWER))
    before, after = pairs.spread(0.0), pairs.spread(weight)
    return SecondOpinion(weight, several, before, after)


class _Pairs(NamedTuple):
    """Sums over all pairs of references of each pair of people: (6, P, P) float64.

    In order: the number of pairs, the first score, the second, the first squared, both multiplied, the second squared.
    That is enough to draw people again and again.
    """

    sums: Any

    @classmethod
    def of(cls, first: Any, second: Any, index: Any, people: int) -> Self:
        order = np.argsort(index, kind="stable")
        starts = np.searchsorted(index[order], np.arange(people))
        away = 1.0 - np.eye(len(index))  # a reference is not compared with itself
        one, two = first[np.ix_(order, order)] * away, second[np.ix_(order, order)] * away

        def summed(scores: Any) -> Any:
            return np.add.reduceat(np.add.reduceat(scores, starts, axis=0), starts, axis=1)

        return cls(np.stack([summed(scores) for scores in (away, one, two, one * one, one * two, two * two)]))

    def weight(self, drawn: Any) -> float:
        """The discriminant's share of the second score if each person counts ``drawn`` (P,) times."""
        mean, spread = self._genuine(drawn)
        other_mean, other_spread = self._impostors(drawn)
        if mean is None or other_mean is None:
            return 0.0
        within = (spread + other_spread) / 2 + 1e-9 * np.eye(2)
        one, two = np.maximum(np.linalg.solve(within, mean - other_mean), 0.0)
        two = min(two, one * np.sqrt(other_spread[0, 0] / max(other_spread[1, 1], 1e-12)))
        return float(two / (one + two)) if one > 0 else 0.0

    def spread(self, weight: float) -> Spread:
        """Where the fused scores of two people lie."""
        mean, spread = self._impostors(np.ones(self.sums.shape[1]))
        mixing = np.array([1 - weight, weight])
        return Spread(float(mixing @ mean), float(np.sqrt(mixing @ spread @ mixing)))

    def _genuine(self, drawn: Any) -> tuple[Any, Any]:
        return _moments(np.diagonal(self.sums, axis1=1, axis2=2) @ drawn)

    def _impostors(self, drawn: Any) -> tuple[Any, Any]:
        own = np.diagonal(self.sums, axis1=1, axis2=2) @ (drawn * drawn)
        return _moments((self.sums @ drawn) @ drawn - own)


def _moments(sums: Any) -> tuple[Any, Any]:
    """Mean (2,) and covariance (2, 2) of both scores from their six sums; None where there is no pair."""
    if sums[0] <= 0:
        return None, None
    one, two, one_one, one_two, two_two = sums[1:] / sums[0]
    mean = np.array([one, two])
    return mean, np.array([[one_one, one_two], [one_two, two_two]]) - np.outer(mean, mean)


def groups_of(people: Sequence[str], groups: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    """(P,) whether each person belongs to a group, by group's name; ``everyone`` first."""
    known = {EVERYONE: np.ones(len(people), np.bool_)}
    return known | {name: np.array([person in members for person in people]) for name, members in groups.items()}
