"""Whether the person who was identified still stands at the kiosk. Owns what a tap after an identification is worth.

Between two taps the newest frames are looked at: nobody near for some seconds and nothing touched means that the person
has gone; a face that does not agree with the one that was identified means that somebody else stands there. Both end
the visit, so that nobody acts in the name of whoever stood there before. A tap counts only if the head is seen in a
frame that was taken after it; one that was out of sight, or jumped, must agree anew. Whom the camera never saw in this
visit it cannot miss: then, and without a camera, only a long rest ends it.

Refuses to identify anybody: two templates of one visit are compared, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from hardware.ports import Frame
from kiosk.config import VisitConfig
from kiosk.looking import same_place
from kiosk.screen import Chosen
from kiosk.visit import BrokenOff, Visit
from matcher.ports import DetectedFace, FaceEngine
from matcher.quality import face_quality
from matcher.scales import similarity_threshold
from models.biometrics import Template, UInt8Array
from models.errors import DeviceError

_SAME_PERSON_FMR = 1e-3  # as strictly as a probe is held against the head that passed the presentation check
_LOOK_S = 0.1
_COMPARE_EVERY_S = 1.0
_LOST_S = 0.5  # out of sight for longer, a head must agree anew
_DARK_LOST_S = 1.0  # the same for one that was never seen well enough to compare
_ON_THE_WAY = 2  # frames that may have been taken before now and come after: one in the driver, one being handed on
_STRANGE_S = 1.0  # good frames that do not agree for so long are somebody else; no tap counts meanwhile
_ADOPT_WITHIN_S = 5.0  # a finger was identified: the face that stands there then is taken for its owner's
_CONFIRM_S = 1.5
_MOST_FACES = 3
_TWICE_S = 0.8  # the same tap again within this is the same tap


def _nothing() -> None:
    """Nobody needs to be told."""


class Why(StrEnum):
    """Why a visit is over without a word of the person's."""

    AWAY = "away"
    OTHER_PERSON = "other_person"
    RESTED = "rested"


