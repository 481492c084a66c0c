"""Face engine ``dlib``: HOG detection, 68 landmarks, and the ResNet behind face_recognition. A second opinion.

Owns the way from dlib's vectors to scores; refuses to be the default: on photographs in the wild it misses ten times
as many people as ``sface`` at the same rate of false matches.

dlib's own comparison is the Euclidean distance d, while a score here is the cosine of the angle, which for vectors of
equal length falls as d grows: d² = 2|v|²(1 - cosine). The lengths differ (1.2 to 1.7), and leaving them out helps: on
LFW the cosine misses 23 % of genuine pairs at FMR 1e-4 where the distance misses 32 %. All cosines lie close together
(FMR 1e-3 at 0.926), because the vectors of all people share a large part.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import dlib
import numpy as np

from matcher import weights
from matcher.engines.landmarks68 import FaceLandmarks68, five_of, search_window
from matcher.engines.vectors import checked_rgb, from_payload, to_payload, unit_rows
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array

DIMENSIONS = 128
UPSAMPLED_SIDE = 400  # pictures up to this longest side are doubled, so that faces of 40 pixels are found


class DlibFaceEngine:
    """dlib behind ``matcher.ports.FaceEngine``. Not safe across threads."""

    name = "dlib"
    format = TemplateFormat("dlib", 1)

    def __init__(self, *, detection_side: int = 640) -> None:
        """Load detector and networks. ``detection_side``: pictures are shrunk to this longest side before detection."""
        self._side = detection_side
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = FaceLandmarks68()
        self._five = dlib.shape_predictor(str(weights.path("dlib_landmarks_5")))
        self._network = dlib.face_recognition_model_v1(str(weights.path("dlib_resnet")))

    def detect(self, pixels: UInt8Array) -> list[DetectedFace]:
        """All faces, largest first. Raises ImageError if ``pixels`` is not (H, W, 3) uint8."""
        checked_rgb(pixels)
        longest = max(pixels.shape[:2])
        scale = min(1.0, self._side / longest)
        size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        if scale < 1.0:
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        doubled = int(max(size) <= UPSAMPLED_SIDE)
        windows, margins, _ = self._detector.run(np.ascontiguousarray(pixels), doubled, 0.0)
        faces = [self._face(pixels, *found, scale=scale) for found in zip(windows, margins, strict=True)]
        return sorted(faces, key=lambda face: face.box[2] * face.box[3], reverse=True)

    def extract(self, pixels: UInt8Array, face: DetectedFace) -> Template:
        """The ResNet's vector, brought to unit length, as 128 little-endian float32."""
        window = search_window(face.landmarks)
        contiguous = np.ascontiguousarray(checked_rgb(pixels))
        descriptor = self._network.compute_face_descriptor(contiguous, self._five(contiguous, window), 0, 0.25)
        return Template(self.format, to_payload(unit_rows(np.array(descriptor, np.float32))))

    def vectors(self, templates: Sequence[Template]) -> Float32Array:
        """(N, 128) float32 rows of unit length. Raises TemplateError."""
        return unit_rows(from_payload(templates, format=self.format, dimensions=DIMENSIONS))

    def compare(self, probe: Template, reference: Template) -> float:
        """Cosine similarity in [-1, 1]."""
        rows = self.vectors((probe, reference))
        return float(np.clip(rows[0] @ rows[1], -1.0, 1.0))

    def landmarks68(self, pixels: UInt8Array, face: DetectedFace) -> Float32Array:
        """(68, 2) float32 in pixels of the picture; see ``matcher.engines.landmarks68``."""
        return self._landmarks.points(pixels, face)

    def _face(self, pixels: UInt8Array, window: dlib.rectangle, margin: float, *, scale: float) -> DetectedFace:
        landmarks = five_of(self._landmarks.in_window(pixels, window)) / np.float32(scale)
        left, top, width, height = window.left(), window.top(), window.width(), window.height()
        box = (left / scale, top / scale, width / scale, height / scale)
        return DetectedFace(box, landmarks, float(1.0 / (1.0 + np.exp(-margin))))
