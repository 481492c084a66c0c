"""Faces, then fingers, into one session, guided by one page. Owns what follows when something cannot be taken.

A modality that is missing has a reason, chosen by staff; one may be missing, not both. Worn fingers are tried one after
the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from enrollment.capture import LiveCapture
from enrollment.notice import MissingReason
from enrollment.samples import Refusal
from enrollment.session import EnrollmentSession
from kiosk.devices import CameraReader, SensorWorker
from kiosk.staff.booth import BoothCamera, BoothSensor, CapturePage, Interrupted
from kiosk.staff.parts import DeskParts
from kiosk.staff.talk import Talk
from models.biometrics import FingerPosition
from models.errors import DeviceError, InputError

_ASKED = tuple(
    FingerPosition[name]
    for name in (
        "RIGHT_INDEX", "LEFT_INDEX", "RIGHT_THUMB", "LEFT_THUMB", "RIGHT_MIDDLE", "LEFT_MIDDLE",
        "RIGHT_RING", "LEFT_RING", "RIGHT_LITTLE", "LEFT_LITTLE",
    )
)  # fmt: skip
_WITHOUT_FACE = (MissingReason.FACE_UNUSABLE, MissingReason.FACE_DECLINED)
_WITHOUT_FINGERS = (MissingReason.FINGERS_UNUSABLE, MissingReason.FINGERS_DECLINED)
SKIP, OTHER_FINGER, AGAIN = "skip", "other_finger", "again"


@dataclass(slots=True)
class Capturing:
    """Both captures. Used in the matcher thread."""

    parts: DeskParts
    talk: Talk

    def run(self, fresh: Callable[[], EnrollmentSession]) -> tuple[EnrollmentSession, MissingReason | None] | None:
        """A session that can be completed, and why a modality is missing; None if nothing can come of it.

        Raises Back, Over, DeviceError.
        """
        session, missing = fresh(), None
        camera = self.talk.tools.camera
        if camera is None or self.parts.face_engine is None:
            missing = MissingReason.FACE_UNUSABLE
        elif not self._faces(session, camera):
            session, missing = fresh(), self._why(_WITHOUT_FACE)  # too few faces are none
        if self.parts.sensor is None or self.parts.finger_engine is None:
            return None if missing is not None else (session, MissingReason.NO_SENSOR)
        if not self._fingers(session, self.parts.sensor):
            if missing is not None:
                return None
            missing = self._why(_WITHOUT_FINGERS)
        return session, missing

    def _faces(self, session: EnrollmentSession, camera: CameraReader) -> bool:
        """Whether there are enough."""
        page = CapturePage(self.talk, (SKIP,))
        capture = self._capture(session, page)
        while True:
            try:
                capture.capture_faces(BoothCamera.from_now(camera, page.hear, self.talk.tools.checkin.clock.seconds))
                return True
            except Interrupted:
                return False
            except (InputError, DeviceError) as error:
                if self._after_failure(error, (AGAIN, SKIP)) == SKIP:
                    return False
                if _hint(error) == Refusal.FACES_DIFFER.value:
                    session.forget_faces()  # whoever helped stood there first

    def _fingers(self, session: EnrollmentSession, sensor: SensorWorker) -> bool:
        """Whether there are enough, whichever fingers they are."""
        for position in _ASKED:
            if session.progress().fingers_done >= session.plan.fingers:
                return True
            if self._finger(session, sensor, position) == SKIP:
                return False
        return session.progress().fingers_done >= session.plan.fingers

    def _finger(self, session: EnrollmentSession, sensor: SensorWorker, position: FingerPosition) -> str | None:
        """One finger; what was chosen instead, if it could not be taken."""
        page = CapturePage(self.talk, (OTHER_FINGER, SKIP))
        capture = self._capture(session, page)
        while True:
            try:
                capture.capture_finger(BoothSensor(sensor, page.hear, self.talk.tools.checkin.clock.seconds), position)
                return None
            except Interrupted as chosen:
                return chosen.code
            except (InputError, DeviceError) as error:
                chosen_code = self._after_failure(error, (AGAIN, OTHER_FINGER, SKIP))
                if chosen_code != AGAIN:
                    return chosen_code

    def _capture(self, session: EnrollmentSession, page: CapturePage) -> LiveCapture:
        clock = self.talk.tools.checkin.clock
        return LiveCapture(session, page.told, monotonic=clock.seconds, sleep=page.rest, clock=clock.now)

    def _after_failure(self, error: InputError | DeviceError, codes: tuple[str, ...]) -> str:
        if isinstance(error, InputError) and error.code != "capture_failed":
            raise error
        return self.talk.pick("capture_failed", codes, hint=_hint(error))

    def _why(self, reasons: tuple[MissingReason, ...]) -> MissingReason:
        return MissingReason(self.talk.pick("missing", [reason.value for reason in reasons]))


def _hint(error: InputError | DeviceError) -> str:
    return str(error.details.get("hint") if isinstance(error, InputError) else error.code)
