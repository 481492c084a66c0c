"""What a measurement of cost needs of the machine: one core, milliseconds, resident memory. Refuses to judge them."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from models.memory import give_back

Progress = Callable[[int, int], None]  # done, in all


class Told:
    """Adds up what is done and tells it."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def more(self, count: int) -> None:
        """``count`` more are done."""
        self._done += count
        if self._progress:
            self._progress(self._done, self._total)


@contextmanager
def one_core() -> Iterator[bool]:
    """Keep this process on one core meanwhile; False where the system cannot (only Linux can)."""
    if not sys.platform.startswith("linux"):
        yield False
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield True
    finally:
        os.sched_setaffinity(0, before)


def resident_bytes() -> int | None:
    """The memory of this process that lies in RAM; None where the system does not say it in ``/proc``.

    What was freed is handed back first where the C library can: else what comes next would lie in it and count nothing.
    """
    gc.collect()
    give_back()
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except FileNotFoundError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def grown_mb(before: int | None, after: int | None) -> float | None:
    """By how many MB (10^6 bytes) resident memory grew; None where it cannot be read."""
    return None if before is None or after is None else (after - before) / 1e6


def timed_ms(act: Callable[[Any], Any], items: Sequence[Any]) -> tuple[list[Any], list[float]]:
    """What ``act`` gives for each item, and how many milliseconds each took."""
    answers, spent = [], []
    for item in items:
        start = time.perf_counter()
        answers.append(act(item))
        spent.append(1e3 * (time.perf_counter() - start))
    return answers, spent


def median_and_p95(spent_ms: Sequence[float]) -> dict[str, float]:
    """Median and 95th percentile of milliseconds."""
    return {"median": float(np.median(spent_ms)), "p95": float(np.quantile(spent_ms, 0.95))}
