"""What came of each visit of a long run, held against the ledger. Owns the rules; refuses to run anything.

A visit is recorded once if it has one event that begins it and exactly the events of what was chosen, linked to it, of
the person who came. A visit without an event needs a cause that was observed in it: a step that was left, a hint that
was shown, a device that it needs and that was pulled out meanwhile, a process that was killed, a machine too busy.
Staff who are told that no device can compare them need one that was pulled out shortly before.

A machine counts as too busy if the other kiosks, which are processes of their own, took several times as long as usual
meanwhile, and the visit got on all the same: one that stands still on one page is stuck, however busy the machine is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from models.attendance import EventType
from models.errands import Errand
from web.panel.facade import PanelHint, PanelStep

FAILED, PRESENCE, REPORT = EventType.FAILED_ATTEMPT.value, EventType.PRESENCE.value, EventType.REPORT_IN_PERSON.value
ANSWERS, HELP, STAFF = EventType.ANSWERS.value, EventType.HELP_REQUEST.value, EventType.STAFF.value
WITNESSED = EventType.WITNESSED_CHECK_IN.value
ERRANDS = frozenset(errand.value for errand in Errand)
NEEDS = {  # which devices a way to check in cannot do without
    "face": {"camera"}, "stranger": {"camera"}, "finger": {"sensor"}, "finger_alone": {"sensor"},
    "card": {"sensor", "card"}, "card_unknown": {"card"}, "staff": {"sensor"},
}  # fmt: skip
_TOO_BUSY = 5.0  # times as long as usual
_STUCK_SHARE = 0.5  # of a visit on one page is no slow machine
_MENDING_S = 14.0  # it is plugged in again within two and works within ten more; the page is read at once
_NO_DEVICE, _BROKEN = "no_way_to_compare", "not_compared"  # what tells staff that no device works, or that it failed
_AT_ONCE_S = 1.0  # a sensor on which nobody lays a finger is asked for longer


@dataclass(frozen=True, slots=True)
class Event:
    """What the ledger has of one event."""

    seq: int
    event_id: str
    at: float
    type: str
    outcome: str | None
    person_id: str | None
    details: Mapping[str, Any]
    policy: str = ""
    note: str | None = None


@dataclass
class Record:
    """One visit as planned, and what came of it. Times are this machine's wall clock, to find its events by."""

    number: int
    lane: int
    life: int
    kind: str
    fault: str
    began: float
    told: dict[str, Any] = field(default_factory=dict)
    who: str | None = None  # the number of who comes, if somebody may be recognised
    ended: float = 0.0
    outcomes: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    killed: bool = False
    pulled: list[tuple[str, float]] = field(default_factory=list)  # which device was unplugged, and when
    pulled_before: list[tuple[str, float]] = field(default_factory=list)  # the same of the visits before it there
    seen: dict[str, Any] = field(default_factory=dict)
    rss_mb: float = 0.0
    slowness: float = 0.0  # of a visit that was given up: how many times as long as usual the other kiosks took then
    verdict: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def steps(self) -> list[str]:
        """The steps of the screen, as the person saw them."""
        return [step for step, _ in self.seen.get("steps", ())]

    @property
    def walked_at(self) -> str | None:
        """Where the person left, if they did."""
        at = self.told.get("walks_away_at")
        return at if at is not None and self.seen.get("left_at") == at else None

    @property
    def gave_up(self) -> bool:
        """Whether the person's patience was over."""
        return bool(self.seen.get("gave_up"))

    @property
    def longest_on_a_page_s(self) -> float:
        """How long one and the same step was on the screen."""
        times = [at for _, at in self.seen.get("steps", ())] + [self.seen.get("seconds", 0.0)]
        return max((after - at for at, after in pairwise(times)), default=0.0)

    @property
    def starved(self) -> bool:
        """Whether the machine was too busy for a visit that was given up, and the visit got on all the same."""
        got_on = self.longest_on_a_page_s < _STUCK_SHARE * self.seen.get("seconds", 0.0)
        return self.gave_up and got_on and self.slowness >= _TOO_BUSY

    @property
    def needed_gone(self) -> list[str]:
        """The devices that were unplugged meanwhile and that this visit cannot do without."""
        needed = set(NEEDS.get(self.kind, ()))
        if Errand.WRITTEN_REPORT.value in self.told.get("errands", ()):
            needed |= {"camera"}
        return [device for device in sorted(needed) if self.pulled_out(device)]

    @property
    def needed_still_gone(self) -> list[str]:
        """The devices that this visit cannot do without and that were unplugged before it, shortly before it ended."""
        pulled = {name for name, at in self.pulled_before if at >= self.ended - _MENDING_S}
        return sorted(pulled & NEEDS.get(self.kind, set()))

    @property
    def told_no_device(self) -> bool:
        """Whether the pages told staff that there is no device to compare them with, or that it failed at once."""
        pages, steps = self.seen.get("staff_pages", ()), self.seen.get("steps", ())
        asked_s = [after - at for (step, at), (_, after) in pairwise(steps) if step == PanelStep.FINGER]
        return _NO_DEVICE in pages or (_BROKEN in pages and bool(asked_s) and max(asked_s) < _AT_ONCE_S)

    @property
    def cut_short(self) -> bool:
        """Whether something observed ended the visit before the person was done. After the beginning nothing but a
        written report needs a device: one that was unplugged explains only that the person gave up."""
        left = self.killed or self.walked_at is not None or self.seen.get("swapped", False)
        return bool(left or self.starved or (self.gave_up and self.needed_gone))

    def pulled_out(self, device: str | None = None) -> bool:
        """Whether a device was unplugged while the visit went on."""
        return any(device in (None, name) and self.began <= at <= self.ended for name, at in self.pulled)


