"""Face engine ``sface+dlib:FILE``: SFace decides, dlib is heard as far as FILE says. Owns the template of both.

A template holds the vectors of both engines, so a weight that is learned anew needs no new enrollment. Without a file
the second opinion is stored and not heard: scores are SFace's. Refuses to learn; see ``matcher.second_opinion``.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from matcher.engines import dlib_face, sface
from matcher.engines.vectors import from_payload, to_payload
from matcher.ports import DetectedFace
from matcher.scales import SIMILARITIES, declare_scale
from matcher.second_opinion import UNHEARD, fused_rows, read_opinion
from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array


class SecondOpinionEngine:
    """YuNet, SFace and dlib's network behind ``matcher.ports.FaceEngine``. Not safe across threads."""

    name = "sface+dlib"
    format = TemplateFormat("sface+dlib", 1)

    def __init__(self, *, file: Path | None = None) -> None:
        """Load all networks, and the weight from ``file``. Raises ConfigurationError, WeightsError."""
        self._opinion = UNHEARD if file is None else read_opinion(file)
        self._first, self._second = sface.SFaceEngine(), dlib_face.DlibFaceEngine()
        declare_scale(self.format, self._opinion.carried(SIMILARITIES["sface"]))

    def detect(self, pixels: UInt8Array) -> list[DetectedFace]:
        """All faces, largest first; see ``YuNet.detect``. Raises ImageError."""
        return self._first.detect(pixels)

    def extract(self, pixels: UInt8Array, face: DetectedFace) -> Template:
        """Both vectors of unit length, SFace's first, as little-endian float32."""
        first = self._first.vectors([self._first.extract(pixels, face)])[0]
        second = self._second.vectors([self._second.extract(pixels, face)])[0]
        return Template(self.format, to_payload(np.concatenate([first, second])))

    def vectors(self, templates: Sequence[Template]) -> Float32Array:
        """(N, 256) float32 rows of unit length, the second half scaled by what it weighs. Raises TemplateError."""
        return fused_rows(*self.parts(templates), self._opinion.weight)

    def parts(self, templates: Sequence[Template]) -> tuple[Float32Array, Float32Array]:
        """Each engine's (N, 128) rows, as learning wants them. Raises TemplateError."""
        rows = from_payload(templates, format=self.format, dimensions=sface.DIMENSIONS + dlib_face.DIMENSIONS)
        return rows[:, : sface.DIMENSIONS], rows[:, sface.DIMENSIONS :]

    def compare(self, probe: Template, reference: Template) -> float:
        """The fused similarity in [-1, 1]."""
        rows = self.vectors((probe, reference))
        return float(np.clip(rows[0] @ rows[1], -1.0, 1.0))
