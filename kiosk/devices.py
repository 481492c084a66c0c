"""One thread per device: it alone touches the device, opens it, and opens it again when it fails.

Owns the threads, the newest frame and the sensor's jobs. Refuses to interpret what devices see. Everything passes as
messages: frames and answers out, jobs in.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, Protocol, TypeVar

import structlog

from hardware.ports import Camera, DeviceInfo, FingerSensor, Frame
from kiosk.supervisor import Pulse
from models.errors import CaptureRetry, DeviceError, DeviceTimeout

log = structlog.get_logger("kiosk.devices")
Answer = TypeVar("Answer")
NoteDevice = Callable[[str, DeviceError | None], None]

FIRST_REOPEN_S = 0.5
LONGEST_REOPEN_S = 4.0  # a device that is plugged in again works within ten seconds, whatever the driver takes to open
HEARTBEAT_S = 3.0  # how often an idle device is asked whether it is still there
STUCK_AFTER_S = 90.0  # every driver has its deadlines; one that does not come back for so long never will
_STARTING = DeviceTimeout("The device is being opened.", code="device_starting")


class Device(Protocol):
    """What every device of a station has in common."""

    def open(self) -> None:
        """Raises DeviceError."""
        ...

    def close(self) -> None:
        """Never raises."""
        ...

    def info(self) -> DeviceInfo:
        """What it is."""
        ...


class DeviceThread(threading.Thread):
    """A device's life: open, serve until it fails, say so, wait, open again. Ends only when told to."""

    def __init__(self, name: str, device: Device, *, note: NoteDevice) -> None:
        super().__init__(name=f"device-{name}", daemon=True)
        self.device_name = name
        self.error: DeviceError | None = _STARTING
        self.died: BaseException | None = None
        self.pulse = Pulse(STUCK_AFTER_S)
        self._device = device
        self._note = note
        self._stopping = threading.Event()
        self._settled = threading.Event()

    def run(self) -> None:
        """The thread's body; an error that is none of a device's ends it, and the supervisor sees that."""
        wait_s = FIRST_REOPEN_S
        try:
            while not self._stopping.is_set():
                self.pulse.beat()
                try:
                    self._device.open()
                    self.prove()
                    self._report(None)
                    wait_s = FIRST_REOPEN_S
                    self.serve()
                except DeviceError as error:
                    self._report(error)
                    self._device.close()
                    self.rest(wait_s)
                    wait_s = min(2 * wait_s, LONGEST_REOPEN_S)
        except BaseException as error:  # the worker's edge: kept for the supervisor, then the thread ends
            self.died = error
            self._report(DeviceError(f"The thread of the {self.device_name} ended."))
            raise
        finally:
            self._device.close()

    def prove(self) -> None:
        """What an open device must be able to do before it is called ready. Raises DeviceError."""

    def serve(self) -> None:
        """Work with the open device until it fails or the thread is told to stop."""
        raise TypeError("a device thread knows what it serves")

    def rest(self, wait_s: float) -> None:
        """Wait before the device is opened again."""
        self._stopping.wait(wait_s)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread and close the device."""
        self._stopping.set()
        if self.is_alive():
            self.join(timeout_s)

    def settle(self, timeout_s: float) -> DeviceError | None:
        """Wait until the device was opened or failed once; its error then."""
        self._settled.wait(timeout_s)
        return self.error

    def info(self) -> DeviceInfo:
        """What the device says of itself; safe from other threads, since drivers answer from memory."""
        return self._device.info()

    def _report(self, error: DeviceError | None) -> None:
        if (error and error.code) != (self.error and self.error.code) or not self._settled.is_set():
            if error:
                log.warning("device_failed", device=self.device_name, code=error.code, reason=str(error))
            else:
                log.info("device_ready", device=self.device_name)
            self._note(self.device_name, error)
        self.error = error
        self._settled.set()


class CameraReader(DeviceThread):
    """Drains the camera and keeps the newest frame."""

    def __init__(self, camera: Camera, *, note: NoteDevice) -> None:
        super().__init__("camera", camera, note=note)
        self._camera = camera
        self._arrived = threading.Condition()
        self._newest: Frame | None = None
        self._next_sequence = 0

    def serve(self) -> None:
        """Read until the camera fails; DeviceTimeout is a failure too."""
        seen = -1
        while not self._stopping.is_set():
            self.pulse.beat()
            frame = self._camera.read(after=seen, timeout_s=2.0)
            seen = frame.sequence
            with self._arrived:
                # A reopened camera counts from zero again; frames handed on always count up.
                self._next_sequence += 1
                self._newest = Frame(frame.pixels, frame.captured_at, frame.monotonic_ns, self._next_sequence)
                self._arrived.notify_all()

    def _report(self, error: DeviceError | None) -> None:
        if error is not None:
            with self._arrived:
                self._newest = None  # when the camera is back, this is no picture of who stands there then
        super()._report(error)
        with self._arrived:
            self._arrived.notify_all()

    def read(self, *, after: int, timeout_s: float) -> Frame | None:
        """The newest frame numbered above ``after``; None if none came in time. Raises the camera's DeviceError."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._newer(after) is not None or self._broken() is not None, timeout_s)
            broken = self._broken()
            if broken is not None:
                raise broken
            return self._newer(after)

    def peek(self, after: int, timeout_s: float) -> Frame | None:
        """Like ``read``, but a broken camera is only no frame (for the preview)."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._newer(after) is not None, timeout_s)
            return self._newer(after)

    def _newer(self, after: int) -> Frame | None:
        return self._newest if self._newest is not None and self._newest.sequence > after else None

    def _broken(self) -> DeviceError | None:
        return None if self.error is _STARTING else self.error


class SensorWorker(DeviceThread):
    """Runs jobs on the fingerprint sensor, one after the other."""

    def __init__(self, sensor: FingerSensor, *, note: NoteDevice, heartbeat_s: float = HEARTBEAT_S) -> None:
        super().__init__("sensor", sensor, note=note)
        self._sensor = sensor
        self._jobs: queue.Queue[tuple[Callable[[FingerSensor], Any], Future[Any]]] = queue.Queue()
        self._heartbeat_s = heartbeat_s

    def submit(self, job: Callable[[FingerSensor], Answer]) -> Future[Answer]:
        """Ask for ``job(sensor)`` on the sensor's thread; the future carries its answer or its error."""
        answer: Future[Answer] = Future()
        self._jobs.put((job, answer))
        return answer

    def serve(self) -> None:
        """Do jobs; in between ask the sensor now and then whether it is still there."""
        while not self._stopping.is_set():
            self.pulse.beat()
            try:
                job, answer = self._jobs.get(timeout=self._heartbeat_s)
            except queue.Empty:
                self._sensor.parameters()
                continue
            if answer.set_running_or_notify_cancel():
                self._do(job, answer)

    def rest(self, wait_s: float) -> None:
        """While the sensor is away every job is answered with its error; no number of jobs makes the wait longer."""
        until = time.monotonic() + wait_s
        try:
            while (left_s := until - time.monotonic()) > 0:
                self.pulse.beat()
                _, answer = self._jobs.get(timeout=left_s)
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(self.error or DeviceError("The sensor is away."))
                if self._stopping.is_set():
                    return
        except queue.Empty:
            return

    def stop(self, timeout_s: float = 5.0) -> None:
        """Wake the thread with an empty job, then end it."""
        self._stopping.set()
        self.submit(lambda _: None)
        super().stop(timeout_s)

    def _do(self, job: Callable[[FingerSensor], Any], answer: Future[Any]) -> None:
        try:
            answer.set_result(job(self._sensor))
        except CaptureRetry as retry:
            answer.set_exception(retry)
        except DeviceError as error:
            answer.set_exception(error)
            raise
        except Exception as error:
            answer.set_exception(error)


def wait_for(answer: Future[Answer], *, watch: Callable[[], None], step_s: float = 0.05) -> Answer:
    """The answer of a job, calling ``watch`` while waiting (it may raise to give up)."""
    while True:
        try:
            return answer.result(timeout=step_s)
        except FutureTimeout:
            if answer.done():  # in this very moment, or with a TimeoutError of the job's own: either is the answer
                return answer.result()
            watch()
