"""What a measurement hands to the statistics and to the report: scores, and whose they are. Owns shapes and checks.

Refuses rates, pictures and templates. People stand as indices into ``people``, a tuple of labels; a label is opaque
(a folder's name, a finger's number, a record number) and never explained here. For fingers a "person" is whatever the
protocol takes as independent: a finger where only fingers are known, the person where the owner is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.biometrics import Float32Array
from models.errors import InputError

Int32Array = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
Groups = Mapping[str, tuple[str | None, ...]]  # a name such as "sex": one value per person, None where not known


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonSet:
    """Scores of 1:1 comparisons and whose samples were compared; mated (genuine) where ``first == second``.

    ``scores`` (K,) float32, higher is more alike, ``-inf`` for a sample that could not be acquired where the protocol
    counts it; ``first`` and ``second`` (K,) int32 indices into ``people``; ``similarity`` (K,) float32 or None: the
    engine's own score where ``scores`` are normalised; ``groups`` see ``Groups``. Raises InputError for lengths that
    differ, an index outside ``people``, a score that is no number, or a label twice.
    """

    scores: Float32Array
    first: Int32Array
    second: Int32Array
    people: tuple[str, ...]
    groups: Groups = field(default_factory=dict)
    similarity: Float32Array | None = None

    def __post_init__(self) -> None:
        _checked(self, "scores", np.float32, None)
        for name in ("first", "second"):
            _checked(self, name, np.int32, len(self.scores))
            _inside(self, name)
        if self.similarity is not None:
            _checked(self, "similarity", np.float32, len(self.scores))
        _labels(self.people, self.groups)

    @cached_property
    def mated(self) -> BoolArray:
        """(K,) bool: True where both samples are one person's."""
        return np.equal(self.first, self.second)

    @cached_property
    def genuine(self) -> Float32Array:
        """Scores of the mated comparisons, in their order."""
        return self.scores[self.mated]

    @cached_property
    def impostor(self) -> Float32Array:
        """Scores of the non-mated comparisons, in their order."""
        return self.scores[~self.mated]


@dataclass(frozen=True, kw_only=True, eq=False)
class SearchSet:
    """Outcomes of 1:N searches of galleries of one size; several draws of galleries are simply put behind each other.

    ``mated_scores`` (M,) float32: the best candidate's score for a probe of somebody enrolled, ``-inf`` if there was
    no sample; ``mated_correct`` (M,) bool: that candidate is the right person; ``mated_person`` (M,) int32.
    ``stranger_scores`` (S,) float32 and ``stranger_person`` (S,) int32: the same for people who are not enrolled.
    ``gallery``: how many people were enrolled at a time; ``references`` of each; ``draws`` of galleries.

    What the rates of smaller galleries can be computed from, where the protocol keeps it: ``stranger_candidates``
    (S, C) float32, best first, the scores of a stranger's C best candidates (one per person); ``mated_own`` (M,)
    float32, the right person's own score, and ``mated_above`` (M,) int32, how many other people scored as high or
    higher. Raises InputError as ComparisonSet does.
    """

    mated_scores: Float32Array
    mated_correct: BoolArray
    mated_person: Int32Array
    stranger_scores: Float32Array
    stranger_person: Int32Array
    gallery: int
    people: tuple[str, ...]
    groups: Groups = field(default_factory=dict)
    references: int = 1
    draws: int = 1
    stranger_candidates: Float32Array | None = None
    mated_own: Float32Array | None = None
    mated_above: Int32Array | None = None

    def __post_init__(self) -> None:
        _checked(self, "mated_scores", np.float32, None)
        _checked(self, "stranger_scores", np.float32, None)
        mated, strangers = len(self.mated_scores), len(self.stranger_scores)
        _checked(self, "mated_correct", np.bool_, mated)
        for name, length in (("mated_person", mated), ("stranger_person", strangers)):
            _checked(self, name, np.int32, length)
            _inside(self, name)
        for name, kind in (("mated_own", np.float32), ("mated_above", np.int32)):
            if getattr(self, name) is not None:
                _checked(self, name, kind, mated)
        if self.stranger_candidates is not None:
            _checked(self, "stranger_candidates", np.float32, strangers, dimensions=2)
        if min(self.gallery, self.references, self.draws) < 1:
            raise InputError("A search needs a gallery of at least one person with one reference.")
        _labels(self.people, self.groups)


@dataclass(frozen=True, kw_only=True, eq=False)
class Acquisition:
    """How many samples were tried and failed, and who could be enrolled at all, person by person.

    ``attempts`` and ``failures`` (P,) int32: samples presented, and those of which no template could be made (failure
    to acquire, FTA); ``enrolled`` (P,) bool: False for a person of whom no reference could be made (failure to enroll,
    FTE). Raises InputError for lengths that differ from ``people`` or more failures than attempts.
    """

    people: tuple[str, ...]
    attempts: Int32Array
    failures: Int32Array
    enrolled: BoolArray
    groups: Groups = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kind in (("attempts", np.int32), ("failures", np.int32), ("enrolled", np.bool_)):
            _checked(self, name, kind, len(self.people))
        if (self.failures < 0).any() or (self.failures > self.attempts).any():
            raise InputError("A person cannot have failed more often than there were attempts, nor less than never.")
        _labels(self.people, self.groups)


def _checked(owner: Any, name: str, kind: Any, length: int | None, *, dimensions: int = 1) -> None:
    """Put the field back as an array of the type the port promises."""
    values = np.asarray(getattr(owner, name))
    if values.ndim != dimensions or (length is not None and len(values) != length):
        wanted = "any length" if length is None else f"length {length}"
        raise InputError(f"{name} must have {dimensions} dimension(s) and {wanted}; it has the shape {values.shape}.")
    if np.isnan(values.astype(np.float64, copy=False)).any():
        raise InputError(f"{name} holds something that is not a number.")
    object.__setattr__(owner, name, np.ascontiguousarray(values, dtype=kind))


def _inside(owner: Any, name: str) -> None:
    indices = getattr(owner, name)
    if len(indices) and (int(indices.min()) < 0 or int(indices.max()) >= len(owner.people)):
        raise InputError(f"{name} names a person who is not among the {len(owner.people)} people.")


def _labels(people: tuple[str, ...], groups: Groups) -> None:
    if len(set(people)) != len(people):
        raise InputError("Two of the people have the same label.")
    for name, values in groups.items():
        if len(values) != len(people):
            raise InputError(f"The group {name!r} needs one value per person: {len(people)}, not {len(values)}.")
