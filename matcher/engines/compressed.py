"""Cylinders in a hundred numbers each, for searches that must look at a million of them. Owns the projection.

A cylinder of ``cylinders.CELLS`` bits is projected onto smooth waves: cosines along the radius, around the base, and
around the height. Whatever the sensor did not see counts as average. The dot product of two codes approximates how
alike the cylinders are. Nothing was learned; the waves are written down here. Refuses to say which fingers match.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from matcher.engines.cylinders import BASE, CELLS, DIRECTIONS, RADIUS, Cylinders, unpacked
from models.biometrics import Float32Array, Float64Array

_RADIAL: Final = 3
_AROUND: Final = 3  # waves around the base, each as cosine and sine
_UPWARD: Final = 2  # waves over the height, likewise
_AVERAGE: Final = 0.05  # share of the bits that are set, on FVC pictures


def codes(of: Cylinders) -> Float32Array:
    """(N, LENGTH) float32 of unit length, zeros for a cylinder that cannot be compared."""
    seen = np.repeat(unpacked(of.valid, len(BASE)), DIRECTIONS, axis=1)
    projected = (unpacked(of.values, CELLS) - np.float32(_AVERAGE) * seen) @ _WAVES
    length = np.sqrt(np.square(projected).sum(axis=1, keepdims=True))
    result: Float32Array = projected / np.maximum(length, 1e-6) * of.usable[:, None]
    return result


def _waves() -> Float32Array:
    """(CELLS, LENGTH) orthonormal columns."""
    radius, angle = np.abs(BASE).astype(np.float64) / RADIUS, np.angle(BASE).astype(np.float64)
    height = -math.pi + (np.arange(DIRECTIONS) + 0.5) * 2 * math.pi / DIRECTIONS
    flat = [
        np.cos(math.pi * n * radius) * np.power(radius, min(abs(m), 2) / 2) * _wave(m, angle)
        for n in range(_RADIAL)
        for m in range(-_AROUND, _AROUND + 1)
    ]
    upward = [_wave(k, height) for k in range(-_UPWARD, _UPWARD + 1)]
    columns = np.stack([np.outer(one, two).ravel() for one in flat for two in upward], axis=1)
    return np.linalg.qr(columns)[0].astype(np.float32)


def _wave(number: int, angle: Float64Array) -> Float64Array:
    wave: Float64Array = np.cos(number * angle) if number >= 0 else np.sin(number * angle)
    return wave


_WAVES: Final = _waves()
LENGTH: Final = _WAVES.shape[1]
