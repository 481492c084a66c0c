"""Phones and tablets held up. Owns what a display adds to its content: bezel, pixel grid, bands, glare, a hand.

The display's pixel grid is sampled by the camera's pixels where they fall, so its moiré has the right geometry; how
much of it a lens lets through is drawn. Bands are what a flickering backlight leaves of a rolling shutter's rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from hardware.simulation.painting import blend, plane_map
from hardware.simulation.projection import EYE_DISTANCE_M, FOCAL_PX, Pose
from models.biometrics import Float32Array, Float64Array, UInt8Array

_MARGIN = (0.35, 0.25, 2.0)  # round the device, for the hand: aside, above, below, in eye distances
_SKINS = ((214, 168, 142), (196, 150, 124), (160, 116, 90), (122, 86, 66))
_READOUT_S = 0.028  # from the first row to the last


@dataclass(frozen=True, slots=True)
class Device:
    """A display in its case: sizes in metres, pixels per inch, and how wide the face on it is."""

    name: str
    display_m: tuple[float, float]
    bezel_m: tuple[float, float]  # at the sides, above and below
    ppi: float
    eye_m: float  # between the eyes of the face that it shows

    @property
    def aspect(self) -> float:
        """Height over width of the display."""
        return self.display_m[1] / self.display_m[0]

    @property
    def half_width(self) -> float:
        """Half the display's width in eye distances of the face that it shows."""
        return self.display_m[0] / self.eye_m / 2


PHONE = Device("phone", (0.068, 0.146), (0.0035, 0.005), 420.0, 0.0235)
TABLET = Device("tablet", (0.150, 0.205), (0.009, 0.012), 264.0, 0.036)
SLATE = Device("slate", (0.286, 0.215), (0.006, 0.006), 264.0, 0.028)  # held so near that its edges are out of view


@dataclass(frozen=True, slots=True)
class Shine:
    """How one display looks to one camera. Gray levels and shares of brightness."""

    gain: float
    tint: tuple[float, float, float]
    grid: float  # what is left of the pixel grid's contrast, gray levels at mid gray
    bands: float
    flicker_hz: float
    veil: float  # the room in the glass, gray levels
    glare: float
    glare_at: tuple[float, float]
    skin: tuple[int, int, int]
    grip: int  # seed of the fingers' places

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Shine:
        """From an excellent display in a shaded room to a poor one under a lamp."""
        cool = float(rng.uniform(-0.05, 0.08))
        return cls(
            gain=float(rng.uniform(0.75, 1.2)),
            tint=(1.0 - cool, 1.0, 1.0 + cool),
            grid=float(np.exp(rng.uniform(np.log(0.1), np.log(3.0)))),
            bands=float(rng.choice([0.0, rng.uniform(0.003, 0.05)])),
            flicker_hz=float(rng.choice([60.0, 120.0, 240.0, 250.0, 480.0])) * float(rng.uniform(0.995, 1.005)),
            veil=float(rng.uniform(1, 14)),
            glare=float(rng.choice([0.0, rng.uniform(20, 120)])),
            glare_at=(float(rng.uniform(-0.6, 0.6)), float(rng.uniform(-0.7, 0.3))),
            skin=_SKINS[int(rng.integers(len(_SKINS)))],
            grip=int(rng.integers(1 << 30)),
        )


