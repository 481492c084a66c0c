"""Where the staff's desk meets the station: the port that it serves through and the tools that it is handed.

Owns the port. Refuses to know what staff may do: that is the desk's (``kiosk.staff``). The station calls ``serve`` from
the matcher thread, between visits (the start page, a result, the help page), never while somebody is being compared;
until it returns the kiosk serves nobody else. A desk that waits must ask ``hear`` again and again, so that messages of
other threads are answered and the station can stop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from kiosk.checkin import CheckIn, CheckInResult
from kiosk.config import KioskConfig
from kiosk.devices import CameraReader
from kiosk.looking import Look
from kiosk.recording import Recorder
from kiosk.roster import Roster, SitePerson
from kiosk.screen import Request, StaffActed
from kiosk.visit import Visit
from matcher.gallery import Gallery
from matcher.ports import FaceEngine


@dataclass(frozen=True, slots=True)
class StationTools:
    """What a desk may use while it serves, in the matcher thread only.

    ``checkin`` has the face step, the finger step, the journal, the screen and the clock. ``recorder``
    makes and stores an event; ``tell`` announces a result, ``wake`` any other event, so that it is sent soon.
    ``hear(wait_s)`` is the next thing asked for on the screen; ``glance`` looks at the newest frame; ``fresh`` is the
    newest roster with its references in the gallery; ``visit`` begins one for a claimed person or for anybody.
    Each of ``hear`` and ``visit(...).watch`` raises ShuttingDown once the station stops.
    """

    checkin: CheckIn
    recorder: Recorder
    config: KioskConfig
    gallery: Gallery
    engine: FaceEngine | None
    camera: CameraReader | None
    fresh: Callable[[], Roster]
    hear: Callable[[float], Request | None]
    glance: Callable[[], Look | None]
    visit: Callable[[SitePerson | None], Visit]
    tell: Callable[[CheckInResult], None]
    wake: Callable[[], None]


class StaffDesk(Protocol):
    """What staff do at a kiosk."""

    def serve(self, request: StaffActed, tools: StationTools) -> Request | None:
        """Everything from a staff member's first act to their leaving; what was asked for instead, if anything.

        A Claim or HelpAsked that is returned begins a visit; None returns to the start page.
        """
        ...


class NoStaffDesk:
    """A kiosk without one: acts of staff lead nowhere."""

    def serve(self, request: StaffActed, tools: StationTools) -> Request | None:
        """Nothing happens."""
        return None
