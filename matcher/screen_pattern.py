"""The witness ``screen_pattern``: a regular fine pattern on the face, as screens and printers make. Owns that one sign.

The raster of a screen against the raster of the sensor gives moiré, a display's refresh against the shutter gives
bands: sharp peaks in the spectrum where skin has none. The power spectra of a visit are added up, so that noise grows
smooth and a pattern stands out; the highest peak over its ring's median is compared with the same beside the face.
It may only object: a good screen far enough away shows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Float64Array, UInt8Array

_SIDE = 96
_RADIUS = np.hypot(np.fft.fftfreq(_SIDE)[:, None] * _SIDE, np.arange(_SIDE // 2 + 1)[None, :])
_RINGS = [(inner <= _RADIUS) & (inner + 4 > _RADIUS) for inner in range(_SIDE // 6, _SIDE // 2 - 4, 4)]
_WINDOW = np.outer(np.hanning(_SIDE), np.hanning(_SIDE))


@dataclass(frozen=True, slots=True)
class PatternLimits:
    """Peaks are ratios of power."""

    peak: float = 200.0  # of simulated visitors 128, of simulated screens 78: it objects to neither
    over_room: float = 3.0  # times as high as beside the face
    looks: int = 20
    every_s: float = 0.1


class ScreenPattern:
    """Adds up the spectra of a visit. Not safe across threads."""

    name = "screen_pattern"

    def __init__(self, *, limits: PatternLimits | None = None) -> None:
        self._limits = limits or PatternLimits()
        self._face = np.zeros((_SIDE, _SIDE // 2 + 1))
        self._room = np.zeros((_SIDE, _SIDE // 2 + 1))
        self._looks = 0
        self._next_s = float("-inf")
        self._said: PresentationEvidence | None = None  # of the looks so far: searching the peaks is the costly part

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Look at the middle of the face and at the picture's upper corners."""
        if t_s < self._next_s:
            return
        self._next_s = t_s + self._limits.every_s
        gray = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), np.float32)
        x, y, width, height = face.box
        patch = _cut(gray, x + width / 2 - _SIDE / 2, y + 0.55 * height - _SIDE / 2)
        if patch is None:
            return
        self._looks += 1
        self._said = None
        self._face += _power(patch)
        for left in (0.0, float(gray.shape[1] - _SIDE)):
            corner = _cut(gray, left, 0.0)
            if corner is not None:
                self._room += _power(corner) / 2

    def verdict(self) -> PresentationEvidence:
        """Failed if the face shows a pattern that the room does not, passed if it shows none, else undecided."""
        if self._said is None:
            self._said = self._judged()
        return self._said

    def _judged(self) -> PresentationEvidence:
        if self._looks == 0:
            return PresentationEvidence(self.name, WitnessVerdict.UNDECIDED, {"looks": 0.0})
        face, room = peak(self._face), peak(self._room)
        verdict = WitnessVerdict.UNDECIDED
        if self._looks >= self._limits.looks:
            seen = face >= self._limits.peak
            verdict = WitnessVerdict.UNDECIDED if seen else WitnessVerdict.PASSED
            if seen and face >= self._limits.over_room * room:
                verdict = WitnessVerdict.FAILED
        measures = {"looks": float(self._looks), "peak": round(face, 2), "room": round(room, 2)}
        return PresentationEvidence(self.name, verdict, measures)


def peak(power: Float64Array) -> float:
    """The highest power over the median of the frequencies around it, among the fine ones; (S, S/2+1) in, ratio out."""
    highest = 0.0
    for places in _RINGS:
        ring = power[places]
        middle = float(np.median(ring))
        highest = max(highest, float(ring.max()) / middle) if middle > 0 else highest
    return highest


def _cut(gray: np.ndarray, left: float, top: float) -> np.ndarray | None:
    column, row = round(left), round(top)
    if column < 0 or row < 0 or column + _SIDE > gray.shape[1] or row + _SIDE > gray.shape[0]:
        return None
    return gray[row : row + _SIDE, column : column + _SIDE]


def _power(patch: np.ndarray) -> Float64Array:
    fine = patch - cv2.GaussianBlur(patch, (0, 0), 4.0)
    return np.asarray(np.square(np.abs(np.fft.rfft2(fine * _WINDOW))))
