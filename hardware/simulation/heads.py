"""Portraits as heads that turn in depth, with lids that close and glasses. Owns their making and drawing; refuses time.

A ``Head`` bends a picture over a generic relief placed by the five landmarks that the caller hands in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from hardware.simulation.painting import (
    Level,
    box_corners,
    level_for,
    paint_plane,
    paint_relief,
    pyramid,
    sampled,
)
from hardware.simulation.projection import EYE_DISTANCE_M, Pose, window
from hardware.simulation.relief import (
    ABOVE,
    ASIDE,
    HEAD_DEPTH,
    HEAD_DROP,
    HEAD_HALF_HEIGHT,
    HEAD_HALF_WIDTH,
    MIDDLE_PX,
    NOSE_HEIGHT,
    TEXTURE_EYE_PX,
    TEXTURE_SIZE,
    cut_out,
    head_mask,
    relief,
    shoulder_mask,
)
from models.biometrics import Float32Array, Float64Array, UInt8Array
from models.errors import ImageError

SHOULDER_REACH, SHOULDER_DEPTH = (ASIDE, ABOVE, 40.0), 0.7  # the last row of the coat goes on to the floor
_LID_HALF = (0.27, 0.15)  # half width and half height of an eye's opening with its lids, in eye distances


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture, (H, W, 3) uint8 RGB, of one face and its five landmarks, (5, 2) in pixels.

    Landmarks are the person's right eye, left eye, nose tip, right and left corner of the mouth. Raises ImageError for
    anything that cannot be bent over a head.
    """

    pixels: UInt8Array
    landmarks: Float32Array

    def __post_init__(self) -> None:
        if self.pixels.ndim != 3 or self.pixels.shape[2] != 3 or self.pixels.dtype != np.uint8:
            raise ImageError("A portrait must be a color picture with 8 bits per channel.")
        if np.shape(self.landmarks) != (5, 2) or not np.isfinite(self.landmarks).all():
            raise ImageError("A portrait needs five landmarks: two eyes, the nose tip and two corners of the mouth.")
        if self.eye_distance_px < 8:
            raise ImageError("The portrait's eyes lie too close together to make a head of it.")

    @property
    def eye_distance_px(self) -> float:
        """Distance between the eyes, judged by the height of the face where the head is half turned away."""
        marks = np.asarray(self.landmarks, dtype=np.float64)
        eyes = float(np.hypot(*(marks[1] - marks[0])))
        face = float(np.hypot(*(marks[3:].mean(axis=0) - marks[:2].mean(axis=0))))
        return max(eyes, face / 1.12)

    def texture(self) -> tuple[UInt8Array, Float64Array]:
        """The upright crop round the face and the landmarks in it, as eye distances from the point between the eyes.

        Beyond the picture's edge its last pixels are repeated.
        """
        marks = np.asarray(self.landmarks, dtype=np.float64)
        middle, eyes = marks[:2].mean(axis=0), marks[1] - marks[0]
        turn, scale = np.arctan2(eyes[1], eyes[0]), TEXTURE_EYE_PX / self.eye_distance_px
        linear = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        matrix = np.column_stack([linear, MIDDLE_PX - linear @ middle])
        picture = cv2.GaussianBlur(self.pixels, (0, 0), 0.45 / scale) if scale < 0.7 else self.pixels
        crop = cv2.warpAffine(picture, matrix, TEXTURE_SIZE, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(crop, dtype=np.uint8), (marks @ linear.T + matrix[:, 2] - MIDDLE_PX) / TEXTURE_EYE_PX


class Head:
    """A portrait as a head that turns on its shoulders. Made once (about 0.3 s), drawn in a few milliseconds."""

    def __init__(self, portrait: Portrait) -> None:
        texture, marks = portrait.texture()
        person = cut_out(texture)
        self.marks = marks
        self._surface = sampled(relief(marks))
        self._levels = pyramid(texture, np.minimum(person, head_mask()))
        self._shoulders = pyramid(texture, np.minimum(person, shoulder_mask(marks)))

    def draw(self, frame: UInt8Array, pose: Pose, *, lids: float = 0.0) -> None:
        """Paint shoulders, then head, into a (480, 640, 3) uint8 RGB frame. The pose's distance is that of the eyes.

        ``lids`` is how far the eyes are closed, 0..1.
        """
        placed = head_pose(pose)
        level = level_for(pose)
        still = replace(placed, yaw_deg=pose.yaw_deg * 0.1, pitch_deg=0.0, roll_deg=pose.roll_deg * 0.3)
        paint_plane(frame, self._shoulders[level], still, reach=SHOULDER_REACH, depth=SHOULDER_DEPTH, endless=True)
        front = HEAD_DEPTH + NOSE_HEIGHT
        box = box_corners((HEAD_HALF_WIDTH, HEAD_HALF_HEIGHT), HEAD_DROP, (0.0, front))
        seen = window(box, placed)
        if seen:
            face = self._levels[level] if lids <= 0.02 else _closed(self._levels[level], self.marks, lids)
            paint_relief(frame, placed, seen, self._surface, face, depths=(0.0, front))


def head_pose(pose: Pose) -> Pose:
    """The pose of a head's relief, whose origin lies between the ears, from that of its eyes."""
    return replace(pose, distance_m=pose.distance_m + HEAD_DEPTH * EYE_DISTANCE_M)


def _closed(level: Level, marks: Float64Array, lids: float) -> Level:
    """The face with both eyes closed so far: the skin above each eye is drawn down over it, with a line of lashes."""
    picture, cover = level
    scale = picture.shape[1] / TEXTURE_SIZE[0]
    eye = TEXTURE_EYE_PX * scale
    shut = picture.copy()
    for mark in marks[:2]:
        middle = (mark * TEXTURE_EYE_PX + MIDDLE_PX) * scale
        half = np.array(_LID_HALF) * eye
        left, top = np.floor(middle - half * (1.0, 1.9)).astype(int)
        right, bottom = np.ceil(middle + half * (1.0, 1.2)).astype(int)
        if left < 0 or top < 0 or right > picture.shape[1] or bottom > picture.shape[0]:
            continue
        shut[top:bottom, left:right] = _lid(picture[top:bottom, left:right], lids)
    return shut, cover


def _lid(around: UInt8Array, lids: float) -> UInt8Array:
    """One eye with its lid down: ``around`` reaches from the brow to below the eye."""
    height, width = around.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    across = 1.0 - np.square((columns / max(width - 1, 1) - 0.5) * 2.05)
    crease, below = 0.42 * height, 0.80 * height  # where the lid folds, and where the lower lashes are
    edge = crease + (below - crease) * lids * np.clip(across, 0.0, 1.0) + 0.06 * height
    stretch = np.clip((rows - 0.18 * height) / np.maximum(edge - 0.18 * height, 1.0), 0.0, 1.0)
    over = (rows <= edge) & (rows >= 0.18 * height) & (across > 0)
    source = np.where(over, 0.18 * height + stretch * (crease - 0.18 * height), rows).astype(np.float32)
    lid = cv2.remap(around, columns, source, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    lashes = np.exp(-np.square((rows - edge) / max(0.035 * height, 0.7))) * (across > 0.1) * lids
    dark = lid.astype(np.float32) * (1.0 - 0.55 * lashes[..., None])
    soft = cv2.GaussianBlur(over.astype(np.float32), (0, 0), max(0.03 * height, 0.5))[..., None]
    mixed = np.where(over[..., None], dark, around * (1 - soft) + dark * soft)
    return np.asarray(np.clip(mixed, 0, 255), dtype=np.uint8)


def eye_places(marks: Float64Array) -> Float32Array:
    """Where the eyes lie in the texture, (2, 2) pixels."""
    return np.asarray(marks[:2] * TEXTURE_EYE_PX + MIDDLE_PX, dtype=np.float32)
