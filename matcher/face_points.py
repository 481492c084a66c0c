"""68 points of a face. Owns the crop that dlib's regression trees see; refuses detection and any judgement.

Points are numbered as in the iBUG 300-W mark-up: 0-16 jaw from the person's right ear to the left, 17-26 brows, 27-35
nose, 36-47 eyes, 48-67 mouth. Method: Kazemi and Sullivan (2014), as dlib trained it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np

from matcher import weights
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, Float64Array, UInt8Array

_CROP_PX = 320  # the predictor answers in whole pixels: a small crop would round the parallax away
_EYES_TO_MOUTH_PX = 70.0
_MIDDLE = (160.0, 154.0)  # where the middle between eyes and mouth lies in the crop
_BOX = (69, 66, 256, 253)  # left, top, right, bottom: the box dlib's own detector would draw there


class FacePoints:
    """dlib's shape predictor, given upright crops of one size. Not safe across threads."""

    def __init__(self) -> None:
        """Load the predictor, once a process: 0.7 s and 100 MB. Raises WeightsError if its file is missing."""
        import dlib

        self._box = dlib.rectangle(*_BOX)
        self._predictor = _predictor(str(weights.path("dlib_landmarks_68")))

    def locate(self, pixels: UInt8Array, face: DetectedFace) -> Float32Array:
        """(68, 2) float32 points in pixels of the (H, W, 3) uint8 RGB picture."""
        matrix = upright(face.landmarks)
        crop = cv2.warpAffine(pixels, matrix, (_CROP_PX, _CROP_PX), flags=cv2.INTER_LINEAR)
        shape = self._predictor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), self._box)
        points = np.array([[part.x, part.y] for part in shape.parts()], dtype=np.float64)
        inverse = cv2.invertAffineTransform(matrix)
        return np.asarray(points @ inverse[:, :2].T + inverse[:, 2], dtype=np.float32)


@cache
def _predictor(file: str) -> Any:
    import dlib

    return dlib.shape_predictor(file)


def upright(landmarks: Float32Array) -> Float64Array:
    """The (2, 3) similarity that stands a face upright in the crop at a fixed height from eyes to mouth.

    The height is used and not the eyes' distance, which shrinks when a head turns.
    """
    marks = np.asarray(landmarks, dtype=np.float64)
    eyes, mouth = marks[:2].mean(axis=0), marks[3:].mean(axis=0)
    across = (marks[1] - marks[0]) + (marks[4] - marks[3])
    turn = np.arctan2(across[1], across[0])
    scale = _EYES_TO_MOUTH_PX / max(float(np.hypot(*(mouth - eyes))), 1e-3)
    linear = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return np.column_stack([linear, np.array(_MIDDLE) - linear @ ((eyes + mouth) / 2)])
