"""Biometric terms of ISO/IEC 2382-37 as frozen types. Owns their shapes and units; refuses algorithms.

A comparison score is always a similarity: higher is more alike. Times are aware UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

UInt8Array = NDArray[np.uint8]
Float32Array = NDArray[np.float32]
Float64Array = NDArray[np.float64]


class Modality(StrEnum):
    """What of a person is compared."""

    FACE = "face"
    FINGER = "finger"


class FingerPosition(IntEnum):
    """Finger position codes of ISO/IEC 19794-2:2005, table 2."""

    UNKNOWN = 0
    RIGHT_THUMB = 1
    RIGHT_INDEX = 2
    RIGHT_MIDDLE = 3
    RIGHT_RING = 4
    RIGHT_LITTLE = 5
    LEFT_THUMB = 6
    LEFT_INDEX = 7
    LEFT_MIDDLE = 8
    LEFT_RING = 9
    LEFT_LITTLE = 10


@dataclass(frozen=True, slots=True)
class TemplateFormat:
    """What can be compared with what: the engine's name and the version of its template layout."""

    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"

    @classmethod
    def parse(cls, text: str) -> TemplateFormat:
        """Read ``name/version`` back. Raises ValueError on anything else."""
        name, slash, version = text.rpartition("/")
        if not slash or not name:
            raise ValueError(f"not a template format: {text!r}")
        return cls(name, int(version))


@dataclass(frozen=True, slots=True)
class Template:
    """Features of one or more samples, as bytes in the layout that ``format`` names."""

    format: TemplateFormat
    payload: bytes

    def __repr__(self) -> str:  # a template never reaches a log, not even by accident
        return f"Template({self.format}, {len(self.payload)} bytes)"


@dataclass(frozen=True, slots=True, eq=False)
class BiometricSample:
    """One picture of a face, (H, W, 3) uint8 RGB, or of a finger, (H, W) uint8 gray with its resolution."""

    modality: Modality
    pixels: UInt8Array
    captured_at: datetime
    device_id: str
    dpi: int | None = None

    def __repr__(self) -> str:
        return f"BiometricSample({self.modality}, {self.pixels.shape}, {self.device_id})"


@dataclass(frozen=True, slots=True)
class Reference:
    """A template that belongs to a person. ``person_id`` is opaque: never a number or a name."""

    reference_id: str
    person_id: str
    modality: Modality
    position: FingerPosition | None
    template: Template
    quality: float
    enrolled_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person a probe may belong to, with the reference that came nearest and its comparison score.

    ``similarity`` is the engine's own score where ``score`` was normalised against other people, else None.
    """

    person_id: str
    reference_id: str
    score: float
    similarity: float | None = None


CandidateList = tuple[Candidate, ...]  # best first, at most one per person


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold together with what it was derived from. ``target_fmr`` is a fraction."""

    format: TemplateFormat
    threshold: float
    target_fmr: float | None
    calibrated_on: datetime | None
    dataset: str
