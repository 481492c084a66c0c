"""What searching many fingers costs, and what the search in two stages loses. Owns the protocol.

The gallery holds one synthetic touch of each finger; probes are other touches of enrolled fingers, spread over the
gallery. Comparing a probe with everybody takes seconds, so ``exhaustive_rank1`` is measured on fewer of them, and
``search_rank1`` is what the search found of these same probes. ``found_at_least`` is over all probes: where the search
did not put the mate first, but the mate scores as high as what came first, the probe is compared with everybody, and
lost if the mate is the best of all. How many mates the search puts first is at least this share of how many comparing
with everybody does: that might find somebody else in place of a mate that the search put first, and then finds fewer.
With ``unclear`` whoever was found with a score that is not clear is compared with everybody, too: ``rank1_of_all`` is
then what comparing with everybody finds at rank 1, and ``rank1_ratio`` the search's rank 1 over it, if no stranger
reaches a clear score; ``highest_stranger`` is the highest of those that came first, whoever looked.
Fingers are drawn and compared with all in processes of their own; enrolling and searching are timed in this one, on
one core.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache, partial
from typing import Any, Final

import numpy as np

from matcher.engines import load_engine
from matcher.engines.minutiae import MinutiaeEngine
from matcher.evaluation.footprint import Progress, Told, grown_mb, median_and_p95, one_core, resident_bytes, timed_ms
from matcher.evaluation.synthetic_minutiae import impression_of, synthetic_finger
from matcher.finger_index import CLEAR, FingerIndex
from models.biometrics import Template
from models.errors import MusterError

ENGINE: Final = "minutiae"
EXHAUSTIVE_COMPARISONS: Final = 300_000  # unless said otherwise; some minutes
_BLOCK: Final = 250  # fingers a process draws or compares at once
_ALONE: Final = 500  # fingers up to which starting processes takes longer than it saves
_REFERENCE, _PROBE = 1, 2  # which touch of a finger
_SINGLE: Final = 20  # fingers that come and go one at a time


def finger_scale(
    gallery: int, *, probes: int, seed: int, exhaustive_probes: int | None = None, unclear: bool = False,
    progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Costs and finds at one size, ready for JSON: times in the unit of their names, memory in MB (10^6 bytes).

    ``exhaustive_probes`` are compared with everybody, beside the doubtful and, if so wanted, the ``unclear`` ones; left
    out: as many as make 300,000 comparisons, one at least.
    """
    engine = _engine()
    chosen = np.unique(np.linspace(0, gallery - 1, min(probes, gallery)).round().astype(np.int64)).tolist()
    compared = _spread(chosen, exhaustive_probes or max(1, EXHAUSTIVE_COMPARISONS // gallery))
    told = Told(progress, 3 * gallery)
    with _workers(gallery) as work:
        payloads = _drawn(work, range(gallery), _REFERENCE, seed, told)
        mated = {finger: _template(engine, _drawn_here([finger], _PROBE, seed)[0]) for finger in chosen}
        with one_core() as alone:
            cost = _searched(engine, payloads, mated, told)
        first, best = cost.pop("first"), cost.pop("best")
        doubtful = _doubtful(engine, payloads, mated, first, best)
        right = [finger for finger in chosen if first[finger] == finger]
        dim = [finger for finger in right if best[finger] < CLEAR] if unclear else []
        everybody = {finger: mated[finger].payload for finger in [*compared, *doubtful, *dim]}
        answers = _exhaustive(work, payloads, everybody, told)
    nearest = {finger: place for finger, (_, place) in answers.items()}
    lost = [finger for finger in doubtful if nearest[finger] == finger]
    beaten = [finger for finger in dim if nearest[finger] != finger]
    strangers = [score for finger, (score, place) in answers.items() if place != finger]
    strangers += [best[finger] for finger in chosen if first[finger] != finger]
    return {
        "gallery": gallery,
        **cost,
        "rank1": len(right) / len(chosen),
        "found_at_least": len(right) / max(1, len(right) + len(lost)),
        "exhaustive_rank1": float(np.mean([nearest[finger] == finger for finger in compared])),
        "search_rank1": float(np.mean([first[finger] == finger for finger in compared])),
        "recall_at_1": float(np.mean([first[finger] == nearest[finger] for finger in compared])),
        "probes": {"mated": len(chosen), "exhaustive": len(compared), "doubtful": len(doubtful)},
        "one_core": alone,
    } | (_of_all(right, lost, beaten, strangers, len(chosen)) | {"unclear": len(dim)} if unclear else {})


def _of_all(
    right: list[int], lost: list[int], beaten: list[int], strangers: list[float], probes: int
) -> dict[str, Any]:
    """What comparing with everybody finds at rank 1, and the search's rank 1 over it."""
    found = len(right) + len(lost) - len(beaten)
    return {
        "rank1_of_all": found / probes,
        "rank1_ratio": len(right) / max(1, found),
        "beaten": len(beaten),
        "highest_stranger": max(strangers, default=None),
    }


def _searched(
    engine: MinutiaeEngine, payloads: Sequence[bytes], mated: dict[int, Template], told: Told
) -> dict[str, Any]:
    """The timed part: everyone enrolled, every probe searched, a few fingers coming and going."""
    before, spent_s = resident_bytes(), 0.0
    index = FingerIndex(engine)
    for finger, payload in enumerate(payloads):
        start = time.perf_counter()
        index.add(str(finger), engine.prepare(_template(engine, payload)))
        spent_s += time.perf_counter() - start
        told.more(1)
    after = resident_bytes()
    prepared = {finger: engine.prepare(template) for finger, template in mated.items()}
    index.search(next(iter(prepared.values())))  # the first one builds what the others use
    after_search = resident_bytes()
    answers, spent_ms = timed_ms(lambda finger: index.search(prepared[finger]), list(prepared))
    singles = [f"single-{finger}" for finger in list(prepared)[:_SINGLE]]
    held = dict(zip(singles, prepared.values(), strict=False))
    _, added = timed_ms(lambda key: index.add(key, held[key]), singles)
    _, removed = timed_ms(index.remove, singles)
    return {
        "index": "two filters, then full comparison",
        "search_ms": median_and_p95(spent_ms),
        "memory_mb": grown_mb(before, max(after or 0, after_search or 0) or None),
        "enroll_s": spent_s,
        "add_one_ms": float(np.median(added)),
        "remove_one_ms": float(np.median(removed)),
        "first": {finger: int(found[0][0]) if found else -1 for finger, found in zip(prepared, answers, strict=True)},
        "best": {finger: found[0][1] if found else -1.0 for finger, found in zip(prepared, answers, strict=True)},
    }


def _doubtful(
    engine: MinutiaeEngine, payloads: Sequence[bytes], mated: dict[int, Template], first: dict[int, int],
    best: dict[int, float],
) -> list[int]:  # fmt: skip
    """The probes whose mate did not come first, though it scores no less than what did."""
    return [
        finger
        for finger, probe in mated.items()
        if first[finger] != finger
        and engine.compare_prepared(engine.prepare(probe), engine.prepare(_template(engine, payloads[finger])))
        >= best[finger]
    ]


def _drawn_here(fingers: Sequence[int], touch: int, seed: int) -> list[bytes]:
    """One touch of each of these fingers, as template payloads."""
    engine = _engine()
    return [
        engine.template(impression_of(synthetic_finger(finger), np.random.default_rng((seed, touch, finger)))).payload
        for finger in fingers
    ]


def _compared_here(
    at: int, payloads: Sequence[bytes], probes: dict[int, bytes]
) -> tuple[int, dict[int, tuple[float, int]]]:
    """How many references these were, and each probe's best of them with its place, counted from ``at``."""
    engine = _engine()
    wanted = {finger: engine.prepare(_template(engine, payload)) for finger, payload in probes.items()}
    best = dict.fromkeys(wanted, (-1.0, -1))
    for place, payload in enumerate(payloads, at):
        reference = engine.prepare(_template(engine, payload))
        for finger, probe in wanted.items():
            best[finger] = max(best[finger], (engine.compare_prepared(probe, reference), place), key=lambda one: one[0])
    return len(payloads), best


class _Workers:
    """Processes that take work in order, or this one where there is little."""

    def __init__(self, pool: ProcessPoolExecutor | None) -> None:
        self._pool = pool

    def map(self, act: Any, *inputs: Any) -> Iterator[Any]:
        return self._pool.map(act, *inputs) if self._pool else map(act, *inputs)


@contextmanager
def _workers(gallery: int) -> Iterator[_Workers]:
    if gallery <= _ALONE:
        yield _Workers(None)
        return
    pool = ProcessPoolExecutor(min(os.cpu_count() or 1, 8), multiprocessing.get_context("spawn"))
    try:
        yield _Workers(pool)
    except BrokenProcessPool as error:
        raise MusterError(
            "A process that drew or compared fingers was ended from outside, for memory perhaps."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _drawn(work: _Workers, fingers: range, touch: int, seed: int, told: Told) -> list[bytes]:
    payloads: list[bytes] = []
    blocks = [fingers[start : start + _BLOCK] for start in range(0, len(fingers), _BLOCK)]
    for drawn in work.map(partial(_drawn_here, touch=touch, seed=seed), blocks):
        payloads += drawn
        told.more(len(drawn))
    return payloads


def _exhaustive(
    work: _Workers, payloads: Sequence[bytes], probes: dict[int, bytes], told: Told
) -> dict[int, tuple[float, int]]:
    """The score and the place of the nearest reference of each probe among all."""
    starts = range(0, len(payloads), _BLOCK)
    blocks = [payloads[start : start + _BLOCK] for start in starts]
    best = dict.fromkeys(probes, (-1.0, -1))
    for count, here in work.map(partial(_compared_here, probes=probes), starts, blocks):
        best = {finger: max(best[finger], here[finger], key=lambda one: one[0]) for finger in best}
        told.more(count)
    return best


def _spread(chosen: list[int], count: int) -> list[int]:
    """``count`` of these, as evenly as can be."""
    return [
        chosen[at] for at in np.unique(np.linspace(0, len(chosen) - 1, min(count, len(chosen))).round().astype(int))
    ]


@cache  # one per process
def _engine() -> MinutiaeEngine:
    engine: MinutiaeEngine = load_engine(ENGINE)
    return engine


def _template(engine: MinutiaeEngine, payload: bytes) -> Template:
    return Template(engine.format, payload)
