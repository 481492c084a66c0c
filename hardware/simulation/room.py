"""The room behind the visitors and what light, lens and sensor do to a picture. Owns pixels only; refuses geometry."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hardware.simulation.projection import FRAME_SIZE
from models.biometrics import UInt8Array

_NOISE_TILES = 3
_SHIFTS = (61, 59)  # with the tiles: 10,797 frames, twelve minutes, before a sensor's noise repeats


@dataclass(frozen=True, slots=True)
class View:
    """How the camera sees: ``light`` multiplies brightness (1 is a lit office), ``blur_px`` is out of focus,
    ``noise`` is the sensor's, in gray levels; ``tint`` multiplies red, green and blue; ``side`` is how much
    brighter the right edge is than the middle."""

    light: float = 1.0
    blur_px: float = 0.0
    noise: float = 2.5
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    side: float = 0.0

    @property
    def even(self) -> bool:
        """Whether white light falls everywhere alike."""
        return self.side == 0.0 and self.tint == (1.0, 1.0, 1.0)


class Room:
    """An office wall with a door and a notice board, and the noise of one camera. Made once, used for every frame."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng([seed, 0x200])
        self._wall = _wall(rng)
        spread = (FRAME_SIZE[1] + _SHIFTS[0], FRAME_SIZE[0] + _SHIFTS[1], 3)
        self._noise = [rng.normal(0, 1, spread).astype(np.float32) for _ in range(_NOISE_TILES)]
        self._lit: tuple[View, UInt8Array] | None = None
        self._grain: dict[float, list[tuple[UInt8Array, UInt8Array]]] = {}

    def wall(self) -> UInt8Array:
        """A fresh (480, 640, 3) uint8 RGB picture of the room, to be painted on."""
        return self._wall.copy()

    def look(self, frame: UInt8Array, view: View, *, sequence: int) -> UInt8Array:
        """The frame as the camera hands it out. Noise differs from frame to frame and follows from ``sequence``."""
        seen = frame
        if view.blur_px > 0:
            seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), view.blur_px), dtype=np.uint8)
        if not view.even:
            seen = np.asarray(cv2.multiply(seen, self._lamp(view), scale=view.light / 100.0), dtype=np.uint8)
        elif view.light != 1.0:
            seen = np.asarray(cv2.convertScaleAbs(seen, alpha=view.light), dtype=np.uint8)
        if view.noise <= 0:
            return seen
        lighter, darker = self._grains(view.noise)[sequence % _NOISE_TILES]
        down, right = sequence % _SHIFTS[0], sequence % _SHIFTS[1]
        cut = (slice(down, down + seen.shape[0]), slice(right, right + seen.shape[1]))
        return np.asarray(cv2.subtract(cv2.add(seen, lighter[cut]), darker[cut]), dtype=np.uint8)

    def _lamp(self, view: View) -> UInt8Array:
        """Where light falls in which color, 100 for white light in the middle; the newest view's is kept."""
        if self._lit is None or self._lit[0] != view:
            across = 1.0 + view.side * np.linspace(-1, 1, FRAME_SIZE[0])
            lamp = np.clip(100.0 * across[None, :, None] * np.array(view.tint), 0, 255)
            shape = (FRAME_SIZE[1], FRAME_SIZE[0], 3)
            self._lit = view, np.ascontiguousarray(np.broadcast_to(np.rint(lamp).astype(np.uint8), shape))
        return self._lit[1]

    def _grains(self, noise: float) -> list[tuple[UInt8Array, UInt8Array]]:
        """Noise split into what is added and what is taken away: eight-bit sums are ten times as fast as floats."""
        if noise not in self._grain:
            scaled = [tile * noise for tile in self._noise]
            self._grain[noise] = [
                (np.clip(np.rint(t), 0, 255).astype(np.uint8), np.clip(np.rint(-t), 0, 255).astype(np.uint8))
                for t in scaled
            ]
        return self._grain[noise]


def _wall(rng: np.random.Generator) -> UInt8Array:
    """A plain wall, lighter above, with a door frame and a notice board."""
    width, height = FRAME_SIZE
    shade = np.linspace(188, 158, height, dtype=np.float32)[:, None] + np.linspace(-6, 8, width, dtype=np.float32)
    picture = np.stack([shade, shade + 4, shade - 3], axis=-1)
    picture += cv2.GaussianBlur(rng.normal(0, 14, picture.shape).astype(np.float32), (0, 0), 3)
    wall = np.clip(picture, 0, 255).astype(np.uint8)
    cv2.rectangle(wall, (505, 60), (640, 480), (139, 118, 96), -1)
    cv2.rectangle(wall, (497, 52), (505, 480), (206, 203, 196), -1)
    cv2.rectangle(wall, (40, 70), (180, 190), (118, 136, 124), -1)
    for left, top, color in ((52, 84, (232, 230, 222)), (112, 92, (236, 222, 170)), (70, 140, (220, 228, 236))):
        cv2.rectangle(wall, (left, top), (left + 44, top + 38), color, -1)
    return np.asarray(cv2.GaussianBlur(wall, (0, 0), 1.6), dtype=np.uint8)
