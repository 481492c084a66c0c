"""A written page before the camera: held up in two hands, or pushed at it. Owns its look and its place; no letters.

What is written on it are strokes that look like lines of handwriting and say nothing. Refuses faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hardware.simulation.projection import FRAME_SIZE
from models.biometrics import UInt8Array
from models.errors import ConfigurationError

PAGE_SIZE = (620, 877)  # (width, height) of its picture: A4 upright
_LINES, _MARGIN = 17, 60


@dataclass(frozen=True, slots=True)
class Holding:
    """How a page is held. Shares of the picture's height or width; degrees; ``sway`` and ``drift`` a second."""

    height: float = 0.86
    x: float = 0.5
    y: float = 0.52
    roll_deg: float = 2.0
    lean: float = 0.06  # how much narrower its top is than its bottom
    sway: float = 0.0012
    drift: float = 0.0
    blur_px: float = 0.0


WAYS = {
    "still": Holding(),
    "tilted": Holding(height=0.8, roll_deg=-9.0, lean=0.14),
    "far": Holding(height=0.4),
    "cut_off": Holding(height=0.95, y=0.75),
    "waving": Holding(height=0.74, sway=0.05, blur_px=2.2),
}


class Paper:
    """A sheet of white paper with lines of writing on it, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    @cached_property
    def pixels(self) -> UInt8Array:
        """The sheet seen from above, (877, 620, 3) uint8 RGB."""
        rng = np.random.default_rng([self.seed, 0x9A9E])
        width, height = PAGE_SIZE
        sheet = np.full((height, width, 3), (244, 243, 238), np.uint8)
        for line in range(_LINES):
            y = _MARGIN + 30 + line * (height - 2 * _MARGIN) // _LINES
            end = width - _MARGIN - (int(rng.integers(0, 200)) if line % 5 == 4 else 0)
            x = _MARGIN + (40 if line % 5 == 0 else 0)
            while x < end - 24:
                _character(sheet, x, y, rng)
                x += 30
        return np.asarray(cv2.GaussianBlur(sheet, (0, 0), 0.8), np.uint8)


def _character(sheet: UInt8Array, x: int, y: int, rng: np.random.Generator) -> None:
    """A few strokes in a square, as a written character has them."""
    ink = tuple(int(value) for value in rng.integers(18, 62, 3))
    for _ in range(int(rng.integers(3, 7))):
        start = (x + int(rng.integers(0, 24)), y - int(rng.integers(0, 24)))
        across = bool(rng.uniform() < 0.5)
        reach = int(rng.integers(9, 22))
        end = (start[0] + (reach if across else int(rng.integers(-5, 6))), start[1] + (0 if across else reach))
        cv2.line(sheet, start, end, ink, 3, cv2.LINE_AA)


@dataclass(frozen=True, slots=True, eq=False)
class HeldPaper:
    """One sheet, held in one way from ``since_s`` on."""

    paper: Paper
    way: Holding
    since_s: float

    @classmethod
    def make(cls, paper: Paper, way: str, since_s: float) -> HeldPaper:
        """Raises ConfigurationError with the ways that are known."""
        if way not in WAYS:
            raise ConfigurationError(f"A page cannot be held {way!r}; known: {', '.join(sorted(WAYS))}.")
        return cls(paper, WAYS[way], since_s)

    def corners(self, t_s: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """Where its corners are in the picture, (4, 2) float32 pixels: clockwise from its upper left one."""
        way, (width, height) = self.way, FRAME_SIZE
        passed = t_s - self.since_s
        tall = way.height * height
        wide = tall * PAGE_SIZE[0] / PAGE_SIZE[1]
        x = (way.x + way.sway * np.sin(2.1 * passed) + way.drift * passed) * width
        y = (way.y + 0.7 * way.sway * np.sin(1.7 * passed + 1.0)) * height
        half = np.array([[-wide, -tall], [wide, -tall], [wide, tall], [-wide, tall]], np.float64) / 2
        half[:2, 0] *= 1.0 - way.lean
        turn = np.deg2rad(way.roll_deg)
        turned = half @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        return np.asarray(turned + np.array((x, y)), np.float32)

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """Paint it into a (480, 640, 3) uint8 RGB frame, over whoever holds it."""
        width, height = PAGE_SIZE
        flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        bend = cv2.getPerspectiveTransform(flat, self.corners(t_s))
        sheet = np.asarray(cv2.warpPerspective(self.paper.pixels, bend, FRAME_SIZE, flags=cv2.INTER_AREA), np.uint8)
        cover = cv2.warpPerspective(np.full((height, width), 255, np.uint8), bend, FRAME_SIZE)
        if self.way.blur_px:
            sheet = np.asarray(cv2.blur(sheet, (int(6 * self.way.blur_px), 1)), np.uint8)
        share = (np.asarray(cover, np.float32) / 255.0)[..., None]
        frame[:] = np.clip(frame * (1.0 - share) + sheet * share, 0, 255).astype(np.uint8)
        for corner in self.corners(t_s)[2:]:  # a thumb on each side
            at = (int(corner[0] * 0.97 + 0.015 * frame.shape[1]), int(corner[1] - 0.16 * frame.shape[0]))
            cv2.ellipse(frame, at, (16, 11), 0, 0, 360, (196, 150, 126), -1, cv2.LINE_AA)
