"""Thousands of visits with random faults; afterwards every visit must be recorded once, or explained. ``make soak``.

A center, three kiosks in processes and folders of their own, and simulated people who check in by face, finger, number
and identity card, choose errands, answer questions, hand in papers, call for help; staff who vouch. Faults: a device is
unplugged in the middle of a visit and plugged in again, the screen's page reloaded, a person walks away, somebody else
steps in, the center is away, and the process is killed as a power cut kills it: only the last kiosk's, in the first
half of its visits. All visits of each other kiosk are one process's life, which shows whether its memory stays.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from rich.console import Console
from sqlalchemy import select

from kiosk.demonstration.visits import PEOPLE
from kiosk.keys import load_pairing
from models.errands import Errand
from models.questions import Question
from models.store.center import EventRow, ParcelRow, PersonRow
from models.supervision import SitePolicy
from tests.whole.crowd import ABSENT, CROWD, STRANGER, UNKNOWN_CARD, gather
from tests.whole.soak_verdict import ERRANDS, PRESENCE, REPORT, WITNESSED, Event, Record, judge_visit
from tests.whole.town import KioskProcess, Town

ALL_DAY = (("00:00", "24:00"),)
PLAIN = SitePolicy(version="soak-plain", windows=ALL_DAY, face_alone=True, challenge_required=False)
CHALLENGED = SitePolicy(version="soak-challenge", windows=ALL_DAY, face_alone=True)
QUESTIONS = (Question.ADDRESS_CHANGED, Question.PHONE_CHANGED)
_CHALLENGED_BLOCK, _BLOCK = 5, 90  # of every ninety visits of the first kiosk, five are challenged
KINDS = {
    "face": 26, "finger": 24, "finger_alone": 12, "card": 12, "stranger": 8,
    "number_unknown": 3, "card_unknown": 2, "help": 3, "staff": 4,
}  # fmt: skip
FAULTS = ("camera", "sensor", "card", "printer", "reload", "walk_away", "swap", "silence", "kill")
WISHES = ("education", "service", "report_in_person", "written_report", "leave_return", "help_request")
DEVICES = ("camera", "sensor", "card", "printer")
STEPS_TO_LEAVE_AT = ("approach", "look", "finger", "result", "menu", "question", "document")
LANES = 3
_TOLD_EVERY = 20
_LIMIT_S = 900.0  # for an answer, however busy the machine is
_FAULTY, _ABSENT_SHARE = 0.4, 0.8
_SHORT_LIFE, _WARM_UP, _SAMPLED = 300, 20, 10
_MOST_GROWTH = 1.05
_PRINTED = frozenset({REPORT, WITNESSED, *ERRANDS} - {Errand.HELP_REQUEST.value})


class Lane(threading.Thread):
    """One kiosk and whoever comes to it, one after the other."""

    silence = threading.Lock()  # one center is switched off by one lane at a time

    def __init__(self, town: Town, place: int, visits: int, seed: int, told: TextIO | None = None) -> None:
        super().__init__(name=f"lane {place}", daemon=True)
        self._town, self.place, self._visits, self._log = town, place, visits, told
        self._random = random.Random(f"{seed} {place}")
        self._seed = seed * 1000 + place * 500
        self._absent = [number for index, number in enumerate(ABSENT) if index % LANES == place]
        self.records: list[Record] = []
        self.restarts_s: list[float] = []
        self.slips: int | None = None  # of the last process's life
        self.error: BaseException | None = None
        self.life = 0
        self._kiosk = self._start()

    @property
    def kiosk_id(self) -> str:
        """The kiosk's name at the center."""
        pairing = load_pairing(self._town.folder / self._folder / "kiosk")
        assert pairing is not None
        return pairing.kiosk_id

    @property
    def _folder(self) -> str:
        return f"place-{self.place}"

    def _start(self) -> KioskProcess:
        self._seed += 1
        kiosk = self._town.kiosk(seed=self._seed, place=self._folder)
        self.restarts_s.append(kiosk.started["started_s"])
        kiosk.tell(do="room")
        kiosk.hear(_LIMIT_S)
        return kiosk

    def run(self) -> None:
        """All visits, then wait until the center has every event and parcel."""
        began_s = time.monotonic()
        try:
            for number in range(self._visits):
                place = number % _BLOCK
                if self.place == 0 and place in (0, _CHALLENGED_BLOCK):
                    self._town.obey(CHALLENGED if place == 0 else PLAIN)
                    time.sleep(4.0)  # the kiosks ask for their gallery every three seconds
                self.records.append(self._one(number))
                self._tell(self.records[-1])
                if number % _TOLD_EVERY == _TOLD_EVERY - 1:
                    each_s = (time.monotonic() - began_s) / (number + 1)
                    sys.stderr.write(f"kiosk {self.place}: {number + 1} visits, {each_s:.2f} s each\n")
        except BaseException as error:  # the thread's edge: kept for the judge
            self.error = error
            raise

    def _tell(self, record: Record) -> None:
        """One line a visit, so that a run can be watched, and read if it is broken off."""
        if self._log is not None:
            self._log.write(json.dumps(asdict(record)) + "\n")
            self._log.flush()

    def end(self) -> None:
        """Wait until the center has every event and parcel, then end the kiosk in order."""
        deadline = time.monotonic() + _LIMIT_S
        while time.monotonic() < deadline:
            self._kiosk.tell(do="pending")
            waiting = self._kiosk.hear(_LIMIT_S)
            self.slips = waiting["slips"]
            if waiting["pending"] == 0 and waiting["parcels"] == 0:
                self._kiosk.end()
                return
            time.sleep(0.5)
        raise SystemExit("a kiosk did not deliver its records")

    def _one(self, number: int) -> Record:
        kind = self._random.choices(list(KINDS), weights=list(KINDS.values()))[0]
        fault = self._random.choice(FAULTS) if self._random.random() < _FAULTY else "none"
        may_kill = self.place == LANES - 1 and number < self._visits // 2
        if fault == "kill" and not may_kill:
            fault = "none"
        record = Record(number, self.place, self.life, kind, fault, time.time())
        record.who, told = self._told(kind)
        if fault == "walk_away":
            told["walks_away_at"] = self._random.choice(STEPS_TO_LEAVE_AT)
        if fault == "swap":
            told["swaps_at"] = self._random.choice(("challenge", "menu", "question", "look"))
        record.told = dict(told, errands=list(told.get("errands", ())))
        trouble = self._trouble(record)
        self._kiosk.tell(do="visit", number=number, **told)
        try:
            if fault == "kill":
                time.sleep(self._random.uniform(0.0, 4.0))
                record.killed = True
                raise EOFError
            record.seen = self._kiosk.hear(_LIMIT_S)
            record.outcomes = [result["outcome"] for result in record.seen.pop("results")]
            record.rss_mb = record.seen["rss_mb"]
        except EOFError:
            if not record.killed:
                raise
            self._kiosk.kill()
            self.life += 1
            record.ended = time.time()
            self._kiosk = self._start()
        finally:
            if trouble is not None:
                trouble.join(30)
        record.ended = record.ended or time.time()
        return record

    def _told(self, kind: str) -> tuple[str | None, dict[str, Any]]:
        """Who comes, if that can be found out, and what they do."""
        chance = self._random
        alone: dict[str, dict[str, Any]] = {
            "help": {"presses_help": True},
            "number_unknown": {"claims": str(chance.randrange(900_000, 999_999))},
            "card_unknown": {"card": str(UNKNOWN_CARD)},
            "stranger": {"shows": "visitor_3"},
        }
        if kind in alone:
            return None, alone[kind]
        if kind == "staff":
            absent = self._absent if chance.random() < _ABSENT_SHARE else []
            return None, {"vouches_for": absent.pop() if absent else chance.choice(CROWD)}
        told: dict[str, Any] = {
            "answers": chance.choices(("yes", "no", "unsure", "next"), k=2),
            "errands": chance.sample(WISHES, chance.choices((0, 1, 2), (4, 4, 2))[0]),
            "pages": chance.choice((1, 1, 2)),
        }
        number, way = self._way(kind)
        return number, told | way

    def _way(self, kind: str) -> tuple[str | None, dict[str, Any]]:
        """How somebody who is known is recognised, if they are."""
        chance = self._random
        if kind == "face":
            visitor, number = chance.choice((("visitor_1", "1001"), ("visitor_2", "1002")))
            return number, {"shows": visitor, "behaviour": chance.choice(("approach", "stand"))}
        number = chance.choice(CROWD if kind != "finger" else [*CROWD, *[person.number for person in PEOPLE] * 3])
        if kind == "finger_alone":
            return number, {"lays": number}
        lays = chance.choice((number, number, number, STRANGER))
        claim = {"card": number} if kind == "card" else {"claims": number}
        return (number if lays == number else None), claim | {"lays": lays}

    def _trouble(self, record: Record) -> threading.Thread | None:
        """Something that goes wrong while the visit goes on, and is mended a little later."""
        if record.fault in DEVICES:
            thread = threading.Thread(target=self._device, args=(record,), daemon=True)
        elif record.fault in ("reload", "silence"):
            thread = threading.Thread(target=self._reload if record.fault == "reload" else self._silence, daemon=True)
        else:
            return None
        thread.start()
        return thread

    def _device(self, record: Record) -> None:
        time.sleep(self._random.uniform(0.0, 1.5))
        record.pulled.append((record.fault, time.time()))
        self._kiosk.tell(do="fault", device=record.fault, name="unplug")
        time.sleep(self._random.uniform(0.2, 2.0))
        self._kiosk.tell(do="fault", device=record.fault, name="plug")

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
        with self.silence:
            self._town.center.stop()
            time.sleep(self._random.uniform(0.5, 3.0))
            self._town.center.start()


