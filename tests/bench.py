"""Timings of a check-in, and beside them the usual way of face_recognition on the same frames. ``make bench``.

Medians over many visits in one run; what can be trusted on a busy machine are the ratios. Everything is simulated but
the work: frames are rendered ahead, detection, templates, comparison, signature and the stored row are the real ones.
"""

from __future__ import annotations

import argparse
import json
import logging
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import cv2
import numpy as np
import onnxruntime
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from rich.console import Console
from rich.progress import track
from rich.table import Table

from enrollment.vault import SiteKey, Vault
from hardware.ports import Frame
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.fingers import SimulatedFinger
from hardware.simulation.scene import Scene, Visitor
from kiosk.checkin import CheckIn
from kiosk.clock import Clock
from kiosk.config import FaceConfig, VisitConfig
from kiosk.face_step import FaceStep
from kiosk.journal import Ballast, Journal
from kiosk.looking import look
from kiosk.roster import RosterStore
from kiosk.screen import Screen
from kiosk.visit import Visit
from matcher import weights
from matcher.engines import load_engine
from matcher.engines.leader import SCORE_THRESHOLD, LeaderNetwork
from matcher.gallery import Gallery
from matcher.pictures import read_rgb
from matcher.presentation import PresentationChecks
from models.attendance import CheckInOutcome, format_time
from models.biometrics import Modality, Reference, Template
from models.store.engine import open_store
from models.supervision import SitePolicy
from models.wire import sign_document

LABELS = {"visitor_1": "portrait_visitor_1a", "visitor_2": "portrait_visitor_2"}
PEOPLE, REFERENCES, FRAMES = 40, 3, 24
POLICY = SitePolicy(version="bench", windows=(("00:00", "24:00"),), face_alone=True, challenge_required=False)


@dataclass
class RecordedFrames:
    """Frames rendered ahead, handed out without waiting."""

    pictures: list[Any]
    sequence: int = 0

    def read(self, *, after: int, timeout_s: float) -> Frame:
        self.sequence = max(self.sequence, after) + 1
        picture = self.pictures[self.sequence % len(self.pictures)]
        return Frame(picture, datetime.now(UTC), time.monotonic_ns(), self.sequence)


def render(engine: Any, visitor: Visitor, count: int) -> list[Any]:
    """Frames of a visitor who stands at the camera, only those that the kiosk itself calls good enough."""
    now = [0.0]
    scene = Scene(seed=7, clock=lambda: now[0])
    camera = SimulatedCamera(scene, clock=lambda: now[0], wait=lambda s: now.__setitem__(0, now[0] + s))
    camera.open()
    scene.show(visitor, "stand")
    frames: list[Any] = []
    seen = -1
    while len(frames) < count:
        frame = camera.read(after=seen, timeout_s=1.0)
        seen = frame.sequence + 2
        if look(engine, frame).hint is None:
            frames.append(frame.pixels)
    return frames


def people(engine: Any, frames: dict[str, list[Any]]) -> list[tuple[str, list[Template]]]:
    """Two visitors with real references and a site full of random ones, so that the search has its usual size."""
    rng = np.random.default_rng(1)
    real = []
    for label, pictures in frames.items():
        real.append((label, [engine.extract(p, engine.detect(p)[0]) for p in pictures[:REFERENCES]]))
    size = engine.vectors([real[0][1][0]]).shape[1]
    made = rng.standard_normal((PEOPLE - len(real), REFERENCES, size)).astype(np.float32)
    made /= np.linalg.norm(made, axis=2, keepdims=True)
    others = [
        (f"person_{number}", [Template(engine.format, row.astype(np.float32).tobytes()) for row in rows])
        for number, rows in enumerate(made)
    ]
    return real + others


