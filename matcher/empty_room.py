"""The room as the camera sees it when nobody stands before it. Owns that one picture, in memory only.

It is small, belongs to one kiosk and is never written anywhere. Every cell is learned by itself once it kept still for
a while: people who move about further back leave no trace. What is known changes slowly with the light; a cell that
looks otherwise is learned anew only after minutes, so that nobody teaches the kiosk another room by holding a picture
of it before the camera for a moment. Refuses to judge who stands there: see ``room_behind``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from models.biometrics import Float32Array, UInt8Array

WIDTH, HEIGHT = 160, 120
_DOWN, _ACROSS = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
_PLACES = np.stack([np.ones_like(_ACROSS), _ACROSS / WIDTH - 0.5, _DOWN / HEIGHT - 0.5], axis=-1)
BoolArray = npt.NDArray[np.bool_]
Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class RoomLimits:
    """Seconds, gray levels, and logarithms of brightness."""

    every_s: float = 0.2
    calm_s: float = 1.0  # a cell keeps still so long before it is learned
    calm_gray: float = 4.0
    anew_s: float = 150.0  # it looks otherwise so long, with nobody near, before that is believed
    follow_s: float = 30.0  # how slowly what is known follows the light
    darkest: float = 6.0  # mean gray level below which a picture is none
    known_share: float = 0.6  # of the cells, before the room is known at all
    floor: float = 8.0  # gray levels added before the logarithm: dark cells are mostly noise
    noise_gray: float = 3.0
    edge_cells: float = 0.75  # by how much of a cell an edge may have moved
    tolerance: float = 0.05
    structure: float = 0.04  # local contrast from which a cell is something to hold on to
    structured_cells: int = 60
    correlation: float = 0.5
    most_ramp: float = 0.5  # how differently light may have changed from edge to edge
    white: float = 250.0  # gray levels from which a channel may be any brighter
    whiter: float = 0.35  # by so much (logarithm) it is believed to be, at most
    least_unwhite: float = 0.15  # share of the cells to hold on to by which the light can be told without white ones
    plain_gain: float = 0.22  # a bare wall has only its brightness: a light that changed more hides it


@dataclass(frozen=True, slots=True, eq=False)
class Likeness:
    """One frame against the empty room, per cell (HEIGHT, WIDTH): what is ``known``, and what ``same`` it is.

    ``correlation`` of the structure in the cells that were to be held on to; None where there was too little of it.
    ``recognised``: there was enough, and it is the room's.
    """

    known: BoolArray
    same: BoolArray
    correlation: float | None
    recognised: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """The model's logarithms, its local contrast and where there is enough of it, and how far a cell may differ."""

    levels: Float32Array
    detail: Float32Array
    firm: BoolArray
    slack: Float32Array


