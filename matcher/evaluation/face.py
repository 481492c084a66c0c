"""Measuring a face engine on a folder of people's photographs. Owns the protocol; keeps nothing biometric on disk.

- *Pairs*: impostor = the first photograph of each person against that of every other; genuine = all pairs of up to
  eight photographs of a person.
- *Identification*: the gallery holds everyone with at least four photographs, three references each drawn at random;
  their other photographs are the mated probes. Strangers are everyone with exactly one photograph. A mated probe
  counts as missed unless the right person comes first and reaches the threshold (ISO/IEC 19795-1, FNIR at rank 1).
  The rates are means over the draws.
- The subject of a photograph is the face nearest to its center. A photograph without a face counts in
  ``failure_to_acquire``, takes no part in pairs, and is a miss as a mated probe.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from matcher.engines import load_engine
from matcher.enrolled_faces import Fusion, fuse_faces
from matcher.evaluation import rates
from matcher.pictures import read_rgb
from matcher.ports import DetectedFace, FaceEngine
from models.biometrics import Float32Array, Float64Array
from models.errors import InputError, MusterError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
PHOTOGRAPHS_OF_A_PERSON = 8
GALLERY_PHOTOGRAPHS = 4
REFERENCES = 3
FEW_PHOTOGRAPHS = 50  # up to which starting worker processes takes longer than it saves
FMRS = ("1e-2", "1e-3", "1e-4")
FPIRS = ("1e-2", "1e-3")

Progress = Callable[[int, int], None]  # done, in all


@dataclass(frozen=True, slots=True)
class Acquired:
    """What became of one photograph; ``row`` is None where no face was found."""

    row: Float32Array | None
    detect_ms: float
    extract_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Vectors of all photographs: ``rows`` (N, D), ``person`` (N,) index, ``found`` (N,) whether there was a face."""

    rows: Float32Array
    person: np.ndarray[Any, np.dtype[np.int64]]
    found: np.ndarray[Any, np.dtype[np.bool_]]


