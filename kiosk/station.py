"""The matcher thread: waits for people, walks each visit down the line, shows how it ended, waits for the next.

Owns the engines (none of them is safe across threads) and the order of visits. Refuses to touch a device: frames come
from the camera's thread, fingers from the sensor's. Other threads reach in with messages only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

from kiosk.checkin import HELP_ASKED, CheckIn, CheckInResult
from kiosk.claims import UnknownClaims
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.devices import CameraReader
from kiosk.documents import DocumentDesk, Parcels
from kiosk.errands import Errands
from kiosk.finger_watch import FingerWatch
from kiosk.lobby import FingerLaid, Lobby
from kiosk.looking import Look
from kiosk.recording import Recorder
from kiosk.roster import Roster, RosterStore, SitePerson
from kiosk.screen import CardClaim, Claim, HelpAsked, Request, Screen, StaffActed
from kiosk.staffing import NoStaffDesk, StaffDesk, StationTools
from kiosk.supervisor import Pulse
from kiosk.verdict import Settled
from kiosk.visit import BrokenOff, ShuttingDown, Visit
from matcher.gallery import Gallery
from matcher.ports import FaceEngine
from models.attendance import CheckInOutcome
from models.biometrics import Reference
from models.errors import TemplateError
from models.memory import give_back
from web.panel.facade import PanelHint, PanelStep

log = structlog.get_logger("kiosk.station")
Answer = TypeVar("Answer")

_BEGINNING = (Claim, CardClaim, HelpAsked, StaffActed)  # what may begin a visit, or staff's work, after another
STUCK_AFTER_S = 90.0  # a visit looks around many times a second, and the longest rebuilding of a gallery takes seconds


class Station(threading.Thread):
    """One kiosk's matcher thread. ``on_event`` is told of every result, ``on_stored`` of every other event that was
    stored (the reporter's alarm clock), ``on_errand`` of an errand with a receipt. ``desk`` serves staff between
    visits; ``parcels`` take written reports."""

    def __init__(  # noqa: PLR0913 - the parts of a station, each named
        self,
        checkin: CheckIn,
        *,
        config: KioskConfig,
        roster: RosterStore,
        gallery: Gallery,
        engine: FaceEngine | None,
        camera: CameraReader | None,
        screen: Screen,
        clock: Clock,
        on_event: Callable[[CheckInResult], None] = lambda result: None,
        on_stored: Callable[[], None] = lambda: None,
        on_errand: Callable[[CheckInResult], None] = lambda result: None,
        desk: StaffDesk | None = None,
        parcels: Parcels | None = None,
    ) -> None:
        super().__init__(name="matcher", daemon=True)
        self.died: BaseException | None = None
        self.pulse = Pulse(STUCK_AFTER_S)
        self.last: CheckInResult | None = None
        self._checkin = checkin
        self._config = config
        self._roster = roster
        self._gallery = gallery
        self._in_gallery: Roster | None = None
        self._engine = engine
        self._camera = camera
        self._screen = screen
        self._clock = clock
        self._on_event = on_event
        self._on_stored = on_stored
        self._desk = desk or NoStaffDesk()
        self._thresholds = checkin.thresholds
        self._stopping = threading.Event()
        self._unknown = {kind: UnknownClaims(clock.seconds) for kind in (Claim, CardClaim)}
        documents = None if parcels is None or camera is None else DocumentDesk(screen, parcels)
        self._errands = Errands(checkin, config, self._tell, on_stored, documents, on_errand)
        self._lobby = Lobby(
            config,
            screen,
            gallery,
            clock.seconds,
            self._heard,
            self._fresh,
            self._stopping.is_set,
            engine=engine,
            camera=camera,
            face=checkin.face,
            fingers=None if checkin.finger is None else FingerWatch(checkin.finger.sensor, clock.seconds),
        )

    def run(self) -> None:
        """The thread's body."""
        try:
            self._checkin.warm_up()
            while not self._stopping.is_set():
                self.one_visitor()
        except ShuttingDown:
            return
        except BaseException as error:  # the worker's edge: kept for the supervisor, then the thread ends
            self.died = error
            raise

    @property
    def room_known(self) -> bool:
        """Whether the kiosk has seen its empty room, without which no face passes the presentation check."""
        return self._checkin.face is None or self._checkin.face.room.available

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread; a visit under way leaves no event."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout_s)

    def tools(self) -> StationTools:
        """What a staff's desk may use, in this thread only."""
        return StationTools(
            checkin=self._checkin,
            recorder=Recorder(self._checkin.journal, self._clock),
            config=self._config,
            gallery=self._gallery,
            engine=self._engine,
            camera=self._camera,
            fresh=self._fresh,
            hear=self._heard_or_over,
            glance=self._lobby.glance,
            visit=lambda person: self._visit(self._fresh(), person),
            tell=self._tell,
            wake=self._on_stored,
        )

    def _heard_or_over(self, wait_s: float) -> Request | None:
        """As ``_heard``. Raises ShuttingDown once the station stops."""
        if self._stopping.is_set():
            raise ShuttingDown
        return self._heard(wait_s)

    def one_visitor(self) -> None:
        """Wait for somebody and serve them, and whoever asks for something right after."""
        request = self._lobby.somebody()
        while request is not None:
            request = self._serve(request)
            give_back()

    def _serve(self, request: Request | Look | FingerLaid) -> Request | None:
        """One visit from its beginning to the empty screen; a request that came meanwhile begins the next."""
        if isinstance(request, StaffActed):
            return self._desk.serve(request, self.tools())
        if isinstance(request, Claim | CardClaim):
            return self._serve_claim(request)
        if isinstance(request, HelpAsked | Look | FingerLaid):
            return self._visited(request, None)
        return None

    def _serve_claim(self, request: Claim | CardClaim) -> Request | None:
        """Whoever says who they are, if there is such a person; nobody's number or card is recorded."""
        unknown = self._unknown[type(request)]
        if unknown.too_many:
            return self._serve_unclaimed()
        roster = self._fresh()
        if isinstance(request, Claim):
            person, hint = roster.by_number(request.number), PanelHint.NUMBER_UNKNOWN
        else:
            person, hint = roster.by_id_card(request.digest), PanelHint.CARD_UNKNOWN
        if person is None:
            unknown.note()
            return self._page(PanelStep.CLAIM, hint)
        return self._visited(request, person)

    def _serve_unclaimed(self) -> Request | None:
        """While numbers are not looked up: search for whoever typed one, as if nothing had been typed."""
        way = self._lobby.way_to_search()
        if way is None:
            return self._page(PanelStep.HELP, PanelHint.TOO_MANY_NUMBERS)
        return self._visited(way, None)

    def _visited(self, request: Request | Look | FingerLaid, person: SitePerson | None) -> Request | None:
        visit = self._visit(self._fresh(), person)
        visit.finger_first = isinstance(request, FingerLaid)
        visit.finger_asked = isinstance(request, FingerLaid) and request.asked
        try:
            result = self._walked(visit, asked_for_help=isinstance(request, HelpAsked))
        except BrokenOff as broken:
            if broken.result is not None:
                self._tell(broken.result)
            return broken.request if isinstance(broken.request, _BEGINNING) else self._lobby.until_gone()
        if result is not None:
            self._tell(result)
        if visit.identified is not None:
            return self._errands.serve(visit, result) or self._lobby.until_gone()
        return None if result is None else self._after(result)

    def _walked(self, visit: Visit, *, asked_for_help: bool) -> CheckInResult | None:
        """The visit down the line."""
        if asked_for_help:
            return self._checkin.end(visit, Settled(CheckInOutcome.REFERRED_TO_STAFF, note=HELP_ASKED))
        step = PanelStep.FINGER if visit.finger_first else PanelStep.LOOK
        self._screen.show(step, tries_left=visit.tries_left)
        return self._checkin.run(visit)

    def _tell(self, result: CheckInResult) -> None:
        self.last = result
        self._on_event(result)

    def _visit(self, roster: Roster, person: SitePerson | None) -> Visit:
        return Visit(roster, person, roster.policy.max_tries, self._screen, self._clock, stopping=self._asked_to_stop)

    def _fresh(self) -> Roster:
        """The newest roster; the gallery is rebuilt here, in the thread that owns the engines."""
        roster = self._roster.current
        if roster is not self._in_gallery:
            references, before = roster.references(), self._in_gallery
            if before is not None and before.policy == roster.policy and before.references() == references:
                self._in_gallery = roster  # only what is due, asked or offered changed: nothing to calibrate anew
                return roster
            try:
                self._gallery.replace(references)
            except TemplateError:
                references = self._readable(roster)
                self._gallery.replace(references)
            self._in_gallery = roster
            self._thresholds.renew(
                references, now=self._clock.now(), seed=roster.version, wanted_fpir=roster.policy.wanted_fpir
            )
        return roster

    def _readable(self, roster: Roster) -> list[Reference]:
        """The references that the engines can read: one damaged template does not close the kiosk for everybody."""
        readable = []
        for item in roster.references():
            try:
                self._gallery.replace([item])
                readable.append(item)
            except TemplateError as error:
                log.error("template_unreadable", reference_id=item.reference_id, reason=error.code)
        return readable

    def _asked_to_stop(self) -> bool:
        """Whether the station ends; a visit asks at every step, so this is its sign of life, too."""
        self.pulse.beat()
        return self._stopping.is_set()

    def _heard(self, wait_s: float) -> Request | None:
        """Whatever was tapped on the screen within ``wait_s``.

        Called only while nobody is being checked in: what the site's thresholds still need is worked on meanwhile.
        """
        self.pulse.beat()
        self._thresholds.work(self._clock.seconds)
        return self._screen.next_request(wait_s)

    def _after(self, result: CheckInResult) -> Request | None:
        """Leave the last page of somebody who was not identified up for a while, then wait until they have gone."""
        while True:
            request = self._lobby.stay(least_s=self._config.visit.result_s)
            if result.note == HELP_ASKED and isinstance(request, HelpAsked):
                continue  # asked already: that is one request, and one record
            if isinstance(request, _BEGINNING):
                return request
            return self._lobby.until_gone()

    def _page(self, step: PanelStep, hint: PanelHint) -> Request | None:
        """A page with a hint, until something is asked for or nobody is there."""
        self._screen.show(step, hint=hint)
        request = self._lobby.stay(least_s=self._config.visit.result_s)
        return request if isinstance(request, _BEGINNING) else None