class EmptyRoom:
    """The model of one kiosk's empty room. Lives in the matcher thread; forgets nothing when a visit begins."""

    def __init__(self, *, limits: RoomLimits | None = None) -> None:
        self._limits = limits or RoomLimits()
        self._last_s = -np.inf
        self._shape: tuple[int, ...] = (0, 0)
        self._studied: _Study | None = None
        cells = (HEIGHT, WIDTH)
        self._model: Float32Array = np.zeros((*cells, 3), np.float32)
        self._newest = self._model.copy()
        self._calm: Float32Array = np.zeros(cells, np.float32)
        self._otherwise = self._calm.copy()
        self._known: BoolArray = np.zeros(cells, np.bool_)
        self._agreement = 0.0

    @property
    def available(self) -> bool:
        """Whether enough of the room was seen."""
        return float(self._known.mean()) >= self._limits.known_share

    @property
    def agreement(self) -> float:
        """How much of the known room was to be seen when nobody stood there, lately; low after the camera was moved."""
        return self._agreement

    def feed(self, pixels: UInt8Array, t_s: float, *, beside: Box | None = None) -> None:
        """Learn from a frame, (H, W, 3) uint8 RGB, in which nobody stands near; ``beside`` is a face further back."""
        passed_s = t_s - self._last_s
        if 0 <= passed_s < self._limits.every_s:
            return
        if pixels.shape[:2] != self._shape:
            self.forget()
            self._shape = pixels.shape[:2]
            passed_s = 0.0
        small = shrunk(pixels)
        self._last_s = t_s
        if small.mean() < self._limits.darkest:
            self._calm[:] = 0.0
            return
        self._learn(small, min(max(passed_s, 0.0), 1.0), _clear_of(beside, pixels.shape[:2]))

    def likeness(self, small: Float32Array, far: BoolArray) -> Likeness | None:
        """A frame (as ``shrunk``) against the room; ``far`` are cells that a visitor hardly covers.

        None while the room is not known. Light may have changed: brightness and color are fitted to the far cells, and
        believed only if the structure there is the room's.
        """
        if not self.available:
            return None
        limits, held, study = self._limits, far & self._known, self._study()
        ratio = np.log(small + np.float32(limits.floor)) - study.levels
        firm = held & study.firm
        correlation = None
        if int(firm.sum()) >= limits.structured_cells:
            gray = _gray(small)
            correlation = _correlation(_detail(gray, limits.floor)[firm], study.detail[firm])
        white = self._model >= limits.white, small >= limits.white
        unwhite = held & ~(white[0] | white[1]).any(axis=-1)
        enough = unwhite.sum() >= limits.least_unwhite * held.sum()
        light = self._light(ratio, unwhite if enough else held, plain=correlation is None)
        apart = _largest(np.abs(self._beyond_white(ratio - light, *white)))
        same = (apart <= study.slack) & self._known
        recognised = correlation is not None and correlation >= limits.correlation
        if correlation is not None and not recognised:
            same = np.zeros_like(same)
        return Likeness(self._known.copy(), same, correlation, recognised)

    def forget(self) -> None:
        """Know nothing of any room."""
        for cells in (self._model, self._newest, self._calm, self._otherwise):
            cells.fill(0.0)
        self._known.fill(False)
        self._shape, self._studied = (0, 0), None
        self._agreement, self._last_s = 0.0, -np.inf

    def _learn(self, small: Float32Array, passed_s: float, clear: BoolArray) -> None:
        limits = self._limits
        still = (_largest(np.abs(small - self._newest)) <= limits.calm_gray) & clear
        self._calm = np.where(still, self._calm + passed_s, 0.0).astype(np.float32)
        self._newest += (small - self._newest) * np.where(still, 0.3, 1.0)[..., None].astype(np.float32)
        calm = self._calm >= limits.calm_s
        like = self.likeness(small, np.ones_like(calm))
        if like is not None:
            share = float(like.same[self._known].mean())
            self._agreement += (share - self._agreement) * min(1.0, passed_s / 2.0)
            other = calm & self._known & ~like.same
            self._otherwise = np.where(other, self._otherwise + passed_s, 0.0).astype(np.float32)
            follows = (calm & like.same).astype(np.float32) * np.float32(min(1.0, passed_s / limits.follow_s))
            self._model += (small - self._model) * follows[..., None]
        self._studied = None
        fresh = calm & (~self._known | (self._otherwise >= limits.anew_s))
        self._model[fresh] = self._newest[fresh]
        self._otherwise[fresh] = 0.0
        self._known |= fresh
        if like is None and self.available:
            self._agreement = 1.0

    def _study(self) -> _Study:
        """What follows from the model alone; worked out once after each change."""
        if self._studied is None:
            limits, model = self._limits, _gray(self._model)
            detail = _detail(model, limits.floor)
            slack = limits.tolerance + (limits.noise_gray + limits.edge_cells * _slope(model)) / (model + limits.floor)
            levels = np.log(self._model + np.float32(limits.floor))
            self._studied = _Study(levels, detail, np.abs(detail) >= limits.structure, slack.astype(np.float32))
        return self._studied

    def _beyond_white(self, apart: Float32Array, known: BoolArray, seen: BoolArray) -> Float32Array:
        """How far channels lie apart, where a white one may have been brighter than the camera could tell.

        A wall that was white in strong light may look darker than the known white by less than the light fell, one that
        is white now brighter by less than it rose.
        """
        whiter = np.float32(self._limits.whiter)
        apart = np.where(known & (apart > 0), np.maximum(apart - whiter, 0), apart)
        return np.asarray(np.where(seen & (apart < 0), np.minimum(apart + whiter, 0), apart), np.float32)

    def _light(self, ratio: Float32Array, held: BoolArray, *, plain: bool) -> Float32Array:
        """How much lighter each channel became, as a plane over the picture; robust against what covers the room."""
        step = (slice(2, None, 4), slice(2, None, 4))
        kept = held[step]
        if int(kept.sum()) < 30:
            return np.zeros(3, np.float32)
        seen, places = ratio[step][kept].astype(np.float64), _PLACES[step][kept].astype(np.float64)
        found = np.zeros((3, 3))
        for channel in range(3):
            found[channel] = self._plane(seen[:, channel], places, plain=plain)
        return np.asarray(_PLACES @ found.T.astype(np.float32), np.float32)

    def _plane(self, seen: Any, places: Any, *, plain: bool) -> Any:
        limits = self._limits
        plane = np.array([np.median(seen), 0.0, 0.0])
        if plain:
            return np.clip(plane, -limits.plain_gain, limits.plain_gain)
        for _ in range(4):
            weights = 1.0 / (1.0 + np.square((seen - places @ plane) / 0.06))
            weighted = places * weights[:, None]
            plane = np.linalg.solve(weighted.T @ places + 1e-3 * np.eye(3), weighted.T @ seen)
            plane[1:] = np.clip(plane[1:], -limits.most_ramp, limits.most_ramp)
        return plane


