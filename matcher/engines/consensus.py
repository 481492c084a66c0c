"""Which minutiae of two pictures correspond under one rigid transform. Owns the rigid geometry of a comparison.

Positions are complex numbers x + iy with y up, directions complex numbers of length one, so that a turn is a product:
the transform takes p to ``turn * p + shift``. Likely pairs come from a local similarity, support each other where
their geometry agrees (relaxation, after Cappelli, Ferrara and Maltoni, IEEE PAMI 32(12), 2010, section 4), the best
supported groups propose transforms, and the transform that lays most minutiae on their like wins. Refuses to bend
(``matcher.engines.skin`` does), to know how the local similarity was made, and what score follows
(``matcher.engines.minutiae``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.engines.seen_area import ComplexArray
from models.biometrics import Float32Array

IndexArray = NDArray[np.intp]

_PAIRS: Final = 40  # likely pairs that take part in the relaxation
_ROUNDS: Final = 5
_SUPPORTERS: Final = 12  # a pair's support is the mean over about as many pairs as a true match has
_LENGTH_MIDDLE: Final = 5.0  # pixels by which the distance of two minutiae may differ: half support here
_LENGTH_SLOPE: Final = 0.8
_TURN_MIDDLE: Final = math.radians(20)
_TURN_SLOPE: Final = 15.0
_MOST_DOUBT: Final = 20.0  # of an exponent: beyond it nothing is left that could count, and float32 would overflow
_GROUP: Final = 0.25  # least mutual support within the group that proposes a transform
_PROPOSALS: Final = 8
_REACH: Final = 12.0  # pixels: where two minutiae no longer lie on each other; skin stretches
TURN_REACH: Final = math.radians(25)
_DIRECTION_WEIGHT: Final = 400.0  # square pixels: a direction fixes the turn like a pair of points 20 pixels apart
LOCAL_FLOOR: Final = 0.3  # what a pair counts that lies well but whose neighborhoods cannot be compared


@dataclass(frozen=True, slots=True, eq=False)
class Constellation:
    """The minutiae of one picture: (N,) complex64 positions in pixels and directions of length one."""

    place: ComplexArray
    direction: ComplexArray


@dataclass(frozen=True, slots=True, eq=False)
class Consensus:
    """A rigid transform from the first picture to the second and the pairs of minutiae that led to it.

    ``first`` and ``second`` (K,) index the minutiae of a pair; ``fit`` (K,) in [0, 1] tells how well they lie on each
    other; ``alike`` (K,) is their local similarity; ``support`` how strongly the likely pairs supported each other;
    ``laid`` (N,) complex64 where the first picture's minutiae come to lie on the second.
    """

    turn: complex
    shift: complex
    first: IndexArray
    second: IndexArray
    fit: Float32Array
    alike: Float32Array
    support: float
    laid: ComplexArray


def find_consensus(first: Constellation, second: Constellation, alike: Float32Array) -> Consensus:
    """The transform on which most minutiae agree. ``alike`` is the (N, M) local similarity; N and M at least 1."""
    one, two, strength = _likely_pairs(alike)
    a, b = _take(first, one), _take(second, two)
    agreement = _agreement(a, b, one, two)
    strength, support = _relax(strength, agreement)
    proposals = np.argsort(-strength, kind="stable")[:_PROPOSALS]
    weights = np.where(agreement[proposals] > _GROUP, strength[None, :], 0.0)
    weights[np.arange(len(proposals)), proposals] = strength[proposals]
    turn, shift = _fit_transforms(a, b, weights)
    best = _best_overlay(first, second, alike, turn, shift, support)
    if not len(best.first):
        return best
    weights = (best.fit * (LOCAL_FLOOR + best.alike))[None, :]
    turn, shift = _fit_transforms(_take(first, best.first), _take(second, best.second), weights)
    return replace(best, turn=complex(turn[0]), shift=complex(shift[0]), laid=first.place * turn[0] + shift[0])


def _take(constellation: Constellation, index: IndexArray) -> Constellation:
    return Constellation(constellation.place[index], constellation.direction[index])


def _likely_pairs(alike: Float32Array) -> tuple[IndexArray, IndexArray, Float32Array]:
    """The most alike pairs: their two indices and their similarity."""
    flat = alike.ravel()
    count = min(_PAIRS, flat.size)
    top = np.argpartition(-flat, count - 1)[:count]
    top = top[np.lexsort((top, -flat[top]))]
    one, two = np.divmod(top, alike.shape[1])
    return one, two, flat[top]


def _agreement(a: Constellation, b: Constellation, one: IndexArray, two: IndexArray) -> Float32Array:
    """(K, K) in [0, 1]: whether two pairs can belong to one rigid transform; zero where they share a minutia."""
    gap_a = a.place[:, None] - a.place[None, :]
    gap_b = b.place[:, None] - b.place[None, :]
    turn = b.direction * a.direction.conj()
    length = np.abs(_length(gap_a) - _length(gap_b))
    angle = np.angle(turn)
    turned = np.abs(angle[:, None] - angle[None, :])
    turned = np.minimum(turned, np.float32(2 * math.pi) - turned)
    bearing = np.abs(np.angle(gap_a * gap_b.conj() * turn[:, None]))
    doubt = 1.0 + np.exp(np.minimum(_LENGTH_SLOPE * (length - _LENGTH_MIDDLE), _MOST_DOUBT))
    doubt *= 1.0 + np.exp(np.minimum(_TURN_SLOPE * (turned - _TURN_MIDDLE), _MOST_DOUBT))
    doubt *= 1.0 + np.exp(np.minimum(_TURN_SLOPE * (bearing - _TURN_MIDDLE), _MOST_DOUBT))
    doubt[(one[:, None] == one[None, :]) | (two[:, None] == two[None, :])] = np.inf
    agreement: Float32Array = 1.0 / doubt
    return agreement


def _length(gap: ComplexArray) -> Float32Array:
    """What ``abs`` gives, without its care for numbers far from 1."""
    length: Float32Array = np.sqrt(np.square(gap.real) + np.square(gap.imag))
    return length


def _relax(strength: Float32Array, agreement: Float32Array) -> tuple[Float32Array, float]:
    """Let pairs that agree strengthen each other; also the mean strength of the ten strongest."""
    share = 0.5 / max(1, min(_SUPPORTERS, len(strength) - 1))
    for _ in range(_ROUNDS):
        strength = 0.5 * strength + share * (agreement @ strength)
    return strength, float(np.sort(strength)[-10:].mean())


def _fit_transforms(a: Constellation, b: Constellation, weights: Float32Array) -> tuple[ComplexArray, ComplexArray]:
    """(P,) turns and shifts that lay the K pairs on each other with least squares, under (P, K) weights."""
    total = weights.sum(axis=1, keepdims=True) + 1e-9
    middle_a, middle_b = weights @ a.place[:, None] / total, weights @ b.place[:, None] / total
    product = (b.place[None, :] - middle_b) * (a.place[None, :] - middle_a).conj()
    product += _DIRECTION_WEIGHT * (b.direction * a.direction.conj())[None, :]
    turn = (weights * product).sum(axis=1)
    turn = turn / np.maximum(np.abs(turn), 1e-9)
    return turn.astype(np.complex64), (middle_b[:, 0] - turn * middle_a[:, 0]).astype(np.complex64)


def _best_overlay(
    first: Constellation,
    second: Constellation,
    alike: Float32Array,
    turn: ComplexArray,
    shift: ComplexArray,
    support: float,
) -> Consensus:
    """Lay the first on the second under each transform, pair one to one, and keep the transform with most weight."""
    laid = turn[:, None] * first.place[None, :] + shift[:, None]
    fit = overlay_fit(laid, turn[:, None] * first.direction[None, :], second, reach=_REACH)
    weight = fit * (LOCAL_FLOOR + alike[None])
    partner, gained = mutual_best(weight)
    best = int(np.argmax(gained.sum(axis=1)))
    one = np.flatnonzero(gained[best])
    two = partner[best][one]
    return Consensus(
        complex(turn[best]),
        complex(shift[best]),
        one,
        two,
        fit[best][one, two],
        alike[one, two],
        support,
        laid[best],
    )


def overlay_fit(
    laid: ComplexArray, directions: ComplexArray, second: Constellation, *, reach: float, turn_reach: float = TURN_REACH
) -> Float32Array:
    """(..., N, M) in [0, 1]: how well each of the laid (..., N) minutiae lies on each of the second's, 0 out of reach.

    ``reach`` in pixels, ``turn_reach`` in radians.
    """
    gap = laid[..., :, None] - second.place
    fit = np.square(gap.real)
    fit += np.square(gap.imag)
    fit *= np.float32(-1.0 / reach**2)
    fit += np.float32(1.0)
    cosine = directions.real[..., :, None] * second.direction.real
    cosine += directions.imag[..., :, None] * second.direction.imag
    parallel = (cosine - np.float32(math.cos(turn_reach))) * np.float32(1.0 / (1.0 - math.cos(turn_reach)))
    result: Float32Array = np.maximum(fit, 0.0, out=fit) * np.maximum(parallel, 0.0, out=parallel)
    return result


def mutual_best(weight: Float32Array) -> tuple[IndexArray, Float32Array]:
    """For each of the first's minutiae of (..., N, M) weights its partner (..., N), and what the pair weighs (..., N).

    A pair weighs nothing if one of both has a better partner, of equals the first: each minutia has one at most, even
    where many lie at one place.
    """
    partner = weight.argmax(axis=-1)
    back = np.take_along_axis(weight.argmax(axis=-2), partner, axis=-1)
    gained = np.take_along_axis(weight, partner[..., None], axis=-1)[..., 0]
    return partner, gained * (back == np.arange(weight.shape[-2]))
