"""Who stands at the simulated camera and which finger lies on the simulated glass. Owns the state, thread-safe.

A scene is asked what is to be seen now (``render``, ``glass.impression``); nothing runs by itself. Time comes from the
clock that is handed in, chance from the seed, so a scene repeats exactly. Refuses names of people: visitors are labels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.heads import Figure, Head, Portrait, Print
from hardware.simulation.movement import TURN_DIRECTIONS, Behaviour, Movement, Turn
from hardware.simulation.room import Room, View
from models.biometrics import Float32Array, UInt8Array
from models.errors import ConfigurationError

_VIEWS = {
    Behaviour.BLURRED: View(blur_px=6.5, noise=1.0),
    Behaviour.TOO_DARK: View(light=0.16, noise=4.0),
    Behaviour.TOO_BRIGHT: View(light=2.6),
}
_BESIDE_M = 0.17
FINGER_NAMES = ("thumb", "index", "middle", "ring", "little")


class Visitor:
    """A label, one or more portraits and fingers; heads and sheets are made when first shown."""

    def __init__(
        self, label: str, portraits: Sequence[Portrait], *, fingers: Mapping[str, SimulatedFinger] | None = None
    ) -> None:
        if not portraits:
            raise ConfigurationError(f"The visitor {label!r} needs at least one portrait.")
        self.label = label
        self.portraits = tuple(portraits)
        self.fingers = dict(fingers or {})
        self._figures: dict[tuple[int, bool], Figure] = {}

    def __repr__(self) -> str:
        return f"Visitor({self.label!r}, {len(self.portraits)} portraits, {len(self.fingers)} fingers)"

    @classmethod
    def make(cls, label: str, portraits: Sequence[tuple[UInt8Array, Float32Array]], *, finger_seed: int) -> Visitor:
        """A visitor made of pictures with their five landmarks, (RGB, (5, 2)), who gets ten fingers of its own."""
        names = [f"{side}_{finger}" for side in ("right", "left") for finger in FINGER_NAMES]
        fingers = {name: SimulatedFinger(finger_seed * 10 + index) for index, name in enumerate(names)}
        return cls(label, [Portrait(pixels, marks) for pixels, marks in portraits], fingers=fingers)

    def figure(self, portrait: int, *, photo: bool) -> Figure:
        """The head or the sheet of one portrait. Raises ConfigurationError if there is no such portrait."""
        if not 0 <= portrait < len(self.portraits):
            raise ConfigurationError(f"The visitor {self.label!r} has no portrait {portrait}.")
        key = (portrait, photo)
        if key not in self._figures:
            picture = self.portraits[portrait]
            self._figures[key] = Print(picture) if photo else Head(picture)
        return self._figures[key]

    def finger(self, name: str) -> SimulatedFinger:
        """A finger by position, e.g. ``right_index``. Raises ConfigurationError with the known ones."""
        if name not in self.fingers:
            known = ", ".join(self.fingers) or "none"
            raise ConfigurationError(f"The visitor {self.label!r} has no finger {name!r}; known: {known}.")
        return self.fingers[name]


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """One figure before the camera and how it moves."""

    visitor: Visitor
    figure: Figure
    movement: Movement


class SceneGlass:
    """The glass of a scene's fingerprint sensor; see ``hardware.simulation.glass.Glass``."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def impression(self) -> UInt8Array | None:
        """What lies on the glass now, (288, 256) uint8, or None."""
        return self._scene.on_glass()


@dataclass(slots=True)
class _Laid:
    finger: SimulatedFinger
    number: int
    condition: str
    picture: UInt8Array | None = field(default=None)


