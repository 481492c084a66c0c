"""What lies before what on a face: small patches of skin followed from rest to a turned picture. Refuses any verdict.

The 68 points of a shape predictor have seen many heads and expect one; a patch of the picture has not. Fourteen patches
are cut at rest and found again by normalised correlation. The corners of eyes and mouth give the plane, as in
``matcher.parallax``; what the other patches do against it, along the way in which the tip of the nose goes, is their
height over that plane in tips of a nose. How much the plane grew narrow along that same way says, without any height,
how far it turned: 1 - cos² of the turn.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from matcher.parallax import LEFT_EYE, RIGHT_EYE, Points, axes_of
from models.biometrics import Float64Array, UInt8Array

EYE_PX = 48.0  # eye distance in the upright picture
SIZE = (144, 168)
_ORIGIN = np.array([72.0, 56.0])  # where the middle between the eyes lies there
_HALF, _SEARCH = 11, 9  # pixels: a patch is 0.48 eye distances wide, and is looked for 0.19 around its place
_FIRM = (*range(17, 27), 31, 33, 35, *range(36, 48), 48, 54)  # points by which a picture is laid over the one at rest
_AT_POINT = {
    "eye_outer_right": 36, "eye_inner_right": 39, "eye_inner_left": 42, "eye_outer_left": 45,
    "mouth_right": 48, "mouth_left": 54, "tip": 30, "ridge": 28, "brow_right": 19, "brow_left": 24,
}  # fmt: skip
_CHEEK_ASIDE, _FOREHEAD_ABOVE = 0.62, 0.5
PLACES = (*_AT_POINT, "cheek_right", "cheek_left", "forehead", "lip")
_PLANE = [PLACES.index(name) for name in PLACES if name.startswith(("eye", "mouth"))]
_WIDE = [*_PLANE, PLACES.index("cheek_right"), PLACES.index("cheek_left")]
_TIP = PLACES.index("tip")
_TIP_HIGH = (0.40, 0.34)  # eye distances: what a patch of the tip runs ahead in a turn, and in a nod
_LEAST = 0.5  # correlation below which a patch was not found again
_LEAST_PLANE = 4  # of its six corners
_ALONE, _APART = 0.05, 4  # so much worse must every place be that lies so many pixels from the best
_CLEAR = (0.02, 3.0)  # or so much worse, and so many times as far from a perfect match: smooth, and in hard light


@dataclass(frozen=True, slots=True, eq=False)
class Heights:
    """One picture against the one at rest.

    ``tip`` is the parallax of the nose's tip in eye distances, ``way`` its direction (unit vector, picture's x and y),
    ``along`` each place's parallax in that direction (PLACES), ``weights`` how well each was found (0..0.5),
    ``narrowing`` 1 - cos² of the turn of the plane in that direction, which noise may make negative.
    """

    tip: float
    way: tuple[float, float]
    along: Float64Array
    weights: Float64Array
    narrowing: float

    @property
    def nose(self) -> tuple[float, float]:
        """The parallax of the nose's tip, in eye distances along the face's axes at rest."""
        return self.tip * self.way[0], self.tip * self.way[1]

    @property
    def turned_deg(self) -> tuple[float, float]:
        """Yaw and pitch, as ``matcher.parallax.turned_deg``, of a head whose tip goes so far."""
        x, y = (min(1.0, max(-1.0, part / high)) for part, high in zip(self.nose, _TIP_HIGH, strict=True))
        return math.degrees(math.asin(x)), math.degrees(math.asin(y))


class FaceAtRest:
    """The patches of a face at rest. ``pixels`` is the very picture in which ``points`` lie."""

    def __init__(self, pixels: UInt8Array, points: Points) -> None:
        self._axes, self._scale = axes_of(points)
        self._middle = _between_eyes(points)
        upright = self._to_face(points.many)
        self.places = _places(upright)
        self._spots = self.places * EYE_PX + _ORIGIN
        firm = upright[list(_FIRM)] * EYE_PX + _ORIGIN
        self._firm = np.column_stack([firm, np.ones(len(firm))])
        back = self._axes * self._scale / EYE_PX
        still = _cut(pixels, np.column_stack([back, self._middle - back @ _ORIGIN]))
        side = 2 * _HALF + 1
        self._patches = [cv2.getRectSubPix(still, (side, side), (float(x), float(y))) for x, y in self._spots]

    def heights(self, pixels: UInt8Array, points: Points) -> Heights | None:
        """What moved before what in another picture; None where the nose's tip, or much of the plane, is not found."""
        over = np.linalg.lstsq(self._firm, points.many[list(_FIRM)].astype(np.float64), rcond=None)[0].T
        found, weights = self._found(_cut(pixels, over))
        if weights[_TIP] <= 0.0 or int((weights[_PLANE] > 0.0).sum()) < _LEAST_PLANE:
            return None
        now = self._to_face(found @ over[:, :2].T + over[:, 2])
        plane = _mapped(now, self.places, weights, _PLANE)
        rest = np.column_stack([np.ones(len(now)), now]) @ plane - self.places
        tip = float(np.hypot(*rest[_TIP]))
        if tip <= 1e-6:
            return None
        way = rest[_TIP] / tip
        wide = np.linalg.inv(_mapped(now, self.places, weights, _WIDE)[1:]).T
        spread, across = wide @ wide.T, np.array([-way[1], way[0]])
        narrowing = 1.0 - float(way @ spread @ way) / max(float(across @ spread @ across), 1e-9)
        return Heights(tip, (float(way[0]), float(way[1])), np.asarray(rest @ way), weights, narrowing)

    def _found(self, picture: UInt8Array) -> tuple[Float64Array, Float64Array]:
        """Where each patch lies in an upright picture, (14, 2) pixels, and how well it was found."""
        side = 2 * (_HALF + _SEARCH) + 1
        found, weights = self._spots.copy(), np.zeros(len(PLACES))
        for number, patch in enumerate(self._patches):
            x, y = self._spots[number]
            around = cv2.getRectSubPix(picture, (side, side), (float(x), float(y)))
            score = cv2.matchTemplate(around, patch, cv2.TM_CCOEFF_NORMED)
            _, best, _, (column, row) = cv2.minMaxLoc(score)
            inside = 0 < column < 2 * _SEARCH and 0 < row < 2 * _SEARCH
            if not inside or not best > _LEAST or not _alone(best, _elsewhere(score, column, row)):
                continue
            found[number] += (
                column - _SEARCH + _peak(score[row, column - 1 : column + 2]),
                row - _SEARCH + _peak(score[row - 1 : row + 2, column]),
            )
            weights[number] = best - _LEAST
        return found, weights

    def _to_face(self, points: Any) -> Float64Array:
        """Pixels of the frame as eye distances from the middle between the eyes at rest, along the face's axes."""
        return np.asarray((np.asarray(points, np.float64) - self._middle) @ self._axes / self._scale)