def signed_gallery(vault: Vault, key: Ed25519PrivateKey, everyone: list[tuple[str, list[Template]]]) -> dict[str, Any]:
    """The document that a center would send."""
    entries = []
    for number, (label, templates) in enumerate(everyone):
        wrapped = vault.new_person_key(label)
        references = [
            vault.seal(
                Reference(str(uuid4()), label, Modality.FACE, None, template, 1.0, datetime.now(UTC)),
                wrapped,
                source="image",
            ).to_json()
            for template in templates
        ]
        entries.append(
            {
                "person_id": label,
                "number": str(1000 + number),
                "shown_name": "名",
                "level": "2",
                "active": True,
                "wrapped_key": wrapped.to_json(),
                "references": references,
            }
        )
    document = {
        "site_id": "bench",
        "version": 1,
        "issued_at": format_time(datetime.now(UTC)),
        "policy": POLICY.to_json(),
        "people": entries,
    }
    return sign_document(document, key)


def check_ins(folder: Path, engine: Any, frames: dict[str, list[Any]], rounds: int) -> list[dict[str, float]]:
    """``rounds`` visits by the kiosk's own line; the timings of each."""
    center, own, clock = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate(), Clock.of_this_machine()
    store = open_store(f"sqlite:///{folder / 'kiosk.sqlite'}", branch="kiosk")
    vault = Vault(SiteKey.load_or_create(folder / "site.key"))
    ballast = Ballast(folder / "ballast", 65_536)
    journal = Journal(store, key=own, kiosk_id=str(uuid4()), clock=clock, ballast=ballast)
    roster = RosterStore(store, center=center.public_key(), site_id="bench", vault=vault)
    roster.accept(signed_gallery(vault, center, people(engine, frames)), datetime.now(UTC))
    gallery = Gallery(face_engine=engine, finger_engine=None)
    gallery.replace(roster.current.references())
    source = RecordedFrames([])
    step = FaceStep(
        engine=engine,
        gallery=gallery,
        frames=source,
        face=FaceConfig(),
        timing=VisitConfig(),
        make_check=PresentationChecks(mirrored=False).draw,
        simulated=lambda: True,
    )
    line = CheckIn(step, None, roster, journal, Screen(), clock)
    timings = []
    labels = list(frames)
    for number in track(range(rounds), description="check-ins", transient=True):
        source.pictures = frames[labels[number % len(labels)]]
        visit = Visit(roster.current, None, 3, line.screen, clock)
        result = line.run(visit)
        recognised = (CheckInOutcome.ACCEPTED, CheckInOutcome.ALREADY_PRESENT)
        if result is None or result.signed is None or result.outcome not in recognised:
            raise SystemExit(f"visit {number} was not recognised: {result and result.outcome}")
        timings.append(result.timings_ms)
    return timings


def documented_way(frames: dict[str, list[Any]], rounds: int) -> list[float]:
    """face_recognition as its documentation shows it: HOG, upsample 1, jitter 1, compare_faces."""
    import face_recognition

    rng = np.random.default_rng(2)
    known = [
        encoding
        for pictures in frames.values()
        for picture in pictures[:REFERENCES]
        for encoding in face_recognition.face_encodings(picture)[:1]
    ]
    known += list(rng.standard_normal((PEOPLE * REFERENCES - len(known), 128)))
    labels, spent = list(frames), []
    for number in track(range(rounds), description="face_recognition", transient=True):
        pictures = frames[labels[number % len(labels)]]
        picture = pictures[number % len(pictures)]
        started = time.perf_counter()
        places = face_recognition.face_locations(picture, number_of_times_to_upsample=1, model="hog")
        encodings = face_recognition.face_encodings(picture, places, num_jitters=1)
        for encoding in encodings:
            face_recognition.compare_faces(known, encoding)
            face_recognition.face_distance(known, encoding)
        spent.append((time.perf_counter() - started) * 1000)
    return spent


def fingers(rounds: int) -> dict[str, float]:
    """Median milliseconds of one extraction (256x288) and of one comparison."""
    engine = load_engine("minutiae")
    finger = SimulatedFinger(5)
    pictures = [finger.impression(number) for number in range(4)]
    extract = [_ms(lambda n=number: engine.extract(pictures[n % 4])) for number in range(min(rounds, 12))]  # type: ignore[misc]
    prepared = [engine.prepare(engine.extract(picture)) for picture in pictures]
    compare = [_ms(lambda n=n: engine.compare_prepared(prepared[n % 4], prepared[(n + 1) % 4])) for n in range(200)]  # type: ignore[misc]
    return {"finger extract": statistics.median(extract), "finger compare": statistics.median(compare)}


