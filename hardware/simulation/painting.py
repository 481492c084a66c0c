"""How a textured plane or relief gets into the camera's picture. Owns rays, layers and blending; refuses what is shown.

A relief is met by following the ray through each pixel from the front until it is inside (relief mapping, Policarpo et
al., 2005); a plane by its homography. Textures come as pyramids, so that what is far away does not glitter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from hardware.simulation.projection import EYE_DISTANCE_M, FOCAL_PX, Pose, Rays, Window, meet, project, rays
from hardware.simulation.relief import MIDDLE_PX, TEXTURE_EYE_PX
from models.biometrics import Float32Array, Float64Array, UInt8Array

LAYERS = 22

Level = tuple[UInt8Array, Float32Array]  # color and cover, the latter 0..1
Surface = Callable[[Float32Array, Float32Array], Float32Array]  # height over x and y, all in eye distances
Unroll = Callable[[Float32Array, Float32Array], tuple[Float32Array, Float32Array]]  # where the texture is, there


def pyramid(picture: UInt8Array, cover: Float32Array) -> list[Level]:
    """Full, half and quarter size: a far figure is drawn from the small ones, or it would glitter."""
    levels = [(picture, cover)]
    for _ in range(2):
        picture = np.asarray(cv2.pyrDown(picture), dtype=np.uint8)
        cover = np.asarray(cv2.pyrDown(cover), dtype=np.float32)
        levels.append((picture, cover))
    return levels


def level_for(pose: Pose) -> int:
    """Which level of a pyramid to paint from at this distance."""
    eye_px = FOCAL_PX * EYE_DISTANCE_M / pose.distance_m
    return int(np.clip(np.floor(np.log2(TEXTURE_EYE_PX / eye_px) + 0.35), 0, 2))


def box_corners(half: tuple[float, float], drop: float, depths: tuple[float, float]) -> Float64Array:
    """The (8, 3) corners of a box between two depths, in eye distances; ``drop`` is its middle's y."""
    signs = [(sx, sy, z) for sx in (-1, 1) for sy in (-1, 1) for z in depths]
    return np.array([[sx * half[0], drop + sy * half[1], z] for sx, sy, z in signs])


def texture_pixels(x: Float32Array, y: Float32Array) -> tuple[Float32Array, Float32Array]:
    """Texture pixels of points in eye distances."""
    eye = np.float32(TEXTURE_EYE_PX)
    return x * eye + np.float32(MIDDLE_PX[0]), y * eye + np.float32(MIDDLE_PX[1])


def sampled(height: Float32Array) -> Surface:
    """A surface from a map over the texture."""

    def surface(x: Float32Array, y: Float32Array) -> Float32Array:
        found = cv2.remap(height, *texture_pixels(x, y), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(found, dtype=np.float32)

    return surface


def paint_relief(
    frame: UInt8Array,
    pose: Pose,
    seen: Window,
    surface: Surface,
    level: Level,
    *,
    depths: tuple[float, float],
    unroll: Unroll | None = None,
) -> None:
    """Paint a texture over a surface between two depths, inside the window ``seen``."""
    left, top, right, bottom = seen
    coarse = _march(surface, rays(pose, seen, step=4), depths)
    depth = np.asarray(cv2.resize(coarse, (right - left, bottom - top)), dtype=np.float32)
    ray = rays(pose, seen, step=1)
    for _ in range(2):  # the layers are coarse: walk along the ray onto the surface itself
        depth = surface(*meet(ray, depth))
    x, y = meet(ray, depth)
    x, y = texture_pixels(*(unroll(x, y) if unroll is not None else (x, y)))
    picture, cover = level
    size = np.float32(picture.shape[1] / (2 * MIDDLE_PX[0]))
    color = cv2.remap(picture, x * size, y * size, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    alpha = cv2.remap(cover, x * size, y * size, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
    blend(frame[top:bottom, left:right], np.asarray(color, np.uint8), np.asarray(alpha, np.float32))


def _march(surface: Surface, ray: Rays, depths: tuple[float, float]) -> Float32Array:
    """The first layer from the front at which each ray is inside the relief; the back where it passes it by."""
    back, front = depths
    found = np.full(ray[0].shape, back, dtype=np.float32)
    open_ = np.ones(ray[0].shape, dtype=bool)
    for layer in np.linspace(front, back, LAYERS, endpoint=False):
        met = open_ & (surface(*meet(ray, float(layer))) >= layer)
        found[met] = layer
        open_ &= ~met
    return found


def plane_map(
    pose: Pose, corners: Float64Array, source: Float64Array, frame: UInt8Array
) -> tuple[Float64Array, Window] | None:
    """The homography from a texture to the window it covers in the frame; None if it is out of sight.

    ``corners`` are the texture's four in eye distances, (4, 3); ``source`` the same in the texture's pixels, (4, 2).
    """
    seen = project(corners, pose)
    left, top = np.maximum(np.floor(seen.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(seen.max(axis=0)).astype(int) + 1, (frame.shape[1], frame.shape[0]))
    if right - left < 4 or bottom - top < 4:
        return None
    target = (seen - np.array([left, top])).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source.astype(np.float32), target)
    return np.asarray(matrix, dtype=np.float64), (int(left), int(top), int(right), int(bottom))


def paint_plane(
    frame: UInt8Array,
    level: Level,
    pose: Pose,
    *,
    reach: tuple[float, float, float],
    depth: float,
    endless: bool = False,
) -> None:
    """Paint a flat texture at ``depth`` before the pose's origin, over ``reach`` (aside, above, below).

    ``endless``: what lies beyond the texture's edge repeats its last pixels.
    """
    picture, cover = level
    aside, above, below = reach
    edges: Sequence[tuple[float, float]] = ((-aside, -above), (aside, -above), (aside, below), (-aside, below))
    corners = np.array([[x, y, depth] for x, y in edges])
    source = (corners[:, :2] * TEXTURE_EYE_PX + MIDDLE_PX) * picture.shape[1] / (2 * MIDDLE_PX[0])
    placed = plane_map(pose, corners, source, frame)
    if placed is None:
        return
    matrix, (left, top, right, bottom) = placed
    size = (right - left, bottom - top)
    color = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    edge = cv2.BORDER_REPLICATE if endless else cv2.BORDER_CONSTANT
    alpha = cv2.warpPerspective(cover, matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge)
    blend(frame[top:bottom, left:right], np.asarray(color, np.uint8), np.asarray(alpha, np.float32))


def blend(target: UInt8Array, color: UInt8Array, alpha: Float32Array) -> None:
    """Lay ``color`` over ``target`` in place, by eight-bit weights."""
    weight = cv2.merge([(alpha * 255).astype(np.uint8)] * 3)
    over = cv2.multiply(color, weight, scale=1 / 255)
    under = cv2.multiply(target, cv2.bitwise_not(weight), scale=1 / 255)
    target[:] = cv2.add(over, under)


def shaded(picture: UInt8Array, factor: float) -> UInt8Array:
    """A picture under more or less light."""
    return picture if abs(factor - 1.0) < 0.01 else np.asarray(cv2.convertScaleAbs(picture, alpha=factor), np.uint8)
