"""Fingers that nobody has, laid on the glass as often as wanted. Owns one touch: place, press, moisture, noise.

The pattern itself is grown by ``ridges``. Everything follows from the seed and the impression's number, so that a test
or a script that names them sees the same picture every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np

from hardware.simulation.ridges import (
    MASTER_HEIGHT,
    MASTER_WIDTH,
    PatternClass,
    master_ridges,
    smooth_noise,
)
from models.biometrics import Float32Array, UInt8Array
from models.errors import ConfigurationError

GLASS_SIZE = (256, 288)  # (width, height) of a ZFM-20's picture, 500 dpi


@dataclass(frozen=True, slots=True)
class Touch:
    """How a finger meets the glass. Lengths in pixels at 500 dpi, angle in degrees.

    ``press`` scales the area of contact; ``ink`` above 0 thickens the ridges (wet), below 0 thins them (dry);
    ``speckle`` is the share of ridge that leaves no mark; ``noise`` is in gray levels.
    """

    shift_px: float = 12.0
    turn_deg: float = 8.0
    skin_px: float = 2.2
    press: float = 1.0
    ink: float = 0.0
    blotch: float = 0.0
    speckle: float = 0.0
    noise: float = 7.0
    away_px: float = 0.0
    drag_px: float = 0.0


CONDITIONS = {
    "normal": Touch(),
    "wet": Touch(ink=0.55, blotch=0.5, noise=9.0),
    "dry": Touch(ink=-0.35, speckle=0.45, noise=9.0),
    "light": Touch(press=0.72, ink=-0.25, speckle=0.2),
    "off_center": Touch(away_px=105.0, turn_deg=14.0),
    "smeared": Touch(drag_px=26.0, ink=0.3, blotch=0.4, noise=9.0),
}


class SimulatedFinger:
    """One finger, grown from ``seed`` when first looked at (about 0.2 s) and kept.

    The same seed is the same finger on every machine. Raises ConfigurationError for a negative seed.
    """

    def __init__(self, seed: int) -> None:
        if seed < 0:
            raise ConfigurationError(f"A simulated finger's seed must not be negative, got {seed}.")
        self.seed = seed

    def __repr__(self) -> str:
        return f"SimulatedFinger({self.seed})"

    @cached_property
    def _master(self) -> tuple[PatternClass, Float32Array]:
        return master_ridges(self.seed)

    @property
    def pattern(self) -> PatternClass:
        """Arch, loop or whorl."""
        return self._master[0]

    def impression(self, number: int, *, condition: str = "normal", size: tuple[int, int] = GLASS_SIZE) -> UInt8Array:
        """The picture of touch ``number``: (H, W) uint8 for ``size`` (W, H), ridges dark on light, 500 dpi.

        Raises ConfigurationError for a condition that is not in ``CONDITIONS`` or a size below 32 pixels.
        """
        touch = CONDITIONS.get(condition)
        if touch is None:
            known = ", ".join(sorted(CONDITIONS))
            raise ConfigurationError(f"There is no finger condition called {condition!r}; known: {known}.")
        if min(size) < 32:
            raise ConfigurationError(f"A fingerprint picture of {size[0]}x{size[1]} pixels is too small.")
        rng = np.random.default_rng([self.seed, number & 0xFFFFFFFF, sorted(CONDITIONS).index(condition)])
        return _print(self._master[1], touch, size=size, rng=rng)


def empty_glass(*, size: tuple[int, int] = GLASS_SIZE, number: int = 0) -> UInt8Array:
    """The glass with nothing on it: light, with the sensor's own noise, (H, W) uint8."""
    rng = np.random.default_rng([number & 0xFFFFFFFF, 0xE3])
    background = _background(size, rng)
    return np.clip(background + rng.normal(0, 3, background.shape), 0, 255).astype(np.uint8)


def _print(master: Float32Array, touch: Touch, *, size: tuple[int, int], rng: np.random.Generator) -> UInt8Array:
    """One touch, read in order: where the finger lies, what of it touches, how it marks, what the sensor adds."""
    x, y = _place(touch, size=size, rng=rng)
    wave = cv2.remap(master, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    contact = _contact(x, y, touch, rng)
    ink = touch.ink + 0.18 * smooth_noise(wave.shape, sigma_px=28, rng=rng) + rng.uniform(-0.12, 0.12)
    if touch.blotch:  # moisture fills the valleys in patches
        ink += touch.blotch * np.maximum(0.0, smooth_noise(wave.shape, sigma_px=16, rng=rng))
    ridges = 1.0 / (1.0 + np.exp(-4.5 * (wave + ink)))
    marks = np.asarray(ridges * (1.0 - _gaps(wave.shape, touch, rng)), dtype=np.float32)
    if touch.drag_px:
        marks = _drag(marks, touch.drag_px, rng)
    background = _background(size, rng)
    darkness = contact * marks * rng.uniform(0.78, 0.9)
    picture = background * (1.0 - darkness) - 14.0 * contact
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.7)
    return np.asarray(np.clip(picture + rng.normal(0, touch.noise, picture.shape), 0, 255), dtype=np.uint8)


