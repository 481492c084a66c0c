"""What the screen may ask of a visitor, and how different people do it. Owns the aims that a prompt becomes.

A prompt is heard, a reaction passes, the head moves to its aim. Aims are superposed: each new one adds the way from the
last aim to its own, so a head that is told something else on the way goes on smoothly (Flash and Henis, 1991).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.errors import ConfigurationError

Range = tuple[float, float]

# The person's own left is larger x in an unmirrored picture; pitch above 0 looks down.
TURN_DIRECTIONS = {"turn_left": 1.0, "turn_right": -1.0}
NOD_DIRECTIONS = {"look_up": -1.0, "look_down": 1.0}
PROMPTS = ("look_here", *TURN_DIRECTIONS, *NOD_DIRECTIONS, "follow_dot", "blink")
SCREEN_HALF_M = (0.13, 0.17)  # of a 15-inch panel, upright
_SCREEN_BELOW_M = 0.10  # its middle under the camera
_STARE_M = 0.6


@dataclass(frozen=True, slots=True)
class Heard:
    """One prompt as it reached the visitor; ``dot`` is a place on the screen, as shares from its left and top."""

    kind: str
    at_s: float
    dot: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.kind not in PROMPTS:
            raise ConfigurationError(f"There is no challenge called {self.kind!r}; known: {', '.join(PROMPTS)}.")
        if self.kind == "follow_dot" and self.dot is None:
            raise ConfigurationError("A challenge to follow a dot needs the dot's place.")
        if self.dot is not None and not all(-0.5 <= share <= 1.5 for share in self.dot):
            raise ConfigurationError("The dot's place is given as shares of the screen's width and height.")


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a head points from ``starts_s + takes_s`` on, in degrees; it begins to go there at ``starts_s``."""

    starts_s: float
    takes_s: float
    yaw_deg: float
    pitch_deg: float


@dataclass(frozen=True, slots=True)
class Blink:
    """Both lids fall and rise within ``takes_s``."""

    starts_s: float
    takes_s: float


