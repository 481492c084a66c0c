"""The matcher thread: waits for people, walks each visit down the line, shows how it ended, waits for the next.

Owns the engines (none of them is safe across threads) and the idle loop. Refuses to touch a device: frames come from
the camera's thread, fingers from the sensor's. Other threads reach in with messages only.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import structlog

from hardware.ports import Frame
from kiosk.checkin import CheckIn, CheckInResult
from kiosk.clock import Clock
from kiosk.config import KioskConfig
from kiosk.devices import CameraReader
from kiosk.looking import Look, look
from kiosk.recording import Recorder
from kiosk.roster import Roster, RosterStore, SitePerson
from kiosk.screen import Cancelled, Claim, HelpAsked, Request, Screen, StaffActed
from kiosk.staffing import NoStaffDesk, StaffDesk, StationTools
from kiosk.verdict import Settled
from kiosk.visit import BrokenOff, ShuttingDown, Visit
from matcher.gallery import Gallery
from matcher.ports import FaceEngine
from models.attendance import CheckInOutcome
from models.biometrics import Modality, Reference
from models.errors import AccessDenied, DeviceError, TemplateError
from web.panel.facade import PanelHint, PanelStep

log = structlog.get_logger("kiosk.station")
Answer = TypeVar("Answer")

_IDLE_LOOK_S = 0.1  # between two looks for somebody, so that an empty room costs little
_NEAR_LOOKS = 2
_GONE_LOOKS = 4
_HELP_S = 60.0
_NOTHING_CAN_BE_ASKED_S = 0.2


class Station(threading.Thread):
    """One kiosk's matcher thread. ``on_event`` is told of every result, ``on_stored`` of every other event that was
    stored (the reporter's alarm clock). ``desk`` serves staff between visits."""

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
        desk: StaffDesk | None = None,
    ) -> None:
        super().__init__(name="matcher", daemon=True)
        self.died: BaseException | None = None
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
        self._messages: queue.Queue[tuple[Callable[[], Any], Future[Any]]] = queue.Queue()
        self._seen = -1

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

    def witness(self, staff_id: str, reason: str, *, number: str | None = None) -> Future[CheckInResult]:
        """A staff member, known to the caller, vouches for whoever was just referred; see ``CheckIn.witness``."""

        def act() -> CheckInResult:
            roster = self._fresh()
            person = roster.by_number(number) if number else None
            if number and person is None:
                raise AccessDenied("There is nobody with this number at this site.", code="number_unknown")
            result = self._checkin.witness(self._visit(roster, person), staff_id, reason)
            self._tell(result)
            return result

        return self._post(act)

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
            glance=self._glance,
            visit=lambda person: self._visit(self._fresh(), person),
            tell=self._tell,
            wake=self._on_stored,
        )

    def _heard_or_over(self, wait_s: float) -> Request | None:
        """As ``_heard``. Raises ShuttingDown once the station stops."""
        if self._stopping.is_set():
            raise ShuttingDown
        return self._heard(wait_s)

    def _post(self, act: Callable[[], Answer]) -> Future[Answer]:
        answer: Future[Answer] = Future()
        self._messages.put((act, answer))
        return answer

    def one_visitor(self) -> None:
        """Wait for somebody and serve them, and whoever claims a number right after."""
        request = self._wait_for_somebody()
        while request is not None:
            request = self._serve(request)

    def _serve(self, request: Request | Look) -> Request | None:
        """One visit from its beginning to the empty screen; a request that came meanwhile begins the next."""
        roster = self._fresh()
        person: SitePerson | None = None
        if isinstance(request, Claim):
            person = roster.by_number(request.number)
            if person is None:
                return self._linger(PanelStep.CLAIM, hint=PanelHint.NUMBER_UNKNOWN)
        if isinstance(request, StaffActed):
            return self._desk.serve(request, self.tools())
        if not isinstance(request, Claim | HelpAsked | Look):
            return None
        visit = self._visit(roster, person)
        try:
            if isinstance(request, HelpAsked):
                result: CheckInResult | None = self._checkin.end(
                    visit, Settled(CheckInOutcome.REFERRED_TO_STAFF, note="help_asked")
                )
            else:
                self._screen.show(PanelStep.LOOK, tries_left=visit.tries_left)
                result = self._checkin.run(visit)
        except BrokenOff as broken:
            if broken.result is not None:
                self._tell(broken.result)
            return broken.request if isinstance(broken.request, Claim | StaffActed) else None
        if result is None:
            return None
        self._tell(result)
        return self._after(result)

    def _tell(self, result: CheckInResult) -> None:
        self.last = result
        self._on_event(result)

    def _visit(self, roster: Roster, person: SitePerson | None) -> Visit:
        return Visit(roster, person, roster.policy.max_tries, self._screen, self._clock, stopping=self._stopping.is_set)

    def _fresh(self) -> Roster:
        """The newest roster; the gallery is rebuilt here, in the thread that owns the engines."""
        roster = self._roster.current
        if roster is not self._in_gallery:
            references = roster.references()
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

    def _wait_for_somebody(self) -> Request | Look | None:
        """Until somebody stands near, or asks for something; None to look around (the station stops)."""
        near = 0
        self._screen.show(PanelStep.IDLE, tries_left=self._roster.current.policy.max_tries)
        while not self._stopping.is_set():
            self._fresh()
            request = self._heard(_IDLE_LOOK_S)
            if request is not None:
                return request
            seen = self._glance()
            near = near + 1 if seen is not None and self._is_near(seen) else 0
            if near >= _NEAR_LOOKS and seen is not None:
                if self._may_search():
                    return seen
                self._screen.show(PanelStep.CLAIM)  # too many people here to search: the number goes first
            elif near == 1:
                self._screen.show(PanelStep.APPROACH)
            elif near == 0 and self._screen.state().step in (PanelStep.APPROACH, PanelStep.CLAIM):
                self._screen.show(PanelStep.IDLE)
        return None

    def _may_search(self) -> bool:
        roster = self._fresh()
        people = len(self._gallery.people(Modality.FACE))
        return roster.version > 0 and people <= roster.policy.identify_up_to

    def _heard(self, wait_s: float) -> Request | None:
        """Answer messages of other threads, then whatever was tapped on the screen within ``wait_s``.

        Called only while nobody is being checked in: what the site's thresholds still need is worked on meanwhile.
        """
        self._thresholds.work(self._clock.seconds)
        while True:
            try:
                act, answer = self._messages.get_nowait()
            except queue.Empty:
                return self._screen.next_request(wait_s)
            if not answer.set_running_or_notify_cancel():
                continue
            try:
                answer.set_result(act())
            except Exception as error:  # handed to the thread that asked
                answer.set_exception(error)

    def _glance(self) -> Look | None:
        """One look at the newest frame; None without a working camera or a new frame."""
        if self._camera is None or self._engine is None:
            return None
        try:
            frame: Frame | None = self._camera.read(after=self._seen, timeout_s=_NOTHING_CAN_BE_ASKED_S)
        except DeviceError:  # noted on the screen and in the log by the camera's own thread
            return None
        if frame is None:
            return None
        self._seen = frame.sequence
        seen = look(self._engine, frame)
        if self._checkin.face is not None:
            self._checkin.face.note(seen)
        return seen

    def _is_near(self, seen: Look) -> bool:
        if seen.face is None:
            return False
        return bool(seen.face.box[2] >= self._config.face.near_width_share * seen.frame.pixels.shape[1])

    def _after(self, result: CheckInResult) -> Request | None:
        """Leave the last page up for a while, then wait until the person has gone."""
        step = self._screen.state().step
        shown_s = _HELP_S if step == PanelStep.HELP else self._config.visit.result_s
        request = self._pause(shown_s)
        if isinstance(request, Claim | HelpAsked | StaffActed):
            return request
        if request is None and step != PanelStep.HELP:
            return self._until_gone()
        return None

    def _linger(self, step: PanelStep, *, hint: str) -> Request | None:
        """A page with a hint, until something is tapped."""
        self._screen.show(step, hint=hint)
        request = self._pause(self._config.visit.result_s)
        return None if isinstance(request, Cancelled) else request

    def _pause(self, wait_s: float) -> Request | None:
        """Wait, but listen."""
        deadline = self._clock.seconds() + wait_s
        while not self._stopping.is_set() and (left_s := deadline - self._clock.seconds()) > 0:
            request = self._heard(min(_IDLE_LOOK_S, left_s))
            if request is not None:
                return request
        return None

    def _until_gone(self) -> Request | None:
        """Whoever still stands here after a visit does not begin another one before stepping back."""
        self._screen.show(PanelStep.IDLE)
        deadline, gone = self._clock.seconds() + self._config.visit.leave_timeout_s, 0
        while not self._stopping.is_set() and self._clock.seconds() < deadline and gone < _GONE_LOOKS:
            request = self._heard(_IDLE_LOOK_S)
            if request is not None:
                return request
            seen = self._glance()
            gone = 0 if seen is not None and self._is_near(seen) else gone + 1
        return None
