"""The generic head that a portrait is bent over. Owns its relief, its outline and its shoulders; refuses cameras.

Maps are (H, W) float32 over a texture whose point between the eyes is ``middle_px`` and whose eye distance is
``TEXTURE_EYE_PX``. Proportions are an adult's.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.biometrics import Float32Array, Float64Array, UInt8Array

TEXTURE_EYE_PX = 84.0  # eye distance in the texture; a head at 0.45 m is not larger
ABOVE, BELOW, ASIDE = 2.5, 5.6, 3.6  # how far the texture reaches from the point between the eyes, in eye distances
TEXTURE_SIZE = (int(2 * ASIDE * TEXTURE_EYE_PX), int((ABOVE + BELOW) * TEXTURE_EYE_PX))
MIDDLE_PX = np.array([ASIDE, ABOVE]) * TEXTURE_EYE_PX
HEAD_HALF_WIDTH, HEAD_HALF_HEIGHT, HEAD_DEPTH, HEAD_DROP = 1.34, 2.02, 1.5, 0.25
NOSE_HEIGHT = 0.33


def _grid() -> tuple[Float32Array, Float32Array]:
    """x and y of each pixel of the texture, in eye distances from the point between the eyes."""
    rows, columns = np.mgrid[0 : TEXTURE_SIZE[1], 0 : TEXTURE_SIZE[0]].astype(np.float32)
    x, y = (columns - MIDDLE_PX[0]) / TEXTURE_EYE_PX, (rows - MIDDLE_PX[1]) / TEXTURE_EYE_PX
    return x.astype(np.float32), y.astype(np.float32)


def relief(marks: Float64Array) -> Float32Array:
    """Height of the generic head at each pixel of the texture, in eye distances above the plane of the ears.

    Proportions are an adult's: the nose tip about 0.43 before the eyes' and the mouth's corners (27 mm), the ears 1.4
    behind the eyes.
    """
    x, y = _grid()
    nose, mouth = marks[2], marks[3:].mean(axis=0)
    inside = 1.0 - (x / HEAD_HALF_WIDTH) ** 2 - ((y - HEAD_DROP) / HEAD_HALF_HEIGHT) ** 2
    depth = HEAD_DEPTH * np.sqrt(np.clip(inside, 0.0, 1.0))
    along = np.clip(y / max(float(nose[1]), 0.3), 0.0, 1.0)  # from the bridge down to the tip
    ridge = NOSE_HEIGHT * along * np.exp(-(((x - nose[0] * along) / (0.10 + 0.09 * along)) ** 2))
    ridge *= 1.0 / (1.0 + np.exp((y - nose[1] - 0.16) * 22))
    depth += ridge
    for side in (marks[0], marks[1]):
        depth -= 0.07 * np.exp(-(((x - side[0]) / 0.22) ** 2) - ((y - side[1]) / 0.15) ** 2)
    depth += 0.05 * np.exp(-(((x - mouth[0]) / 0.3) ** 2) - ((y - mouth[1]) / 0.13) ** 2)
    return np.asarray(cv2.GaussianBlur(depth, (0, 0), 0.03 * TEXTURE_EYE_PX), dtype=np.float32)


def head_mask() -> Float32Array:
    """1 on the head's ellipse, with a soft edge: the far side of the relief is not painted."""
    x, y = _grid()
    radius = np.sqrt((x / HEAD_HALF_WIDTH) ** 2 + ((y - HEAD_DROP) / HEAD_HALF_HEIGHT) ** 2)
    return np.asarray(np.clip((0.985 - radius) / 0.03, 0, 1), dtype=np.float32)


def shoulder_mask(marks: Float64Array) -> Float32Array:
    """1 below the mouth: what stays behind when the head turns. Its upper edge is always hidden by the chin."""
    x, y = _grid()
    y = y - np.float32(marks[3:, 1].mean())
    neck = np.clip((0.78 - np.abs(x)) / 0.08, 0, 1) * np.clip((y - 0.3) / 0.1, 0, 1)
    return np.asarray(np.maximum(neck, np.clip((y - 0.95) / 0.15, 0, 1)), dtype=np.float32)


def cut_out(texture: UInt8Array) -> Float32Array:
    """The person's outline in the texture, 0..1 (GrabCut from a generic head and shoulders)."""
    small = cv2.resize(texture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    center, eye = MIDDLE_PX / 4, TEXTURE_EYE_PX / 4
    labels = np.full((height, width), cv2.GC_BGD, np.uint8)
    middle = (int(center[0]), int(center[1] + HEAD_DROP * eye))

    def ellipse(scale: float, label: int) -> None:
        axes = (int(HEAD_HALF_WIDTH * scale * eye), int(HEAD_HALF_HEIGHT * scale * eye))
        cv2.ellipse(labels, middle, axes, 0, 0, 360, label, -1)

    cv2.rectangle(labels, (0, int(center[1] + 1.7 * eye)), (width, height), cv2.GC_PR_BGD, -1)
    right_side = [[0.6, 1.9], [1.7, 2.6], [2.6, 3.2], [3.4, 4.6], [3.4, 9.0]]
    shoulders = np.array([[-x, y] for x, y in reversed(right_side)] + right_side)
    cv2.fillPoly(labels, [(shoulders * eye + center).astype(np.int32)], cv2.GC_PR_FGD)
    ellipse(1.0, cv2.GC_PR_FGD)
    ellipse(0.84, cv2.GC_FGD)
    cv2.setRNGSeed(7)  # its k-means would differ from run to run
    rect, models = (0, 0, 1, 1), (np.zeros((1, 65)), np.zeros((1, 65)))
    cv2.grabCut(small, labels, rect, *models, 3, cv2.GC_INIT_WITH_MASK)
    person = ((labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)).astype(np.float32)
    person = cv2.morphologyEx(person, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    smooth = cv2.GaussianBlur(cv2.resize(person, (texture.shape[1], texture.shape[0])), (0, 0), 4)
    return np.asarray(np.clip(smooth * 2 - 0.6, 0, 1), dtype=np.float32)
