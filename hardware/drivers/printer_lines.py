"""The ways to a slip printer that python-escpos knows: USB, network, a device file, and a dummy. Owns the connection.

python-escpos is imported when a printer is made, not before: it reads its table of printers then, which takes a second
and leaves a temporary folder behind, removed here.
"""

from __future__ import annotations

import errno
import os
import re
import select
import shutil
import socket
import time
from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any

from models.errors import ConfigurationError, DeviceBusy, DeviceError, DeviceNotFound

_ANSWER_S = 0.5
_STALE_S = 0.02
_HELD = 16  # errno EBUSY
_FORBIDDEN = 13  # errno EACCES
_PRINTER_CLASS, _BULK, _IN = 7, 2, 0x80  # USB 2.0, table 9-13; printer class 1.1


class Line(ABC):
    """A connection. ``printer`` is python-escpos' object; what it raises is ``library_error``, OSError or an assert."""

    dummy = False

    def __init__(self, name: str, printer: Any) -> None:
        self.name = name
        self.printer = printer
        self.library_error: type[Exception] = import_module("escpos.exceptions").Error
        self._open = False

    @property
    def printed(self) -> bytes:
        """What a dummy was sent."""
        return b""

    def open(self) -> None:
        """Connect. Raises DeviceNotFound, DeviceBusy or DeviceError without permission."""
        if self._open:
            return
        try:
            self._connect()
        except (OSError, AssertionError, self.library_error) as error:
            self.printer.close()
            raise _cannot(self.name, error) from error
        except ValueError as error:  # pyusb's way to say that there is no libusb
            raise DeviceError("USB printers need libusb; on Debian the package is libusb-1.0-0.") from error
        self._open = True

    def close(self) -> None:
        """Disconnect."""
        self._open = False
        try:
            self.printer.close()
        except (OSError, self.library_error):
            return  # a line that is gone is closed

    def _connect(self) -> None:
        self.printer.open()

    def send(self, content: bytes) -> None:
        """Send all of it. Raises OSError, the library's error or AssertionError when the line is gone."""
        self.printer._raw(content)

    @abstractmethod
    def ask(self, question: bytes) -> bytes:
        """What answers a real-time question; nothing if nothing does."""


class NetworkLine(Line):
    """A printer behind a TCP port."""

    def _connect(self) -> None:
        """Not by the library, which forgets to close a socket that could not connect."""
        printer = self.printer
        printer.device = socket.create_connection((printer.host, printer.port), timeout=printer.timeout)

    def ask(self, question: bytes) -> bytes:
        """Drop what a picture may have provoked, ask, wait a moment."""
        device = self.printer.device
        while select.select([device], [], [], _STALE_S)[0]:
            _received(device)
        self.send(question)
        return _received(device) if select.select([device], [], [], _ANSWER_S)[0] else b""


class UsbLine(Line):
    """A printer behind USB endpoints, those that it says it has."""

    _answers = True

    def _connect(self) -> None:
        super()._connect()
        ends = _bulk_endpoints(self.printer.device)
        if ends is not None:
            out, back = ends
            self.printer.out_ep, self._answers = out, back is not None
            if back is not None:
                self.printer.in_ep = back

    def ask(self, question: bytes) -> bytes:
        """Drop what a picture may have provoked, ask, wait a moment."""
        if not self._answers:
            return b""
        while self._read(_STALE_S):
            pass
        self.send(question)
        return self._read(_ANSWER_S)

    def _read(self, timeout_s: float) -> bytes:
        timeouts = import_module("usb.core").USBTimeoutError
        try:
            return bytes(self.printer.device.read(self.printer.in_ep, 16, int(timeout_s * 1000)))
        except timeouts:
            return b""


class SilentLine(Line):
    """A printer that cannot be asked."""

    def ask(self, question: bytes) -> bytes:
        """Nothing answers."""
        return b""


