"""Who, or what, is before the camera: a living person, a sheet, a screen, a mask. Owns one visit's performance each.

An act is drawn once and then painted at any second. What it was told leads to a new act; nothing changes in place but
the newest picture of a film.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from hardware.simulation.clips import Clip
from hardware.simulation.glasses import Glasses
from hardware.simulation.heads import Head
from hardware.simulation.movement import Movement, Sway
from hardware.simulation.projection import Pose
from hardware.simulation.prompts import Heard
from hardware.simulation.screens import Display
from hardware.simulation.sheets import FLAT, Bend, Mask, Print
from models.biometrics import UInt8Array


class Act(Protocol):
    """A performance before the camera."""

    def hears(self, heard: Heard, rng: np.random.Generator) -> Act:
        """The same after the kiosk asked for something."""

    def leaving(self, t_s: float) -> Act:
        """The same, on its way out from ``t_s`` on."""

    def gone(self, t_s: float) -> bool:
        """Whether nothing of it is to be seen any more."""

    def aside(self, x_m: float) -> Act:
        """The same at another place."""

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """Paint it into a (480, 640, 3) uint8 RGB frame."""


@dataclass(frozen=True, slots=True, eq=False)
class Living:
    """A person. ``bares_s``: when glasses are taken off."""

    head: Head
    movement: Movement
    glasses: Glasses | None = None
    bares_s: float = math.inf

    def hears(self, heard: Heard, rng: np.random.Generator) -> Living:
        """Obey in one's own manner."""
        return replace(self, movement=self.movement.hears(heard, rng))

    def uncovers(self, t_s: float) -> Living:
        """Take the glasses off."""
        return replace(self, bares_s=min(self.bares_s, t_s))

    def leaving(self, t_s: float) -> Living:
        """Walk out."""
        return replace(self, movement=self.movement.leaving(t_s))

    def gone(self, t_s: float) -> bool:
        """Whether the person is out."""
        return self.movement.gone(t_s)

    def aside(self, x_m: float) -> Living:
        """Stand somewhere else."""
        return replace(self, movement=_moved(self.movement, x_m))

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """Shoulders, head, lids, glasses."""
        pose = self.movement.pose(t_s)
        self.head.draw(frame, pose, lids=self.movement.lids(t_s))
        if self.glasses is not None and t_s < self.bares_s:
            self.glasses.draw(frame, pose, self.head.marks)


@dataclass(frozen=True, slots=True, eq=False)
class HeldSheet:
    """A sheet in a hand, perhaps bent; ``bend_more`` is how much further it is bent when it is turned by 30 degrees.

    ``waves`` bend it to and fro while it is held.
    """

    sheet: Print
    movement: Movement
    bend: Bend = FLAT
    bend_more: float = 0.0
    waves: Sway | None = None
    holder: Living | None = None

    def hears(self, heard: Heard, rng: np.random.Generator) -> HeldSheet:
        """Turn, bend or push the sheet as a head would turn."""
        return replace(self, movement=self.movement.hears(heard, rng))

    def leaving(self, t_s: float) -> HeldSheet:
        """Take it away."""
        holder = self.holder.leaving(t_s) if self.holder else None
        return replace(self, movement=self.movement.leaving(t_s), holder=holder)

    def gone(self, t_s: float) -> bool:
        """Whether the sheet is out of sight."""
        return self.movement.gone(t_s)

    def aside(self, x_m: float) -> HeldSheet:
        """Hold it somewhere else."""
        return replace(self, movement=_moved(self.movement, x_m))

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """Whoever holds it, then the sheet."""
        if self.holder is not None:
            self.holder.paint(frame, t_s)
        self.sheet.draw(frame, self.movement.pose(t_s), bend=self._bend(t_s))

    def _bend(self, t_s: float) -> Bend:
        if self.waves is None and not self.bend_more:
            return self.bend
        yaw, pitch = self.movement.aimed(t_s)
        wave = self.waves.at(t_s) if self.waves is not None else (0.0,) * 6
        return Bend(
            curve=self.bend.curve + self.bend_more * (abs(yaw) + abs(pitch)) / 30.0 + wave[3] * 0.02,
            axis_deg=self.bend.axis_deg,
            twist=self.bend.twist + self.bend_more * 0.5 * yaw / 30.0 + wave[4] * 0.015,
        )


