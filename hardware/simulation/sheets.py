"""Portraits on paper: flat, bent, twisted, and worn as a mask with the eyes cut out. Owns their making and drawing.

A bent sheet is a parabolic cylinder (or a saddle, when twisted) over which the picture is unrolled without stretching,
to second order; it is met by the same rays as a head is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hardware.simulation.heads import Portrait, eye_places, head_pose
from hardware.simulation.painting import (
    Level,
    Surface,
    Unroll,
    box_corners,
    level_for,
    paint_plane,
    paint_relief,
    pyramid,
    shaded,
)
from hardware.simulation.projection import Pose, window
from hardware.simulation.relief import HEAD_DEPTH, MIDDLE_PX, NOSE_HEIGHT, TEXTURE_EYE_PX, TEXTURE_SIZE
from models.biometrics import Float32Array, UInt8Array

SHEET_REACH = (2.1, 2.4)  # half width and half height of a held-up photograph, in eye distances
PAPER, SKIN = (244, 243, 240), (196, 150, 124)
LAMP = (0.25, -0.55)  # where the light comes from: a little aside, and above
Reach = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Bend:
    """How a sheet is bent: ``curve`` in 1 / eye distances (above 0 the middle comes forward) about an axis that lies
    ``axis_deg`` from the vertical, and ``twist`` in the same unit, one corner forward and the next back."""

    curve: float = 0.0
    axis_deg: float = 0.0
    twist: float = 0.0

    @property
    def flat(self) -> bool:
        """Whether the sheet is a plane for all that can be seen."""
        return abs(self.curve) < 0.02 and abs(self.twist) < 0.02


FLAT = Bend()


def paper(portrait: Portrait, *, reach: Reach = SHEET_REACH, border: float = 0.16, thumb: bool = True) -> Level:
    """A portrait printed on a sheet: color and cover over the texture. ``border`` is the white edge."""
    texture, _ = portrait.texture()
    half = np.array(reach) * TEXTURE_EYE_PX
    left, top = np.maximum(MIDDLE_PX - half, 2).astype(int)
    right, bottom = np.minimum(MIDDLE_PX + half, np.array(TEXTURE_SIZE) - 2).astype(int)
    edge, eye = int(border * TEXTURE_EYE_PX), TEXTURE_EYE_PX
    sheet, cover = np.full_like(texture, PAPER), np.zeros(texture.shape[:2], dtype=np.float32)
    cover[top:bottom, left:right] = 1.0
    inner = (slice(top + edge, bottom - edge), slice(left + edge, right - edge))
    sheet[inner] = np.clip(texture[inner] * 0.9 + 14, 0, 255)  # ink on paper is flatter than skin
    if thumb:
        place = (int(right - 1.5 * edge), int(bottom - 0.5 * edge))
        cv2.ellipse(sheet, place, (int(0.2 * eye), int(0.45 * eye)), -35, 0, 360, SKIN, -1, cv2.LINE_AA)
    return sheet, cover


class Print:
    """A portrait on a sheet of paper with a white border and the thumb that holds it.

    ``endless``: a poster so large that its edges are never seen.
    """

    def __init__(
        self, portrait: Portrait, *, reach: Reach = SHEET_REACH, border: float = 0.16, endless: bool = False
    ) -> None:
        picture, cover = paper(portrait, reach=reach, border=border, thumb=not endless)
        self._levels = pyramid(picture, np.ones_like(cover) if endless else cover)
        self._reach, self._endless = reach, endless

    def draw(self, frame: UInt8Array, pose: Pose, *, bend: Bend | None = None) -> None:
        """Paint the sheet in perspective, bent or flat, lit as it is turned, into a (480, 640, 3) uint8 RGB frame."""
        picture, cover = self._levels[level_for(pose)]
        level = (shaded(picture, _light(pose)), cover)
        if bend is None or bend.flat:
            reach = (9.0, 9.0, 9.0) if self._endless else (self._reach[0], self._reach[1], self._reach[1])
            paint_plane(frame, level, pose, reach=reach, depth=0.0, endless=self._endless)
            return
        surface, unroll, depths = bent(bend, self._reach)
        seen = window(box_corners(self._reach, 0.0, depths), pose)
        if seen:
            paint_relief(frame, pose, seen, surface, level, depths=depths, unroll=unroll)


class Mask:
    """A print with the eyes cut out, worn before a living face: it turns with that head, and the eyes are real.

    ``curve`` is how far it bends round the face, ``tent`` how far the nose pushes it out, ``oval`` whether it was cut
    along the outline of the face instead of left a sheet.
    """

    def __init__(
        self,
        portrait: Portrait,
        *,
        curve: float,
        tent: float,
        oval: bool,
        holes: float = 1.0,
        reach: Reach = (1.5, 2.0),
    ) -> None:
        picture, cover = paper(portrait, reach=reach, border=0.0 if oval else 0.08, thumb=False)
        _, marks = portrait.texture()
        eye = TEXTURE_EYE_PX
        if oval:
            outline = np.zeros_like(cover)
            middle = (int(MIDDLE_PX[0]), int(MIDDLE_PX[1] + 0.35 * eye))
            cv2.ellipse(outline, middle, (int(1.22 * eye), int(1.75 * eye)), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
            cover = np.minimum(cover, outline)
        for x, y in eye_places(marks):
            half = (int(0.25 * holes * eye), int(0.13 * holes * eye))
            cv2.ellipse(picture, (int(x), int(y)), (half[0] + 1, half[1] + 1), 0, 0, 360, PAPER, 1, cv2.LINE_AA)
            cv2.ellipse(cover, (int(x), int(y)), half, 0, 0, 360, 0.0, -1, cv2.LINE_AA)
        self._levels = pyramid(picture, cover)
        self._bend, self._tent, self._nose, self._reach = Bend(curve), tent, marks[2], reach

    def draw(self, frame: UInt8Array, pose: Pose, *, slack: Pose | None = None) -> None:
        """Paint the mask over a head of this pose; ``slack`` is how far it slipped (metres and degrees)."""
        slack = slack or Pose(distance_m=0.0)
        placed = head_pose(pose)
        placed = replace(
            placed,
            x_m=placed.x_m + slack.x_m,
            y_m=placed.y_m + slack.y_m,
            yaw_deg=placed.yaw_deg + slack.yaw_deg,
            pitch_deg=placed.pitch_deg + slack.pitch_deg,
            roll_deg=placed.roll_deg + slack.roll_deg,
        )
        sheet, unroll, (back, front) = bent(self._bend, self._reach)
        nose_x, nose_y = (np.float32(v) for v in self._nose)
        lift = np.float32(HEAD_DEPTH + NOSE_HEIGHT - 0.12)

        def surface(x: Float32Array, y: Float32Array) -> Float32Array:
            fold = np.exp(-np.abs(x - nose_x) / np.float32(0.45)) * np.exp(-np.square((y - nose_y) / np.float32(0.7)))
            return np.asarray(sheet(x, y) + lift + np.float32(self._tent) * fold, dtype=np.float32)

        depths = (back + float(lift), front + float(lift) + self._tent)
        seen = window(box_corners(self._reach, 0.0, depths), placed)
        if seen:
            picture, cover = self._levels[level_for(pose)]
            level = (shaded(picture, _light(placed)), cover)
            paint_relief(frame, placed, seen, surface, level, depths=depths, unroll=unroll)


def bent(bend: Bend, reach: Reach) -> tuple[Surface, Unroll, tuple[float, float]]:
    """The surface of a bent sheet, where its picture lies on it, and between which depths it stays."""
    across, down = np.cos(np.deg2rad(bend.axis_deg)), np.sin(np.deg2rad(bend.axis_deg))
    across, down = np.float32(across), np.float32(down)
    curve, twist = np.float32(bend.curve), np.float32(bend.twist)

    def surface(x: Float32Array, y: Float32Array) -> Float32Array:
        along = x * across + y * down
        return np.asarray(-curve / 2 * along * along + twist / 2 * x * y, dtype=np.float32)

    def unroll(x: Float32Array, y: Float32Array) -> tuple[Float32Array, Float32Array]:
        along = x * across + y * down
        # the arc of a parabola against its chord
        longer = np.asarray(curve * curve * along * along * along / 6, dtype=np.float32)
        return np.asarray(x + across * longer, np.float32), np.asarray(y + down * longer, np.float32)

    spread = abs(bend.curve) / 2 * (reach[0] * abs(float(across)) + reach[1] * abs(float(down))) ** 2
    saddle = abs(bend.twist) / 2 * reach[0] * reach[1]
    back, front = (-spread, 0.0) if bend.curve >= 0 else (0.0, spread)
    return surface, unroll, (back - saddle - 0.02, front + saddle + 0.02)


def _light(pose: Pose) -> float:
    """How bright a turned sheet is under the room's lamp, against one that faces the camera."""
    yaw, pitch = np.deg2rad([pose.yaw_deg, pose.pitch_deg])
    normal = np.array([np.sin(yaw), np.sin(pitch) * np.cos(yaw), np.cos(pitch) * np.cos(yaw)])
    lamp = np.array([LAMP[0], LAMP[1], 1.0])
    lamp /= np.linalg.norm(lamp)
    return float(np.clip(normal @ lamp / lamp[2], 0.3, 1.15))