def extraction_ratio(rounds: int) -> dict[str, float]:
    """Median milliseconds of finding minutiae in a simulated finger (256x288) as the network's file is written, run
    without any change on one thread, and as Muster runs it, in turns; and the second as a share of the first.

    Of the processor's time, so that a busy machine does not decide."""
    path = weights.path("leader")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    network = LeaderNetwork(path)
    pictures = [SimulatedFinger(seed).impression(1) for seed in range(4)]

    def as_written(picture: Any) -> Any:
        maps = session.run(None, {"input": picture[None, :, :, None].astype(np.float32)})[0][0]
        return maps[maps[..., 3] >= SCORE_THRESHOLD]

    written, ours = [], []
    for number in track(range(max(8, min(rounds, 24))), description="extraction", transient=True):
        picture = pictures[number % len(pictures)]
        written.append(_ms(lambda picture=picture: as_written(picture), time.process_time))  # type: ignore[misc]
        ours.append(_ms(lambda picture=picture: network.find(picture), time.process_time))  # type: ignore[misc]
    before, now = statistics.median(written[2:]), statistics.median(ours[2:])
    return {"finger network as written": before, "finger network": now, "finger network ratio": now / before}


def _ms(act: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    started = clock()
    act()
    return (clock() - started) * 1000


def main() -> None:
    """Run, print a table, optionally write JSON."""
    parser = argparse.ArgumentParser(description="Timings of a check-in, with ratios.")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    console = Console()
    engine = load_engine("sface")
    visitors = {}
    for seed, (label, portrait) in enumerate(LABELS.items()):
        pixels = read_rgb(weights.path(portrait))
        visitors[label] = Visitor.make(label, [(pixels, engine.detect(pixels)[0].landmarks)], finger_seed=seed)
    frames = {label: render(engine, visitor, FRAMES) for label, visitor in visitors.items()}
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as folder:
        timings = check_ins(Path(folder), engine, frames, options.rounds)
    others = documented_way(frames, max(6, options.rounds // 3))
    report(console, timings, others, fingers(options.rounds) | extraction_ratio(options.rounds), options.json)


def report(
    console: Console,
    timings: list[dict[str, float]],
    others: list[float],
    finger: dict[str, float],
    file: Path | None,
) -> None:
    """One table and one JSON file."""
    timings = timings[2:]  # the first two visits warm the caches up
    table = Table(
        "part", "median ms", "95 % ms", title=f"{len(timings)} check-ins, {PEOPLE} people, {platform.machine()}"
    )
    parts = {name: sorted(item.get(name, 0.0) for item in timings) for name in timings[0]}
    for name, values in parts.items():
        label = "first good frame to stored event" if name == "total" else name
        table.add_row(label, f"{statistics.median(values):.1f}", f"{values[int(0.95 * (len(values) - 1))]:.1f}")
    total, usual = statistics.median(parts["total"]), statistics.median(others)
    table.add_section()
    table.add_row(
        "face_recognition's documented way", f"{usual:.1f}", f"{sorted(others)[int(0.95 * (len(others) - 1))]:.1f}"
    )
    for name, value in finger.items():
        table.add_row(name, f"{value:.2f}" if name.endswith("ratio") else f"{value:.1f}", "")
    console.print(table)
    console.print(f"Ratio face_recognition / Muster: {usual / total:.1f}")
    if file is not None:
        medians = {name: round(statistics.median(values), 3) for name, values in parts.items()}
        ratio = finger["finger network ratio"]
        medians |= {name.replace(" ", "_"): round(v, 3) for name, v in finger.items() if not name.endswith("ratio")}
        others_ms = {"face_recognition_ms": round(usual, 3), "ratio": usual / total, "extraction_ratio": ratio}
        file.write_text(json.dumps({"median_ms": medians} | others_ms))


if __name__ == "__main__":
    main()
