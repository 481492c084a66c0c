"""Searching many fingers: a look at all, a closer look at some, a full comparison of the best. Owns both filters.

1. Every minutia of every finger has a short code of its neighborhood (``matcher.engines.compressed``). One product of
   matrices compares those of the probe with all of them. What the best code of a finger gives is judged against what
   the other fingers give for the same minutia of the probe: a common neighborhood says little, a rare one much.
2. Of the best of these, the likely pairs of minutiae vote for a turn and a shift, and the votes that agree count.
3. The ``keep`` best are compared in full; only these are in the answer, with the engine's own scores.

A finger takes ``BYTES_PER_SLOT`` for each of its minutiae here, their number rounded up to a multiple of ``_STEP``,
beside what its prepared template takes. What is removed is overwritten with zeros and let go. Several threads may
search; only one may add or remove, and nobody search meanwhile. Refuses people and decisions.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from matcher.engines.compressed import LENGTH, codes
from matcher.engines.minutiae import MinutiaeEngine, PreparedMinutiae
from matcher.engines.overlay import Constellation
from models.biometrics import Float32Array
from models.errors import InputError

SLOTS: Final = 40  # minutiae of a finger that the filters look at, the surest ones
BYTES_PER_SLOT: Final = LENGTH + 2 * 8
_STEP: Final = 8  # fingers lie among those with about as many minutiae: nothing is computed for empty slots
_PAGE: Final = 128  # fingers; what is compared in one product of matrices, so that it stays in the cache
_PROBES: Final = 32  # minutiae of a probe that take part
_SCALE: Final = 256.0  # of a code's numbers, most of them within 0.3, to int8
_UNUSUAL: Final = 1.0  # standard deviations above the other fingers, from where on a look at all counts
_LEAST_UNUSUAL: Final = -2.0  # likewise from where on a pair has a vote
_VOTERS: Final = 16  # pairs of minutiae of a finger that vote, the most unusual ones
_CLOSER: Final = 0.25  # share of the fingers that the second filter looks at,
_CLOSER_RANGE: Final = (400, 6000)  # at least and at most
_KEEP: Final = 100
_TURN: Final = math.cos(math.radians(20))  # of two votes that agree
_NEAR: Final = 8.0  # pixels by which two pairs that agree may miss each other,
_STRETCH: Final = 0.06  # and more with their distance


class _Page(NamedTuple):
    """Up to ``_PAGE`` fingers of up to S minutiae: (S, _PAGE, LENGTH) codes, (S, _PAGE) places and directions, whose
    they are."""

    codes: NDArray[np.int8]
    place: NDArray[np.complex64]
    direction: NDArray[np.complex64]
    prepared: list[PreparedMinutiae | None]
    keys: list[str]


class _Probe(NamedTuple):
    """What is searched for: all minutiae, the indices of those that take part (P,) and their codes (P, LENGTH)."""

    whole: Constellation
    chosen: NDArray[np.intp]
    codes: Float32Array


class FingerIndex:
    """Prepared fingers under keys, and the ones most like a probe."""

    def __init__(self, engine: MinutiaeEngine) -> None:
        self._engine = engine
        self._pages: list[_Page] = []
        self._where: dict[str, tuple[int, int]] = {}
        self._free: dict[int, list[tuple[int, int]]] = {}  # by slots of a page

    @staticmethod
    def reads(engine: object) -> bool:
        """Whether this index can filter the templates that an engine prepares."""
        return isinstance(engine, MinutiaeEngine)

    def __len__(self) -> int:
        return len(self._where)

    def add(self, key: str, prepared: PreparedMinutiae) -> None:
        """Take a finger in. Raises InputError if the key is taken."""
        if key in self._where:
            raise InputError(f"The index holds {key!r} already.")
        chosen, short = _surest(prepared, SLOTS)
        at, row = self._free_place(max(1, math.ceil(len(chosen) / _STEP)) * _STEP)
        page = self._pages[at]
        page.codes[: len(chosen), row] = np.clip(np.rint(short * _SCALE), -127, 127)
        page.place[: len(chosen), row] = prepared.constellation.place[chosen]
        page.direction[: len(chosen), row] = prepared.constellation.direction[chosen]
        page.prepared[row], page.keys[row] = prepared.folded(), key
        self._where[key] = at, row

    def remove(self, key: str) -> None:
        """Let a finger go: its codes are overwritten, its template held no longer. Raises InputError for none."""
        if key not in self._where:
            raise InputError(f"The index does not hold {key!r}.")
        at, row = self._where.pop(key)
        page = self._pages[at]
        page.codes[:, row] = 0
        page.place[:, row] = page.direction[:, row] = 0
        page.prepared[row], page.keys[row] = None, ""
        self._free[len(page.codes)].append((at, row))

    def search(
        self, prepared: PreparedMinutiae, *, keep: int = _KEEP, among: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """The ``keep`` fingers that look most like the probe, with their comparison scores, best first.

        ``among`` restricts the search to some keys; those the index does not hold are passed over.
        """
        where = self._where
        places = where.values() if among is None else (where[key] for key in among if key in where)
        held = np.array(list(places), np.int64).reshape(-1, 2)
        if not len(held) or not len(prepared) or keep < 1:
            return []
        if len(held) > keep:
            probe = _Probe(prepared.constellation, *_surest(prepared, _PROBES))
            held = self._filtered(held, probe, keep)
        prepared = prepared.unfolded()
        found = [self._compared(prepared, at, row) for at, row in held.tolist()]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def _free_place(self, slots: int) -> tuple[int, int]:
        """A page whose fingers have so many slots, a new one if all are full, and an empty row of it."""
        if not self._free.get(slots):
            self._pages.append(_new_page(slots))
            self._free[slots] = [(len(self._pages) - 1, row) for row in reversed(range(_PAGE))]
        return self._free[slots].pop()

    def _compared(self, prepared: PreparedMinutiae, at: int, row: int) -> tuple[str, float]:
        page = self._pages[at]
        finger = page.prepared[row]
        return page.keys[row], self._engine.compare_prepared(prepared, finger) if finger is not None else 0.0

    def _filtered(self, held: NDArray[np.int64], probe: _Probe, keep: int) -> NDArray[np.int64]:
        if not len(probe.chosen):
            return held[:keep]
        best = self._best_codes(probe)[held[:, 0], held[:, 1]]
        usual = best.mean(axis=0), np.maximum(best.std(axis=0), 1e-6)
        unusual = np.square(np.maximum((best - usual[0]) / usual[1] - np.float32(_UNUSUAL), 0)).sum(axis=1)
        least, most = _CLOSER_RANGE
        held = _highest(held, unusual, max(keep, min(max(int(_CLOSER * len(held)), least), most)))
        held = held[np.argsort(held[:, 0], kind="stable")]
        pages, starts = np.unique(held[:, 0], return_index=True)
        rows = np.split(held[:, 1], starts[1:])
        votes = [self._votes(self._pages[at], those, probe, *usual) for at, those in zip(pages, rows, strict=True)]
        return _highest(held, np.concatenate(votes), keep)

    def _best_codes(self, probe: _Probe) -> Float32Array:
        """(pages, _PAGE, P): for each minutia of the probe the product with the finger's code most like it."""
        transposed = np.ascontiguousarray(probe.codes.T)
        floats = np.empty((SLOTS, _PAGE, LENGTH), np.float32)
        best = np.empty((len(self._pages), _PAGE, len(probe.chosen)), np.float32)
        for at, page in enumerate(self._pages):
            slots = len(page.codes)
            np.copyto(floats[:slots], page.codes)
            alike = floats[:slots].reshape(-1, LENGTH) @ transposed
            alike.reshape(slots, _PAGE, -1).max(axis=0, out=best[at])
        return best

    @staticmethod
    def _votes(
        page: _Page, rows: NDArray[np.int64], probe: _Probe, mean: Float32Array, spread: Float32Array
    ) -> Float32Array:
        """(K,) how much weight of likely pairs agrees on one way to lay the probe on each of these of a page."""
        alike = page.codes[:, rows].reshape(-1, LENGTH).astype(np.float32) @ probe.codes.T
        alike = alike.reshape(len(page.codes), len(rows), -1)
        unusual = (alike.max(axis=0) - mean) / spread
        voters = np.argpartition(-unusual, min(_VOTERS, unusual.shape[1]) - 1, axis=1)[:, :_VOTERS]
        each = np.arange(len(rows))[:, None]
        best = alike[:, each, voters].argmax(axis=0)  # (K, V) the slot most like each minutia of the probe
        own = rows[:, None]
        return _agreeing(
            page.direction[best, own] * probe.whole.direction[probe.chosen].conj()[voters],
            page.place[best, own],
            probe.whole.place[probe.chosen][voters],
            np.maximum(unusual[each, voters] - np.float32(_LEAST_UNUSUAL), 0),
        )


