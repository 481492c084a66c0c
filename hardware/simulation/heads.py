"""Portraits that turn in depth, and portraits held up on paper. Owns their making and drawing; refuses time.

A ``Head`` bends a picture over a generic relief placed by the five landmarks that the caller hands in. For each pixel
the ray through it is followed from the front until it meets the relief (relief mapping, Policarpo et al., 2005). A
``Print`` is the same picture on a plane.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np

from hardware.simulation.projection import (
    EYE_DISTANCE_M,
    FOCAL_PX,
    Pose,
    Rays,
    Window,
    meet,
    project,
    rays,
    window,
)
from hardware.simulation.relief import (
    ABOVE,
    ASIDE,
    BELOW,
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

LAYERS = 22
SHEET_REACH = (2.1, 2.4)  # half width and half height of a held-up photograph, in eye distances
SHOULDER_REACH, SHOULDER_DEPTH = (ASIDE, ABOVE, 40.0), 0.7  # the last row of the coat goes on to the floor
PAPER, SKIN = (244, 243, 240), (196, 150, 124)

Level = tuple[UInt8Array, Float32Array]


class Figure(Protocol):
    """Something that can stand before the camera."""

    def draw(self, frame: UInt8Array, pose: Pose) -> None:
        """Paint it into a (480, 640, 3) uint8 RGB frame, over what is there."""


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
        self._relief = relief(marks)
        self._levels = _pyramid(texture, np.minimum(person, head_mask()))
        self._shoulders = _pyramid(texture, np.minimum(person, shoulder_mask(marks)))

    def draw(self, frame: UInt8Array, pose: Pose) -> None:
        """Paint shoulders, then head. The pose's distance is that of the eyes."""
        placed = replace(pose, distance_m=pose.distance_m + HEAD_DEPTH * EYE_DISTANCE_M)
        level = _level_for(pose)
        still = replace(placed, yaw_deg=pose.yaw_deg * 0.1, pitch_deg=0.0, roll_deg=pose.roll_deg * 0.3)
        _draw_plane(frame, self._shoulders[level], still, reach=SHOULDER_REACH, depth=SHOULDER_DEPTH)
        seen = window(_corners((HEAD_HALF_WIDTH, HEAD_HALF_HEIGHT), HEAD_DROP, HEAD_DEPTH + NOSE_HEIGHT), placed)
        if seen:
            self._draw_relief(frame, placed, seen, level)

    def _draw_relief(self, frame: UInt8Array, pose: Pose, seen: Window, level: int) -> None:
        left, top, right, bottom = seen
        coarse = _march(self._relief, rays(pose, seen, step=4))
        depth = np.asarray(cv2.resize(coarse, (right - left, bottom - top)), dtype=np.float32)
        ray = rays(pose, seen, step=1)
        for _ in range(2):  # the layers are coarse: walk along the ray onto the relief itself
            depth = _sample(self._relief, *_pixels(*meet(ray, depth)))
        x, y = _pixels(*meet(ray, depth))
        picture, cover = self._levels[level]
        size = np.float32(0.5**level)
        color = cv2.remap(picture, x * size, y * size, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        alpha = cv2.remap(cover, x * size, y * size, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        _blend(frame[top:bottom, left:right], np.asarray(color, np.uint8), np.asarray(alpha, np.float32))


class Print:
    """A portrait on a sheet of paper with a white border and the thumb that holds it."""

    def __init__(self, portrait: Portrait, *, border: float = 0.16) -> None:
        texture, _ = portrait.texture()
        half = np.array(SHEET_REACH) * TEXTURE_EYE_PX
        left, top = np.maximum(MIDDLE_PX - half, 2).astype(int)
        right, bottom = np.minimum(MIDDLE_PX + half, np.array(TEXTURE_SIZE) - 2).astype(int)
        edge, eye = int(border * TEXTURE_EYE_PX), TEXTURE_EYE_PX
        sheet, cover = np.full_like(texture, PAPER), np.zeros(texture.shape[:2], dtype=np.float32)
        cover[top:bottom, left:right] = 1.0
        inner = (slice(top + edge, bottom - edge), slice(left + edge, right - edge))
        sheet[inner] = np.clip(texture[inner] * 0.9 + 14, 0, 255)  # ink on paper is flatter than skin
        thumb = (int(right - 1.5 * edge), int(bottom - 0.5 * edge))
        cv2.ellipse(sheet, thumb, (int(0.2 * eye), int(0.45 * eye)), -35, 0, 360, SKIN, -1, cv2.LINE_AA)
        self._levels = _pyramid(sheet, cover)

    def draw(self, frame: UInt8Array, pose: Pose) -> None:
        """Paint the sheet as a plane in perspective."""
        _draw_plane(
            frame,
            self._levels[_level_for(pose)],
            pose,
            reach=(SHEET_REACH[0], SHEET_REACH[1], SHEET_REACH[1]),
            depth=0.0,
        )


def _pyramid(picture: UInt8Array, cover: Float32Array) -> list[Level]:
    """Full, half and quarter size: a far head is drawn from the small ones, or it would glitter."""
    levels = [(picture, cover)]
    for _ in range(2):
        picture = np.asarray(cv2.pyrDown(picture), dtype=np.uint8)
        cover = np.asarray(cv2.pyrDown(cover), dtype=np.float32)
        levels.append((picture, cover))
    return levels


def _level_for(pose: Pose) -> int:
    eye_px = FOCAL_PX * EYE_DISTANCE_M / pose.distance_m
    return int(np.clip(np.floor(np.log2(TEXTURE_EYE_PX / eye_px) + 0.35), 0, 2))


def _corners(half: tuple[float, float], drop: float, depth: float) -> Float64Array:
    """The eight corners of a box from the plane of the ears to ``depth``."""
    signs = [(sx, sy, z) for sx in (-1, 1) for sy in (-1, 1) for z in (0.0, depth)]
    return np.array([[sx * half[0], drop + sy * half[1], z] for sx, sy, z in signs])


def _pixels(x: Float32Array, y: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Texture pixels of points in eye distances."""
    eye = np.float32(TEXTURE_EYE_PX)
    return x * eye + np.float32(MIDDLE_PX[0]), y * eye + np.float32(MIDDLE_PX[1])


def _sample(surface: Float32Array, x: Float32Array, y: Float32Array) -> Float32Array:
    found = cv2.remap(surface, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, dtype=np.float32)


def _march(surface: Float32Array, ray: Rays) -> Float32Array:
    """The first layer from the front at which each ray is inside the relief; 0 where it passes the head by."""
    found = np.zeros(ray[0].shape, dtype=np.float32)
    for layer in np.linspace(HEAD_DEPTH + NOSE_HEIGHT, 0.0, LAYERS, endpoint=False):
        inside = _sample(surface, *_pixels(*meet(ray, float(layer)))) >= layer
        np.copyto(found, np.float32(layer), where=inside & (found == 0))
    return found


def _draw_plane(
    frame: UInt8Array, level: Level, pose: Pose, *, reach: tuple[float, float, float], depth: float
) -> None:
    """Paint a flat texture that lies at ``depth`` before the pose's origin, over ``reach`` (aside, above, below)."""
    picture, cover = level
    aside, above, below = reach
    edges = ((-aside, -above), (aside, -above), (aside, below), (-aside, below))
    corners = np.array([[x, y, depth] for x, y in edges])
    seen = project(corners, pose)
    left, top = np.maximum(np.floor(seen.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 1, (frame.shape[1], frame.shape[0]))
    if right - left < 4 or bottom - top < 4:
        return
    source = (corners[:, :2] * TEXTURE_EYE_PX + MIDDLE_PX) * picture.shape[1] / TEXTURE_SIZE[0]
    target = seen - np.array([left, top])
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target.astype(np.float32))
    size = (int(right - left), int(bottom - top))
    color = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    edge = cv2.BORDER_REPLICATE if below > BELOW else cv2.BORDER_CONSTANT
    alpha = cv2.warpPerspective(cover, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge)
    _blend(frame[top:bottom, left:right], np.asarray(color, np.uint8), np.asarray(alpha, np.float32))


def _blend(target: UInt8Array, color: UInt8Array, alpha: Float32Array) -> None:
    """Lay ``color`` over ``target`` in place, by eight-bit weights."""
    weight = cv2.merge([(alpha * 255).astype(np.uint8)] * 3)
    over = cv2.multiply(color, weight, scale=1 / 255)
    under = cv2.multiply(target, cv2.bitwise_not(weight), scale=1 / 255)
    target[:] = cv2.add(over, under)
