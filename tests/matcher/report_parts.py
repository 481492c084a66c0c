"""A synthetic site to report on: people whose scores a program draws, some easier to confuse than others."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from matcher.evaluation.measured import Measurement, Provenance, ReportInput, ThresholdInForce, ThresholdUse
from matcher.evaluation.results import Acquisition, ComparisonSet, SearchSet
from models.biometrics import Modality

PERSON_SPREAD = 0.35  # of a person's own shift to that of a single comparison: some resemble many


def compared(people: int, *, genuine_of_each: int = 6, seed: int = 3, apart: float = 7.0,
             spread: float = PERSON_SPREAD) -> ComparisonSet:  # fmt: skip
    """Every two people once, and each person ``genuine_of_each`` times; impostor scores lie around 0 with spread 1."""
    random = np.random.default_rng(seed)
    first, second = np.triu_indices(people, 1)
    own = np.repeat(np.arange(people), genuine_of_each)
    shift, lift = random.normal(0, spread, people), random.normal(0, 0.8, people)
    impostor = random.normal(0, 1, len(first)) + shift[first] + shift[second]
    genuine = random.normal(apart, 1.2, len(own)) + lift[own]
    return ComparisonSet(
        scores=np.concatenate([impostor, genuine]).astype(np.float32),
        first=np.concatenate([first, own]),
        second=np.concatenate([second, own]),
        people=tuple(f"P{number:03d}" for number in range(1, people + 1)),
        groups={
            "sex": tuple("female" if number % 4 == 0 else "male" for number in range(people)),
            "age_band": tuple(("18-34", "35-59", "60+")[number % 3] for number in range(people)),
        },
    )


def searched(people: int, *, strangers: int, seed: int = 4, apart: float = 7.0) -> SearchSet:
    """Four searches by each enrolled person and two by each stranger, in a gallery of all ``people``."""
    random = np.random.default_rng(seed)
    mated = np.repeat(np.arange(people), 4)
    stranger = np.repeat(np.arange(people, people + strangers), 2)
    own = (random.normal(apart, 1.2, len(mated)) + random.normal(0, 0.8, people)[mated]).astype(np.float32)
    others = random.normal(0, 1, (len(mated), people - 1)).astype(np.float32)
    shift = random.normal(0, PERSON_SPREAD, people + strangers)
    candidates = np.sort(random.normal(0, 1, (len(stranger), people)) + shift[stranger][:, None], axis=1)[:, ::-1]
    above = (others >= own[:, None]).sum(axis=1)
    return SearchSet(
        mated_scores=np.maximum(own, others.max(axis=1)),
        mated_correct=above == 0,
        mated_person=mated,
        stranger_scores=candidates[:, 0],
        stranger_person=stranger,
        gallery=people,
        references=3,
        people=tuple(f"P{number:03d}" for number in range(1, people + strangers + 1)),
        stranger_candidates=candidates[:, :20],
        mated_own=own,
        mated_above=above,
    )


def acquired(people: int, *, seed: int = 5) -> Acquisition:
    """Six attempts of each person, a few of them in vain; one person who could not be enrolled."""
    random = np.random.default_rng(seed)
    failures = random.binomial(6, np.where(np.arange(people) % 9 == 0, 0.3, 0.01))
    return Acquisition(
        people=tuple(f"P{number:03d}" for number in range(1, people + 1)),
        attempts=np.full(people, 6),
        failures=failures,
        enrolled=np.arange(people) != people - 1,
    )


def site(people: int = 180, *, strangers: int = 300) -> ReportInput:
    """A whole site's report: faces that can be judged, and fingers of too few people."""
    face = Measurement(
        modality=Modality.FACE,
        engine="synthetic/1",
        collection="synthetic site",
        comparisons=compared(people),
        acquisition=acquired(people),
        searches=searched(people, strangers=strangers),
        thresholds=(
            ThresholdInForce(use=ThresholdUse.IDENTIFY, threshold=4.6, target=0.01, origin="default"),
            ThresholdInForce(use=ThresholdUse.VERIFY, threshold=3.8, target=1e-3, origin="default"),
        ),
    )
    finger = Measurement(
        modality=Modality.FINGER,
        engine="synthetic/1",
        collection="synthetic site",
        comparisons=compared(32, seed=9, apart=9.0),
        thresholds=(ThresholdInForce(use=ThresholdUse.VERIFY, threshold=4.5, target=1e-3, origin="site"),),
        persons_are="fingers",
    )
    origin = Provenance(
        command="muster evaluate site --html report.html",
        seed=1,
        version="0.1.0",
        measured_at=datetime(2026, 3, 5, 1, 30, tzinfo=UTC),
        weights={"synthetic": "0" * 64},
    )
    return ReportInput(measurements=(face, finger), provenance=origin, site="S-07", synthetic=True)
