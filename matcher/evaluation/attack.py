"""Presentation attacks in recordings: one verdict per sequence of frames, with and without a site's own network.

Nobody was asked to do anything in a recording, so a challenge cannot be judged, and a kiosk, which demands one, would
let nobody through. What is measured here is the rest: the passive network if there is one, and how much the face moved
as a solid against how far its plane turned. Error rates are those of ISO/IEC 30107-3; what could not be decided was not
let through. Refuses to choose thresholds: they come with the network and with ``LEAST_SOLID``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from matcher.evaluation.intervals import exact
from matcher.face_points import FacePoints
from matcher.liveness_network import VIEWS, LivenessNetwork, settled
from matcher.parallax import Points, measure, plane_deg, turned_deg
from matcher.pictures import read_rgb
from matcher.ports import DetectedFace, FaceEngine
from models.biometrics import UInt8Array
from models.errors import InputError

BONA_FIDE = ("live", "bonafide", "bona_fide", "genuine", "real")
PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
LEAST_SOLID = 0.3  # turned as a solid over turned as a plane; chosen on 4 of 8 people, where both errors meet
_STEADY_DEG = 4.0  # what a plane seems to turn by noise alone
_REFERENCES = 10
_MOTION = re.compile(r"^\d{4}_\d\d_(\d\d)_\d\d$")  # person, glasses, motion, session

Detect = Callable[[UInt8Array], list[DetectedFace]]


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording: ``kind`` is the folder it lies in, ``name`` its own, ``pictures`` in order of time."""

    kind: str
    name: str
    pictures: tuple[Path, ...]

    @property
    def is_attack(self) -> bool:
        """Whether a face was presented that is none."""
        return self.kind.lower() not in BONA_FIDE

    @property
    def motion(self) -> str | None:
        """How the sheet was moved, where the name says so."""
        found = _MOTION.match(self.name)
        return found.group(1) if found else None


@dataclass(frozen=True, slots=True)
class Judged:
    """What was seen of one sequence. ``log_odds`` of a living face (None without a network or a face); ``solid``."""

    kind: str
    attack: bool
    motion: str | None
    faces: int
    log_odds: float | None
    solid: float | None


def find_sequences(folder: Path) -> list[Recording]:
    """Every folder of pictures below the kinds' folders. Raises InputError if there are not both sorts."""
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder.")
    kinds = sorted(item for item in folder.iterdir() if item.is_dir())
    found = [sequence for kind in kinds for sequence in _below(kind)]
    if not any(item.is_attack for item in found) or all(item.is_attack for item in found):
        raise InputError(
            f"{folder} must hold a folder `live` (or `bonafide`) and one folder per kind of attack, each with one "
            "folder of pictures per recording."
        )
    return found


