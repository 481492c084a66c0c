"""Enrolled faces as arrays, searched and judged. Owns the order of candidates; refuses names and files.

Everything that does not depend on the probe is computed once: each person's middle, and how it scores with the others
(``matcher.cohort``). A search is then one product, and the normalisation of the ``LOOKED_AT`` most similar people.
Beyond 50,000 people the product gives way to ``matcher.face_index``, where scores are told from people's middles.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np

from matcher.background import Background
from matcher.cohort import NOBODY, Cohort, Standing, normalised, person_means
from matcher.engines.vectors import unit_rows
from matcher.face_index import NUMPY_UP_TO, FaceIndex, face_index
from models.biometrics import Float32Array

Fusion = Literal["best", "mean_top", "centroid"]
TOP = 2  # references that "mean_top" averages
MOST_CANDIDATES = 20
LOOKED_AT = 64  # of the most similar people, all are judged: normalisation may change their order
COHORT_PEOPLE = 1000  # of more, evenly many are taken: the mean of a thousand scores is known well enough


class Hit(NamedTuple):
    """One candidate by number: the person, that person's nearest reference, score, and the similarity if the score is
    another one, judged against a cohort."""

    person: int
    reference: int
    score: float
    similarity: float | None


class EnrolledFaces:
    """``rows`` (R, D) of unit length, ``owner`` (R,) the number of each row's person, from 0 to ``people`` - 1.

    Without a ``background`` scores are similarities.
    """

    def __init__(
        self, rows: Float32Array, owner: Any, *, people: int, background: Background | None, fusion: Fusion
    ) -> None:
        self._rows, self._owner, self._fusion = rows, owner, fusion
        self._order = np.argsort(owner, kind="stable")
        self._starts = np.searchsorted(owner[self._order], np.arange(people + 1))
        means = person_means(rows, owner, people)
        self._middles = unit_rows(means)
        self._index: FaceIndex | None = None
        if fusion == "centroid" and people > NUMPY_UP_TO:
            self._index = face_index(people, rows.shape[1])
            self._index.add(self._middles, np.arange(people))
        self._cohort: Cohort | None = None
        if background is not None:
            chosen = np.unique(np.linspace(0, people - 1, min(people, COHORT_PEOPLE)).round().astype(np.int64))
            self._in_cohort = np.full(people, NOBODY, np.int64)
            self._in_cohort[chosen] = np.arange(len(chosen))
            self._cohort = Cohort(means[chosen], background=background)
            self._standing = self._cohort.standing(self._middles, self._in_cohort)

    def __len__(self) -> int:
        return len(self._middles)

    def search(self, probe: Float32Array, *, most: int = MOST_CANDIDATES) -> list[Hit]:
        """The best ``most`` candidates for a probe (D,), best first."""
        people, similarity = self._most_similar(probe, max(LOOKED_AT, most))
        score = self.scores(probe, people, similarity)
        return [
            self._hit(probe, int(people[at]), score[at], similarity[at])
            for at in np.argsort(-score, kind="stable")[:most]
        ]

    def compare(self, probe: Float32Array, person: int) -> Hit:
        """One person judged as in a search."""
        own = self._of(person)
        if self._fusion == "centroid":
            similarity = self._middles[[person]] @ probe
        else:
            nobody_else = np.zeros(len(own), np.int64)
            similarity = fuse_by_person((self._rows[own] @ probe)[None], nobody_else, fusion=self._fusion)[1][0]
        score = self.scores(probe, np.array([person]), similarity)
        return self._hit(probe, person, score[0], similarity[0])

    def _hit(self, probe: Float32Array, person: int, score: float, similarity: float) -> Hit:
        normalised = None if self._cohort is None else float(similarity)
        return Hit(person, self._nearest(probe, person), float(score), normalised)

    def similarities(self, probe: Float32Array) -> Float32Array:
        """The similarity (K,) of everybody to a probe (D,)."""
        if self._fusion == "centroid":
            return np.asarray(self._middles @ probe, np.float32)
        return np.asarray(fuse_by_person((self._rows @ probe)[None], self._owner, fusion=self._fusion)[1][0])

    def scores(self, probe: Float32Array, people: Any, similarity: Float32Array) -> Float32Array:
        """The scores (P,) of some ``people`` (P,), each judged with that person left out of the cohort."""
        if self._cohort is None:
            return similarity
        left_out = self._in_cohort[people]
        probe_standing = self._cohort.against(probe[None]).without(np.zeros(len(people), np.int64), left_out)
        own = Standing(self._standing.mean[people], self._standing.spread[people])
        return normalised(similarity, probe_standing, own)

    def _most_similar(self, probe: Float32Array, count: int) -> tuple[Any, Float32Array]:
        """The ``count`` most similar people, in order of number, and their similarities."""
        if self._index is not None:
            similarities, people = self._index.search(probe[None], min(count, len(self)))
            order = np.argsort(people[0])
            return people[0][order], similarities[0][order]
        similarity = self.similarities(probe)
        people = _highest(similarity, count)
        return people, similarity[people]

    def _nearest(self, probe: Float32Array, person: int) -> int:
        own = self._of(person)
        return int(own[np.argmax(self._rows[own] @ probe)])

    def _of(self, person: int) -> Any:
        return self._order[self._starts[person] : self._starts[person + 1]]


def _highest(values: Float32Array, count: int) -> Any:
    """Where the ``count`` highest are, in order of place."""
    if len(values) <= count:
        return np.arange(len(values))
    return np.sort(np.argpartition(-values, count)[:count])


def fuse_by_person(scores: Any, owner: Any, *, fusion: Fusion = "best") -> tuple[Any, Any]:
    """Per-reference scores (P, R) to per-person scores: the people (K,) in order, and (P, K) float32.

    ``owner`` (R,) names the person of each reference. "best" is the highest of a person's references, "mean_top"
    the mean of the two highest (of one, if there is only one).
    """
    people, index = np.unique(owner, return_inverse=True)
    order = np.argsort(index, kind="stable")
    starts = np.searchsorted(index[order], np.arange(len(people)))
    grouped = np.asarray(scores, np.float32)[:, order]
    best: Float32Array = np.maximum.reduceat(grouped, starts, axis=1)
    if fusion == "best":
        return people, best
    counts = np.diff([*starts, len(order)])
    place = np.arange(counts.max())[None, :]
    columns = np.minimum(starts[:, None] + place, len(order) - 1)
    padded = np.where(place < counts[:, None], grouped[:, columns], -np.inf)  # (P, K, most references)
    top = -np.partition(-padded, min(TOP, padded.shape[2]) - 1, axis=2)[:, :, :TOP]
    present = np.isfinite(top)
    return people, (np.where(present, top, 0).sum(axis=2) / present.sum(axis=2)).astype(np.float32)
