"""Searching a gallery with photographs: who is enrolled, what makes a probe, who is a stranger. Owns the protocol.

The gallery holds everyone with at least four photographs, three references each drawn at random; the search is the
gallery's own (``matcher.enrolled_faces``). A mated probe counts as missed unless the right person comes first and
reaches the threshold (ISO/IEC 19795-1, FNIR at rank 1). A photograph without a face is left out of its probe; a probe
without any face is a miss. The rates are means over the draws, each with the threshold of its own strangers.

- *Probes of one*: every other photograph of those enrolled is a probe. Strangers are everyone with exactly one.
- *Probes of five*: the same photographs, dealt at random into probes of five; the last of a person holds what is left,
  and somebody enrolled with four photographs has one probe of one. ``one_probe_per_person`` counts only the first of
  each person. The strangers are again everyone with exactly one photograph, so that a probe of one meets probes of
  five; ``strangers_of_several`` takes those with two or three instead, all in one probe.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from matcher.background import Background
from matcher.enrolled_faces import EnrolledFaces, Fusion
from matcher.evaluation import rates
from matcher.evaluation.face_samples import Collection, Indices
from matcher.evaluation.results import SearchSet
from models.biometrics import Float32Array, Float64Array

GALLERY_PHOTOGRAPHS = 4
REFERENCES = 3
FPIRS = ("1e-2", "1e-3")
PHOTOGRAPHS_OF_A_PROBE = 5
STRANGERS_OF_SEVERAL = (2, 3)
CANDIDATES = 10  # of a stranger, kept for the rates of smaller galleries


@dataclass(frozen=True, slots=True, eq=False)
class Draw:
    """One random gallery searched. Mated arrays are (M,), strangers' (S,) and (S, C), best first.

    ``best`` is the score of the first candidate, -inf without a face; ``own`` the right person's, ``above`` how many
    other people score as high; ``order`` numbers the probes of one person.
    """

    person: Indices
    order: Indices
    best: Float32Array
    own: Float32Array
    above: Indices
    stranger: Indices
    candidates: Float32Array

    @property
    def mated(self) -> Float64Array:
        """Best scores, -inf for a wrong first rank."""
        return np.where(self.above == 0, self.best, -np.inf).astype(np.float64)

    def fnir(self, fpir: float, *, first_only: bool = False) -> float:
        """The share of mated probes that are missed where this share of strangers is not."""
        mated = self.mated[self.order == 0] if first_only else self.mated
        return rates.fnmr_at(mated, rates.threshold_at_fmr(self.candidates[:, 0], fpir))


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """Photographs by row that are searched for together; ``order`` numbers the probes of one person."""

    person: int
    order: int
    rows: tuple[int, ...]


def search_draws(
    collection: Collection, *, draws: int, seed: int, fusion: Fusion, background: Background | None,
    photographs: int = 1, strangers_of: tuple[int, ...] = (1,),
) -> list[Draw]:  # fmt: skip
    """Random galleries, searched. Empty where the collection has nobody to enroll or no stranger."""
    counts = np.bincount(collection.person)
    enrolled = np.flatnonzero(counts >= GALLERY_PHOTOGRAPHS)
    others = [
        Probe(int(person), 0, tuple(np.flatnonzero(collection.person == person).tolist()))
        for person in np.flatnonzero(np.isin(counts, strangers_of))
    ]
    others = [probe for probe in others if collection.found[list(probe.rows)].any()]
    if not len(enrolled) or not others:
        return []
    random = np.random.default_rng(seed)
    return [_draw(collection, enrolled, others, random, photographs, fusion, background) for _ in range(draws)]


def fnir_at_fpir(draws: list[Draw], *, first_only: bool = False) -> dict[str, float | None]:
    """The mean rates of the draws; null without any."""
    if not draws:
        return dict.fromkeys(FPIRS)
    return {fpir: float(np.mean([draw.fnir(float(fpir), first_only=first_only) for draw in draws])) for fpir in FPIRS}


def search_set(collection: Collection, draws: list[Draw]) -> SearchSet | None:
    """What the report is made of; None without any draw."""
    if not draws:
        return None
    return SearchSet(
        mated_scores=np.concatenate([draw.best for draw in draws]),
        mated_correct=np.concatenate([draw.above == 0 for draw in draws]),
        mated_person=np.concatenate([draw.person for draw in draws]).astype(np.int32),
        stranger_scores=np.concatenate([draw.candidates[:, 0] for draw in draws]),
        stranger_person=np.concatenate([draw.stranger for draw in draws]).astype(np.int32),
        gallery=int((np.bincount(collection.person) >= GALLERY_PHOTOGRAPHS).sum()),
        people=collection.names,
        references=REFERENCES,
        draws=len(draws),
        stranger_candidates=np.concatenate([draw.candidates for draw in draws]),
        mated_own=np.concatenate([draw.own for draw in draws]),
        mated_above=np.concatenate([draw.above for draw in draws]).astype(np.int32),
    )


def _draw(
    collection: Collection, enrolled: Indices, strangers: list[Probe], random: np.random.Generator, photographs: int,
    fusion: Fusion, background: Background | None,
) -> Draw:  # fmt: skip
    references: list[int] = []
    probes: list[Probe] = []
    for person in enrolled.tolist():
        own = random.permutation(np.flatnonzero(collection.person == person)).tolist()
        references += own[:REFERENCES]
        probes += [
            Probe(person, order, tuple(own[start : start + photographs]))
            for order, start in enumerate(range(REFERENCES, len(own), photographs))
        ]
    seen = [row for row in references if collection.found[row]]
    people, owner = np.unique(collection.person[seen], return_inverse=True)
    if not len(people):  # no reference of anybody shows a face: everyone is missed, and no stranger is found
        return _nothing(probes, strangers)
    faces = EnrolledFaces(collection.rows[seen], owner, people=len(people), background=background, fusion=fusion)
    mated = [_mated(collection, faces, people, probe) for probe in probes]
    best, own_score, above = (np.array(column) for column in zip(*mated, strict=True))
    candidates = [_everybody(collection, faces, probe) for probe in strangers]
    return Draw(
        np.array([probe.person for probe in probes]),
        np.array([probe.order for probe in probes]),
        best.astype(np.float32),
        own_score.astype(np.float32),
        above.astype(np.int64),
        np.array([probe.person for probe in strangers]),
        np.stack([-np.sort(-scores)[:CANDIDATES] for scores in candidates if scores is not None]),
    )


def _mated(collection: Collection, faces: EnrolledFaces, people: Indices, probe: Probe) -> tuple[float, float, int]:
    """Best score, own score, and how many other people score as high."""
    scores = _everybody(collection, faces, probe)
    right = people == probe.person
    if scores is None or not right.any():
        return -np.inf if scores is None else float(scores.max()), -np.inf, len(people)
    own = float(scores[right][0])
    return float(scores.max()), own, int((scores[~right] >= own).sum())


def _everybody(collection: Collection, faces: EnrolledFaces, probe: Probe) -> Float32Array | None:
    """The scores of everybody enrolled; None if the probe shows no face."""
    rows = [row for row in probe.rows if collection.found[row]]
    if not rows:
        return None
    vector = np.asarray(collection.rows[rows].mean(axis=0), np.float32)
    return faces.scores(vector, np.arange(len(faces)), faces.similarities(vector))


def _nothing(probes: list[Probe], strangers: list[Probe]) -> Draw:
    lowest = np.full(len(probes), -np.inf, np.float32)
    return Draw(
        np.array([probe.person for probe in probes]),
        np.array([probe.order for probe in probes]),
        lowest,
        lowest,
        np.ones(len(probes), np.int64),
        np.array([probe.person for probe in strangers]),
        np.full((len(strangers), 1), -np.inf, np.float32),
    )


def identification(
    collection: Collection, *, draws: int, seed: int, fusion: Fusion = "centroid", background: Background | None = None
) -> tuple[dict[str, Any], list[Draw]]:
    """Probes of one photograph: the rates, ready for JSON, and the draws."""
    searched = search_draws(collection, draws=draws, seed=seed, fusion=fusion, background=background)
    return {**_protocol(collection), "fnir_at_fpir": fnir_at_fpir(searched)}, searched


def identification_of_several(
    collection: Collection, *, draws: int, seed: int, fusion: Fusion = "centroid", background: Background | None = None
) -> dict[str, Any]:
    """Probes of up to five photographs: the rates, ready for JSON."""
    common = {"draws": draws, "seed": seed, "fusion": fusion, "background": background}
    single = search_draws(collection, photographs=PHOTOGRAPHS_OF_A_PROBE, **common)  # type: ignore[arg-type]
    several = search_draws(
        collection,
        photographs=PHOTOGRAPHS_OF_A_PROBE,
        strangers_of=STRANGERS_OF_SEVERAL,
        **common,  # type: ignore[arg-type]
    )
    return {
        **_protocol(collection),
        "photographs": PHOTOGRAPHS_OF_A_PROBE,
        "fnir_at_fpir": fnir_at_fpir(single),
        "one_probe_per_person": {"fnir_at_fpir": fnir_at_fpir(single, first_only=True)},
        "strangers_of_several": {
            "strangers": len(several[0].stranger) if several else 0,
            "fnir_at_fpir": fnir_at_fpir(several),
        },
    }


def _protocol(collection: Collection) -> dict[str, Any]:
    enrolled = int((np.bincount(collection.person) >= GALLERY_PHOTOGRAPHS).sum())
    return {"gallery": enrolled, "references": REFERENCES}
