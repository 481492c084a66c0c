"""How the skin was bent between two touches. Owns the deformation that follows a rigid consensus.

Skin that is pressed and pushed is stretched and sheared by some percent, so that under the best rigid transform the
outer minutiae miss each other by many pixels. Here the pairs that agree tell how it was stretched, as far as they are
many and far apart: a linear deformation, in least squares, with a prior that holds it near none. Then the minutiae are
paired once more, within a smaller reach. Refuses larger deformations than skin allows, and any score.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from matcher.engines.consensus import LOCAL_FLOOR, Consensus, Constellation, mutual_best, overlay_fit
from matcher.engines.seen_area import ComplexArray
from models.biometrics import Float32Array

_REACHES: Final = (16.0, 10.5)  # pixels, rigid first, then bent
_TURN_REACH: Final = math.radians(25)
_STRAIN: Final = 0.08  # typical of skin, one standard deviation
_NOISE: Final = 5.0  # pixels by which a minutia misses for other reasons
_MOST_STRAIN: Final = 0.25  # of any direction; beyond it nothing is believed


def settle(first: Constellation, second: Constellation, alike: Float32Array, consensus: Consensus) -> Consensus:
    """The same consensus with the first's minutiae laid as the skin was bent, and the pairs found then."""
    turn, shift = np.complex64(consensus.turn), np.complex64(consensus.shift)
    rigid = first.place * turn + shift
    directions = first.direction * turn
    laid = rigid
    for step, reach in enumerate(_REACHES):
        fit = overlay_fit(laid, directions, second, reach=reach, turn_reach=_TURN_REACH)
        weight = fit * (LOCAL_FLOOR + alike)
        partner, gained = mutual_best(weight)
        one = np.flatnonzero(gained)
        two = partner[one]
        if step + 1 < len(_REACHES) and len(one):
            laid = rigid + _bend(rigid, one, second.place[two] - rigid[one], weight[one, two])
    return Consensus(consensus.turn, consensus.shift, one, two, fit[one, two], alike[one, two], consensus.support, laid)


def _bend(rigid: ComplexArray, one: np.ndarray, miss: ComplexArray, weight: Float32Array) -> ComplexArray:
    """(N,) by how much each minutia moves, given by how much (K,) some of them miss their partners.

    Ridge regression: the prior counts like ``(_NOISE / _STRAIN)²`` square pixels of weighted spread.
    """
    total = float(weight.sum())
    place, away = rigid[one], complex(weight @ miss) / (total + 1.0)
    middle = complex(weight @ place) / total
    x, y = (place - middle).real, (place - middle).imag
    prior = (_NOISE / _STRAIN) ** 2
    xx, yy, xy = float(weight @ (x * x)) + prior, float(weight @ (y * y)) + prior, float(weight @ (x * y))
    weighted = weight * (miss - away)
    by_x, by_y = complex(weighted @ x), complex(weighted @ y)
    determinant = xx * yy - xy * xy
    along_x, along_y = (yy * by_x - xy * by_y) / determinant, (xx * by_y - xy * by_x) / determinant
    strain = math.hypot(abs(along_x), abs(along_y))
    if strain > _MOST_STRAIN:
        along_x, along_y = along_x * _MOST_STRAIN / strain, along_y * _MOST_STRAIN / strain
    offset = rigid - np.complex64(middle)
    moved: ComplexArray = (away + along_x * offset.real + along_y * offset.imag).astype(np.complex64)
    return moved