def _places(upright: Float64Array) -> Float64Array:
    low = float(upright[33, 1]) - 0.1  # a little above the base of the nose
    more = [(-_CHEEK_ASIDE, low), (_CHEEK_ASIDE, low), (0.0, -_FOREHEAD_ABOVE), (upright[51] + upright[33]) / 2]
    return np.array([*(upright[number] for number in _AT_POINT.values()), *more], np.float64)


def _between_eyes(points: Points) -> Float64Array:
    eyes = [points.many[side].mean(axis=0) for side in (RIGHT_EYE, LEFT_EYE)]
    return np.asarray((eyes[0] + eyes[1]) / 2, np.float64)


def _cut(pixels: UInt8Array, matrix: Float64Array) -> UInt8Array:
    """The upright gray picture; ``matrix`` leads from it to the frame."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(pixels, matrix, SIZE, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)


def _mapped(now: Float64Array, rest: Float64Array, weights: Float64Array, places: list[int]) -> Float64Array:
    """The (3, 2) affine map from these places now to themselves at rest, by weighted least squares."""
    weight = (weights[places] + 0.02)[:, None]
    rows = np.column_stack([np.ones(len(places)), now[places]])
    return np.asarray(np.linalg.lstsq(rows * weight, rest[places] * weight, rcond=None)[0])


def _alone(best: float, other: float) -> bool:
    least, times = _CLEAR
    return best - other >= _ALONE or (best - other >= least and 1.0 - other >= times * (1.0 - best))


def _elsewhere(score: Any, column: int, row: int) -> float:
    """The best correlation that is not round this place: plain skin is like itself in more than one."""
    other = score.copy()
    other[max(0, row - _APART) : row + _APART + 1, max(0, column - _APART) : column + _APART + 1] = -1.0
    return float(other.max())


def _peak(three: Any) -> float:
    """Where between three neighbours the maximum lies, by a parabola, -0.5..0.5."""
    before, here, after = (float(value) for value in three)
    bend = before - 2 * here + after
    return 0.5 * (before - after) / bend if bend < -1e-9 else 0.0
