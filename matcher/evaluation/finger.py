"""Measuring a finger engine on a folder of impressions. Owns the protocol; keeps nothing biometric on disk.

Pictures are named ``<finger>_<impression>.png`` (tif, bmp, jpg). Genuine comparisons are all pairs of impressions of a
finger. Impostor comparisons are, under ``fvc``, the first impression of each finger against that of every other (the
protocol of the Fingerprint Verification Competition); under ``all``, every impression against every one of another
finger. A picture without enough minutiae is a failure to acquire; its comparisons stay in and score 0, as in FVC.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.engines import load_engine
from matcher.evaluation import rates
from matcher.pictures import read_gray
from matcher.ports import FingerEngine
from models.errors import InputError

PICTURES: Final = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})
LEAST_MINUTIAE: Final = 4
FMRS: Final = ("1e-2", "1e-3")

Progress = Callable[[int, int], None]  # done, in all


@dataclass(frozen=True, slots=True)
class Impression:
    """One picture of a finger: both numbers of its name and where it lies."""

    finger: str
    number: int
    file: Path


@dataclass(frozen=True, slots=True)
class FingerScores:
    """Comparison scores in [0, 1] by kind, the share of failures to acquire, and median milliseconds."""

    genuine: tuple[float, ...]
    fvc_impostor: tuple[float, ...]
    impostor: tuple[float, ...]
    failure_to_acquire: float
    latency_ms: Mapping[str, float]


def evaluate_finger(
    folder: Path, *, engine: str | FingerEngine = "minutiae", dpi: int = 500, progress: Progress | None = None
) -> dict[str, Any]:
    """Error rates as fractions and latencies as median milliseconds on one thread, ready for JSON.

    ``dpi`` is the resolution of the pictures. Raises InputError if the folder is not of that layout or too small to
    measure on, ImageError for a picture that cannot be read.
    """
    loaded: FingerEngine = load_engine(engine) if isinstance(engine, str) else engine
    if not hasattr(loaded, "minutiae"):
        raise InputError(f"The engine {loaded.name!r} does not compare fingers.")
    scores = compare_all(impressions(folder), loaded, dpi=dpi, progress=progress)
    return {
        "modality": "finger",
        "engine": loaded.name,
        "failure_to_acquire": scores.failure_to_acquire,
        "comparisons": {
            "genuine": len(scores.genuine),
            "fvc_impostor": len(scores.fvc_impostor),
            "all_impostor": len(scores.impostor),
        },
        "fvc": {
            "eer": rates.eer(scores.genuine, scores.fvc_impostor),
            "zero_fmr": rates.zero_fmr(scores.genuine, scores.fvc_impostor),
        },
        "all": {
            "eer": rates.eer(scores.genuine, scores.impostor),
            "fnmr_at_fmr": {fmr: rates.fnmr_at_fmr(scores.genuine, scores.impostor, float(fmr)) for fmr in FMRS},
            "zero_fmr": rates.zero_fmr(scores.genuine, scores.impostor),
        },
        "latency_ms": dict(scores.latency_ms),
    }


def impressions(folder: Path) -> list[Impression]:
    """The impressions in a folder, by finger and number.

    Raises InputError if there is no such folder, a picture's name is not of the layout, two pictures have one name, or
    there are not two fingers, one of them with two impressions.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    found = sorted(
        (_named(file) for file in folder.iterdir() if file.suffix.lower() in PICTURES),
        key=lambda impression: (impression.finger, impression.number),
    )
    names = [(impression.finger, impression.number) for impression in found]
    for name, following in pairwise(names):
        if name == following:
            raise InputError(f"{folder} holds two pictures of impression {name[1]} of finger {name[0]}.")
    fingers = {impression.finger for impression in found}
    if len(fingers) < 2 or len(found) == len(fingers):
        raise InputError(
            f"{folder} needs pictures named <finger>_<impression> of two fingers or more, one of them twice or more."
        )
    return found


def compare_all(
    found: list[Impression], engine: FingerEngine, *, dpi: int = 500, progress: Progress | None = None
) -> FingerScores:
    """Extract every impression and compare every pair. Progress counts pictures, then comparisons."""
    pairs = list(combinations(range(len(found)), 2))
    steps = _Steps(progress, len(found) + len(pairs))
    templates = []
    for impression in found:
        pixels = read_gray(impression.file)
        with steps.timed("extract"):
            templates.append(engine.extract(pixels, dpi=dpi))
    acquired = [len(engine.minutiae(template).xy) >= LEAST_MINUTIAE for template in templates]
    prepared = [engine.prepare(template) for template in templates]
    firsts = {impression.finger: index for index, impression in reversed(list(enumerate(found)))}
    genuine, fvc_impostor, impostor = [], [], []
    for one, two in pairs:
        with steps.timed("compare"):
            score = engine.compare_prepared(prepared[one], prepared[two])
        if found[one].finger == found[two].finger:
            genuine.append(score)
            continue
        impostor.append(score)
        if firsts[found[one].finger] == one and firsts[found[two].finger] == two:
            fvc_impostor.append(score)
    return FingerScores(
        tuple(genuine), tuple(fvc_impostor), tuple(impostor), 1.0 - float(np.mean(acquired)), steps.medians_ms()
    )


def _named(file: Path) -> Impression:
    finger, underscore, number = file.stem.rpartition("_")
    if not underscore or not finger or not (number.isascii() and number.isdigit()):
        raise InputError(f"{file.name} is not named <finger>_<impression>, such as 101_1.png.")
    return Impression(finger, int(number), file)


class _Steps:
    """Counts steps for the progress and measures them by name: ``with steps.timed(name): ...``."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0
        self._spent_ns: dict[str, list[int]] = {}
        self._name, self._begun = "", 0

    def timed(self, name: str) -> _Steps:
        self._name = name
        return self

    def __enter__(self) -> None:
        self._begun = time.perf_counter_ns()

    def __exit__(self, *_: object) -> None:
        self._spent_ns.setdefault(self._name, []).append(time.perf_counter_ns() - self._begun)
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total)

    def medians_ms(self) -> dict[str, float]:
        return {name: float(np.median(spent)) / 1e6 for name, spent in self._spent_ns.items()}