class Display:
    """One device held up. Made once per visit, drawn with the content of the moment."""

    def __init__(self, device: Device, shine: Shine, *, hand: bool = True) -> None:
        self.device, self._shine = device, shine
        half = (np.array(device.display_m) / 2 + np.array(device.bezel_m)) / EYE_DISTANCE_M
        self._half = half
        aside, above, below = _MARGIN
        self._reach = (half[0] + aside, half[1] + above, half[1] + below)
        self._px = 150.0 if device.eye_m < 0.03 else 84.0  # of the canvas, per eye distance
        self._canvas, self._cover, self._over = self._case(hand)

    def draw(self, frame: UInt8Array, pose: Pose, content: UInt8Array, t_s: float) -> None:
        """Paint it, showing ``content``, into a (480, 640, 3) uint8 RGB frame."""
        aside, above, below = self._reach
        corners = np.array([[-aside, -above, 0], [aside, -above, 0], [aside, below, 0], [-aside, below, 0]], float)
        scale = self._scale(pose)
        canvas, cover, over = (_resized(layer, scale) for layer in (self._canvas, self._cover, self._over))
        box = self._display_box(scale)
        left, top, right, bottom = box
        lit = self._lit(content, (right - left, bottom - top), pose)
        blend(canvas[top:bottom, left:right], lit, 1.0 - over[top:bottom, left:right])
        source = (corners[:, :2] + (aside, above)) * self._px * scale
        placed = plane_map(pose, corners, source, frame)
        if placed is None:
            return
        matrix, (x0, y0, x1, y1) = placed
        size = (x1 - x0, y1 - y0)
        color = cv2.warpPerspective(canvas, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.warpPerspective(cover, matrix, size, flags=cv2.INTER_LINEAR)
        seen = self._sampled(np.asarray(color, np.uint8), matrix, box, scale, y0=y0, t_s=t_s)
        blend(frame[y0:y1, x0:x1], seen, np.asarray(alpha, np.float32))

    def _scale(self, pose: Pose) -> float:
        """How much smaller than its canvas the device is seen: it is shrunk before it is turned."""
        return float(np.clip(1.25 * FOCAL_PX * EYE_DISTANCE_M / pose.distance_m / self._px, 0.2, 1.0))

    def _display_box(self, scale: float) -> tuple[int, int, int, int]:
        aside, above, _ = self._reach
        half = np.array(self.device.display_m) / 2 / EYE_DISTANCE_M
        left, top = np.rint((np.array([aside, above]) - half) * self._px * scale).astype(int)
        right, bottom = np.rint((np.array([aside, above]) + half) * self._px * scale).astype(int)
        return int(left), int(top), int(right), int(bottom)

    def _lit(self, content: UInt8Array, size: tuple[int, int], pose: Pose) -> UInt8Array:
        """The content as it shines, with the room in the glass."""
        shine = self._shine
        picture = cv2.resize(content, size, interpolation=cv2.INTER_AREA).astype(np.float32)
        picture *= np.float32(shine.gain) * np.array(shine.tint, np.float32)
        picture += np.float32(shine.veil)
        if shine.glare > 0:  # what is mirrored moves twice as far as the glass turns
            width, height = size
            x = (0.5 + shine.glare_at[0] + np.deg2rad(pose.yaw_deg) * 1.6) * width
            y = (0.5 + shine.glare_at[1] + np.deg2rad(pose.pitch_deg) * 1.2) * height
            across = np.exp(-np.square((np.arange(width, dtype=np.float32) - x) / (0.16 * width)))
            down = np.exp(-np.square((np.arange(height, dtype=np.float32) - y) / (0.10 * height)))
            picture += (shine.glare * down[:, None] * across[None, :])[..., None].astype(np.float32)
        return np.clip(picture, 0, 255).astype(np.uint8)

    def _sampled(
        self,
        color: UInt8Array,
        matrix: Float64Array,
        box: tuple[int, int, int, int],
        scale: float,
        *,
        y0: int,
        t_s: float,
    ) -> UInt8Array:
        """The display's pixel grid and its flicker as the camera's pixels and rows catch them."""
        shine = self._shine
        if shine.grid < 0.15 and shine.bands == 0:
            return color
        u, v = _canvas_places(np.asarray(np.linalg.inv(matrix), np.float64), color.shape[:2])
        left, top, right, bottom = box
        on_display = (u > left) & (u < right) & (v > top) & (v < bottom)
        pitch = EYE_DISTANCE_M / (self._px * scale) / (0.0254 / self.device.ppi)  # display pixels in a canvas pixel
        turn = np.float32(2 * np.pi)
        column, row = turn * np.mod(u * np.float32(pitch), 1.0), turn * np.mod(v * np.float32(pitch), 1.0)
        lines = np.cos(row) * np.float32(0.5)
        strength = np.float32(shine.grid / 128.0)
        rows = (np.arange(color.shape[0], dtype=np.float32) + y0) / 480.0 * _READOUT_S + t_s
        bands = 1.0 + shine.bands * np.cos(2 * np.pi * shine.flicker_hz * rows)
        seen = color.astype(np.float32)
        for channel in range(3):  # red, green and blue stripes lie beside each other
            stripes = np.cos(column + np.float32(2 * np.pi / 3 * channel))
            factor = (1.0 + strength * (stripes + lines)) * bands[:, None].astype(np.float32)
            seen[..., channel] *= np.where(on_display, factor, np.float32(1.0))
        return np.clip(np.rint(seen), 0, 255).astype(np.uint8)

    def _case(self, hand: bool) -> tuple[UInt8Array, Float32Array, Float32Array]:
        """The device and the hand round it: color, cover, and the fingers that reach over the display."""
        aside, above, below = self._reach
        shape = (int((above + below) * self._px), int(2 * aside * self._px))
        canvas = np.zeros((*shape, 3), np.uint8)
        palm, case, fingers = (np.zeros(shape, np.float32) for _ in range(3))
        left, top = int((aside - self._half[0]) * self._px), int((above - self._half[1]) * self._px)
        right, bottom = int((aside + self._half[0]) * self._px), int((above + self._half[1]) * self._px)
        if hand:
            self._palm(canvas, palm, (left, right, bottom))
        radius = int(0.10 * self._px)
        for x0, y0, x1, y1 in (
            (left + radius, top, right - radius, bottom),
            (left, top + radius, right, bottom - radius),
        ):
            cv2.rectangle(case, (x0, y0), (x1, y1), 1.0, -1)
        for x in (left + radius, right - radius):
            for y in (top + radius, bottom - radius):
                cv2.circle(case, (x, y), radius, 1.0, -1, cv2.LINE_AA)
        canvas[case > 0] = (22, 22, 25)
        if hand:
            self._fingers(canvas, fingers, (left, right, bottom))
        return canvas, np.maximum(np.maximum(palm, case), fingers), fingers

    def _palm(self, canvas: UInt8Array, cover: Float32Array, edges: tuple[int, int, int]) -> None:
        left, right, bottom = edges
        rng = np.random.default_rng(self._shine.grip)
        middle = int((left + right) / 2 + rng.uniform(-0.2, 0.5) * (right - left))
        axes = (int(0.62 * self._px), int(2.1 * self._px))
        for picture, color in ((canvas, self._shine.skin), (cover, 1.0)):
            cv2.ellipse(picture, (middle, bottom + int(1.7 * self._px)), axes, 0, 0, 360, color, -1, cv2.LINE_AA)

    def _fingers(self, canvas: UInt8Array, cover: Float32Array, edges: tuple[int, int, int]) -> None:
        """A thumb on one edge and finger tips on the other."""
        left, right, bottom = edges
        rng = np.random.default_rng(self._shine.grip + 1)
        thumb, tips = (left, right) if rng.uniform() < 0.5 else (right, left)
        eye = self._px
        places = [(thumb, bottom - rng.uniform(0.3, 1.2) * eye, 0.17, 0.34)]
        first = bottom - rng.uniform(0.5, 1.4) * eye
        places += [(tips, first - number * 0.30 * eye, 0.16, 0.14) for number in range(3)]
        for x, y, wide, high in places:
            axes, at = (int(wide * eye), int(high * eye)), (int(x), int(y))
            shade = tuple(int(v * rng.uniform(0.9, 1.0)) for v in self._shine.skin)
            cv2.ellipse(canvas, at, axes, 0, 0, 360, shade, -1, cv2.LINE_AA)
            cv2.ellipse(cover, at, axes, 0, 0, 360, 1.0, -1, cv2.LINE_AA)


def _resized(layer: Any, scale: float) -> Any:
    size = (max(2, round(layer.shape[1] * scale)), max(2, round(layer.shape[0] * scale)))
    return np.array(cv2.resize(layer, size, interpolation=cv2.INTER_AREA), dtype=layer.dtype)


def _canvas_places(inverse: Float64Array, shape: tuple[int, int]) -> tuple[Float32Array, Float32Array]:
    """Where each pixel of the window lies on the canvas."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    m = inverse.astype(np.float32)
    below = m[2, 0] * columns + m[2, 1] * rows + m[2, 2]
    return (
        (m[0, 0] * columns + m[0, 1] * rows + m[0, 2]) / below,
        (m[1, 0] * columns + m[1, 1] * rows + m[1, 2]) / below,
    )
