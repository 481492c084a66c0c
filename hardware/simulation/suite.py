"""The attack suite: instruments as somebody who wants to pass would use them, and genuine visitors of all sorts.

Owns what varies within a kind: distance, light, tremor, entry, and how a hand imitates what is asked. Importing it adds
its kinds to ``behaviours.BEHAVIOURS``. All of it is simulated: the figures it leads to say so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hardware.simulation.acts import Act, Company, HeldScreen, HeldSheet, Living, Masked
from hardware.simulation.behaviours import BEHAVIOURS, Behaviour, Stage, Truth, register
from hardware.simulation.clips import Clip, Photo, call, picked, recording
from hardware.simulation.glasses import Glasses
from hardware.simulation.movement import THERE, Entry, Movement, Sway
from hardware.simulation.prompts import DEAF, ELDERLY, HAND, LITTLE, NERVOUS, SLOW, STEADY, Manner
from hardware.simulation.room import View
from hardware.simulation.screens import PHONE, SLATE, TABLET, Device, Display, Shine
from hardware.simulation.sheets import Bend, Mask, Print

# A hand that holds a screen on which somebody moves keeps it as still as it can.
_STILL_HAND = Manner(hears=0.0)
_WORN_REACH = (1.5, 2.0)


def any_room(rng: np.random.Generator) -> View:
    """Offices, corridors and windows: brighter or dimmer, warmer or cooler, lit from a side."""
    warm = float(rng.uniform(-0.07, 0.07))
    return View(
        light=float(rng.uniform(0.6, 1.3)),
        noise=float(rng.uniform(1.5, 4.5)),
        blur_px=float(rng.choice([0.0, rng.uniform(0.3, 0.8)])),
        tint=(1.0 + warm, 1.0, 1.0 - warm),
        side=float(rng.uniform(-0.35, 0.35)),
    )


def kinds(truth: Truth) -> tuple[Behaviour, ...]:
    """The suite's kinds, attacks or genuine visitors, in the order they were written down."""
    return tuple(behaviour for behaviour in BEHAVIOURS.values() if behaviour.truth is truth)


def _comes(rng: np.random.Generator) -> Entry:
    """A visitor walks up, or is there already."""
    walked_m = float(rng.uniform(0.5, 1.5))
    return Entry((float(rng.normal(0, 0.12)), 0.0, walked_m), walked_m / 0.85) if rng.uniform() < 0.7 else THERE


def _held_up(rng: np.random.Generator, distance_m: float) -> Entry:
    """An instrument is raised, brought from a side, carried along as a face would come, or there already."""
    ways = (
        Entry((0.0, 0.9 * distance_m + 0.1, 0.0), float(rng.uniform(0.4, 0.9))),
        Entry((float(rng.choice([-1, 1])) * (0.9 * distance_m + 0.1), 0.0, 0.0), float(rng.uniform(0.4, 0.9))),
        Entry((0.0, 0.0, float(rng.uniform(1.0, 2.2)) * distance_m), float(rng.uniform(0.8, 1.8))),
        THERE,
    )
    return ways[int(rng.choice(4, p=[0.25, 0.1, 0.4, 0.25]))]


def _living(stage: Stage, manner: Manner, *, entry: Entry | None = None, tremor: float = 1.0) -> Living:
    rng = stage.rng
    movement = Movement.draw(
        rng,
        stage.starts_s,
        distance_m=float(rng.uniform(0.45, 0.75)),
        x_m=stage.x_m + float(rng.normal(0, 0.03)),
        manner=manner,
        entry=_comes(rng) if entry is None else entry,
        tremor=tremor,
    )
    return Living(stage.visitor.head(stage.portrait), movement)


def _genuine(name: str, told: str, enter: Callable[[Stage], Act]) -> None:
    register(name, Truth.GENUINE, told, light=any_room)(enter)


_genuine("genuine_usual", "an ordinary visitor", lambda stage: _living(stage, STEADY))
_genuine("genuine_near", "stands at the kiosk already", lambda stage: _living(stage, STEADY, entry=THERE))
_genuine(
    "genuine_afar",
    "comes from the door",
    lambda stage: _living(stage, STEADY, entry=Entry((0.25, 0.0, float(stage.rng.uniform(1.6, 2.4))), 2.6)),
)
_genuine(
    "genuine_glasses",
    "wears glasses",
    lambda stage: replace(_living(stage, STEADY), glasses=Glasses.draw_lots(stage.rng)),
)
_genuine("genuine_slow", "does everything slowly", lambda stage: _living(stage, SLOW))
_genuine("genuine_little", "moves the head little", lambda stage: _living(stage, LITTLE))
_genuine(
    "genuine_nervous", "turns early, far, the wrong way at first", lambda stage: _living(stage, NERVOUS, tremor=2.0)
)
_genuine("genuine_elderly", "hears late, turns late and not far", lambda stage: _living(stage, ELDERLY, tremor=1.4))


