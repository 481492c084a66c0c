"""Bringing a face upright by its five landmarks. Owns the geometry; refuses to know a network.

The positions are those of the 112 × 112 crops that SFace, ArcFace and most others were trained with.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.biometrics import Float32Array, UInt8Array
from models.errors import ImageError

CROP = 112  # pixels of the aligned face
CANONICAL = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]], np.float32
)


def aligned_face(pixels: UInt8Array, landmarks: Float32Array, *, side: int = CROP) -> UInt8Array:
    """The face turned upright and scaled to ``side`` × ``side``, five landmarks at their canonical places.

    Large faces are averaged down before the warp, which by itself would skip pixels. Raises ImageError if the
    landmarks lie in one point.
    """
    target = CANONICAL * (side / CROP)
    matrix = similarity_transform(landmarks, target)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < 0.5:
        shrink = 2.0 * scale
        size = (max(1, round(pixels.shape[1] * shrink)), max(1, round(pixels.shape[0] * shrink)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = similarity_transform(landmarks * np.float32(shrink), target)
    return np.asarray(cv2.warpAffine(pixels, matrix, (side, side), flags=cv2.INTER_LINEAR), dtype=np.uint8)


def similarity_transform(source: Float32Array, target: Float32Array) -> Float32Array:
    """The (2, 3) rotation, scale and shift that brings ``source`` (N, 2) nearest to ``target`` in least squares.

    Source: Umeyama, 1991, in the plane and without reflection. Raises ImageError if all source points are one.
    """
    source_middle, target_middle = source.mean(axis=0), target.mean(axis=0)
    a, b = source - source_middle, target - target_middle
    spread = float((a * a).sum())
    if not np.isfinite(spread) or spread < 1e-6:
        raise ImageError("The landmarks of the face lie in one point.", code="image_no_face")
    cosine = float((a * b).sum()) / spread
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / spread
    turn = np.array([[cosine, -sine], [sine, cosine]], np.float32)
    return np.column_stack([turn, target_middle - turn @ source_middle]).astype(np.float32)