@dataclass(frozen=True, slots=True)
class Manner:
    """How somebody does what is asked: ranges that each obeyed prompt is drawn from. Seconds and degrees.

    ``hears`` is the share of prompts that are obeyed at all, ``astray`` the share of turns that begin the wrong way;
    ``dot_gain`` how much of the way to a dot the head goes (the eyes go the rest); ``stays`` that a turned head waits
    for the next prompt instead of coming back by itself.
    """

    reaction_s: Range = (0.35, 0.9)
    turn_deg: Range = (22.0, 36.0)
    nod_deg: Range = (12.0, 22.0)
    takes_s: Range = (0.45, 0.9)
    hold_s: Range = (0.5, 1.4)
    dot_gain: Range = (0.7, 1.1)
    pursuit_s: Range = (0.2, 0.4)  # the delay behind a dot that moves
    drift_deg: float = 2.5  # a turn is never level
    hears: float = 1.0
    astray: float = 0.0
    stays: float = 0.3

    def aims(self, rng: np.random.Generator, heard: Heard) -> tuple[Aim, ...]:
        """The head's aims after a prompt."""
        if heard.kind == "blink" or rng.uniform() >= self.hears:
            return ()
        if heard.kind == "follow_dot":
            return (self._to_dot(rng, heard),)
        starts_s = heard.at_s + float(rng.uniform(*self.reaction_s))
        takes_s = float(rng.uniform(*self.takes_s))
        if heard.kind == "look_here":
            return (Aim(starts_s, takes_s, float(rng.normal(0, 1.0)), float(rng.normal(0, 1.0))),)
        yaw, pitch = self._target(rng, heard.kind)
        aims: list[Aim] = []
        if rng.uniform() < self.astray:
            aims.append(Aim(starts_s, takes_s * 0.6, -0.4 * yaw, -0.4 * pitch))
            starts_s += takes_s * 0.6 + 0.15
        aims.append(Aim(starts_s, takes_s, yaw, pitch))
        if rng.uniform() >= self.stays:
            back_s = starts_s + takes_s + float(rng.uniform(*self.hold_s))
            aims.append(Aim(back_s, takes_s, float(rng.normal(0, 1.0)), float(rng.normal(0, 1.0))))
        return tuple(aims)

    def blinks(self, rng: np.random.Generator, heard: Heard) -> tuple[Blink, ...]:
        """The lids' answer to a prompt."""
        if heard.kind != "blink" or rng.uniform() >= self.hears:
            return ()
        return (Blink(heard.at_s + float(rng.uniform(*self.reaction_s)), float(rng.uniform(0.3, 0.6))),)

    def _target(self, rng: np.random.Generator, kind: str) -> tuple[float, float]:
        if kind in TURN_DIRECTIONS:
            return TURN_DIRECTIONS[kind] * float(rng.uniform(*self.turn_deg)), float(rng.normal(0, self.drift_deg))
        return float(rng.normal(0, self.drift_deg)), NOD_DIRECTIONS[kind] * float(rng.uniform(*self.nod_deg))

    def _to_dot(self, rng: np.random.Generator, heard: Heard) -> Aim:
        assert heard.dot is not None  # noqa: S101 - Heard saw to it
        gain = float(rng.uniform(*self.dot_gain))
        # What is right on the screen is on the person's own right: smaller x in the camera's picture.
        x_m, y_m = (2 * heard.dot[0] - 1) * SCREEN_HALF_M[0], (2 * heard.dot[1] - 1) * SCREEN_HALF_M[1]
        yaw = -float(np.degrees(np.arctan2(x_m, _STARE_M)))
        pitch = float(np.degrees(np.arctan2(y_m + _SCREEN_BELOW_M, _STARE_M)))
        level = float(np.degrees(np.arctan2(_SCREEN_BELOW_M, _STARE_M)))
        starts_s = heard.at_s + float(rng.uniform(*self.pursuit_s))
        return Aim(starts_s, float(rng.uniform(0.25, 0.5)), gain * yaw, gain * (pitch - level))


STEADY = Manner()
SLOW = Manner(reaction_s=(0.8, 1.6), takes_s=(1.1, 2.0), hold_s=(0.8, 1.8), pursuit_s=(0.4, 0.9))
LITTLE = Manner(turn_deg=(12.0, 19.0), nod_deg=(7.0, 12.0), dot_gain=(0.35, 0.65))
NERVOUS = Manner(
    reaction_s=(0.2, 0.5), turn_deg=(20.0, 44.0), nod_deg=(10.0, 28.0), takes_s=(0.28, 0.5), hold_s=(0.15, 0.6),
    drift_deg=5.0, astray=0.2, stays=0.1, pursuit_s=(0.12, 0.4),
)  # fmt: skip
ELDERLY = Manner(
    reaction_s=(1.1, 1.9), turn_deg=(16.0, 27.0), nod_deg=(8.0, 15.0), takes_s=(1.0, 1.9), hold_s=(0.6, 2.0),
    pursuit_s=(0.5, 1.2), dot_gain=(0.5, 0.9), stays=0.5,
)  # fmt: skip
DEAF = Manner(hears=0.0)
# Who wants a sheet to look turned turns it far and holds it there.
HAND = Manner(
    reaction_s=(0.3, 0.9), turn_deg=(26.0, 46.0), nod_deg=(16.0, 36.0), hold_s=(0.8, 1.8), stays=0.4,
    dot_gain=(0.7, 3.0),
)  # fmt: skip
# One who overdoes it: what a demonstration shows, not the attacker to be feared.
CLUMSY_HAND = replace(
    HAND, turn_deg=(40.0, 46.0), nod_deg=(40.0, 46.0), hold_s=(2.5, 3.0), stays=0.0, drift_deg=1.0, dot_gain=(2.4, 2.8)
)
