"""A serial port that one program owns: claiming, reading in slices, writing. Translates pyserial's errors.

Owns the port; refuses the protocol on it. What is wrong with a port is one sentence and one kind of DeviceError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import termios
from pathlib import Path
from typing import NoReturn, Protocol, Self

import serial

from models.errors import DeviceBusy, DeviceError, DeviceNotFound, DeviceTimeout, DeviceUnplugged

_GONE = {errno.EIO, errno.ENXIO, errno.ENODEV, errno.EBADF}
_ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV, errno.ELOOP, errno.ENAMETOOLONG}
_HELD = {errno.EBUSY, errno.EAGAIN}
_WRITE_TIMEOUT_S = 2.0


class Transport(Protocol):
    """What the sensor's protocol needs of a line. Every method raises DeviceUnplugged when the line is gone."""

    def read(self, *, timeout_s: float) -> bytes:
        """What has come in, at least one byte, or nothing after ``timeout_s``."""

    def write(self, content: bytes) -> None:
        """Send all of it. Raises DeviceTimeout if the line does not take it."""

    def discard(self) -> None:
        """Drop what has come in and was not read."""

    def set_baud(self, baud: int) -> None:
        """Change the speed of our side."""

    def close(self) -> None:
        """Never raises."""


class Connect(Protocol):
    """Opens the line to a port."""

    def __call__(self, port: str, *, baud: int) -> Transport:
        """The open line."""


class PortClaim:
    """The exclusive right to a serial port while it is held; pyserial's ``exclusive`` respects it and is respected.

    Raises DeviceNotFound, DeviceBusy, or DeviceError without permission.
    """

    def __init__(self, port: str) -> None:
        self._port = port
        self._descriptor = self._open()
        try:
            self._check()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Give the port back; releasing twice does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _open(self) -> int:
        try:
            mode = Path(self._port).stat().st_mode
            if not stat.S_ISCHR(mode):
                what = "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "something else"
                raise DeviceNotFound(f"{self._port} is {what} and not a serial port.")
            return os.open(self._port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            _refuse_port(self._port, error)

    def _check(self) -> None:
        if not os.isatty(self._descriptor):
            raise DeviceNotFound(f"{self._port} is a device but not a serial port.")
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            _refuse_port(self._port, error)


class SerialTransport:
    """A claimed serial port over pyserial, 8 data bits, no parity."""

    def __init__(self, port: str, *, baud: int) -> None:
        self._port = port
        self._claim = PortClaim(port)
        try:
            self._serial = serial.Serial(port, baud, timeout=0, write_timeout=_WRITE_TIMEOUT_S)
        except (OSError, ValueError, termios.error) as error:  # SerialException is an OSError
            self._claim.release()
            _refuse_port(port, error)

    def read(self, *, timeout_s: float) -> bytes:
        """What has come in, at least one byte, or nothing after ``timeout_s``."""
        try:
            ready, _, _ = select.select([self._serial.fileno()], [], [], max(0.0, timeout_s))
            return bytes(self._serial.read(max(1, self._serial.in_waiting))) if ready else b""
        except (OSError, termios.error, ValueError, TypeError) as error:
            self._gone(error)

    def write(self, content: bytes) -> None:
        """Send all of it."""
        try:
            self._serial.write(content)
        except serial.SerialTimeoutException as error:
            raise DeviceTimeout(f"The line at {self._port} does not take what is sent.") from error
        except (OSError, termios.error) as error:
            self._gone(error)

    def discard(self) -> None:
        """Drop what has come in and was not read."""
        try:
            self._serial.reset_input_buffer()
        except (OSError, termios.error) as error:
            self._gone(error)

    def set_baud(self, baud: int) -> None:
        """Change the speed of our side."""
        try:
            self._serial.baudrate = baud
        except (OSError, termios.error, ValueError) as error:
            self._gone(error)

    def close(self) -> None:
        """Close the port and give it back."""
        try:
            self._serial.close()
        except (OSError, termios.error):
            return  # a line that is gone is closed
        finally:
            self._claim.release()

    def _gone(self, error: BaseException) -> NoReturn:
        raise DeviceUnplugged(f"The device at {self._port} went away.") from error


def _refuse_port(port: str, error: BaseException) -> NoReturn:
    number = getattr(error, "errno", None)
    if isinstance(error, termios.error) and error.args:
        number = error.args[0]
    if number in _HELD:
        raise DeviceBusy(f"Another program holds the port {port}.") from error
    if number in {errno.EACCES, errno.EPERM}:
        raise DeviceError(
            f"This account may not open the port {port}; the group that owns it is usually dialout.",
            code="device_permission",
        ) from error
    if number in _GONE - _ABSENT:
        raise DeviceUnplugged(f"The device at {port} went away while it was being opened.") from error
    if number == errno.ENOTTY:
        raise DeviceNotFound(f"{port} is a device but not a serial port.") from error
    if number in _ABSENT or isinstance(error, ValueError):
        raise DeviceNotFound(f"There is no serial port {port}.") from error
    raise DeviceError(f"The port {port} cannot be opened.", code="device_failed") from error
