"""Measuring a site on its own references: leave-one-out comparisons and searches. Owns the protocol.

- Every reference in turn is left out and plays the probe. Against its own person's other references it makes a genuine
  score, against everybody else's the search of a stranger (its own person is then out of the gallery *and* out of the
  cohort). Impostor comparisons of the error rates are one score for each pair of people, drawn by chance.
- References of one sitting are far more alike than two visits are: where a site has references that were captured
  apart, only those make genuine scores; where it has none, the others do, and ``same_sitting`` says so.
- Visits are counted as the kiosks signed them. Scores of accepted visits say nothing of the false non-match rate: who
  was not recognised is not among them.

Refuses databases and keys: references and events are handed in. Writes no template anywhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from matcher.background import background
from matcher.evaluation import rates
from matcher.evaluation.measured import Measurement, ThresholdInForce, ThresholdUse
from matcher.evaluation.results import ComparisonSet, SearchSet
from matcher.likelihood import cllr, min_cllr
from matcher.ports import FaceEngine, FingerEngine
from matcher.shipped import shipped
from matcher.site import LookAlike, ModalityCalibration, alike, concluded
from matcher.site_scores import FaceTable, SiteScores, apart, captured_at, usable
from models.attendance import AttendanceEvent
from models.biometrics import Float32Array, Modality, OperatingPoint, Reference
from models.errors import InputError
from models.supervision import SitePolicy

MOST_FINGERS = 700  # references: a quarter of a million comparisons, minutes
Progress = Callable[[int, int], None]  # done, in all


@dataclass(frozen=True, kw_only=True, eq=False)
class ModalityMeasures:
    """One modality at the site. ``cllr`` and ``min_cllr`` are (shipped or site's, lowest possible) in bits; None where
    there are no genuine scores. ``points`` are the operating points in force: of a search and of a claim."""

    modality: Modality
    engine: str
    comparisons: ComparisonSet
    searches: SearchSet | None
    calibrated: ModalityCalibration
    identify: OperatingPoint
    verify: OperatingPoint
    wanted_fpir: float
    lookalikes: tuple[LookAlike, ...]
    same_sitting: bool
    cllr: float | None
    min_cllr: float | None

    def measurement(self, collection: str) -> Measurement:
        """What the report page needs; ``collection`` is a label of the site."""
        sitting = ", references of one sitting" if self.same_sitting else ""
        origin = "site" if self.identify.calibrated_on is not None else "default"
        return Measurement(
            modality=self.modality,
            engine=f"{self.engine} ({self.calibrated.format})",
            collection=f"{collection}{sitting}",
            comparisons=self.comparisons,
            searches=self.searches,
            thresholds=(
                ThresholdInForce(
                    use=ThresholdUse.IDENTIFY,
                    threshold=self.identify.threshold,
                    target=self.wanted_fpir,
                    origin=origin,
                ),
                ThresholdInForce(
                    use=ThresholdUse.VERIFY,
                    threshold=self.verify.threshold,
                    target=self.verify.target_fmr or self.wanted_fpir,
                    origin=origin,
                ),
            ),
        )

    def to_json(self) -> dict[str, Any]:
        """Rates as fractions, None where nothing could be measured."""
        mated, others = self.comparisons.genuine, self.comparisons.impostor
        found = self.searches
        return {
            "engine": self.engine,
            "people": self.calibrated.people,
            "comparisons": {"genuine": len(mated), "impostor": len(others), "same_sitting": self.same_sitting},
            "identify": _point(self.identify),
            "verify": _point(self.verify),
            "fnmr": rates.fnmr_at(mated, self.verify.threshold) if len(mated) else None,
            "fmr": rates.fmr_at(others, self.verify.threshold) if len(others) else None,
            "lowest_fmr_that_can_be_shown": min(1.0, 3.0 / len(others)) if len(others) else None,
            "fnir": _fnir(found, self.identify.threshold) if found is not None else None,
            "fpir": rates.fmr_at(found.stranger_scores, self.identify.threshold) if found is not None else None,
            "cllr": self.cllr,
            "min_cllr": self.min_cllr,
            "lookalikes": [pair.to_json() for pair in self.lookalikes],
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class VisitMeasures:
    """What became of the visits: how many ended how, and per modality the comparisons and the scores that matched."""

    visits: int
    outcomes: Mapping[str, int]
    compared: Mapping[str, int]
    matched: Mapping[str, int]
    matched_scores: Mapping[str, tuple[float, ...]]
    simulated: int

    def to_json(self) -> dict[str, Any]:
        """Counts, the share of visits without a usable sample, and the lowest, median and highest matching score."""
        failed = self.outcomes.get("failure_to_acquire", 0)
        return {
            "visits": self.visits,
            "simulated": self.simulated,
            "outcomes": dict(sorted(self.outcomes.items())),
            "failure_to_acquire": failed / self.visits if self.visits else None,
            "modalities": {
                name: {
                    "compared": count,
                    "matched": self.matched.get(name, 0),
                    "scores": _spread(self.matched_scores.get(name, ())),
                }
                for name, count in sorted(self.compared.items())
            },
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class SiteMeasures:
    """Everything that a site's references and visits say."""

    modalities: tuple[ModalityMeasures, ...]
    visits: VisitMeasures | None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values: rates are fractions; nobody is named but look-alikes, by opaque id."""
        return {
            **{one.modality.value: one.to_json() for one in self.modalities},
            "visits": self.visits.to_json() if self.visits else None,
        }


def measure_site(
    references: Sequence[Reference], *, face_engine: FaceEngine | None, finger_engine: FingerEngine | None,
    policy: SitePolicy, now: datetime, seed: int = 1, events: Iterable[AttendanceEvent] | None = None,
    progress: Progress | None = None,
) -> SiteMeasures:  # fmt: skip
    """Measure a site on its references and, where handed in, its visits. ``progress`` counts compared references.

    Raises InputError if no engine finds two people, TemplateError for a damaged reference.
    """
    measured = []
    for modality, engine in ((Modality.FACE, face_engine), (Modality.FINGER, finger_engine)):
        held = usable(references, modality, engine) if engine is not None else []
        if engine is None or len({item.person_id for item in held}) < 2:
            continue
        table = _face_table(held, engine) if modality is Modality.FACE else _finger_table(held, engine, progress)
        measured.append(_measured(table, modality, engine, policy=policy, now=now, random=np.random.default_rng(seed)))
    if not measured:
        raise InputError("A site is measured on two people with references of one engine, at least.")
    return SiteMeasures(modalities=tuple(measured), visits=None if events is None else count_visits(events))


def count_visits(events: Iterable[AttendanceEvent]) -> VisitMeasures:
    """Count visits by how they ended and by what was compared; amendments and device events are none."""
    outcomes: Counter[str] = Counter()
    compared: Counter[str] = Counter()
    scores: dict[str, list[float]] = {}
    simulated = 0
    for event in events:
        if event.outcome is None or event.amends is not None:
            continue
        outcomes[event.outcome.value] += 1
        simulated += any(item.simulated for item in event.evidence)
        for item in event.evidence:
            if item.score is None:
                continue
            compared[item.modality] += 1
            if item.matched:
                scores.setdefault(item.modality, []).append(item.score)
    return VisitMeasures(
        visits=outcomes.total(),
        outcomes=outcomes,
        compared=compared,
        matched={name: len(found) for name, found in scores.items()},
        matched_scores={name: tuple(found) for name, found in scores.items()},
        simulated=simulated,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """``scores`` (R, P): every reference against every person, -inf for its own; ``own`` (G,) genuine scores of the
    references ``at`` (G,); ``sitting`` says that these were captured in one sitting."""

    people: tuple[str, ...]
    owner: Any
    scores: Float32Array
    own: Float32Array
    at: Any
    sitting: bool


def _face_table(held: Sequence[Reference], engine: Any) -> _Table:
    people, owner = np.unique([item.person_id for item in held], return_inverse=True)
    table = FaceTable(engine.vectors([item.template for item in held]), owner, background(engine.format))
    scores = np.concatenate([table.scores(part) for part in np.array_split(np.arange(len(held)), len(held) // 256 + 1)])
    scores[np.arange(len(held)), owner] = -np.inf
    for sitting in (False, True):
        captured = np.arange(len(held)) * 1e6 if sitting else captured_at(held)
        own, at = table.genuine(captured)
        if len(own):
            break
    return _Table(tuple(people.tolist()), owner, scores, own, at, sitting and len(own) > 0)


def _finger_table(held: Sequence[Reference], engine: Any, progress: Progress | None) -> _Table:
    if len(held) > MOST_FINGERS:
        raise InputError(f"A site's fingers are measured up to {MOST_FINGERS} references; this one has {len(held)}.")
    people, owner = np.unique([item.person_id for item in held], return_inverse=True)
    prepared = [engine.prepare(item.template) for item in held]
    single = np.full((len(held), len(held)), -np.inf, np.float32)
    for one in range(len(held)):
        for other in range(one):
            single[one, other] = single[other, one] = engine.compare_prepared(prepared[one], prepared[other])
        if progress is not None:
            progress(one + 1, len(held))
    scores = np.maximum.reduceat(single, np.searchsorted(owner, np.arange(len(people))), axis=1)
    scores[np.arange(len(held)), owner] = -np.inf
    mine = owner[:, None] == owner[None, :]
    sitting = not (mine & apart(captured_at(held))).any()
    allowed = mine & (~np.eye(len(held), dtype=bool) if sitting else apart(captured_at(held)))
    best = np.where(allowed, single, -np.inf).max(axis=1)
    at = np.flatnonzero(allowed.any(axis=1))
    return _Table(tuple(people.tolist()), owner, scores, best[at].astype(np.float32), at, sitting and len(at) > 0)


def _measured(
    table: _Table, modality: Modality, engine: Any, *, policy: SitePolicy, now: datetime, random: np.random.Generator
) -> ModalityMeasures:
    pairs = _pairs(table, random)
    calibrated = concluded(pairs, engine.format, now=now, random=random)
    likelihood = calibrated.likelihood
    weighed = likelihood is not None and len(table.own) > 0
    return ModalityMeasures(
        modality=modality,
        engine=engine.name,
        comparisons=_compared(table, pairs),
        searches=_searched(table),
        calibrated=calibrated,
        identify=calibrated.operating_point(wanted_fpir=policy.wanted_fpir, gallery_size=len(table.people)),
        verify=calibrated.operating_point(wanted_fpir=policy.verification_fmr, gallery_size=1),
        wanted_fpir=policy.wanted_fpir,
        lookalikes=tuple(alike(pairs, calibrated, modality, wanted_fpir=policy.wanted_fpir)),
        same_sitting=table.sitting,
        cllr=cllr(likelihood.llrs(table.own), likelihood.llrs(pairs.drawn)) if likelihood and weighed else None,
        min_cllr=min_cllr(table.own, pairs.drawn) if weighed else None,
    )


def _pairs(table: _Table, random: np.random.Generator) -> SiteScores:
    """One drawn score and the highest of each pair of people, as ``matcher.site_scores`` has them."""
    count = len(table.people)
    starts = np.searchsorted(table.owner, np.arange(count + 1))
    highest = np.maximum.reduceat(table.scores, starts[:-1], axis=0)
    picked = starts[:-1, None] + (random.random((count, count)) * np.diff(starts)[:, None]).astype(np.int64)
    drawn = np.take_along_axis(table.scores, picked, axis=0)
    first, second = np.triu_indices(count, 1)
    swapped = random.random(len(first)) < 0.5
    return SiteScores(
        table.people,
        first,
        second,
        np.where(swapped, drawn[second, first], drawn[first, second]),
        np.maximum(highest[first, second], highest[second, first]),
        np.empty(0, np.float32) if table.sitting else table.own,
        np.empty(0, np.int64) if table.sitting else table.owner[table.at],
        len(first),
    )


def _compared(table: _Table, pairs: SiteScores) -> ComparisonSet:
    own = table.owner[table.at]
    return ComparisonSet(
        scores=np.concatenate([table.own, pairs.drawn]),
        first=np.concatenate([own, pairs.first]).astype(np.int32),
        second=np.concatenate([own, pairs.second]).astype(np.int32),
        people=table.people,
    )


def _searched(table: _Table) -> SearchSet | None:
    """Strangers search a gallery without their own person: one person fewer than the site has."""
    if len(table.people) < 3:
        return None
    others = table.scores.max(axis=1)
    candidates = -np.sort(-table.scores, axis=1)[:, : min(20, len(table.people) - 1)]
    rivals = others[table.at]
    return SearchSet(
        mated_scores=np.maximum(table.own, rivals),
        mated_correct=table.own > rivals,
        mated_person=table.owner[table.at].astype(np.int32),
        mated_own=table.own,
        mated_above=(table.scores[table.at] >= table.own[:, None]).sum(axis=1).astype(np.int32),
        stranger_scores=others,
        stranger_person=table.owner.astype(np.int32),
        stranger_candidates=candidates,
        gallery=len(table.people) - 1,
        people=table.people,
        references=max(1, round(len(table.owner) / len(table.people))),
    )


def _fnir(found: SearchSet, threshold: float) -> float | None:
    if not len(found.mated_scores):
        return None
    return float(np.mean(~found.mated_correct | (found.mated_scores < threshold)))


def _point(point: OperatingPoint) -> dict[str, Any]:
    known = shipped(point.format)
    return {
        "threshold": point.threshold,
        "target_fmr": point.target_fmr,
        "calibrated_on": point.dataset,
        "llr": known.likelihood.llr(point.threshold) if known else None,
    }


def _spread(scores: Sequence[float]) -> dict[str, float] | None:
    if not scores:
        return None
    return {"lowest": min(scores), "median": float(np.median(scores)), "highest": max(scores)}
