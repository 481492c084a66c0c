"""From photographs to vectors, on all cores. Owns the choice of the subject; processes are ``acquisition``'s."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from matcher.cohort import person_means
from matcher.engines import load_engine, settings_digest
from matcher.evaluation import acquisition
from matcher.evaluation.face_folders import PhotographFolder, read_folder
from matcher.evaluation.resume import AcquiredSample, ResumeFile
from matcher.pictures import read_rgb
from matcher.ports import DetectedFace, FaceEngine
from models.biometrics import Float32Array
from models.errors import InputError

Progress = Callable[[int, int], None]  # done, in all
Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True)
class Acquired:
    """What became of one photograph; ``row`` is None where no face was found."""

    row: Float32Array | None
    detect_ms: float
    extract_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Vectors of all photographs: ``rows`` (N, D), ``person`` (N,) index, ``found`` (N,) whether there was a face.

    ``names`` are the people's, by index. ``session`` (N,) is None where every photograph was taken apart.
    """

    rows: Float32Array
    person: Indices
    found: np.ndarray[Any, np.dtype[np.bool_]]
    names: tuple[str, ...] = ()
    session: Indices | None = None


def collection_of(folder: PhotographFolder, acquired: Sequence[Acquired]) -> Collection:
    """The photographs of a folder with their vectors. Raises InputError if there is no face in any."""
    found = np.array([item.row is not None for item in acquired])
    if not found.any():
        raise InputError("No face was found in any photograph.")
    length = next(len(item.row) for item in acquired if item.row is not None)
    nothing = np.zeros(length, np.float32)
    rows = np.stack([nothing if item.row is None else item.row for item in acquired])
    names, person = np.unique([item.person for item in folder.photographs], return_inverse=True)
    session = np.unique([item.session for item in folder.photographs], return_inverse=True)[1]
    return Collection(rows, person, found, tuple(names.tolist()), session if folder.sessions else None)


def mean_of_each_person(
    folder: Path, engine: str, *, without: frozenset[str] = frozenset(), progress: Progress | None = None
) -> Float32Array:
    """The mean vector (K, D) of everybody in a folder who shows a face, but for those named ``without``."""
    found = read_folder(folder)
    kept = tuple(item for item in found.photographs if item.person not in without)
    if not kept:
        raise InputError(f"Nobody in {folder} is left.")
    files = [item.file for item in kept]
    collection = collection_of(replace(found, photographs=kept), acquire_all(files, engine, progress=progress))
    people, owner = np.unique(collection.person[collection.found], return_inverse=True)
    return person_means(collection.rows[collection.found], owner, len(people))


def subject(faces: Sequence[DetectedFace], *, width: int, height: int) -> DetectedFace | None:
    """The face whose middle is nearest to the middle of the picture."""

    def distance(face: DetectedFace) -> float:
        x, y, wide, high = face.box
        return float(np.hypot(x + wide / 2 - width / 2, y + high / 2 - height / 2))

    return min(faces, key=distance, default=None)


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


def acquire_all(
    files: Sequence[Path], engine: str, *, processes: int | None = None, progress: Progress | None = None,
    resume: ResumeFile | None = None,
) -> list[Acquired]:  # fmt: skip
    """All photographs in their order; ``resume`` keeps their vectors. Raises as ``acquisition.acquire_all`` does."""
    if resume is not None:
        made_by = {"modality": "face", "engine": engine, "format": str(loaded(engine).format)}
        resume.bind(made_by | {"settings": settings_digest(engine)})  # the vectors hold what the file says, too
    make = partial(_sample, engine)
    samples = acquisition.acquire_all(files, make, processes=processes, progress=progress, resume=resume)
    return [
        Acquired(
            None if sample.payload is None else np.frombuffer(sample.payload, np.float32),
            sample.spent_ms["detect"],
            sample.spent_ms["extract"],
        )
        for sample in samples
    ]


@cache  # one per worker process
def loaded(engine: str) -> FaceEngine:
    """The engine of that name. Raises InputError if it compares no faces."""
    face_engine: FaceEngine = load_engine(engine)
    if not hasattr(face_engine, "detect"):
        raise InputError(f"The engine {engine!r} does not compare faces.")
    return face_engine


def _sample(engine: str, file: Path) -> AcquiredSample:
    found = acquire(file, loaded(engine))
    payload = None if found.row is None else found.row.astype(np.float32).tobytes()
    return AcquiredSample(payload, {"detect": found.detect_ms, "extract": found.extract_ms})