class Scene:
    """The stage. Every method may be called from any thread; ``clock`` returns seconds that never go back."""

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rng = np.random.default_rng([seed, 0x5CE])
        self._clock = clock
        self._lock = threading.RLock()
        self._playing = threading.Lock()
        self._present: list[Presence] = []
        self._laid: _Laid | None = None
        self._touches: dict[int, int] = {}
        self._view: View | None = None
        self._faults: dict[tuple[str, str], Callable[[], None]] = {}
        self._due: Callable[[float], None] | None = None
        self.glass = SceneGlass(self)

    @cached_property
    def _room(self) -> Room:
        return Room()

    def now_s(self) -> float:
        """The scene's clock."""
        return self._clock()

    def drive(self, due: Callable[[float], None] | None) -> None:
        """Call ``due(now_s)`` before anything is looked at: how a script acts without a thread of its own."""
        self._due = due

    def advance(self) -> None:
        """Let a script do what is due, without looking.

        The stage is not locked meanwhile: a step may break a device whose own thread is looking at the stage.
        """
        due = self._due
        if due is None or not self._playing.acquire(blocking=False):
            return
        try:
            due(self._clock())
        finally:
            self._playing.release()

    def show(self, visitor: Visitor, behaviour: str = "approach", *, portrait: int = 0) -> None:
        """The visitor steps up, alone, and behaves so (see ``Behaviour``). Raises ConfigurationError for bad names."""
        with self._lock:
            self._present = [self._enter(visitor, Behaviour.named(behaviour), portrait, x_m=0.0)]

    def join(self, visitor: Visitor, behaviour: str = "stand", *, portrait: int = 0) -> None:
        """A second visitor steps beside whoever is there."""
        with self._lock:
            aside = _BESIDE_M if self._present else 0.0
            moved = [
                replace(p, movement=replace(p.movement, mean=replace(p.movement.mean, x_m=-aside)))
                for p in self._present
            ]
            self._present = [*moved, self._enter(visitor, Behaviour.named(behaviour), portrait, x_m=aside)]

    def _enter(self, visitor: Visitor, behaviour: Behaviour, portrait: int, *, x_m: float) -> Presence:
        figure = visitor.figure(portrait, photo=behaviour.is_photo)
        return Presence(visitor, figure, Movement.draw(behaviour, self._rng, self._clock(), x_m=x_m))

    def challenge(self, kind: str) -> None:
        """Whoever is there hears ``turn_left`` or ``turn_right`` and obeys after a moment, as a head or as a sheet."""
        if kind not in TURN_DIRECTIONS:
            raise ConfigurationError(f"There is no challenge called {kind!r}; known: {', '.join(TURN_DIRECTIONS)}.")
        with self._lock:
            heard = self._clock()
            self._present = [
                replace(p, movement=p.movement.told(Turn.draw(self._rng, kind, heard))) for p in self._present
            ]

    def leave(self) -> None:
        """Everybody walks out of the picture and takes the finger away."""
        with self._lock:
            now = self._clock()
            self._present = [replace(p, movement=p.movement.leaving(now)) for p in self._present]
            self._laid = None

    def present(self) -> tuple[str, ...]:
        """The labels of the visitors who are there."""
        with self._lock:
            self._forget_gone(self._clock())
            return tuple(presence.visitor.label for presence in self._present)

    def light(self, view: View | None) -> None:
        """How the room is seen from now on; None leaves it to each behaviour."""
        with self._lock:
            self._view = view

    def lay_finger(self, finger: SimulatedFinger, *, number: int | None = None, condition: str = "normal") -> None:
        """Lay a finger on the glass; without a number each touch is a new impression."""
        with self._lock:
            if number is None:
                number = self._touches.get(finger.seed, 0)
                self._touches[finger.seed] = number + 1
            self._laid = _Laid(finger, number, condition)
            self._laid.picture = finger.impression(number, condition=condition)

    def lift_finger(self) -> None:
        """Take the finger away; an empty glass stays empty."""
        with self._lock:
            self._laid = None

    def on_glass(self) -> UInt8Array | None:
        """What the sensor's glass shows now."""
        self.advance()
        with self._lock:
            return None if self._laid is None or self._laid.picture is None else self._laid.picture.copy()

    def break_with(self, device: str, fault: str, action: Callable[[], None]) -> None:
        """Register what ``fault(device, name)`` does, e.g. ("camera", "unplug")."""
        with self._lock:
            self._faults[(device, fault)] = action

    def fault(self, device: str, name: str) -> None:
        """Break or mend a device. Raises ConfigurationError with the faults that are known."""
        with self._lock:
            action = self._faults.get((device, name))
            known = ", ".join(f"{d} {f}" for d, f in sorted(self._faults)) or "none"
        if action is None:
            raise ConfigurationError(f"There is no fault {name!r} of the device {device!r}; known: {known}.")
        action()

    def render(self, *, sequence: int) -> UInt8Array:
        """What the camera sees now: (480, 640, 3) uint8 RGB."""
        self.advance()
        with self._lock:
            now = self._clock()
            self._forget_gone(now)
            present, view = list(self._present), self._view
        if view is None:
            view = _VIEWS.get(present[0].movement.behaviour, View()) if present else View()
        frame = self._room.wall()
        for presence in present:
            presence.figure.draw(frame, presence.movement.pose(now))
        return self._room.look(frame, view, sequence=sequence)

    def _forget_gone(self, now: float) -> None:
        self._present = [presence for presence in self._present if not presence.movement.gone(now)]
