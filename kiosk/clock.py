"""What time it is and how far that can be trusted. Owns the reading of the clock; refuses to set it.

A kiosk's clock may have stopped in a power cut, so an event carries the boot it happened in and a monotonic stamp
beside the wall clock, and how good the wall clock was (``TimeQuality``).
"""

from __future__ import annotations

import ctypes
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from models.attendance import TimeQuality

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_REAL_TIME_CLOCK = Path("/sys/class/rtc/rtc0/since_epoch")
_SINCE_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_STA_UNSYNC = 0x0040  # adjtimex(2): the kernel's clock follows no source
_BUILT_IN = datetime(2024, 1, 1, tzinfo=UTC)  # a clock before this has certainly been reset


class _Timex(ctypes.Structure):
    """The head of ``struct timex`` of adjtimex(2), padded generously; only ``status`` is read."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def read_time_quality() -> TimeQuality:
    """How the machine's clock is kept: followed (``synced``), from a battery clock (``rtc``), or ``unknown``."""
    if datetime.fromtimestamp(time.time(), UTC) < _BUILT_IN:
        return TimeQuality.UNKNOWN
    if _kernel_follows():
        return TimeQuality.SYNCED
    return TimeQuality.RTC if _REAL_TIME_CLOCK.exists() else TimeQuality.UNKNOWN


def _kernel_follows() -> bool:
    """Whether the kernel says that its clock is disciplined (adjtimex with no modes only reads)."""
    try:
        call = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):  # no such call on this system: then nobody can say
        return False
    state = _Timex()
    return bool(call(ctypes.byref(state)) >= 0 and not state.status & _STA_UNSYNC)


def read_monotonic_ns() -> int:
    """Time since the boot, the time that the machine slept included: asleep over night it is another day, too."""
    return time.clock_gettime_ns(_SINCE_BOOT)


def read_boot_id() -> str:
    """The kernel's id of this boot, or one made for this process where the kernel has none."""
    try:
        return _BOOT_ID.read_text("ascii").strip()
    except OSError:
        return str(uuid.uuid4())


@dataclass(frozen=True, slots=True)
class Clock:
    """The times of an event; every source can be handed in.

    ``certain_now`` is the time that the rules of a day go by, None if nobody can say (``kiosk.timekeeping``); without
    it the wall clock is taken to be right.
    """

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    monotonic_ns: Callable[[], int] = read_monotonic_ns
    boot_id: str = ""
    time_quality: Callable[[], TimeQuality] = read_time_quality
    certain_now: Callable[[], datetime | None] | None = None

    @classmethod
    def of_this_machine(cls) -> Clock:
        """The clocks of the machine, with its boot id."""
        return cls(boot_id=read_boot_id())

    def rule_now(self) -> datetime | None:
        """The time that the rules of a day may go by; None if nobody can say what day it is."""
        return self.now() if self.certain_now is None else self.certain_now()

    def seconds(self) -> float:
        """Monotonic seconds, for deadlines."""
        return self.monotonic_ns() / 1e9
