"""Live capture on the command line: which devices, which fingers, and the words. Refuses to judge samples.

What is printed is a count, a quality and a hint; never a picture, a template or a comparison score.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from enrollment.capture import CaptureNews, LiveCapture, Step, finger_name
from enrollment.samples import EnrollmentPlan, Refusal
from enrollment.session import EnrollmentSession
from hardware.drivers import open_camera, open_sensor
from hardware.ports import Camera, FingerSensor
from models.biometrics import FingerPosition, Modality
from models.errors import InputError, RetryReason

USUAL_POSITIONS = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX)
_SENSOR_DRIVERS = ("zfm", "pyfingerprint")

WORDS: dict[str, str] = {
    Step.LAY_FINGER: "lay it on the sensor",
    Step.LIFT_FINGER: "lift it",
    RetryReason.NO_FACE: "no face is seen",
    RetryReason.SEVERAL_FACES: "more than one face is seen; one person at a time",
    RetryReason.COME_CLOSER: "come closer",
    RetryReason.STEP_BACK: "step back a little",
    RetryReason.LOOK_HERE: "look straight at the camera",
    RetryReason.TOO_DARK: "too dark; more light is needed",
    RetryReason.TOO_BRIGHT: "too bright; turn away from the light",
    RetryReason.HOLD_STILL: "hold still",
    RetryReason.CENTER_FACE: "move to the middle of the picture",
    RetryReason.NO_FINGER: "no finger was laid on",
    RetryReason.FINGER_MESSY: "not clear; wipe finger and glass, and press less",
    RetryReason.FINGER_FEW_POINTS: "too little of the finger is seen; lay it flat and press a little more",
    RetryReason.FINGER_OFF_CENTER: "lay the middle of the finger on the middle of the glass",
    RetryReason.FINGERS_DIFFER: "that does not look like the same finger",
    Refusal.ENOUGH: "nothing more is needed",
    Refusal.SAMPLE_REPEATED: "the same picture again; it counts once",
    Refusal.FACES_DIFFER: "that does not look like the same person as before",
    Refusal.FINGER_REPEATED: "this finger is there already under another name",
}


@dataclass(slots=True)
class LiveOptions:
    """What was asked for. ``camera`` is N or recorded:PATH, ``sensor`` is PORT or pyfingerprint:PORT."""

    camera: str | None
    sensor: str | None
    positions: tuple[FingerPosition, ...] = ()
    sensor_options: dict[str, Any] = field(default_factory=dict)

    def check(self, from_files: Collection[FingerPosition], plan: EnrollmentPlan) -> None:
        """Settle the fingers to capture beside those of files. Raises InputError for what cannot be meant."""
        if self.sensor is None:
            if self.positions:
                raise InputError("A finger position is for the sensor: name its port with --sensor.")
            return
        twice = [position for position in self.positions if position in from_files]
        if twice:
            raise InputError(f"The {finger_name(twice[0])} comes either from files or from the sensor, not from both.")
        room = max(0, plan.fingers - len(from_files))
        if not self.positions:
            self.positions = tuple(position for position in USUAL_POSITIONS if position not in from_files)[:room]
        if not self.positions or len(set(self.positions)) > room:
            raise InputError(f"An enrollment has {plan.fingers} fingers; more were named.", code="fingers_too_many")
        self.positions = tuple(dict.fromkeys(self.positions))

    def open(self, closing: ExitStack, say: Callable[[str], None]) -> LiveDevices:
        """Open what was asked for, before anybody is asked for anything. Raises DeviceError."""
        devices = LiveDevices(self.positions, say)
        if self.camera is not None:
            devices.camera = _camera(self.camera)
            closing.callback(devices.camera.close)
        if self.sensor is not None:
            devices.sensor = _sensor(self.sensor, self.sensor_options)
            closing.callback(devices.sensor.close)
        for device in (devices.camera, devices.sensor):
            if device is not None:
                info = device.info()
                say(f"Using {'SIMULATED ' if info.simulated else ''}{info.description} ({info.device_id}).")
        return devices


@dataclass(slots=True)
class LiveDevices:
    """Open devices and whom to tell."""

    positions: Sequence[FingerPosition]
    say: Callable[[str], None]
    camera: Camera | None = None
    sensor: FingerSensor | None = None

    def feed(self, session: EnrollmentSession) -> None:
        """Capture everything that was asked for into the session. Raises InputError, DeviceError."""
        capture = LiveCapture(session, Narrator(self.say))
        if self.camera is not None:
            capture.capture_faces(self.camera)
        if self.sensor is not None:
            for position in self.positions:
                capture.capture_finger(self.sensor, position)


class Narrator:
    """Says news in plain words, a hint that stays the same only once."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._before: tuple[str, object] | None = None

    def __call__(self, news: CaptureNews) -> None:
        """Say it."""
        if news.code == Step.LOOK and self._before is not None:
            return  # asked before every frame; once is enough
        now = (news.code, news.position)
        if news.code == Step.TAKEN or now != self._before:
            self._say(in_words(news))
        self._before = now


def in_words(news: CaptureNews) -> str:
    """One line of plain English for a person at the command line."""
    if news.code == Step.LOOK:
        return "Face: look at the camera."
    name = "face" if news.modality is Modality.FACE or news.position is None else finger_name(news.position)
    if news.code == Step.TAKEN:
        quality = "" if news.quality is None else f", quality {news.quality.value:.2f}"
        count = f"{news.taken}" if news.taken > news.wanted else f"{news.taken} of {news.wanted}"
        return f"  {name} {count}{quality}"
    if news.code == Step.LAY_FINGER:
        return f"{name.capitalize()}: {WORDS[news.code]}."
    return f"  {said(news.code)}"


def said(code: str) -> str:
    """What a Step, RetryReason or Refusal value says to a person."""
    return WORDS.get(code, code.replace("_", " "))


def _camera(text: str) -> Camera:
    driver, colon, place = text.partition(":")
    if driver != "recorded" or not colon:
        return open_camera("opencv", device=text)
    # A folder is read picture by picture, so that none is missed; a film runs as fast as it was taken.
    pace: dict[str, Any] = {"rate_hz": None} if Path(place).is_dir() else {}
    return open_camera("recorded", path=place, **pace)


def _sensor(text: str, options: dict[str, Any]) -> FingerSensor:
    driver, colon, port = text.partition(":")
    if colon and driver in _SENSOR_DRIVERS:
        return open_sensor(driver, port=port, **options)
    return open_sensor("zfm", port=text, **options)
