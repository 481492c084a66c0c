"""The behaviours that a scene knows, by name. Owns the registry and the plain ones; the attack suite is added to it.

A behaviour says how a visitor enters: which act is drawn, and how the room is lit for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from hardware.simulation.acts import Act, HeldSheet, Living
from hardware.simulation.movement import APPROACH, FAR_M, NEAR_M, THERE, Entry, Movement
from hardware.simulation.prompts import CLUMSY_HAND, DEAF, HAND, STEADY, Manner
from hardware.simulation.room import View
from hardware.simulation.visitor import Visitor
from models.errors import ConfigurationError


class Truth(StrEnum):
    """What a behaviour is. ``PLAIN`` ones show something else than a visit of the suite, e.g. a poor picture."""

    PLAIN = "plain"
    GENUINE = "genuine"
    ATTACK = "attack"


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What an act is drawn from: whose face it shows, when and where, by chance; ``by`` is the attacker."""

    visitor: Visitor
    portrait: int
    rng: np.random.Generator
    starts_s: float
    x_m: float = 0.0
    by: Visitor | None = None


Enter = Callable[[Stage], Act]
Light = Callable[[np.random.Generator], View]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One way to be before the camera. ``told`` says in a line what it is."""

    name: str
    truth: Truth
    enter: Enter
    light: Light
    told: str


BEHAVIOURS: dict[str, Behaviour] = {}


def office(rng: np.random.Generator) -> View:
    """A lit office, always the same."""
    return View()


def register(name: str, truth: Truth, told: str, *, light: Light = office) -> Callable[[Enter], Enter]:
    """Add a behaviour under ``name``."""

    def add(enter: Enter) -> Enter:
        BEHAVIOURS[name] = Behaviour(name, truth, enter, light, told)
        return enter

    return add


def behaviour_named(name: str) -> Behaviour:
    """The behaviour called ``name``. Raises ConfigurationError with the known ones."""
    if name not in BEHAVIOURS:
        raise ConfigurationError(f"There is no behaviour called {name!r}; known: {', '.join(sorted(BEHAVIOURS))}.")
    return BEHAVIOURS[name]


def _person(*, manner: Manner = STEADY, distance_m: float = NEAR_M, entry: Entry = THERE, away: bool = False) -> Enter:
    """Somebody who stands there; ``away``: with the head turned away."""

    def enter(stage: Stage) -> Living:
        rng = stage.rng
        yaw_deg = float(rng.choice([-1, 1]) * rng.uniform(36, 44)) if away else 0.0
        movement = Movement.draw(
            rng, stage.starts_s, distance_m=distance_m, x_m=stage.x_m, manner=manner, entry=entry, yaw_deg=yaw_deg
        )
        return Living(stage.visitor.head(stage.portrait), movement)

    return enter


def _photo(*, manner: Manner = HAND, held: bool = True, slide: bool = False) -> Enter:
    """A printed photograph of the visitor in a hand."""

    def enter(stage: Stage) -> HeldSheet:
        movement = Movement.draw(stage.rng, stage.starts_s, distance_m=0.5, x_m=stage.x_m, held=held, manner=manner)
        movement = movement.sliding(stage.rng) if slide else movement
        return HeldSheet(stage.visitor.print(stage.portrait), movement)

    return enter


def _seen(view: View) -> Light:
    return lambda rng: view


register("stand", Truth.PLAIN, "stands at the kiosk")(_person())
register("approach", Truth.PLAIN, "walks up to the kiosk")(_person(entry=APPROACH))
register("look_away", Truth.PLAIN, "looks aside")(_person(manner=DEAF, away=True))
register("blurred", Truth.PLAIN, "is out of focus", light=_seen(View(blur_px=6.5, noise=1.0)))(_person())
register("too_dark", Truth.PLAIN, "stands in the dark", light=_seen(View(light=0.16, noise=4.0)))(_person())
register("too_bright", Truth.PLAIN, "stands in glaring light", light=_seen(View(light=2.6)))(_person())
register("far", Truth.PLAIN, "stays far away")(_person(distance_m=FAR_M))
register("ignore", Truth.PLAIN, "does nothing that is asked")(_person(manner=DEAF))
register("photo", Truth.PLAIN, "holds up a photograph and turns it too far")(_photo(manner=CLUMSY_HAND))
register("photo_still", Truth.PLAIN, "puts a photograph on a stand")(_photo(manner=DEAF, held=False))
register("photo_moved", Truth.PLAIN, "pushes a photograph aside instead of turning it")(_photo(slide=True))