def _agreeing(
    turn: NDArray[np.complex64], place: NDArray[np.complex64], probe: NDArray[np.complex64], strength: Float32Array
) -> Float32Array:
    """(K,) of (K, V) pairs of minutiae: the weight of all that agree with the one that most agree with.

    Two pairs agree if both turn the finger alike and each, turned so, predicts where the other one lies.
    """
    step = probe[:, None, :] - probe[:, :, None]
    x, y = place.real, place.imag
    cosine, sine = turn.real[:, :, None], turn.imag[:, :, None]
    miss = np.square(x[:, None, :] - x[:, :, None] - cosine * step.real + sine * step.imag)
    miss += np.square(y[:, None, :] - y[:, :, None] - cosine * step.imag - sine * step.real)
    agree = np.maximum(1.0 - miss / np.square(_NEAR + _STRETCH * np.abs(step)).astype(np.float32), 0.0)
    agree = np.minimum(agree, agree.transpose(0, 2, 1))
    agree *= cosine * turn.real[:, None, :] + sine * turn.imag[:, None, :] > _TURN
    result: Float32Array = np.matmul(agree, strength[:, :, None])[:, :, 0].max(axis=1)
    return result


def _highest(held: NDArray[np.int64], scores: Float32Array, count: int) -> NDArray[np.int64]:
    return held if len(held) <= count else held[np.argpartition(-scores, count - 1)[:count]]


def _surest(prepared: PreparedMinutiae, count: int) -> tuple[NDArray[np.intp], Float32Array]:
    """The indices of the surest minutiae whose neighborhood can be compared, up to ``count``, and their codes."""
    short = codes(prepared.cylinders)
    order = np.argsort(-(prepared.weight * prepared.cylinders.usable), kind="stable")
    order = order[prepared.cylinders.usable[order]][:count]
    return order, short[order]


def _new_page(slots: int) -> _Page:
    return _Page(
        np.zeros((slots, _PAGE, LENGTH), np.int8),
        np.zeros((slots, _PAGE), np.complex64),
        np.zeros((slots, _PAGE), np.complex64),
        [None] * _PAGE,
        [""] * _PAGE,
    )
