"""One visit as it goes: who was claimed, how many tries are left, how long each part took, and the ways to break off.

Owns the counters and the stopwatch. Refuses to know a device or an engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from kiosk.clock import Clock
from kiosk.roster import Roster, SitePerson
from kiosk.screen import Chosen, Request, Screen, StaffActed
from kiosk.verdict import Finding, Found
from matcher.presentation import TriesBefore
from models.attendance import CheckInOutcome, Evidence, Method
from models.biometrics import Template

if TYPE_CHECKING:
    from kiosk.checkin import CheckInResult


class BrokenOff(Exception):  # noqa: N818 - a person's wish, not an error
    """The person pressed something that ends this visit; ``request`` says what.

    ``result`` is what had to be recorded nevertheless, because something was tried before.
    """

    def __init__(self, request: Request) -> None:
        super().__init__(type(request).__name__)
        self.request = request
        self.result: CheckInResult | None = None


class ShuttingDown(Exception):  # noqa: N818 - the station's wish, not an error
    """The station stops; the visit leaves no event."""


@dataclass(frozen=True, slots=True)
class Identified:
    """Who was identified in a visit, and by what; every errand of the visit carries it.

    ``outcome`` is what the reporting rule says of a report in person now.
    """

    person: SitePerson
    method: Method
    evidence: tuple[Evidence, ...]
    outcome: CheckInOutcome


@dataclass(slots=True)
class Visit:
    """The state of one visit. ``roster`` is the version that the visit began with.

    ``finger_first``: it begins with a finger, which lies on the sensor already or, if ``finger_asked``, is asked for.
    ``probe`` is a template of the face that was compared,
    for as long as the visit lasts; ``identified`` is set once somebody was, ``first_event`` once
    that was recorded, ``closed`` once nothing more may be.
    ``before`` is what the tries so far leave to the next presentation check. ``face`` and ``finger`` are what the tries
    have come to so far, kept here for a visit that is broken off.
    """

    roster: Roster
    claimed: SitePerson | None
    tries_left: int
    screen: Screen
    clock: Clock
    stopping: Callable[[], bool] = lambda: False
    timings_ms: dict[str, float] = field(default_factory=dict)
    first_good_ns: int | None = None
    before: TriesBefore = field(default_factory=TriesBefore)
    finger_first: bool = False
    finger_asked: bool = False
    probe: Template | None = None
    identified: Identified | None = None
    first_event: str | None = None
    closed: bool = False
    face: Found = field(default_factory=lambda: Found(Finding.SKIPPED))
    finger: Found = field(default_factory=lambda: Found(Finding.SKIPPED))

    @property
    def claimed_id(self) -> str | None:
        """The claimed person's id."""
        return self.claimed.person_id if self.claimed else None

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """What was compared or checked so far."""
        return self.face.evidence + self.finger.evidence

    def watch(self) -> None:
        """Raise BrokenOff if the person asked for something, ShuttingDown if the station ends.

        Nothing is offered to choose while somebody is compared: a choice is a late tap on an earlier page.
        """
        request = self.hear(0.0)
        late = isinstance(request, Chosen) or (isinstance(request, StaffActed) and request.answers)
        if request is not None and not late:
            raise BrokenOff(request)

    def hear(self, wait_s: float) -> Request | None:
        """What was asked for on the screen, within ``wait_s``. Raises ShuttingDown if the station ends."""
        self.end_if_stopping()
        return self.screen.next_request(wait_s)

    def end_if_stopping(self) -> None:
        """Raise ShuttingDown if the station ends."""
        if self.stopping():
            raise ShuttingDown

    def good_frame(self, *, taken_ns: int | None = None) -> None:
        """The clock of the visit's response time starts with the first good frame, at ``taken_ns`` (default: now)."""
        if self.first_good_ns is None:
            self.first_good_ns = self.clock.monotonic_ns() if taken_ns is None else taken_ns

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add what the block takes to ``timings_ms[part]``."""
        started = self.clock.monotonic_ns()
        try:
            yield
        finally:
            spent_ms = (self.clock.monotonic_ns() - started) / 1e6
            self.timings_ms[part] = self.timings_ms.get(part, 0.0) + spent_ms
