"""Does one threshold mean the same elsewhere? Owns the protocol of ``muster evaluate face --also``.

One threshold on single pairs is chosen on the main folder, for an FMR of 1e-3, and applied as it stands to every other
folder, each with its own people as the cohort. Beside it the same is done with the engine's similarities, so that a
reader sees what normalisation brings and costs. Folders are named by the path that was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from matcher.evaluation import rates
from matcher.evaluation.face_pairs import PairScores
from models.biometrics import Float32Array

TARGET_FMR = 1e-3


def transfer(main: PairScores, others: Mapping[str, PairScores], *, name: str) -> dict[str, Any]:
    """Threshold, FMR and FNMR by folder, as fractions, ready for JSON. ``name`` is the main folder's."""
    folders = {name: main, **others}
    raw = _applied(main.similarity, {key: scores.similarity for key, scores in folders.items()})
    told = {key: scores.normalised for key, scores in folders.items() if scores.normalised is not None}
    chosen = raw if main.normalised is None else _applied(main.normalised, told)
    comparisons = {
        key: {"genuine": len(scores.genuine), "impostor": len(scores.impostor)} for key, scores in folders.items()
    }
    return {
        **chosen,
        "normalised": main.normalised is not None,
        "target_fmr": TARGET_FMR,
        "similarity": raw,
        "comparisons": comparisons,
    }


def _applied(
    main: tuple[Float32Array, Float32Array], folders: Mapping[str, tuple[Float32Array, Float32Array]]
) -> dict[str, Any]:
    threshold = rates.threshold_at_fmr(main[1], TARGET_FMR)
    return {
        "threshold": threshold,
        "fmr": {name: rates.fmr_at(impostor, threshold) for name, (_, impostor) in folders.items()},
        "fnmr": {name: rates.fnmr_at(genuine, threshold) for name, (genuine, _) in folders.items()},
    }
