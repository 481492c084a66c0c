"""What searching many faces costs, and whether the fast search finds what an exhaustive one does. Owns the protocol.

The gallery holds one synthetic reference of each person. Probes are another photograph of enrolled people, spread over
the gallery, and of strangers. ``rank1`` is the share of enrolled probes whose own person comes first (the rest lose to
somebody who happens to be more alike: that is the vectors' doing, and ``exhaustive_rank1`` loses them too), and
``recall_at_1`` the share of searches, strangers' included, whose first answer is that of comparing with everybody.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from matcher.evaluation.footprint import Progress, Told, grown_mb, median_and_p95, one_core, resident_bytes, timed_ms
from matcher.evaluation.synthetic_faces import DIMENSIONS, SyntheticFaces
from matcher.face_index import FaceIndex, face_index
from models.biometrics import Float32Array

BLOCK: Final = 50_000  # people drawn and added at once
CANDIDATES: Final = 20  # as long as a gallery's list
_STRANGERS: Final = 1_000_000_000  # the number of their block, beyond every gallery
_STRANGER_SHARE: Final = 0.25
_SINGLE: Final = 20  # people who come and go one at a time

_Blocks = list[tuple[int, int]]  # (block, people in it)


def face_scale(gallery: int, *, probes: int, seed: int, progress: Progress | None = None) -> dict[str, Any]:
    """Costs and finds at one size, ready for JSON: times in the unit of their names, memory in MB (10^6 bytes)."""
    faces = SyntheticFaces(seed)
    blocks = [(start // BLOCK, min(BLOCK, gallery - start)) for start in range(0, gallery, BLOCK)]
    told = Told(progress, 2 * gallery)
    mated, owners = _mated(faces, blocks, probes)
    strangers = faces.probes(_STRANGERS, BLOCK, max(1, round(_STRANGER_SHARE * len(mated))))
    everyone = np.concatenate([mated, strangers])
    with one_core() as alone:
        before = resident_bytes()
        index = face_index(gallery, DIMENSIONS)
        enroll_s = _filled(index, faces, blocks, told)
        after, arrays = resident_bytes(), index.memory_bytes()
        index.search(everyone[:1], CANDIDATES)  # the first one touches memory for the first time
        answers, spent_ms = timed_ms(lambda probe: index.search(probe[None], CANDIDATES)[1][0, 0], list(everyone))
        singles = _singles(index, faces, gallery)
    best = _exhaustive(everyone, faces, blocks, told)
    found = np.array(answers)
    return {
        "gallery": gallery,
        "index": index.name,
        "search_ms": median_and_p95(spent_ms),
        "rank1": float(np.mean(found[: len(mated)] == owners)),
        "exhaustive_rank1": float(np.mean(best[: len(mated)] == owners)),
        "recall_at_1": float(np.mean(found == best)),
        "probes": {"mated": len(mated), "strangers": len(strangers)},
        "memory_mb": grown_mb(before, after),
        "index_mb": arrays / 1e6,
        "enroll_s": enroll_s,
        **singles,
        "one_core": alone,
    }


def _mated(faces: SyntheticFaces, blocks: _Blocks, probes: int) -> tuple[Float32Array, Any]:
    """About as many probes from every block, and whose they are."""
    rows, owners = [], []
    gallery, taken = sum(people for _, people in blocks), 0
    for block, people in blocks:
        wanted = min(people, round(probes * (block * BLOCK + people) / gallery) - taken)
        taken += wanted
        if wanted:
            rows.append(faces.probes(block, people, wanted))
            owners.append(block * BLOCK + np.arange(wanted))
    return np.concatenate(rows), np.concatenate(owners)


def _filled(index: FaceIndex, faces: SyntheticFaces, blocks: _Blocks, told: Told) -> float:
    """Seconds that enrolling all blocks took, the drawing of the people not counted."""
    spent_s = 0.0
    for block, people in blocks:
        rows = faces.references(block, people)
        start = time.perf_counter()
        index.add(rows, block * BLOCK + np.arange(people))
        spent_s += time.perf_counter() - start
        told.more(people)
    return spent_s


def _singles(index: FaceIndex, faces: SyntheticFaces, gallery: int) -> dict[str, float]:
    """Median milliseconds of one person who comes, and of one who goes."""
    rows = faces.references(_STRANGERS + 1, _SINGLE)
    _, added = timed_ms(lambda at: index.add(rows[at : at + 1], np.array([gallery + at])), range(_SINGLE))
    _, removed = timed_ms(lambda at: index.remove(np.array([gallery + at])), range(_SINGLE))
    return {"add_one_ms": float(np.median(added)), "remove_one_ms": float(np.median(removed))}


def _exhaustive(probes: Float32Array, faces: SyntheticFaces, blocks: _Blocks, told: Told) -> Any:
    """The nearest person of each probe by comparing with everybody; people are drawn again rather than kept."""
    highest, nearest = np.full(len(probes), -np.inf, np.float32), np.zeros(len(probes), np.int64)
    for block, people in blocks:
        scores = probes @ faces.references(block, people).T
        here = scores.argmax(axis=1)
        value = scores[np.arange(len(probes)), here]
        better = value > highest
        highest[better], nearest[better] = value[better], block * BLOCK + here[better]
        told.more(people)
    return nearest
