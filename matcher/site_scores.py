"""What a site's own references score against each other, as a search would compare them. Owns the choice of pairs.

Impostor: one person's reference plays the probe of a stranger and is compared with everything that another person has
enrolled; of each pair of people one such score is drawn by chance and the highest is kept. Genuine: a reference is
compared with the *other* references of its person that were captured apart from it: pictures of one sitting are
far more alike than two visits are. Refuses to judge any score, and sensors' own templates, which only sensors compare.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np

from matcher.background import Background, background
from matcher.cohort import NOBODY, Cohort, pair_scores, person_means
from matcher.engines.vectors import unit_rows
from matcher.enrolled_faces import COHORT_PEOPLE
from matcher.ports import FaceEngine, FingerEngine
from models.biometrics import FingerPosition, Float32Array, Modality, Reference

APART = timedelta(hours=1)  # two visits, not two pictures of one sitting
FINGER_COMPARISONS = 4000  # about four seconds' work in all; beyond, pairs of people are drawn
WATCH_COMPARISONS = 8000  # more, of those pairs' other fingers, for whoever is to be watched
_BLOCK = 64  # people whose references are compared at once with everybody
_SLICE = 20  # comparisons of fingers between two pauses

Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True, slots=True, eq=False)
class SiteScores:
    """``first`` < ``second`` (K,) index ``people``; ``drawn`` and ``highest`` (K,) float32 are the pairs' scores.

    ``genuine`` (G,) float32 with ``genuine_person`` (G,). ``possible`` counts the pairs of people that there are.
    """

    people: tuple[str, ...]
    first: Indices
    second: Indices
    drawn: Float32Array
    highest: Float32Array
    genuine: Float32Array
    genuine_person: Indices
    possible: int


def usable(references: Iterable[Reference], modality: Modality, engine: FaceEngine | FingerEngine) -> list[Reference]:
    """The valid references that an engine can compare, in order of person and id: the order never depends on chance."""
    found = [
        item
        for item in references
        if item.modality is modality and item.revoked_at is None and item.template.format == engine.format
    ]
    return sorted(found, key=lambda item: (item.person_id, item.reference_id))


def face_scores(
    references: Sequence[Reference], engine: FaceEngine, random: np.random.Generator
) -> Generator[None, None, SiteScores]:
    """Every pair of people and every reference captured apart; pauses (``yield``) between blocks of people."""
    people, owner = np.unique([item.person_id for item in references], return_inverse=True)
    faces = FaceTable(engine.vectors([item.template for item in references]), owner, background(engine.format))
    starts = faces.starts
    highest = np.empty((len(people), len(people)), np.float32)  # [probe's person, person compared with]
    drawn = np.empty_like(highest)
    for begin in range(0, len(people), _BLOCK):
        end = min(begin + _BLOCK, len(people))
        scores = faces.scores(np.arange(starts[begin], starts[end]))
        offsets = starts[begin:end] - starts[begin]
        highest[begin:end] = np.maximum.reduceat(scores, offsets, axis=0)
        widths = starts[begin + 1 : end + 1] - starts[begin:end]
        picked = offsets[:, None] + (random.random((end - begin, len(people))) * widths[:, None]).astype(np.int64)
        drawn[begin:end] = np.take_along_axis(scores, picked, axis=0)
        yield
    first, second = np.triu_indices(len(people), 1)
    swapped = random.random(len(first)) < 0.5
    own, at = faces.genuine(captured_at(references))
    return SiteScores(
        tuple(people.tolist()),
        first,
        second,
        np.where(swapped, drawn[second, first], drawn[first, second]),
        np.maximum(highest[first, second], highest[second, first]),
        own,
        owner[at],
        len(first),
    )


class FaceTable:
    """Face references as a gallery compares them: with a person's middle, told in spreads where there is a background.

    Whoever is compared is left out of the cohort on both sides: the probe's own identity is known here.
    """

    def __init__(self, rows: Float32Array, owner: Indices, known: Background | None) -> None:
        count = int(owner.max(initial=-1)) + 1
        self.rows, self.owner = rows, owner
        self.starts = np.searchsorted(owner, np.arange(count + 1))
        means = person_means(rows, owner, count)
        self.middles = unit_rows(means)
        self.cohort: Cohort | None = None
        if known is not None and count:
            chosen = np.unique(np.linspace(0, count - 1, min(count, COHORT_PEOPLE)).round().astype(np.int64))
            self.place = np.full(count, NOBODY, np.int64)
            self.place[chosen] = np.arange(len(chosen))
            self.cohort = Cohort(means[chosen], background=known)
            self.references = self.cohort.against(self.middles)

    def scores(self, at: Indices) -> Float32Array:
        """The scores (N, P) of the rows ``at`` (N,) with every person; of a row's own person they mean nothing."""
        similarity = np.asarray(self.rows[at] @ self.middles.T, np.float32)
        if self.cohort is None:
            return similarity
        everybody = np.arange(len(self.middles))[None, :]
        return pair_scores(
            self.cohort.against(self.rows[at]),
            self.references,
            similarity,
            at=(np.arange(len(at))[:, None], everybody),
            owner=(self.place[self.owner[at]][:, None], self.place[everybody]),
        )

    def genuine(self, captured: Any) -> tuple[Float32Array, Indices]:
        """Rows against the middle of their person's rows that were captured apart from them: (G,) scores, (G,) rows."""
        others = np.zeros_like(self.rows)
        for begin, end in pairwise(self.starts.tolist()):
            others[begin:end] = apart(captured[begin:end]).astype(np.float32) @ self.rows[begin:end]
        at = np.flatnonzero(np.abs(others).sum(axis=1) > 0)
        middles = unit_rows(others[at])
        similarity = np.asarray((self.rows[at] * middles).sum(axis=1), np.float32)
        if self.cohort is None or not len(at):
            return similarity, at
        each, own = np.arange(len(at)), self.place[self.owner[at]]
        probes, references = self.cohort.against(self.rows[at]), self.cohort.against(middles)
        return pair_scores(probes, references, similarity, at=(each, each), owner=(own, own)), at


