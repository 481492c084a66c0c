"""Measuring a finger engine on a folder of impressions. Owns the protocol; refuses to keep anything biometric itself.

Pictures are named ``<finger>_<impression>.png`` (tif, bmp, jpg). Genuine comparisons are all pairs of impressions of a
finger. Impostor comparisons are, under ``fvc``, the first impression of each finger against that of every other (the
protocol of the Fingerprint Verification Competition); under ``all``, every impression against every one of another
finger. A picture without enough minutiae is a failure to acquire; its comparisons stay in and score 0, as in FVC.

Every third finger in the order of names is ``held_out``: where the matcher was chosen on a collection, these fingers
were not looked at. Its genuine comparisons are theirs alone, its impostor comparisons those that touch one of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.engines import load_engine, settings_digest
from matcher.evaluation import rates
from matcher.evaluation.acquisition import Make, acquire_all
from matcher.evaluation.beside_nbis import beside_nbis
from matcher.evaluation.results import Acquisition, ComparisonSet, Int32Array
from matcher.evaluation.resume import AcquiredSample, ResumeFile
from matcher.pictures import read_gray
from matcher.ports import FingerEngine
from models.biometrics import Float32Array, Template, UInt8Array
from models.errors import InputError

PICTURES: Final = frozenset({".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg"})
LEAST_MINUTIAE: Final = 4
FMRS: Final = ("1e-2", "1e-3")
SENSOR: Final = (256, 288)  # width and height in pixels of what a ZFM or R30x module sends

Progress = Callable[[int, int], None]  # done, in all


@dataclass(frozen=True, slots=True)
class Impression:
    """One picture of a finger: both numbers of its name and where it lies."""

    finger: str
    number: int
    file: Path


@dataclass(frozen=True, slots=True)
class FingerScores:
    """Comparison scores in [0, 1] by kind, the share of failures to acquire, and median milliseconds.

    ``compared`` holds all genuine and impostor scores with the fingers they belong to; ``acquired`` the failures.
    """

    genuine: tuple[float, ...]
    fvc_impostor: tuple[float, ...]
    impostor: tuple[float, ...]
    failure_to_acquire: float
    latency_ms: Mapping[str, float]
    compared: ComparisonSet
    acquired: Acquisition
    pairs: Int32Array  # (K, 2), which impressions each score of ``compared`` is of
    comparisons_per_s: float  # of processor time


@dataclass(frozen=True, slots=True)
class FingerMeasurement:
    """What was measured on a folder: ``report`` ready for JSON, and the scores with whose fingers they are."""

    report: dict[str, Any]
    comparisons: ComparisonSet
    acquisition: Acquisition


def evaluate_finger(
    folder: Path, *, engine: str | FingerEngine = "minutiae", dpi: int = 500, cropped: bool = False,
    beside: str | None = None, progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The report of ``measure_finger``: rates as fractions, latencies as median milliseconds on one thread."""
    return measure_finger(folder, engine=engine, dpi=dpi, cropped=cropped, beside=beside, progress=progress).report


def measure_finger(
    folder: Path, *, engine: str | FingerEngine = "minutiae", dpi: int = 500, processes: int | None = None,
    cropped: bool = False, beside: str | None = None, progress: Progress | None = None,
    resume: ResumeFile | None = None,
) -> FingerMeasurement:  # fmt: skip
    """Everything measured on a folder.

    ``dpi`` is the resolution of the pictures; ``cropped`` shows them as a small sensor does (``sensor_view``);
    ``beside`` "nbis" lets that library do the same; ``resume`` keeps extracted templates. An engine given by name
    extracts in ``processes``, one given as an object in this one. Raises InputError if the folder is not of that layout
    or too small to measure on, ImageError for a picture that cannot be read.
    """
    loaded = engine_named(engine) if isinstance(engine, str) else engine
    if not hasattr(loaded, "minutiae"):
        raise InputError(f"The engine {loaded.name!r} does not compare fingers.")
    if beside not in (None, "nbis"):
        raise InputError(f"Only 'nbis' can stand beside, not {beside!r}.")
    found = impressions(folder)
    if resume is not None:
        resume.bind(
            {
                "modality": "finger",
                "engine": loaded.name,
                "settings": settings_digest(engine) if isinstance(engine, str) else "",
                "format": str(loaded.format),
                "dpi": str(dpi),
                "cropped": str(cropped),
            }
        )
    whose = partial(_sample_by_name, engine) if isinstance(engine, str) else partial(_sample, loaded)
    make = partial(whose, dpi, cropped)
    scores = compare_all(
        found,
        loaded,
        make=make,
        processes=processes if isinstance(engine, str) else 1,
        progress=progress,
        resume=resume,
    )
    report = {**_report(loaded, scores), "cropped": cropped}
    if beside:
        pictures = [_picture(impression.file, cropped) for impression in found]
        report["beside"] = beside_nbis(
            pictures,
            scores.pairs,
            scores.compared.mated,
            dpi=dpi,
            ours_per_s=scores.comparisons_per_s,
            progress=progress,
        )
    return FingerMeasurement(report, scores.compared, scores.acquired)


def _report(loaded: FingerEngine, scores: FingerScores) -> dict[str, Any]:
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
        "held_out": _held_out(scores.compared),
        "comparisons_per_s": scores.comparisons_per_s,
        "latency_ms": dict(scores.latency_ms),
    }