def evaluate_attack(
    folder: Path,
    *,
    engine: FaceEngine,
    network: LivenessNetwork | None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """APCER and BPCER of a folder of recordings, fractions. Raises InputError for a folder without recordings."""
    sequences = find_sequences(folder)
    total, done = sum(len(item.pictures) for item in sequences), 0
    points = FacePoints()
    judged = []
    for sequence in sequences:
        judged.append(_judge(sequence, engine.detect, points, network))
        done += len(sequence.pictures)
        progress(done, total)
    return report(judged, network)


def report(judged: Sequence[Judged], network: LivenessNetwork | None) -> dict[str, Any]:
    """The figures of a run; at its top those with the network, where there is one."""
    without = _block(judged, lambda item: item.solid is not None and item.solid >= LEAST_SOLID)
    blocks: dict[str, Any] = {"without_network": without | {"threshold_solid": LEAST_SOLID}}
    said = "No network was given and none was imported: these rates are those of the movement alone."
    if network is not None:
        least = network.manifest.least_log_odds
        with_network = _block(judged, lambda item: item.log_odds is not None and item.log_odds >= least)
        blocks["with_network"] = with_network | {"threshold_log_odds": round(least, 4)}
        said = f"The rates are those of the network {network.manifest.name}; no challenge was possible."
    chosen = blocks.get("with_network", without)
    return {
        "apcer": chosen["apcer"],
        "bpcer": chosen["bpcer"],
        "sequences": len(judged),
        "network": network.manifest.name if network is not None else None,
        "said": said,
        **blocks,
    }


def solidity(points: Sequence[Points]) -> float | None:
    """How far the face turned as a solid over how far its plane did, over many pairs of frames; None for too few.

    A plane that is turned shows hardly any parallax, a head as much as it turned.
    """
    if len(points) < 3:
        return None
    step = max(1, len(points) // _REFERENCES)
    moved = [measure(points[first], each) for first in range(0, len(points), step) for each in points]
    solid = np.percentile([np.hypot(*turned_deg(item)) for item in moved], 90)
    plane = np.percentile([max(plane_deg(item)) for item in moved], 90)
    return float(solid / (plane + _STEADY_DEG))


def _below(kind: Path) -> Iterator[Recording]:
    for place in [kind, *sorted(item for item in kind.rglob("*") if item.is_dir())]:
        pictures = sorted(
            (item for item in place.iterdir() if item.suffix.lower() in PICTURES), key=lambda item: _in_time(item.name)
        )
        if pictures:
            yield Recording(kind.name, place.name, tuple(pictures))


def _in_time(name: str) -> tuple[tuple[int, int | str], ...]:
    """Names in the order of their numbers: 2 before 10."""
    parts = re.findall(r"\d+|\D+", name)
    return tuple((0, int(part)) if part.isdigit() else (1, part) for part in parts)


def _judge(sequence: Recording, detect: Detect, points: FacePoints, network: LivenessNetwork | None) -> Judged:
    seen: list[Points] = []
    odds: list[float] = []
    for picture in sequence.pictures:
        pixels = read_rgb(picture)
        faces = detect(pixels)
        if not faces:
            continue
        seen.append(Points(faces[0].landmarks, points.locate(pixels, faces[0])))
        if network is not None:
            odds.extend(network.log_odds(pixels, faces[0].box, VIEWS))
    return Judged(
        sequence.kind,
        sequence.is_attack,
        sequence.motion,
        len(seen),
        settled(odds) if odds else None,
        solidity(seen),
    )


def _block(judged: Sequence[Judged], accepts: Callable[[Judged], bool]) -> dict[str, Any]:
    """APCER of the worst kind, BPCER, and both by kind; a kind's movements apart where they are known."""
    attacks = [item for item in judged if item.attack]
    kinds = {kind: _rate([item for item in attacks if item.kind == kind], accepts) for kind in _kinds(attacks)}
    live = [item for item in judged if not item.attack]
    refused = _rate(live, lambda item: not accepts(item))
    motions = sorted({item.motion for item in attacks if item.motion is not None})
    return {
        "apcer": max(row["rate"] for row in kinds.values()),
        "bpcer": refused["rate"],
        "apcer_by_kind": kinds,
        "apcer_by_motion": {
            motion: _rate([item for item in attacks if item.motion == motion], accepts) for motion in motions
        },
        "bona_fide": refused,
        "without_a_face": sum(item.faces == 0 for item in judged),
    }


def _kinds(attacks: Sequence[Judged]) -> Mapping[str, None]:
    return dict.fromkeys(item.kind for item in attacks)


def _rate(items: Sequence[Judged], errs: Callable[[Judged], bool]) -> dict[str, Any]:
    """A rate with binomial 95 % limits, as if sequences were independent; those of one person are less than that."""
    errors = sum(errs(item) for item in items)
    limits = exact(errors, len(items))
    return {
        "rate": errors / len(items),
        "low": limits.low,
        "high": limits.high,
        "errors": errors,
        "sequences": len(items),
    }
