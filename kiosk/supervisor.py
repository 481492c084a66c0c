"""Watches the threads that a kiosk cannot live without. Owns the end of the process; refuses to repair anything.

A thread that lives and does nothing is worse than a dead one, so every vital thread stamps its progress (``Pulse``).
While one has been silent for longer than it may, the service manager's watchdog is told nothing, and ends the process.

A vital thread that dies takes the process with it after an orderly note: the service manager starts a fresh one,
and everything that matters is in the journal. Devices are not vital, for their threads reopen them (``kiosk.devices``);
these threads are: one that died would leave every visit waiting for a device that nobody reopens.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import structlog

log = structlog.get_logger("kiosk.supervisor")

EXIT_VITAL_DIED = 70  # EX_SOFTWARE of sysexits.h: the service manager restarts us
_LOOK_S = 0.5


class Pulse:
    """The stamp of a thread's last progress. ``beat`` wherever the thread comes by; ``longest_s`` is what it may take
    from one beat to the next."""

    def __init__(self, longest_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.longest_s = longest_s
        self._monotonic = monotonic
        self._last_s = monotonic()

    def beat(self) -> None:
        """The thread got on."""
        self._last_s = self._monotonic()

    @property
    def stopped(self) -> bool:
        """Whether the last beat is longer ago than it may be."""
        return self._monotonic() - self._last_s > self.longest_s


class VitalThread(Protocol):
    """A thread that keeps the error it died of; ``pulse`` is None for one that may wait for ever."""

    name: str
    died: BaseException | None

    @property
    def pulse(self) -> Pulse | None:
        """Its stamp."""
        ...

    def is_alive(self) -> bool:
        """Whether it still runs."""
        ...


class KeptThread(threading.Thread):
    """A thread that keeps the error it died of; one that simply ends has died, too."""

    def __init__(self, name: str, work: Callable[[], None]) -> None:
        super().__init__(name=name, daemon=True)
        self.died: BaseException | None = None
        self.pulse: Pulse | None = None
        self._work = work

    def run(self) -> None:
        """The thread's body."""
        try:
            self._work()
        except BaseException as error:  # the worker's edge: kept for the supervisor, then the thread ends
            self.died = error
            raise


class Supervisor:
    """Waits for the end: a signal, ``stop``, or the death of a vital thread."""

    def __init__(self, vital: Sequence[VitalThread], *, look_s: float = _LOOK_S) -> None:
        self._vital = tuple(vital)
        self._look_s = look_s
        self.hanging: frozenset[str] = frozenset()
        self.looks = 0
        self.stopping = threading.Event()

    def stop(self) -> None:
        """End the waiting."""
        self.stopping.set()

    def watch(self) -> int:
        """Block until the end; the exit code: 0, or EXIT_VITAL_DIED."""
        notify("READY=1")
        while not self.stopping.wait(self._look_s):
            self._tell_watchdog()
            for thread in self._vital:
                if not thread.is_alive():
                    kind = type(thread.died).__name__ if thread.died else "no error"
                    log.critical("vital_thread_died", thread=thread.name, error=kind)
                    notify("STOPPING=1")
                    return EXIT_VITAL_DIED
        notify("STOPPING=1")
        return 0

    def _tell_watchdog(self) -> None:
        """Say that all is well, if it is; say once in the log which threads hang."""
        hanging = frozenset(one.name for one in self._vital if one.pulse is not None and one.pulse.stopped)
        for name in sorted(hanging - self.hanging):
            log.critical("vital_thread_hangs", thread=name)
        self.hanging = hanging
        if not hanging:
            notify("WATCHDOG=1")
        self.looks += 1


@contextmanager
def waiting_alive(*, every_s: float = _LOOK_S) -> Iterator[None]:
    """Tell the service manager that this process is up and well while the block waits for people (pairing, a page that
    says that this kiosk was revoked): nothing hangs then, however long it takes."""
    done = threading.Event()

    def tell() -> None:
        while not done.wait(every_s):
            notify("WATCHDOG=1")

    notify("READY=1")
    thread = threading.Thread(target=tell, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def catch_signals(stop: Callable[[], None]) -> None:
    """SIGTERM and SIGINT call ``stop``, in a thread of its own: a handler runs in the middle of anything, and must not
    wait for a lock that the interrupted code holds. Does nothing outside of the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=stop, name="stop", daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)


def notify(state: str) -> None:
    """Tell systemd how we are (sd_notify(3)); without one nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    target = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)  # a service manager that does not read must not hold anybody up
            line.sendto(state.encode(), target)
    except OSError as error:  # the service manager is gone: nobody to tell, and nothing depends on it
        log.debug("notify_failed", reason=error.strerror)
