"""Minutia Cylinder-Code: what the neighborhood of every minutia looks like. Owns the local similarity of two sets.

A cylinder stands on each minutia and is cut into ``SIDE`` × ``SIDE`` × ``DIRECTIONS`` cells, turned so that the
minutia's own direction is its zero. A cell is one bit: whether another minutia lies near it with that relative
direction. Cells that the sensor may not have seen are marked, and a comparison leaves them out. Refuses any global
geometry; that is ``matcher.engines.consensus``.

Source: R. Cappelli, M. Ferrara, D. Maltoni, Minutia Cylinder-Code, IEEE PAMI 32(12), 2010 (there also in
bits). Parameters are theirs unless a comment says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.engines.seen_area import ComplexArray, SeenArea
from models.biometrics import Float32Array, UInt8Array

RADIUS: Final = 70.0  # pixels at 500 dpi
# Cells across the base. The paper has 16 and 8; 10 keep the errors of 16 in less than half the bytes and a third of the
# time (docs/accuracy/fingers-matching.md).
SIDE: Final = 10
DIRECTIONS: Final = 6  # sections of the height, over 2 pi
_SIGMA_PLACE: Final = 28.0 / 3.0
_SIGMA_DIRECTION: Final = 2.0 * math.pi / 9.0
_MIDDLE: Final = 0.01  # what a cell must hold to be set
_HULL_MARGIN: Final = 50.0
# Share of the base cells that both sides must have seen. The paper asks for 0.60; a small sensor shows so little of a
# finger that most cylinders stand near an edge (FVC sets cropped to 256x288: EER 1.4 % at 0.60, 0.7 % at 0.40).
_LEAST_VALID: Final = 0.40
_LEAST_NEIGHBORS: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Cylinders:
    """The cylinders of N minutiae over C base cells, packed eight cells to the byte.

    ``values`` (N, C * DIRECTIONS / 8) uint8, zero where a cell is not valid; ``valid`` (N, C / 8) uint8; ``usable``
    (N,) bool: enough cells and neighbors to be compared. All are zero for one that is not.
    """

    values: UInt8Array
    valid: UInt8Array
    usable: NDArray[np.bool_]


def cylinders(place: ComplexArray, direction: ComplexArray, area: SeenArea) -> Cylinders:
    """The cylinders of all minutiae of one picture, (N,) complex positions and unit directions."""
    centers = place[:, None] + BASE[None, :] * direction[:, None]
    valid = area.contains(centers, _HULL_MARGIN)
    near = _place_share(centers, place)
    mass = np.matmul(near, _direction_share(direction))
    values = valid[:, :, None] & (mass > _MIDDLE)
    neighbors = (near.max(axis=1, initial=0.0) > 0).sum(axis=1)
    usable = (neighbors >= _LEAST_NEIGHBORS) & (valid.sum(axis=1) >= _LEAST_VALID * len(BASE))
    return Cylinders(
        values=np.packbits(values.reshape(len(values), CELLS) & usable[:, None], axis=1),
        valid=np.packbits(valid & usable[:, None], axis=1),
        usable=usable,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cylinders of N minutiae unpacked for products of matrices.

    ``values`` (N, CELLS) and ``valid`` (N, C) float32 zeros and ones; ``seen`` (2 N, C) float32, ``valid`` and below it
    how many bits are set over each base cell. About 2.6 kB a minutia.
    """

    values: Float32Array
    valid: Float32Array
    seen: Float32Array


def unpacked(packed: UInt8Array, count: int) -> Float32Array:
    """(N, ``count``) float32 zeros and ones of packed cells."""
    return np.unpackbits(packed, axis=1, count=count).astype(np.float32)


def cells(of: Cylinders) -> Cells:
    """The cylinders unpacked."""
    values = unpacked(of.values, CELLS)
    seen = np.empty((2 * len(values), len(BASE)), np.float32)
    valid = seen[: len(values)]
    valid[:] = unpacked(of.valid, len(BASE))
    np.matmul(values.reshape(-1, DIRECTIONS), _ONES, out=seen[len(values) :].reshape(-1))
    return Cells(values, valid, seen)


def similarity(first: Cells, second: Cells) -> Float32Array:
    """(N, M) float32 in [0, 1]: one minus the normalised Euclidean distance of each pair of cylinders.

    Only cells valid on both sides count; where they are too few, or a minutia has too few neighbors, the pair gets 0.
    """
    count = len(second.values)
    both = first.valid @ second.seen.T  # cells seen on both sides, and the second's energy in them
    norm_first, norm_second = first.seen[len(first.values) :] @ second.valid.T, both[:, count:]
    distance = first.values @ second.values.T
    distance *= np.float32(-2.0)
    distance += norm_first
    distance += norm_second
    np.maximum(distance, 0.0, out=distance)
    scale = np.sqrt(norm_first)
    scale += np.sqrt(norm_second)
    np.maximum(scale, np.float32(1e-6), out=scale)
    alike: Float32Array = np.sqrt(distance, out=distance)
    alike /= scale
    np.subtract(np.float32(1.0), alike, out=alike)
    alike *= both[:, :count] >= _LEAST_SHARED
    alike *= scale > np.float32(1e-6)
    return alike


def _base() -> ComplexArray:
    """(C,) centers of the base cells inside the circle, relative to the minutia."""
    line = (np.arange(SIDE) - (SIDE - 1) / 2.0) * (2.0 * RADIUS / SIDE)
    cells = (line[:, None] + 1j * line[None, :]).ravel()
    return cells[np.abs(cells) <= RADIUS].astype(np.complex64)


def _direction_table() -> Float32Array:
    """The share of a direction that falls into a section, by their difference over [-pi, pi] in half degrees."""
    half, root = math.pi / DIRECTIONS, _SIGMA_DIRECTION * math.sqrt(2.0)
    differences = np.linspace(-math.pi, math.pi, 721)
    return np.array(
        [0.5 * (math.erf((d + half) / root) - math.erf((d - half) / root)) for d in differences], np.float32
    )


BASE: Final = _base()
CELLS: Final = len(BASE) * DIRECTIONS
_LEAST_SHARED: Final = np.float32(_LEAST_VALID * len(BASE))
_ONES: Final = np.ones(DIRECTIONS, np.float32)
_TABLE: Final = _direction_table()
_SECTIONS: Final = np.exp(1j * (-math.pi + (np.arange(DIRECTIONS) + 0.5) * 2.0 * math.pi / DIRECTIONS)).astype(
    np.complex64
)


def _place_share(centers: ComplexArray, place: ComplexArray) -> Float32Array:
    """(N, C, N): how much of minutia m counts for cell c around minutia n, by distance; 0 for itself."""
    gap = centers[:, :, None] - place[None, None, :]
    squared = np.square(gap.real) + np.square(gap.imag)
    share = np.exp(squared * (-0.5 / _SIGMA_PLACE**2)) / (_SIGMA_PLACE * math.sqrt(2.0 * math.pi))
    share[squared > (3.0 * _SIGMA_PLACE) ** 2] = 0.0
    every = np.arange(len(place))
    share[every, :, every] = 0.0
    return np.asarray(share, np.float32)


def _direction_share(direction: ComplexArray) -> Float32Array:
    """(N, N, DIRECTIONS): how much of minutia m's direction, seen from minutia n's, falls into each section."""
    relative = direction[:, None] * direction[None, :].conj()
    difference = np.angle(_SECTIONS[None, None, :] * relative.conj()[:, :, None])
    share: Float32Array = _TABLE[np.rint((difference + math.pi) * (720 / (2.0 * math.pi))).astype(np.int64)]
    return share
