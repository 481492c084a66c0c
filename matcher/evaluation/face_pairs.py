"""Which photographs of a collection are compared, and what they score alone and among other people.

Owns the choice of pairs; the normalisation is the gallery's own (``matcher.cohort``), with both identities left out of
the cohort, which is everybody else in the collection, one mean vector for each, blended with the engine's background.

- *Genuine*: all pairs of up to eight photographs of a person; where photographs lie in sessions, all pairs of different
  sessions of one person, because pictures taken together say nothing of the next visit.
- *Impostor*: the first photograph of each person against that of every other, so that nobody photographed often
  weighs more; all photographs of different people where these lie in sessions or are of fewer than ``FEW_PEOPLE``,
  whose first ones would be too few to say anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matcher.background import Background
from matcher.cohort import Cohort, pair_scores, person_means
from matcher.evaluation.face_samples import Collection, Indices
from matcher.evaluation.results import ComparisonSet
from models.biometrics import Float32Array, Float64Array
from models.errors import InputError

PHOTOGRAPHS_OF_A_PERSON = 8
FEW_PEOPLE = 20
_PAIRS_AT_ONCE = 500_000  # bounds memory


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Pairs of photographs by row, (P,) each."""

    first: Indices
    second: Indices

    def __len__(self) -> int:
        return len(self.first)


def genuine_pairs(collection: Collection) -> Pairs:
    """The pairs of one person's photographs that are compared."""
    chosen = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))]
    for person in np.unique(collection.person):
        own = np.flatnonzero(collection.person == person)
        if collection.session is None:
            own = own[:PHOTOGRAPHS_OF_A_PERSON]
        own = own[collection.found[own]]
        one, other = np.triu_indices(len(own), 1)
        pairs = Pairs(own[one], own[other])
        if collection.session is not None:
            apart = collection.session[pairs.first] != collection.session[pairs.second]
            pairs = Pairs(pairs.first[apart], pairs.second[apart])
        chosen.append(pairs)
    return Pairs(np.concatenate([one.first for one in chosen]), np.concatenate([one.second for one in chosen]))


def impostor_pairs(collection: Collection, *, few_people: int = FEW_PEOPLE) -> Pairs:
    """The pairs of different people's photographs that are compared."""
    people, first = np.unique(collection.person, return_index=True)
    every_photograph = collection.session is not None or len(people) < few_people
    rows = np.arange(len(collection.person)) if every_photograph else first
    return _different_people(collection, rows)


def every_impostor_pair(collection: Collection) -> Pairs:
    """All pairs of photographs of different people."""
    return _different_people(collection, np.arange(len(collection.person)))


def fmr_by_pair_of_people(collection: Collection, pairs: Pairs, matched: Any) -> float:
    """The share of pairs of photographs that match, every pair of people weighing the same."""
    one, other = collection.person[pairs.first], collection.person[pairs.second]
    which = np.unique(
        np.minimum(one, other) * (collection.person.max() + 1) + np.maximum(one, other), return_inverse=True
    )
    counts = np.bincount(which[1])
    return float((np.bincount(which[1], weights=matched) / counts).mean())


def _different_people(collection: Collection, rows: Indices) -> Pairs:
    rows = rows[collection.found[rows]]
    one, other = np.triu_indices(len(rows), 1)
    different = collection.person[rows[one]] != collection.person[rows[other]]
    return Pairs(rows[one[different]], rows[other[different]])


def similarities(collection: Collection, pairs: Pairs) -> Float32Array:
    """The cosines of pairs."""
    rows, scores = collection.rows, np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        piece = slice(start, start + _PAIRS_AT_ONCE)
        scores[piece] = np.einsum("pd,pd->p", rows[pairs.first[piece]], rows[pairs.second[piece]])
    return scores


def normalised_scores(
    collection: Collection, pairs: Pairs, background: Background, similarity: Float32Array
) -> Float32Array:
    """The scores of pairs among the other people of the collection."""
    people, owner = np.unique(collection.person, return_inverse=True)
    found = collection.found
    seen = np.unique(owner[found])  # somebody whose face was never found is nobody's cohort
    place = np.full(len(people), -1, np.int64)
    place[seen] = np.arange(len(seen))
    cohort = Cohort(person_means(collection.rows[found], place[owner[found]], len(seen)), background=background)
    rows, which = np.unique(np.concatenate([pairs.first, pairs.second]), return_inverse=True)
    against, owner = cohort.against(collection.rows[rows]), place[owner[rows]]
    first, second = which[: len(pairs)], which[len(pairs) :]
    scores = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        piece = slice(start, start + _PAIRS_AT_ONCE)
        at = first[piece], second[piece]
        scores[piece] = pair_scores(against, against, similarity[piece], at=at, owner=(owner[at[0]], owner[at[1]]))
    return scores


@dataclass(frozen=True, slots=True, eq=False)
class PairScores:
    """Genuine and impostor scores of a collection, as similarities and, with a background, normalised."""

    genuine: Pairs
    impostor: Pairs
    similarity: tuple[Float32Array, Float32Array]
    normalised: tuple[Float32Array, Float32Array] | None

    def comparisons(self, collection: Collection) -> ComparisonSet:
        """What the report is made of: normalised scores where there are any."""
        pairs = [self.genuine, self.impostor]
        similarity = np.concatenate(self.similarity)
        return ComparisonSet(
            scores=similarity if self.normalised is None else np.concatenate(self.normalised),
            first=np.concatenate([collection.person[one.first] for one in pairs]).astype(np.int32),
            second=np.concatenate([collection.person[one.second] for one in pairs]).astype(np.int32),
            people=collection.names,
            similarity=None if self.normalised is None else similarity,
        )


def score_pairs(collection: Collection, background: Background | None, *, few_people: int = FEW_PEOPLE) -> PairScores:
    """Every pair that is compared, scored. Raises InputError where there is no pair of a kind."""
    genuine, impostor = genuine_pairs(collection), impostor_pairs(collection, few_people=few_people)
    if not len(genuine) or not len(impostor):
        raise InputError("These photographs hold no two of one person, or no two of different people, to compare.")
    raw = similarities(collection, genuine), similarities(collection, impostor)
    if background is None:
        return PairScores(genuine, impostor, raw, None)
    scores = (
        normalised_scores(collection, genuine, background, raw[0]),
        normalised_scores(collection, impostor, background, raw[1]),
    )
    return PairScores(genuine, impostor, raw, scores)


def genuine_scores(collection: Collection) -> Float64Array:
    """The similarities of all genuine pairs."""
    return similarities(collection, genuine_pairs(collection)).astype(np.float64)


def impostor_scores(collection: Collection) -> Float64Array:
    """The similarities of the first photograph of each person with that of every other."""
    return similarities(collection, impostor_pairs(collection, few_people=0)).astype(np.float64)
