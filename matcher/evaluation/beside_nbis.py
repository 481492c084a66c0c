"""NIST's mindtct and bozorth3 on the same pictures and pairs, for comparison. Owns only their use, through ``nbis``.

Refuses to take part in any decision: this is a yardstick. Both matchers compare templates that are ready, one pair
after the other on one thread, in one run, by the processor time of that thread: what else the machine does changes
little.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import cv2
import numpy as np

from matcher.evaluation import rates
from matcher.evaluation.results import Int32Array
from models.biometrics import Float32Array, UInt8Array
from models.errors import InputError

FMRS: Final = ("1e-2", "1e-3")

Progress = Callable[[int, int], None]


def beside_nbis(
    pictures: Sequence[UInt8Array], pairs: Int32Array, mated: Any, *, dpi: int, ours_per_s: float,
    progress: Progress | None = None,
) -> Mapping[str, Any]:  # fmt: skip
    """Rates, comparisons per second, and ours over theirs, for (K, 2) ``pairs`` of (H, W) uint8 pictures.

    ``mated`` (K,) bool tells the pairs of one finger; ``ours_per_s`` is what our engine did on the same pairs. A
    picture in which mindtct finds nothing is a failure to acquire and scores 0. Raises InputError without the library.
    """
    steps = len(pictures) + len(pairs)
    extract, templates = _extraction(dpi), []
    for at, picture in enumerate(pictures):
        templates.append(extract(picture))
        if progress:
            progress(at + 1, steps)
    scores = np.zeros(len(pairs), np.float32)
    spent_ns, compared = 0, 0
    for at, (one, two) in enumerate(pairs.tolist()):
        if templates[one] is not None and templates[two] is not None:
            begun = time.thread_time_ns()
            scores[at] = templates[one].compare(templates[two])
            spent_ns += time.thread_time_ns() - begun
            compared += 1
        if progress:
            progress(len(pictures) + at + 1, steps)
    per_s = compared / (spent_ns / 1e9) if spent_ns else float("nan")
    failed = float(np.mean([template is None for template in templates]))
    return {
        "nbis": {"failure_to_acquire": failed, **_rates(scores, mated), "comparisons_per_s": per_s},
        "comparisons_per_s": ours_per_s,
        "ratio": ours_per_s / per_s,
    }


def _rates(scores: Float32Array, mated: Any) -> dict[str, Any]:
    genuine, impostor = scores[mated], scores[~mated]
    return {
        "eer": rates.eer(genuine, impostor),
        "fnmr_at_fmr": {fmr: rates.fnmr_at_fmr(genuine, impostor, float(fmr)) for fmr in FMRS},
    }


def _extraction(dpi: int) -> Callable[[UInt8Array], Any | None]:
    """mindtct: a picture's minutiae, None if it finds none."""
    try:
        import nbis
    except ImportError as error:
        raise InputError("The library nbis (package nbis-py) is not installed; nothing can stand beside.") from error
    settings = nbis.NbisExtractorSettings(
        min_quality=0.0, get_center=False, check_fingerprint=False, compute_nfiq2=False, ppi=float(dpi)
    )
    extractor = nbis.new_nbis_extractor(settings)

    def extract(picture: UInt8Array) -> Any | None:
        _, encoded = cv2.imencode(".png", picture)
        try:
            return extractor.extract_minutiae(encoded.tobytes())
        except nbis.NbisError:
            return None

    return extract