def _accompanied(stage: Stage) -> Company:
    """Somebody waits further back."""
    rng, other = stage.rng, stage.by or stage.visitor
    side = float(rng.choice([-1, 1]))
    distance_m = float(rng.uniform(1.3, 2.2))
    movement = Movement.draw(
        rng, stage.starts_s - 5.0, distance_m=distance_m, x_m=side * float(rng.uniform(0.24, 0.42)) * distance_m,
        manner=DEAF, yaw_deg=float(rng.uniform(-35, 35)), tremor=2.5,
    )  # fmt: skip
    return Company(_living(stage, STEADY), (Living(other.head(0), movement),))


_genuine("genuine_bystander", "somebody waits behind", _accompanied)


def _attack(name: str, told: str, enter: Callable[[Stage], Act]) -> None:
    register(name, Truth.ATTACK, told, light=any_room)(enter)


def _holder(stage: Stage, distance_m: float) -> Living | None:
    """The attacker's own body behind what is held, where it can be seen at all."""
    if stage.by is None or stage.rng.uniform() < 0.5:
        return None
    movement = Movement.draw(
        stage.rng,
        stage.starts_s - 3.0,
        distance_m=distance_m + float(stage.rng.uniform(0.3, 0.5)),
        x_m=float(stage.rng.normal(0, 0.02)),
        manner=DEAF,
    )
    movement = replace(movement, mean=replace(movement.mean, y_m=float(stage.rng.uniform(0.0, 0.06))))
    return Living(stage.by.head(0), movement)


def _held(
    stage: Stage, distances_m: tuple[float, float], manner: Manner, *, slide: bool = False, steady: bool = False
) -> Movement:
    rng = stage.rng
    distance_m = float(rng.uniform(*distances_m))
    movement = Movement.draw(
        rng,
        stage.starts_s,
        distance_m=distance_m,
        x_m=stage.x_m + float(rng.normal(0, 0.02)) * distance_m,
        held=True,
        manner=manner,
        entry=_held_up(rng, distance_m),
        tremor=float(rng.uniform(0.05, 0.35) if steady else rng.uniform(0.15, 1.2)),
    )
    return movement.sliding(rng) if slide else movement


def _sheet(
    stage: Stage, *, sheet: Print | None = None, bend: Bend | None = None, bend_more: float = 0.0,
    slide: bool = False, distances_m: tuple[float, float] = (0.38, 0.75),
) -> HeldSheet:  # fmt: skip
    movement = _held(stage, distances_m, HAND, slide=slide)
    waves = Sway.draw(stage.rng, held=True, strength=float(stage.rng.uniform(0.2, 1.5))) if bend else None
    holder = None if sheet is not None else _holder(stage, movement.mean.distance_m)
    shown = sheet or stage.visitor.print(stage.portrait)
    return HeldSheet(shown, movement, bend or Bend(), bend_more, waves, holder)


def _close_sheet(stage: Stage) -> HeldSheet:
    """A poster: its edges are out of view."""
    poster = Print(stage.visitor.portrait(stage.portrait), reach=(3.5, 5.5), border=0.0, endless=True)
    act = _sheet(stage, sheet=poster, distances_m=(0.31, 0.37))
    return replace(act, bend=Bend(curve=float(stage.rng.uniform(0.0, 0.08))) if stage.rng.uniform() < 0.4 else Bend())


def _bent_sheet(stage: Stage) -> HeldSheet:
    """Bent about an upright axis, so that the nose comes forward, or about any; bent further on request."""
    rng = stage.rng
    upright = rng.uniform() < 0.6
    bend = Bend(
        curve=float(rng.uniform(0.08, 0.34)),
        axis_deg=float(rng.normal(0, 6)) if upright else float(rng.uniform(-90, 90)),
        twist=float(rng.normal(0, 0.05)),
    )
    return _sheet(stage, bend=bend, bend_more=float(rng.uniform(-0.06, 0.12)))