def attribute(town: Town, lanes: list[Lane]) -> list[str]:
    """Give every event of the ledger to the visit in whose time it was captured; what is left over is returned."""
    places = {lane.kiosk_id: lane for lane in lanes}
    with town.center.center.reading() as session:
        rows = session.execute(select(EventRow.kiosk_id, EventRow.body).order_by(EventRow.kiosk_id, EventRow.seq)).all()
        captured = dict(session.execute(select(EventRow.event_id, EventRow.captured_at)).tuples().all())
    left = []
    for kiosk_id, text in rows:
        body = json.loads(text)
        if body["type"] == "device":
            continue
        at = captured[body["event_id"]].timestamp()
        owner = next((item for item in places[kiosk_id].records if item.began <= at <= item.ended), None)
        if owner is None:
            left.append(f"{kiosk_id} {body['seq']} {body['type']}")
            continue
        owner.events.append(
            Event(
                int(body["seq"]), body["event_id"], at, body["type"], body.get("outcome"), body.get("person_id"),
                body.get("details") or {},
            )
        )  # fmt: skip
    return left


def parcels_missing(town: Town, records: list[Record]) -> int:
    """Written reports whose pages the center does not have."""
    with town.center.center.reading() as session:
        there = set(session.scalars(select(ParcelRow.sha256)))
    named = [event.details["parcel"] for item in records for event in item.events if "parcel" in event.details]
    return sum(name not in there for name in named)