def judge_visit(record: Record, people: Mapping[str, str], counted: Mapping[str, float] | None = None) -> None:
    """Set ``verdict``, or ``wrong`` if it cannot be explained.

    ``people``: the ids by number; ``counted``: when each id's presence was first recorded by anybody.
    """
    if record.gave_up and not record.starved and not record.needed_gone:
        stood = f"{record.longest_on_a_page_s:.0f} s on one page, the other kiosks {record.slowness:g} times as slow"
        record.wrong.append(f"given up, and nobody can say why: {stood}")
    if record.kind == "staff":
        _judge_staff(record, people, counted or {})
        return
    head = _head(record)
    record.wrong += _against_receipts(record)
    if any(event.type in (STAFF, WITNESSED) for event in record.events):
        record.wrong.append("staff acted in a visit without staff")
    if head is None:
        if record.events or record.outcomes or record.seen.get("receipts"):
            record.wrong.append("something was shown or recorded, and nothing begins it")
        record.verdict = _nothing_recorded(record)
        if not record.verdict:
            record.wrong.append("nothing was recorded, and nobody can say why")
        return
    record.wrong += _against_person(record, head, people) + _against_choices(record, head)
    record.verdict = "recorded once, and given up on a machine too busy" if record.starved else "recorded once"


def _head(record: Record) -> Event | None:
    """The event that the visit begins with; everything else refers to it."""
    heads = [event for event in record.events if "visit" not in event.details and event.type != ANSWERS]
    if len(heads) > 1:
        record.wrong.append(f"{len(heads)} events begin it")
    head = heads[0] if heads else None
    strays = [event for event in record.events if event not in heads and event.details.get("visit") != _id(head)]
    if strays:
        record.wrong.append("an event refers to another visit")
    return head


def _id(head: Event | None) -> str:
    return "" if head is None else head.event_id


def _against_receipts(record: Record) -> list[str]:
    """Every receipt that the screen showed is one event of this visit, of the type that it said."""
    by_seq, wrong = {event.seq: event for event in record.events}, []
    for receipt in record.seen.get("receipts", ()):
        event = by_seq.get(int(receipt["receipt"]))
        if event is None:
            wrong.append(f"receipt {receipt['receipt']} is of no event of this visit")
        elif event.type != (receipt["errand"] or event.type) or event.outcome != receipt["outcome"]:
            wrong.append(f"receipt {receipt['receipt']} says something else than its event")
    return wrong


def _against_person(record: Record, head: Event, people: Mapping[str, str]) -> list[str]:
    """Whoever was recognised is who came."""
    if head.type in (FAILED, HELP):
        return []
    if record.who is None:
        return ["somebody who cannot be known was recognised"]
    others = {event.person_id for event in record.events} - {people[record.who]}
    return ["somebody else was recognised"] if others else []


