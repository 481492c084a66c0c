"""How a head, or what a hand holds up, moves before the camera. Owns the pose as a pure function of time.

A movement is drawn once with a random generator and then asked for a pose at any second; asking twice gives the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hardware.simulation.projection import Pose
from hardware.simulation.prompts import STEADY, Aim, Blink, Heard, Manner

NEAR_M, FAR_M = 0.58, 1.9
APPROACH_S, LEAVE_S = 1.4, 0.7
_BLINKS_AHEAD = 40
Offset = tuple[float, float, float]  # metres: x, y and distance


@dataclass(frozen=True, slots=True)
class Sway:
    """A person who stands is never still: three slow waves per axis, with amplitudes in metres and degrees."""

    amplitudes: tuple[float, ...]
    rates_hz: tuple[tuple[float, ...], ...]
    phases: tuple[tuple[float, ...], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, *, held: bool, strength: float = 1.0) -> Sway:
        """A body's sway, or the faster tremor of a hand that holds a sheet."""
        body = (0.006, 0.003, 0.010, 1.6, 1.2, 0.8)
        hand = (0.009, 0.007, 0.014, 4.0, 4.0, 2.2)
        low, high = (0.5, 2.6) if held else (0.1, 0.7)
        shape = (6, 3)
        rates, phases = rng.uniform(low, high, shape), rng.uniform(0, 2 * np.pi, shape)
        return cls(
            tuple(float(a) for a in np.array(hand if held else body) * rng.uniform(0.5, 1.2) * strength),
            tuple(tuple(map(float, row)) for row in rates),
            tuple(tuple(map(float, row)) for row in phases),
        )

    def at(self, t_s: float) -> tuple[float, ...]:
        """x, y, distance, yaw, pitch and roll away from the mean."""
        waves = np.sin(2 * np.pi * np.array(self.rates_hz) * t_s + np.array(self.phases)).sum(axis=1) / 1.7
        return tuple(float(a * w) for a, w in zip(self.amplitudes, waves, strict=True))


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a figure comes from, as an offset from where it will be, and how long that takes."""

    comes_from: Offset = (0.0, 0.0, 0.0)
    takes_s: float = APPROACH_S


THERE = Entry()
APPROACH = Entry((0.0, 0.0, FAR_M - NEAR_M))


@dataclass(frozen=True, slots=True)
class Movement:
    """A figure's whole way: comes, stays, moves as told, leaves. Times are seconds of the scene's clock.

    ``manner`` is how it obeys. ``slide_m``: what is held is pushed aside by so much instead of being turned by 30
    degrees; 0 turns it.
    """

    starts_s: float
    mean: Pose
    sway: Sway
    manner: Manner = STEADY
    entry: Entry = THERE
    aims: tuple[Aim, ...] = ()
    blinks: tuple[Blink, ...] = ()
    leaves_s: float | None = None
    slide_m: float = 0.0

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        starts_s: float,
        *,
        distance_m: float = NEAR_M,
        x_m: float = 0.0,
        held: bool = False,
        manner: Manner = STEADY,
        entry: Entry = THERE,
        tremor: float = 1.0,
        yaw_deg: float = 0.0,
    ) -> Movement:
        """A way of moving round a place at ``distance_m``; ``held`` in a hand instead of standing on feet."""
        mean = Pose(
            x_m=x_m + float(rng.normal(0, 0.01)),
            y_m=float(rng.normal(0.0, 0.008)),
            distance_m=distance_m + float(rng.normal(0, 0.02 if distance_m > 0.45 else 0.008)),
            yaw_deg=yaw_deg,
            roll_deg=float(rng.normal(0, 1.5)),
        )
        sway = Sway.draw(rng, held=held, strength=tremor)
        pauses = rng.gamma(3.0, 1.4, _BLINKS_AHEAD)  # between blinks, about four seconds
        blinks = tuple(
            Blink(float(at_s), float(takes_s))
            for at_s, takes_s in zip(starts_s + np.cumsum(pauses), rng.uniform(0.14, 0.3, _BLINKS_AHEAD), strict=True)
        )
        return cls(starts_s, mean, sway, manner, entry, blinks=blinks)

    def sliding(self, rng: np.random.Generator) -> Movement:
        """The same, pushed aside instead of turned."""
        return replace(self, slide_m=float(rng.uniform(0.03, 0.07)))

    def hears(self, heard: Heard, rng: np.random.Generator) -> Movement:
        """The same figure, which will do what it was asked in its own manner."""
        aims = self.manner.aims(rng, heard)
        return replace(self.told(aims), blinks=(*self.blinks, *self.manner.blinks(rng, heard)))

    def told(self, aims: Sequence[Aim]) -> Movement:
        """The same figure with new aims; what it had in mind for later is given up."""
        if not aims:
            return self
        begun = [aim for aim in self.aims if aim.starts_s < aims[0].starts_s]
        return replace(self, aims=(*begun, *aims))

    def leaving(self, t_s: float) -> Movement:
        """The same figure, which goes out of the picture from ``t_s`` on."""
        return self if self.leaves_s is not None else replace(self, leaves_s=t_s)

    def gone(self, t_s: float) -> bool:
        """Whether the figure is out of sight at ``t_s``."""
        return self.leaves_s is not None and t_s >= self.leaves_s + LEAVE_S

    def aimed(self, t_s: float) -> tuple[float, float]:
        """Yaw and pitch that prompts have led to by ``t_s``, degrees."""
        yaw = pitch = 0.0
        last_yaw = last_pitch = 0.0
        for aim in self.aims:
            share = ease((t_s - aim.starts_s) / aim.takes_s)
            yaw += share * (aim.yaw_deg - last_yaw)
            pitch += share * (aim.pitch_deg - last_pitch)
            last_yaw, last_pitch = aim.yaw_deg, aim.pitch_deg
        return yaw, pitch

    def lids(self, t_s: float) -> float:
        """How far the eyes are closed, 0..1."""
        for blink in self.blinks:
            share = (t_s - blink.starts_s) / blink.takes_s
            if 0 < share < 1:
                return ease(min(share / 0.35, (1 - share) / 0.45))
        return 0.0

    def pose(self, t_s: float) -> Pose:
        """Where the head, or what is held, is at ``t_s``."""
        x, y, distance, yaw, pitch, roll = self.sway.at(t_s)
        rest = 1.0 - ease((t_s - self.starts_s) / self.entry.takes_s)
        away = 0.0 if self.leaves_s is None else ease((t_s - self.leaves_s) / LEAVE_S)
        turned, nodded = self.aimed(t_s)
        slide, rise = 0.0, 0.0
        if self.slide_m:  # pushed aside instead of turned
            slide, rise = turned / 30.0 * self.slide_m, nodded / 30.0 * self.slide_m
            turned = nodded = 0.0
        from_x, from_y, from_distance = self.entry.comes_from
        return Pose(
            x_m=self.mean.x_m + x + slide + away * 1.1 + rest * from_x,
            y_m=self.mean.y_m + y + rise + rest * from_y,
            distance_m=max(0.12, self.mean.distance_m + distance + rest * from_distance),
            yaw_deg=self.mean.yaw_deg + yaw + turned,
            pitch_deg=self.mean.pitch_deg + pitch + nodded,
            roll_deg=self.mean.roll_deg + roll,
        )


def ease(share: float) -> float:
    """0 before, 1 after, and a minimum-jerk way between (Flash and Hogan, 1985)."""
    s = min(1.0, max(0.0, share))
    return s * s * s * (10 - 15 * s + 6 * s * s)
