"""The witness ``surround``: whether what is beside the head moves as one with a hand that holds it. Owns that one sign.

A kiosk's camera stands still, so the room beside a head does, too. Round a face on paper or on a screen lies more
paper, or the room of the film, and trembles with the hand. Two blocks, left and right of the head, are followed by
phase correlation (Kuglin and Hines, 1975). It may only object: where the blocks show nothing to follow it says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Float32Array, UInt8Array


@dataclass(frozen=True, slots=True)
class SurroundLimits:
    """Lengths in pixels of the picture, or in widths and heights of the face's box."""

    inner: float = 0.72  # of the block, from the middle of the face
    outer: float = 1.22
    above: float = 0.15  # over the box's upper edge
    below: float = 0.55  # under it
    contrast: float = 5.0  # gray levels: below that there is nothing to follow
    response: float = 0.25
    moved_px: float = 0.8  # noise alone makes blocks seem to move by half of that
    apart: float = 0.4  # how much the blocks' movements may differ, as a share
    every_s: float = 0.12
    pairs: int = 20
    most_s: float = 0.5  # between two pictures that are compared
    moving_share: float = 0.45  # objects; people at webcams stay below 0.2, a simulated visitor reached 0.42
    still_share: float = 0.2  # passes


class Surround:
    """Watches the two sides of the head through a visit. Not safe across threads."""

    name = "surround"

    def __init__(self, *, limits: SurroundLimits | None = None) -> None:
        self._limits = limits or SurroundLimits()
        self._before: tuple[Float32Array, tuple[float, float, float, float], float] | None = None
        self._valid = self._moving = 0

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Compare the two sides with how they were a moment ago."""
        if self._before is not None and t_s - self._before[2] < self._limits.every_s:
            return
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)
        if self._before is not None and t_s - self._before[2] <= self._limits.most_s:
            old, box, _ = self._before
            self._count([self._shift(old, gray, box, side) for side in (-1, 1)])
        self._before = (gray, face.box, t_s)

    def verdict(self) -> PresentationEvidence:
        """Failed if both sides kept moving alike, passed if they kept still, else undecided."""
        share = self._moving / self._valid if self._valid else 0.0
        verdict = WitnessVerdict.UNDECIDED
        if self._valid >= self._limits.pairs:
            if share >= self._limits.moving_share:
                verdict = WitnessVerdict.FAILED
            elif share <= self._limits.still_share:
                verdict = WitnessVerdict.PASSED
        measures = {"pairs": float(self._valid), "moving_share": round(share, 3)}
        return PresentationEvidence(self.name, verdict, measures)

    def _count(self, shifts: list[tuple[float, float] | None]) -> None:
        left, right = shifts
        if left is None or right is None:
            return
        self._valid += 1
        lengths = [float(np.hypot(*shift)) for shift in (left, right)]
        apart = float(np.hypot(left[0] - right[0], left[1] - right[1]))
        alike = apart <= self._limits.apart * max(lengths) + 0.15
        self._moving += min(lengths) >= self._limits.moved_px and alike

    def _shift(
        self, old: Float32Array, new: Float32Array, box: tuple[float, float, float, float], side: int
    ) -> tuple[float, float] | None:
        """How far a block moved, in pixels; None if there is nothing to follow."""
        limits = self._limits
        x, y, width, height = box
        edges = sorted(x + width / 2 + side * share * width for share in (limits.inner, limits.outer))
        left, right = max(0, round(edges[0])), min(old.shape[1], round(edges[1]))
        top = max(0, round(y - limits.above * height))
        bottom = min(old.shape[0], round(y + limits.below * height))
        if right - left < 24 or bottom - top < 24:
            return None
        one, other = old[top:bottom, left:right], new[top:bottom, left:right]
        if one.std() < limits.contrast:
            return None
        window = cv2.createHanningWindow((right - left, bottom - top), cv2.CV_32F)
        (dx, dy), response = cv2.phaseCorrelate(np.ascontiguousarray(one), np.ascontiguousarray(other), window)
        return (float(dx), float(dy)) if response >= limits.response else None
