"""Whether the pictures come from a sensor that is looking now. Owns repetition; refuses what the pictures show.

A sensor's noise never repeats bit by bit, nor does anybody move twice in exactly the same way. A frozen stream, a short
recording that is played in a loop, and the same loop compressed anew do. A recording that is long enough, or shown on a
screen, is fresh to this witness: others must notice it.
"""

from __future__ import annotations

import hashlib

import cv2
import numpy as np

from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Float32Array, UInt8Array

_STEP_PX = 6  # every sixth pixel of every sixth row is looked at: noise differs everywhere
_SMALL = (48, 36)
_REMEMBERED = 240
_SAME_MOVEMENT = 12  # frames in a row that follow the same way as others did before; fewer may do so by chance
_EARLIER = 8  # at least so many frames before
_LIKE = 0.3  # as much of its own movement may each differ
_MOVEMENT = 1.2  # gray levels within those frames; less is no movement


class FrameFreshness:
    """The witness ``frame_freshness``: passes after ``needed`` new pictures, fails after ``allowed`` repeated ones.

    A movement that is repeated exactly, recompressed or not, fails it, too.
    """

    name = "frame_freshness"

    def __init__(self, *, needed: int = 6, allowed: int = 4) -> None:
        self._needed, self._allowed = needed, allowed
        self._seen: set[bytes] = set()
        self._repeated = 0
        self._last_s = float("-inf")
        self._small = np.zeros((0, _SMALL[0] * _SMALL[1]), np.float32)
        self._apart: list[Float32Array] = []  # of each of the last frames from all before it, oldest first
        self._looped = False

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Remember a picture's fingerprint; a picture handed in twice at the same time counts once."""
        if t_s <= self._last_s:
            return
        self._last_s = t_s
        mark = hashlib.blake2b(pixels[::_STEP_PX, ::_STEP_PX].tobytes(), digest_size=16).digest()
        if mark in self._seen:
            self._repeated += 1
        self._seen.add(mark)
        gray = cv2.cvtColor(pixels[::2, ::2], cv2.COLOR_RGB2GRAY)
        self._remember(np.asarray(cv2.resize(gray, _SMALL, interpolation=cv2.INTER_AREA), np.float32).reshape(1, -1))
        self._looped = self._looped or self._repeats_itself()

    def verdict(self) -> PresentationEvidence:
        """Failed, passed or undecided so far."""
        verdict = WitnessVerdict.UNDECIDED
        if self._repeated > self._allowed or self._looped:
            verdict = WitnessVerdict.FAILED
        elif len(self._seen) >= self._needed and self._repeated == 0:
            verdict = WitnessVerdict.PASSED
        measures = {
            "fresh": float(len(self._seen)),
            "repeated": float(self._repeated),
            "looped": float(self._looped),
        }
        return PresentationEvidence(self.name, verdict, measures)

    def _remember(self, small: Float32Array) -> None:
        if len(self._small) < _REMEMBERED:  # a visit that lasts longer is watched for exact repetition only
            self._apart = [*self._apart, np.abs(self._small - small).mean(axis=1)][-_SAME_MOVEMENT:]
            self._small = np.concatenate([self._small, small])

    def _repeats_itself(self) -> bool:
        """Whether the last frames go the very way that others went before, and go any way at all."""
        length, half = _SAME_MOVEMENT, _SAME_MOVEMENT // 2
        most = len(self._small) - length - _EARLIER  # the longest way back that all of the last frames can go
        if most < _EARLIER:
            return False
        moved = float(np.mean([row[-half] for row in self._apart[half:]]))
        if moved < _MOVEMENT:
            return False
        lags = np.array([row[-_EARLIER - most : len(row) - _EARLIER + 1] for row in self._apart if len(row) > most])
        nearest = lags.max(axis=0).min()  # each of them: a head that comes back does so at its own pace
        return bool(nearest < _LIKE * moved)
