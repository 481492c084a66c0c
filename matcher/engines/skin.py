"""How the skin was bent between two touches. Owns the deformation that follows a rigid transform.

Skin that is pressed and pushed is stretched and sheared by some percent, so that under the best rigid transform the
outer minutiae miss each other by many pixels. Here the pairs that agree tell how it was stretched, as far as they are
many and far apart: a linear deformation, in least squares, with a prior that holds it near none. Then the minutiae are
paired once more, within a smaller reach. Refuses larger deformations than skin allows, and any score.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from matcher.engines.consensus import Rigid
from matcher.engines.overlay import LOCAL_FLOOR, Constellation, IndexArray, near, parallel, partners
from matcher.engines.seen_area import ComplexArray
from models.biometrics import Float32Array

_REACH: Final = 10.5  # pixels: where two minutiae no longer lie on each other once the skin is bent
_STRAIN: Final = 0.08  # typical of skin, one standard deviation
_NOISE: Final = 5.0  # pixels by which a minutia misses for other reasons
_MOST_STRAIN: Final = 0.25  # of any direction; beyond it nothing is believed


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """How the first picture was laid on the second, and the pairs of minutiae that then lie on each other.

    ``turn`` and ``shift`` are the rigid part, in the pictures' own coordinates; ``laid`` (N,) complex64 is where the
    first's minutiae come to lie with all of it, relative to the middle of the second's. ``first`` and ``second`` (K,)
    index the minutiae of a pair; ``fit`` (K,) in [0, 1] tells how well they lie on each other, ``alike`` (K,) their
    local similarity.
    """

    turn: complex
    shift: complex
    laid: ComplexArray
    first: IndexArray
    second: IndexArray
    fit: Float32Array
    alike: Float32Array

    def back(self, first: Constellation, second: Constellation) -> ComplexArray:
        """(M,) where the second's minutiae lie on the first, relative to its middle, by the rigid part alone."""
        shift = self.turn * first.middle + self.shift - second.middle
        return (second.place - np.complex64(shift)) * np.complex64(self.turn.conjugate())


def settle(first: Constellation, second: Constellation, alike: Float32Array, rigid: Rigid) -> Alignment:
    """The first laid on the second as turned and shifted, and bent; ``alike`` (N, M) is the local similarity."""
    turn = np.complex64(rigid.turn)
    laid = first.place * turn
    laid += np.complex64(rigid.shift)
    if len(rigid.first):
        laid += _bend(laid, laid.take(rigid.first), second.place.take(rigid.second), rigid.weight)
    directions = parallel(first.direction * turn, second)
    close = near(laid, second, _REACH)
    close *= directions
    one, two = partners(close * (alike + LOCAL_FLOOR))
    fit = close[one, two] * np.float32(1.0 / _REACH**2)
    return Alignment(
        turn=rigid.turn,
        shift=rigid.shift + second.middle - rigid.turn * first.middle,
        laid=laid,
        first=one,
        second=two,
        fit=np.minimum(fit, np.float32(1.0), out=fit),  # rounding may have brought it beyond
        alike=alike[one, two],
    )


def _bend(rigid: ComplexArray, place: ComplexArray, target: ComplexArray, weight: Float32Array) -> ComplexArray:
    """(N,) by how much each minutia moves, given what (K,) of them at ``place`` should come to lie on.

    Ridge regression: the prior counts like ``(_NOISE / _STRAIN)²`` square pixels of weighted spread.
    """
    columns = np.empty((len(place), 5), np.float32)
    columns[:, 0] = 1.0
    columns[:, 1:3] = place.view(np.float32).reshape(-1, 2)
    columns[:, 3:] = (target - place).view(np.float32).reshape(-1, 2)
    weighted = columns[:, :3] * weight[:, None]
    (total, x, y, ex, ey), (_, xx, xy, xex, xey), (_, _, yy, yex, yey) = (weighted.T @ columns).tolist()
    x, y, miss = x / total, y / total, complex(ex, ey)
    prior = (_NOISE / _STRAIN) ** 2
    xx, yy, xy = xx - total * x * x + prior, yy - total * y * y + prior, xy - total * x * y
    by_x, by_y = complex(xex, xey) - x * miss, complex(yex, yey) - y * miss
    determinant = xx * yy - xy * xy
    along_x, along_y = (yy * by_x - xy * by_y) / determinant, (xx * by_y - xy * by_x) / determinant
    strain = math.hypot(abs(along_x), abs(along_y))
    if strain > _MOST_STRAIN:
        along_x, along_y = along_x * _MOST_STRAIN / strain, along_y * _MOST_STRAIN / strain
    moved: ComplexArray = np.complex64(along_x) * rigid.real
    moved += np.complex64(along_y) * rigid.imag
    moved += np.complex64(miss / (total + 1.0) - along_x * x - along_y * y)
    return moved