def shrunk(pixels: UInt8Array) -> Float32Array:
    """A frame as the model keeps it: (HEIGHT, WIDTH, 3) float32."""
    return np.asarray(cv2.resize(pixels, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), np.float32)


def _gray(picture: Float32Array) -> Float32Array:
    return np.asarray((picture[..., 0] + picture[..., 1] + picture[..., 2]) / np.float32(3), np.float32)


def _largest(picture: Float32Array) -> Float32Array:
    """Of the three channels; three times as fast as asking numpy for the maximum of so short an axis."""
    return np.asarray(np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2]), np.float32)


def _detail(gray: Float32Array, floor: float) -> Float32Array:
    """Local contrast: the logarithm of brightness without its slow change, which is the light's."""
    levels = np.log(gray + np.float32(floor))
    return np.asarray(levels - cv2.blur(levels, (21, 21)), np.float32)


def _correlation(one: Float32Array, other: Float32Array) -> float:
    """Of contrasts, each limited: one glaring spot does not outweigh a room."""
    one, other = np.clip(one, -0.3, 0.3), np.clip(other, -0.3, 0.3)
    length = float(np.sqrt(np.square(one).sum() * np.square(other).sum()))
    return float((one * other).sum()) / length if length > 0 else 0.0


def _slope(gray: Float32Array) -> Float32Array:
    """The change of brightness from a cell to the next."""
    across, down = cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=0.125)
    return np.asarray(np.maximum(np.abs(across), np.abs(down)), np.float32)


def _clear_of(box: Box | None, shape: tuple[int, ...]) -> BoolArray:
    """The cells that somebody further back does not cover: all but a column round and under the face."""
    clear = np.ones((HEIGHT, WIDTH), np.bool_)
    if box is not None:
        x, y, width, height = box
        left, right = ((x + share * width) / shape[1] * WIDTH for share in (-1.2, 2.2))
        top = (y - 0.6 * height) / shape[0] * HEIGHT
        clear[max(0, int(top)) :, max(0, int(left)) : max(0, int(right) + 1)] = False
    return clear
