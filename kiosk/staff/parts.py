"""What the staff's desk is made of beside the station's tools. Owns nothing; handed in by ``kiosk.app``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from enrollment.vault import Vault
from hardware.ports import ExposureControl, Slip
from kiosk.devices import SensorWorker
from kiosk.journal import Journal
from kiosk.parcels import ParcelStore
from kiosk.staff.pins import BackOff
from matcher.ports import FaceEngine, FingerEngine


@dataclass(frozen=True, slots=True)
class DeskParts:
    """The kiosk's parts that staff's acts need. ``exposure`` is the camera's driver, where that can set it."""

    back_off: BackOff
    vault: Vault
    parcels: ParcelStore
    journal: Journal
    sensor: SensorWorker | None
    exposure: ExposureControl | None
    face_engine: FaceEngine | None
    finger_engine: FingerEngine | None
    can_print: Callable[[], bool] = lambda: False
    print_slip: Callable[[Slip], bool] = lambda slip: False  # whether it was taken; never waits
    language: str = "zh_CN"


def exposure_control(camera: object) -> ExposureControl | None:
    """The camera's driver, where its exposure can be set; safe from other threads, since its own thread sets it."""
    return camera if isinstance(camera, ExposureControl) else None
