"""``muster evaluate scale`` at one size or along a curve of sizes. Owns the sizes and what is said of the population.

Each size is measured in a process of its own.
"""

from __future__ import annotations

from typing import Any, Final

from matcher.evaluation.footprint import Progress
from matcher.evaluation.fresh_process import measured_apart
from models.biometrics import Modality
from models.errors import InputError

LARGEST: Final = {Modality.FACE: 10_000_000, Modality.FINGER: 1_000_000}
POPULATION: Final = {
    Modality.FACE: "synthetic vectors, scores spread as SFace's on photographs in the wild; one reference a person",
    Modality.FINGER: "synthetic minutiae of a 256x288 sensor; one reference a finger",
}


def evaluate_scale(
    modality: Modality, gallery: int, *, probes: int = 400, seed: int = 1, curve: bool = False,
    exhaustive_probes: int | None = None, unclear: bool = False, progress: Progress | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Costs of a gallery of this size, ready for JSON; with ``curve`` also of smaller ones, under that key.

    All of it is simulated and says so. ``exhaustive_probes`` and ``unclear`` are for fingers; see ``scale_finger``.
    Raises InputError for a gallery of fewer than 2 or of more than 10,000,000 faces or 1,000,000 fingers.
    """
    if not 2 <= gallery <= LARGEST[modality]:
        raise InputError(f"A gallery of this kind has 2 to {LARGEST[modality]:,} references, not {gallery:,}.")
    if probes < 1 or (exhaustive_probes is not None and exhaustive_probes < 1):
        raise InputError("At least one probe is needed.")
    if unclear and modality is Modality.FACE:
        raise InputError("Only fingers are compared with everybody because they were not found clearly.")
    sizes = curve_sizes(gallery) if curve else [gallery]
    fingers = {"exhaustive_probes": exhaustive_probes, "unclear": unclear}
    measured = [
        _at(modality, size, probes, seed, fingers, _part(progress, sizes, place)) for place, size in enumerate(sizes)
    ]
    report = {
        "modality": modality.value,
        "simulated": True,
        "population": POPULATION[modality],
        "seed": seed,
        **measured[-1],
    }
    return report | ({"curve": measured} if curve else {})


def curve_sizes(gallery: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 ... from 1,000 on up to the gallery's own size, which is the last."""
    steps = [digit * 10**power for power in range(3, 8) for digit in (1, 2, 5)]
    return [size for size in steps if size < gallery] + [gallery]


def _at(
    modality: Modality, size: int, probes: int, seed: int, fingers: dict[str, Any], progress: Progress | None
) -> Any:
    if modality is Modality.FACE:
        from matcher.evaluation.scale_face import face_scale

        return measured_apart(face_scale, size, probes=probes, seed=seed, progress=progress)
    from matcher.evaluation.scale_finger import finger_scale

    return measured_apart(finger_scale, size, probes=probes, seed=seed, progress=progress, **fingers)


def _part(progress: Progress | None, sizes: list[int], place: int) -> Progress | None:
    """Progress of one size as a part of all of them, weighed by size."""
    if progress is None:
        return None
    before, total = sum(sizes[:place]), sum(sizes)
    return lambda done, of: progress(round(before + sizes[place] * done / of), total)
