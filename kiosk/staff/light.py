"""How a face is lit: measures of one picture and the one thing to change. Pure functions; refuse to change anything.

The limits are those of a face that is good enough to be enrolled, with room to spare (``matcher.quality.FaceLimits``):
a light that only just suffices at noon does not in the evening.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from models.biometrics import UInt8Array

_OVEREXPOSED, _UNDEREXPOSED = 250, 8
DARK_FACE, BRIGHT_FACE = 80, 185
DIM_ROOM = 110
BACKLIGHT = 55  # the background brighter than the face by this much
FLAT_CONTRAST = 22
ONE_SIDED = 45
MOST_OVEREXPOSED_PERCENT = 12


class LightAdvice(StrEnum):
    """What to change first; ``good`` is nothing."""

    NO_FACE = "no_face"
    CLOSE_CURTAIN = "close_curtain"
    MORE_LAMP = "more_lamp"
    LESS_LAMP = "less_lamp"
    MOVE_LAMP = "move_lamp"
    CLEAN_LENS = "clean_lens"
    EXPOSURE_UP = "exposure_up"
    EXPOSURE_DOWN = "exposure_down"
    GOOD = "good"


@dataclass(frozen=True, slots=True)
class LightMeasures:
    """Gray levels 0 to 255 and percents, as whole numbers.

    ``face`` and ``background`` are means, ``contrast`` the spread of gray levels in the face, ``sides`` how much
    brighter its left half in the picture is than its right, ``overexposed`` the percent of the face that is white.
    """

    face: int
    contrast: int
    background: int
    sides: int
    overexposed: int

    @property
    def backlight(self) -> int:
        """How much brighter the background is than the face."""
        return self.background - self.face


def measure_light(pixels: UInt8Array, box: tuple[float, float, float, float]) -> LightMeasures:
    """The measures of an (H, W, 3) uint8 RGB picture with the face at ``box`` (x, y, width, height in pixels)."""
    gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = gray.shape
    x, y, w, h = box
    left, right = _span(x + 0.15 * w, x + 0.85 * w, width)
    top, bottom = _span(y + 0.2 * h, y + 0.9 * h, height)
    face = gray[top:bottom, left:right].astype(np.float32)
    middle = max(1, face.shape[1] // 2)
    around = np.ones_like(gray, bool)
    near_left, near_right = _span(x - 0.5 * w, x + 1.5 * w, width)
    near_top, _ = _span(y - 0.4 * h, y + h, height)
    around[near_top:, near_left:near_right] = False  # head and shoulders are no background
    background = gray[around] if around.any() else gray
    return LightMeasures(
        face=round(float(face.mean())),
        contrast=round(float(face.std())),
        background=round(float(background.mean())),
        sides=round(float(face[:, :middle].mean() - face[:, middle:].mean())) if face.shape[1] > 1 else 0,
        overexposed=round(100.0 * float((face >= _OVEREXPOSED).mean())),
    )


def advise(measures: LightMeasures | None, *, exposure: bool) -> LightAdvice:
    """The one thing to change first, the worst first. ``exposure``: the camera's can be set here, which is the advice
    where the whole room is as bright, or as lit, as the face is not to be."""
    if measures is None:
        return LightAdvice.NO_FACE
    bright = measures.overexposed > MOST_OVEREXPOSED_PERCENT or measures.face > BRIGHT_FACE
    dark = measures.face < DARK_FACE
    wanted = {
        LightAdvice.CLOSE_CURTAIN: measures.backlight > BACKLIGHT,
        LightAdvice.EXPOSURE_DOWN: bright and exposure and measures.background > BRIGHT_FACE,
        LightAdvice.LESS_LAMP: bright,
        LightAdvice.EXPOSURE_UP: dark and exposure and measures.background >= DIM_ROOM,
        LightAdvice.MORE_LAMP: dark,
        LightAdvice.MOVE_LAMP: abs(measures.sides) > ONE_SIDED,
        LightAdvice.CLEAN_LENS: measures.contrast < FLAT_CONTRAST,
    }
    return next((advice for advice, asked in wanted.items() if asked), LightAdvice.GOOD)


def _span(low: float, high: float, most: int) -> tuple[int, int]:
    """Two whole numbers within 0 and ``most``, at least one apart."""
    first = int(np.clip(low, 0, most - 1))
    return first, int(np.clip(high, first + 1, most))
