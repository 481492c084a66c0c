"""Face engine ``sface``: YuNet finds faces and five landmarks, SFace turns one into 128 numbers. The default.

Owns scaling, alignment and the template layout; refuses any decision. Both networks run on one thread of OpenCV.
Sources: YuNet (Wu et al., 2023), SFace (Zhong et al., 2021), both as published in the OpenCV Zoo.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from matcher import weights
from matcher.engines.alignment import aligned_face
from matcher.engines.vectors import checked_rgb, from_payload, to_payload, unit_rows
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array

DIMENSIONS = 128


class SFaceEngine:
    """YuNet + SFace behind ``matcher.ports.FaceEngine``. Not safe across threads."""

    name = "sface"
    format = TemplateFormat("sface", 1)

    def __init__(self, *, detection_side: int = 640, detection_score: float = 0.6) -> None:
        """Load both networks. ``detection_side``: pictures are shrunk to this longest side before detection."""
        cv2.setNumThreads(1)
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns that it runs on the processor
        self._side = detection_side
        self._detector = cv2.FaceDetectorYN.create(
            str(weights.path("yunet")), "", (detection_side, detection_side), detection_score, 0.3, 50
        )
        self._network = cv2.FaceRecognizerSF.create(str(weights.path("sface")), "")

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

    def extract(self, pixels: UInt8Array, face: DetectedFace) -> Template:
        """The unit-length SFace vector as 128 little-endian float32."""
        checked_rgb(pixels)
        crop = aligned_face(pixels, face.landmarks)
        vector = np.asarray(self._network.feature(cv2.cvtColor(crop, cv2.COLOR_RGB2BGR)), np.float32)
        return Template(self.format, to_payload(unit_rows(vector)))

    def vectors(self, templates: Sequence[Template]) -> Float32Array:
        """(N, 128) float32 rows of unit length. Raises TemplateError."""
        return unit_rows(from_payload(templates, format=self.format, dimensions=DIMENSIONS))

    def compare(self, probe: Template, reference: Template) -> float:
        """Cosine similarity in [-1, 1]."""
        rows = self.vectors((probe, reference))
        return float(np.clip(rows[0] @ rows[1], -1.0, 1.0))

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
