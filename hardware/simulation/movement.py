"""How a visitor moves before the camera. Owns the pose as a pure function of time; refuses pictures.

A movement is drawn once with a random generator and then asked for a pose at any second; asking twice gives the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from hardware.simulation.projection import Pose
from models.errors import ConfigurationError

NEAR_M, FAR_M = 0.58, 1.9
APPROACH_S, LEAVE_S = 1.4, 0.7
TURN_DIRECTIONS = {"turn_left": 1.0, "turn_right": -1.0}  # the person's own left is larger x in an unmirrored picture


class Behaviour(StrEnum):
    """What a visitor does. The first eight are a living head, the last three a photograph held up."""

    STAND = "stand"
    APPROACH = "approach"
    LOOK_AWAY = "look_away"
    BLURRED = "blurred"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    FAR = "far"
    IGNORE = "ignore"
    PHOTO = "photo"
    PHOTO_STILL = "photo_still"
    PHOTO_MOVED = "photo_moved"

    @classmethod
    def named(cls, name: str) -> Behaviour:
        """The behaviour called ``name``. Raises ConfigurationError with the known ones."""
        try:
            return cls(name)
        except ValueError as error:
            known = ", ".join(sorted(cls))
            raise ConfigurationError(f"There is no behaviour called {name!r}; known: {known}.") from error

    @property
    def is_photo(self) -> bool:
        """Whether a sheet of paper is shown and not a head."""
        return self.value.startswith("photo")


@dataclass(frozen=True, slots=True)
class Sway:
    """A person who stands is never still: three slow waves per axis, with amplitudes in metres and degrees."""

    amplitudes: tuple[float, ...]
    rates_hz: tuple[tuple[float, ...], ...]
    phases: tuple[tuple[float, ...], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, *, held: bool) -> Sway:
        """A body's sway, or the faster tremor of a hand that holds a sheet."""
        body = (0.006, 0.003, 0.010, 1.6, 1.2, 0.8)
        hand = (0.009, 0.007, 0.014, 4.0, 4.0, 2.2)
        low, high = (0.5, 2.6) if held else (0.1, 0.7)
        shape = (6, 3)
        rates, phases = rng.uniform(low, high, shape), rng.uniform(0, 2 * np.pi, shape)
        return cls(
            tuple(float(a) for a in np.array(hand if held else body) * rng.uniform(0.5, 1.2)),
            tuple(tuple(map(float, row)) for row in rates),
            tuple(tuple(map(float, row)) for row in phases),
        )

    def at(self, t_s: float) -> tuple[float, ...]:
        """x, y, distance, yaw, pitch and roll away from the mean."""
        waves = np.sin(2 * np.pi * np.array(self.rates_hz) * t_s + np.array(self.phases)).sum(axis=1) / 1.7
        return tuple(float(a * w) for a, w in zip(self.amplitudes, waves, strict=True))


@dataclass(frozen=True, slots=True)
class Turn:
    """One obeyed challenge: begins after the reaction, turns, holds, comes back. Seconds and degrees."""

    starts_s: float
    reaches_deg: float
    turn_s: float
    hold_s: float
    nod_deg: float

    @classmethod
    def draw(cls, rng: np.random.Generator, kind: str, heard_s: float) -> Turn:
        """A turn as people do it on request: 22 to 36 degrees, after 0.35 to 0.9 s."""
        return cls(
            starts_s=heard_s + float(rng.uniform(0.35, 0.9)),
            reaches_deg=TURN_DIRECTIONS[kind] * float(rng.uniform(22, 36)),
            turn_s=float(rng.uniform(0.45, 0.9)),
            hold_s=float(rng.uniform(0.4, 0.9)),
            nod_deg=float(rng.normal(0, 2.5)),
        )

    def share(self, t_s: float) -> float:
        """How far the head is turned at ``t_s``, 0..1, without a jerk at either end."""
        out, back = t_s - self.starts_s, t_s - self.starts_s - self.turn_s - self.hold_s
        return _ease(out / self.turn_s) - _ease(back / self.turn_s)