def memory(lane: Lane) -> list[dict[str, Any]]:
    """Resident memory at the beginning and the end of each long life of a process, past its warm-up."""
    lives: dict[int, list[float]] = {}
    for record in lane.records:
        if record.rss_mb:
            lives.setdefault(record.life, []).append(record.rss_mb)
    longest = max((len(values) for values in lives.values()), default=0)
    found = []
    for life, values in sorted(lives.items()):
        warm = values[min(_WARM_UP, len(values) // 2) :]
        if len(values) < min(_SHORT_LIFE, longest // 2):
            continue
        tenth = max(1, len(warm) // 10)
        first, last = statistics.median(warm[:tenth]), statistics.median(warm[-tenth:])
        course = [round(warm[len(warm) * step // _SAMPLED], 1) for step in range(_SAMPLED)]
        found.append(
            {
                "kiosk": lane.place, "life": life, "visits": len(values), "first_tenth_mb": round(first, 1),
                "last_tenth_mb": round(last, 1), "ratio": round(last / first, 4), "course_mb": course,
            }
        )  # fmt: skip
    return found


def slips_wrong(lane: Lane) -> str:
    """Whether the printer gave out as many receipts as there were to print, in the last process's life."""
    mine = [record for record in lane.records if record.life == lane.life]
    events = [event for record in mine for event in record.events]
    shown = {int(item["receipt"]) for record in mine for item in record.seen.get("receipts", ())}
    accepted = {"accepted", "already_present", "outside_window", "witnessed"}
    least = sum(event.type in _PRINTED and event.outcome in accepted for event in events)
    presences = [event for event in events if event.type == PRESENCE]
    most = least + len(presences)
    least += sum(event.seq in shown for event in presences)
    if any(name == "printer" for record in mine for name, _ in record.pulled):
        least = 0  # what lay in a printer's memory is lost with its power
    good = lane.slips is not None and least <= lane.slips <= most
    return "" if good else f"kiosk {lane.place}: {lane.slips} slips, not {least} to {most}"


def judge(lanes: list[Lane], town: Town, *, minutes: float) -> dict[str, Any]:
    """Count, verify the ledger, compare memory; the figures, and what was found wrong."""
    left = attribute(town, lanes)
    records = [record for lane in lanes for record in lane.records]
    with town.center.center.reading() as session:
        people = dict(session.execute(select(PersonRow.number, PersonRow.person_id)).tuples().all())
    for record in records:
        judge_visit(record, people)
    report = town.center.verify()
    lives = [life for lane in lanes for life in memory(lane)]
    restarts = [seconds for lane in lanes for seconds in lane.restarts_s]
    wrong = [record for record in records if record.wrong]
    slips = [text for lane in lanes if (text := slips_wrong(lane))]
    missing, errors = parcels_missing(town, records), [repr(lane.error) for lane in lanes if lane.error]
    recorded = Counter(event.type for record in records for event in record.events)
    found = {
        "visits": len(records),
        "minutes": round(minutes, 1),
        "seconds_a_visit": round(statistics.mean(record.ended - record.began for record in records), 2),
        "kinds": dict(Counter(record.kind for record in records)),
        "faults": dict(Counter(record.fault for record in records)),
        "devices_unplugged_during_a_visit": sum(record.pulled_out() for record in records),
        "verdicts": dict(Counter(record.verdict for record in records if not record.wrong).most_common()),
        "recorded": dict(recorded.most_common()),
        "unexplained": len(wrong),
        "unexplained_visits": [asdict(record) for record in wrong[:20]],
        "events_without_a_visit": left[:20],
        "receipts_shown": sum(len(record.seen.get("receipts", ())) for record in records),
        "slips_printed": {lane.place: lane.slips for lane in lanes},
        "slips_wrong": slips,
        "parcels_missing": missing,
        "ledger_verified": report.ok,
        "ledger_events": report.size,
        "kills": sum(record.killed for record in records),
        "start_s_median": round(statistics.median(restarts), 2),
        "start_s_longest": round(max(restarts), 2),
        "memory": lives,
        "errors": errors,
    }
    flat = bool(lives) and all(life["ratio"] <= _MOST_GROWTH for life in lives)
    sound = not wrong and not left and not slips and not missing and not errors
    return found | {"memory_flat": flat, "good": sound and report.ok and flat}


@contextmanager
def _kept(folder: Path) -> Iterator[str]:
    """A new folder that stays."""
    folder.mkdir(mode=0o700)
    yield str(folder)


def main() -> None:
    """Run; exit code 1 if a visit cannot be explained, the ledger does not verify or memory grew."""
    parser = argparse.ArgumentParser(description="Many visits with random faults, simulated devices.")
    parser.add_argument("--visits", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--each", type=Path, help="a line for every visit as soon as it is over")
    parser.add_argument("--keep", type=Path, help="a new folder for center and kiosks, which stays")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="muster-soak-") if options.keep is None else _kept(options.keep) as folder,
        Town(Path(folder)) as town,
        options.each.open("w", encoding="utf-8") if options.each else nullcontext() as told,
    ):
        town.enroll()
        gather(town.center, QUESTIONS)
        town.obey(PLAIN)
        lanes = [Lane(town, place, options.visits // LANES, options.seed, told) for place in range(LANES)]
        began_s = time.monotonic()
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        minutes = (time.monotonic() - began_s) / 60
        town.center.stop()
        town.center.start()
        for lane in lanes:
            lane.end()
        found = judge(lanes, town, minutes=minutes)
    Console(stderr=True).print_json(data=found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    raise SystemExit(0 if found["good"] else 1)


if __name__ == "__main__":
    main()
