"""How often numbers and cards that nobody has may be tried. Owns the count; refuses to remember any number.

Whoever tries one number after the other would learn which ones there are. After a few unknown ones the kiosk looks no
number up for a minute. Whoever types one then is searched for by face or finger instead, whatever the number is: the
answer cannot depend on what was not looked up, and known people are not kept waiting. Only where the policy lets nobody
be searched for (the number goes first) the kiosk sends for help until the minute is over. Numbers and cards are counted
apart: typing keeps no card away.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

MOST_UNKNOWN = 5
WITHIN_S = 600.0
PAUSE_S = 60.0


@dataclass(slots=True)
class UnknownClaims:
    """The times of the last claims that nobody has. ``seconds`` is a clock that never goes back."""

    seconds: Callable[[], float]
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_UNKNOWN))

    def note(self) -> None:
        """There was one more."""
        self._times.append(self.seconds())

    @property
    def too_many(self) -> bool:
        """Whether no claim is looked up at this moment."""
        if len(self._times) < MOST_UNKNOWN:
            return False
        now_s = self.seconds()
        return now_s - self._times[0] < WITHIN_S and now_s - self._times[-1] < PAUSE_S
