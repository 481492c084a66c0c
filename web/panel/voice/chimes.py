"""The three sounds of the kiosk, computed: good, try again, call staff. Owns their notes; refuses harsh ones.

They are told apart by their melody, also by who hears high notes badly: all partials lie between 260 and 1800 Hz.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

RATE_HZ: Final = 48_000
_PARTIALS: Final = ((1.0, 1.0), (2.0, 0.28), (3.0, 0.07))  # over the note's own frequency, and how strong
_ATTACK_S: Final = 0.012


@dataclass(frozen=True, slots=True)
class Note:
    """One struck note: when it begins, how high it is, how fast it dies away."""

    at_s: float
    pitch_hz: float
    decay_s: float


CHIMES: Final[Mapping[str, tuple[Note, ...]]] = {
    "good": (Note(0.0, 523.25, 0.16), Note(0.13, 659.26, 0.16), Note(0.26, 783.99, 0.32)),  # up: done
    "again": (Note(0.0, 440.0, 0.14), Note(0.22, 440.0, 0.22)),  # the same twice: once more, nothing is wrong
    "staff": (Note(0.0, 587.33, 0.28), Note(0.3, 440.0, 0.28), Note(0.6, 587.33, 0.36)),  # a door bell: somebody comes
}


def chime(name: str) -> npt.NDArray[np.float32]:
    """The sound ``name`` as mono samples at RATE_HZ, float32 within -1..1, (n,)."""
    notes = CHIMES[name]
    length_s = max(note.at_s + 4.5 * note.decay_s for note in notes)
    sound = np.zeros(int(length_s * RATE_HZ))
    for note in notes:
        start = int(note.at_s * RATE_HZ)
        sound[start:] += _struck(note, sound.size - start)
    fade = np.linspace(1, 0, int(0.05 * RATE_HZ))
    sound[-fade.size :] *= fade
    loudest = float(np.abs(sound).max())
    return np.asarray(sound * 0.5 / loudest, dtype=np.float32)


def _struck(note: Note, samples: int) -> npt.NDArray[np.float64]:
    at_s = np.arange(samples) / RATE_HZ
    tone = np.zeros(samples)
    for over, strength in _PARTIALS:
        if note.pitch_hz * over <= 1_800:
            tone += strength * np.sin(2 * np.pi * note.pitch_hz * over * at_s) * np.exp(-at_s * over / note.decay_s)
    return tone * np.minimum(1.0, at_s / _ATTACK_S)
