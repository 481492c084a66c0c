"""The one lane to the engines. Owns their loading at first use and the lock around them; refuses to match anything.

Engines are not safe across threads, and a center without enrollment never loads one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from matcher.ports import FaceEngine, FingerEngine

LoadEngine = Callable[[str], Any]


@dataclass(frozen=True, slots=True)
class Engines:
    """The engines of an enrollment at the center."""

    face: FaceEngine
    finger: FingerEngine


class MatcherLane:
    """Hands out the engines to one caller at a time."""

    def __init__(self, load_engine: LoadEngine, *, face: str = "sface", finger: str = "minutiae") -> None:
        self._load_engine = load_engine
        self._names = (face, finger)
        self._lock = threading.Lock()
        self._engines: Engines | None = None

    @contextmanager
    def engines(self) -> Iterator[Engines]:
        """The engines, for the length of the block. Raises WeightsError if a weights file is missing."""
        with self._lock:
            if self._engines is None:
                face, finger = self._names
                self._engines = Engines(self._load_engine(face), self._load_engine(finger))
            yield self._engines
