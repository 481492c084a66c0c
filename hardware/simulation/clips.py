"""What is to be seen on a screen that is held up: a photograph, a recording, a video call. Owns pictures over time.

A recording does not know what the kiosk asks; at best it is started in time. In a call a living person hears the kiosk
and obeys, later by the way there and back, compressed and at a low frame rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import cv2
import numpy as np

from hardware.simulation.heads import Head, Portrait
from hardware.simulation.movement import Movement
from hardware.simulation.projection import EYE_DISTANCE_M, FOCAL_PX, FRAME_SIZE
from hardware.simulation.prompts import PROMPTS, STEADY, Heard, Manner
from hardware.simulation.relief import MIDDLE_PX, TEXTURE_EYE_PX
from hardware.simulation.screens import Device
from models.biometrics import UInt8Array


class Clip(Protocol):
    """Something that a screen shows."""

    def picture(self, t_s: float) -> UInt8Array:
        """The display's content at ``t_s``, (H, W, 3) uint8 RGB, of the display's shape."""

    def hears(self, heard: Heard, rng: np.random.Generator) -> Clip:
        """The same after the kiosk asked for something."""


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """A portrait on the display, cut to its shape. ``half_width`` is half the display's width in eye distances."""

    shown: UInt8Array

    @classmethod
    def of(cls, portrait: Portrait, *, aspect: float, half_width: float) -> Photo:
        """``aspect`` is height over width."""
        texture, _ = portrait.texture()
        half = np.array([half_width, half_width * aspect]) * TEXTURE_EYE_PX
        middle = MIDDLE_PX + np.array([0.0, 0.45]) * TEXTURE_EYE_PX
        size = (int(2 * half[0]), int(2 * half[1]))
        moved = np.array([[1.0, 0.0, half[0] - middle[0]], [0.0, 1.0, half[1] - middle[1]]])
        return cls(np.asarray(cv2.warpAffine(texture, moved, size, borderMode=cv2.BORDER_REPLICATE), np.uint8))

    def picture(self, t_s: float) -> UInt8Array:
        """Always the same."""
        return self.shown

    def hears(self, heard: Heard, rng: np.random.Generator) -> Photo:
        """A photograph hears nothing."""
        return self