class PersonGone(Exception):  # noqa: N818 - what happened, not an error
    """Nobody, or somebody else, stands where the person stood; ``why`` says which."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(slots=True)
class Staying:
    """The person of one visit, from the identification on. Lives in the matcher thread, which owns the engine.

    ``read`` is the camera's newest frame (``CameraReader.read``); None without a camera. ``probe`` is a template of the
    face that was identified, None if only a finger was.
    """

    visit: Visit
    timing: VisitConfig
    engine: FaceEngine | None = None
    read: Callable[..., Frame | None] | None = None
    near_width_share: float = 0.0
    probe: Template | None = None
    covered: bool = False  # something is held before the face: who cannot be seen has not left
    on_frame: Callable[[UInt8Array], bool] = lambda pixels: False  # sees what else is held up; whether something is
    _threshold: float = 0.0
    _began_s: float = 0.0
    _touched_s: float = 0.0
    _near_s: float | None = None  # when somebody, or what somebody holds up, was last near
    _face_s: float | None = None  # when a face was last near
    _blind: bool = False
    _agreed_s: float | None = None
    _sure: bool = False
    _strange_s: float | None = None  # since when good frames do not agree
    _place: DetectedFace | None = None
    _sequence: int = -1
    _tap: tuple[str, float] = field(default=("", float("-inf")))

    def __post_init__(self) -> None:
        self._began_s = self._touched_s = self.visit.clock.seconds()
        if self.engine is not None:
            self._threshold = similarity_threshold(self.engine.format, _SAME_PERSON_FMR)
        if self.probe is not None:
            self._near_s = self._face_s = self._began_s  # identified a moment ago: the camera knows the person

    def choice(self, accepted: Collection[str], *, least_s: float = 0.0, unsure: Callable[[], None] = _nothing) -> str:
        """The next tap that counts. Raises PersonGone, BrokenOff for anything else that was asked for, ShuttingDown.

        For ``least_s`` a page stays for everybody. ``unsure`` is called when a tap cannot count because nobody knows
        whose it is.
        """
        shown_s = self._touched_s = self.visit.clock.seconds()
        while True:
            code = self.tapped(accepted, unsure=unsure)
            if code is not None:
                return code
            try:
                self.look()
                self.check_gone()
            except PersonGone:
                if self.visit.clock.seconds() - shown_s >= least_s:
                    raise

    def tapped(
        self, accepted: Collection[str], *, anybodys: Collection[str] = (), unsure: Callable[[], None] = _nothing
    ) -> str | None:
        """A tap that counts, within a moment. Raises as ``choice``. What is in ``anybodys`` leads to no record."""
        request = self.visit.hear(0.0 if self._looks and not self._blind else _LOOK_S)
        if request is None:
            return None
        if not isinstance(request, Chosen):
            raise BrokenOff(request)
        now_s = self.visit.clock.seconds()
        again = self._tap[0] == request.code and now_s - self._tap[1] < _TWICE_S
        late = request.page is not None and request.page != self.visit.screen.page  # tapped on the page before this one
        if again or late or request.code not in accepted:
            return None
        self._touched_s = now_s
        if request.code not in anybodys and not self.confirmed():
            unsure()
            return None
        self._tap = request.code, self.visit.clock.seconds()
        return request.code

    def confirmed(self) -> bool:
        """Whether a tap is the person's own, as far as anybody can know: looks at a frame that was taken after it, and
        at further ones where it is not clear.

        Raises PersonGone if somebody else stands there.
        """
        tapped_s = self.visit.clock.seconds()
        self._agreed_s = None  # a tap is worth a comparison of its own
        self.forget_frames_until_now()
        looked = self.look()
        while not (looked and self._sure_since(tapped_s)) and self.visit.clock.seconds() < tapped_s + _CONFIRM_S:
            self.visit.end_if_stopping()
            looked = self.look() or looked
        return looked and self._sure_since(tapped_s)

    def check_gone(self) -> None:
        """Raise PersonGone if nobody is near any more, or nothing happened for long."""
        now_s = self.visit.clock.seconds()
        last_s = max(self._touched_s, self._near_s or self._touched_s)
        known = self._near_s is not None and self._looks
        if known and not self.covered and now_s - last_s > self.timing.away_after_s:
            raise PersonGone(Why.AWAY)
        if now_s - (self._touched_s if not self.covered else last_s) > self.timing.rest_s:
            raise PersonGone(Why.RESTED)

    def look(self) -> bool:
        """One look at the newest frame; False if none came. Without a working camera there is nothing to wait for.

        Raises PersonGone if somebody else stands there.
        """
        if self.read is None or self.engine is None:
            return True
        try:
            frame = self.read(after=self._sequence, timeout_s=_LOOK_S)
        except DeviceError:  # noted on the screen and in the log by the camera's own thread
            self._blind, self._near_s, self._face_s, self._place = True, None, None, None
            return True
        if frame is None:
            return False
        now_s = self.visit.clock.seconds()
        if self._blind and self.probe is not None:  # it can see again: whoever stands there must agree, or be missed
            self._near_s, self._face_s, self._sure = now_s, now_s, False
        self._blind, self._sequence = False, frame.sequence
        if self.on_frame(frame.pixels):
            self._near_s = now_s
        least = self.near_width_share * frame.pixels.shape[1]
        near = [face for face in self.engine.detect(frame.pixels) if face.box[2] >= least]
        if near:
            self._see(frame.pixels, near[:_MOST_FACES], now_s)
        return True

    def forget_frames_until_now(self) -> None:
        """Leave out what was taken before now, the frames on their way too: they may show who stood here then."""
        if self.read is None:
            return
        try:
            newest = self.read(after=-1, timeout_s=0.0)
        except DeviceError:
            return  # the next look notes it
        if newest is not None:
            self._sequence = max(self._sequence, newest.sequence + _ON_THE_WAY)

    @property
    def _looks(self) -> bool:
        return self.read is not None and self.engine is not None

    def _sure_since(self, tapped_s: float) -> bool:
        if not self._looks or self._face_s is None:
            return True
        if self.probe is None:
            return self._sure and self.visit.clock.seconds() - self._face_s <= _DARK_LOST_S
        return self._sure and self._face_s > tapped_s

    def _see(self, pixels: UInt8Array, near: Sequence[DetectedFace], now_s: float) -> None:
        longest_s = _DARK_LOST_S if self.probe is None else _LOST_S
        lost = self._face_s is None or now_s - self._face_s > longest_s
        other_head = lost or self._place is None or not same_place(self._place, near[0])
        self._place, self._near_s, self._face_s = near[0], now_s, now_s
        if self.probe is None:  # a finger was laid: its owner is the head that stood there then, however dark it is
            if other_head and now_s - self._began_s > _ADOPT_WITHIN_S:
                raise PersonGone(Why.OTHER_PERSON)
            self._sure = True
        elif other_head:
            self._sure = False
        if self._sure and self._agreed_s is not None and now_s - self._agreed_s < _COMPARE_EVERY_S:
            return
        self._compare(pixels, near, now_s)

    def _compare(self, pixels: UInt8Array, near: Sequence[DetectedFace], now_s: float) -> None:
        """Hold the faces against the person's; one that agrees is enough, whoever stands beside."""
        assert self.engine is not None  # noqa: S101 - only looks come here
        if self.probe is None:
            if not face_quality(pixels, near[0]).hints:
                self.probe, self._sure, self._agreed_s = self.engine.extract(pixels, near[0]), True, now_s
            return
        if any(self.engine.compare(self.probe, self.engine.extract(pixels, face)) >= self._threshold for face in near):
            self._sure, self._agreed_s, self._strange_s = True, now_s, None
            return
        if face_quality(pixels, near[0]).hints:
            return  # turned away, or moving: it says nothing about whose face it is
        self._sure = False
        self._strange_s = now_s if self._strange_s is None else self._strange_s
        if now_s - self._strange_s >= _STRANGE_S:
            raise PersonGone(Why.OTHER_PERSON)
