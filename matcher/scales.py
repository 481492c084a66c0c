"""How each engine's scores lie before a site has measured its own people. Owns the table; refuses to decide."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from models.biometrics import TemplateFormat
from models.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """How an engine's scores lie before a site has measured its own people.

    ``floor`` is the lowest threshold ever used uncalibrated. ``steps`` are (FMR, threshold) pairs measured on public
    sets, FMR falling. ``near`` is the distance to the threshold, and ``apart`` the lead over the runner-up, below which
    a match is in doubt. ``normalised`` says whether these are scores told in spreads (``matcher.cohort``) or what the
    engine itself calls similarity.
    """

    floor: float
    steps: tuple[tuple[float, float], ...]
    near: float
    apart: float
    normalised: bool = False

    def threshold(self, fmr: float) -> float:
        """The threshold for an FMR: over log FMR between the steps, held beyond, never below the floor."""
        rarity = [-math.log(step) for step, _ in self.steps]
        steps = [threshold for _, threshold in self.steps]
        return max(self.floor, float(np.interp(-math.log(fmr), rarity, steps)))


# Faces, normalised: LFW, one photograph against the middle of three references of each of 8 to 229 people; there the
# rates are reached at 3.6, 4.3 and 5.1 at the most (1e-6: drawn out). Moved up by 0.45, because among people who look
# more alike the same score comes up to three times as often (docs/accuracy/faces.md).
# Fingers: FVC2002 and FVC2004 DB1_B and DB3_B cropped to a kiosk's sensor, 11,520 impostor pairs; the last two steps
# are extrapolated, and the floor lies above every impostor seen (engines.minutiae).
SCALES: dict[str, ScoreScale] = {
    "sface": ScoreScale(
        4.5, ((1e-3, 4.0), (1e-4, 4.75), (1e-5, 5.5), (1e-6, 6.1)), near=0.6, apart=1.0, normalised=True
    ),
    "dlib": ScoreScale(0.945, ((1e-3, 0.945), (1e-4, 0.956), (1e-5, 0.966), (1e-6, 0.975)), near=0.008, apart=0.012),
    "minutiae": ScoreScale(0.18, ((1e-3, 0.097), (1e-4, 0.111), (1e-5, 0.126), (1e-6, 0.140)), near=0.03, apart=0.05),
}

# Where two templates are compared with nobody else at hand: the engine's own cosine, LFW's 1.4 million impostor pairs,
# moved up because on people who look more alike the same cosine is reached tens of times as often.
SIMILARITIES: dict[str, ScoreScale] = {
    "sface": ScoreScale(0.50, ((1e-3, 0.46), (1e-4, 0.50), (1e-5, 0.56), (1e-6, 0.62)), near=0.06, apart=0.08),
    "dlib": SCALES["dlib"],
}

_SHIPPED = frozenset(SCALES)


def score_scale(format: TemplateFormat) -> ScoreScale:
    """How the scores of a format lie. Raises ConfigurationError for a format nobody measured."""
    try:
        return SCALES[format.name]
    except KeyError as error:
        raise ConfigurationError(f"No threshold is known for templates of {format}; calibrate it first.") from error


def declare_scale(format: TemplateFormat, scale: ScoreScale) -> None:
    """Take in how the scores of a site's own engine lie, as its licensee measured them. Never replaces a shipped one.

    Raises ConfigurationError for the name of an engine that is shipped.
    """
    if format.name in _SHIPPED:
        raise ConfigurationError(f"How {format.name} scores lie is known; it cannot be declared.")
    for scales in (SCALES, SIMILARITIES):
        scales[format.name] = scale


def similarity_threshold(format: TemplateFormat, fmr: float) -> float:
    """The conservative threshold of ``FaceEngine.compare`` for an FMR; never for the scores of a gallery.

    Raises ConfigurationError for a format nobody measured.
    """
    scale = SIMILARITIES.get(format.name)
    if scale is None:
        raise ConfigurationError(f"No similarity is known at which templates of {format} match; calibrate it first.")
    return scale.threshold(fmr)
