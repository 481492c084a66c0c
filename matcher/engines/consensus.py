"""Which rigid transform most minutiae of two pictures agree on. Owns the rigid geometry of a comparison.

Positions are complex numbers x + iy with y up, directions complex numbers of length one, so that a turn is a product:
the transform takes p to ``turn * p + shift``. Likely pairs come from a local similarity, support each other where
their geometry agrees (relaxation, after Cappelli, Ferrara and Maltoni, IEEE PAMI 32(12), 2010, section 4), the best
supported groups propose transforms, and the transform that lays most minutiae on their like wins. Refuses to bend
(``matcher.engines.skin`` does), to know how the local similarity was made, and what score follows
(``matcher.engines.minutiae``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from matcher.engines.overlay import LOCAL_FLOOR, Constellation, IndexArray, near, parallel, partners
from matcher.engines.seen_area import ComplexArray
from models.biometrics import Float32Array

_PAIRS: Final = 32  # likely pairs that take part in the relaxation
_ROUNDS: Final = 5
_SUPPORTERS: Final = 12  # a pair's support is the mean over about as many pairs as a true match has
# By how much two pairs may be off, at half support, and how steeply that falls: the distance of their minutiae in
# pixels, then by how much they turn and in which direction they lie, both as chords of 20 degrees.
_HALF: Final = np.array([5.0, 2.0 * math.sin(math.radians(10)), 2.0 * math.sin(math.radians(10))])
_SLOPE: Final = np.array([0.8, 15.0, 15.0])
# A chord is the root of twice what the cosine lacks to 1: the two goes into the slope.
_SLOPES: Final = (_SLOPE * [1.0, math.sqrt(2.0), math.sqrt(2.0)]).astype(np.float32)[:, None, None]
_MIDDLES: Final = (_SLOPE * _HALF).astype(np.float32)[:, None, None]
_MOST_DOUBT: Final = np.float32(20.0)  # of an exponent: beyond it nothing is left that could count
_GROUP: Final = 0.25  # least mutual support within the group that proposes a transform
_PROPOSALS: Final = 6
_REACH: Final = 12.0  # pixels: where two minutiae no longer lie on each other when transforms are weighed up,
_BENT_REACH: Final = 16.0  # and when pairs are made that tell how the skin was bent
_DIRECTION_WEIGHT: Final = np.float32(400.0)  # square pixels: fixes the turn like a pair of points 20 pixels apart
_TINY: Final = np.float32(1e-6)
_NONE: Final = np.float32(0.0)
_ONE: Final = np.float32(1.0)
_EACH: Final = np.arange(_PROPOSALS)


@dataclass(frozen=True, slots=True, eq=False)
class Rigid:
    """A turn and a shift of positions relative to the middles, and the (K,) pairs of minutiae it was fitted to.

    ``weight`` (K,) float32 tells how surely each pair belongs together, pairs among them that miss by as much as bent
    skin makes them miss.
    """

    turn: complex
    shift: complex
    first: IndexArray
    second: IndexArray
    weight: Float32Array


def find_rigid(first: Constellation, second: Constellation, alike: Float32Array) -> Rigid:
    """The transform under which most minutiae lie on their like.

    ``alike`` is the (N, M) local similarity; N and M at least 1.
    """
    one, two, strength = _likely_pairs(alike)
    a, b, turns = _paired(first, second, one, two)
    agreement = _agreement(a, b, turns)
    strength = _relaxed(strength, agreement)
    proposals = strength.argsort()[-_PROPOSALS:]
    group = strength * (agreement.take(proposals, axis=0) > _GROUP)
    group[_EACH[: len(proposals)], proposals] = strength.take(proposals)
    proposed = _fitted(group, a, b, turns)
    at, one, two, weight = _best_overlay(first, second, alike + LOCAL_FLOOR, proposed)
    turn, shift = _fitted(weight[None], *_paired(first, second, one, two))[0] if len(one) else proposed[at]
    return Rigid(turn, shift, one, two, weight)


def _paired(
    first: Constellation, second: Constellation, one: IndexArray, two: IndexArray
) -> tuple[ComplexArray, ComplexArray, ComplexArray]:
    """Where the minutiae of (K,) pairs lie in both pictures, and by how much their directions ask to be turned."""
    turns = second.direction.take(two)
    turns *= first.direction.take(one).conj()
    return first.place.take(one), second.place.take(two), turns


def _likely_pairs(alike: Float32Array) -> tuple[IndexArray, IndexArray, Float32Array]:
    """The most alike pairs: their two indices and their similarity."""
    flat = alike.ravel()
    rest = max(flat.size - _PAIRS, 0)
    top = flat.argpartition(rest)[rest:]
    one = top // alike.shape[1]
    return one, top - one * alike.shape[1], flat.take(top)


def _agreement(a: ComplexArray, b: ComplexArray, turns: ComplexArray) -> Float32Array:
    """(K, K) in [0, 1]: whether two pairs can belong to one rigid transform; near zero where they share a minutia.

    They can if their minutiae are as far apart in both pictures, turn alike, and lie in the direction that the turn
    asks for. Angles are measured as chords.
    """
    gap_a, gap_b = a[:, None] - a, b[:, None] - b
    length_a, length_b = np.abs(gap_a), np.abs(gap_b)
    gap_a *= turns[:, None]
    gap_a *= gap_b.conj()
    apart = length_a * length_b
    apart += _TINY
    parts = turns.view(np.float32).reshape(-1, 2)
    off = np.empty((3, len(a), len(a)), np.float32)
    np.abs(np.subtract(length_a, length_b, out=length_a), out=off[0])
    np.matmul(parts, parts.T, out=off[1])
    np.divide(gap_a.real, apart, out=off[2])
    chords = off[1:]
    np.subtract(_ONE, chords, out=chords)
    np.maximum(chords, _TINY, out=chords)  # rounding may have brought a cosine beyond 1
    np.sqrt(chords, out=chords)
    off *= _SLOPES
    off -= _MIDDLES
    np.minimum(off, _MOST_DOUBT, out=off)
    np.exp(off, out=off)
    off += _ONE
    doubt = off[0]
    doubt *= off[1]
    doubt *= off[2]
    agreement: Float32Array = np.reciprocal(doubt)
    return agreement


def _relaxed(strength: Float32Array, agreement: Float32Array) -> Float32Array:
    """Let pairs that agree strengthen each other."""
    share: Float32Array = agreement * np.float32(0.5 / max(1, min(_SUPPORTERS, len(strength) - 1)))
    share.ravel()[:: len(strength) + 1] += np.float32(0.5)
    for _ in range(_ROUNDS):
        strength = share @ strength
    return strength


def _fitted(
    weights: Float32Array, a: ComplexArray, b: ComplexArray, turns: ComplexArray
) -> list[tuple[complex, complex]]:
    """P turns and shifts that lay K places ``a`` on ``b`` with least squares, under (P, K) weights.

    ``turns`` (K,) are by how much the directions of the pairs ask to be turned.
    """
    columns = np.ones((len(a), 4), np.complex64)
    columns[:, 0], columns[:, 1] = a, b
    product = b * a.conj()
    product += _DIRECTION_WEIGHT * turns
    columns[:, 2] = product
    found = []
    for sum_a, sum_b, sum_turn, total in (weights @ columns.view(np.float32)).view(np.complex64).tolist():
        middle_a, middle_b = sum_a / (total.real + 1e-9), sum_b / (total.real + 1e-9)
        turn = sum_turn - sum_b * middle_a.conjugate()
        turn /= max(abs(turn), 1e-9)
        found.append((turn, middle_b - turn * middle_a))
    return found


def _best_overlay(
    first: Constellation, second: Constellation, worth: Float32Array, proposed: list[tuple[complex, complex]]
) -> tuple[int, IndexArray, IndexArray, Float32Array]:
    """The transform that lays most on each other; the pairs it makes, within the reach of bent skin, and their weight.

    ``worth`` (N, M) is what a pair counts.
    """
    moves = np.array(proposed, np.complex64)
    laid = moves[:, :1] * first.place
    laid += moves[:, 1:]
    shape = len(moves), *worth.shape
    weight = parallel((moves[:, :1] * first.direction).ravel(), second).reshape(shape)
    weight *= worth
    close = near(laid.ravel(), second, _REACH).reshape(shape)
    best = (close * weight).max(axis=2)
    at = int(np.maximum(best, _NONE, out=best).sum(axis=1).argmax())
    wide = close[at] + np.float32(_BENT_REACH**2 - _REACH**2)
    wide *= weight[at]
    one, two = partners(wide)
    return at, one, two, wide[one, two] * np.float32(1.0 / _BENT_REACH**2)
