"""How the points of a face move against each other between two pictures. Owns the geometry; refuses any verdict.

The eyes' and the mouth's corners lie nearly in a plane. Whatever that plane does before a camera (shift, turn, lean,
come nearer) is, to within a few hundredths of the eyes' distance, one affine map of the picture. The map is fitted on
those six points and taken away; what remains of the others is parallax. On a photograph nothing remains. On a head the
nose, 0.43 eye distances before the plane, runs ahead of the turn by 0.43·sin(yaw), and the jaw behind it falls back.
(Plane plus parallax: Irani and Anandan, 1998.)
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.biometrics import Float32Array, Float64Array

PLANE = (36, 39, 42, 45, 48, 54)  # outer and inner corners of both eyes, corners of the mouth
NOSE = (29, 30, 33)  # ridge, tip and base
JAW = (1, 2, 3, 4, 12, 13, 14, 15)
RIGHT_EYE, LEFT_EYE = slice(36, 42), slice(42, 48)
NOSE_HEIGHT = 0.43  # of an adult's nose tip over the plane, in eye distances
# What each point's parallax says of a turn: eye distances per degree, over the variance of one frame at rest. Measured
# on photographs of 60 people bent over a simulated head; the second detector hardly sees a nod.
_SAYS = {  # axis: (nose, nose of the second detector, jaw)
    0: ((0.0080, 0.0078, -0.0095), (0.013, 0.036, 0.023)),
    1: ((0.0075, 0.0030, -0.0075), (0.011, 0.032, 0.020)),
}


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """One face in one picture: the detector's five points (5, 2) and the 68 of the shape predictor, in pixels."""

    five: Float32Array
    many: Float32Array


@dataclass(frozen=True, slots=True)
class Parallax:
    """What moved against the plane between two pictures, in eye distances; x grows towards the picture's right.

    ``nose`` and ``jaw`` come from the 68 points, ``nose_again`` from the other detector's five, each (x, y).
    ``narrowing`` is how much the plane's width shrank against its height (1: not at all), which a plane and a head do
    alike when they turn, and ``narrowing_again`` the same of the other detector. ``misfit`` is what the affine map
    leaves of the six points themselves.
    """

    nose: tuple[float, float]
    nose_again: tuple[float, float]
    jaw: tuple[float, float]
    narrowing: float
    misfit: float
    narrowing_again: float = 1.0


def eye_distance(points: Points) -> float:
    """Pixels between the middles of the eyes, of the 68 points."""
    return float(np.linalg.norm(points.many[LEFT_EYE].mean(axis=0) - points.many[RIGHT_EYE].mean(axis=0)))


def center(points: Points) -> Float64Array:
    """The middle of the six points of the plane, (2,) pixels."""
    return np.asarray(points.many[list(PLANE)].mean(axis=0), dtype=np.float64)


def asymmetry(points: Points) -> float:
    """How far the nose tip is beside the middle of eyes and mouth, in eye distances: about 0 from the front."""
    axes, scale = axes_of(points)
    middle = (points.five[:2].mean(axis=0) + points.five[3:].mean(axis=0)) / 2
    return float(((points.five[2] - middle) @ axes)[0] / scale)


def measure(reference: Points, current: Points) -> Parallax:
    """The parallax of ``current`` against ``reference``, two pictures of one face."""
    axes, scale = axes_of(reference)
    plane = list(PLANE)
    back = _affine(current.many[plane], reference.many[plane])
    rest = (_apply(back, current.many) - reference.many) @ axes / scale
    corners = [0, 1, 3, 4]
    again = _affine(current.five[corners], reference.five[corners])
    tip = (_apply(again, current.five[2:3])[0] - reference.five[2]) @ axes / scale
    nose, jaw = rest[list(NOSE)].mean(axis=0), rest[list(JAW)].mean(axis=0)
    return Parallax(
        nose=(float(nose[0]), float(nose[1])),
        nose_again=(float(tip[0]), float(tip[1])),
        jaw=(float(jaw[0]), float(jaw[1])),
        narrowing=_narrowing(reference, current),
        misfit=float(np.sqrt(np.square(rest[plane]).mean())),
        narrowing_again=_slimness(current.five) / max(_slimness(reference.five), 1e-6),
    )


