"""Whether a face came up to the camera, or was suddenly there. Owns the history of one face's size; decides nothing.

Who walks up is seen small first and grows; a sheet or a screen is raised from below, brought from a side, or simply
held there. But people who were waiting are simply there, too. That says too little to refuse anybody, so this is
recorded beside the witnesses, neither demanded nor able to object.
"""

from __future__ import annotations

from models.attendance import PresentationEvidence, WitnessVerdict

NAME = "approach"
_GREW = 1.25  # against the smallest size seen
_WITHIN_S = 6.0
_LOST_S = 1.5  # without a face: the next one is another visitor's
_TOOK_S = 0.3


class Approach:
    """Remembers how wide the face was, as a share of the picture, through the last seconds. Not safe across threads."""

    def __init__(self) -> None:
        self._sizes: list[tuple[float, float]] = []

    def note(self, width_share: float | None, t_s: float) -> None:
        """One look at ``t_s``: how wide the face was, None if there was none."""
        if self._sizes and t_s - self._sizes[-1][0] > _LOST_S:
            self._sizes = []
        if width_share is not None and (not self._sizes or t_s > self._sizes[-1][0]):
            self._sizes = [item for item in self._sizes if t_s - item[0] <= _WITHIN_S] + [(t_s, width_share)]

    def growth(self) -> float:
        """How many times larger the face became, from its smallest to its largest after that, not in one step."""
        grew = 1.0
        for place, (began_s, share) in enumerate(self._sizes):
            later = [other for at_s, other in self._sizes[place:] if at_s - began_s >= _TOOK_S]
            grew = max(grew, max(later, default=share) / share)
        return grew

    def evidence(self) -> PresentationEvidence:
        """Passed if the face came nearer, else undecided: it may have been there already."""
        grew = self.growth()
        verdict = WitnessVerdict.PASSED if grew >= _GREW else WitnessVerdict.UNDECIDED
        return PresentationEvidence(NAME, verdict, {"looks": float(len(self._sizes)), "growth": round(grew, 3)})
