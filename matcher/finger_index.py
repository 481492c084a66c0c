"""Searching many fingers: a look at all, a closer look at some, a full comparison of the best. Owns both filters.

1. Every minutia of every finger has a short code of its neighborhood (``matcher.engines.compressed``). One product of
   matrices compares those of the probe with all of them. What the best code of a finger gives is judged against what
   the other fingers give for the same minutia of the probe: a common neighborhood says little, a rare one much.
2. Of the best of these, the likely pairs of minutiae vote for a turn and a shift, and the votes that agree count.
3. The best of these are compared in full; only what was compared is in the answer, with the engine's own scores.

Most probes are clear: the first few comparisons bring a score that nobody else reaches. For the others the second and
the third step go on among more fingers.

A finger takes ``BYTES_PER_SLOT`` for each of its minutiae here, their number rounded up to a multiple of ``_STEP``,
beside what its prepared template takes. What is removed is overwritten with zeros and let go. Several threads may
search; only one may add or remove, and nobody search meanwhile. Refuses people and decisions.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
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
_MOST_UNUSUAL: Final = 6.0  # standard deviations above the other fingers, from where on a likeness counts no more
_LEAST_CLASS: Final = 50  # fingers of about as many minutiae that tell what is usual among them
_LEAST_UNUSUAL: Final = -3.0  # likewise from where on a pair has a vote
_VOTERS: Final = 24  # pairs of minutiae of a finger that vote, the most unusual ones
_PRIOR_COUNT: Final = 8.0  # keeps what votes for a finger of few minutiae from weighing too much
_VOTING: Final = (0.10, 0.40)  # shares of the fingers that the second filter looks at, first and if nothing is clear,
_LEAST_VOTING, _MOST_VOTING = 400, 6000  # at least and at most
_FIRST: Final = 20  # fingers compared in full at first,
_KEEP: Final = 100  # and in all
CLEAR: Final = 0.20  # a score that no other finger of a large gallery reaches
_TURN: Final = math.cos(math.radians(20))  # of two votes that agree
_NEAR: Final = 8.0  # pixels by which two pairs that agree may miss each other,
_STRETCH: Final = 0.06  # and more with their distance


class _Page(NamedTuple):
    """Up to ``_PAGE`` fingers of up to S minutiae: (S, _PAGE, LENGTH) codes, (S, _PAGE) places and directions, (_PAGE,)
    how many of the S there are, whose they are."""

    codes: NDArray[np.int8]
    place: NDArray[np.complex64]
    direction: NDArray[np.complex64]
    filled: NDArray[np.float32]
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
        page.filled[row] = len(chosen)
        page.prepared[row], page.keys[row] = prepared.folded(), key
        self._where[key] = at, row

    def remove(self, key: str) -> None:
        """Let a finger go: its codes are overwritten, its template held no longer. Raises InputError for none."""
        if key not in self._where:
            raise InputError(f"The index does not hold {key!r}.")
        at, row = self._where.pop(key)
        page = self._pages[at]
        page.codes[:, row] = 0
        page.place[:, row] = page.direction[:, row] = page.filled[row] = 0
        page.prepared[row], page.keys[row] = None, ""
        self._free[len(page.codes)].append((at, row))

    def search(
        self, prepared: PreparedMinutiae, *, keep: int = _KEEP, among: Collection[str] | None = None
    ) -> list[tuple[str, float]]:
        """The fingers that look most like the probe, up to ``keep``, with their comparison scores, best first.

        Only ``_FIRST`` where one of these is clear. ``among`` restricts the search to some keys; those the index does
        not hold are passed over.
        """
        where = self._where
        places = where.values() if among is None else (where[key] for key in among if key in where)
        held = np.array(list(places), np.int64).reshape(-1, 2)
        if not len(held) or not len(prepared) or keep < 1:
            return []
        prepared = prepared.unfolded()
        found: list[tuple[str, float]] = []
        for likely in self._likely(held, prepared, keep) if len(held) > keep else [held]:
            found += [self._compared(prepared, at, row) for at, row in likely.tolist()]
            if max((score for _, score in found), default=0.0) >= CLEAR:
                break
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

    def _likely(self, held: NDArray[np.int64], prepared: PreparedMinutiae, keep: int) -> Iterator[NDArray[np.int64]]:
        """What to compare in full, the likeliest first: ``_FIRST`` of few that voted, then the rest of more."""
        probe = _Probe(prepared.constellation, *_surest(prepared, _PROBES))
        if not len(probe.chosen):
            yield held[:keep]
            return
        unusual = self._unusual(held, probe)
        ranked = np.argsort(-np.exp(np.minimum(unusual, _MOST_UNUSUAL)).sum(axis=1), kind="stable")
        few, more = (max(keep, min(max(int(share * len(held)), _LEAST_VOTING), _MOST_VOTING)) for share in _VOTING)
        votes = np.full(len(held), -1.0, np.float32)
        self._vote(votes, ranked[:few], held, probe, unusual)
        first = _highest(votes, min(_FIRST, keep))
        yield held[first]
        self._vote(votes, ranked[few:more], held, probe, unusual)
        votes[first] = np.inf
        rest = _highest(votes, keep)
        yield held[np.setdiff1d(rest, first)]

    def _vote(
        self, votes: Float32Array, chosen: NDArray[np.intp], held: NDArray[np.int64], probe: _Probe,
        unusual: Float32Array,
    ) -> None:  # fmt: skip
        """Fill in the ``votes`` of those ``chosen``, page by page."""
        if not len(chosen):
            return
        chosen = chosen[np.argsort(held[chosen, 0], kind="stable")]
        pages, starts = np.unique(held[chosen, 0], return_index=True)
        for at, those in zip(pages.tolist(), np.split(chosen, starts[1:]), strict=True):
            votes[those] = self._votes(self._pages[at], held[those, 1], probe, unusual[those])

    def _unusual(self, held: NDArray[np.int64], probe: _Probe) -> Float32Array:
        """(H, P) by how many standard deviations a finger's code most like each minutia of the probe stands out.

        Among fingers of about as many minutiae, as far as there are enough of them: many codes have a better best.
        """
        best = self._best_codes(probe)[held[:, 0], held[:, 1]]
        unusual = _deviations(best)
        slots = np.array([len(page.codes) for page in self._pages])[held[:, 0]]
        for size in self._free:
            alike = np.flatnonzero(slots == size)
            if len(alike) >= _LEAST_CLASS:
                unusual[alike] = _deviations(best[alike])
        return unusual

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
    def _votes(page: _Page, rows: NDArray[np.int64], probe: _Probe, unusual: Float32Array) -> Float32Array:
        """(K,) how much weight of likely pairs agrees on one way to lay the probe on each of these of a page."""
        alike = page.codes[:, rows].astype(np.float32).reshape(-1, LENGTH) @ probe.codes.T
        voters = np.argpartition(-unusual, min(_VOTERS, unusual.shape[1]) - 1, axis=1)[:, :_VOTERS]
        best = alike.reshape(len(page.codes), len(rows), -1).argmax(axis=0)  # the slot most like each of the probe's
        each, own = np.arange(len(rows))[:, None], rows[:, None]
        slot = best[each, voters]  # (K, V)
        agreeing = _agreeing(
            page.direction[slot, own] * probe.whole.direction[probe.chosen].conj()[voters],
            page.place[slot, own],
            probe.whole.place[probe.chosen][voters],
            np.maximum(unusual[each, voters] - np.float32(_LEAST_UNUSUAL), 0),
        )
        result: Float32Array = agreeing / np.sqrt(page.filled[rows] + np.float32(_PRIOR_COUNT))
        return result


def _deviations(best: Float32Array) -> Float32Array:
    result: Float32Array = (best - best.mean(axis=0)) / np.maximum(best.std(axis=0), np.float32(1e-6))
    return result


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


def _highest(scores: Float32Array, count: int) -> NDArray[np.intp]:
    """The indices of the ``count`` highest."""
    return np.arange(len(scores)) if len(scores) <= count else np.argpartition(-scores, count - 1)[:count]


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
        np.zeros(_PAGE, np.float32),
        [None] * _PAGE,
        [""] * _PAGE,
    )
