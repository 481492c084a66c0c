"""Judges a long run as a whole, at its end or later: ``python -m tests.whole.soak_judge --keep FOLDER --each FILE``.

Owns what no single visit shows: how many who can be known were not recognised, slips, memory, the ledger. A run that
was kept is judged on a copy of its center, and may still go on: what came after its last visit is counted apart.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import select

from kiosk.devices import LONGEST_REOPEN_S
from kiosk.keys import load_pairing
from models.bundle import verify_bundle
from models.errands import Errand
from models.export import export_bundle
from models.store.center import EventRow, ParcelRow, PersonRow
from models.supervision import SitePolicy
from tests.whole.soak_verdict import ANSWERS, ERRANDS, FAILED, PRESENCE, REPORT, WITNESSED, Event, Record, judge_visit
from web.center.app import center_of, create_center
from web.center.context import Center
from web.center.heads import sign_tree_head_now
from web.center.settings import CenterSettings

ALL_DAY = (("00:00", "24:00"),)
PLAIN = SitePolicy(version="soak-plain", windows=ALL_DAY, face_alone=True, challenge_required=False)
CHALLENGED = SitePolicy(version="soak-challenge", windows=ALL_DAY, face_alone=True)
LEAST_RECOGNISED = {PLAIN.version: 0.95, CHALLENGED.version: 0.85}
_GENUINE = frozenset({"face", "finger", "finger_alone", "card"})
_LEAST_OTHERS = 2
_PULLED_KEPT = 4  # more than can be unplugged while one is on its way back
_SHORT_LIFE, _WARM_UP, _SAMPLED = 300, 20, 10
_MOST_GROWTH = 1.05
_PRINTED = frozenset({REPORT, WITNESSED, *ERRANDS} - {Errand.HELP_REQUEST.value})
_HANDED_OUT = frozenset({"accepted", "already_present", "outside_window", "witnessed"})
_BACK_S = LONGEST_REOPEN_S + 1.0  # after which a printer that has its power again prints


@dataclass
class Place:
    """One kiosk and everybody who came to it. ``slips``: printed in the last process's life, None if nobody asked."""

    place: int
    kiosk_id: str
    records: list[Record] = field(default_factory=list)
    slips: int | None = None
    restarts_s: list[float] = field(default_factory=list)
    error: str = ""

    @property
    def last_life(self) -> list[Record]:
        """The visits of the last process."""
        life = max((record.life for record in self.records), default=0)
        return [record for record in self.records if record.life == life]


def note_slowness(records: Sequence[Record]) -> None:
    """Write down of every visit that was given up what the other kiosks' visits took meanwhile, against the usual."""
    whole = [record for record in records if not record.gave_up and not record.killed]
    took: dict[str, list[float]] = {}
    for record in whole:
        took.setdefault(record.kind, []).append(record.ended - record.began)
    usual_s = {kind: statistics.median(values) for kind, values in took.items()}
    for record in records:
        if not record.gave_up:
            continue
        others = [
            other for other in whole
            if other.lane != record.lane and other.began < record.ended and record.began < other.ended
        ]  # fmt: skip
        expected_s = sum(usual_s[other.kind] for other in others)
        if len(others) >= _LEAST_OTHERS and expected_s > 0:
            record.slowness = round(sum(other.ended - other.began for other in others) / expected_s, 1)


def note_pulled_before(places: Sequence[Place]) -> None:
    """Write down of every visit which devices of its kiosk had been unplugged before it."""
    for place in places:
        for before, record in pairwise(place.records):
            record.pulled_before = [*before.pulled_before, *before.pulled][-_PULLED_KEPT:]


def first_counted(records: Sequence[Record]) -> dict[str, float]:
    """When each person's presence was first recorded, by id."""
    found: dict[str, float] = {}
    for event in (event for record in records for event in record.events):
        if event.type in (REPORT, WITNESSED) and event.person_id is not None:
            found[event.person_id] = min(event.at, found.get(event.person_id, event.at))
    return found


def recognition(records: Sequence[Record], least: Mapping[str, float]) -> dict[str, dict[str, Any]]:
    """Of people who can be known and whom nothing disturbed: how many visits began with a failed attempt, by policy.

    ``least``: the share of visits under a policy that must begin with anything else; one may fail all the same. Whoever
    looks like somebody else and has nothing else to show goes to staff, as the look-alike watch wants, and is counted
    apart: simulated fingers score up to 0.19 against each other, which is watched; FVC's of different people to 0.09.
    """
    found: dict[str, dict[str, Any]] = {}
    for record in records:
        head = next((event for event in record.events if "visit" not in event.details and event.type != ANSWERS), None)
        if record.kind not in _GENUINE or record.who is None or record.fault != "none" or head is None:
            continue
        nothing = {"visits": 0, "failed": 0, "look_alike": 0, "notes": Counter(), "kinds": Counter()}
        item = found.setdefault(head.policy, nothing)
        item["visits"] += 1
        if head.type == FAILED and head.note == "look_alike":
            item["look_alike"] += 1
        elif head.type == FAILED:
            item["failed"] += 1
            item["notes"][head.note or head.outcome] += 1
            item["kinds"][record.kind] += 1
    for policy, item in found.items():
        item["percent_recognised"] = round(100 * (1 - item["failed"] / item["visits"]), 2)
        item["good"] = item["failed"] <= max(1, (1 - least.get(policy, 1.0)) * item["visits"])
    return found


