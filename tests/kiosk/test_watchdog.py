"""The service manager's watchdog is fed only while every vital thread gets on."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from center_parts import wait_until

from kiosk.supervisor import EXIT_VITAL_DIED, Pulse, Supervisor, notify, waiting_alive


class Manager:
    """A service manager's socket, as systemd hands it to a service."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(5)

    def heard(self) -> str:
        return self._socket.recv(256).decode()

    def heard_nothing(self) -> bool:
        self._socket.setblocking(False)
        try:
            return not self._socket.recv(256)
        except BlockingIOError:
            return True
        finally:
            self._socket.settimeout(5)

    def drained(self) -> None:
        self._socket.setblocking(False)
        try:
            while True:
                self._socket.recv(256)
        except BlockingIOError:
            self._socket.settimeout(5)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    path = tmp_path / "notify"
    made = Manager(path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    yield made
    made.close()


class Worker:
    """A vital thread as the supervisor sees it, with a clock of its own."""

    name = "matcher"
    died: BaseException | None = None

    def __init__(self) -> None:
        self.now_s = 0.0
        self.alive = True
        self.pulse: Pulse | None = Pulse(10.0, monotonic=lambda: self.now_s)

    def is_alive(self) -> bool:
        return self.alive


def test_a_hung_thread_stops_the_pings_and_one_that_gets_on_again_brings_them_back(manager: Manager) -> None:
    worker = Worker()
    supervisor = Supervisor([worker], look_s=0.005)
    watching = threading.Thread(target=supervisor.watch)
    watching.start()
    assert [manager.heard(), manager.heard()] == ["READY=1", "WATCHDOG=1"]
    worker.now_s = 10.5  # nothing was heard of the thread since 0
    wait_until(lambda: supervisor.hanging == {"matcher"})
    manager.drained()
    looks = supervisor.looks
    wait_until(lambda: supervisor.looks > looks + 5)
    assert manager.heard_nothing()
    assert worker.pulse is not None
    worker.pulse.beat()
    assert manager.heard() == "WATCHDOG=1"
    worker.alive = False
    watching.join(5)
    manager.drained()


def test_a_dead_thread_ends_the_process_also_under_a_watchdog(manager: Manager) -> None:
    worker = Worker()
    worker.alive = False
    assert Supervisor([worker], look_s=0.005).watch() == EXIT_VITAL_DIED
    said = [manager.heard() for _ in range(3)]
    assert said == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_kiosk_that_waits_for_its_pairing_counts_as_well(manager: Manager) -> None:
    with waiting_alive(every_s=0.005):
        assert [manager.heard() for _ in range(3)] == ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]


def test_without_a_service_manager_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("WATCHDOG=1")
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/at/all")
    notify("WATCHDOG=1")
    assert os.environ["NOTIFY_SOCKET"]
