"""Face engine ``onnx:FILE``: YuNet finds faces, a network of the site's own turns one into numbers.

Owns the checks that a network is the one named and is an embedder of 112 x 112 faces, and a template format that is
bound to it; refuses to ship or fetch one: the site holds the licence. ``FILE`` is described in ``onnx_settings``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.engines.alignment import CROP, aligned_face
from matcher.engines.onnx_session import open_session
from matcher.engines.onnx_settings import OnnxSettings, read_settings
from matcher.engines.vectors import checked_rgb, from_payload, to_payload, unit_rows
from matcher.engines.yunet import YuNet
from matcher.ports import DetectedFace
from matcher.scales import declare_scale
from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array
from models.errors import ConfigurationError, TemplateError, WeightsError

FEWEST, MOST = 16, 4096  # numbers of an embedding
_TO_READ: Final = 2 << 30  # bytes; what protocol buffers can hold


class OnnxFaceEngine:
    """YuNet and a site's own network behind ``matcher.ports.FaceEngine``. One thread; not safe across threads."""

    name = "onnx"

    def __init__(self, *, file: Path | None = None, detection_side: int = 640, detection_score: float = 0.6) -> None:
        """Load and check the network that the settings in ``file`` name.

        Raises ConfigurationError for the settings, WeightsError for a network that is not the one named or no embedder.
        """
        if file is None:
            raise ConfigurationError("The engine 'onnx' needs its settings; write its name as onnx:FILE.toml.")
        self._settings = read_settings(file)
        self._network = _Embedder(self._settings)
        self.format = TemplateFormat(f"onnx-{self._settings.fingerprint()}", 1)
        if self._settings.scale is not None:
            declare_scale(self.format, self._settings.scale)
        self._detector = YuNet(detection_side=detection_side, detection_score=detection_score)

    def __repr__(self) -> str:
        return f"OnnxFaceEngine({self._settings.file.name}, license {self._settings.license!r})"

    def detect(self, pixels: UInt8Array) -> list[DetectedFace]:
        """All faces, largest first; see ``YuNet.detect``. Raises ImageError."""
        return self._detector.detect(pixels)

    def extract(self, pixels: UInt8Array, face: DetectedFace) -> Template:
        """The network's vector of the aligned face, brought to unit length, as little-endian float32.

        Raises TemplateError where the network gives nothing that can be compared.
        """
        row = self._network.embed(aligned_face(checked_rgb(pixels), face.landmarks))
        if not np.isfinite(row).all() or not row.any():
            raise TemplateError(f"{self._settings.file.name} gave no vector for this face.")
        return Template(self.format, to_payload(unit_rows(row[None])[0]))

    def vectors(self, templates: Sequence[Template]) -> Float32Array:
        """(N, D) float32 rows of unit length. Raises TemplateError."""
        return unit_rows(from_payload(templates, format=self.format, dimensions=self._network.dimensions))

    def compare(self, probe: Template, reference: Template) -> float:
        """Cosine similarity in [-1, 1]."""
        rows = self.vectors((probe, reference))
        return float(np.clip(rows[0] @ rows[1], -1.0, 1.0))


class _Embedder:
    """The loaded network: an aligned face in, a vector out."""

    def __init__(self, settings: OnnxSettings) -> None:
        self._settings = settings
        self._session = _session(settings)
        self._input = self._checked_input()
        self._output = self._checked_output()
        tried = self.embed(np.full((CROP, CROP, 3), 128, np.uint8))
        if not np.isfinite(tried).all():
            raise self._wrong("gives numbers that are not finite; look at mean and std")
        self.dimensions = len(tried)

    def embed(self, crop: UInt8Array) -> Float32Array:
        """(D,) float32 of a (112, 112, 3) uint8 RGB face. Raises WeightsError if the network fails on it."""
        ordered = crop if self._settings.channels == "rgb" else crop[:, :, ::-1]
        fed = (ordered.astype(np.float32) - self._settings.mean) / self._settings.std
        batch = fed[None] if self._settings.layout == "nhwc" else fed.transpose(2, 0, 1)[None]
        try:
            (answer,) = self._session.run([self._output], {self._input: np.ascontiguousarray(batch)})
        except Exception as error:  # onnxruntime raises types of its own for every way to fail
            raise self._wrong("cannot be run on a 112 x 112 face") from error
        vector = np.asarray(answer)
        if vector.dtype.kind != "f" or vector.size != vector.shape[-1] or not FEWEST <= vector.size <= MOST:
            raise self._wrong(
                f"gives an output of shape {vector.shape}, not one vector of {FEWEST} to {MOST} numbers a face"
            )
        return vector.reshape(-1).astype(np.float32)

    def _checked_input(self) -> str:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise self._wrong(f"has {len(inputs)} inputs; an embedder has one")
        shape = list(inputs[0].shape)
        wanted: list[Any] = [3, CROP, CROP] if self._settings.layout == "nchw" else [CROP, CROP, 3]
        fits = len(shape) == 4 and all(
            not isinstance(given, int) or given in (length, -1)
            for given, length in zip(shape, [1, *wanted], strict=True)
        )
        if not fits:
            lengths = " x ".join(str(length) for length in shape)
            raise self._wrong(
                f"takes an input of {lengths}, not of 1 x {' x '.join(map(str, wanted))} ({self._settings.layout})"
            )
        if inputs[0].type != "tensor(float)":
            raise self._wrong(f"takes {inputs[0].type}, not 32-bit floating point numbers")
        name: str = inputs[0].name
        return name

    def _checked_output(self) -> str:
        names = [output.name for output in self._session.get_outputs()]
        wanted = self._settings.output or (names[0] if len(names) == 1 else None)
        if wanted is None:
            raise self._wrong(f"has the outputs {', '.join(names)}; say which one in output.name")
        if wanted not in names:
            raise self._wrong(f"has no output {wanted!r}, only {', '.join(names)}")
        return wanted

    def _wrong(self, what: str) -> WeightsError:
        return WeightsError(f"The network {self._settings.file} {what}.")


def _session(settings: OnnxSettings) -> Any:
    """The network, loaded from the very bytes whose hash was checked. Raises WeightsError."""
    file = settings.file
    try:
        if file.stat().st_size > _TO_READ:
            raise WeightsError(f"The network {file} is larger than an ONNX file can be.")
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"The network {file} is missing; {settings.source} names it.") from error
    except OSError as error:
        raise WeightsError(f"The network {file} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != settings.sha256:
        raise WeightsError(
            f"The network {file} is not the one named in {settings.source}: its SHA-256 is {found[:12]}…, "
            f"not {settings.sha256[:12]}…."
        )
    try:
        return open_session(content)
    except Exception as error:  # onnxruntime raises types of its own for every kind of damaged file
        raise WeightsError(
            f"The network {file} cannot be loaded; it is no ONNX file that runs here by itself."
        ) from error