def _against_choices(record: Record, head: Event) -> list[str]:
    """Exactly what was chosen, and no more; less only if the visit was cut short."""
    found, taps = Counter(event.type for event in record.events), Counter(record.seen.get("taps", {}))
    wrong = []
    if record.killed:  # what was tapped is not known: at most what was meant to be, once each
        taps = Counter(f"{wish}{end}" for wish in record.told.get("errands", ()) for end in ("", "_in", "_out"))
    asked_help = int(bool(record.told.get("presses_help")))
    for errand in ERRANDS:
        at_head = int(errand == REPORT and head.type == REPORT and not (record.seen and taps[REPORT]))
        most = taps[errand] + at_head + (asked_help if errand == HELP else 0)
        papers_kept = errand == Errand.WRITTEN_REPORT.value and PanelStep.DOCUMENT.value in record.steps
        receipts = sum(item["errand"] == errand for item in record.seen.get("receipts", ()))
        least = 0 if record.cut_short else receipts if papers_kept else most
        if not least <= found[errand] <= most:
            wrong.append(f"{errand}: {found[errand]} recorded, {most} chosen")
    if found[PRESENCE] > (head.type == PRESENCE) or found[FAILED] > (head.type == FAILED):
        wrong.append("presence or a failed attempt after the beginning")
    answered = record.seen.get("answered", 0) > 0
    if found[ANSWERS] > 1 or (found[ANSWERS] and not answered and not record.killed):
        wrong.append("answers that nobody gave")
    if answered and not found[ANSWERS] and not record.cut_short:
        wrong.append("answers that were lost")
    return wrong


def _nothing_recorded(record: Record) -> str:
    """The cause that was observed; empty if there is none."""
    hints, kind = record.seen.get("hints", ()), record.kind
    unknown = kind in ("number_unknown", "card_unknown")
    pulled = [device for device in sorted(NEEDS.get(kind, ())) if record.pulled_out(device)]
    causes = (
        (record.killed, "the process was killed before anything was stored"),
        (record.seen.get("hint") == PanelHint.TOO_MANY_NUMBERS, "no number was taken, after five that nobody has"),
        (unknown and kind in hints, f"{kind}: nothing was compared"),
        (
            unknown and record.seen.get("left_at") == PanelStep.FINGER,
            f"{kind}, while none is looked up: a finger was asked for, and none was laid on",
        ),
        (record.walked_at is not None, f"walked away at {record.walked_at} before anything was compared"),
        (record.seen.get("swapped"), "somebody else stepped in before anything was compared"),
        (pulled, f"{', '.join(pulled)} unplugged before anything was compared"),
        (record.starved, "given up on a machine too busy, before anything was compared"),
    )
    return next((cause for observed, cause in causes if observed), "")


def _judge_staff(record: Record, people: Mapping[str, str], counted: Mapping[str, float]) -> None:
    """In once, vouched or refused once, out once; the person vouched for is the one whose number was typed.

    Refused is right only for somebody whose presence was recorded before.
    """
    acts = Counter(str(event.details.get("act")) for event in record.events if event.type == STAFF)
    vouched = [event for event in record.events if event.type == WITNESSED]
    done = len(vouched) + acts["witness_refused"]
    record.wrong += _against_receipts(record)
    if any(event.type not in (STAFF, WITNESSED) for event in record.events):
        record.wrong.append("something else than staff's acts was recorded")
    whom = people[record.told["vouches_for"]]
    if any(event.person_id != whom for event in vouched):
        record.wrong.append("vouched for somebody else")
    refused = [event for event in record.events if event.details.get("act") == "witness_refused"]
    if any(counted.get(whom, event.at) >= event.at for event in refused):
        record.wrong.append("refused to vouch for somebody whose presence nobody had recorded")
    if max(done, acts["sign_in"], acts["sign_out"]) > 1:
        record.wrong.append("an act of staff was recorded twice")
    if (acts["sign_in"], done, acts["sign_out"]) == (1, 1, 1):
        record.verdict = "staff vouched once" if vouched else "staff was refused to vouch, once"
    elif record.killed:
        record.verdict = "staff: the process was killed before all was stored"
    elif record.walked_at is not None:
        record.verdict = f"staff: walked away at {record.walked_at} before all was done"
    elif record.needed_gone:
        record.verdict = f"staff: {', '.join(record.needed_gone)} unplugged before all was done"
    elif record.needed_still_gone and not record.events and record.told_no_device:
        record.verdict = f"staff: told that {', '.join(record.needed_still_gone)} cannot be used yet, nothing was done"
    elif record.starved:
        record.verdict = "staff: given up on a machine too busy"
    else:
        record.wrong.append(f"staff: {dict(acts)} and {len(vouched)} vouched")
