"""Face engine ``sface``: YuNet finds faces and five landmarks, SFace turns one into 128 numbers. The default.

Owns the template layout; refuses any decision. Both networks run on one thread of OpenCV.
Source: SFace (Zhong et al., 2021), as published in the OpenCV Zoo.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from matcher import weights
from matcher.engines.alignment import aligned_face
from matcher.engines.vectors import checked_rgb, from_payload, to_payload, unit_rows
from matcher.engines.yunet import YuNet
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array

DIMENSIONS = 128


class SFaceEngine:
    """YuNet + SFace behind ``matcher.ports.FaceEngine``. Not safe across threads."""

    name = "sface"
    format = TemplateFormat("sface", 1)

    def __init__(self, *, detection_side: int = 640, detection_score: float = 0.6) -> None:
        """Load both networks. ``detection_side``: pictures are shrunk to this longest side before detection."""
        self._detector = YuNet(detection_side=detection_side, detection_score=detection_score)
        self._network = cv2.FaceRecognizerSF.create(str(weights.path("sface")), "")

    def detect(self, pixels: UInt8Array) -> list[DetectedFace]:
        """All faces, largest first; see ``YuNet.detect``. Raises ImageError."""
        return self._detector.detect(pixels)

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
