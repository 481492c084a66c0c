"""Whether this kiosk's clock can be right: what a kiosk knows of time beside its wall clock. Refuses to set a clock.

A battery that died boots a kiosk into 1970; somebody sets a clock back to be in time, or ahead to free the next day.
Three things give a wrong clock away: it stands before the last record, it jumped against the monotonic clock, or it is
older than this program. Then every event says that its time is ``unknown``, the screen says so to staff, and the rules
of a day go by the time that the last good clock and the monotonic clock give together, or, where nothing does, by
nothing that a wrong clock could turn against a person. A clock that follows a time server is believed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import structlog

from kiosk.clock import Clock
from kiosk.devices import NoteDevice
from kiosk.recording import Recorder
from models.attendance import EventType, TimeQuality
from models.errors import DeviceError, StoreError

log = structlog.get_logger("kiosk.timekeeping")

JUMP_S = 20.0  # a clock that is nudged by a time server moves by less
_OLDEST = datetime(2024, 1, 1, tzinfo=UTC)
_LOOK_S = 1.0
_UNSURE = DeviceError("The clock of this kiosk cannot be right.", code="clock_unsure")


@dataclass(frozen=True, slots=True)
class Jump:
    """The wall clock moved by ``change_s`` against the monotonic clock."""

    change_s: int


class TimeKeeper:
    """Watches one clock. Safe across threads. ``last_record``: when this kiosk's newest trusted event happened."""

    def __init__(self, clock: Clock, *, last_record: datetime | None) -> None:
        self._raw = clock
        self._lock = threading.Lock()
        self._latest = last_record
        self._doubted = False
        self._good: tuple[datetime, int] | None = None  # wall and monotonic, when both were last believed
        self._before: tuple[datetime, int] | None = None
        self._jumps: list[Jump] = []
        self.clock = replace(clock, time_quality=self.quality, certain_now=self.certain_now)

    def quality(self) -> TimeQuality:
        """What an event says of its time."""
        base, suspicious, _ = self._look()
        return TimeQuality.UNKNOWN if suspicious else base

    def certain_now(self) -> datetime | None:
        """The time that the rules of a day may go by, None if nobody can say."""
        _, suspicious, now = self._look()
        if not suspicious:
            return now
        with self._lock:
            if self._good is None:
                return None
            wall, monotonic_ns = self._good
            return wall + timedelta(microseconds=(self._raw.monotonic_ns() - monotonic_ns) / 1000)

    @property
    def suspicious(self) -> bool:
        """Whether the clock cannot be right."""
        return self._look()[1]

    def jumps(self) -> list[Jump]:
        """The jumps since the last call."""
        self._look()
        with self._lock:
            found, self._jumps = self._jumps, []
        return found

    def _look(self) -> tuple[TimeQuality, bool, datetime]:
        """The machine's own word, whether the clock cannot be right, and what it says."""
        with self._lock:
            base, now, monotonic_ns = self._raw.time_quality(), self._raw.now(), self._raw.monotonic_ns()
            self._compare(now, monotonic_ns)
            synced = base is TimeQuality.SYNCED and now >= _OLDEST
            self._doubted = self._doubted and not synced
            late = self._latest is not None and now < self._latest
            suspicious = not synced and (self._doubted or late or now < _OLDEST)
            if not suspicious:
                self._latest, self._good = now, (now, monotonic_ns)
            return base, suspicious, now

    def _compare(self, now: datetime, monotonic_ns: int) -> None:
        if self._before is not None:
            wall, monotonic_before = self._before
            change_s = (now - wall).total_seconds() - (monotonic_ns - monotonic_before) / 1e9
            if abs(change_s) > JUMP_S:
                self._jumps.append(Jump(round(change_s)))
                self._doubted = True
        self._before = now, monotonic_ns


class ClockWatch(threading.Thread):
    """Looks at the clock every second; records a jump as an event and tells the screen when the clock is in doubt."""

    def __init__(
        self, keeper: TimeKeeper, recorder: Recorder, *, policy_version: Callable[[], str], note: NoteDevice
    ) -> None:
        super().__init__(name="clock", daemon=True)
        self._keeper = keeper
        self._recorder = recorder
        self._policy_version = policy_version
        self._note = note
        self._noted = False
        self._stopping = threading.Event()

    def run(self) -> None:
        """The thread's body."""
        self.look()
        while not self._stopping.wait(_LOOK_S):
            self.look()

    def look(self) -> None:
        """Look once."""
        for jump in self._keeper.jumps():
            self._record("time_jump", jump.change_s)
        unsure = self._keeper.suspicious
        if unsure and not self._noted:
            self._record("time_unsure", 0)
        if unsure != self._noted:
            self._note("clock", _UNSURE if unsure else None)
        self._noted = unsure

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout_s)

    def _record(self, note: str, change_s: int) -> None:
        draft = self._recorder.draft(
            EventType.DEVICE,
            person_id=None,
            policy_version=self._policy_version(),
            note=note,
            details={"device": "clock", "change_s": change_s},
        )
        try:
            self._recorder.store(draft)
        except StoreError as error:  # said by the recorder; the events that follow say that their time is unknown
            log.error("time_event_not_stored", code=error.code)
