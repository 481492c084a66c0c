"""Cameras, fingerprint sensors, card readers and printers by name, imported when asked for.

Owns the names; a kiosk without a camera never loads OpenCV. Refuses to guess: an unknown name or option is answered
with the known ones.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from hardware.ports import Camera, CardReader, FingerSensor, ReceiptPrinter
from models.errors import ConfigurationError

CAMERAS: Mapping[str, str] = {
    "opencv": "hardware.drivers.opencv_camera:OpenCvCamera",
    "recorded": "hardware.drivers.recorded_camera:RecordedCamera",
    "simulated": "hardware.simulation.camera:SimulatedCamera",
    "disabled": "hardware.drivers.disabled:DisabledCamera",
}
SENSORS: Mapping[str, str] = {
    "zfm": "hardware.drivers.zfm_sensor:ZfmSensor",
    "pyfingerprint": "hardware.drivers.pyfingerprint_sensor:PyFingerprintSensor",
    "disabled": "hardware.drivers.disabled:DisabledSensor",
}
CARD_READERS: Mapping[str, str] = {
    "sam_v": "hardware.drivers.sam_v:SamVReader",
    "disabled": "hardware.drivers.disabled:DisabledCardReader",
}
PRINTERS: Mapping[str, str] = {
    "escpos": "hardware.drivers.receipt_printer:EscPosPrinter",
    "disabled": "hardware.drivers.disabled:DisabledPrinter",
}


def make_camera(name: str, **options: Any) -> Camera:
    """A camera that is not open yet. Raises ConfigurationError for an unknown name or option."""
    return cast(Camera, _make("camera driver", CAMERAS, name, options))


def make_sensor(name: str, **options: Any) -> FingerSensor:
    """A fingerprint sensor that is not open yet. Raises ConfigurationError for an unknown name or option."""
    return cast(FingerSensor, _make("fingerprint sensor driver", SENSORS, name, options))


def make_card_reader(name: str, **options: Any) -> CardReader:
    """A card reader that is not open yet. Raises ConfigurationError for an unknown name or option."""
    return cast(CardReader, _make("card reader driver", CARD_READERS, name, options))


def make_printer(name: str, **options: Any) -> ReceiptPrinter:
    """A receipt printer that is not open yet. Raises ConfigurationError for an unknown name or option."""
    return cast(ReceiptPrinter, _make("receipt printer driver", PRINTERS, name, options))


def open_camera(name: str, **options: Any) -> Camera:
    """``make_camera``, opened. Raises DeviceError if it cannot be."""
    camera = make_camera(name, **options)
    camera.open()
    return camera


def open_sensor(name: str, **options: Any) -> FingerSensor:
    """``make_sensor``, opened. Raises DeviceError if it cannot be."""
    sensor = make_sensor(name, **options)
    sensor.open()
    return sensor


def _make(what: str, known: Mapping[str, str], name: str, options: dict[str, Any]) -> object:
    if name not in known:
        raise ConfigurationError(f"There is no {what} called {name!r}; {_meant(name, sorted(known))}")
    module, _, attribute = known[name].partition(":")
    driver = getattr(import_module(module), attribute)
    allowed = inspect.signature(driver).parameters
    for option in options:
        if option not in allowed:
            raise ConfigurationError(f"The {what} {name!r} has no option {option!r}; {_meant(option, list(allowed))}")
    try:
        inspect.signature(driver).bind(**options)
    except TypeError as error:
        raise ConfigurationError(
            f"The {what} {name!r} cannot be set up so ({error}); options: {', '.join(allowed)}."
        ) from error
    return driver(**options)


def _meant(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return (f"did you mean {near[0]!r}? " if near else "") + f"Known: {', '.join(known) or 'none'}."
