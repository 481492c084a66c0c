"""Turning many pictures into samples on all cores, stoppable and resumable. Owns processes; refuses pictures' content.

What a sample is made by is a function that other processes can import; each of them loads its engine once and computes
on one thread, so that as many processes as cores fill them. Ctrl-C ends with one sentence; what was acquired until then
lies in the resume file, if one was named.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

import cv2

from matcher.evaluation.resume import AcquiredSample, ResumeFile, picture_digest
from models.errors import MusterError

FEW_PICTURES = 50  # up to which starting processes takes longer than it saves
MOST_PROCESSES = 8
_PICTURES_AT_A_TIME = 8  # handed to a process: few are lost when the run is stopped

Make = Callable[[Path], AcquiredSample]
Progress = Callable[[int, int], None]  # done, in all


class Stopped(MusterError):  # noqa: N818 - named after what happened, as the error tree is
    """The operator stopped a measurement."""

    code = "measurement_stopped"


def acquire_all(
    files: Sequence[Path], make: Make, *, processes: int | None = None, progress: Progress | None = None,
    resume: ResumeFile | None = None,
) -> list[AcquiredSample]:  # fmt: skip
    """The sample of every picture, in their order. ``make`` must be importable (a function, or a partial of one).

    ``resume`` has been bound to what ``make`` computes. Raises Stopped on Ctrl-C, what ``make`` raises for a picture,
    and MusterError if a process is ended from outside.
    """
    digests = [picture_digest(file) for file in files] if resume is not None else []
    found: dict[int, AcquiredSample] = {}
    for at, digest in enumerate(digests):
        known = resume.find(digest) if resume is not None else None
        if known:
            found[at] = known
    missing = [at for at in range(len(files)) if at not in found]
    if progress and found:
        progress(len(found), len(files))
    try:
        for at, sample in zip(missing, _made([files[at] for at in missing], make, processes), strict=True):
            found[at] = sample
            if resume is not None:
                resume.add(digests[at], sample)
            if progress:
                progress(len(found), len(files))
    except KeyboardInterrupt as stop:
        raise Stopped(_told(len(found), len(files), resumable=resume is not None)) from stop
    return [found[at] for at in range(len(files))]


def _made(files: Sequence[Path], make: Make, processes: int | None) -> Iterator[AcquiredSample]:
    processes = processes or min(os.cpu_count() or 1, MOST_PROCESSES)
    if processes == 1 or len(files) <= FEW_PICTURES:
        yield from map(make, files)
        return
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_alone)
    try:
        with _uninterrupted():  # the processes start here and inherit it: Ctrl-C ends none of them half way
            samples = pool.map(make, files, chunksize=_PICTURES_AT_A_TIME)
        yield from samples
    except BrokenProcessPool as error:
        raise MusterError("A process that measured pictures was ended from outside, perhaps for memory.") from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C is ignored for the moment; only the main thread may say so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _alone() -> None:
    """In a worker: keep to one thread."""
    cv2.setNumThreads(1)


def _told(done: int, whole: int, *, resumable: bool) -> str:
    if resumable:
        return f"Stopped after {done:,} of {whole:,} pictures; the same command goes on from there."
    return f"Stopped after {done:,} of {whole:,} pictures; nothing was kept (--resume FILE would keep templates)."
