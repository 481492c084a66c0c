"""The receipt that a person takes home: what is on it, and the thread that prints it. Refuses to hold up a visit.

On it: the office's line, what was done, the time, the record's number, when to come again, and a symbol that proves the
record offline (``models.receipt``). Not on it: a name, a number of the person, an offence, a category, a level. A slip
that cannot be printed while the person still stands there is not printed later: the record is in the journal.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hardware.ports import ReceiptPrinter, Slip
from kiosk.checkin import CheckInResult
from kiosk.devices import HEARTBEAT_S, DeviceThread, NoteDevice
from kiosk.receipt_texts import receipt_texts
from models.attendance import CheckInOutcome, EventType, SignedEvent, TimeQuality
from models.errors import DeviceError
from models.receipt import Receipt

log = structlog.get_logger("kiosk.receipt")

MOST_WAITING = 4  # slips
STALE_AFTER_S = 45.0
_REPORTS = frozenset({EventType.REPORT_IN_PERSON, EventType.WITNESSED_CHECK_IN})
_ERRANDS = frozenset(
    {
        EventType.PRESENCE,
        EventType.WRITTEN_REPORT,
        EventType.EDUCATION_IN,
        EventType.EDUCATION_OUT,
        EventType.SERVICE_IN,
        EventType.SERVICE_OUT,
        EventType.LEAVE_RETURN,
    }
)
_PRINTED = frozenset(
    {
        CheckInOutcome.ACCEPTED,
        CheckInOutcome.ALREADY_PRESENT,
        CheckInOutcome.OUTSIDE_WINDOW,
        CheckInOutcome.WITNESSED,
    }
)


@dataclass(frozen=True, slots=True)
class ReceiptStyle:
    """How this office's receipts look. An empty ``title`` is the catalogue's."""

    title: str
    language: str
    timezone: str


@dataclass(frozen=True, slots=True)
class _Waiting:
    signed: SignedEvent
    next_due: str | None
    asked_s: float


@dataclass(frozen=True, slots=True)
class _WaitingSlip:
    slip: Slip
    asked_s: float


def done_code(signed: SignedEvent) -> str | None:
    """The code of what was done; None for what gets no receipt (an attempt that failed, a call for help, staff)."""
    event = signed.event
    if event.type in _REPORTS:
        return event.outcome.value if event.outcome in _PRINTED else None
    return event.type.value if event.type in _ERRANDS else None


def compose(
    signed: SignedEvent, key: Ed25519PrivateKey, style: ReceiptStyle, *, next_due: str | None, simulated: bool
) -> Slip | None:
    """The slip of a record, None if it gets none. ``next_due`` is an ISO date or time. No argument knows a name."""
    code = done_code(signed)
    if code is None:
        return None
    texts, event = receipt_texts(style.language), signed.event
    zone = ZoneInfo(style.timezone)
    lines = [
        texts["done"][code],
        f"{texts['time']}  {event.captured_at.astimezone(zone):%Y-%m-%d %H:%M}",
        f"{texts['number']}  {event.seq:06d}",
    ]
    if next_due:
        lines.append(f"{texts['next_due']}  {_when(next_due, zone)}")
    if event.time_quality is TimeQuality.UNKNOWN:
        lines.append(texts["time_unsure"])
    foot = (texts["keep"], texts["simulated"]) if simulated else (texts["keep"],)
    return Slip(style.title or texts["title"], tuple(lines), symbol=Receipt.make(signed, key).code, foot=foot)


class ReceiptDesk(DeviceThread):
    """Prints receipts, one after the other. ``print`` comes back at once and never raises."""

    def __init__(
        self,
        printer: ReceiptPrinter,
        *,
        note: NoteDevice,
        key: Ed25519PrivateKey,
        style: ReceiptStyle,
        simulated: Callable[[], bool] = lambda: False,
        heartbeat_s: float = HEARTBEAT_S,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__("printer", printer, note=note)
        self._printer = printer
        self._key = key
        self._style = style
        self._simulated = simulated
        self._heartbeat_s = heartbeat_s
        self._monotonic = monotonic
        self._waiting: deque[_Waiting | _WaitingSlip] = deque(maxlen=MOST_WAITING)
        self._asked = threading.Condition()

    def print(self, result: CheckInResult, *, next_due: str | None = None) -> None:
        """Have the receipt of a result printed, if it gets one; of too many that wait the oldest is dropped."""
        if result.signed is None:
            return
        with self._asked:
            self._waiting.append(_Waiting(result.signed, next_due, self._monotonic()))
            self._asked.notify()

    def print_slip(self, slip: Slip) -> bool:
        """Have a slip of staff's printed that is no receipt; whether the printer is well. Never raises."""
        if self.error is not None:
            return False
        with self._asked:
            self._waiting.append(_WaitingSlip(slip, self._monotonic()))
            self._asked.notify()
        return True

    def prove(self) -> None:
        """A printer with paper and a closed cover."""
        self._printer.check()

    def serve(self) -> None:
        """Until the printer fails: print what waits; in between ask it how it is."""
        while not self._stopping.is_set():
            self.pulse.beat()
            with self._asked:
                self._asked.wait_for(lambda: self._waiting or self._stopping.is_set(), self._heartbeat_s)
                job = self._waiting.popleft() if self._waiting else None
            if job is None:
                self._printer.check()
            else:
                self._print(job)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread; slips that wait are not printed."""
        self._stopping.set()
        with self._asked:
            self._asked.notify()
        super().stop(timeout_s)

    def _print(self, job: _Waiting | _WaitingSlip) -> None:
        if isinstance(job, _WaitingSlip):
            self._printer.print(job.slip)
            log.info("slip_printed")
            return
        number = job.signed.body["seq"]
        if self._monotonic() - job.asked_s > STALE_AFTER_S:
            log.info("receipt_dropped", seq=number)
            return
        slip = compose(job.signed, self._key, self._style, next_due=job.next_due, simulated=self._simulated())
        if slip is None:
            return
        try:
            self._printer.print(slip)
        except DeviceError:
            with self._asked:
                if len(self._waiting) < MOST_WAITING:
                    self._waiting.appendleft(job)  # for when the paper is back, if that is soon
            raise
        log.info("receipt_printed", seq=number)


def _when(text: str, zone: ZoneInfo) -> str:
    """An ISO date as it is, an ISO time in the office's own."""
    if len(text) == len("2026-01-01"):
        return date.fromisoformat(text).isoformat()
    return f"{datetime.fromisoformat(text).astimezone(zone):%Y-%m-%d %H:%M}"
