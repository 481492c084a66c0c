"""Does one threshold mean the same elsewhere? Owns the protocol of ``muster evaluate face --also``.

One threshold on single pairs is chosen on the main folder, for an FMR of 1e-3, and applied as it stands to every other
folder, each with its own people as the cohort. Beside it the same is done with the engine's similarities, so that a
reader sees what normalisation brings and costs. Folders are named by the path that was given.

``fmr_all_pairs`` is the FMR of all photographs of different people, where these are few, every pair of people weighing
the same: of twenty people the protocol's pairs are 190, which cannot show a rate of one in a thousand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matcher.background import Background
from matcher.evaluation import rates
from matcher.evaluation.face_pairs import (
    PairScores,
    every_impostor_pair,
    fmr_by_pair_of_people,
    normalised_scores,
    score_pairs,
    similarities,
)
from matcher.evaluation.face_samples import Collection
from models.biometrics import Float32Array

TARGET_FMR = 1e-3
ALL_PAIRS_UP_TO = 200  # people; of more, the first photographs are pairs enough


def transfer(collections: Mapping[str, Collection], background: Background | None) -> dict[str, Any]:
    """Threshold, FMR and FNMR by folder, as fractions, ready for JSON; the first collection is the main one.

    Raises InputError for a collection without a pair of a kind.
    """
    scored = {name: score_pairs(one, background) for name, one in collections.items()}
    raw = _applied({name: scores.similarity for name, scores in scored.items()})
    told = {name: scores.normalised for name, scores in scored.items() if scores.normalised is not None}
    chosen = _applied(told) if told else dict(raw)
    few = {name: one for name, one in collections.items() if len(set(one.person.tolist())) <= ALL_PAIRS_UP_TO}
    chosen["fmr_all_pairs"] = {name: _all_pairs(one, background, chosen["threshold"]) for name, one in few.items()}
    raw["fmr_all_pairs"] = {name: _all_pairs(one, None, raw["threshold"]) for name, one in few.items()}
    return {
        **chosen,
        "normalised": bool(told),
        "target_fmr": TARGET_FMR,
        "similarity": raw,
        "comparisons": {name: _counts(scores) for name, scores in scored.items()},
    }


def _counts(scores: PairScores) -> dict[str, int]:
    return {"genuine": len(scores.genuine), "impostor": len(scores.impostor)}


def _all_pairs(collection: Collection, background: Background | None, threshold: float) -> float:
    pairs = every_impostor_pair(collection)
    scores = similarities(collection, pairs)
    if background is not None:
        scores = normalised_scores(collection, pairs, background, scores)
    return fmr_by_pair_of_people(collection, pairs, scores >= threshold)


def _applied(folders: Mapping[str, tuple[Float32Array, Float32Array]]) -> dict[str, Any]:
    """The threshold of the first folder on all of them."""
    threshold = rates.threshold_at_fmr(next(iter(folders.values()))[1], TARGET_FMR)
    return {
        "threshold": threshold,
        "fmr": {name: rates.fmr_at(impostor, threshold) for name, (_, impostor) in folders.items()},
        "fnmr": {name: rates.fnmr_at(genuine, threshold) for name, (genuine, _) in folders.items()},
    }