def finger_scores(
    references: Sequence[Reference], engine: FingerEngine, random: np.random.Generator
) -> Generator[None, None, SiteScores]:
    """Pairs of people in random order until the comparisons are used up; pauses (``yield``) between a few of them.

    What is drawn is one impression against a person, as a probe is; the highest is over every finger, so that who is
    watched is no matter of chance.
    """
    prepared = []
    for at, item in enumerate(references):
        prepared.append(engine.prepare(item.template))
        if at % _SLICE == 0:
            yield
    people, owner = np.unique([item.person_id for item in references], return_inverse=True)
    members = [np.flatnonzero(owner == person) for person in range(len(people))]
    genuine, whose, left = [], [], FINGER_COMPARISONS // 2
    captured = captured_at(references)
    for at in random.permutation(len(references)).tolist():
        mine = members[owner[at]]
        others = mine[apart(captured[mine])[mine.tolist().index(at)]]
        if not len(others) or left <= 0:
            continue
        genuine.append(max(engine.compare_prepared(prepared[at], prepared[other]) for other in others.tolist()))
        whose.append(int(owner[at]))
        left -= len(others)
        yield
    possible = len(people) * (len(people) - 1) // 2
    each = [_one_of_each(references, mine) for mine in members]
    pairs, scores, highest = [], [], []
    left, left_to_watch = FINGER_COMPARISONS, WATCH_COMPARISONS
    for one, other in _drawn_pairs(len(people), random):
        if left <= 0:
            break
        probe = int(random.choice(members[one]))
        fingers = [at for at in each[one] if at != probe] if left_to_watch > 0 else []
        best = []
        for at in (probe, *fingers):
            best.append(max(engine.compare_prepared(prepared[at], prepared[held]) for held in members[other].tolist()))
            yield
        scores.append(best[0])
        highest.append(max(best))
        left_to_watch -= len(fingers) * len(members[other])
        pairs.append((min(one, other), max(one, other)))
        left -= len(members[other])
    drawn = np.array(scores, np.float32)
    order = np.array(pairs, np.int64).reshape(-1, 2)
    return SiteScores(
        tuple(people.tolist()), order[:, 0], order[:, 1], drawn, np.array(highest, np.float32),
        np.array(genuine, np.float32), np.array(whose, np.int64), possible,
    )  # fmt: skip


def _one_of_each(references: Sequence[Reference], mine: Indices) -> list[int]:
    """One impression of every finger of a person: whoever shares one finger with somebody is like that person."""
    first: dict[FingerPosition | None, int] = {}
    for at in mine.tolist():
        first.setdefault(references[at].position, at)
    return list(first.values())


def _drawn_pairs(count: int, random: np.random.Generator) -> Iterable[tuple[int, int]]:
    """Pairs of different people, each at most once, in random order and with the probe's side drawn."""
    first, second = np.triu_indices(count, 1)
    for at in random.permutation(len(first))[:FINGER_COMPARISONS].tolist():
        pair = int(first[at]), int(second[at])
        yield pair if random.random() < 0.5 else (pair[1], pair[0])


def captured_at(references: Sequence[Reference]) -> Any:
    """When each was captured, (N,) float64 seconds."""
    return np.array([item.enrolled_at.timestamp() for item in references], np.float64)


def apart(captured: Any) -> Any:
    """(N, N) bool: which were captured apart from each other."""
    return np.abs(captured[:, None] - captured[None, :]) >= APART.total_seconds()
