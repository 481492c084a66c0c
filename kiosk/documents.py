"""A written report photographed at the kiosk, page by page. Owns the step; refuses to keep what is not handed in.

A page is taken when it was asked for and is wholly seen, near, lit, sharp and held still: who needs both hands to hold
it taps first and holds it up then. Only what lies inside its edges is kept, in memory, until the parcel and the event
that names it are stored together. Whoever hands in must be seen again, for the page hid the face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import cv2
from sqlalchemy.orm import Session

from kiosk.page_finder import Page, find_page, hint_for
from kiosk.recording import Recorder
from kiosk.screen import Screen
from kiosk.staying import Staying
from kiosk.visit import Visit
from models.attendance import AttendanceEvent, Detail, SignedEvent
from models.biometrics import UInt8Array
from models.errors import DeviceError, RetryReason
from models.parcels import Parcel, ParcelKind, pack_pages
from web.panel.facade import PanelHint, PanelStep

MOST_PAGES = 9
TAKE, AGAIN, DONE = "take", "again", "done"
_TAKE_WITHIN_S = 20.0
_TAKEN_SHOWN_S = 2.0
_HINT_STAYS_S = 0.7  # a hint that changes with every frame helps nobody
_MOST_PAGE_BYTES = 640 * 1024  # nine of them fit a parcel
_QUALITIES = (85, 70, 50)
_SHARES = (1.0, 0.7, 0.5, 0.3)  # of its width and height: small and clear is easier to read than large and spoilt


class Parcels(Protocol):
    """Where sealed content waits for the center: ``kiosk.parcels.ParcelStore``."""

    def add(self, kind: ParcelKind, person_id: str, content: bytes, *, session: Session | None = None) -> Parcel:
        """Seal and queue. Raises InputError or StoreError."""
        ...


@dataclass(slots=True)
class _Watcher:
    """The page in the newest frames."""

    page: Page | None = None
    good: UInt8Array | None = None
    hint: str | None = PanelHint.PAGE_NOT_SEEN.value

    def see(self, pixels: UInt8Array) -> bool:
        """Look for the page; whether there is one."""
        before, self.page = self.page, find_page(pixels)
        self.hint = hint_for(pixels, self.page, before)
        self.good = None if self.page is None or self.hint is not None else self.page.cut_out(pixels)
        return self.page is not None


@dataclass(slots=True)
class _Session:
    """One written report as it grows. ``wanted_s``: since when the next page is waited for."""

    screen: Screen
    pages: list[bytes] = field(default_factory=list)
    wanted_s: float | None = None
    taken_s: float = float("-inf")
    hint: str | None = None
    hinted_s: float = float("-inf")

    def tapped(self, code: str, now_s: float) -> None:
        """Take a page, or the last one again."""
        if code == AGAIN and self.pages:
            self.pages.pop()
        if len(self.pages) < MOST_PAGES:
            self.wanted_s = now_s

    def seen(self, watcher: _Watcher, now_s: float) -> None:
        """Take the page if it is waited for and good; say what stands in its way otherwise."""
        if self.wanted_s is not None and watcher.good is not None:
            self.pages.append(encode_page(watcher.good))
            self.wanted_s, self.taken_s = None, now_s
            self.show(PanelHint.PAGE_TAKEN.value, now_s, at_once=True)
        elif self.wanted_s is not None and now_s - self.wanted_s > _TAKE_WITHIN_S:
            self.wanted_s, self.taken_s = None, now_s
            self.show(PanelHint.PAGE_UNCLEAR.value, now_s, at_once=True)
        elif self.wanted_s is not None:
            self.show(watcher.hint, now_s)
        elif now_s - self.taken_s > _TAKEN_SHOWN_S:
            self.show(None, now_s)

    def show(self, hint: str | None, now_s: float, *, at_once: bool = False) -> None:
        """The page of the screen; a hint stays long enough to be read."""
        if hint != self.hint and not at_once and now_s - self.hinted_s < _HINT_STAYS_S:
            hint = self.hint
        elif hint != self.hint:
            self.hint, self.hinted_s = hint, now_s
        self.screen.show(PanelStep.DOCUMENT, hint=hint, pages=len(self.pages))


@dataclass(frozen=True, slots=True)
class DocumentDesk:
    """Takes written reports. Lives in the matcher thread."""

    screen: Screen
    parcels: Parcels

    def photograph(self, visit: Visit, here: Staying) -> tuple[bytes, ...]:
        """The pages as JPEG files; none if the person does not want to after all. Raises as ``Staying.choice``."""
        watcher, session = _Watcher(), _Session(self.screen)
        here.covered, here.on_frame = True, watcher.see
        try:
            session.show(None, visit.clock.seconds(), at_once=True)
            while (code := here.tapped({TAKE, AGAIN, DONE}, anybodys={TAKE, AGAIN, DONE})) != DONE:
                now_s = visit.clock.seconds()
                if code is not None:
                    session.tapped(code, now_s)
                    here.forget_frames_until_now()
                watcher.good = None  # a page is taken from a frame that has just come, never from one of before
                here.look()
                here.check_gone()
                session.seen(watcher, now_s)
            self._see_face(here, len(session.pages))
        finally:
            here.covered, here.on_frame = False, _sees_nothing
        return tuple(session.pages)

    def _see_face(self, here: Staying, pages: int) -> None:
        """The page hid the face: who hands it in must be seen to be the person who was identified."""
        while pages and not here.confirmed():
            self.screen.show(PanelStep.DOCUMENT, hint=RetryReason.LOOK_HERE.value, pages=pages)
            here.tapped(())
            here.check_gone()

    def hand_in(self, recorder: Recorder, draft: AttendanceEvent, pages: Sequence[bytes]) -> SignedEvent:
        """Seal the pages and store the event that names them, both or neither. Raises StoreError."""
        person_id = draft.person_id
        assert person_id is not None  # noqa: S101 - nobody unknown hands in anything
        content = pack_pages(pages)

        def beside(session: Session) -> dict[str, Detail]:
            parcel = self.parcels.add(ParcelKind.WRITTEN_REPORT, person_id, content, session=session)
            return {"parcel": parcel.sha256, "pages": len(pages)}

        return recorder.store(draft, beside=beside)


def encode_page(page: UInt8Array) -> bytes:
    """A page as a JPEG file that is small enough for nine to fit a parcel. Raises DeviceError if it cannot be made."""
    for share in _SHARES:
        smaller = cv2.resize(page, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        bgr = cv2.cvtColor(smaller, cv2.COLOR_RGB2BGR)
        for quality in _QUALITIES:
            encoded, picture = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
            if encoded and picture.size <= _MOST_PAGE_BYTES:
                return bytes(picture)
    raise DeviceError("The page cannot be encoded as a picture.")


def _sees_nothing(pixels: UInt8Array) -> bool:
    return False
