"""Scores as log-likelihood ratios: how much likelier a score is from the same person than from two. Owns the fit, its
bounds and its quality; refuses thresholds and pictures.

An LLR is a natural logarithm: 0 says nothing, +4.6 says a hundred times likelier from one person. It is an affine
function of the score, found by prior-weighted logistic regression (Brümmer and du Preez, Computer Speech and Language
20, 2006), pulled towards a shipped one while a site has few people.

It is bounded by what was compared: with n impostor comparisons no false match rate below 3/n can be shown at 95 % (rule
of three: Hanley and Lippman-Hand, JAMA 1983), so no score may claim more than log(n/3); likewise from below.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models.biometrics import Float64Array
from models.errors import InputError

# Fitted for decisions that ask for much, not for an even chance: the answer that costs least at even odds is set by a
# few odd genuine scores and says too little of high ones (docs/accuracy/decision.md).
PRIOR = 0.001
_LOG_ODDS = math.log(PRIOR / (1.0 - PRIOR))
_STEPS = 60
_ENOUGH = 1e-9
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """``slope * score + offset``, held between -log(genuine/3) and log(impostor/3).

    ``genuine`` and ``impostor`` are the comparisons that the claim rests on, ``source`` says in a few words whose.
    """

    slope: float
    offset: float
    genuine: int
    impostor: int
    source: str

    def __post_init__(self) -> None:
        if not (math.isfinite(self.slope) and math.isfinite(self.offset) and self.slope > 0):
            raise InputError("A likelihood ratio rises with the score.", code="calibration_malformed")

    @property
    def lowest(self) -> float:
        """No score says less than this."""
        return -math.log(max(self.genuine, 3) / 3.0)

    @property
    def highest(self) -> float:
        """No score says more than this."""
        return math.log(max(self.impostor, 3) / 3.0)

    def llr(self, score: float) -> float:
        """The log-likelihood ratio of one score; the lowest there is for what is no number."""
        return self.lowest if math.isnan(score) else float(self.llrs([score])[0])

    def llrs(self, scores: ArrayLike) -> Float64Array:
        """The same of (N,) scores, which may be infinite."""
        return np.clip(self.slope * np.asarray(scores, np.float64) + self.offset, self.lowest, self.highest)

    def score_at(self, llr: float) -> float:
        """The lowest score that reaches ``llr``; infinite if no score may claim so much, and -inf if every one does."""
        if llr > self.highest:
            return math.inf
        return -math.inf if llr <= self.lowest else (llr - self.offset) / self.slope

    def moved(self, distance: float) -> LikelihoodRatio:
        """The same for people whose scores all lie ``distance`` higher."""
        offset = self.offset - self.slope * distance
        return LikelihoodRatio(self.slope, offset, self.genuine, self.impostor, self.source)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse."""
        return {
            "slope": self.slope,
            "offset": self.offset,
            "genuine": self.genuine,
            "impostor": self.impostor,
            "source": self.source,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read one back. Raises InputError if it is none."""
        try:
            return cls(
                float(values["slope"]),
                float(values["offset"]),
                int(values["genuine"]),
                int(values["impostor"]),
                str(values["source"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("The likelihood ratio is malformed.", code="calibration_malformed") from error


def fit(
    genuine: ArrayLike, impostor: ArrayLike, *, prior: LikelihoodRatio | None = None, prior_weight: float = 0.0,
    support: tuple[int, int] | None = None, source: str,
) -> LikelihoodRatio:  # fmt: skip
    """The affine log-likelihood ratio that costs least on these scores, where one in ``1 / PRIOR`` is genuine.

    ``prior`` is what to expect, and ``prior_weight`` how much it weighs beside these scores, which weigh 1; without a
    prior a very slight one keeps scores that are cleanly apart from claiming infinity. ``support`` is (genuine,
    impostor) comparisons to bound by, default as many as there are scores. Raises InputError without scores of both
    kinds, with one that is not finite, or if the scores do not rise towards genuine.
    """
    mated, others = _finite(genuine, "genuine"), _finite(impostor, "impostor")
    spread = float(np.std(np.concatenate([mated, others]))) or 1.0
    middle = float((mated.mean() + others.mean()) / 2.0)
    if prior is None:
        start, weight = np.array([1.0, 0.0]), 1e-3
    else:
        start, weight = np.array([prior.slope * spread, prior.slope * middle + prior.offset]), prior_weight
    sides = np.concatenate([np.ones(len(mated)), -np.ones(len(others))])
    shares = np.where(sides > 0, PRIOR / len(mated), (1.0 - PRIOR) / len(others))
    columns = np.stack([(np.concatenate([mated, others]) - middle) / spread, np.ones(len(sides))], axis=1)
    found = _descend(columns, sides, shares, start=start, weight=weight)
    slope = float(found[0]) / spread
    if not slope > 0:
        raise InputError("These scores are not higher for one person than for two; nothing can be calibrated on them.")
    counted = support or (len(mated), len(others))
    return LikelihoodRatio(slope, float(found[1]) - slope * middle, counted[0], counted[1], source)


def checked_scores(scores: ArrayLike, kind: str) -> Float64Array:
    """(N,) float64 scores of one ``kind`` of comparison, infinite ones too. Raises InputError for none or a NaN."""
    values = np.asarray(scores, np.float64).ravel()
    if values.size == 0:
        raise InputError(f"There are no {kind} scores to measure on.")
    if np.isnan(values).any():
        raise InputError(f"One of the {kind} scores is not a number.")
    return values


def cllr(genuine_llrs: ArrayLike, impostor_llrs: ArrayLike) -> float:
    """The cost of these log-likelihood ratios in bits: 0 is perfect, 1 as good as saying nothing, more misleads.

    Brümmer and du Preez (2006), equation for C_llr. Raises InputError without both kinds.
    """
    mated, others = checked_scores(genuine_llrs, "genuine"), checked_scores(impostor_llrs, "impostor")
    cost = np.logaddexp(0.0, -mated).mean() + np.logaddexp(0.0, others).mean()
    return float(cost / (2.0 * math.log(2.0)))


def min_cllr(genuine: ArrayLike, impostor: ArrayLike) -> float:
    """The lowest ``cllr`` that any rising function of these scores could have: what discrimination alone costs."""
    return cllr(*pav_llrs(genuine, impostor))


def pav_llrs(genuine: ArrayLike, impostor: ArrayLike) -> tuple[Float64Array, Float64Array]:
    """The best rising log-likelihood ratios of the scores themselves, by pooling adjacent violators (isotonic
    regression; Ayer et al., 1955). For evaluation only: it knows the answers, and may be infinite."""
    mated, others = checked_scores(genuine, "genuine"), checked_scores(impostor, "impostor")
    scores, place = np.unique(np.concatenate([mated, others]), return_inverse=True)
    hits = np.bincount(place[: len(mated)], minlength=len(scores)).astype(np.float64)
    both = np.bincount(place, minlength=len(scores)).astype(np.float64)
    share = _pooled(hits, both)
    with np.errstate(divide="ignore"):
        llrs = np.log(share) - np.log1p(-share) - math.log(len(mated) / len(others))
    return llrs[place[: len(mated)]], llrs[place[len(mated) :]]


def _pooled(hits: Float64Array, both: Float64Array) -> Float64Array:
    """Shares ``hits / both`` made non-decreasing by pooling neighbours that fall."""
    blocks: list[tuple[float, float, int]] = []
    for hit, count in zip(hits.tolist(), both.tolist(), strict=True):
        block = (hit, count, 1)
        while blocks and blocks[-1][0] * block[1] >= block[0] * blocks[-1][1]:
            earlier = blocks.pop()
            block = (earlier[0] + block[0], earlier[1] + block[1], earlier[2] + block[2])
        blocks.append(block)
    return np.repeat([hit / count for hit, count, _ in blocks], [width for _, _, width in blocks])


def _descend(
    columns: Float64Array, sides: Float64Array, shares: Float64Array, *, start: Float64Array, weight: float
) -> Float64Array:
    """Newton's method on the weighted logistic cost and a quadratic pull towards ``start``.

    The pull is shaped like the cost itself at ``start``, so that it weighs ``weight`` times as much as the scores.
    """
    pull = weight * _curvature(columns, shares, start) + 1e-9 * np.eye(2)

    def cost(at: Float64Array) -> float:
        off = at - start
        return float(shares @ np.logaddexp(0.0, -sides * (columns @ at + _LOG_ODDS)) + 0.5 * off @ pull @ off)

    at, value = start, cost(start)
    for _ in range(_STEPS):
        wrong = _sigmoid(-sides * (columns @ at + _LOG_ODDS))
        downhill = columns.T @ (shares * sides * wrong) - pull @ (at - start)
        step = np.linalg.solve(_curvature(columns, shares, at) + pull, downhill)
        length = 1.0
        for _ in range(_HALVINGS):
            if cost(at + length * step) <= value:
                break
            length /= 2.0
        at = at + length * step
        before, value = value, cost(at)
        if before - value < _ENOUGH:
            break
    return at


def _curvature(columns: Float64Array, shares: Float64Array, at: Float64Array) -> Float64Array:
    chance = _sigmoid(columns @ at + _LOG_ODDS)
    curved: Float64Array = (columns * (shares * chance * (1.0 - chance))[:, None]).T @ columns
    return curved


def _sigmoid(values: Float64Array) -> Float64Array:
    result: Float64Array = np.exp(-np.logaddexp(0.0, -values))
    return result


def _finite(scores: ArrayLike, kind: str) -> Float64Array:
    values = checked_scores(scores, kind)
    if not np.isfinite(values).all():
        raise InputError(f"One of the {kind} scores is infinite; leave out what was not acquired.")
    return values
