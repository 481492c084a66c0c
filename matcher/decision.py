"""From a candidate list to an answer. Owns thresholds and doubt; refuses devices, policies and persons' names.

"Unknown" is an answer, not a failure. A search of N people by a stranger raises a false alarm about N times as often
as one comparison does, so the threshold of identification follows from the wanted FPIR and the gallery's size:
FMR = 1 - (1 - FPIR)^(1/N), which is FPIR/N for small rates (ISO/IEC 19795-1; Grother and Phillips, 2004).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from matcher.calibration import Calibration
from matcher.likelihood import LikelihoodRatio
from matcher.scales import SCALES, score_scale
from matcher.shipped import shipped
from models.biometrics import Candidate, CandidateList, OperatingPoint, TemplateFormat
from models.errors import ConfigurationError, InputError

UNCALIBRATED = "uncalibrated"
VETO_FMR = 1e-3  # what a modality must be worth by itself before another may add to it


class Answer(StrEnum):
    """What a comparison or a search ends in."""

    MATCH = "match"
    UNKNOWN = "unknown"


class Doubt(StrEnum):
    """Why a match should not stand alone."""

    NEAR_THRESHOLD = "near_threshold"
    RUNNER_UP_CLOSE = "runner_up_close"
    UNCALIBRATED = "uncalibrated"
    LOOK_ALIKE = "look_alike"  # the person is enrolled at a site where somebody looks like that person


@dataclass(frozen=True, slots=True)
class Weighing:
    """How a modality's scores count here: their log-likelihood ratios, the score below which this modality forbids what
    another one would allow (the veto), and the people (opaque ids) who look like somebody else.

    ``likelihood`` is None where nothing is known of the scores: they add to nothing then, and people are watched still.
    """

    likelihood: LikelihoodRatio | None
    veto: float
    watched: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer with what it rests on. ``person_id`` is None for unknown; ``best`` is kept for the evidence only.

    ``llr`` is the best candidate's log-likelihood ratio, None where nothing is known of these scores; ``vetoed`` says
    that the score is too low, or too much like somebody else's, to add up with another modality's.
    """

    answer: Answer
    best: Candidate | None
    runner_up: Candidate | None
    operating_point: OperatingPoint
    doubts: frozenset[Doubt] = frozenset()
    llr: float | None = None
    vetoed: bool = True

    @property
    def person_id(self) -> str | None:
        """Who it is; None for unknown."""
        return self.best.person_id if self.matched and self.best else None

    @property
    def matched(self) -> bool:
        """Whether somebody was recognised."""
        return self.answer is Answer.MATCH

    @property
    def score(self) -> float | None:
        """The best candidate's score, also below the threshold; None without a candidate."""
        return self.best.score if self.best else None

    @property
    def second_factor_wanted(self) -> bool:
        """Whether this match is close to the threshold or to another person."""
        return self.matched and bool(self.doubts - {Doubt.UNCALIBRATED})


def required_fmr(wanted_fpir: float, gallery_size: int) -> float:
    """The false match rate at which a stranger's search of ``gallery_size`` people alarms at ``wanted_fpir``."""
    if not 0 < wanted_fpir < 1:
        raise ConfigurationError(f"The wanted FPIR is a fraction between 0 and 1; {wanted_fpir} is not.")
    if gallery_size < 0:
        raise InputError(f"A gallery cannot hold {gallery_size} people.")
    return -math.expm1(math.log1p(-wanted_fpir) / max(1, gallery_size))


def identification_threshold(
    format: TemplateFormat, wanted_fpir: float, gallery_size: int, calibration: Calibration | None = None
) -> OperatingPoint:
    """The operating point of a search among ``gallery_size`` people.

    A calibration that has seen too few pairs for the wanted rate never lowers the uncalibrated threshold. It raises it
    where the site's people surely score higher among each other than those it was measured on, and only there: that too
    few pairs show a rate, because of one pair of twins, is no reason to refuse everybody. Raises ConfigurationError for
    an impossible rate or an unknown format, InputError for a calibration of another format.
    """
    fmr = required_fmr(wanted_fpir, gallery_size)
    if calibration is not None and calibration.format != format:
        raise InputError(f"A calibration of {calibration.format} says nothing of {format}.")
    measured = calibration.threshold(fmr) if calibration is not None else None
    cautious = _cautious(format, fmr, calibration) if measured is None or format.name in SCALES else None
    if cautious is not None and (measured is None or measured >= cautious.threshold):
        return cautious
    assert calibration is not None and measured is not None  # noqa: S101 - else the cautious one was returned
    return OperatingPoint(format, measured, fmr, calibration.calibrated_on, calibration.dataset)


def _cautious(format: TemplateFormat, fmr: float, calibration: Calibration | None) -> OperatingPoint:
    """What holds until a site has shown that less is enough: the shipped threshold, or one that was raised."""
    threshold = uncalibrated_threshold(format, fmr)
    if calibration is not None and (raised := _raised(format, fmr, calibration)) > threshold:
        return OperatingPoint(format, raised, fmr, None, f"{UNCALIBRATED}, raised after {calibration.dataset}")
    return OperatingPoint(format, threshold, fmr, None, UNCALIBRATED)


