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
    "good": (Note(0.0, 523.25, 0.14), Note(0.11, 659.26, 0.14), Note(0.22, 783.99, 0.2)),  # up: done
    "again": (Note(0.0, 440.0, 0.12), Note(0.18, 440.0, 0.15)),  # the same twice: once more, nothing is wrong
    "staff": (Note(0.0, 587.33, 0.2), Note(0.22, 440.0, 0.2), Note(0.44, 587.33, 0.25)),  # a door bell: somebody comes
}


def chime(name: str) -> npt.NDArray[np.float32]:
    """The sound ``name`` as mono samples at RATE_HZ, float32 within -1..1, (n,)."""
    notes = CHIMES[name]
    length_s = max(note.at_s + 3.2 * note.decay_s for note in notes)
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
