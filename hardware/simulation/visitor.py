"""A visitor: a label, portraits and fingers. Owns the heads and sheets made of them; refuses names of people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.heads import Head, Portrait
from hardware.simulation.sheets import Print
from models.biometrics import Float32Array, UInt8Array
from models.errors import ConfigurationError

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
        self._heads: dict[int, Head] = {}
        self._prints: dict[int, Print] = {}

    def __repr__(self) -> str:
        return f"Visitor({self.label!r}, {len(self.portraits)} portraits, {len(self.fingers)} fingers)"

    @classmethod
    def make(cls, label: str, portraits: Sequence[tuple[UInt8Array, Float32Array]], *, finger_seed: int) -> Visitor:
        """A visitor made of pictures with their five landmarks, (RGB, (5, 2)), who gets ten fingers of its own."""
        names = [f"{side}_{finger}" for side in ("right", "left") for finger in FINGER_NAMES]
        fingers = {name: SimulatedFinger(finger_seed * 10 + index) for index, name in enumerate(names)}
        return cls(label, [Portrait(pixels, marks) for pixels, marks in portraits], fingers=fingers)

    def portrait(self, number: int) -> Portrait:
        """One portrait. Raises ConfigurationError if there is no such one."""
        if not 0 <= number < len(self.portraits):
            raise ConfigurationError(f"The visitor {self.label!r} has no portrait {number}.")
        return self.portraits[number]

    def head(self, number: int) -> Head:
        """The head of one portrait."""
        if number not in self._heads:
            self._heads[number] = Head(self.portrait(number))
        return self._heads[number]

    def print(self, number: int) -> Print:
        """One portrait on a sheet of paper."""
        if number not in self._prints:
            self._prints[number] = Print(self.portrait(number))
        return self._prints[number]

    def finger(self, name: str) -> SimulatedFinger:
        """A finger by position, e.g. ``right_index``. Raises ConfigurationError with the known ones."""
        if name not in self.fingers:
            known = ", ".join(self.fingers) or "none"
            raise ConfigurationError(f"The visitor {self.label!r} has no finger {name!r}; known: {known}.")
        return self.fingers[name]
