"""A site's own calibration: scores to log-likelihood ratios, thresholds for its gallery, and who looks alike.

Owns what is concluded from the site's references; refuses to keep a template or a score of a single person: what is
written down are the highest impostor scores without owners, a handful of figures, and the look-alikes by opaque id.

A site is small, so everything is held against what ships (``matcher.shipped``): the likelihood ratio is pulled towards
the shipped one as if that rested on ``PRIOR_PEOPLE`` people, and a threshold moves only where the site's own people
show beyond doubt that it must (``matcher.decision.identification_threshold``).
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np

from matcher.calibration import Calibration, calibrate
from matcher.decision import Weighing, identification_threshold, veto_threshold
from matcher.likelihood import LikelihoodRatio, fit
from matcher.ports import FaceEngine, FingerEngine
from matcher.scales import score_scale
from matcher.shipped import shipped
from matcher.site_scores import SiteScores, face_scores, finger_scores, usable
from models.attendance import format_time, parse_time
from models.biometrics import Modality, OperatingPoint, Reference, TemplateFormat
from models.errors import ConfigurationError, InputError
from models.supervision import USUAL_GALLERY

PRIOR_PEOPLE = 200  # what ships weighs as much as that many people of the site who were captured apart
LEAST_PEOPLE = 20  # of an engine nobody measured, before the site's own people make a likelihood ratio alone
WANTED_FPIR = 0.01
_FITTED = 20_000  # impostor scores are enough for two numbers
_MOST_LISTED = 1000  # look-alikes; a site with more has another problem than a few people to watch
_CURVE_DOWN_TO = 1e-3  # rates at which a site's people are compared with those of the shipped figures


@dataclass(frozen=True, slots=True)
class LookAlike:
    """Two enrolled people (opaque ids, in order) whose references come near a match or match each other."""

    first: str
    second: str
    modality: Modality
    score: float
    threshold: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse."""
        return {
            "first": self.first,
            "second": self.second,
            "modality": self.modality.value,
            "score": self.score,
            "threshold": self.threshold,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read one back. Raises KeyError, TypeError or ValueError."""
        return cls(
            str(values["first"]),
            str(values["second"]),
            Modality(values["modality"]),
            float(values["score"]),
            float(values["threshold"]),
        )


@dataclass(frozen=True, slots=True)
class ModalityCalibration:
    """One modality at a site. ``comparisons`` are pairs of different people compared, out of ``possible``;
    ``genuine`` comparisons are of ``genuine_people`` people's references captured apart.

    ``likelihood`` and ``impostors`` are None where neither the site nor what ships says enough.
    """

    format: TemplateFormat
    likelihood: LikelihoodRatio | None
    impostors: Calibration | None
    people: int
    comparisons: int
    possible: int
    genuine: int
    genuine_people: int

    def llr(self, score: float) -> float | None:
        """The log-likelihood ratio of a person's score; None if nothing is known of this engine's scores."""
        return None if self.likelihood is None else self.likelihood.llr(score)

    def operating_point(self, *, wanted_fpir: float, gallery_size: int) -> OperatingPoint:
        """The threshold of a search among ``gallery_size`` people, with what it rests on."""
        return identification_threshold(self.format, wanted_fpir, gallery_size, self.impostors)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse."""
        return {
            "format": str(self.format),
            "likelihood": self.likelihood.to_json() if self.likelihood else None,
            "impostors": self.impostors.to_json() if self.impostors else None,
            "people": self.people,
            "comparisons": self.comparisons,
            "possible": self.possible,
            "genuine": self.genuine,
            "genuine_people": self.genuine_people,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read one back. Raises KeyError, TypeError, ValueError or InputError."""
        likelihood, impostors = values["likelihood"], values["impostors"]
        return cls(
            TemplateFormat.parse(values["format"]),
            None if likelihood is None else LikelihoodRatio.from_json(likelihood),
            None if impostors is None else Calibration.from_json(impostors),
            *(int(values[name]) for name in ("people", "comparisons", "possible", "genuine", "genuine_people")),
        )


@dataclass(frozen=True, slots=True)
class SiteCalibration:
    """What a site's references say of its scores. ``face`` and ``finger`` are None where there is no engine."""

    face: ModalityCalibration | None
    finger: ModalityCalibration | None
    lookalikes: tuple[LookAlike, ...]
    calibrated_on: datetime

    @classmethod
    def build(
        cls, references: Iterable[Reference], *, face_engine: FaceEngine | None, finger_engine: FingerEngine | None,
        now: datetime, seed: int = 1, wanted_fpir: float = WANTED_FPIR,
    ) -> SiteCalibration:  # fmt: skip
        """Compare a site's references with each other. Raises TemplateError for a damaged one.

        ``now`` is aware and goes into the operating points; ``seed`` draws the pairs; ``wanted_fpir`` says near which
        threshold two people look alike.
        """
        work = calibrating(
            references, face_engine=face_engine, finger_engine=finger_engine, now=now, seed=seed,
            wanted_fpir=wanted_fpir,
        )  # fmt: skip
        while True:
            try:
                next(work)
            except StopIteration as done:
                built: SiteCalibration = done.value
                return built

    def of(self, modality: Modality) -> ModalityCalibration | None:
        """The calibration of one modality."""
        return self.face if modality is Modality.FACE else self.finger

    def weighing(self, modality: Modality) -> Weighing | None:
        """How a modality's scores count at this site; None if it was not looked at.

        Look-alikes are watched whether or not anything is known of the scores' likelihood.
        """
        calibrated = self.of(modality)
        if calibrated is None:
            return None
        try:
            veto = veto_threshold(calibrated.format, calibrated.impostors)
        except ConfigurationError:  # an engine nobody measured: no score of it may add to another
            veto = math.inf
        return Weighing(calibrated.likelihood, veto, self.watched(modality))

    def watched(self, modality: Modality) -> frozenset[str]:
        """The people who look like somebody else here: a match of theirs wants a second factor."""
        pairs = [pair for pair in self.lookalikes if pair.modality is modality]
        return frozenset(pair.first for pair in pairs) | frozenset(pair.second for pair in pairs)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values without templates; ``from_json`` is its inverse."""
        return {
            "face": self.face.to_json() if self.face else None,
            "finger": self.finger.to_json() if self.finger else None,
            "lookalikes": [pair.to_json() for pair in self.lookalikes],
            "calibrated_on": format_time(self.calibrated_on),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read a calibration back. Raises InputError if it is none."""
        try:
            face, finger = values["face"], values["finger"]
            return cls(
                None if face is None else ModalityCalibration.from_json(face),
                None if finger is None else ModalityCalibration.from_json(finger),
                tuple(LookAlike.from_json(item) for item in values["lookalikes"]),
                parse_time(values["calibrated_on"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError("The site's calibration is malformed.", code="calibration_malformed") from error


def calibrating(
    references: Iterable[Reference], *, face_engine: FaceEngine | None, finger_engine: FingerEngine | None,
    now: datetime, seed: int = 1, wanted_fpir: float = WANTED_FPIR,
) -> Generator[None, None, SiteCalibration]:  # fmt: skip
    """``SiteCalibration.build`` in small steps, for a thread that has visitors to look after; returns the result."""
    held = list(references)
    random = np.random.default_rng(seed)
    found: dict[Modality, ModalityCalibration] = {}
    lookalikes: list[LookAlike] = []
    for modality, engine in ((Modality.FACE, face_engine), (Modality.FINGER, finger_engine)):
        if engine is None:
            continue
        mine = usable(held, modality, engine)
        compare: Any = face_scores if modality is Modality.FACE else finger_scores
        scores: SiteScores = yield from compare(mine, engine, random)
        found[modality] = concluded(scores, engine.format, now=now, random=random)
        lookalikes += alike(scores, found[modality], modality, wanted_fpir=wanted_fpir)
        yield
    return SiteCalibration(found.get(Modality.FACE), found.get(Modality.FINGER), tuple(lookalikes), now)


def concluded(
    scores: SiteScores, format: TemplateFormat, *, now: datetime, random: np.random.Generator
) -> ModalityCalibration:
    """What scores say of a modality at a site; ``random`` draws those that the likelihood ratio is fitted on."""
    people, pairs = len(scores.people), len(scores.drawn)
    dataset = f"the site's {people} people, {pairs} pairs"
    impostors = calibrate(format, scores.drawn, calibrated_on=now, dataset=dataset) if pairs else None
    drawn = scores.drawn if pairs <= _FITTED else random.choice(scores.drawn, _FITTED, replace=False)
    return ModalityCalibration(
        format,
        _likelihood(scores, drawn, impostors, format),
        impostors,
        people,
        pairs,
        scores.possible,
        len(scores.genuine),
        len(np.unique(scores.genuine_person)),
    )


def _likelihood(
    scores: SiteScores, impostor: Any, impostors: Calibration | None, format: TemplateFormat
) -> LikelihoodRatio | None:
    """The site's likelihood ratio, pulled towards the shipped one; the shipped one alone without people seen twice."""
    known = shipped(format)
    people = len(np.unique(scores.genuine_person))
    if known is None:
        if people < LEAST_PEOPLE or not len(impostor):
            return None
        return fit(scores.genuine, impostor, support=(people, len(scores.drawn)), source="the site's own people")
    if impostors is None:
        return known.likelihood
    prior = known.likelihood.moved(impostors.surplus(known.impostors, _CURVE_DOWN_TO))
    if not people:
        return prior
    support = max(known.likelihood.genuine, people), max(known.likelihood.impostor, len(scores.drawn))
    source = f"{known.likelihood.source}, and {people} of the site's people"
    prior_weight = PRIOR_PEOPLE / people
    try:
        return fit(scores.genuine, impostor, prior=prior, prior_weight=prior_weight, support=support, source=source)
    except InputError:  # a handful of people of whom two are one: their look-alikes must be listed all the same
        return prior


def alike(
    scores: SiteScores, calibrated: ModalityCalibration, modality: Modality, *, wanted_fpir: float
) -> list[LookAlike]:
    """The pairs of people whose highest score is not clearly below the threshold of a search at this site, or who
    match each other where a number is claimed, most alike first."""
    try:
        point = calibrated.operating_point(wanted_fpir=wanted_fpir, gallery_size=len(scores.people))
        claim = calibrated.operating_point(wanted_fpir=wanted_fpir / USUAL_GALLERY, gallery_size=1)
        near = score_scale(calibrated.format).near
    except (
        ConfigurationError
    ):  # an engine nobody measured, at a site too small for it: there is no threshold to be near
        return []
    chosen = np.flatnonzero(scores.highest >= min(point.threshold - near, claim.threshold))
    return [
        LookAlike(
            scores.people[scores.first[at]],
            scores.people[scores.second[at]],
            modality,
            float(scores.highest[at]),
            point.threshold,
        )
        for at in chosen[np.argsort(-scores.highest[chosen], kind="stable")][:_MOST_LISTED].tolist()
    ]
