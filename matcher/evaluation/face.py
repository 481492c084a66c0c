"""Measuring a face engine on folders of people's photographs. Owns the order of the work and the report's keys.

Keeps nothing biometric on disk. The protocols stand where they are carried out: layouts in ``face_folders``, pairs in
``face_pairs``, searches in ``face_searches``, one threshold on several folders in ``face_transfer``. The subject of a
photograph is the face nearest to its center. A photograph without a face counts in ``failure_to_acquire``, takes no
part in pairs, and is a miss as a mated probe.

``pairs`` are rates of the engine's own similarities, ``pairs_normalised`` of the same pairs normalised among the other
people of the folder, null for an engine without a background. The searches are a gallery's: normalised where it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from matcher.background import background
from matcher.enrolled_faces import Fusion
from matcher.evaluation import rates
from matcher.evaluation.face_folders import PhotographFolder, photographs, read_folder
from matcher.evaluation.face_pairs import genuine_scores, impostor_scores, score_pairs
from matcher.evaluation.face_samples import (
    Acquired,
    Collection,
    Progress,
    acquire,
    acquire_all,
    collection_of,
    loaded,
    subject,
)
from matcher.evaluation.face_searches import (
    identification,
    identification_of_several,
    search_set,
)
from matcher.evaluation.face_transfer import transfer
from matcher.evaluation.results import Acquisition, ComparisonSet, SearchSet
from matcher.evaluation.resume import ResumeFile
from models.biometrics import Float32Array
from models.errors import InputError

__all__ = [
    "Collection", "FaceMeasurement", "acquire", "evaluate_face", "genuine_scores", "impostor_scores", "measure_face",
    "photographs", "subject",
]  # fmt: skip

FMRS = ("1e-2", "1e-3", "1e-4")


@dataclass(frozen=True, slots=True, eq=False)
class FaceMeasurement:
    """The report, ready for JSON, and what a page about it is made of; ``searches`` are those with one photograph."""

    report: dict[str, Any]
    comparisons: ComparisonSet
    searches: SearchSet | None
    acquisition: Acquisition


def evaluate_face(
    folder: Path, *, also: Sequence[Path] = (), engine: str = "sface", draws: int = 30, seed: int = 1,
    processes: int | None = None, fusion: Fusion = "centroid", progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The report of ``measure_face``: rates as fractions, latencies as median milliseconds per photograph."""
    return measure_face(
        folder, also=also, engine=engine, draws=draws, seed=seed, processes=processes, fusion=fusion, progress=progress
    ).report


def measure_face(
    folder: Path, *, also: Sequence[Path] = (), engine: str = "sface", draws: int = 30, seed: int = 1,
    processes: int | None = None, fusion: Fusion = "centroid", progress: Progress | None = None,
    resume: ResumeFile | None = None,
) -> FaceMeasurement:  # fmt: skip
    """Everything measured on a folder, and its threshold applied to the folders ``also``.

    Raises InputError if a folder is named twice, is not of a known layout or too small to measure on, ImageError for a
    picture that cannot be read.
    """
    places = [folder, *also]
    if len({str(place) for place in places}) < len(places):
        raise InputError("A folder is named twice.")
    folders = [read_folder(place) for place in places]
    acquired = _acquired(folders, engine, processes, progress, resume)
    collections = [collection_of(one, found) for one, found in zip(folders, acquired, strict=True)]
    general, main = background(loaded(engine).format), collections[0]
    pairs = score_pairs(main, general, few_people=0)
    rates_of_one, draws_of_one = identification(main, draws=draws, seed=seed, fusion=fusion, background=general)
    report = {
        "modality": "face",
        "engine": engine,
        "failure_to_acquire": float(np.mean(~main.found)),
        "comparisons": {"genuine": len(pairs.similarity[0]), "impostor": len(pairs.similarity[1])},
        "pairs": _rates(*pairs.similarity),
        "pairs_normalised": _rates(*pairs.normalised) if pairs.normalised is not None else None,
        "identification": rates_of_one,
        "identification_probe5": identification_of_several(
            main, draws=draws, seed=seed, fusion=fusion, background=general
        ),
        **({"transfer": transfer(_by_path(places, collections), general)} if also else {}),
        "latency_ms": _latencies(acquired[0]),
    }
    return FaceMeasurement(report, pairs.comparisons(main), search_set(main, draws_of_one), _acquisition(main))


def _acquired(
    folders: Sequence[PhotographFolder],
    engine: str,
    processes: int | None,
    progress: Progress | None,
    resume: ResumeFile | None,
) -> list[list[Acquired]]:
    """All folders in one go, so that workers load the engine once."""
    files = [item.file for one in folders for item in one.photographs]
    everything = acquire_all(files, engine, processes=processes, progress=progress, resume=resume)
    starts = np.cumsum([0, *(len(one.photographs) for one in folders)]).tolist()
    return [everything[start:end] for start, end in pairwise(starts)]


def _by_path(places: Sequence[Path], collections: Sequence[Collection]) -> dict[str, Collection]:
    return {str(place): collection for place, collection in zip(places, collections, strict=True)}


def _rates(genuine: Float32Array, impostor: Float32Array) -> dict[str, Any]:
    return {
        "eer": rates.eer(genuine, impostor),
        "fnmr_at_fmr": {fmr: rates.fnmr_at_fmr(genuine, impostor, float(fmr)) for fmr in FMRS},
    }


def _latencies(acquired: Sequence[Acquired]) -> dict[str, float]:
    return {
        "detect": float(np.median([item.detect_ms for item in acquired])),
        "extract": float(np.median([item.extract_ms for item in acquired if item.row is not None] or [np.nan])),
    }


def _acquisition(collection: Collection) -> Acquisition:
    """Failures by person; enrolled is who would be, had the photographs with a face been enough of them."""
    attempts = np.bincount(collection.person)
    found = np.bincount(collection.person[collection.found], minlength=len(attempts))
    return Acquisition(
        people=collection.names,
        attempts=attempts.astype(np.int32),
        failures=(attempts - found).astype(np.int32),
        enrolled=found > 0,
    )