def attribute(center: Center, places: Sequence[Place]) -> tuple[list[str], int]:
    """Give every event of the ledger to the visit in whose time it was captured.

    What is left over, and how many events came after a kiosk's last visit.
    """
    known = {place.kiosk_id: place for place in places}
    with center.reading() as session:
        rows = session.execute(select(EventRow.kiosk_id, EventRow.body).order_by(EventRow.kiosk_id, EventRow.seq)).all()
        captured = dict(session.execute(select(EventRow.event_id, EventRow.captured_at)).tuples().all())
    left, after = [], 0
    for kiosk_id, text in rows:
        body = json.loads(text)
        if body["type"] == "device":
            continue
        at, records = captured[body["event_id"]].timestamp(), known[kiosk_id].records
        owner = next((item for item in records if item.began <= at <= item.ended), None)
        if owner is not None:
            owner.events.append(_event(body, at))
        elif not records or at > records[-1].ended:
            after += 1
        else:
            left.append(f"{kiosk_id} {body['seq']} {body['type']}")
    return left, after


def _event(body: Mapping[str, Any], at: float) -> Event:
    return Event(
        int(body["seq"]), body["event_id"], at, body["type"], body.get("outcome"), body.get("person_id"),
        body.get("details") or {}, body["policy_version"], body.get("note_code"),
    )  # fmt: skip


def parcels_missing(center: Center, records: list[Record]) -> int:
    """Written reports whose pages the center does not have."""
    with center.reading() as session:
        there = set(session.scalars(select(ParcelRow.sha256)))
    named = [event.details["parcel"] for item in records for event in item.events if "parcel" in event.details]
    return sum(name not in there for name in named)


def memory(place: Place) -> list[dict[str, Any]]:
    """Resident memory at the beginning and the end of each long life of a process, past its warm-up."""
    lives: dict[int, list[float]] = {}
    for record in place.records:
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
                "kiosk": place.place, "life": life, "visits": len(values), "first_tenth_mb": round(first, 1),
                "last_tenth_mb": round(last, 1), "ratio": round(last / first, 4), "course_mb": course,
            }
        )  # fmt: skip
    return found


def receipts_bounds(place: Place) -> tuple[int, int]:
    """How many slips there were to print in the last process's life: at least, and at most.

    What a printer held in its memory, and what waited for it, is lost with its power: the receipts of a visit that
    overlaps an unplugging need not have come out. Whether a presence gets a slip is told by its page.
    """
    least = most = 0
    visits = place.last_life
    dead = [(at, record.ended + _BACK_S) for record in visits for name, at in record.pulled if name == "printer"]
    for record in visits:
        shown = {int(item["receipt"]) for item in record.seen.get("receipts", ())}
        printed = [event for event in record.events if event.type in _PRINTED and event.outcome in _HANDED_OUT]
        presences = [event for event in record.events if event.type == PRESENCE]
        most += len(printed) + len(presences)
        if not any(record.began <= back and at - _BACK_S <= record.ended for at, back in dead):
            least += len(printed) + sum(event.seq in shown for event in presences)
    return least, most


def slips_wrong(place: Place) -> str:
    """Whether the printer gave out as many receipts as there were to print."""
    least, most = receipts_bounds(place)
    if place.slips is None:
        return f"kiosk {place.place}: nobody knows how many slips, of {least} to {most}"
    return "" if least <= place.slips <= most else f"kiosk {place.place}: {place.slips} slips, not {least} to {most}"


