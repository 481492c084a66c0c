"""Whether the pictures come from a sensor that is looking now. Owns repetition; refuses what the pictures show.

A sensor's noise never repeats bit by bit. A frozen stream and a short recording that is played in a loop do. A
recording that is long enough, or shown on a screen, is fresh to this witness: others must notice it.
"""

from __future__ import annotations

import hashlib

from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array

_STEP_PX = 6  # every sixth pixel of every sixth row is looked at: noise differs everywhere


class FrameFreshness:
    """The witness ``frame_freshness``: passes after ``needed`` new pictures, fails after ``allowed`` repeated ones."""

    name = "frame_freshness"

    def __init__(self, *, needed: int = 6, allowed: int = 4) -> None:
        self._needed, self._allowed = needed, allowed
        self._seen: set[bytes] = set()
        self._repeated = 0
        self._last_s = float("-inf")

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Remember a picture's fingerprint; a picture handed in twice at the same time counts once."""
        if t_s <= self._last_s:
            return
        self._last_s = t_s
        mark = hashlib.blake2b(pixels[::_STEP_PX, ::_STEP_PX].tobytes(), digest_size=16).digest()
        if mark in self._seen:
            self._repeated += 1
        self._seen.add(mark)

    def verdict(self) -> PresentationEvidence:
        """Failed, passed or undecided so far."""
        verdict = WitnessVerdict.UNDECIDED
        if self._repeated > self._allowed:
            verdict = WitnessVerdict.FAILED
        elif len(self._seen) >= self._needed and self._repeated == 0:
            verdict = WitnessVerdict.PASSED
        return PresentationEvidence(
            self.name, verdict, {"fresh": float(len(self._seen)), "repeated": float(self._repeated)}
        )
