"""68 landmarks of a face by dlib's regression trees, whoever found the face. Owns the search window; refuses identity.

Order of the points (iBUG 300-W): 0-16 jaw from the person's right, 17-26 brows, 27-35 nose (30 its tip), 36-41 right
eye, 42-47 left eye, 48-67 mouth (48 and 54 its corners). Source: Kazemi and Sullivan, CVPR 2014.
"""

from __future__ import annotations

import dlib
import numpy as np

from matcher import weights
from matcher.engines.vectors import checked_rgb
from matcher.ports import DetectedFace
from models.biometrics import Float32Array, UInt8Array
from models.errors import ImageError

WINDOW = 2.34  # side of dlib's own detection over the face's size below; spread 0.2 over photographs of LFW
WINDOW_RAISED = 0.05  # its middle above the middle of eyes and mouth, in face sizes


class FaceLandmarks68:
    """The predictor. Loading takes a second and 100 MB. Not safe across threads."""

    def __init__(self) -> None:
        self._predictor = dlib.shape_predictor(str(weights.path("dlib_landmarks_68")))

    def points(self, pixels: UInt8Array, face: DetectedFace) -> Float32Array:
        """(68, 2) float32 in pixels of the (H, W, 3) uint8 RGB picture. Raises ImageError if ``face`` is no face."""
        return self.in_window(pixels, search_window(face.landmarks))

    def in_window(self, pixels: UInt8Array, window: dlib.rectangle) -> Float32Array:
        """The same inside a window of dlib's kind: a square from the brows to the chin."""
        shape = self._predictor(np.ascontiguousarray(checked_rgb(pixels)), window)
        return np.array([(point.x, point.y) for point in shape.parts()], np.float32)


def search_window(landmarks: Float32Array) -> dlib.rectangle:
    """Where dlib's own detector would have seen the face with these five landmarks."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    size = float(max(np.linalg.norm(mouth - eyes), np.linalg.norm(landmarks[1] - landmarks[0])))
    if not np.isfinite(size) or size < 1.0:
        raise ImageError("The landmarks of the face lie in one point.", code="image_no_face")
    x, y = (eyes + mouth) / 2 - (0.0, WINDOW_RAISED * size)
    half = WINDOW * size / 2
    return dlib.rectangle(round(x - half), round(y - half), round(x + half), round(y + half))


def five_of(points: Float32Array) -> Float32Array:
    """The five landmarks of ``DetectedFace`` out of 68: middles of the eyes, nose tip, corners of the mouth."""
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])
