"""People made of noise: pictures whose texture is a person, seen by an engine that knows only that; fingers likewise.

The comparison of minutiae is the real one; only finding a face in a picture, and minutiae in one, is replaced, because
that needs weights.
"""

from __future__ import annotations

import math
from hashlib import sha256

import cv2
import numpy as np

from matcher.engines.minutiae import MinutiaeEngine
from matcher.ports import DetectedFace, Minutiae
from models.biometrics import Template, TemplateFormat

LANDMARKS = np.array([[62, 90], [138, 90], [100, 134], [70, 176], [130, 176]], np.float32)


class TextureFaces:
    """Implements ``matcher.ports.FaceEngine`` for pictures by ``face_picture``."""

    name = "texture"
    format = TemplateFormat("texture", 1)

    def detect(self, pixels):
        count = pixels.shape[1] // 200 if pixels.max() > 0 else 0
        share = (1.0, 1.0) if pixels.shape[0] == 240 else (1.0, 0.3)
        return [
            DetectedFace((20.0, 40.0, 160.0, 170.0 * share[n]), LANDMARKS + np.float32([200 * n, 0]), 0.9)
            for n in range(count)
        ]

    def extract(self, pixels, face):
        x = int(face.box[0]) - 20
        cells = cv2.resize(pixels[:200, x : x + 200, 0], (16, 16), interpolation=cv2.INTER_AREA).astype(np.float32)
        vector = (cells - cells.mean()).ravel()
        return Template(self.format, (vector / np.linalg.norm(vector)).astype("<f4").tobytes())

    def vectors(self, templates):
        rows = [np.frombuffer(item.payload, "<f4") for item in templates]
        return np.array(rows, np.float32).reshape(len(rows), 256)

    def compare(self, probe, reference):
        return float(self.vectors([probe])[0] @ self.vectors([reference])[0])


class KnownFingers(MinutiaeEngine):
    """The real comparison; minutiae come from a list of pictures instead of the network."""

    def __init__(self):
        super().__init__()
        self.known = {}

    def extract(self, pixels, *, dpi=500):
        return self.template(self.known[sha256(pixels.tobytes()).digest()])


def face_picture(person: int, shot: int = 0, *, people: tuple[int, ...] = (), height: int = 240) -> np.ndarray:
    """A picture of one person, or of several side by side; each shot differs a little."""
    row = [_texture(one, shot) for one in people or (person,)]
    picture = np.concatenate(row, axis=1)
    return np.repeat(picture[:height, :, None], 3, axis=2)


def _texture(person: int, shot: int) -> np.ndarray:
    coarse = np.random.default_rng(person).uniform(40, 210, (16, 16)).astype(np.float32)
    texture = cv2.resize(coarse, (200, 240), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng((person, shot, 1)).normal(0, 12, texture.shape)
    return np.clip(texture + cv2.GaussianBlur(grain, (0, 0), 1.0) * 3, 1, 250).astype(np.uint8)


def finger_minutiae(finger: int, shot: int, *, count: int = 40) -> Minutiae:
    """An impression of a finger: its minutiae turned, shifted and disturbed a little."""
    rng = np.random.default_rng(finger)
    xy: list[np.ndarray] = []
    while len(xy) < count:
        point = rng.uniform([30, 30], [226, 258])
        if all(np.hypot(*(point - other)) >= 12 for other in xy):
            xy.append(point)
    places = np.array(xy)
    angle = rng.uniform(0, math.pi) + places @ rng.uniform(-0.008, 0.008, 2) + math.pi * rng.integers(0, 2, count)
    kind = rng.integers(1, 3, count).astype(np.uint8)
    shake = np.random.default_rng((finger, shot))
    turn, shift = shake.uniform(-0.1, 0.1), shake.uniform(-6, 6, 2)
    cos, sin = math.cos(turn), math.sin(turn)
    moved = (places - [128, 144]) @ np.array([[cos, -sin], [sin, cos]]) + [128, 144] + shift
    moved += shake.normal(0, 0.7, moved.shape)
    return Minutiae(
        np.clip(moved, 0, [255, 287]).astype(np.float32),
        np.mod(angle + turn, 2 * math.pi).astype(np.float32),
        kind,
        np.full(count, 0.8, np.float32),
        (256, 288),
    )