def _held_out(compared: ComparisonSet) -> dict[str, Any]:
    """The rates of every third finger; null for them where there are no such fingers.

    They are held out only of a collection that something was chosen on: of any other they are every third finger.
    """
    held = np.arange(len(compared.people)) % 3 == 2
    touched = held[compared.first] | held[compared.second]
    genuine, impostor = compared.scores[touched & compared.mated], compared.scores[touched & ~compared.mated]
    fingers = [name for name, one in zip(compared.people, held, strict=True) if one]
    counts = {"fingers": ", ".join(fingers), "genuine": len(genuine), "impostor": len(impostor)}
    if not len(genuine):
        return {**counts, "eer": None, "fnmr_at_fmr": dict.fromkeys(FMRS), "zero_fmr": None}
    return {
        **counts,
        "eer": rates.eer(genuine, impostor),
        "fnmr_at_fmr": {fmr: rates.fnmr_at_fmr(genuine, impostor, float(fmr)) for fmr in FMRS},
        "zero_fmr": rates.zero_fmr(genuine, impostor),
    }


def sensor_view(pixels: UInt8Array) -> UInt8Array:
    """The middle 256 × 288 pixels of an (H, W) uint8 picture in 16 levels of gray: what a small kiosk sensor sends."""
    height, width = pixels.shape
    top, left = max(0, (height - SENSOR[1]) // 2), max(0, (width - SENSOR[0]) // 2)
    return pixels[top : top + SENSOR[1], left : left + SENSOR[0]] // 16 * 17


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
    found: list[Impression], engine: FingerEngine, *, dpi: int = 500, make: Make | None = None,
    processes: int | None = 1, progress: Progress | None = None, resume: ResumeFile | None = None,
) -> FingerScores:  # fmt: skip
    """Extract every impression and compare every pair. Progress counts pictures, then comparisons."""
    pairs = list(combinations(range(len(found)), 2))
    steps = len(found) + len(pairs)
    samples = acquire_all(
        [impression.file for impression in found],
        make or partial(_sample, engine, dpi, False),
        processes=processes,
        progress=(lambda done, _: progress(done, steps)) if progress else None,
        resume=resume,
    )
    templates = [Template(engine.format, sample.payload or b"") for sample in samples]
    acquired = [len(engine.minutiae(template).xy) >= LEAST_MINUTIAE for template in templates]
    prepared = [engine.prepare(template) for template in templates]
    scores, spent_ns, computed_ns = np.zeros(len(pairs), np.float32), np.zeros(len(pairs)), 0
    for at, (one, two) in enumerate(pairs):
        begun, begun_computing = time.perf_counter_ns(), time.thread_time_ns()
        scores[at] = engine.compare_prepared(prepared[one], prepared[two])
        computed_ns += time.thread_time_ns() - begun_computing
        spent_ns[at] = time.perf_counter_ns() - begun
        if progress:
            progress(len(found) + at + 1, steps)
    spent = [sample.spent_ms["extract"] for sample in samples]
    latency_ms = {"extract": float(np.median(spent)), "compare": float(np.median(spent_ns)) / 1e6}
    per_s = len(pairs) / (max(computed_ns, 1) / 1e9)
    return _scores(found, np.array(pairs), scores, acquired, latency_ms, per_s)


def _scores(
    found: list[Impression], pairs: Any, scores: Float32Array, acquired: list[bool], latency_ms: dict[str, float],
    per_s: float,
) -> FingerScores:  # fmt: skip
    """Sort the scores of all pairs, an (K, 2) array of indices into ``found``, by kind and by finger."""
    fingers, finger = np.unique([impression.finger for impression in found], return_inverse=True)
    first_touch = np.unique(finger, return_index=True)[1]
    compared = ComparisonSet(
        scores=scores, first=finger[pairs[:, 0]], second=finger[pairs[:, 1]], people=tuple(fingers.tolist())
    )
    of_first_touches = np.isin(pairs, first_touch).all(axis=1) & ~compared.mated
    usable = np.array(acquired)
    attempts = np.bincount(finger).astype(np.int32)
    failures = np.bincount(finger[~usable], minlength=len(fingers)).astype(np.int32)
    return FingerScores(
        genuine=tuple(compared.genuine.tolist()),
        fvc_impostor=tuple(scores[of_first_touches].tolist()),
        impostor=tuple(compared.impostor.tolist()),
        failure_to_acquire=1.0 - float(usable.mean()),
        latency_ms=latency_ms,
        compared=compared,
        acquired=Acquisition(
            people=compared.people, attempts=attempts, failures=failures, enrolled=failures < attempts
        ),
        pairs=pairs.astype(np.int32),
        comparisons_per_s=per_s,
    )


@cache  # one per worker process
def engine_named(name: str) -> FingerEngine:
    """The engine of that name, loaded once."""
    engine: FingerEngine = load_engine(name)
    return engine


def _sample_by_name(name: str, dpi: int, cropped: bool, file: Path) -> AcquiredSample:
    return _sample(engine_named(name), dpi, cropped, file)


def _sample(engine: FingerEngine, dpi: int, cropped: bool, file: Path) -> AcquiredSample:
    pixels = _picture(file, cropped)
    begun = time.perf_counter_ns()
    template = engine.extract(pixels, dpi=dpi)
    return AcquiredSample(template.payload, {"extract": (time.perf_counter_ns() - begun) / 1e6})


def _picture(file: Path, cropped: bool) -> UInt8Array:
    pixels = read_gray(file)
    return sensor_view(pixels) if cropped else pixels


def _named(file: Path) -> Impression:
    finger, underscore, number = file.stem.rpartition("_")
    if not underscore or not finger or not (number.isascii() and number.isdigit()):
        raise InputError(f"{file.name} is not named <finger>_<impression>, such as 101_1.png.")
    return Impression(finger, int(number), file)
