"""The matcher inside a simulated sensor: pictures to characteristics of 512 bytes, and comparisons in sensor units.

Owns the translation between an engine that is handed in and what a module of the family says. Refuses algorithms.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from hardware.zfm.codes import IMAGE_DPI, IMAGE_HEIGHT, IMAGE_WIDTH, Confirmation
from models.biometrics import Float64Array, Template, UInt8Array
from models.errors import TemplateError

# The engine's similarity that each security level asks for; level 3 is a module's default. Measured on pictures of
# 256x288 pixels: different generated fingers reach 0.164 at most (1,200 pairs), real ones 0.115 (11,520 pairs).
SECURITY_THRESHOLDS = (0.14, 0.17, 0.20, 0.25, 0.32)
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
        # A picture laid on again is not extracted again: a module is quick, also when this machine is busy.
        self._extracted = lru_cache(maxsize=64)(self._extract)

    def warm_up(self) -> None:
        """Let the engine load what it needs now, so that what is missing is told here and the first finger is quick."""
        self._engine.extract(np.full((IMAGE_HEIGHT, IMAGE_WIDTH), 240, np.uint8), dpi=IMAGE_DPI)

    def characteristics(self, seen: UInt8Array) -> bytes | Confirmation:
        """The characteristics of a picture, or why there are none: MESSY or FEW_POINTS."""
        if ridge_area(seen) < _LEAST_AREA:
            return Confirmation.FEW_POINTS
        if ridge_coherence(seen) < _LEAST_COHERENCE:
            return Confirmation.MESSY
        return self._extracted(seen.tobytes())

    def _extract(self, picture: bytes) -> bytes | Confirmation:
        seen = np.frombuffer(picture, np.uint8).reshape(IMAGE_HEIGHT, IMAGE_WIDTH)
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


def ridge_area(seen: UInt8Array) -> float:
    """Which share of the glass shows contrast, 0..1, in blocks of 16 pixels."""
    return float((_contrast(seen) > _LEAST_CONTRAST).mean())


def ridge_coherence(seen: UInt8Array) -> float:
    """How parallel the ridges are where there are any: 0 noise, 1 straight lines; 0 for an empty glass.

    The median over blocks of the coherence of the gradients' structure tensor (Kass and Witkin, 1987).
    """
    ridged = _contrast(seen) > _LEAST_CONTRAST
    if not ridged.any():
        return 0.0
    down, across = np.gradient(seen.astype(np.float32))
    energy = _block_means(across**2 + down**2)
    stretch = np.hypot(_block_means(across**2 - down**2), 2 * _block_means(across * down))
    return float(np.median((stretch / np.maximum(energy, 1e-9))[ridged]))


def _contrast(seen: UInt8Array) -> Float64Array:
    """Standard deviation of each block, in gray levels."""
    pixels = seen.astype(np.float32)
    return np.asarray(np.sqrt(np.maximum(0.0, _block_means(pixels**2) - _block_means(pixels) ** 2)), np.float64)


def _block_means(levels: Any) -> Float64Array:
    high, wide = (side // _BLOCK_PX for side in levels.shape)
    blocks = levels[: high * _BLOCK_PX, : wide * _BLOCK_PX].reshape(high, _BLOCK_PX, wide, _BLOCK_PX)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float64)