def judge(places: Sequence[Place], center: Center, folder: Path, *, minutes: float, ended: bool) -> dict[str, Any]:
    """Count, verify the ledger, compare memory; the figures, and what was found wrong. ``folder`` takes an export.

    ``ended``: every kiosk has delivered everything and was ended in order.
    """
    left, after = attribute(center, places)
    records = [record for place in places for record in place.records]
    with center.reading() as session:
        people = dict(session.execute(select(PersonRow.number, PersonRow.person_id)).tuples().all())
    note_slowness(records)
    note_pulled_before(places)
    counted = first_counted(records)
    for record in records:
        judge_visit(record, people, counted)
    sign_tree_head_now(center)
    with center.reading() as session:
        export_bundle(session, folder / "ledger.jsonl")
    report = verify_bundle(folder / "ledger.jsonl", center_key=center.key.public_key())
    wrong = [record for record in records if record.wrong]
    slips = [text for place in places if (text := slips_wrong(place))]
    recognised, lives = recognition(records, LEAST_RECOGNISED), [life for place in places for life in memory(place)]
    missing, errors = parcels_missing(center, records), [place.error for place in places if place.error]
    found = _counts(records) | {
        "minutes": round(minutes, 1),
        "recognition": recognised,
        "unexplained": len(wrong),
        "unexplained_visits": [asdict(record) for record in wrong[:20]],
        "events_without_a_visit": left[:20],
        "events_after_the_last_visit": after,
        "slips_printed": {place.place: place.slips for place in places},
        "slips_bounds": {place.place: receipts_bounds(place) for place in places},
        "slips_wrong": slips,
        "parcels_missing": missing,
        "ledger_verified": report.ok,
        "ledger_events": report.size,
        "memory": lives,
        "errors": errors,
    }
    if restarts := [seconds for place in places for seconds in place.restarts_s]:
        found |= {"start_s_median": round(statistics.median(restarts), 2), "start_s_longest": round(max(restarts), 2)}
    flat = bool(lives) and all(life["ratio"] <= _MOST_GROWTH for life in lives)
    sound = not (wrong or left or slips or missing or errors) and all(item["good"] for item in recognised.values())
    return found | {"memory_flat": flat, "good": ended and not after and sound and report.ok and flat}


def _counts(records: Sequence[Record]) -> dict[str, Any]:
    """What was done, without a word on whether it is right."""
    return {
        "visits": len(records),
        "seconds_a_visit": round(statistics.mean(record.ended - record.began for record in records), 2),
        "kinds": dict(Counter(record.kind for record in records)),
        "faults": dict(Counter(record.fault for record in records)),
        "devices_unplugged_during_a_visit": sum(record.pulled_out() for record in records),
        "verdicts": dict(Counter(record.verdict for record in records if not record.wrong).most_common()),
        "recorded": dict(Counter(event.type for record in records for event in record.events).most_common()),
        "receipts_shown": sum(len(record.seen.get("receipts", ())) for record in records),
        "given_up": [
            {
                "kiosk": record.lane, "visit": record.number, "starved": record.starved,
                "longest_on_a_page_s": round(record.longest_on_a_page_s, 1), "others_times_as_slow": record.slowness,
            }
            for record in records if record.gave_up
        ],
        "kills": sum(record.killed for record in records),
    }  # fmt: skip


def kept(folder: Path, each: Path) -> list[Place]:
    """The kiosks of a run that was kept, and their visits as they were written down."""
    found: dict[int, Place] = {}
    for line in each.read_text("utf-8").splitlines():
        words = json.loads(line)
        number = words.get("lane", words.get("place"))
        if number not in found:
            pairing = load_pairing(folder / f"place-{number}" / "kiosk")
            if pairing is None:
                raise SystemExit(f"no kiosk was paired at place {number}")
            found[number] = Place(number, pairing.kiosk_id)
        if "place" in words:  # what only the process knew, at its end
            found[number].slips, found[number].restarts_s = words["slips"], words["restarts_s"]
        else:
            record = Record(**words)
            record.pulled = [(name, at) for name, at in record.pulled]
            found[number].records.append(record)
    return [found[number] for number in sorted(found)]


def main() -> None:
    """Judge a run that was kept; exit code 1 if anything is wrong or it did not end."""
    parser = argparse.ArgumentParser(description="Judge a soak again that was run with --keep and --each.")
    parser.add_argument("--keep", type=Path, required=True, help="its folder")
    parser.add_argument("--each", type=Path, required=True, help="its visits")
    parser.add_argument("--told", type=Path, help="its --json, for the slips of a run whose --each does not have them")
    options = parser.parse_args()
    places = kept(options.keep, options.each)
    if options.told is not None:
        told = json.loads(options.told.read_text("utf-8"))
        for place in places:
            place.slips = told["slips_printed"][str(place.place)]
    began, ended = min(p.records[0].began for p in places), max(p.records[-1].ended for p in places)
    with tempfile.TemporaryDirectory(prefix="muster-judge-") as copy:
        for path in options.keep.glob("center.db*"):
            shutil.copy2(path, copy)
        shutil.copytree(options.keep / "keys", Path(copy) / "keys")
        center = center_of(create_center(CenterSettings(database=f"sqlite:///{copy}/center.db")))
        finished = all(place.slips is not None for place in places)
        found = judge(places, center, Path(copy), minutes=(ended - began) / 60, ended=finished)
        center.store.dispose()
    Console().print_json(data=found)
    raise SystemExit(0 if found["good"] else 1)


if __name__ == "__main__":
    main()
