"""Who stands at the simulated camera and which finger lies on the simulated glass. Owns the state, thread-safe.

A scene is asked what is to be seen now (``render``, ``glass.impression``); nothing runs by itself. Time comes from the
clock that is handed in, chance from the seed, so a scene repeats exactly. Refuses names of people: visitors are labels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

import hardware.simulation.suite  # noqa: F401 - adds the suite's kinds to the behaviours
from hardware.simulation.acts import Act, Living
from hardware.simulation.behaviours import Stage, behaviour_named
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.papers import HeldPaper, Paper
from hardware.simulation.prompts import Heard
from hardware.simulation.room import Room, View
from hardware.simulation.visitor import FINGER_NAMES, Visitor
from models.biometrics import UInt8Array
from models.errors import ConfigurationError

__all__ = ["FINGER_NAMES", "Scene", "SceneGlass", "Visitor"]
_BESIDE_M = 0.17
_COMPLIES = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """One act before the camera, whose it is, and how the room is lit for it."""

    visitor: Visitor
    act: Act
    view: View


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
    picture: UInt8Array | None = None


class Scene:
    """The stage. Every method may be called from any thread; ``clock`` returns seconds that never go back."""

    def __init__(self, *, seed: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self._rng = np.random.default_rng([seed, 0x5CE])
        self._clock = clock
        self._lock = threading.RLock()
        self._playing = threading.Lock()
        self._present: list[Presence] = []
        self._laid: _Laid | None = None
        self._page: HeldPaper | None = None
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

    def show(
        self, visitor: Visitor, behaviour: str = "approach", *, portrait: int = 0, by: Visitor | None = None
    ) -> None:
        """The visitor steps up, alone, and behaves so (see ``behaviours``). Raises ConfigurationError for bad names.

        ``by`` is who holds or wears the visitor's face in an attack, or who waits behind.
        """
        with self._lock:
            self._present = [self._enter(visitor, behaviour, portrait, x_m=0.0, by=by)]

    def join(self, visitor: Visitor, behaviour: str = "stand", *, portrait: int = 0) -> None:
        """A second visitor steps beside whoever is there."""
        with self._lock:
            aside = _BESIDE_M if self._present else 0.0
            moved = [replace(presence, act=presence.act.aside(-aside)) for presence in self._present]
            self._present = [*moved, self._enter(visitor, behaviour, portrait, x_m=aside)]

    def _enter(
        self, visitor: Visitor, behaviour: str, portrait: int, *, x_m: float, by: Visitor | None = None
    ) -> Presence:
        known = behaviour_named(behaviour)
        stage = Stage(visitor, portrait, self._rng, self._clock(), x_m=x_m, by=by)
        return Presence(visitor, known.enter(stage), known.light(self._rng))

    def challenge(self, kind: str, dot: tuple[float, float] | None = None) -> None:
        """Whoever is there hears a prompt (see ``prompts.PROMPTS``) and answers after a moment, as a head or a sheet.

        ``dot`` is the place to look at for ``follow_dot``, as shares of the screen from its left and top; hand in each
        new place of a dot that wanders.
        """
        with self._lock:
            heard = Heard(kind, self._clock(), dot)
            self._present = [replace(p, act=p.act.hears(heard, self._rng)) for p in self._present]

    def uncover(self) -> None:
        """Whoever is there is asked to look here and to take off what covers the face; nine in ten do within 2 s."""
        with self._lock:
            self.challenge("look_here")
            now = self._clock()
            takes_s, complies = float(self._rng.uniform(1.0, 2.0)), self._rng.uniform() < _COMPLIES
            self._present = [
                replace(p, act=p.act.uncovers(now + takes_s)) if complies and isinstance(p.act, Living) else p
                for p in self._present
            ]

    def leave(self) -> None:
        """Everybody walks out of the picture and takes finger and page away."""
        with self._lock:
            now, self._page = self._clock(), None
            self._present = [replace(p, act=p.act.leaving(now)) for p in self._present]
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

    def hold_page(self, paper: Paper, way: str = "still") -> None:
        """A page is held up to the camera, before whoever is there (see ``papers.WAYS``). Raises ConfigurationError."""
        with self._lock:
            self._page = HeldPaper.make(paper, way, self._clock())

    def lower_page(self) -> None:
        """The page is taken away."""
        with self._lock:
            self._page = None

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
            present, view, page = list(self._present), self._view, self._page
        if view is None:
            view = present[0].view if present else View()
        frame = self._room.wall()
        for presence in present:
            presence.act.paint(frame, now)
        if page is not None:
            page.paint(frame, now)
        return self._room.look(frame, view, sequence=sequence)

    def light_now(self) -> View:
        """How the room is lit and seen at this moment."""
        with self._lock:
            return self._view or (self._present[0].view if self._present else View())

    def vacant(self, view: View, *, sequence: int) -> UInt8Array:
        """What the camera saw when nobody was there: (480, 640, 3) uint8 RGB."""
        return self._room.look(self._room.wall(), view, sequence=sequence)

    def _forget_gone(self, now: float) -> None:
        self._present = [presence for presence in self._present if not presence.act.gone(now)]