class FileLine(SilentLine):
    """A device file. A printer without paper takes nothing more at some point; a plain write would wait for ever."""

    def __init__(self, name: str, printer: Any, *, timeout_s: float) -> None:
        super().__init__(name, printer)
        self._timeout_s = timeout_s

    def _connect(self) -> None:
        number = os.open(self.printer.devfile, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        self.printer.device = os.fdopen(number, "wb", buffering=0)

    def send(self, content: bytes) -> None:
        """Send all of it within the time given. Raises OSError if it is not taken."""
        device, left = self.printer.device, memoryview(content)
        assert device  # noqa: S101 - as the library says that nothing is open
        deadline = time.monotonic() + self._timeout_s
        while left:
            if not select.select([], [device], [], max(0.0, deadline - time.monotonic()))[1]:
                raise OSError(errno.ETIMEDOUT, "the printer takes nothing more")
            left = left[device.write(left) or 0 :]


class DummyLine(SilentLine):
    """No printer: what is sent is kept."""

    dummy = True

    @property
    def printed(self) -> bytes:
        """Everything that was sent so far."""
        return bytes(self.printer.output)

    def open(self) -> None:
        """There is nothing to open."""


def make_line(connection: str, address: str, *, timeout_s: float) -> Line:
    """A connection that is not open yet. Raises ConfigurationError if the address is not of the connection's sort."""
    makers = {"usb": _usb, "network": _network, "file": _file, "dummy": _dummy}
    if connection not in makers:
        raise ConfigurationError(f"A printer is reached by {', '.join(makers)}, not by {connection!r}.")
    return makers[connection](address, timeout_s)


def _usb(address: str, timeout_s: float) -> Line:
    found = re.fullmatch("([0-9a-fA-F]{4}):([0-9a-fA-F]{4})", address)
    if found is None:
        raise ConfigurationError("A printer at USB needs an address like 04b8:0e15, as lsusb shows it.")
    vendor, product = (int(part, 16) for part in found.groups())
    return UsbLine(f"usb {address}", _library().Usb(vendor, product, usb_args={}, timeout=int(timeout_s * 1000)))


def _network(address: str, timeout_s: float) -> Line:
    host, _, port = address.partition(":")
    if not host or not (port or "9100").isdecimal() or int(port or 9100) > 65_535:
        raise ConfigurationError("A printer in the network needs an address like 192.168.1.20 or 192.168.1.20:9100.")
    return NetworkLine(address, _library().Network(host, int(port or 9100), timeout=timeout_s))


def _file(address: str, timeout_s: float) -> Line:
    if not address:
        raise ConfigurationError("A printer at a device file needs its address, for example /dev/usb/lp0.")
    return FileLine(address, _library().File(address), timeout_s=timeout_s)


def _dummy(_address: str, _: float) -> Line:
    return DummyLine("dummy", _library().Dummy())


def _library() -> Any:
    printers = import_module("escpos.printer")
    shutil.rmtree(import_module("escpos.capabilities").pickle_dir, ignore_errors=True)
    return printers


def _bulk_endpoints(device: Any) -> tuple[int, int | None] | None:
    """Where a printer takes data, and where it answers, if it does; None if it does not say."""
    for interface in device.get_active_configuration() or ():
        if interface.bInterfaceClass != _PRINTER_CLASS:
            continue
        bulk = [end.bEndpointAddress for end in interface if end.bmAttributes & 0x03 == _BULK]
        out = [address for address in bulk if not address & _IN]
        back = [address for address in bulk if address & _IN]
        if out:
            return out[0], back[0] if back else None
    return None


def _received(device: Any) -> bytes:
    content: bytes = device.recv(64)
    if not content:
        raise ConnectionResetError("the printer hung up")
    return content


def _cannot(name: str, error: BaseException) -> DeviceError:
    """What it means that a printer cannot be opened; python-escpos hides the cause in a chain of exceptions."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        if number == _HELD:
            return DeviceBusy(f"Another program holds the receipt printer at {name}.")
        if number == _FORBIDDEN:
            return DeviceError(
                f"This account may not use the receipt printer at {name}; the group is usually lp.",
                code="device_permission",
            )
        cause = cause.__context__
    return DeviceNotFound(f"There is no receipt printer at {name}.")
