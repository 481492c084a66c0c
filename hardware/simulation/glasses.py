"""Glasses on a head: frames in depth, and the light that lenses throw back. Owns their shape and drawing."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from hardware.simulation.heads import head_pose
from hardware.simulation.projection import Pose, project, rotation
from hardware.simulation.relief import HEAD_DEPTH
from models.biometrics import Float64Array, UInt8Array

_FRONT = HEAD_DEPTH + 0.10  # the lenses' plane before that of the ears
_FRAMES = ((28, 26, 26), (70, 46, 30), (120, 120, 124), (40, 40, 70))


@dataclass(frozen=True, slots=True)
class Glasses:
    """One pair. Lengths in eye distances; ``glint`` is how bright a lamp is in a lens, 0..1."""

    half: tuple[float, float]
    round_share: float
    rim: float
    color: tuple[int, int, int]
    glint: float
    glint_at: tuple[float, float]
    veil: float

    @classmethod
    def draw_lots(cls, rng: np.random.Generator) -> Glasses:
        """Any pair: thin or thick, round or square, clear or mirroring."""
        return cls(
            half=(float(rng.uniform(0.33, 0.42)), float(rng.uniform(0.24, 0.34))),
            round_share=float(rng.uniform(2.0, 4.5)),
            rim=float(rng.uniform(0.025, 0.085)),
            color=_FRAMES[int(rng.integers(len(_FRAMES)))],
            glint=float(rng.uniform(0.15, 0.95)),
            glint_at=(float(rng.uniform(-0.2, 0.2)), float(rng.uniform(-0.15, 0.1))),
            veil=float(rng.uniform(0.0, 0.12)),
        )

    def draw(self, frame: UInt8Array, pose: Pose, marks: Float64Array) -> None:
        """Paint them on a head of this pose whose landmarks are ``marks`` (eye distances), over what is there."""
        placed = head_pose(pose)
        rims = [self._rim(mark, 48) for mark in marks[:2]]
        seen = [project(rim, placed) for rim in rims]
        for rim, mark in zip(seen, marks[:2], strict=True):
            self._lens(frame, placed, rim, mark)
        px = float(np.linalg.norm(seen[0].mean(axis=0) - seen[1].mean(axis=0)))
        width = max(1, round(self.rim * max(px, 10.0)))
        for rim in seen:
            _line(frame, np.vstack([rim, rim[:1]]), self.color, width)
        inner = [self._rim(mark, 2)[1 - side] + (0, -0.05, 0) for side, mark in enumerate(marks[:2])]
        bridge = np.array([inner[0], (inner[0] + inner[1]) / 2 + (0, -0.06, 0.04), inner[1]])
        _line(frame, project(bridge, placed), self.color, width)
        self._temple(frame, placed, marks, width)

    def _rim(self, mark: Float64Array, count: int) -> Float64Array:
        """A rounded rectangle round an eye, (count, 3); the first point lies at larger x."""
        angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
        power = 2.0 / self.round_share
        x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** power * self.half[0]
        y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power * self.half[1]
        return np.column_stack([mark[0] * 1.06 + x, mark[1] + 0.04 + y, _FRONT - 0.12 * np.square(mark[0] * 1.06 + x)])

    def _lens(self, frame: UInt8Array, pose: Pose, rim: Float64Array, mark: Float64Array) -> None:
        left, top = np.maximum(np.floor(rim.min(axis=0)).astype(int), 0)
        right, bottom = np.minimum(np.ceil(rim.max(axis=0)).astype(int) + 1, (frame.shape[1], frame.shape[0]))
        if right - left < 3 or bottom - top < 3:
            return
        lens = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillPoly(lens, [np.rint(rim - (left, top)).astype(np.int32)], 255)
        facing = rotation(pose)[:2, 2]  # a mirror that turns throws the lamp twice as far
        size = np.ptp(rim, axis=0)
        middle = rim.mean(axis=0) - (left, top) + (np.array(self.glint_at) + 1.3 * facing) * size
        rows, columns = np.mgrid[0 : lens.shape[0], 0 : lens.shape[1]].astype(np.float32)
        spot = np.square((columns - middle[0]) / (0.16 * size[0])) + np.square((rows - middle[1]) / (0.13 * size[1]))
        light = (self.veil + self.glint * np.exp(-np.square(spot))) * (lens > 0)
        patch = frame[top:bottom, left:right]
        patch[:] = np.clip(patch + light[..., None] * (255.0 - patch), 0, 255).astype(np.uint8)

    def _temple(self, frame: UInt8Array, pose: Pose, marks: Float64Array, width: int) -> None:
        """The arm on the side that the head shows; the other one is behind it."""
        turned = rotation(pose)[0, 2]
        side = 1 if turned < 0 else 0  # nose to smaller x: the person's left side is seen
        if abs(turned) < 0.06:
            return
        sign = 1.0 if side == 1 else -1.0
        outer = marks[side][0] * 1.06 + sign * self.half[0]
        start = np.array([outer, marks[side][1] - 0.1, _FRONT - 0.12 * outer**2])
        end = np.array([sign * 1.30, marks[side][1] - 0.02, 0.15])
        _line(frame, project(np.array([start, end]), pose), self.color, width)


def _line(frame: UInt8Array, points: Float64Array, color: tuple[int, int, int], width: int) -> None:
    shifted = np.rint(np.clip(points, -2000, 4000) * 16).astype(np.int32)
    cv2.polylines(frame, [shifted.reshape(-1, 1, 2)], False, color, width, cv2.LINE_AA, shift=4)