def evaluate_face(
    folder: Path, *, engine: str = "sface", draws: int = 10, seed: int = 1, processes: int | None = None,
    fusion: Fusion = "centroid", progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Error rates as fractions and latencies as median milliseconds per photograph, ready for JSON.

    ``folder`` holds a folder per person, or ``images`` with these. Raises InputError if the folder is not of that
    layout or too small to measure on, ImageError for a picture that cannot be read.
    """
    people = photographs(folder)
    names = [name for name, files in people.items() for _ in files]
    files = [file for found in people.values() for file in found]
    acquired = _acquire_all(files, engine, processes or min(os.cpu_count() or 1, 8), progress)
    collection = _collection(names, acquired)
    return {
        "modality": "face",
        "engine": engine,
        "failure_to_acquire": float(np.mean(~collection.found)),
        "pairs": _pairs(collection),
        "identification": _identification(collection, draws=draws, seed=seed, fusion=fusion),
        "latency_ms": {
            "detect": float(np.median([item.detect_ms for item in acquired])),
            "extract": float(np.median([item.extract_ms for item in acquired if item.row is not None] or [np.nan])),
        },
    }


def photographs(folder: Path) -> dict[str, list[Path]]:
    """Each person's photographs in order of file name, people in order of name. Raises InputError if there are none."""
    root = folder / "images" if (folder / "images").is_dir() else folder
    if not root.is_dir():
        raise InputError(f"There is no folder {folder}.")
    people = {
        place.name: sorted(file for file in place.iterdir() if file.suffix.lower() in PICTURES)
        for place in sorted(root.iterdir())
        if place.is_dir()
    }
    people = {name: files for name, files in people.items() if files}
    if len(people) < 2 or all(len(files) < 2 for files in people.values()):
        raise InputError(f"{folder} needs folders of at least two people, one of them with two photographs or more.")
    return people


def subject(faces: Sequence[DetectedFace], *, width: int, height: int) -> DetectedFace | None:
    """The face whose middle is nearest to the middle of the picture."""

    def distance(face: DetectedFace) -> float:
        x, y, wide, high = face.box
        return float(np.hypot(x + wide / 2 - width / 2, y + high / 2 - height / 2))

    return min(faces, key=distance, default=None)


def genuine_scores(collection: Collection) -> Float64Array:
    """Scores of all pairs of up to eight photographs of one person."""
    scores = []
    for person in np.unique(collection.person):
        rows = collection.rows[(collection.person == person)][:PHOTOGRAPHS_OF_A_PERSON]
        found = collection.found[collection.person == person][:PHOTOGRAPHS_OF_A_PERSON]
        rows = rows[found]
        scores.append((rows @ rows.T)[np.triu_indices(len(rows), 1)])
    return np.concatenate(scores).astype(np.float64)


def impostor_scores(collection: Collection) -> Float64Array:
    """Scores of the first photograph of each person against that of every other."""
    _, first = np.unique(collection.person, return_index=True)
    rows = collection.rows[first[collection.found[first]]]
    scores: Float64Array = (rows @ rows.T)[np.triu_indices(len(rows), 1)].astype(np.float64)
    return scores


def _pairs(collection: Collection) -> dict[str, Any]:
    genuine, impostor = genuine_scores(collection), impostor_scores(collection)
    return {
        "eer": rates.eer(genuine, impostor),
        "fnmr_at_fmr": {fmr: rates.fnmr_at_fmr(genuine, impostor, float(fmr)) for fmr in FMRS},
    }


def _identification(collection: Collection, *, draws: int, seed: int, fusion: Fusion) -> dict[str, Any]:
    counts = np.bincount(collection.person)
    enrolled = np.flatnonzero(counts >= GALLERY_PHOTOGRAPHS)
    strangers = collection.rows[(counts[collection.person] == 1) & collection.found]
    report: dict[str, Any] = {"gallery": len(enrolled), "references": REFERENCES, "fnir_at_fpir": dict.fromkeys(FPIRS)}
    if not len(enrolled) or not len(strangers):
        return report  # the folder cannot answer this question: the rates stay null
    random = np.random.default_rng(seed)
    drawn = [_one_draw(collection, enrolled, strangers, random, fusion) for _ in range(draws)]
    report["fnir_at_fpir"] = {
        fpir: float(np.mean([_fnir(mated, others, float(fpir)) for mated, others in drawn])) for fpir in FPIRS
    }
    return report


def _one_draw(
    collection: Collection, enrolled: Any, strangers: Float32Array, random: np.random.Generator, fusion: Fusion
) -> tuple[Float64Array, Float64Array]:
    """Scores of the mated probes (-inf for a wrong first rank or no face) and best scores of the strangers."""
    references, owners, probes = [], [], []
    for person in enrolled:
        own = random.permutation(np.flatnonzero(collection.person == person))
        references += own[:REFERENCES].tolist()
        probes += own[REFERENCES:].tolist()
        owners += [person] * REFERENCES
    kept = collection.found[references]
    gallery, owner = collection.rows[references][kept], np.array(owners)[kept]
    if not len(owner):  # no reference of anybody shows a face: everyone is missed, and no stranger is found
        return np.full(len(probes), -np.inf), np.full(len(strangers), -np.inf)
    people, mated = fuse_faces(collection.rows[probes], gallery, owner, fusion=fusion)
    right = (people[mated.argmax(axis=1)] == collection.person[probes]) & collection.found[probes]
    _, others = fuse_faces(strangers, gallery, owner, fusion=fusion)
    return np.where(right, mated.max(axis=1), -np.inf).astype(np.float64), others.max(axis=1).astype(np.float64)


def _fnir(mated: Float64Array, strangers: Float64Array, fpir: float) -> float:
    return rates.fnmr_at(mated, rates.threshold_at_fmr(strangers, fpir))


def _collection(names: Sequence[str], acquired: Sequence[Acquired]) -> Collection:
    found = np.array([item.row is not None for item in acquired])
    if not found.any():
        raise InputError("No face was found in any photograph.")
    length = next(len(item.row) for item in acquired if item.row is not None)
    nothing = np.zeros(length, np.float32)
    rows = np.stack([nothing if item.row is None else item.row for item in acquired])
    return Collection(rows, np.unique(names, return_inverse=True)[1], found)


def acquire(file: Path, engine: FaceEngine) -> Acquired:
    """Read one photograph, find its subject, make its vector."""
    pixels = read_rgb(file)
    start = time.perf_counter()
    face = subject(engine.detect(pixels), width=pixels.shape[1], height=pixels.shape[0])
    detected = time.perf_counter()
    if face is None:
        return Acquired(None, 1e3 * (detected - start), 0.0)
    row = engine.vectors([engine.extract(pixels, face)])[0]
    return Acquired(row, 1e3 * (detected - start), 1e3 * (time.perf_counter() - detected))


@cache  # one per worker process
def _loaded(engine: str) -> FaceEngine:
    loaded: FaceEngine = load_engine(engine)
    if not hasattr(loaded, "detect"):
        raise InputError(f"The engine {engine!r} does not compare faces.")
    return loaded


def _acquire_in_worker(file: Path, engine: str) -> Acquired:
    return acquire(file, _loaded(engine))


def _acquire_all(files: Sequence[Path], engine: str, processes: int, progress: Progress | None) -> list[Acquired]:
    acquired: list[Acquired] = []

    def take(item: Acquired) -> None:
        acquired.append(item)
        if progress:
            progress(len(acquired), len(files))

    if processes == 1 or len(files) <= FEW_PHOTOGRAPHS:
        for file in files:
            take(_acquire_in_worker(file, engine))
        return acquired
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"))
    try:
        for item in pool.map(_acquire_in_worker, files, repeat(engine), chunksize=16):
            take(item)
    except BrokenProcessPool as error:
        raise MusterError("A process that measured photographs was ended from outside, perhaps for memory.") from error
    finally:
        pool.shutdown(cancel_futures=True)
    return acquired
