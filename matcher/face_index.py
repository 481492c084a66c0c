"""Finding the nearest of many face vectors. Owns the choice of an index by size; refuses people and thresholds.

Up to 50,000 rows one multiplication in numpy answers in a few milliseconds and exactly. Beyond, faiss narrows a million
rows down to some hundreds, which are then scored anew (``matcher.faiss_index``). Both give the same answers: scores are
dot products, best first, and a removed row is gone from memory, not only from the answers.

No graph index is used: they find less here, and they cannot delete.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np
import structlog

from models.biometrics import Float32Array
from models.errors import InputError

NUMPY_UP_TO = 50_000  # rows, from which on faiss is worth its training and its rounding
_PROBES_AT_ONCE = 64  # bounds the matrix of scores
_FEW = 16  # ids up to which looking for each is cheaper than sorting all

Int64Array = np.ndarray[Any, np.dtype[np.int64]]


class FaceIndex(Protocol):
    """Rows by id and the nearest of them. Not safe across threads."""

    name: str

    def add(self, rows: Float32Array, ids: Int64Array) -> None:
        """Hold (N, D) float32 ``rows`` under (N,) ``ids``, non-negative and new. Raises InputError."""

    def remove(self, ids: Int64Array) -> None:
        """Forget these rows and overwrite their bytes. Raises InputError if one is not held; none is removed then."""

    def search(self, probes: Float32Array, k: int) -> tuple[Float32Array, Int64Array]:
        """(P, k) scores and ids of the ``k`` nearest rows of each of (P, D) ``probes``, best first.

        The score is the dot product. Places beyond the rows held are -inf and id -1. Raises InputError.
        """

    def __len__(self) -> int:
        """How many rows are held."""

    def memory_bytes(self) -> int:
        """Bytes of the arrays that hold rows, codes and ids."""


def face_index(count: int, dimensions: int = 128) -> FaceIndex:
    """An empty index for about ``count`` rows: numpy up to 50,000, faiss beyond.

    Without faiss (extra ``scale``) it is numpy at any size, which answers exactly but in time proportional to the rows;
    that is written to the log as ``face_index_without_faiss``. Raises InputError for no dimensions or a negative count.
    """
    if count < 0 or dimensions < 1:
        raise InputError(f"An index holds 0 rows or more of at least one number, not {count} of {dimensions}.")
    if count <= NUMPY_UP_TO:
        return NumpyFaceIndex(dimensions, capacity=count)
    if find_spec("faiss") is None:
        structlog.get_logger().warning(
            "face_index_without_faiss",
            rows=count,
            sentence="Searching more than 50,000 faces is slow without faiss; install it with: pip install "
            "'muster[scale]'.",
        )
        return NumpyFaceIndex(dimensions, capacity=count)
    from matcher.faiss_index import FaissFaceIndex

    return FaissFaceIndex(dimensions, capacity=count)


class NumpyFaceIndex:
    """Every row compared with every probe, in float32: exact, nothing to train."""

    name = "numpy"

    def __init__(self, dimensions: int, *, capacity: int = 0) -> None:
        """``capacity`` rows are reserved; the system provides the memory as they are filled."""
        self._slots = Slots(capacity)
        self._rows = np.zeros((capacity, dimensions), np.float32)

    def __len__(self) -> int:
        """How many rows are held."""
        return len(self._slots)

    def add(self, rows: Float32Array, ids: Int64Array) -> None:
        """See ``FaceIndex.add``."""
        rows = checked_rows(rows, self._rows.shape[1])
        places = self._slots.claim(ids, len(rows))
        self._rows = grown(self._rows, self._slots.capacity)
        self._rows[places] = rows

    def remove(self, ids: Int64Array) -> None:
        """See ``FaceIndex.remove``."""
        for hole, last in self._slots.release(ids):
            self._rows[hole] = self._rows[last]
            self._rows[last] = 0.0

    def search(self, probes: Float32Array, k: int) -> tuple[Float32Array, Int64Array]:
        """See ``FaceIndex.search``."""
        probes = checked_probes(probes, self._rows.shape[1], k)
        scores, ids = empty_answer(len(probes), k)
        held = self._rows[: len(self)]
        for start in range(0, len(probes), _PROBES_AT_ONCE):
            for at, column in enumerate((held @ probes[start : start + _PROBES_AT_ONCE].T).T, start):
                best = best_of(column, k)
                scores[at, : len(best)], ids[at, : len(best)] = column[best], self._slots.ids[best]
        return scores, ids

    def memory_bytes(self) -> int:
        """See ``FaceIndex.memory_bytes``."""
        return self._rows.nbytes + self._slots.nbytes


class Slots:
    """Which id lies at which place: the first ``len`` places are taken, without gaps. Shared by both indexes."""

    def __init__(self, capacity: int) -> None:
        self._ids: Int64Array = np.zeros(capacity, np.int64)
        self._count = 0

    def __len__(self) -> int:
        """How many places are taken."""
        return self._count

    @property
    def capacity(self) -> int:
        """Places there is room for."""
        return len(self._ids)

    @property
    def nbytes(self) -> int:
        """Bytes of the ids."""
        return self._ids.nbytes

    @property
    def ids(self) -> Int64Array:
        """(len,) ids by place."""
        return self._ids[: self._count]

    def claim(self, ids: Int64Array, rows: int) -> slice:
        """Places for new ids, at the end. Raises InputError if they are not ``rows`` new, different, positive ones."""
        wanted = _checked_ids(ids)
        if len(wanted) != rows:
            raise InputError(f"{rows} rows need as many ids, not {len(wanted)}.")
        if self._known(wanted).any():
            raise InputError("A row of this id is in the index already.")
        places = slice(self._count, self._count + len(wanted))
        if places.stop > self.capacity:
            self._ids = grown(self._ids, max(places.stop, self.capacity + self.capacity // 2))
        self._ids[places] = wanted
        self._count = places.stop
        return places

    def release(self, ids: Int64Array) -> list[tuple[int, int]]:
        """Give up these ids: (hole, last place) pairs in the order in which the last row is to be moved into the hole.

        Raises InputError, and gives up nothing, if one is not there.
        """
        wanted = _checked_ids(ids)
        if not self._known(wanted).all():
            raise InputError("There is no row of this id in the index.")
        moves = []
        for hole in sorted(self._places(wanted).tolist(), reverse=True):  # from the end: the last row always stays
            last = self._count - 1
            self._ids[hole] = self._ids[last]
            self._ids[last] = 0
            self._count = last
            moves.append((hole, last))
        return moves

    def _known(self, wanted: Int64Array) -> Any:
        if len(wanted) <= _FEW:
            return np.array([bool((self.ids == one).any()) for one in wanted], np.bool_)
        return np.isin(wanted, self.ids)

    def _places(self, wanted: Int64Array) -> Int64Array:
        if len(wanted) <= _FEW:
            return np.array([int(np.argmax(self.ids == one)) for one in wanted], np.int64)
        return np.flatnonzero(np.isin(self.ids, wanted))


def grown(rows: Any, capacity: int) -> Any:
    """``rows`` with room for ``capacity`` of them: itself if there is, else a larger copy; the old one is cleared."""
    if capacity <= len(rows):
        return rows
    larger = np.zeros((capacity, *rows.shape[1:]), rows.dtype)
    larger[: len(rows)] = rows
    rows[:] = 0
    return larger


def best_of(scores: Float32Array, k: int) -> Int64Array:
    """Places of the ``k`` highest of (N,) scores, best first, the earlier place first among equals."""
    if k < len(scores):
        kept = np.argpartition(-scores, k - 1)[:k] if k > 1 else np.array([int(scores.argmax())])
    else:
        kept = np.arange(len(scores))
    best: Int64Array = kept[np.lexsort((kept, -scores[kept]))].astype(np.int64)
    return best


def empty_answer(probes: int, k: int) -> tuple[Float32Array, Int64Array]:
    """(P, k) scores of -inf and ids of -1."""
    return np.full((probes, k), -np.inf, np.float32), np.full((probes, k), -1, np.int64)


def checked_rows(rows: Float32Array, dimensions: int) -> Float32Array:
    """Rows as contiguous float32. Raises InputError if they are not (N, ``dimensions``) finite numbers."""
    rows = np.ascontiguousarray(rows, np.float32)
    if rows.ndim != 2 or rows.shape[1] != dimensions:
        raise InputError(f"The index holds rows of {dimensions} numbers; these have the shape {rows.shape}.")
    if not np.isfinite(rows).all():
        raise InputError("A row or probe holds something that is not a number.")
    return rows


def checked_probes(probes: Float32Array, dimensions: int, k: int) -> Float32Array:
    """Probes as contiguous float32. Raises InputError as ``checked_rows`` does, or if ``k`` is below 1."""
    if k < 1:
        raise InputError(f"A search gives at least one row, not {k}.")
    return checked_rows(probes, dimensions)


def _checked_ids(ids: Int64Array) -> Int64Array:
    wanted = np.asarray(ids)
    if wanted.ndim != 1 or wanted.dtype.kind not in "iu":
        raise InputError("The ids of rows are one list of whole numbers.")
    if len(wanted) and (int(wanted.min()) < 0 or len(np.unique(wanted)) < len(wanted)):
        raise InputError("The ids of rows are not negative, and no two are the same.")
    return wanted.astype(np.int64)
