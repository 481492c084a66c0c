"""Grows a fingertip's ridge pattern that nobody has. Owns pattern classes, orientation fields and ridge growth.

Refuses anything about one touch of the glass (that is ``fingers``). The orientation field is the zero-pole model of
Sherlock and Monro (1993): a loop is a zero, a delta a pole, and the ridge angle is half the sum of their arguments.
Ridges are grown by filtering noise again and again with Gabor kernels that follow the field (the idea of SFinGe,
Cappelli et al., 2000); minutiae are where the growth could not agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np

from models.biometrics import Float32Array, Float64Array

PERIOD_PX = 9.0  # ridge to ridge at 500 dpi: 0.46 mm, an adult's index finger
MASTER_WIDTH, MASTER_HEIGHT = 336, 400  # the whole pad of a fingertip, larger than a small sensor sees
ORIENTATIONS = 24
COARSE_ROUNDS, FINE_ROUNDS = 26, 3
MARGIN_PX = 44  # kernels see a reflected border; it is cut off afterwards


class PatternClass(StrEnum):
    """Henry's classes, reduced to four. Their shares in ``draw_class`` are those of people."""

    ARCH = "arch"
    LEFT_LOOP = "left_loop"
    RIGHT_LOOP = "right_loop"
    WHORL = "whorl"


@dataclass(frozen=True, slots=True)
class Singularities:
    """Loops and deltas as (x, y) in pixels of the master, y down; an arch has neither, only its bend."""

    loops: tuple[tuple[float, float], ...]
    deltas: tuple[tuple[float, float], ...]
    bend: float = 0.0


def draw_class(rng: np.random.Generator) -> PatternClass:
    """A pattern class, as often as among people."""
    names = list(PatternClass)
    return names[int(rng.choice(len(names), p=[0.07, 0.33, 0.31, 0.29]))]


def draw_singularities(pattern: PatternClass, rng: np.random.Generator) -> Singularities:
    """Where the loops and deltas of a pattern of this class lie, scattered as fingers are."""
    x = MASTER_WIDTH / 2 + rng.uniform(-14, 14)
    y = MASTER_HEIGHT * 0.44 + rng.uniform(-18, 18)
    side, drop = rng.uniform(62, 100), rng.uniform(85, 125)
    if pattern is PatternClass.ARCH:
        return Singularities((), (), bend=rng.uniform(0.55, 1.0))
    if pattern is PatternClass.WHORL:
        gap, lean = rng.uniform(12, 42), rng.uniform(-10, 10)
        loops = ((x + lean, y - gap / 2), (x - lean, y + gap / 2))
        left = (x - side - rng.uniform(5, 25), y + drop + rng.uniform(-15, 15))
        right = (x + side + rng.uniform(5, 25), y + drop + rng.uniform(-15, 15))
        return Singularities(loops, (left, right))
    sign = 1 if pattern is PatternClass.LEFT_LOOP else -1
    return Singularities(((x, y),), ((x + sign * side, y + drop),))


def orientation_field(marks: Singularities, *, shape: tuple[int, int]) -> Float64Array:
    """Ridge angle at each pixel, (H, W) float64 in radians modulo π, counter-clockwise as a viewer sees it."""
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float64)
    if not marks.loops:
        return _arch_field(rows, columns, marks.bend, shape)
    angle = np.zeros(shape)
    for x, y in marks.loops:
        angle += np.arctan2(-(rows - y), columns - x)
    for x, y in marks.deltas:
        angle -= np.arctan2(-(rows - y), columns - x)
    # A single loop without its partner at infinity leaves half a turn over: ridges far below would run upright.
    turn = 0.0 if len(marks.loops) == len(marks.deltas) else np.pi / 2
    return np.asarray(np.mod(angle / 2 + turn, np.pi))


def _arch_field(rows: Float64Array, columns: Float64Array, bend: float, shape: tuple[int, int]) -> Float64Array:
    """Ridges that rise and fall in the middle and lie flat at the crease; tip ridges follow the fingertip's outline."""
    across = (columns - shape[1] / 2) / (shape[1] / 2)
    height = np.clip(1.15 - rows / shape[0], 0.0, 1.15)
    slope = -bend * 2.4 * height * np.sin(np.pi * np.clip(across, -1, 1) * 0.9)
    return np.asarray(np.mod(np.arctan(slope), np.pi))


def grow_ridges(field: Float64Array, rng: np.random.Generator) -> Float32Array:
    """Ridges along ``field`` as a smooth wave in [-1, 1], (H, W) float32, positive on a ridge."""
    coarse = cv2.resize(np.cos(2 * field), None, fx=0.5, fy=0.5), cv2.resize(np.sin(2 * field), None, fx=0.5, fy=0.5)
    half = np.mod(np.arctan2(coarse[1], coarse[0]) / 2, np.pi)
    wave = rng.standard_normal(half.shape).astype(np.float32) * 0.3
    wave = _rounds(wave, half, period_px=PERIOD_PX / 2, rounds=COARSE_ROUNDS)
    enlarged = cv2.resize(wave, (field.shape[1], field.shape[0]), interpolation=cv2.INTER_CUBIC)
    return _rounds(np.asarray(enlarged, np.float32), field, period_px=PERIOD_PX, rounds=FINE_ROUNDS)


