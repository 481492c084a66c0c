"""Whose faces the trials show. Owns reading portraits and whether one can be bent over a head; keeps no picture.

Faces are the demonstration's public-domain portraits or any folder: of pictures (each another person), or of one folder
per person. Portraits that are not from the front make no heads and are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hardware.simulation.heads import Portrait
from hardware.simulation.visitor import Visitor
from kiosk.demonstration.cast import PORTRAITS
from matcher import weights
from matcher.pictures import read_rgb
from matcher.ports import DetectedFace, FaceEngine
from matcher.quality import estimate_pose, eye_distance
from models.biometrics import Template
from models.errors import ImageError, InputError

_PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
_SMALLEST_EYE_PX = 24.0
_STRAIGHTEST_DEG = (9.0, 14.0)  # yaw and pitch: the head that is made of it looks at the camera
_MOST_KEPT = 64


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A visitor made of one picture, and the template that is enrolled of it."""

    visitor: Visitor
    template: Template


@dataclass(slots=True)
class People:
    """Everybody whose face may be shown. Pictures are looked at when somebody is asked for."""

    engine: FaceEngine
    pictures: tuple[Path, ...]  # one of each person
    _made: dict[Path, Person | None] = field(default_factory=dict)

    @classmethod
    def of(cls, engine: FaceEngine, folder: Path | None) -> People:
        """The people of a folder, or of the demonstration. Raises InputError if there are fewer than two."""
        pictures = (
            tuple(weights.path(names[0]) for names in PORTRAITS.values()) if folder is None else pictures_of(folder)
        )
        return cls(engine, pictures)

    def pair(self, rng: np.random.Generator) -> tuple[Person, Person]:
        """Somebody, and somebody else. Raises InputError if hardly any picture is of use."""
        first: Person | None = None
        for _ in range(400):
            person = self._person(self.pictures[int(rng.integers(len(self.pictures)))])
            if person is None or person is first:
                continue
            if first is not None:
                return first, person
            first = person
        raise InputError("Hardly any of these pictures shows a face from the front.", code="no_faces")

    def _person(self, path: Path) -> Person | None:
        if path not in self._made:
            if len(self._made) >= _MOST_KEPT:
                self._made.pop(next(iter(self._made)))
            self._made[path] = _made_of(self.engine, path)
        return self._made[path]


def _made_of(engine: FaceEngine, path: Path) -> Person | None:
    """The person in a picture; None if the picture makes no head."""
    try:
        pixels = read_rgb(path)
    except ImageError:  # a damaged file among thousands: another person comes
        return None
    faces = engine.detect(pixels)
    if not faces or not _from_the_front(faces[0]):
        return None
    visitor = Visitor(path.stem, [Portrait(pixels, faces[0].landmarks)])
    return Person(visitor, engine.extract(pixels, faces[0]))


def _from_the_front(face: DetectedFace) -> bool:
    pose = estimate_pose(face.landmarks)
    straight = abs(pose.yaw) <= _STRAIGHTEST_DEG[0] and abs(pose.pitch) <= _STRAIGHTEST_DEG[1]
    return straight and eye_distance(face.landmarks) >= _SMALLEST_EYE_PX


def pictures_of(folder: Path) -> tuple[Path, ...]:
    """One picture of each person in a folder, in a fixed order. Raises InputError if there are fewer than two."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.", code="folder_missing")
    people = [sorted(item.iterdir()) if item.is_dir() else [item] for item in sorted(folder.iterdir())]
    of_each = ([path for path in paths if path.suffix.lower() in _PICTURES] for paths in people)
    pictures = tuple(paths[0] for paths in of_each if paths)
    if len(pictures) < 2:
        raise InputError(f"{folder} holds pictures of fewer than two people.", code="folder_empty")
    return pictures