@dataclass(frozen=True, slots=True)
class Codec:
    """What recording and sending do to a picture: frames per second, lines, JPEG quality, and when it stands still."""

    fps: float
    lines: int
    quality: int
    stalls: tuple[tuple[float, float], ...] = ()  # seconds from, seconds to

    @classmethod
    def recorded(cls, rng: np.random.Generator) -> Codec:
        """A clip kept on the phone: good."""
        return cls(float(rng.choice([24.0, 30.0])), int(rng.integers(430, 481)), int(rng.integers(70, 93)))

    @classmethod
    def called(cls, rng: np.random.Generator, starts_s: float) -> Codec:
        """A call: fewer frames and lines; now and then the picture stands still for a moment."""
        stalls = []
        at_s = starts_s
        for _ in range(8):
            at_s += float(rng.exponential(9.0))
            stalls.append((at_s, at_s + float(rng.uniform(0.15, 0.7))))
            at_s = stalls[-1][1]
        return cls(float(rng.uniform(9, 20)), int(rng.integers(240, 481)), int(rng.integers(28, 75)), tuple(stalls))

    def tick(self, t_s: float) -> int:
        """The number of the frame that is to be seen at ``t_s``."""
        for from_s, to_s in self.stalls:
            if from_s <= t_s < to_s:
                t_s = from_s
        return int(np.floor(t_s * self.fps))

    def through(self, picture: UInt8Array) -> UInt8Array:
        """The picture after it."""
        height, width = picture.shape[:2]
        size = (max(2, width * self.lines // height), self.lines)
        small = picture if self.lines >= height else cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        _, packed = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        seen = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), dtype=np.uint8)
        return np.asarray(cv2.resize(seen, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


@dataclass(slots=True, eq=False)
class _Newest:
    tick: int = -1
    picture: UInt8Array | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A head that moves on the display. ``shift_s`` is how much later it is seen than it happened; ``live``: it hears.

    ``waits_for`` is what a recording does once it is started; it starts at the first prompt, after ``pressed_s``.
    """

    head: Head
    movement: Movement
    codec: Codec
    backdrop: UInt8Array
    aspect: float
    live: bool = False
    shift_s: float = 0.0
    script: tuple[Heard, ...] = ()  # times from the start of the recording
    pressed_s: float = 0.5
    newest: _Newest = field(default_factory=_Newest)

    def picture(self, t_s: float) -> UInt8Array:
        """The newest frame that has arrived."""
        tick = self.codec.tick(t_s)
        if self.newest.picture is None or self.newest.tick != tick:
            self.newest.picture, self.newest.tick = self._film(tick / self.codec.fps - self.shift_s), tick
        return self.newest.picture

    def _film(self, t_s: float) -> UInt8Array:
        frame = self.backdrop.copy()
        self.head.draw(frame, self.movement.pose(t_s), lids=self.movement.lids(t_s))
        width = min(FRAME_SIZE[0], int(FRAME_SIZE[1] / self.aspect))
        left = (FRAME_SIZE[0] - width) // 2
        return self.codec.through(np.ascontiguousarray(frame[:, left : left + width]))

    def hears(self, heard: Heard, rng: np.random.Generator) -> Film:
        """In a call the person obeys; a recording is started by the first prompt."""
        if self.live:
            later = replace(heard, at_s=heard.at_s + self.shift_s)
            return replace(self, movement=self.movement.hears(later, rng))
        if not self.script:
            return self
        movement, started_s = self.movement, heard.at_s + self.pressed_s
        for item in self.script:
            movement = movement.hears(replace(item, at_s=item.at_s + started_s), rng)
        return replace(self, movement=movement, script=())


def recording(head: Head, rng: np.random.Generator, starts_s: float, *, device: Device, performed: bool) -> Film:
    """A recording of somebody. ``performed``: who obeys prompts as a kiosk gives them; else turns and nods anyhow."""
    movement, aspect = _selfie(rng, starts_s, device, STEADY), device.aspect
    script = tuple(_performance(rng) if performed else _restlessness(rng))
    film = Film(head, movement, Codec.recorded(rng), backdrop(rng), aspect, pressed_s=float(rng.uniform(0.15, 0.8)))
    film = replace(film, script=script)
    return film if performed else film.hears(Heard("look_here", starts_s), rng)


def picked(head: Head, rng: np.random.Generator, starts_s: float, *, device: Device) -> Film:
    """Recordings of the right person, one for each prompt, of which the attacker starts the one that is asked for.

    As good as the person being there, but for the time it takes to hear and to press.
    """
    pressed_s = float(rng.uniform(0.35, 0.9))
    movement = _selfie(rng, starts_s, device, replace(STEADY, reaction_s=(0.05, 0.15), pursuit_s=(0.05, 0.15)))
    film = Film(head, movement, Codec.recorded(rng), backdrop(rng), device.aspect)
    return replace(film, live=True, shift_s=pressed_s)


def call(head: Head, rng: np.random.Generator, starts_s: float, *, device: Device, manner: Manner = STEADY) -> Film:
    """A video call with the right person, who hears the kiosk: 0.3 to 1.5 s both ways."""
    there_and_back_s = float(rng.uniform(0.3, 1.5))
    return Film(
        head,
        _selfie(rng, starts_s, device, manner),
        Codec.called(rng, starts_s),
        backdrop(rng),
        device.aspect,
        live=True,
        shift_s=there_and_back_s / 2,
    )


def _selfie(rng: np.random.Generator, starts_s: float, device: Device, manner: Manner) -> Movement:
    """Somebody who films themselves so that the face is as large on the display as a photograph's would be."""
    half_px = min(FRAME_SIZE[0], FRAME_SIZE[1] / device.aspect) / 2
    distance_m = FOCAL_PX * EYE_DISTANCE_M * device.half_width / half_px * float(rng.uniform(0.9, 1.15))
    return Movement.draw(rng, starts_s, distance_m=distance_m, manner=manner)


def _performance(rng: np.random.Generator) -> Sequence[Heard]:
    """Prompts as an earlier visit had them: each kind but a wink, dots that wander."""
    heard: list[Heard] = []
    at_s = 0.0
    while at_s < 25.0:
        kind = str(rng.choice(PROMPTS))
        if kind == "follow_dot":
            at_s = _wander(rng, heard, at_s)
        else:
            heard.append(Heard(kind, at_s))
            at_s += float(rng.uniform(1.6, 3.2))
    return heard


def _wander(rng: np.random.Generator, heard: list[Heard], at_s: float) -> float:
    place = rng.uniform(0.1, 0.9, 2)
    for _ in range(int(rng.integers(2, 5))):
        goal = rng.uniform(0.05, 0.95, 2)
        for share in np.linspace(0.0, 1.0, 8):
            x, y = place + (goal - place) * share
            heard.append(Heard("follow_dot", at_s, (float(x), float(y))))
            at_s += 0.15
        place = goal
    return at_s + 0.4


def _restlessness(rng: np.random.Generator) -> Sequence[Heard]:
    """Turns and nods at times of their own, for a minute."""
    kinds = ("look_here", "turn_left", "turn_right", "look_up", "look_down", "blink")
    times = np.cumsum(rng.gamma(2.0, 1.1, 28))
    return [Heard(str(rng.choice(kinds)), float(at_s)) for at_s in times]


def backdrop(rng: np.random.Generator) -> UInt8Array:
    """Another room behind the person on the display, (480, 640, 3) uint8."""
    width, height = FRAME_SIZE
    base = float(rng.uniform(70, 215)) + rng.normal(0, 14, 3)
    shade = np.linspace(1.0, rng.uniform(0.7, 1.1), height)[:, None, None] * base
    picture = np.clip(np.broadcast_to(shade, (height, width, 3)), 0, 255).astype(np.uint8)
    picture = np.ascontiguousarray(picture)
    for _ in range(int(rng.integers(2, 7))):
        left, top = int(rng.integers(0, width)), int(rng.integers(0, height))
        size = rng.integers(30, 260, 2)
        color = tuple(int(v) for v in np.clip(base + rng.normal(0, 45) + rng.normal(0, 12, 3), 0, 255))
        cv2.rectangle(picture, (left, top), (left + int(size[0]), top + int(size[1])), color, -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(1.5, 6))), dtype=np.uint8)
