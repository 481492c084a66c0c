"""Finding faces and five landmarks with YuNet. Owns scaling and the second look; refuses to recognise anybody.

Runs on one thread of OpenCV. Source: YuNet (Wu et al., 2023), as published in the OpenCV Zoo.
"""

from __future__ import annotations

import cv2
import numpy as np

from matcher import weights
from matcher.engines.vectors import checked_rgb
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, UInt8Array


class YuNet:
    """The loaded detector. Not safe across threads."""

    def __init__(self, *, detection_side: int = 640, detection_score: float = 0.6) -> None:
        """``detection_side``: pictures are shrunk to this longest side before detection. Raises WeightsError."""
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns that it runs on the processor
        self._side = detection_side
        self._detector = cv2.FaceDetectorYN.create(
            str(weights.path("yunet")), "", (detection_side, detection_side), detection_score, 0.3, 50
        )

    def detect(self, pixels: UInt8Array) -> list[DetectedFace]:
        """All faces, largest first; a second look at half the size catches a face that fills the picture.

        Raises ImageError if ``pixels`` is not (H, W, 3) uint8.
        """
        checked_rgb(pixels)
        longest = max(pixels.shape[:2])
        scale = min(1.0, self._side / longest)
        faces = self._look(pixels, scale)
        if not faces and scale * longest > 300:
            faces = self._look(pixels, scale / 2)
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

    def _look(self, pixels: UInt8Array, scale: float) -> list[DetectedFace]:
        height, width = (max(1, round(side * scale)) for side in pixels.shape[:2])
        if min(height, width) < 10:
            return []
        small = pixels if scale == 1.0 else cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        self._detector.setInputSize((width, height))
        _, rows = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return [] if rows is None else [_face(row, scale) for row in rows if np.isfinite(row).all()]


def _face(row: Float32Array, scale: float) -> DetectedFace:
    x, y, width, height = (float(value) / scale for value in row[:4])
    landmarks = (row[4:14].reshape(5, 2) / scale).astype(np.float32)
    return DetectedFace((x, y, width, height), landmarks, float(row[14]))
