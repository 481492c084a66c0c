"""A drawn face that is nobody's, and a clock that stands still until told: parts of the scene's tests."""

from __future__ import annotations

import cv2
import numpy as np

from hardware.simulation.scene import Visitor
from models.biometrics import UInt8Array

MARKS = np.array([[120, 150], [180, 150], [150, 188], [127, 217], [173, 217]], dtype=np.float32)


def drawn_face(color: tuple[int, int, int] = (208, 160, 130)) -> UInt8Array:
    """A cartoon of a face, (400, 300, 3) uint8 RGB, with its landmarks at ``MARKS``."""
    picture = np.full((400, 300, 3), (90, 110, 150), np.uint8)
    cv2.ellipse(picture, (150, 390), (120, 110), 0, 0, 360, (40, 40, 60), -1)
    cv2.ellipse(picture, (150, 165), (74, 110), 0, 0, 360, color, -1)
    for x, y in MARKS[:2].astype(int):
        cv2.circle(picture, (int(x), int(y)), 8, (20, 20, 20), -1)
    cv2.line(picture, (150, 155), (150, 188), (150, 100, 80), 4)
    cv2.circle(picture, (150, 188), 6, (255, 0, 0), -1)
    cv2.line(picture, (127, 217), (173, 217), (150, 40, 50), 6)
    return picture


def visitor(label: str = "visitor_1", *, finger_seed: int = 1) -> Visitor:
    """A visitor with the drawn face and ten fingers."""
    return Visitor.make(label, [(drawn_face(), MARKS)], finger_seed=finger_seed)


class StillClock:
    """Seconds that pass when told; ``wait`` is a sleep that does not sleep."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> None:
        self.now_s += max(seconds, 1e-4)
