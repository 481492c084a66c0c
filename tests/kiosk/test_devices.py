"""Device threads: frames count up across reopening, jobs are answered while the sensor is away, deaths are noticed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any

import pytest
from center_parts import wait_until

from hardware.ports import DeviceInfo, Frame
from hardware.simulation.camera import SimulatedCamera
from kiosk import devices
from kiosk.devices import CameraReader, SensorWorker, wait_for
from kiosk.screen import Cancelled, Claim, HelpAsked, Screen
from kiosk.supervisor import EXIT_VITAL_DIED, KeptThread, Supervisor
from models.errors import CaptureRetry, DeviceError, DeviceTimeout, DeviceUnplugged, RetryReason


@pytest.fixture(autouse=True)
def quick_reopening(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "FIRST_REOPEN_S", 0.01)
    monkeypatch.setattr(devices, "LONGEST_REOPEN_S", 0.02)


class ShakySensor:
    """A sensor whose cable can be pulled; only what the worker itself asks of it."""

    plugged = True

    def open(self) -> None:
        if not self.plugged:
            raise DeviceUnplugged("The sensor is gone.")

    def close(self) -> None:
        """Nothing to give back."""

    def info(self) -> DeviceInfo:
        return DeviceInfo("shaky", "finger_sensor", "shaky", "a shaky sensor")

    def parameters(self) -> None:
        self.open()

    def capture(self, *, timeout_s: float) -> bool:
        self.open()
        return True


@pytest.fixture
def sensor() -> Iterator[tuple[ShakySensor, SensorWorker, Screen]]:
    screen, shaky = Screen(), ShakySensor()
    worker = SensorWorker(shaky, note=screen.note_device, heartbeat_s=0.02)  # type: ignore[arg-type]
    worker.start()
    worker.settle(5)
    yield shaky, worker, screen
    worker.stop()


def test_a_sensor_that_goes_away_is_said_so_and_opened_again(
    sensor: tuple[ShakySensor, SensorWorker, Screen],
) -> None:
    """The heartbeat notices, the screen says it in a line, jobs are answered with the error, and it comes back."""
    shaky, worker, screen = sensor
    assert worker.submit(lambda device: device.capture(timeout_s=0)).result(5) is True
    shaky.plugged = False
    wait_until(lambda: screen.state().devices == (("sensor", False, "device_unplugged"),))
    with pytest.raises(DeviceError):
        worker.submit(lambda device: device.capture(timeout_s=0)).result(5)
    shaky.plugged = True
    wait_until(lambda: screen.state().devices == (("sensor", True, None),))
    assert worker.submit(lambda device: device.capture(timeout_s=0)).result(5) is True


def test_what_a_person_can_fix_does_not_close_the_sensor(sensor: tuple[ShakySensor, SensorWorker, Screen]) -> None:
    _, worker, screen = sensor

    def messy(device: Any) -> None:
        raise CaptureRetry(RetryReason.FINGER_MESSY)

    with pytest.raises(CaptureRetry):
        worker.submit(messy).result(5)
    assert screen.state().devices == (("sensor", True, None),)


def test_frames_count_up_also_when_the_camera_was_reopened() -> None:
    screen = Screen()
    camera = SimulatedCamera(fps=60)
    reader = CameraReader(camera, note=screen.note_device)
    reader.start()
    assert reader.settle(5) is None
    first = reader.read(after=-1, timeout_s=5)
    assert isinstance(first, Frame)
    camera.unplug()
    wait_until(lambda: not screen.state().devices[0].ok)
    with pytest.raises(DeviceError):
        reader.read(after=first.sequence + 1000, timeout_s=5)
    assert reader.peek(-1, 0.0) is None  # nobody takes the last picture for one of who stands there later
    camera.plug()
    wait_until(lambda: screen.state().devices[0].ok)
    again = wait_until(lambda: reader.peek(first.sequence, 0.1))
    assert again.sequence > first.sequence
    screen.attach_preview(reader.peek)
    picture = screen.preview(-1, 5)
    assert picture is not None and picture[1].startswith(b"\xff\xd8")
    reader.stop()


def test_taps_on_the_screen_wait_in_order_and_a_stuck_finger_is_bounded() -> None:
    screen = Screen()
    screen.claim("42")
    screen.ask_for_help()
    screen.cancel()
    assert [screen.next_request() for _ in range(4)] == [Claim("42"), HelpAsked(), Cancelled(), None]
    assert "42" not in repr(Claim("42"))
    for _ in range(100):
        screen.cancel()
    taps = 0
    while screen.next_request() is not None:
        taps += 1
    assert taps == 16


def test_the_state_is_pushed_and_only_when_it_changes() -> None:
    screen = Screen()
    before = screen.state().version
    screen.note_simulated()
    screen.note_simulated()
    assert screen.wait(before, 5).version == before + 1
    assert screen.wait(before + 1, 0.01).version == before + 1


class Mortal(threading.Thread):
    """A vital thread that ends at once."""

    died: BaseException | None = None
    pulse = None


def test_a_vital_thread_that_dies_takes_the_kiosk_with_it() -> None:
    mortal = Mortal(name="matcher", target=lambda: None)
    mortal.start()
    mortal.join()
    assert Supervisor([mortal], look_s=0.01).watch() == EXIT_VITAL_DIED


def test_a_kiosk_that_is_told_to_stop_ends_well() -> None:
    supervisor = Supervisor([], look_s=0.01)
    supervisor.stop()
    assert supervisor.watch() == 0


def test_a_screen_that_is_not_served_any_more_ends_the_process() -> None:
    """A thread that simply returns has died, too; its error is kept where there is one."""

    def breaks() -> None:
        raise OSError

    quiet, loud = KeptThread("panel", lambda: None), KeptThread("panel", breaks)
    for thread in (quiet, loud):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(threading, "excepthook", lambda arguments: None)
            thread.start()
            thread.join(5)
        assert Supervisor([thread], look_s=0.01).watch() == EXIT_VITAL_DIED
    assert quiet.died is None
    assert isinstance(loud.died, OSError)


class JustThen(Future[int]):
    """A future that is answered between the end of a wait and the look whether it is done."""

    def __init__(self, error: BaseException | None = None) -> None:
        super().__init__()
        self._late_error, self._waits = error, 0

    def result(self, timeout: float | None = None) -> int:
        self._waits += 1
        if self._waits == 1:
            self.set_exception(self._late_error) if self._late_error else self.set_result(7)
            raise FutureTimeout
        return super().result(timeout)


def test_an_answer_that_comes_as_the_wait_ends_is_an_answer_and_no_failure() -> None:
    assert wait_for(JustThen(), watch=lambda: None) == 7
    with pytest.raises(DeviceTimeout):
        wait_for(JustThen(DeviceTimeout("late")), watch=lambda: None)
    with pytest.raises(TimeoutError, match="the job's own"):
        wait_for(JustThen(TimeoutError("the job's own")), watch=lambda: None)
