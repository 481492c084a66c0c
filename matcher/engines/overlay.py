"""Laying minutiae on minutiae: how close they come, and who is whose partner. Owns both for a given transform.

Written as products of matrices over a few columns, because a comparison is a hundred small steps, and each of them
costs more to call than to compute. Refuses to find a transform (``matcher.engines.consensus``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.engines.seen_area import ComplexArray
from models.biometrics import Float32Array

IndexArray = NDArray[np.intp]

LOCAL_FLOOR: Final = np.float32(0.3)  # what a pair counts that lies well but whose neighborhoods cannot be compared
_TURN_REACH: Final = math.radians(25)
_LEAST_COSINE: Final = math.cos(_TURN_REACH)


@dataclass(frozen=True, slots=True, eq=False)
class Constellation:
    """The minutiae of one picture: (N,) complex64 positions in pixels, relative to their ``middle``, and directions of
    length one.

    ``targets`` (4, N) and ``headings`` (3, N) float32 are the same for products of matrices.
    """

    middle: complex
    place: ComplexArray
    direction: ComplexArray
    targets: Float32Array
    headings: Float32Array

    def __len__(self) -> int:
        return len(self.place)


def constellation(place: ComplexArray, direction: ComplexArray) -> Constellation:
    """Minutiae made ready to be laid on others, from (N,) positions and directions."""
    middle = complex(place.mean()) if len(place) else 0j
    place = (place - middle).astype(np.complex64)
    x, y, one, least = place.real, place.imag, np.ones(len(place), np.float32), np.float32(_LEAST_COSINE)
    return Constellation(
        middle,
        place,
        direction,
        np.stack([2 * x, 2 * y, -(x * x + y * y), one]),
        np.stack([direction.real, direction.imag, -one * least]).astype(np.float32) / (np.float32(1.0) - least),
    )


def near(laid: ComplexArray, second: Constellation, reach: float) -> Float32Array:
    """(R, M): ``reach`` squared less the squared distance of each of (R,) places to each of the second's minutiae.

    Positive within reach; divided by ``reach`` squared it tells in [0, 1] how well they lie on each other.
    """
    rows = np.empty((len(laid), 4), np.float32)
    rows[:, :2] = laid.view(np.float32).reshape(-1, 2)
    rows[:, 2] = 1.0
    np.subtract(np.float32(reach * reach), np.square(laid.real) + np.square(laid.imag), out=rows[:, 3])
    result: Float32Array = rows @ second.targets
    return result


def parallel(directions: ComplexArray, second: Constellation) -> Float32Array:
    """(R, M): 1 where (R,) directions are those of the second's minutiae, falling to 0 at 25 degrees and beyond."""
    rows = np.ones((len(directions), 3), np.float32)
    rows[:, :2] = directions.view(np.float32).reshape(-1, 2)
    alike: Float32Array = rows @ second.headings
    np.maximum(alike, np.float32(0.0), out=alike)
    return alike


def partners(weight: Float32Array) -> tuple[IndexArray, IndexArray]:
    """The pairs of (N, M) weights above 0 of which neither has a better partner, of equals the first.

    So each minutia has one partner at most, even where many lie at one place.
    """
    best = weight.argmax(axis=1)
    every = np.arange(len(best))
    mutual = weight.argmax(axis=0).take(best) == every
    mutual &= weight.take(every * weight.shape[1] + best) > 0
    one = mutual.nonzero()[0]
    return one, best.take(one)
