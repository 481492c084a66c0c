"""Synthetic face vectors, for measuring at sizes no collection has. Owns how they are drawn; refuses error rates.

A person is a point of a normal distribution around what all faces share; a photograph adds what differs between two
photographs of one person, some of them much more than others. The shares were set so that the scores lie as those of
SFace do on Labeled Faces in the Wild: genuine pairs at 0.66 +- 0.11 (one in a hundred below 0.36), impostor pairs at
0.085 +- 0.09 (one in ten thousand above 0.41). Nothing of a real face is in them. People here are independent: there
are no families and no twins, so what is found on them flatters every engine, and is written down as simulated.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from matcher.engines.vectors import unit_rows
from models.biometrics import Float32Array

DIMENSIONS: Final = 128
_SHARED: Final = 0.085  # of the squared length: what all faces have in common
_PERSON: Final = 0.57  # what tells people apart
_PHOTOGRAPH: Final = 0.39  # what differs between photographs of one person
_UNEVEN: Final = 0.30  # how unequal photographs are: the spread of the logarithm
_WEAKEST: Final = 0.22  # the variance along the weakest direction, as a share of the strongest


class SyntheticFaces:
    """People by number, a block at a time. The same seed gives the same people and photographs."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng((seed, 0))
        self._seed = seed
        self._turned = np.linalg.qr(rng.standard_normal((DIMENSIONS, DIMENSIONS)))[0].astype(np.float32)
        shared = rng.standard_normal(DIMENSIONS)
        self._shared = (shared * np.sqrt(_SHARED) / np.linalg.norm(shared)).astype(np.float32)
        falling = 1 - (1 - _WEAKEST) * np.arange(DIMENSIONS) / (DIMENSIONS - 1)
        self._spread = np.sqrt(falling / falling.sum()).astype(np.float32)

    def references(self, block: int, people: int) -> Float32Array:
        """(``people``, 128) unit rows: one photograph of each person of this block."""
        return self._photographs(self._people(block, people), np.random.default_rng((self._seed, 2, block)))

    def probes(self, block: int, people: int, chosen: int) -> Float32Array:
        """(``chosen``, 128) unit rows: another photograph of each of the first people of a block of ``people``."""
        return self._photographs(self._people(block, people)[:chosen], np.random.default_rng((self._seed, 3, block)))

    def _people(self, block: int, people: int) -> Float32Array:
        rng = np.random.default_rng((self._seed, 1, block))
        return np.asarray(self._shared + np.float32(np.sqrt(_PERSON)) * self._drawn(rng, people), np.float32)

    def _photographs(self, people: Float32Array, rng: np.random.Generator) -> Float32Array:
        uneven = np.exp(_UNEVEN * rng.standard_normal((len(people), 1)) - _UNEVEN**2).astype(np.float32)
        return unit_rows(people + uneven * np.float32(np.sqrt(_PHOTOGRAPH)) * self._drawn(rng, len(people)))

    def _drawn(self, rng: np.random.Generator, count: int) -> Float32Array:
        """(N, 128) of mean squared length 1."""
        drawn = rng.standard_normal((count, DIMENSIONS), dtype=np.float32) * self._spread
        return np.asarray(drawn @ self._turned, np.float32)