def _rounds(wave: Float32Array, field: Float64Array, *, period_px: float, rounds: int) -> Float32Array:
    """Filter each pixel along its own orientation and saturate, ``rounds`` times."""
    bank = [_gabor(np.pi * index / ORIENTATIONS, period_px) for index in range(ORIENTATIONS)]
    nearest = np.round(field / np.pi * ORIENTATIONS).astype(np.int64) % ORIENTATIONS
    masks = [(nearest == index) for index in range(ORIENTATIONS)]
    boxes = [_bounding_box(mask) for mask in masks]
    for _ in range(rounds):
        grown = np.zeros_like(wave)
        for kernel, mask, box in zip(bank, masks, boxes, strict=True):
            if box is None:
                continue
            rows, columns = box
            reply = _filter_part(wave, kernel, rows, columns)
            np.copyto(grown[rows, columns], reply, where=mask[rows, columns])
        wave = np.tanh(3.0 * grown).astype(np.float32)
    return wave


def _filter_part(wave: Float32Array, kernel: Float32Array, rows: slice, columns: slice) -> Float32Array:
    """``kernel`` over one rectangle, with the true surroundings of the rectangle where the picture has them."""
    radius = kernel.shape[0] // 2
    top, left = max(0, rows.start - radius), max(0, columns.start - radius)
    part = wave[top : rows.stop + radius, left : columns.stop + radius]
    reply = cv2.filter2D(part, cv2.CV_32F, kernel, borderType=cv2.BORDER_REFLECT_101)
    height, width = rows.stop - rows.start, columns.stop - columns.start
    return np.asarray(reply[rows.start - top :, columns.start - left :][:height, :width])


def _bounding_box(mask: np.typing.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _gabor(angle: float, period_px: float) -> Float32Array:
    """A zero-mean even Gabor kernel whose ridge runs along ``angle`` (counter-clockwise, y up)."""
    sigma = period_px * 0.46
    radius = int(np.ceil(period_px * 1.05))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1].astype(np.float64)
    across = x * np.sin(angle) + y * np.cos(angle)  # y points down, hence the plus
    envelope = np.exp(-(x * x + y * y) / (2 * sigma * sigma))
    kernel = envelope * np.cos(2 * np.pi * across / period_px)
    kernel -= envelope * (kernel.sum() / envelope.sum())
    return np.asarray(kernel / np.abs(kernel).sum() * 1.6, dtype=np.float32)


def master_ridges(seed: int) -> tuple[PatternClass, Float32Array]:
    """The pattern of one finger: its class and the ridge wave of the whole pad, (400, 336) float32 in [-1, 1]."""
    rng = np.random.default_rng([seed, 0x51D6E])
    pattern = draw_class(rng)
    marks = draw_singularities(pattern, rng)
    shape = (MASTER_HEIGHT + 2 * MARGIN_PX, MASTER_WIDTH + 2 * MARGIN_PX)
    shifted = Singularities(
        tuple((x + MARGIN_PX, y + MARGIN_PX) for x, y in marks.loops),
        tuple((x + MARGIN_PX, y + MARGIN_PX) for x, y in marks.deltas),
        marks.bend,
    )
    wave = grow_ridges(orientation_field(shifted, shape=shape), rng)
    wave = _vary_period(wave, rng)
    return pattern, np.ascontiguousarray(wave[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX])


def _vary_period(wave: Float32Array, rng: np.random.Generator) -> Float32Array:
    """Stretch and squeeze the pattern smoothly and bend its top round the fingertip.

    Real ridges are never quite even, and the zero-pole field alone leaves the tip's ridges too straight.
    """
    height, width = wave.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    scale = np.float32(rng.uniform(0.92, 1.08))
    push = [smooth_noise((height, width), sigma_px=70, rng=rng) * 7.0 for _ in range(2)]
    across = np.clip((columns - width / 2) / (width / 2), -1, 1)
    fall = np.float32(rng.uniform(55, 80)) * across**2 * np.clip(1.0 - rows / (0.75 * height), 0, 1)
    x = (columns - width / 2) / scale + width / 2 + push[0]
    y = (rows - height / 2) / scale + height / 2 + push[1] - fall
    warped = cv2.remap(
        wave, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return np.asarray(warped, dtype=np.float32)


def smooth_noise(shape: tuple[int, int], *, sigma_px: float, rng: np.random.Generator) -> Float32Array:
    """Random hills of about ``sigma_px`` width, (H, W) float32, mean 0 and deviation 1.

    Drawn on a coarse grid and enlarged: blurring at full size would cost a hundred times as much.
    """
    step = max(1.0, sigma_px / 2)
    grid = (int(shape[0] / step) + 4, int(shape[1] / step) + 4)
    hills = cv2.GaussianBlur(rng.standard_normal(grid).astype(np.float32), (0, 0), sigma_px / step)
    coarse = (hills - hills.mean()) / max(float(hills.std()), 1e-6)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
