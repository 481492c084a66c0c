"""The kiosk between two visits: who comes near, what is tapped, which finger is laid on, and whether people have gone.

Owns the waiting and the pages shown meanwhile. Refuses to serve anybody: it answers with what begins the next visit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hardware.ports import Frame
from kiosk.config import KioskConfig
from kiosk.devices import CameraReader
from kiosk.face_step import FaceStep
from kiosk.finger_watch import FingerWatch
from kiosk.looking import Look, look
from kiosk.roster import Roster
from kiosk.screen import Cancelled, Chosen, Request, Screen
from matcher.fusion import finger_suffices
from matcher.gallery import Gallery
from matcher.ports import FaceEngine
from models.biometrics import Modality
from models.errors import DeviceError
from web.panel.facade import PanelStep

_IDLE_LOOK_S = 0.1  # between two looks for somebody, so that an empty room costs little
_NEAR_LOOKS = 2
_GONE_LOOKS = 4
_GLANCES = 15  # a second's
_FRAME_WAIT_S = 0.2
_GO_ON = frozenset({"next", "done"})


@dataclass(frozen=True, slots=True)
class FingerLaid:
    """Somebody laid a finger on the sensor without touching anything else; ``asked``: is to be asked for one first."""

    asked: bool = False


@dataclass(slots=True)
class Lobby:
    """Looks out for people, in the matcher thread, which owns ``engine``.

    ``hear`` is the next thing asked for on the screen within a time, ``fresh`` the newest roster with its references in
    ``gallery``, ``over`` whether the station stops.
    """

    config: KioskConfig
    screen: Screen
    gallery: Gallery
    seconds: Callable[[], float]
    hear: Callable[[float], Request | None]
    fresh: Callable[[], Roster]
    over: Callable[[], bool]
    engine: FaceEngine | None = None
    camera: CameraReader | None = None
    face: FaceStep | None = None
    fingers: FingerWatch | None = None
    _seen: int = -1

    def somebody(self) -> Request | Look | FingerLaid | None:
        """Until somebody stands near, lays a finger on, or asks for something; None if the station stops."""
        near = 0
        self.screen.show(PanelStep.IDLE, tries_left=self.fresh().policy.max_tries)
        if self.fingers is not None:
            self.fingers.rest()
        while not self.over():
            self.fresh()
            request = self.hear(0.0 if near == 1 else _IDLE_LOOK_S)  # whoever is near already waits for no pause
            if request is not None:
                return request
            fingers = self.fingers if self._may_search_fingers() else None
            if fingers is not None and fingers.laid_on():
                return FingerLaid()
            self.screen.hint_lift(fingers is not None and fingers.left_on)
            seen = self.glance()
            near = near + 1 if seen is not None and self._is_near(seen) else 0
            if near >= _NEAR_LOOKS and seen is not None:
                if self._may_search():
                    return seen
                self.screen.show(PanelStep.CLAIM)  # too many people here to search: the number goes first
            elif near == 1:
                self.screen.show(PanelStep.APPROACH)
            elif near == 0 and self.screen.state().step in (PanelStep.APPROACH, PanelStep.CLAIM):
                self.screen.show(PanelStep.IDLE)
        return None

    def stay(self, *, least_s: float) -> Request | None:
        """Leave a page up: ``least_s`` for everybody, longer for whoever stands there, until something is asked for.

        Going on from the page is None, too.
        """
        began_s = seen_s = self.seconds()
        while not self.over():
            request = self.hear(_IDLE_LOOK_S)
            if isinstance(request, Chosen):
                if request.code in _GO_ON:
                    return None
            elif request is not None:
                return request
            seen, now_s = self.glance(), self.seconds()
            if seen is not None and seen.face is not None and self._is_near(seen):
                seen_s = now_s
            limit_s = self.config.visit.away_after_s if self._camera_works() else self.config.visit.rest_s
            alone = now_s - seen_s > limit_s and now_s - began_s > least_s
            if alone or now_s - began_s > max(self.config.visit.rest_s, least_s):
                return None
        return None

    def until_gone(self) -> Request | None:
        """Whoever still stands here after a visit does not begin another one before stepping back."""
        self.screen.show(PanelStep.IDLE)
        deadline, gone = self.seconds() + self.config.visit.leave_timeout_s, 0
        while not self.over() and self.seconds() < deadline and gone < _GONE_LOOKS:
            request = self.hear(_IDLE_LOOK_S)
            if request is not None and not isinstance(request, Chosen | Cancelled):  # late taps on the page before
                return request
            seen = self.glance()
            if seen is None and self._camera_works():
                continue  # no frame came: that says nothing of who stands here
            gone = 0 if seen is not None and self._is_near(seen) else gone + 1
        return None

    def glance(self) -> Look | None:
        """One look at the newest frame; None without a working camera or a new frame."""
        if self.camera is None or self.engine is None:
            return None
        try:
            frame: Frame | None = self.camera.read(after=self._seen, timeout_s=_FRAME_WAIT_S)
        except DeviceError:  # noted on the screen and in the log by the camera's own thread
            return None
        if frame is None:
            return None
        self._seen = frame.sequence
        seen = look(self.engine, frame)
        if self.face is not None:
            self.face.note(seen)
        return seen

    def way_to_search(self) -> Look | FingerLaid | None:
        """How somebody who said nothing of use can be searched for: by face if they stand near, else by finger.

        None where the policy lets nobody be searched for. Nothing but who stands there decides.
        """
        if self.fresh().policy.claim_first:
            return None
        for _ in range(_GLANCES if self._may_search() else 0):  # whoever types looks at the keys, and up again
            seen = self.glance()
            if seen is not None and self._is_near(seen):
                return seen
        return FingerLaid(asked=True) if self.fingers is not None and self._may_search_fingers() else None

    def _camera_works(self) -> bool:
        return self.camera is not None and self.camera.error is None

    def _is_near(self, seen: Look) -> bool:
        if seen.face is None:
            return False
        return bool(seen.face.box[2] >= self.config.face.near_width_share * seen.frame.pixels.shape[1])

    def _may_search(self) -> bool:
        roster = self.fresh()
        return roster.version > 0 and len(self.gallery.people(Modality.FACE)) <= roster.policy.identify_up_to

    def _may_search_fingers(self) -> bool:
        """Whether a finger may begin a visit: the policy lets it suffice, and there are not too many to search."""
        policy = self.fresh().policy
        people = len(self.gallery.people(Modality.FINGER))
        return finger_suffices(policy) and not policy.claim_first and 0 < people <= policy.identify_up_to
