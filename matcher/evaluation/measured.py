"""What one report page is about: the measurements, the thresholds in force, and how to repeat it all.

Owns the hand-over from an evaluation to ``matcher.evaluation.report.write_report``; refuses statistics and sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version

from matcher.evaluation.results import Acquisition, ComparisonSet, SearchSet
from models.biometrics import Modality
from models.errors import InputError

TOLERATED_FACTOR = 3.0  # how far above its target a rate may lie before a threshold counts as unsafe, unless told


class ThresholdUse(StrEnum):
    """What a threshold decides: one comparison (judged by FMR), or a search of the gallery (judged by FPIR)."""

    VERIFY = "verify"
    IDENTIFY = "identify"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdInForce:
    """A threshold that decides at the site, and what it was set for.

    ``target`` is the wanted FMR (verify) or FPIR (identify), a fraction; ``tolerated`` the rate from which on the
    threshold counts as unsafe, three times the target unless told; ``origin`` a code that the page explains:
    "site" (calibrated on this site's people), "folder" (on another measurement), "default" (shipped), "this" (set on
    the very comparisons reported, so its error is flattered). Raises InputError for impossible figures.
    """

    use: ThresholdUse
    threshold: float
    target: float
    origin: str
    tolerated: float = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.threshold) or not 0 < self.target < 1:
            raise InputError("A threshold in force is a finite score with a target rate between 0 and 1.")
        if not 0 <= self.tolerated <= 1:
            raise InputError("A tolerated rate lies between 0 and 1.")
        if not self.tolerated:
            object.__setattr__(self, "tolerated", min(TOLERATED_FACTOR * self.target, 1.0))


@dataclass(frozen=True, kw_only=True, eq=False)
class Measurement:
    """One engine measured on one collection of samples.

    ``engine`` is its name with the template format; ``collection`` a label of what it was measured on; ``persons_are``
    "people" or "fingers": what a label in the sets stands for; ``transfer`` as ``muster evaluate face --also`` has it.
    """

    modality: Modality
    engine: str
    collection: str
    comparisons: ComparisonSet
    acquisition: Acquisition | None = None
    searches: SearchSet | None = None
    thresholds: tuple[ThresholdInForce, ...] = ()
    transfer: Mapping[str, object] | None = None
    persons_are: str = "people"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How to repeat a measurement: the command line, the seed, versions, and the SHA-256 of each weights file."""

    command: str
    seed: int
    version: str
    measured_at: datetime
    weights: Mapping[str, str] = field(default_factory=dict)


def installed_version() -> str:
    """The version of Muster that runs, or "not installed" where it runs from a folder of its sources."""
    try:
        return version("muster")
    except PackageNotFoundError:
        return "not installed"


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportInput:
    """Everything ``write_report`` needs. ``synthetic`` puts that word on the page wherever a figure stands.

    ``site`` is the label of the site where it is one site's report, else None. Raises InputError for no measurement.
    """

    measurements: tuple[Measurement, ...]
    provenance: Provenance
    site: str | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        if not self.measurements:
            raise InputError("A report needs at least one measurement.")
