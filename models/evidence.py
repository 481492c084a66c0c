"""What a comparison in an attendance event rests on. Owns its shape and its JSON; refuses scores' meaning.

What was added after the first kiosks were in use (``basis``, ``subject``) is left out of the JSON where it would say
nothing, so that an older event reads and verifies as it was signed: one record has one spelling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class WitnessVerdict(StrEnum):
    """The answer of one presentation-attack witness. ``not_available`` is never ``passed``."""

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"
    NOT_AVAILABLE = "not_available"


@dataclass(frozen=True, slots=True)
class PresentationEvidence:
    """One witness's verdict, e.g. ``head_turn``; ``measures`` are plain numbers that explain it."""

    witness: str
    verdict: WitnessVerdict
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ThresholdBasis:
    """What score and threshold rest on, so that a decision can be judged again years later.

    ``scale`` is in what the score is told: similarity (the engine's own), spreads (above other people's scores) or
    sensor. ``calibrated_on`` says in a few words what the threshold was derived from, ``target_fmr`` for which false
    match rate, ``llr`` is the score as a natural log-likelihood ratio, and ``doubts`` are codes, in order.
    """

    scale: str
    calibrated_on: str
    target_fmr: float | None = None
    llr: float | None = None
    doubts: tuple[str, ...] = ()


class Subject(StrEnum):
    """Whose face or finger was compared: the person's whom the event is about, or a staff member's."""

    PERSON = "person"
    STAFF = "staff"  # who signs in
    WITNESS = "witness"
    SECOND_WITNESS = "second_witness"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one modality said. Scores are similarities of the engine named; never pixels, never a template."""

    modality: str
    engine: str
    template_format: str
    score: float | None
    threshold: float | None
    matched: bool
    quality: float | None
    operation: str  # "identify" or "verify"
    presentation: tuple[PresentationEvidence, ...] = ()
    simulated: bool = False
    basis: ThresholdBasis | None = None
    subject: Subject = Subject.PERSON


def _number(value: float | None) -> float | None:
    return None if value is None else round(float(value), 6)


def evidence_body(item: Evidence) -> dict[str, Any]:
    """The evidence as plain JSON values; ``evidence_from`` is its inverse."""
    basis = {} if item.basis is None else {"basis": _basis_body(item.basis)}
    subject = {} if item.subject is Subject.PERSON else {"subject": item.subject.value}
    return (
        basis
        | subject
        | {
            "modality": item.modality,
            "engine": item.engine,
            "template_format": item.template_format,
            "score": _number(item.score),
            "threshold": _number(item.threshold),
            "matched": item.matched,
            "quality": _number(item.quality),
            "operation": item.operation,
            "presentation": [
                {
                    "witness": witness.witness,
                    "verdict": witness.verdict.value,
                    "measures": {name: _number(value) for name, value in sorted(witness.measures.items())},
                }
                for witness in item.presentation
            ],
            "simulated": item.simulated,
        }
    )


def _basis_body(basis: ThresholdBasis) -> dict[str, Any]:
    return {
        "scale": basis.scale,
        "calibrated_on": basis.calibrated_on,
        "target_fmr": None if basis.target_fmr is None else round(float(basis.target_fmr), 12),
        "llr": _number(basis.llr),
        "doubts": list(basis.doubts),
    }


def _basis_from(body: Mapping[str, Any]) -> ThresholdBasis:
    doubts = body["doubts"]
    if not isinstance(doubts, list) or not all(isinstance(doubt, str) and "\0" not in doubt for doubt in doubts):
        raise TypeError("doubts is not a list of codes")
    return ThresholdBasis(
        text_of(body, "scale"),
        text_of(body, "calibrated_on"),
        _optional_number(body, "target_fmr"),
        _optional_number(body, "llr"),
        tuple(doubts),
    )


def evidence_from(body: Mapping[str, Any]) -> Evidence:
    """Read evidence back. Raises KeyError, TypeError, ValueError or AttributeError."""
    return Evidence(
        modality=text_of(body, "modality"),
        engine=text_of(body, "engine"),
        template_format=text_of(body, "template_format"),
        score=_optional_number(body, "score"),
        threshold=_optional_number(body, "threshold"),
        matched=_flag(body, "matched"),
        quality=_optional_number(body, "quality"),
        operation=text_of(body, "operation"),
        presentation=tuple(
            PresentationEvidence(
                text_of(item, "witness"),
                WitnessVerdict(item["verdict"]),
                {str(name): _number_of(item["measures"], name) for name in item["measures"]},
            )
            for item in body["presentation"]
        ),
        simulated=_flag(body, "simulated"),
        basis=_basis_from(body["basis"]) if "basis" in body else None,
        subject=Subject(body["subject"]) if "subject" in body else Subject.PERSON,
    )


def text_of(body: Mapping[str, Any], name: str) -> str:
    """A field that must be text. Raises KeyError, TypeError or ValueError."""
    value = body[name]
    if not isinstance(value, str):
        raise TypeError(f"{name} is not text")
    if "\0" in value:  # PostgreSQL has no column for it
        raise ValueError(f"{name} holds a zero character")
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body[name]
    if not isinstance(value, bool):
        raise TypeError(f"{name} is not true or false")
    return value


def _optional_number(body: Mapping[str, Any], name: str) -> float | None:
    return None if body[name] is None else _number_of(body, name)


def _number_of(body: Mapping[str, Any], name: str) -> float:
    value = body[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is not a number")
    return float(value)
