"""Faces for tests: the public-domain portraits of the weights manifest, and references made of vectors."""

from __future__ import annotations

from datetime import UTC, datetime

import cv2
import numpy as np

from matcher import weights
from matcher.pictures import read_rgb
from models.biometrics import (
    FingerPosition,
    Modality,
    Reference,
    Template,
    TemplateFormat,
    UInt8Array,
)

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SFACE = TemplateFormat("sface", 1)


def portrait(name: str, *, height: int = 480) -> UInt8Array:
    """One of the portraits ("1a", "1b", "1c", "2", "3"), brought to a webcam's height."""
    pixels = read_rgb(weights.path(f"portrait_visitor_{name}"))
    width = round(pixels.shape[1] * height / pixels.shape[0])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def direction(angle_degrees: float, *, dimensions: int = 128) -> Template:
    """An sface template whose cosine with ``direction(0)`` is that of the angle."""
    vector = np.zeros(dimensions, "<f4")
    vector[0], vector[1] = np.cos(np.radians(angle_degrees)), np.sin(np.radians(angle_degrees))
    return Template(SFACE, vector.tobytes())


def face_reference(
    reference_id: str, person_id: str, template: Template, *, revoked_at: datetime | None = None
) -> Reference:
    return Reference(reference_id, person_id, Modality.FACE, None, template, 0.9, NOW, revoked_at)


def finger_reference(
    reference_id: str, person_id: str, template: Template, *, position: FingerPosition = FingerPosition.RIGHT_INDEX
) -> Reference:
    return Reference(reference_id, person_id, Modality.FINGER, position, template, 0.9, NOW)