def verification_threshold(
    format: TemplateFormat, wanted_fmr: float, calibration: Calibration | None = None
) -> OperatingPoint:
    """The operating point of comparing with one claimed person: a search among one."""
    return identification_threshold(format, wanted_fmr, 1, calibration)


def uncalibrated_threshold(format: TemplateFormat, fmr: float) -> float:
    """The conservative threshold for an FMR: over log FMR between the steps, held beyond, never below the floor."""
    scale = score_scale(format)
    rarity = [-math.log(step) for step, _ in scale.steps]
    return max(scale.floor, float(np.interp(-math.log(fmr), rarity, [threshold for _, threshold in scale.steps])))


def _raised(format: TemplateFormat, fmr: float, calibration: Calibration) -> float:
    """What was measured elsewhere, moved up by as much as the site's own people surely score higher."""
    known = shipped(format)
    curve = known.impostors if known is not None else score_scale(format).steps
    expected = _at_rate(curve, fmr)
    surplus = calibration.surplus((*curve, (fmr, expected)), fmr)
    return expected + surplus if surplus > 0 else -math.inf


def _at_rate(curve: Sequence[tuple[float, float]], fmr: float) -> float:
    """The score of a rate, over log FMR between the measured (FMR, score) pairs and held beyond them."""
    return float(np.interp(-math.log(fmr), [-math.log(rate) for rate, _ in curve], [score for _, score in curve]))


def shipped_weighing(format: TemplateFormat) -> Weighing | None:
    """How scores count before a site compared its own people; None for an engine that nobody measured."""
    known = shipped(format)
    return None if known is None else Weighing(known.likelihood, veto_threshold(format))


def veto_threshold(format: TemplateFormat, calibration: Calibration | None = None) -> float:
    """The score that a modality must reach for another one to make up for the rest: that of ``VETO_FMR``.

    So whoever holds a perfect copy of a face gets no further with a wrong finger than once in ``1 / VETO_FMR`` times.
    """
    cautious, known = _at_rate(score_scale(format).steps, VETO_FMR), shipped(format)
    if known is not None:  # a person's score: the best of several impressions is higher than that of one
        cautious = max(cautious, _at_rate(known.impostors, VETO_FMR))
    return cautious if calibration is None else max(cautious, _raised(format, VETO_FMR, calibration))


def second_factor_point(
    alone: OperatingPoint, weighing: Weighing | None, other: Identification | None
) -> OperatingPoint:
    """The operating point of a second factor, after another modality matched the same person.

    Log-likelihood ratios of face and finger add up (they are independent), so the second factor must bring what the
    first lacks of the wanted rate: -log(FMR). It is never asked for more than it would be ``alone``, and never for less
    than its veto. A person who may be taken for somebody else, by either modality, gains nothing.
    """
    if weighing is None or weighing.likelihood is None or other is None or other.llr is None:
        return alone
    if alone.target_fmr is None or not other.matched or other.person_id in weighing.watched:
        return alone
    if other.doubts & {Doubt.LOOK_ALIKE, Doubt.RUNNER_UP_CLOSE}:
        return alone
    wanted = weighing.likelihood.score_at(-math.log(alone.target_fmr) - other.llr)
    threshold = max(wanted, weighing.veto)
    if threshold >= alone.threshold:
        return alone
    return replace(alone, threshold=threshold, dataset=f"{alone.dataset}, beside another modality")


def decide(
    candidates: CandidateList, operating_point: OperatingPoint, *, weighing: Weighing | None = None
) -> Identification:
    """The answer for a candidate list (best first), with its doubts.

    A runner-up counts as close only when it is somebody else and would itself come near the threshold.
    """
    best = candidates[0] if candidates else None
    runner_up = candidates[1] if len(candidates) > 1 else None
    llr, vetoed = None, True
    if best is not None and weighing is not None:
        llr = None if weighing.likelihood is None else weighing.likelihood.llr(best.score)
        vetoed = best.person_id in weighing.watched or not best.score >= weighing.veto
    if best is None or not best.score >= operating_point.threshold:
        return Identification(Answer.UNKNOWN, best, runner_up, operating_point, llr=llr, vetoed=vetoed)
    doubts = _doubts(best, runner_up, operating_point)
    if weighing is not None and best.person_id in weighing.watched:
        doubts |= {Doubt.LOOK_ALIKE}
    return Identification(Answer.MATCH, best, runner_up, operating_point, doubts, llr, vetoed)


def decide_verification(
    candidate: Candidate | None, operating_point: OperatingPoint, *, weighing: Weighing | None = None
) -> Identification:
    """The answer for one claimed person; unknown if that person has no reference."""
    return decide(() if candidate is None else (candidate,), operating_point, weighing=weighing)


def _doubts(best: Candidate, runner_up: Candidate | None, point: OperatingPoint) -> frozenset[Doubt]:
    scale = SCALES.get(point.format.name)
    near, apart = (scale.near, scale.apart) if scale else (0.06, 0.08)
    doubts = set()
    if point.calibrated_on is None:
        doubts.add(Doubt.UNCALIBRATED)
    if best.score < point.threshold + near:
        doubts.add(Doubt.NEAR_THRESHOLD)
    if runner_up is not None and best.score - runner_up.score < apart and runner_up.score >= point.threshold - near:
        doubts.add(Doubt.RUNNER_UP_CLOSE)
    return frozenset(doubts)