@dataclass(frozen=True, slots=True, eq=False)
class HeldScreen:
    """A phone or a tablet in a hand, and what it shows."""

    display: Display
    movement: Movement
    clip: Clip
    holder: Living | None = None

    def hears(self, heard: Heard, rng: np.random.Generator) -> HeldScreen:
        """The hand hears, and so may who is on the screen."""
        return replace(self, movement=self.movement.hears(heard, rng), clip=self.clip.hears(heard, rng))

    def leaving(self, t_s: float) -> HeldScreen:
        """Take it away."""
        holder = self.holder.leaving(t_s) if self.holder else None
        return replace(self, movement=self.movement.leaving(t_s), holder=holder)

    def gone(self, t_s: float) -> bool:
        """Whether the device is out of sight."""
        return self.movement.gone(t_s)

    def aside(self, x_m: float) -> HeldScreen:
        """Hold it somewhere else."""
        return replace(self, movement=_moved(self.movement, x_m))

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """Whoever holds it, then the device."""
        if self.holder is not None:
            self.holder.paint(frame, t_s)
        self.display.draw(frame, self.movement.pose(t_s), self.clip.picture(t_s), t_s)


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """A living head behind a print with the eyes cut out. ``slips``: the sheet does not sit quite still on it."""

    wearer: Living
    mask: Mask
    slips: Sway

    def hears(self, heard: Heard, rng: np.random.Generator) -> Masked:
        """The wearer obeys; blinks are real."""
        return replace(self, wearer=self.wearer.hears(heard, rng))

    def leaving(self, t_s: float) -> Masked:
        """Walk out."""
        return replace(self, wearer=self.wearer.leaving(t_s))

    def gone(self, t_s: float) -> bool:
        """Whether the wearer is out."""
        return self.wearer.gone(t_s)

    def aside(self, x_m: float) -> Masked:
        """Stand somewhere else."""
        return replace(self, wearer=self.wearer.aside(x_m))

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """The wearer, then the sheet before the face."""
        self.wearer.paint(frame, t_s)
        x, y, _, yaw, pitch, roll = self.slips.at(t_s)
        slack = Pose(
            x_m=x * 0.25, y_m=y * 0.25, distance_m=0.0, yaw_deg=yaw * 0.4, pitch_deg=pitch * 0.4, roll_deg=roll
        )
        self.mask.draw(frame, self.wearer.movement.pose(t_s), slack=slack)


@dataclass(frozen=True, slots=True, eq=False)
class Company:
    """The one the visit is about, and people further back who mind their own business."""

    first: Act
    others: tuple[Living, ...]

    def hears(self, heard: Heard, rng: np.random.Generator) -> Company:
        """Only the first one is spoken to."""
        return replace(self, first=self.first.hears(heard, rng))

    def leaving(self, t_s: float) -> Company:
        """Everybody goes."""
        return replace(self, first=self.first.leaving(t_s), others=tuple(other.leaving(t_s) for other in self.others))

    def gone(self, t_s: float) -> bool:
        """Whether the first one is out."""
        return self.first.gone(t_s)

    def aside(self, x_m: float) -> Company:
        """The first one stands somewhere else."""
        return replace(self, first=self.first.aside(x_m))

    def paint(self, frame: UInt8Array, t_s: float) -> None:
        """Those behind first."""
        for other in self.others:
            other.paint(frame, t_s)
        self.first.paint(frame, t_s)


def _moved(movement: Movement, x_m: float) -> Movement:
    return replace(movement, mean=replace(movement.mean, x_m=x_m))
