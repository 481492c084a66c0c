"""A pinhole camera and where things are before it. Owns poses, rotations and rays; refuses pictures.

Lengths inside a figure are in eye distances (63 mm in an adult), x to the right, y down, z towards the camera. Where a
figure stands is in metres.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.biometrics import Float32Array, Float64Array

EYE_DISTANCE_M = 0.063
FRAME_SIZE = (640, 480)
FOCAL_PX = 560.0  # a webcam of about 60 degrees across 640 pixels

Rays = tuple[Float32Array, Float32Array, Float64Array]
Window = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a head or a sheet is: offsets and distance in metres from the camera, angles in degrees.

    ``yaw_deg`` above 0 moves the nose towards larger x (the person's own left in an unmirrored picture), ``pitch_deg``
    above 0 moves it down, ``roll_deg`` above 0 turns the picture clockwise.
    """

    x_m: float = 0.0
    y_m: float = 0.0
    distance_m: float = 0.6
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0


def eye_distances(metres: float) -> float:
    """A length in eye distances."""
    return metres / EYE_DISTANCE_M


def rotation(pose: Pose) -> Float64Array:
    """The (3, 3) rotation of a pose: yaw about the neck, then pitch, then roll."""
    yaw, pitch, roll = np.deg2rad([pose.yaw_deg, pose.pitch_deg, pose.roll_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    return np.asarray(tilt @ nod @ turn)


def project(points: Float64Array, pose: Pose) -> Float64Array:
    """Where (N, 3) points of a head, in eye distances, appear in the frame: (N, 2) pixels."""
    placed = points @ rotation(pose).T
    away = eye_distances(pose.distance_m) - placed[:, 2]
    middle = np.array([FRAME_SIZE[0] / 2, FRAME_SIZE[1] / 2])
    shift = np.array([eye_distances(pose.x_m), eye_distances(pose.y_m)])
    return np.asarray(middle + FOCAL_PX * (placed[:, :2] + shift) / away[:, None])


def window(box: Float64Array, pose: Pose) -> Window | None:
    """The part of the frame that a figure inside the (8, 3) corners ``box`` can cover; None if it is out of sight.

    (left, top, right, bottom), the last two exclusive.
    """
    seen = project(box, pose)
    left, top = np.maximum(np.floor(seen.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 2, FRAME_SIZE)
    return None if right - left < 8 or bottom - top < 8 else (int(left), int(top), int(right), int(bottom))


def rays(pose: Pose, window: Window, *, step: int) -> Rays:
    """Rays through each ``step``-th pixel in the head's own frame: slopes dx/dz and dy/dz, and the eye's place."""
    left, top, right, bottom = window
    columns = np.arange(left + step / 2 - 0.5, right, step, dtype=np.float32) - FRAME_SIZE[0] / 2
    rows = np.arange(top + step / 2 - 0.5, bottom, step, dtype=np.float32) - FRAME_SIZE[1] / 2
    turn = rotation(pose)
    eye = np.array([-eye_distances(pose.x_m), -eye_distances(pose.y_m), eye_distances(pose.distance_m)]) @ turn
    # A ray is (column/f, row/f, -1) in the camera's frame; multiplied by the rotation it is in the head's.
    parts = [
        (columns[None, :] * turn[0, axis] / FOCAL_PX + rows[:, None] * turn[1, axis] / FOCAL_PX) - turn[2, axis]
        for axis in range(3)
    ]
    below = np.where(np.abs(parts[2]) < 1e-3, np.float32(-1e-3), parts[2])
    return (parts[0] / below).astype(np.float32), (parts[1] / below).astype(np.float32), eye


def meet(ray: Rays, depth: Float32Array | float) -> tuple[Float32Array, Float32Array]:
    """Where each ray meets the layer at ``depth``: x and y in the figure's own frame."""
    below = np.asarray(depth - ray[2][2], dtype=np.float32)
    return ray[0] * below + np.float32(ray[2][0]), ray[1] * below + np.float32(ray[2][1])
