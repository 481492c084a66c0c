"""What face engines share: template payloads of float32, unit rows, the check of a picture's shape.

Owns the byte layout (little-endian float32); refuses to know which network made the numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.biometrics import Float32Array, Template, TemplateFormat, UInt8Array
from models.errors import ImageError, TemplateError


def checked_rgb(pixels: UInt8Array) -> UInt8Array:
    """``pixels``, if it is an (H, W, 3) uint8 picture with at least one pixel. Raises ImageError."""
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ImageError("A face is looked for in (H, W, 3) uint8 RGB pixels.", code="image_no_picture")
    if pixels.size == 0:
        raise ImageError("The picture has no pixels.", code="image_empty")
    return pixels


def to_payload(vector: Float32Array) -> bytes:
    """One vector as little-endian float32."""
    return np.ascontiguousarray(vector, dtype="<f4").tobytes()


def from_payload(templates: Sequence[Template], *, format: TemplateFormat, dimensions: int) -> Float32Array:
    """(N, ``dimensions``) float32 of templates. Raises TemplateError on another format, length or a non-number."""
    for template in templates:
        if template.format != format:
            raise TemplateError(f"A template of format {template.format} cannot be compared with {format}.")
        if len(template.payload) != 4 * dimensions:
            raise TemplateError(f"A {format} template has {4 * dimensions} bytes, not {len(template.payload)}.")
    joined = b"".join(template.payload for template in templates)
    rows = np.frombuffer(joined, dtype="<f4").reshape(-1, dimensions).astype(np.float32)
    if not np.isfinite(rows).all() or (rows.size and float(np.abs(rows).sum(axis=1).min()) == 0.0):
        raise TemplateError(f"A {format} template is damaged.")
    return rows


def unit_rows(rows: Float32Array) -> Float32Array:
    """Each row divided by its length."""
    lengths = np.linalg.norm(rows, axis=-1, keepdims=True)
    scaled: Float32Array = (rows / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float32)
    return scaled