@dataclass(frozen=True, slots=True)
class Movement:
    """A visitor's whole way: comes, stays, turns when told, leaves. Times are seconds of the scene's clock."""

    behaviour: Behaviour
    starts_s: float
    mean: Pose
    sway: Sway
    turns: tuple[Turn, ...] = ()
    leaves_s: float | None = None
    slide_m: float = field(default=0.0)

    @classmethod
    def draw(cls, behaviour: Behaviour, rng: np.random.Generator, starts_s: float, *, x_m: float = 0.0) -> Movement:
        """A way of moving for this behaviour; a visitor who stands at ``x_m`` has place for a second beside."""
        distance = {Behaviour.FAR: FAR_M, Behaviour.PHOTO: 0.5, Behaviour.PHOTO_MOVED: 0.5, Behaviour.PHOTO_STILL: 0.5}
        mean = Pose(
            x_m=x_m + float(rng.normal(0, 0.01)),
            y_m=float(rng.normal(0.0, 0.008)),
            distance_m=distance.get(behaviour, NEAR_M) + float(rng.normal(0, 0.02)),
            yaw_deg=float(rng.choice([-1, 1]) * rng.uniform(36, 44)) if behaviour is Behaviour.LOOK_AWAY else 0.0,
            roll_deg=float(rng.normal(0, 1.5)),
        )
        held = behaviour.is_photo and behaviour is not Behaviour.PHOTO_STILL
        return cls(behaviour, starts_s, mean, Sway.draw(rng, held=held), slide_m=float(rng.uniform(0.03, 0.07)))

    def told(self, turn: Turn) -> Movement:
        """The same visitor, who will now turn; who ignores what is asked, or cannot, does not."""
        deaf = self.behaviour in {Behaviour.IGNORE, Behaviour.PHOTO_STILL, Behaviour.LOOK_AWAY}
        if deaf:
            return self
        if self.behaviour.is_photo:  # who wants a sheet to look turned turns it far and holds it there
            turn = replace(turn, reaches_deg=turn.reaches_deg * 1.3, hold_s=turn.hold_s + 0.4)
        return replace(self, turns=(*self.turns, turn))

    def leaving(self, t_s: float) -> Movement:
        """The same visitor, who walks out of the picture from ``t_s`` on."""
        return self if self.leaves_s is not None else replace(self, leaves_s=t_s)

    def gone(self, t_s: float) -> bool:
        """Whether the visitor is out of sight at ``t_s``."""
        return self.leaves_s is not None and t_s >= self.leaves_s + LEAVE_S

    def pose(self, t_s: float) -> Pose:
        """Where the head or the sheet is at ``t_s``."""
        x, y, distance, yaw, pitch, roll = self.sway.at(t_s)
        come = _ease((t_s - self.starts_s) / APPROACH_S) if self.behaviour is Behaviour.APPROACH else 1.0
        away = 0.0 if self.leaves_s is None else _ease((t_s - self.leaves_s) / LEAVE_S)
        turned = sum(turn.share(t_s) * turn.reaches_deg for turn in self.turns)
        nod = sum(turn.share(t_s) * turn.nod_deg for turn in self.turns)
        slide = 0.0
        if self.behaviour is Behaviour.PHOTO_MOVED:  # the sheet is pushed aside instead of turned
            slide, turned = turned / 30.0 * self.slide_m, 0.0
        return Pose(
            x_m=self.mean.x_m + x + slide + away * 1.1,
            y_m=self.mean.y_m + y,
            distance_m=max(0.3, self.mean.distance_m + distance + (1.0 - come) * (FAR_M - NEAR_M)),
            yaw_deg=self.mean.yaw_deg + yaw + turned,
            pitch_deg=self.mean.pitch_deg + pitch + nod,
            roll_deg=self.mean.roll_deg + roll,
        )


def _ease(share: float) -> float:
    """0 before, 1 after, and a minimum-jerk way between (Flash and Hogan, 1985)."""
    s = min(1.0, max(0.0, share))
    return s * s * s * (10 - 15 * s + 6 * s * s)
