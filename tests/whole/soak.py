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
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from rich.console import Console

from kiosk.demonstration.visits import PEOPLE
from kiosk.keys import load_pairing
from models.questions import Question
from tests.whole.crowd import ABSENT, CROWD, STRANGER, UNKNOWN_CARD, gather
from tests.whole.soak_judge import CHALLENGED, PLAIN, Place, judge
from tests.whole.soak_verdict import Record
from tests.whole.town import KioskProcess, Town

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

    def place_of(self) -> Place:
        """The kiosk and its visits, to be judged."""
        pairing = load_pairing(self._town.folder / self._folder / "kiosk")
        assert pairing is not None
        error = repr(self.error) if self.error is not None else ""
        return Place(self.place, pairing.kiosk_id, self.records, self.slips, self.restarts_s, error)

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
                self._tell(asdict(self.records[-1]))
                if number % _TOLD_EVERY == _TOLD_EVERY - 1:
                    each_s = (time.monotonic() - began_s) / (number + 1)
                    sys.stderr.write(f"kiosk {self.place}: {number + 1} visits, {each_s:.2f} s each\n")
        except BaseException as error:  # the thread's edge: kept for the judge
            self.error = error
            raise

    def _tell(self, words: dict[str, Any]) -> None:
        """One line a visit and one at the end, so that a run can be watched, and judged if it is broken off."""
        if self._log is not None:
            self._log.write(json.dumps(words) + "\n")
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
                self._tell({"place": self.place, "slips": self.slips, "restarts_s": self.restarts_s})
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
            if not record.killed:  # as after a power cut, a service manager would start the next one
                record.wrong.append("the kiosk's process ended by itself")
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
            if lane.error is None:
                lane.end()
        places = [lane.place_of() for lane in lanes]
        found = judge(places, town.center.center, town.folder, minutes=minutes, ended=True)
    Console(stderr=True).print_json(data=found)
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    raise SystemExit(0 if found["good"] else 1)


if __name__ == "__main__":
    main()
