"""Several impressions of one finger as one set of minutiae. Owns the union; refuses to judge whether they match."""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from matcher.engines.skin import Alignment
from matcher.ports import Minutiae
from models.biometrics import Float32Array

_MOST: Final = 200  # of a united template; the best scores stay


def unite(base: Minutiae, other: Minutiae, alignment: Alignment) -> Minutiae:
    """``base`` with ``other`` laid on it: pairs of the alignment (base to other) averaged, the rest of both kept.

    A minutia seen twice gains score, so that it outlives those seen once where a template must be cut short.
    """
    turn, shift = np.conj(alignment.turn), alignment.shift  # from the other's frame back into the base's
    laid = ((other.xy[:, 0] - 1j * other.xy[:, 1]) - shift) * turn
    laid_xy = np.stack([laid.real, -laid.imag], axis=1).astype(np.float32)
    laid_angle = other.angle + np.float32(np.angle(turn))
    one, two = alignment.first, alignment.second
    alone = np.setdiff1d(np.arange(len(other.xy)), two)
    xy, angle, score = base.xy.copy(), base.angle.copy(), base.score.copy()
    xy[one] = (base.xy[one] + laid_xy[two]) / 2
    angle[one] = np.angle(np.exp(1j * base.angle[one]) + np.exp(1j * laid_angle[two]))
    score[one] = 1 - (1 - base.score[one]) * (1 - other.score[two])
    return _framed(
        Minutiae(
            xy=np.concatenate([xy, laid_xy[alone]]),
            angle=np.concatenate([angle, laid_angle[alone]]),
            kind=np.concatenate([base.kind, other.kind[alone]]),
            score=np.concatenate([score, other.score[alone]]),
            size=base.size,
        ),
        _corners(other.size, turn, shift),
    )


def _corners(size: tuple[int, int], turn: complex, shift: complex) -> Float32Array:
    """(4, 2): where the other picture's corners lie in the base's frame."""
    width, height = size
    corners = (np.array([0, width, 1j * -height, width - 1j * height]) - shift) * turn
    return np.stack([corners.real, -corners.imag], axis=1).astype(np.float32)


def _framed(minutiae: Minutiae, corners: Float32Array) -> Minutiae:
    """The best minutiae, moved so that the frame that holds both pictures begins at zero."""
    width, height = minutiae.size
    low = np.minimum(np.floor(corners.min(axis=0)), 0)
    high = np.maximum(np.ceil(corners.max(axis=0)), [width, height])
    best = np.sort(np.argsort(-minutiae.score, kind="stable")[:_MOST])
    return Minutiae(
        xy=np.maximum(minutiae.xy[best] - low, 0).astype(np.float32),
        angle=np.mod(minutiae.angle[best], np.float32(2 * math.pi)).astype(np.float32),
        kind=minutiae.kind[best],
        score=minutiae.score[best],
        size=(int(high[0] - low[0]), int(high[1] - low[1])),
    )
