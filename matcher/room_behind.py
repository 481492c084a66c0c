"""The witness ``room_behind``: whether close round a head lies the very room that the camera saw without it.

Owns that one sign. A kiosk's camera stands still. A head is round and narrow at its top: beside the crown and above it
the room is to be seen. Round a face on paper or on a screen lies something else there: more paper, the room of a film,
a bezel, a hand. It passes where the room is seen beside the crown on at least one side, so that somebody who waits on
the other is no reason to refuse, and above it, if that is in the picture. It objects only where the room is
recognised further out, but is to be seen nowhere round the head. Where it is recognised nowhere, a screen that fills
the view, a crowd, a moved camera and lamps gone out look alike: undecided. So may hats and high or wide hair be; such
people use a finger, or staff.

A cut-out that is no larger than a head shows the room around it: this witness is blind to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from matcher.empty_room import HEIGHT, WIDTH, BoolArray, EmptyRoom, Likeness, shrunk
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import Float32Array, UInt8Array

NAME = "room_behind"
_ZONES = ("beside_left", "beside_right", "above", "far_left", "far_right")


@dataclass(frozen=True, slots=True)
class BehindLimits:
    """Lengths in widths (from the middle) and heights (down from the upper edge) of the face's box.

    A head is about 1.2 boxes wide and reaches 0.35 heights over the box; the ellipse leaves 2 to 4 cm for hair.
    """

    crown: tuple[float, float, float] = (0.80, 0.68, 0.20)  # half axes of the ellipse, and where its middle lies
    beside: float = 0.95  # to there, from the ellipse on
    over: float = 0.45
    under: float = 0.10
    above: tuple[float, float, float] = (0.60, 0.80, 0.52)  # half as wide, from, to, over the box
    far: tuple[float, float] = (0.95, 1.60)
    every_s: float = 0.12
    looks: int = 8
    in_view: float = 0.3  # share of a zone's cells that must lie in the picture and be known
    open_share: float = 0.75
    shut_share: float = 0.2
    company_share: float = 0.5  # of what lies further out, on a side where somebody stands behind
    agreement: float = 0.6  # of the empty room with its model: else the camera was moved


@dataclass(slots=True)
class RoomBehind:
    """Watches what lies round one head through a try. Not safe across threads."""

    room: EmptyRoom
    limits: BehindLimits = field(default_factory=BehindLimits)
    name: str = NAME
    _next_s: float = -np.inf
    _shares: dict[str, list[float]] = field(default_factory=lambda: {zone: [] for zone in _ZONES})
    _looks: int = 0
    _recognised: int = 0
    _structure: list[float] = field(default_factory=list)

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Compare what lies round the face with the empty room."""
        if t_s < self._next_s or not self.room.available:
            return
        self._next_s = t_s + self.limits.every_s
        u, v = _places(face, pixels.shape)
        zones = self._zones(u, v)
        far = ((np.abs(u) > 1.0) & (v < 0.9)) | (v < -0.75)
        like = self.room.likeness(shrunk(pixels), far)
        if like is None:
            return
        self._looks += 1
        self._recognised += like.recognised
        if like.correlation is not None:
            self._structure.append(like.correlation)
        for name, (cells, whole) in zones.items():
            share = self._share(like, cells, whole)
            if share is not None:
                self._shares[name].append(share)

    def verdict(self) -> PresentationEvidence:
        """Passed, failed or undecided as the module says; not available while the empty room is not known."""
        if not self.room.available and not self._looks:
            return PresentationEvidence(self.name, WitnessVerdict.NOT_AVAILABLE)
        seen = {name: float(np.median(shares)) for name, shares in self._shares.items() if self._enough(shares)}
        measures = {name: round(share, 3) for name, share in seen.items()}
        measures |= {"looks": float(self._looks), "agreement": round(self.room.agreement, 3)}
        if self._structure:
            measures["structure"] = round(float(np.median(self._structure)), 3)
        return PresentationEvidence(self.name, self._judged(seen), measures)

    def _judged(self, seen: dict[str, float]) -> WitnessVerdict:
        limits = self.limits
        if self._looks < limits.looks or self.room.agreement < limits.agreement:
            return WitnessVerdict.UNDECIDED
        beside = [seen[name] for name in ("beside_left", "beside_right") if name in seen]
        above = seen.get("above")
        if self._is_open(seen, above):
            return WitnessVerdict.PASSED
        far = [seen[name] for name in ("far_left", "far_right") if name in seen]
        everywhere = [*beside, *far, above or 0.0]
        recognised = self._recognised > self._looks / 2
        if recognised and above is not None and len(beside) == len(far) == 2 and max(everywhere) <= limits.shut_share:
            return WitnessVerdict.FAILED
        return WitnessVerdict.UNDECIDED

    def _is_open(self, seen: dict[str, float], above: float | None) -> bool:
        """Whether the room is seen beside and above the crown; on one side only if somebody stands on the other.

        Who stands behind covers what lies further out on that side, too; a sheet that is held askew ends before.
        """
        limits = self.limits
        shut = [side for side in ("left", "right") if seen.get(f"beside_{side}", 0.0) < limits.open_share]
        if len(shut) == 2 or (above is not None and above < limits.open_share):
            return False
        if above is None:
            return not shut
        return all(seen.get(f"far_{side}", 1.0) <= limits.company_share for side in shut)

    def _enough(self, shares: list[float]) -> bool:
        return len(shares) >= max(1, self._looks // 2)

    def _zones(self, u: Float32Array, v: Float32Array) -> dict[str, tuple[BoolArray, float]]:
        """The cells of each zone, and how many they would be if all of it lay in the picture."""
        limits = self.limits
        wide, high, middle = limits.crown
        outside = np.square(u / wide) + np.square((v - middle) / high) > 1.0
        beside = outside & (np.abs(u) <= limits.beside) & (v >= -limits.over) & (v <= limits.under)
        half, highest, lowest = limits.above
        above = (np.abs(u) <= half) & (v >= -highest) & (v <= -lowest)
        near, out = limits.far
        far = (np.abs(u) >= near) & (np.abs(u) <= out) & (v >= -0.3) & (v <= 0.5)
        cell = float(abs(u[0, 1] - u[0, 0]) * abs(v[1, 0] - v[0, 0]))
        area = (limits.over + limits.under) * limits.beside / 2 / cell
        return {
            "beside_left": (beside & (u < 0), area),
            "beside_right": (beside & (u > 0), area),
            "above": (above, 2 * half * (highest - lowest) / cell),
            "far_left": (far & (u < 0), (out - near) * 0.8 / cell),
            "far_right": (far & (u > 0), (out - near) * 0.8 / cell),
        }

    def _share(self, like: Likeness, cells: BoolArray, whole: float) -> float | None:
        """Which share of a zone is the room; None if too little of it is in view, or known."""
        counted = cells & like.known
        number = int(counted.sum())
        if number < max(6.0, self.limits.in_view * whole):
            return None
        return float(like.same[counted].mean())


def _places(face: DetectedFace, shape: tuple[int, ...]) -> tuple[Float32Array, Float32Array]:
    """Where each cell lies: in widths from the face's middle, in heights down from its box's upper edge."""
    x, y, width, height = face.box
    columns = (np.arange(WIDTH, dtype=np.float32) + 0.5) * shape[1] / WIDTH
    rows = (np.arange(HEIGHT, dtype=np.float32) + 0.5) * shape[0] / HEIGHT
    u, v = (columns - (x + width / 2)) / max(width, 1.0), (rows - y) / max(height, 1.0)
    across, down = np.meshgrid(u.astype(np.float32), v.astype(np.float32))
    return across, down
