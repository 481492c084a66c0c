"""The enrolled fingers that a probe is compared with: all of them, or, where they are many, those a search brings up.

Owns that choice and the fusion of several impressions. Refuses people's names and decisions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from matcher.finger_index import FingerIndex
from matcher.ports import FingerEngine

SEARCHED_FROM: Final = 200  # references; fewer are compared one by one in less time than a person notices


class EnrolledFingers:
    """Prepared references in the order they were given. Reading is safe from several threads."""

    def __init__(self, engine: FingerEngine, prepared: Sequence[Any]) -> None:
        self._engine = engine
        self._prepared = list(prepared)
        self._index = _index(engine, self._prepared) if len(self._prepared) >= SEARCHED_FROM else None
        if self._index is not None:
            self._prepared = [finger.folded() for finger in self._prepared]

    def __len__(self) -> int:
        return len(self._prepared)

    def scores(self, probes: Sequence[Any], rows: Sequence[int] | None = None) -> dict[int, float]:
        """The score of each reference (of ``rows``, or of all) by its place; of many only those of the best.

        Of several probes, impressions of one finger, the best speaks: they cover different parts of it.
        """
        chosen = range(len(self)) if rows is None else rows
        if self._index is None or len(chosen) < SEARCHED_FROM:
            compare = self._engine.compare_prepared
            return {row: max(compare(probe, self._prepared[row]) for probe in probes) for row in chosen}
        among = None if rows is None else {str(row) for row in rows}
        found: dict[int, float] = {}
        for probe in probes:
            for key, score in self._index.search(probe, among=among):
                found[int(key)] = max(score, found.get(int(key), 0.0))
        return found


def _index(engine: Any, prepared: Sequence[Any]) -> FingerIndex | None:
    """The index of all references; None for an engine whose templates it cannot read."""
    if not FingerIndex.reads(engine):
        return None
    index = FingerIndex(engine)
    for row, finger in enumerate(prepared):
        index.add(str(row), finger)
    return index
