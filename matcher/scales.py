"""How each engine's scores lie before a site has measured its own people. Owns the table; refuses to decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.biometrics import TemplateFormat
from models.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """How an engine's scores lie before a site has measured its own people.

    ``floor`` is the lowest threshold ever used uncalibrated. ``steps`` are (FMR, threshold) pairs measured on public
    sets, FMR falling. ``near`` is the distance to the threshold, and ``apart`` the lead over the runner-up, below which
    a match is in doubt.
    """

    floor: float
    steps: tuple[tuple[float, float], ...]
    near: float
    apart: float


# Faces: LFW, 1.4 million impostor pairs, moved up because on people who look more alike the same threshold gives
# tens of times the rate. Fingers: FVC2002 and FVC2004 DB1_B and DB3_B cropped to a kiosk's sensor, 11,520 impostor
# pairs; the last two steps are extrapolated, and the floor lies above every impostor seen (engines.minutiae).
SCALES: Mapping[str, ScoreScale] = {
    "sface": ScoreScale(0.50, ((1e-3, 0.46), (1e-4, 0.50), (1e-5, 0.56), (1e-6, 0.62)), near=0.06, apart=0.08),
    "dlib": ScoreScale(0.945, ((1e-3, 0.945), (1e-4, 0.956), (1e-5, 0.966), (1e-6, 0.975)), near=0.008, apart=0.012),
    "minutiae": ScoreScale(0.20, ((1e-3, 0.115), (1e-4, 0.133), (1e-5, 0.153), (1e-6, 0.173)), near=0.03, apart=0.05),
}


def score_scale(format: TemplateFormat) -> ScoreScale:
    """How the scores of a format lie. Raises ConfigurationError for a format nobody measured."""
    try:
        return SCALES[format.name]
    except KeyError as error:
        raise ConfigurationError(f"No threshold is known for templates of {format}; calibrate it first.") from error
