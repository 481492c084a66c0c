"""Face search beyond 50,000 rows, by faiss. Owns three steps from many rows to exact scores; refuses small sizes.

::

    all rows        4-bit product codes, 64 pieces of two numbers   32 bytes a row   scanned in registers by faiss
    512 of them     8-bit numbers, one scale a row                 128 bytes         scored anew
    some of those   the lower 8 bits as well: 16-bit numbers       128 bytes         the score that is given out

Product codes: Jegou, Douze and Schmid, 2011; the scan in registers: Andre, Kermarrec and Le Scouarnec, 2015. faiss
neither forgets nor rescores within such an index, so both are done here: a removed row's place takes the last row, and
the place left over is set to zero in every array.

A score differs from the dot product in float32 by at most sqrt(D) / 65,278 times the row's largest number: for unit
rows of 128 numbers below 2e-4 whatever they are, and around 1e-6 for faces.
"""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np

from matcher.face_index import (
    Int64Array,
    Slots,
    best_of,
    checked_probes,
    checked_rows,
    empty_answer,
    grown,
)
from models.biometrics import Float32Array

TRAINED_FROM = 10_000  # rows; fewer are compared one by one
TRAINED_ON = 65_536  # rows at most
CANDIDATES = 512  # of the scan, scored anew; more for a longer list of answers
_SPARE = 32  # rows beyond those asked for that get the full 16 bits
_LARGEST = 127 * 256 + 127  # the largest 16-bit number whose upper byte, rounded, is a signed byte
_ROWS_AT_ONCE = 16_384


class FaissFaceIndex:
    """Product codes scanned by faiss, then 8-bit and 16-bit numbers of the best; see the module."""

    name = "faiss PQ4 fast-scan + SQ8 refine"

    def __init__(self, dimensions: int, *, capacity: int = 0) -> None:
        """``capacity`` rows are reserved. faiss is set to one thread, for the whole process."""
        faiss.omp_set_num_threads(1)
        self._dimensions = dimensions
        self._slots = Slots(capacity)
        self._upper = np.zeros((capacity, dimensions), np.int8)
        self._lower = np.zeros((capacity, dimensions), np.int8)
        self._step = np.zeros(capacity, np.float32)  # what 1 of the 16-bit number stands for
        self._codes = _product_codes(dimensions)
        self._packer = self._codes.get_CodePacker()

    def __len__(self) -> int:
        """How many rows are held."""
        return len(self._slots)

    def add(self, rows: Float32Array, ids: Int64Array) -> None:
        """See ``FaceIndex.add``. The first 10,000 rows train the product codes."""
        rows = checked_rows(rows, self._dimensions)
        places = self._slots.claim(ids, len(rows))
        self._upper = grown(self._upper, self._slots.capacity)
        self._lower = grown(self._lower, self._slots.capacity)
        self._step = grown(self._step, self._slots.capacity)
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            self._write(places.start + start, rows[start : start + _ROWS_AT_ONCE])
        if self._codes.ntotal:
            self._codes.add(rows)
        elif len(self) >= TRAINED_FROM:
            self._train()

    def remove(self, ids: Int64Array) -> None:
        """See ``FaceIndex.remove``."""
        for hole, last in self._slots.release(ids):
            for rows in (self._upper, self._lower, self._step):
                rows[hole] = rows[last]
                rows[last] = 0
            if self._codes.ntotal:
                self._move_code(hole, last)

    def search(self, probes: Float32Array, k: int) -> tuple[Float32Array, Int64Array]:
        """See ``FaceIndex.search``."""
        probes = checked_probes(probes, self._dimensions, k)
        scores, ids = empty_answer(len(probes), k)
        for at, probe in enumerate(probes):
            places = self._refined(probe, self._scanned(probe, k), k)
            exact = self._exact(places) @ probe
            best = best_of(exact, k)
            scores[at, : len(best)], ids[at, : len(best)] = exact[best], self._slots.ids[places[best]]
        return scores, ids

    def memory_bytes(self) -> int:
        """See ``FaceIndex.memory_bytes``."""
        arrays = self._upper.nbytes + self._lower.nbytes + self._step.nbytes
        return int(arrays + self._slots.nbytes + self._codes.codes.size())

    def packed_codes(self) -> Any:
        """(blocks, bytes of a block) uint8: faiss's own memory, until the next row is added."""
        codes = self._codes.codes
        return faiss.rev_swig_ptr(codes.get(), codes.size()).reshape(-1, self._packer.block_size)

    def _scanned(self, probe: Float32Array, k: int) -> Int64Array:
        """The places that product codes find nearest; all places while there are too few rows to train on."""
        if not self._codes.ntotal:
            return np.arange(len(self))
        wanted = min(len(self), max(CANDIDATES, 32 * k))
        found: Int64Array = self._codes.search(probe[None], wanted)[1][0]
        return found[found >= 0]

    def _refined(self, probe: Float32Array, places: Int64Array, k: int) -> Int64Array:
        kept = k + _SPARE
        if len(places) <= kept:
            return places
        coarse = (self._upper[places].astype(np.float32) @ probe) * self._step[places]
        return places[best_of(coarse, kept)]

    def _exact(self, places: Any) -> Float32Array:
        """(N, D) float32: the rows at these places, from 16 bits."""
        whole = self._upper[places].astype(np.float32) * np.float32(256) + self._lower[places]
        return np.asarray(whole * self._step[places][:, None], np.float32)

    def _write(self, start: int, rows: Float32Array) -> None:
        """Take rows as 16-bit numbers, upper and lower byte apart, so that a refinement reads half."""
        places = slice(start, start + len(rows))
        step = np.maximum(np.abs(rows).max(axis=1), np.finfo(np.float32).tiny * _LARGEST) / _LARGEST
        whole = np.rint(rows / step[:, None]).astype(np.int32)
        upper = (whole + 128) >> 8
        self._upper[places], self._lower[places], self._step[places] = upper, whole - (upper << 8), step

    def _train(self) -> None:
        sample = np.arange(len(self))
        if len(sample) > TRAINED_ON:
            sample = np.sort(np.random.default_rng(1).choice(sample, TRAINED_ON, replace=False))
        self._codes.train(self._exact(sample))
        for start in range(0, len(self), _ROWS_AT_ONCE):
            self._codes.add(self._exact(slice(start, min(start + _ROWS_AT_ONCE, len(self)))))

    def _move_code(self, hole: int, last: int) -> None:
        blocks, packer = self.packed_codes(), self._packer
        (to, to_offset), (of, of_offset) = divmod(hole, packer.nvec), divmod(last, packer.nvec)
        packer.pack_1(packer.unpack_1(blocks[of : of + 1], of_offset), to_offset, blocks[to : to + 1])
        packer.pack_1(np.zeros(packer.code_size, np.uint8), of_offset, blocks[of : of + 1])
        self._codes.ntotal -= 1  # the scan reads no further, and the next row added is written over zeros


def _product_codes(dimensions: int) -> Any:
    """An empty index of faiss: one code of 4 bits for every two numbers, for each one if they are odd."""
    pieces = dimensions if dimensions % 2 else dimensions // 2
    return faiss.IndexPQFastScan(dimensions, pieces, 4, faiss.METRIC_INNER_PRODUCT)
