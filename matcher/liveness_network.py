"""A site's own network that tells a living face from a picture of one. Owns its manifest, its file and one judgement.

Such networks are not part of Muster. A file is used only if its SHA-256 is the one that is written down, in
``networks.toml`` or in the site's configuration. What it takes: float32 (N, 3, S, S), RGB from 0 to 1, a square crop
round the face's box, reflected at the picture's border and resized by area. What it gives: (N, K) logits.
"""

from __future__ import annotations

import math
import shutil
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from matcher import weights
from models.biometrics import Float64Array, UInt8Array
from models.errors import WeightsError

_KNOWN = Path(__file__).with_name("networks.toml")
VIEWS: tuple[tuple[float, bool], ...] = (  # size of the crop against the manifest's, and whether it is mirrored
    (1.0, False), (1.0, True), (0.9, False), (1.1, True), (1.1, False), (0.9, True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NetworkManifest:
    """What is known of a network: its hash, how it wants to see a face, and where a living one begins.

    ``threshold`` and ``attack`` are probabilities of a living face; between them a visit is undecided.
    """

    name: str
    sha256: str
    crop: float = 1.5
    input_px: int = 128
    live: int = 0
    threshold: float = 0.5
    attack: float = 0.01

    @property
    def least_log_odds(self) -> float:
        """``threshold`` as log-odds."""
        return log_odds(self.threshold)

    @property
    def attack_log_odds(self) -> float:
        """``attack`` as log-odds, never above the threshold's."""
        return min(log_odds(self.attack), self.least_log_odds)


@cache
def known_networks() -> tuple[NetworkManifest, ...]:
    """The networks of ``networks.toml``."""
    with _KNOWN.open("rb") as stream:
        tables = tomllib.load(stream)
    return tuple(
        NetworkManifest(name, row["sha256"], row["crop"], row["input_px"], row["live"], row["threshold"], row["attack"])
        for name, row in tables.items()
    )


def manifest_of(sha256: str) -> NetworkManifest | None:
    """What is known of a file with this hash."""
    return next((item for item in known_networks() if item.sha256 == sha256.lower()), None)


def imported() -> Path | None:
    """A known network that was imported before, whole or not; None without one."""
    return next((place for item in known_networks() if (place := _place(item)).is_file()), None)


def import_network(file: Path) -> NetworkManifest | None:
    """Take in a known network; None for any other file. Raises WeightsError if it cannot be read or stored."""
    found = hash_of(file)
    known = manifest_of(found)
    if known is None:
        return None
    place = _place(known)
    partial = place.with_suffix(".part")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, partial)
        partial.replace(place)
    except OSError as error:
        raise WeightsError(f"{place} cannot be written: {error.strerror}.") from error
    return known


def hash_of(file: Path) -> str:
    """SHA-256 of a network's file. Raises WeightsError in one sentence."""
    try:
        return weights.sha256_of(file)
    except FileNotFoundError as error:
        raise WeightsError(f"There is no network file {file}.") from error
    except OSError as error:
        raise WeightsError(f"The network file {file} cannot be read: {error.strerror}.") from error


def open_network(file: Path, manifest: NetworkManifest | None = None) -> LivenessNetwork:
    """The network in ``file``, checked against ``manifest``, or against those known where none is given.

    Raises WeightsError in one sentence if the file is missing, another one, unknown, or no network of this shape.
    """
    found = hash_of(file)
    wanted = manifest or manifest_of(found)
    if wanted is None:
        raise WeightsError(
            f"The network file {file} is none that is known here (SHA-256 {found[:12]}…): name its sha256 and how it "
            "wants to see a face in the configuration."
        )
    if found != wanted.sha256.lower():
        raise WeightsError(
            f"The network file {file} is not the one named: its SHA-256 is {found[:12]}…, not {wanted.sha256[:12]}…."
        )
    return LivenessNetwork(file, wanted)


class LivenessNetwork:
    """A loaded network. Not safe across threads."""

    def __init__(self, file: Path, manifest: NetworkManifest) -> None:
        """Load the file, whose hash the caller knows. Raises WeightsError if it is no such network."""
        from matcher.engines.onnx_session import open_session  # loads ONNX Runtime

        self.manifest = manifest
        try:
            self._session: Any = open_session(file.read_bytes())
            self._input = self._session.get_inputs()[0].name
            side = manifest.input_px
            answer = self._answers(np.zeros((1, 3, side, side), np.float32))
        except Exception as error:  # onnxruntime raises many kinds, none of them documented
            reason = str(error).splitlines()[0][:120]
            raise WeightsError(f"The network file {file} cannot be used: {reason}.") from error
        if answer.ndim != 2 or answer.shape[1] < 2 or not 0 <= manifest.live < answer.shape[1]:
            raise WeightsError(f"The network file {file} answers with {answer.shape}, not with one logit per class.")

    def log_odds(
        self, pixels: UInt8Array, box: Sequence[float], views: Sequence[tuple[float, bool]] = VIEWS[:1]
    ) -> Float64Array:
        """Log-odds of a living face, one per view, of the face in ``box`` of an (H, W, 3) uint8 RGB picture."""
        manifest = self.manifest
        crops = [square(pixels, box, factor=manifest.crop * size, side=manifest.input_px) for size, _ in views]
        turned = [crop[:, ::-1] if mirrored else crop for crop, (_, mirrored) in zip(crops, views, strict=True)]
        batch = np.stack(turned).transpose(0, 3, 1, 2).astype(np.float32) / 255.0
        logits = self._answers(np.ascontiguousarray(batch)).astype(np.float64)
        others = np.delete(logits, manifest.live, axis=1)
        highest = others.max(axis=1, keepdims=True)
        against = highest[:, 0] + np.log(np.exp(others - highest).sum(axis=1))
        return np.asarray(logits[:, manifest.live] - against)

    def _answers(self, batch: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(self._session.run(None, {self._input: batch})[0])


def square(pixels: UInt8Array, box: Sequence[float], *, factor: float, side: int) -> UInt8Array:
    """The square round a box (x, y, width, height), (side, side, 3) uint8; reflected beyond the picture's border."""
    x, y, width, height = box
    half = max(width, height) * factor / 2
    left, top = round(x + width / 2 - half), round(y + height / 2 - half)
    length = max(2, round(2 * half))
    rows, columns = pixels.shape[:2]
    inside = pixels[max(0, top) : max(0, top + length), max(0, left) : max(0, left + length)]
    if inside.size == 0:
        raise ValueError("the face's box lies outside of the picture")
    missing = (max(0, -top), max(0, top + length - rows), max(0, -left), max(0, left + length - columns))
    whole = cv2.copyMakeBorder(
        inside, *missing, cv2.BORDER_REFLECT_101 if min(inside.shape[:2]) > 1 else cv2.BORDER_REPLICATE
    )
    return np.asarray(cv2.resize(whole, (side, side), interpolation=cv2.INTER_AREA), np.uint8)


def settled(values: Sequence[float]) -> float:
    """One number for a visit: the mean of the log-odds without the lowest and the highest fifth."""
    ordered = np.sort(np.asarray(values, np.float64))
    cut = len(ordered) // 5
    return float(ordered[cut : len(ordered) - cut].mean())


def log_odds(probability: float) -> float:
    """Log-odds of a probability strictly between 0 and 1."""
    return math.log(probability / (1.0 - probability))


def _place(item: NetworkManifest) -> Path:
    return weights.folder() / f"liveness_{item.name}.onnx"