def turned_deg(moved: Parallax) -> tuple[float, float]:
    """How far a head must have turned for this parallax, (yaw, pitch) in degrees; a plane hardly turns by this measure.

    Yaw above 0 goes towards larger x, pitch above 0 downwards. The three parallaxes weigh as much as they say (least
    squares), for small angles.
    """
    return _turned(moved, 0), _turned(moved, 1)


def plane_deg(moved: Parallax) -> tuple[float, float]:
    """How far the plane of eyes and mouth must have turned to grow so narrow, or so low, in degrees without a sign."""
    return _narrowed_deg(moved.narrowing)


def plane_again_deg(moved: Parallax) -> tuple[float, float]:
    """``plane_deg`` as the second detector has it. Glasses that mislead one of them seldom mislead both."""
    return _narrowed_deg(moved.narrowing_again)


def _narrowed_deg(narrowing: float) -> tuple[float, float]:
    narrowing = max(narrowing, 1e-3)
    return (
        float(np.rad2deg(np.arccos(min(1.0, narrowing)))),
        float(np.rad2deg(np.arccos(min(1.0, 1.0 / narrowing)))),
    )


def mean_points(several: list[Points]) -> Points:
    """The mean of pictures in which the face hardly moved, taken from the place where the last one saw it."""
    last = several[-1]
    moved = [(_shift(each.five, each, last), _shift(each.many, each, last)) for each in several]
    five, many = (np.stack([pair[part] for pair in moved]).mean(axis=0) for part in (0, 1))
    return Points(np.asarray(five, dtype=np.float32), np.asarray(many, dtype=np.float32))


def _turned(moved: Parallax, axis: int) -> float:
    slopes, noise = (np.array(row) for row in _SAYS[axis])
    weights = slopes / np.square(noise)
    seen = np.array([moved.nose[axis], moved.nose_again[axis], moved.jaw[axis]])
    return float((weights * seen).sum() / (weights * slopes).sum())


def _shift(points: Float32Array, seen: Points, wanted: Points) -> Float64Array:
    """``points`` carried over by the affine map of the plane."""
    plane = list(PLANE)
    return _apply(_affine(seen.many[plane], wanted.many[plane]), points)


def _narrowing(reference: Points, current: Points) -> float:
    def ratio(points: Points) -> float:
        eyes = points.many[LEFT_EYE].mean(axis=0) - points.many[RIGHT_EYE].mean(axis=0)
        middle = (points.many[LEFT_EYE].mean(axis=0) + points.many[RIGHT_EYE].mean(axis=0)) / 2
        mouth = points.many[[48, 54]].mean(axis=0) - middle
        return float(np.linalg.norm(eyes) / max(float(np.linalg.norm(mouth)), 1e-6))

    return ratio(current) / max(ratio(reference), 1e-6)


def _slimness(five: Float32Array) -> float:
    """The eyes' distance over the height from eyes to mouth, of the five points."""
    marks = five.astype(np.float64)
    height = float(np.linalg.norm(marks[3:].mean(axis=0) - marks[:2].mean(axis=0)))
    return float(np.linalg.norm(marks[1] - marks[0])) / max(height, 1e-6)


def axes_of(points: Points) -> tuple[Float64Array, float]:
    """The face's own right-pointing and down-pointing axis in the picture, as columns, and the eye distance."""
    eyes = (points.many[LEFT_EYE].mean(axis=0) - points.many[RIGHT_EYE].mean(axis=0)).astype(np.float64)
    scale = max(float(np.linalg.norm(eyes)), 1e-6)
    across = eyes / scale
    return np.column_stack([across, np.array([-across[1], across[0]])]), scale


def _affine(source: Float32Array, target: Float32Array) -> Float64Array:
    """The (3, 2) map that takes ``source`` to ``target`` best, by least squares."""
    rows = np.column_stack([source, np.ones(len(source))]).astype(np.float64)
    return np.asarray(np.linalg.lstsq(rows, target.astype(np.float64), rcond=None)[0])


def _apply(matrix: Float64Array, points: Float32Array) -> Float64Array:
    return np.asarray(points.astype(np.float64) @ matrix[:2] + matrix[2])