def _place(touch: Touch, *, size: tuple[int, int], rng: np.random.Generator) -> tuple[Float32Array, Float32Array]:
    """For each pixel of the glass the point of the master on it: turned, shifted, and stretched as skin is."""
    width, height = size
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    turn = np.deg2rad(np.clip(rng.normal(0, touch.turn_deg / 2), -touch.turn_deg, touch.turn_deg))
    shift = np.clip(rng.normal(0, touch.shift_px / 2, 2), -touch.shift_px, touch.shift_px)
    if touch.away_px:
        side = rng.uniform(0, 2 * np.pi)
        shift = shift + touch.away_px * np.array([np.cos(side), np.sin(side)])
    across, down = columns - width / 2 - shift[0], rows - height / 2 - shift[1]
    x = np.cos(turn) * across + np.sin(turn) * down + MASTER_WIDTH / 2
    y = -np.sin(turn) * across + np.cos(turn) * down + MASTER_HEIGHT / 2
    x += touch.skin_px * smooth_noise((height, width), sigma_px=60, rng=rng)
    y += touch.skin_px * smooth_noise((height, width), sigma_px=60, rng=rng)
    return x.astype(np.float32), y.astype(np.float32)


def _contact(x: Float32Array, y: Float32Array, touch: Touch, rng: np.random.Generator) -> Float32Array:
    """Where skin meets glass, 0..1: an ellipse of the pad with a ragged edge, larger under pressure."""
    half_width = 128 * touch.press * rng.uniform(0.94, 1.06)
    half_height = 158 * touch.press * rng.uniform(0.94, 1.06)
    radius = np.hypot((x - MASTER_WIDTH / 2) / half_width, (y - MASTER_HEIGHT / 2) / half_height)
    radius += 0.035 * smooth_noise(x.shape, sigma_px=9, rng=rng)
    return np.asarray(1.0 / (1.0 + np.exp((radius - 1.0) * 45)), dtype=np.float32)


def _gaps(shape: tuple[int, int], touch: Touch, rng: np.random.Generator) -> Float32Array:
    """What leaves no mark, 0..1: sweat pores everywhere, flakes of dry skin, and now and then a crease."""
    pores = 0.35 * (smooth_noise(shape, sigma_px=1.6, rng=rng) > 2.1)
    gaps = pores.astype(np.float32)
    if touch.speckle:
        flakes = smooth_noise(shape, sigma_px=2.4, rng=rng)
        gaps = np.maximum(gaps, (flakes > np.float32(1.9 - 2.2 * touch.speckle)) * np.float32(0.85))
    for _ in range(int(rng.poisson(0.8))):
        start = (int(rng.integers(0, shape[1])), int(rng.integers(0, shape[0])))
        angle, length = rng.uniform(0, np.pi), rng.uniform(20, 70)
        end = (int(start[0] + length * np.cos(angle)), int(start[1] + length * np.sin(angle)))
        cv2.line(gaps, start, end, 0.7, 1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(gaps, (0, 0), 0.8), dtype=np.float32)


def _drag(marks: Float32Array, length_px: float, rng: np.random.Generator) -> Float32Array:
    """The trace of a finger that slides while the picture is taken."""
    angle = rng.uniform(0, np.pi)
    radius = int(length_px)
    kernel = np.zeros((2 * radius + 1, 2 * radius + 1), np.float32)
    reach = (int(radius + radius * np.cos(angle)), int(radius + radius * np.sin(angle)))
    cv2.line(kernel, (radius, radius), reach, 1.0, 1)
    return np.asarray(cv2.filter2D(marks.astype(np.float32), -1, kernel / kernel.sum()), dtype=np.float32)


def _background(size: tuple[int, int], rng: np.random.Generator) -> Float32Array:
    """The empty glass: nearly white, a little uneven."""
    return np.asarray(228 + 5 * smooth_noise((size[1], size[0]), sigma_px=80, rng=rng), dtype=np.float32)
