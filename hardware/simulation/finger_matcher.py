"""The matcher inside a simulated sensor: pictures to characteristics of 512 bytes, and comparisons in sensor units.

Owns the translation between an engine that is handed in and what a module of the family says. Refuses algorithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from hardware.zfm.codes import IMAGE_DPI, Confirmation
from models.biometrics import Float64Array, Template, UInt8Array
from models.errors import TemplateError

# The engine's similarity that each security level asks for; level 3 is the module's default.
SECURITY_THRESHOLDS = (0.20, 0.24, 0.28, 0.33, 0.40)
_FEWEST_MINUTIAE = 12
_BLOCK_PX = 16
_LEAST_CONTRAST = 14.0  # gray levels of standard deviation within a block that a ridge pattern has
_LEAST_AREA = 0.12  # share of the glass
_LEAST_COHERENCE = 0.2  # of the gradients within a block: 1 parallel ridges, 0.09 noise, 0.2-0.9 real prints


class FingerEngine(Protocol):
    """What the simulated sensor needs of a finger engine."""

    def extract(self, pixels: UInt8Array, *, dpi: int = 500) -> Template:
        """The template of a picture."""

    def minutiae(self, template: Template) -> Any:
        """What a template holds; ``xy`` has a row per minutia."""

    def prepare(self, template: Template) -> Any:
        """Everything about one template that a comparison needs."""

    def compare_prepared(self, probe: Any, reference: Any) -> float:
        """Similarity in [0, 1]."""

    def to_characteristics(self, template: Template) -> bytes:
        """512 bytes that hold a template."""

    def from_characteristics(self, characteristics: bytes) -> Template:
        """The inverse. Raises TemplateError for bytes that hold none."""

    def combine(self, templates: Sequence[Template]) -> Template:
        """One template of several impressions of a finger."""


class FingerMatcher:
    """An engine in the terms of a module: confirmation codes, characteristics and scores 0..1000."""

    def __init__(self, engine: FingerEngine) -> None:
        self._engine = engine
        self._prepared = lru_cache(maxsize=2048)(self._prepare)

    def characteristics(self, seen: UInt8Array) -> bytes | Confirmation:
        """The characteristics of a picture, or why there are none: MESSY or FEW_POINTS."""
        area, coherence = ridge_measures(seen)
        if area < _LEAST_AREA:
            return Confirmation.FEW_POINTS
        if coherence < _LEAST_COHERENCE:
            return Confirmation.MESSY
        template = self._engine.extract(seen, dpi=IMAGE_DPI)
        if len(self._engine.minutiae(template).xy) < _FEWEST_MINUTIAE:
            return Confirmation.FEW_POINTS
        return self._engine.to_characteristics(template)

    def compare(self, one: bytes, other: bytes, *, security: int) -> int | None:
        """The score of a match at a security level 1..5, or None for a non-match."""
        probe, reference = self._prepared(one), self._prepared(other)
        if probe is None or reference is None:
            return None
        similarity = float(self._engine.compare_prepared(probe, reference))
        return round(similarity * 1000) if similarity >= SECURITY_THRESHOLDS[security - 1] else None

    def combine(self, several: Sequence[bytes]) -> bytes:
        """One template of several impressions."""
        templates = [self._engine.from_characteristics(each) for each in several]
        return self._engine.to_characteristics(self._engine.combine(templates))

    def _prepare(self, characteristics: bytes) -> Any | None:
        try:
            return self._engine.prepare(self._engine.from_characteristics(characteristics))
        except TemplateError:  # a host may download anything; a module then matches nothing
            return None


def ridge_measures(seen: UInt8Array) -> tuple[float, float]:
    """Which share of the glass shows contrast, and how parallel its ridges are there (0..1).

    Coherence is that of the gradients' structure tensor in blocks of 16 pixels (Kass and Witkin, 1987).
    """
    pixels = seen.astype(np.float64)
    down, across = np.gradient(pixels)
    contrast = np.sqrt(np.maximum(0.0, _block_means(pixels**2) - _block_means(pixels) ** 2))
    ridged = contrast > _LEAST_CONTRAST
    if not ridged.any():
        return 0.0, 0.0
    energy = _block_means(across**2 + down**2)
    stretch = np.hypot(_block_means(across**2 - down**2), 2 * _block_means(across * down))
    coherence = stretch / np.maximum(energy, 1e-9)
    return float(ridged.mean()), float(np.median(coherence[ridged]))


def _block_means(values: Any) -> Float64Array:
    high, wide = (side // _BLOCK_PX for side in values.shape)
    blocks = values[: high * _BLOCK_PX, : wide * _BLOCK_PX].reshape(high, _BLOCK_PX, wide, _BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float64)
