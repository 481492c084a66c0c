"""Is this person enrolled already, under another number? Owns the search; the decision stays with a person.

A finding is shown to staff and never acts by itself: twins exist, and so do relatives who look alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from enrollment.ports import Everyone
from matcher.decision import identification_threshold
from models.biometrics import CandidateList, Modality, Template, TemplateFormat
from models.errors import ConfigurationError

WANTED_FPIR = 0.05  # one enrollment in twenty may ask for a second look
_UNKNOWN_SCALE = {Modality.FACE: 0.50, Modality.FINGER: 0.18}  # similarities of engines whose rates nobody wrote down


@dataclass(frozen=True, slots=True)
class Duplicate:
    """Somebody else's reference that this person matches. ``score`` is a gallery's and reached ``threshold``."""

    person_id: str
    modality: Modality
    score: float
    threshold: float


def find_duplicates(
    person_id: str, faces: Sequence[Template], fingers: Sequence[Template], *, everyone: Everyone
) -> tuple[Duplicate, ...]:
    """Everyone else whom these samples match, the most alike first.

    ``faces`` are searched together, ``fingers`` one by one against every finger: a finger may have been named wrongly.
    """
    found: list[Duplicate] = []
    if faces:
        threshold = _threshold(Modality.FACE, faces[0].format, len(everyone))
        found += _others(person_id, Modality.FACE, everyone.identify_face(faces), threshold)
    for finger in fingers:
        threshold = _threshold(Modality.FINGER, finger.format, len(everyone))
        found += _others(person_id, Modality.FINGER, everyone.identify_finger(finger), threshold)
    best: dict[tuple[str, Modality], Duplicate] = {}
    for item in sorted(found, key=lambda item: -item.score):
        best.setdefault((item.person_id, item.modality), item)
    return tuple(best.values())


def _others(person_id: str, modality: Modality, candidates: CandidateList, threshold: float) -> list[Duplicate]:
    return [
        Duplicate(item.person_id, modality, item.score, threshold)
        for item in candidates
        if item.person_id != person_id and item.score >= threshold
    ]


def _threshold(modality: Modality, template_format: TemplateFormat, people: int) -> float:
    try:
        return identification_threshold(template_format, WANTED_FPIR, people).threshold
    except ConfigurationError:
        return _UNKNOWN_SCALE[modality]
