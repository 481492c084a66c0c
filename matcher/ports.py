"""What the rest of Muster may ask of an engine. Owns the ports; refuses any implementation.

Engines are looked up by name in ``matcher.engines`` and imported lazily, so that a kiosk without dlib never loads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class DetectedFace:
    """A face found in a picture, in pixels of that picture.

    ``box`` is (x, y, width, height); ``landmarks`` is (5, 2) float32: the person's right eye, left eye, nose tip,
    right and left corner of the mouth (right = the person's right, so smaller x in an unmirrored picture).
    """

    box: tuple[float, float, float, float]
    landmarks: Float32Array
    score: float


class FaceEngine(Protocol):
    """Finds faces and turns one into a template. Not safe across threads: one matcher thread owns an engine."""

    name: str
    format: TemplateFormat

    def detect(self, pixels: UInt8Array) -> list[DetectedFace]:
        """All faces in an (H, W, 3) uint8 RGB picture, largest first."""

    def extract(self, pixels: UInt8Array, face: DetectedFace) -> Template:
        """The template of one detected face."""

    def vectors(self, templates: Sequence[Template]) -> Float32Array:
        """(N, D) float32 rows of unit length; the score of two faces is the dot product of their rows.

        Raises TemplateError on a template of another format or length.
        """

    def compare(self, probe: Template, reference: Template) -> float:
        """Similarity in [-1, 1]."""


@dataclass(frozen=True, slots=True, eq=False)
class Minutiae:
    """``xy`` (N, 2) float32 in pixels at 500 dpi, y down; ``angle`` (N,) float32 in [0, 2π), measured
    counter-clockwise from the x axis as a viewer sees it; ``kind`` (N,) uint8: 1 ending, 2 bifurcation, 0 unknown;
    ``score`` (N,) float32 in [0, 1]. ``size`` is (width, height) of the picture at 500 dpi."""

    xy: Float32Array
    angle: Float32Array
    kind: UInt8Array
    score: Float32Array
    size: tuple[int, int]


class FingerEngine(Protocol):
    """Turns a finger's picture into a template and compares templates."""

    name: str
    format: TemplateFormat

    def extract(self, pixels: UInt8Array, *, dpi: int = 500) -> Template:
        """The template of an (H, W) uint8 picture, ridges dark. May hold no minutiae at all (quality says so)."""

    def minutiae(self, template: Template) -> Minutiae:
        """What a template holds. Raises TemplateError if it is damaged."""

    def template(self, minutiae: Minutiae) -> Template:
        """The inverse of ``minutiae`` (up to the format's rounding)."""

    def prepare(self, template: Template) -> Any:
        """Everything about one template that a comparison needs, computed once."""

    def compare_prepared(self, probe: Any, reference: Any) -> float:
        """Similarity in [0, 1] of two prepared templates; symmetric."""

    def compare(self, probe: Template, reference: Template) -> float:
        """``compare_prepared`` of both, prepared."""


@dataclass(frozen=True, slots=True)
class Quality:
    """One number in [0, 1] (higher is better), what it was made of, and what stands in the way, worst first.

    ``hints`` are ``models.errors.RetryReason`` values; an empty tuple means good enough.
    """

    value: float
    components: dict[str, float] = field(default_factory=dict)
    hints: tuple[str, ...] = ()
