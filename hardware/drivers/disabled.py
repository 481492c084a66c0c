"""Devices that a site has switched off. Own one answer: not here, on purpose.

Opening them works, so that a station without a camera or without a sensor starts; using them raises DeviceError with
the code ``device_disabled``.
"""

from __future__ import annotations

from typing import NoReturn

from hardware.ports import CardText, DeviceInfo, Frame, SensorMatch, SensorParameters, Slip
from models.biometrics import UInt8Array
from models.errors import DeviceError


class DisabledCamera:
    """No camera."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def info(self) -> DeviceInfo:
        """Say that there is none."""
        return DeviceInfo("disabled", "camera", "disabled", "no camera")

    def read(self, *, after: int = -1, timeout_s: float = 2.0) -> Frame:
        """Raise DeviceError."""
        _refuse("camera")


class DisabledSensor:
    """No fingerprint sensor."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def info(self) -> DeviceInfo:
        """Say that there is none."""
        return DeviceInfo("disabled", "finger_sensor", "disabled", "no fingerprint sensor")

    def parameters(self) -> SensorParameters:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def capture(self, *, timeout_s: float = 5.0) -> bool:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def image(self) -> UInt8Array:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def convert(self, buffer: int) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def combine(self) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def read_characteristics(self, buffer: int) -> bytes:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def write_characteristics(self, buffer: int, characteristics: bytes) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def match(self) -> int | None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def store(self, position: int, *, buffer: int = 1) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def load(self, position: int, *, buffer: int = 1) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def search(self, *, buffer: int = 1, start: int = 0, count: int | None = None) -> SensorMatch | None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def delete(self, position: int, *, count: int = 1) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def empty(self) -> None:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def count(self) -> int:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")

    def index(self) -> frozenset[int]:
        """Raise DeviceError."""
        _refuse("fingerprint sensor")


class DisabledCardReader:
    """No card reader."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def info(self) -> DeviceInfo:
        """Say that there is none."""
        return DeviceInfo("disabled", "card_reader", "disabled", "no card reader")

    def check(self) -> None:
        """Raise DeviceError."""
        _refuse("card reader")

    def read(self, *, timeout_s: float = 1.0) -> CardText | None:
        """Raise DeviceError."""
        _refuse("card reader")


class DisabledPrinter:
    """No receipt printer."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def info(self) -> DeviceInfo:
        """Say that there is none."""
        return DeviceInfo("disabled", "receipt_printer", "disabled", "no receipt printer")

    def check(self) -> None:
        """Raise DeviceError."""
        _refuse("receipt printer")

    def print(self, slip: Slip) -> None:
        """Raise DeviceError."""
        _refuse("receipt printer")


def _refuse(what: str) -> NoReturn:
    raise DeviceError(f"The {what} is switched off in this station's configuration.", code="device_disabled")
