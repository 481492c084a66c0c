"""Thousands of visits with random faults; afterwards every visit must be recorded once, or explained. ``make soak``.

A center, a kiosk's own process and simulated people. Faults: camera or sensor unplugged and plugged in again, the
screen's page reloaded, a person who walks away, somebody else who steps in, a center that is away, and the process
killed as a power cut kills it. Kills fall into the first half only, so that the second half is one process's life and
shows whether its memory stays.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import track
from sqlalchemy import select

from kiosk.demonstration.visits import PEOPLE
from models.store.center import EventRow
from models.supervision import SitePolicy
from tests.whole.town import KioskProcess, Town
from web.panel.facade import PanelHint

ALL_DAY = (("00:00", "24:00"),)
PLAIN = SitePolicy(version="soak-plain", windows=ALL_DAY, face_alone=True, challenge_required=False)
CHALLENGED = SitePolicy(version="soak-challenge", windows=ALL_DAY, face_alone=True)
_CHALLENGED_BLOCK, _BLOCK = 3, 50  # of every fifty visits, three are challenged
KINDS = ("face", "finger", "stranger", "number_unknown")
FAULTS = ("none", "camera", "sensor", "reload", "walk_away", "swap", "silence", "kill")
STEPS_TO_LEAVE_AT = ("approach", "look", "finger", "result", "menu", "question")


@dataclass
class Record:
    """One visit as planned, and what came of it. Times are this machine's wall clock, to find its events by."""

    number: int
    kind: str
    fault: str
    began: float
    ended: float = 0.0
    outcomes: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    killed: bool = False
    walked_at: str | None = None
    hint: str | None = None  # what the screen said at the end
    rss_mb: float = 0.0
    explained: str = ""


