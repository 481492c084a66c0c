"""Which thresholds hold at this kiosk now, and how scores weigh. Owns the site's calibration and when it is made anew.

The calibration is made of the roster's references whenever these change, in slices of a few hundredths of a second
while nobody is being checked in: no visitor waits for it. Until it is ready the one before holds, and before the first
the figures that ship. Lives in the matcher thread, which owns the engines. Refuses to compare probes and to decide.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from matcher.decision import (
    Identification,
    Weighing,
    identification_threshold,
    shipped_weighing,
    verification_threshold,
)
from matcher.ports import FaceEngine, FingerEngine
from matcher.site import SiteCalibration, calibrating
from models.attendance import ThresholdBasis
from models.biometrics import Modality, OperatingPoint, Reference, TemplateFormat
from models.errors import MusterError
from models.supervision import SitePolicy

log = structlog.get_logger("kiosk.thresholds")

SLICE_S = 0.04  # of work at a time, between two looks for somebody


@dataclass(slots=True)
class SiteThresholds:
    """The site's calibration as far as it is made. Without engines, or before anything was compared: what ships."""

    face_engine: FaceEngine | None = None
    finger_engine: FingerEngine | None = None
    current: SiteCalibration | None = None
    _work: Generator[None, None, SiteCalibration] | None = None

    @property
    def pending(self) -> bool:
        """Whether a newer calibration is being made."""
        return self._work is not None

    def renew(self, references: Sequence[Reference], *, now: datetime, seed: int, wanted_fpir: float) -> None:
        """Begin a calibration of these references; one that was under way is dropped."""
        self._work = calibrating(
            references,
            face_engine=self.face_engine,
            finger_engine=self.finger_engine,
            now=now,
            seed=seed,
            wanted_fpir=wanted_fpir,
        )

    def work(self, seconds: Callable[[], float]) -> None:
        """Go on for ``SLICE_S`` by the clock ``seconds``; references that fail leave the old thresholds."""
        if self._work is None:
            return
        ends = seconds() + SLICE_S
        try:
            next(self._work)  # at least one step, however slow the machine
            while seconds() < ends:
                next(self._work)
        except StopIteration as done:
            self._use(done.value)
        except MusterError as error:
            self._work = None
            log.error("site_not_calibrated", code=error.code, reason=str(error))

    def _use(self, made: SiteCalibration) -> None:
        self.current, self._work = made, None
        for modality in Modality:
            calibrated = made.of(modality)
            if calibrated is not None:
                log.info(
                    "site_calibrated",
                    modality=modality.value,
                    people=calibrated.people,
                    pairs=calibrated.comparisons,
                    watched=len(made.watched(modality)),
                )

    def point(
        self, modality: Modality, format: TemplateFormat, policy: SitePolicy, *, people: int, claimed: bool
    ) -> OperatingPoint:
        """The operating point of a search among ``people``, or of comparing with one person who claimed a number."""
        calibrated = self.current.of(modality) if self.current is not None else None
        impostors = calibrated.impostors if calibrated is not None else None
        if claimed:
            return verification_threshold(format, policy.verification_fmr, impostors)
        return identification_threshold(format, policy.wanted_fpir, people, impostors)

    def weighing(self, modality: Modality, format: TemplateFormat) -> Weighing | None:
        """How scores of a modality count here."""
        if self.current is not None and self.current.of(modality) is not None:
            return self.current.weighing(modality)
        return shipped_weighing(format)


def basis_of(answer: Identification) -> ThresholdBasis:
    """What an answer rests on, for the evidence."""
    point = answer.operating_point
    normalised = answer.best is not None and answer.best.similarity is not None
    return ThresholdBasis(
        scale="spreads" if normalised else "similarity",
        calibrated_on=point.dataset,
        target_fmr=point.target_fmr,
        llr=answer.llr,
        doubts=tuple(sorted(doubt.value for doubt in answer.doubts)),
    )
