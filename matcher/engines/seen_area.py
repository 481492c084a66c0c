"""The part of a finger that a picture shows: inside its frame, not far outside the hull of its minutiae.

Owns that one question. Positions are complex numbers with y up (see ``matcher.engines.consensus``).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.biometrics import Float32Array

ComplexArray = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class SeenArea:
    """Half planes: a point is inside where every ``normal`` · point <= ``limit``; (E, 2) and (E,) float32, in pixels.

    The first four are the frame's edges, the others the hull's. Normals have unit length and point outward.
    """

    normal: Float32Array
    limit: Float32Array

    def contains(self, points: ComplexArray, margin: float) -> NDArray[np.bool_]:
        """Whether each point lies within the frame and no further than ``margin`` pixels outside the hull's edge lines.

        At a corner of the hull the margin is measured to the edge lines, so it reaches a little further there.
        """
        limit = self.limit.copy()
        limit[4:] += margin
        flat = points.ravel()
        beyond = np.stack([flat.real, flat.imag], axis=1) @ self.normal.T > limit
        return np.asarray(~beyond.any(axis=1), np.bool_).reshape(points.shape)

    def planes(self, margin: float, *, origin: complex) -> Float32Array:
        """(3, E) float32: [x, y, 1] of a point relative to ``origin``, times this, is nowhere above 0 within."""
        limit = self.limit - self.normal @ np.array([origin.real, origin.imag], np.float32)
        limit[4:] += margin
        return np.concatenate([self.normal.T, -limit[None]])


def within(planes: Float32Array, points: ComplexArray) -> NDArray[np.bool_]:
    """Which of (N,) points, relative to the origin of the ``planes``, lie within them."""
    rows = np.ones((len(points), 3), np.float32)
    rows[:, :2] = points.view(np.float32).reshape(-1, 2)
    return np.asarray((rows @ planes <= 0).all(axis=1), np.bool_)


def seen_area(place: ComplexArray, size: tuple[int, int]) -> SeenArea:
    """The area seen by a picture of ``size`` (width, height) whose minutiae lie at ``place``.

    With fewer than three minutiae, or all on one line, there is no hull and the frame alone counts.
    """
    normal = [np.array([[1, 0], [-1, 0], [0, 1], [0, -1]], np.float32)]
    limit = [np.array([size[0] - 0.5, 0.5, 0.5, size[1] - 0.5], np.float32)]
    if len(place) >= 3:
        hull = cv2.convexHull(np.stack([place.real, place.imag], axis=1).astype(np.float32)).reshape(-1, 2)
        edge = np.roll(hull, -1, axis=0) - hull
        length = np.hypot(edge[:, 0], edge[:, 1])
        if len(hull) >= 3 and (length > 0).all():
            outward = np.stack([edge[:, 1], -edge[:, 0]], axis=1) / length[:, None]
            offset = (outward * hull).sum(axis=1)
            turn = np.sign(np.median(offset - outward @ hull.mean(axis=0)))  # hulls come in either sense of rotation
            normal.append((outward * turn).astype(np.float32))
            limit.append((offset * turn).astype(np.float32))
    return SeenArea(np.concatenate(normal), np.concatenate(limit))
