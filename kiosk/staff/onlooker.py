"""Whether it is still the signed-in face that stands at the kiosk. Refuses to say who else it is.

A staff member may step aside, look down or stand beside somebody; only another face, seen again and again with the own
one never between, ends a session. Without a face of the own to compare with nobody can say, and the two minutes without
a touch have to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from kiosk.looking import Look
from matcher.ports import FaceEngine
from matcher.scales import similarity_threshold
from models.biometrics import Template

LONG_S = 30.0
LONG_WITH_SOMEBODY_S = 90.0  # while a person is vouched for or enrolled, it is that person who stands in front
_EVERY_S = 1.0
_SEEN_LATELY_S = 5.0  # a stranger's face that has gone again does not add up
_OWN_FMR = 1e-3


@dataclass(slots=True)
class Onlooker:
    """Looks now and then. ``own`` are templates of the signed-in face; ``seconds`` never go back."""

    engine: FaceEngine
    own: Sequence[Template]
    glance: Callable[[], Look | None]
    seconds: Callable[[], float]
    with_somebody: bool = False
    _looked_s: float = -_EVERY_S
    _since_s: float | None = None
    _last_s: float = 0.0

    def __call__(self) -> bool:
        """Look, if it is time to; whether another face has been there for long."""
        now_s = self.seconds()
        if now_s - self._looked_s < _EVERY_S:
            return False
        self._looked_s = now_s
        seen = self.glance()
        if self._since_s is not None and now_s - self._last_s > _SEEN_LATELY_S:
            self._since_s = None
        if seen is None or seen.face is None or not seen.good:
            return False
        return self._other(self.engine.extract(seen.frame.pixels, seen.face), now_s)

    def forget(self) -> None:
        """Begin anew, after the own face or finger was compared again or somebody was enrolled."""
        self._since_s = None

    def _other(self, template: Template, now_s: float) -> bool:
        least = similarity_threshold(self.engine.format, _OWN_FMR)
        if max(self.engine.compare(template, mine) for mine in self.own) >= least:
            self._since_s = None
            return False
        self._last_s = now_s
        if self._since_s is None:
            self._since_s = now_s
        return now_s - self._since_s >= (LONG_WITH_SOMEBODY_S if self.with_somebody else LONG_S)
