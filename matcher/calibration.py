"""What a site's own impostor scores allow to be said of a threshold. Owns the statistics; refuses to promise more.

A threshold measured on other people's faces does not travel, so a site measures on its own: scores between references
of different people. From n such scores a false match rate below 3/n cannot be claimed at 95 % (rule of three: Hanley
and Lippman-Hand, JAMA 1983; ISO/IEC 19795-1 recommends it), and with k matches among them the upper limit is that of
the Poisson distribution. Scores of one person's references depend on each other, so only one score per pair of people
counts: the highest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from models.attendance import format_time, parse_time
from models.biometrics import TemplateFormat
from models.errors import InputError

KEPT_SCORES = 1000  # of the highest: enough for every threshold that is worth calibrating
ODD_PAIRS = 1  # twins, or one person who was enrolled twice, say nothing of everybody else
ODD_SHARE = 0.1  # pairs for each person, where that is more: such people are watched, and nobody is refused for them
_Z95 = 1.6449  # one-sided 95 % of the normal distribution


@dataclass(frozen=True, slots=True)
class Calibration:
    """The highest impostor scores of a site, best first, out of ``comparisons`` pairs of different people.

    Only scores are kept, never whose. ``dataset`` says in a few words what was measured on.
    """

    format: TemplateFormat
    highest: tuple[float, ...]
    comparisons: int
    calibrated_on: datetime
    dataset: str

    def threshold(self, fmr: float) -> float | None:
        """The lowest threshold whose false match rate is below ``fmr`` at 95 %; None if the pairs are too few.

        A match is a score at or above the threshold. Raises InputError if ``fmr`` is not between 0 and 1.
        """
        if not 0 < fmr < 1:
            raise InputError(f"A false match rate lies between 0 and 1; {fmr} does not.")
        allowed = -1
        while allowed + 1 < len(self.highest) and upper_rate(allowed + 1, self.comparisons) <= fmr:
            allowed += 1
        if allowed < 0:
            return None
        return float(np.nextafter(self.highest[allowed], math.inf))

    def lowest_fmr(self) -> float:
        """The smallest false match rate that this many pairs can support."""
        return upper_rate(0, self.comparisons)

    def surplus(self, expected: Sequence[tuple[float, float]], fmr: float) -> float:
        """How much higher these people score than ``expected`` at the least; 0 unless that is sure at 95 %.

        ``expected`` are (FMR, threshold) pairs measured elsewhere. The surplus is the smallest distance that they must
        all be moved up by, down to the rate ``fmr``, so that the matches counted here do not refute them: their lower
        95 % limit is then not above the rate. Rates that these few or these many pairs cannot speak of are left out.
        A few odd pairs (``ODD_PAIRS``, ``ODD_SHARE``) move nothing: the scores depend on each other, and one person
        who was enrolled twice would else raise the threshold beyond everybody's reach.
        """
        moved, odd = 0.0, max(ODD_PAIRS, round(ODD_SHARE * _people_of(self.comparisons)))
        for rate, threshold in expected:
            if rate < fmr or (rate * self.comparisons > len(self.highest) / 2 and len(self.highest) < self.comparisons):
                continue
            matches = odd
            while matches < len(self.highest) and lower_rate(matches + 1, self.comparisons) <= rate:
                matches += 1
            if matches < len(self.highest):  # one more than the rate allows: it must lie below the threshold
                moved = max(moved, float(np.nextafter(self.highest[matches], math.inf)) - threshold)
        return moved

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse."""
        return {
            "format": str(self.format),
            "highest": list(self.highest),
            "comparisons": self.comparisons,
            "calibrated_on": format_time(self.calibrated_on),
            "dataset": self.dataset,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read a calibration back. Raises InputError if it is not one."""
        try:
            highest = tuple(float(score) for score in values["highest"])
            calibration = cls(
                TemplateFormat.parse(values["format"]),
                highest,
                int(values["comparisons"]),
                parse_time(values["calibrated_on"]),
                str(values["dataset"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError("The calibration is malformed.", code="calibration_malformed") from error
        if list(highest) != sorted(highest, reverse=True) or not all(math.isfinite(score) for score in highest):
            raise InputError("The scores of the calibration are not numbers, best first.", code="calibration_malformed")
        if calibration.comparisons < len(highest):
            raise InputError("The calibration has more scores than comparisons.", code="calibration_malformed")
        return calibration


def calibrate(
    format: TemplateFormat, impostor_scores: ArrayLike, *, calibrated_on: datetime, dataset: str
) -> Calibration:
    """A calibration from one score per pair of different people. Raises InputError without a score or with a NaN."""
    scores = np.asarray(impostor_scores, np.float64).ravel()
    if scores.size == 0:
        raise InputError("There are no impostor scores to calibrate on.")
    if not np.isfinite(scores).all():
        raise InputError("One of the impostor scores is not a number.")
    highest = np.sort(scores)[::-1][:KEPT_SCORES]
    return Calibration(format, tuple(highest.tolist()), int(scores.size), calibrated_on, dataset)


def upper_rate(matches: int, comparisons: int) -> float:
    """The upper 95 % limit of a rate after ``matches`` in ``comparisons``; 3/n for none.

    Poisson limit with the chi-square quantile in the approximation of Wilson and Hilferty (1931), within 1.1 %.
    """
    if comparisons <= 0:
        return 1.0
    if matches == 0:
        return min(1.0, 3.0 / comparisons)
    count = matches + 1
    limit = count * (1 - 1 / (9 * count) + _Z95 / (3 * math.sqrt(count))) ** 3
    return min(1.0, limit / comparisons)


def lower_rate(matches: int, comparisons: int) -> float:
    """The lower 95 % limit of a rate after ``matches`` in ``comparisons``; 0 for none.

    Poisson limit as in ``upper_rate``, within 3 % from two matches on, and exact for one.
    """
    if comparisons <= 0 or matches <= 0:
        return 0.0
    if matches == 1:
        return min(1.0, -math.log(0.95) / comparisons)
    limit = matches * (1 - 1 / (9 * matches) - _Z95 / (3 * math.sqrt(matches))) ** 3
    return min(1.0, limit / comparisons)


def _people_of(comparisons: int) -> float:
    """How many people make this many pairs."""
    return (1 + math.sqrt(1 + 8 * comparisons)) / 2