class Soak:
    """Plays the visits and keeps the records."""

    def __init__(self, town: Town, visits: int, seed: int) -> None:
        self._town, self._visits = town, visits
        self._random = random.Random(seed)
        self.records: list[Record] = []
        self.restarts_s: list[float] = []
        self.process_changes: list[int] = []
        self._seed = seed
        self._kiosk = self._start()

    def _start(self) -> KioskProcess:
        self._seed += 1
        kiosk = self._town.kiosk(seed=self._seed)
        self.restarts_s.append(kiosk.started["started_s"])
        return kiosk

    def run(self) -> None:
        """All visits, then wait until the center has every event."""
        self._kiosk.tell(do="room")
        self._kiosk.hear(90)
        for number in track(range(self._visits), description="visits"):
            place = number % _BLOCK
            if place in (0, _CHALLENGED_BLOCK):
                self._town.obey(CHALLENGED if place == 0 else PLAIN)
                time.sleep(1.5)  # the kiosk asks for its gallery every second
            self.records.append(self._one(number))
        self._town.center.stop()
        self._town.center.start()
        self._delivered()
        self._kiosk.end()

    def _one(self, number: int) -> Record:
        kind = self._random.choices(KINDS, weights=(8, 8, 3, 1))[0]
        fault = self._random.choice(FAULTS) if self._random.random() < 0.4 else "none"
        if fault == "kill" and (number >= self._visits // 2 or self._random.random() > 0.35):
            fault = "none"
        record = Record(number, kind, fault, time.time())
        told = self._told(kind)
        if fault == "walk_away":
            record.walked_at = told["walks_away_at"] = self._random.choice(STEPS_TO_LEAVE_AT)
        if fault == "swap":
            told["swaps_at"] = "challenge"
        troubles = self._trouble(fault)
        self._kiosk.tell(do="visit", number=number, **told)
        try:
            if fault == "kill":
                time.sleep(self._random.uniform(0.0, 4.0))
                record.killed = True
                raise EOFError
            seen = self._kiosk.hear(240)
            record.outcomes = [result["outcome"] for result in seen["results"]]
            record.rss_mb, record.hint = seen["rss_mb"], seen["hint"]
        except EOFError:
            self._kiosk.kill()
            self.process_changes.append(number)
            self._kiosk = self._start()
            self._kiosk.tell(do="room")
            self._kiosk.hear(90)
        finally:
            for trouble in troubles:
                trouble.join(30)
        record.ended = time.time()
        return record

    def _told(self, kind: str) -> dict[str, Any]:
        if kind == "face":
            return {"shows": self._random.choice(("visitor_1", "visitor_2"))}
        if kind == "stranger":
            return {"shows": "visitor_3"}
        number = self._random.choice([person.number for person in PEOPLE])
        if kind == "number_unknown":
            return {"claims": "987654"}
        return {"claims": number, "lays": self._random.choice((number, number, number, "stranger"))}

    def _trouble(self, fault: str) -> list[threading.Thread]:
        """Something that goes wrong while the visit goes on, and is mended a little later."""
        acts: dict[str, Any] = {
            "camera": lambda: self._device("camera"),
            "sensor": lambda: self._device("sensor"),
            "reload": self._reload,
            "silence": self._silence,
        }
        if fault not in acts:
            return []
        thread = threading.Thread(target=acts[fault], daemon=True)
        thread.start()
        return [thread]

    def _device(self, name: str) -> None:
        time.sleep(self._random.uniform(0.0, 2.0))
        self._kiosk.tell(do="fault", device=name, name="unplug")
        time.sleep(self._random.uniform(0.2, 2.0))
        self._kiosk.tell(do="fault", device=name, name="plug")

    def _reload(self) -> None:
        """The page again and again, as an impatient hand or a crashing browser would."""
        where = urlsplit(self._kiosk.started["panel"])
        for _ in range(3):
            time.sleep(self._random.uniform(0.0, 0.6))
            for path in ("/", "/events"):
                line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)
                line.request("GET", path)
                line.getresponse().read(64)
                line.close()

    def _silence(self) -> None:
        time.sleep(self._random.uniform(0.0, 1.0))
        self._town.center.stop()
        time.sleep(self._random.uniform(0.5, 3.0))
        self._town.center.start()

    def _delivered(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            self._kiosk.tell(do="pending")
            if self._kiosk.hear(30)["pending"] == 0:
                return
            time.sleep(0.5)
        raise SystemExit("the kiosk did not deliver its records")


def attribute(town: Town, records: list[Record]) -> list[str]:
    """Give every event of the ledger to the visit in whose time it was captured; what is left over is returned."""
    with town.center.center.reading() as session:
        rows = session.execute(
            select(EventRow.event_id, EventRow.captured_at, EventRow.type).order_by(EventRow.seq)
        ).all()
    left = []
    for event_id, captured_at, kind in rows:
        at = captured_at.timestamp()
        owner = next((record for record in records if record.began <= at <= record.ended), None)
        if kind in ("device", "staff"):
            continue
        if owner is None:
            left.append(event_id)
        else:
            owner.events.append(kind)
    return left


def explain(record: Record) -> str:
    """Why a visit has the events it has; empty if nobody can tell."""
    of_visit = [kind for kind in record.events if kind != "answers"]
    if of_visit:
        return "recorded once" if len(of_visit) == 1 else ""
    if record.killed:
        return "the process was killed before anything was decided"
    if record.outcomes:  # the kiosk said that it stored something, and the ledger does not have it
        return ""
    if record.hint == PanelHint.TOO_MANY_NUMBERS:
        return "no number was taken for a minute, after five that nobody has"
    return _unrecorded(record)


def _unrecorded(record: Record) -> str:
    """Why nothing was recorded although nothing kept the kiosk from it."""
    if record.kind == "number_unknown":
        return "a number that nobody has: nothing was compared"
    if record.walked_at is not None:
        return f"walked away at {record.walked_at} before anything was compared"
    broken = record.fault in ("camera", "sensor", "swap")
    return f"{record.fault}: the person was gone before anything was compared" if broken else ""


def judge(soak: Soak, town: Town, console: Console) -> dict[str, Any]:
    """Count, verify the ledger, compare memory; the figures, and what was found wrong."""
    left = attribute(town, soak.records)
    for record in soak.records:
        record.explained = explain(record)
    report = town.center.verify()
    half = [record.rss_mb for record in soak.records[soak_half(soak) :] if record.rss_mb]
    tenth = max(1, len(half) // 10)
    first, last = statistics.median(half[:tenth]), statistics.median(half[-tenth:])
    unexplained = [record for record in soak.records if not record.explained]
    found = {
        "visits": len(soak.records),
        "faults": dict(Counter(record.fault for record in soak.records)),
        "explained": dict(Counter(record.explained for record in soak.records)),
        "unexplained": [asdict(record) for record in unexplained[:20]],
        "events_without_a_visit": len(left),
        "ledger_verified": report.ok,
        "ledger_events": report.size,
        "kills": len(soak.process_changes),
        "start_s_median": round(statistics.median(soak.restarts_s), 2),
        "start_s_longest": round(max(soak.restarts_s), 2),
        "resident_first_tenth_mb": round(first, 1),
        "resident_last_tenth_mb": round(last, 1),
        "resident_ratio": round(last / first, 4),
        "good": not unexplained and not left and report.ok and last <= 1.05 * first,
    }
    console.print_json(data=found)
    return found


def soak_half(soak: Soak) -> int:
    """Where the life of the last process begins, past its warm-up."""
    return (soak.process_changes[-1] + 1 if soak.process_changes else 0) + 20


def main() -> None:
    """Run; exit code 1 if a visit cannot be explained, the ledger does not verify or memory grew."""
    parser = argparse.ArgumentParser(description="Many visits with random faults, simulated devices.")
    parser.add_argument("--visits", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="muster-soak-") as folder, Town(Path(folder)) as town:
        town.enroll()
        town.obey(PLAIN)
        soak = Soak(town, options.visits, options.seed)
        soak.run()
        found = judge(soak, town, console)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    raise SystemExit(0 if found["good"] else 1)


if __name__ == "__main__":
    main()
