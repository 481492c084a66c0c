"""What is known of each engine's scores before a site has compared its own people. Owns the figures and their source.

Refuses to decide: ``matcher.scales`` holds the thresholds in force, which are more cautious than these figures. The
scores are those of ``Candidate.score``: a probe against a person, not one picture against another.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from matcher.likelihood import LikelihoodRatio
from models.biometrics import TemplateFormat


@dataclass(frozen=True, slots=True)
class Shipped:
    """``likelihood`` of a person's score, and ``impostors``: (FMR, score) pairs as measured, FMR falling."""

    likelihood: LikelihoodRatio
    impostors: tuple[tuple[float, float], ...]


# The impostor comparisons that a shipped calibration may speak for elsewhere: what was measured on other people's
# pictures holds at a site within a factor, so that rarer rates than about three in ten thousand are not claimed.
TRANSFERS = 10_000

_LFW = "Labeled Faces in the Wild, three references a person"
_FVC = "FVC2002 and FVC2004 DB1_B and DB3_B cut to a kiosk's sensor, three impressions a finger"

SHIPPED: Mapping[str, Shipped] = {
    "sface": Shipped(
        LikelihoodRatio(3.80, -12.83, 729, TRANSFERS, _LFW),
        ((1e-1, 1.46), (1e-2, 2.64), (1e-3, 3.52), (1e-4, 4.26), (1e-5, 4.87)),
    ),
    "minutiae": Shipped(
        LikelihoodRatio(142.6, -14.75, 216, TRANSFERS, _FVC),
        ((1e-1, 0.070), (1e-2, 0.087), (1e-3, 0.102), (1e-4, 0.122)),
    ),
}


def shipped(format: TemplateFormat) -> Shipped | None:
    """What ships for a format; None if nobody measured it."""
    return SHIPPED.get(format.name)