def _twisted_sheet(stage: Stage) -> HeldSheet:
    """Twisted in both hands, to and fro."""
    rng = stage.rng
    bend = Bend(
        curve=float(rng.uniform(-0.12, 0.16)), axis_deg=float(rng.uniform(-90, 90)), twist=float(rng.normal(0, 0.2))
    )
    return _sheet(stage, bend=bend, bend_more=float(rng.uniform(0.05, 0.2)))


def _cut_eyes(stage: Stage) -> Masked:
    """The attacker's own head turns and blinks behind the victim's picture."""
    rng = stage.rng
    wearer = replace(_living(stage, STEADY), head=(stage.by or stage.visitor).head(0))
    mask = Mask(
        stage.visitor.portrait(stage.portrait),
        curve=float(rng.uniform(0.0, 0.55)),
        tent=float(rng.choice([0.0, rng.uniform(0.02, 0.12)])),
        oval=bool(rng.uniform() < 0.5),
        holes=float(rng.uniform(0.85, 1.25)),
        reach=_WORN_REACH,
    )
    return Masked(wearer, mask, Sway.draw(rng, held=True, strength=float(rng.uniform(0.1, 0.8))))


_attack("print_flat", "a photograph on paper, turned as asked", _sheet)
_attack("print_moved", "a photograph on paper, pushed as asked", lambda stage: _sheet(stage, slide=True))
_attack("print_bent", "a photograph bent round an axis, turned and bent as asked", _bent_sheet)
_attack("print_twisted", "a photograph twisted in both hands", _twisted_sheet)
_attack("print_close", "a poster whose edges are out of view", _close_sheet)
_attack("print_cut_eyes", "a photograph worn as a mask, the eyes cut out", _cut_eyes)


def _screen(
    stage: Stage, device: Device, film: Callable[[Stage, Device], Clip], distances_m: tuple[float, float],
    *, manner: Manner = _STILL_HAND,
) -> HeldScreen:  # fmt: skip
    movement = _held(stage, distances_m, manner, steady=manner is _STILL_HAND)
    display = Display(device, Shine.draw(stage.rng), hand=device is not SLATE)
    holder = None if device is SLATE else _holder(stage, movement.mean.distance_m)
    return HeldScreen(display, movement, film(stage, device), holder)


def _still(stage: Stage, device: Device) -> Clip:
    return Photo.of(stage.visitor.portrait(stage.portrait), aspect=device.aspect, half_width=device.half_width)


def _any_recording(stage: Stage, device: Device) -> Clip:
    return recording(stage.visitor.head(stage.portrait), stage.rng, stage.starts_s, device=device, performed=False)


def _performance(stage: Stage, device: Device) -> Clip:
    return recording(stage.visitor.head(stage.portrait), stage.rng, stage.starts_s, device=device, performed=True)


def _picked(stage: Stage, device: Device) -> Clip:
    return picked(stage.visitor.head(stage.portrait), stage.rng, stage.starts_s, device=device)


def _call(stage: Stage, device: Device) -> Clip:
    return call(stage.visitor.head(stage.portrait), stage.rng, stage.starts_s, device=device)


_DISTANCES = {PHONE: (0.19, 0.36), TABLET: (0.25, 0.46), SLATE: (0.165, 0.2)}
_CLIPS: dict[str, tuple[str, Callable[[Stage, Device], Clip], Manner]] = {
    "photo": ("a photograph, turned as asked", _still, HAND),
    "video": ("a recording of the right person who turns and nods anyhow", _any_recording, _STILL_HAND),
    "replay": ("a recording of the right person at an earlier challenge", _performance, _STILL_HAND),
    "call": ("a video call with the right person, who hears and obeys", _call, _STILL_HAND),
}


def _add_screens() -> None:
    for device, said in ((PHONE, "on a phone"), (TABLET, "on a tablet"), (SLATE, "on a slate, edges out of view")):
        for clip, (told, film, manner) in _CLIPS.items():

            def enter(stage: Stage, device: Device = device, film=film, manner=manner) -> Act:  # type: ignore[no-untyped-def]
                return _screen(stage, device, film, _DISTANCES[device], manner=manner)

            _attack(f"{device.name}_{clip}", f"{told}, {said}", enter)


_add_screens()
_attack(
    "tablet_picked",
    "recordings of the right person on a tablet, picked by hand as asked",
    lambda stage: _screen(stage, TABLET, _picked, _DISTANCES[TABLET]),
)
