"""The presentation check of one visit: a challenge drawn at random and the witnesses that watch it being obeyed.

Owns the drawing. Refuses to judge: the witnesses of ``matcher.presentation`` do.
"""

from __future__ import annotations

import random

from kiosk.face_step import LivePresentation
from models.errors import ConfigurationError


def draw_check() -> LivePresentation:
    """A fresh check with a challenge that nobody could know before."""
    raise ConfigurationError(f"{random.SystemRandom().random()}")
