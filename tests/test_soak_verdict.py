"""What a long run calls explained, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.whole.soak_judge import Place, first_counted, note_pulled_before, note_slowness, recognition, slips_wrong
from tests.whole.soak_verdict import Event, Record, judge_visit

PEOPLE = {"2001": "p1", "2002": "p2"}
LONG = {"gave_up": True, "seconds": 75.0}
MOVING, STUCK = [("look", 0.0), ("working", 30.0), ("menu", 50.0)], [("look", 0.0), ("finger", 10.0)]


def event(seq: int, kind: str, *, outcome: str = "accepted", person: str | None = "p1", **details: Any) -> Event:
    return Event(seq, f"e{seq}", 1.0, kind, outcome, person, details)


def visit(*events: Event, kind: str = "finger", at: float = 0.0, lane: int = 0, **more: Any) -> Record:
    seen = {"steps": [("idle", 0.0)], "receipts": [], "taps": {}} | more.pop("seen", {})
    took = more.pop("took", 2.0)
    return Record(
        0, lane, 0, kind, "none", at, who="2001", ended=at + took, events=list(events), seen=seen, **more
    )  # fmt: skip


def judged(*events: Event, counted: Mapping[str, float] | None = None, **more: Any) -> Record:
    record = visit(*events, **more)
    judge_visit(record, PEOPLE, counted)
    return record


def test_a_report_and_what_was_chosen_are_recorded_once() -> None:
    record = judged(
        event(1, "report_in_person"), event(2, "education_in", visit="e1"),
        seen={
            "taps": {"education_in": 1, "done": 1},
            "receipts": [
                {"receipt": "000001", "errand": None, "outcome": "accepted"},
                {"receipt": "000002", "errand": "education_in", "outcome": "accepted"},
            ],
        },
    )  # fmt: skip
    assert (record.wrong, record.verdict) == ([], "recorded once")


@pytest.mark.parametrize(
    ("events", "seen"),
    [
        ((event(1, "report_in_person"), event(2, "report_in_person")), {}),
        ((event(1, "report_in_person"), event(2, "service_in", visit="e1")), {}),
        ((event(1, "report_in_person"),), {"taps": {"service_in": 1}}),
        ((event(1, "report_in_person"), event(2, "answers", visit="e0")), {"answered": 1}),
        ((event(1, "report_in_person"),), {"answered": 2}),
        ((event(1, "report_in_person", person="p2"),), {}),
        ((event(1, "report_in_person"),), {"receipts": [{"receipt": "000002", "errand": None, "outcome": "accepted"}]}),
        ((), {}),
        ((), {"receipts": [{"receipt": "000001", "errand": None, "outcome": "accepted"}]}),
    ],
    ids=["twice", "not chosen", "lost", "of another", "no answers", "somebody else", "no such", "nothing", "not there"],
)
def test_what_nobody_can_explain_is_wrong(events: tuple[Event, ...], seen: dict[str, Any]) -> None:
    assert judged(*events, seen=seen).wrong


def test_nothing_recorded_needs_a_cause_that_was_observed_in_this_visit() -> None:
    assert not judged(killed=True).wrong
    assert not judged(pulled=[("sensor", 1.0)]).wrong
    assert judged(pulled=[("sensor", 3.0)]).wrong  # after it
    assert judged(pulled=[("printer", 1.0)]).wrong  # nobody checks in with a printer
    assert not judged(told={"walks_away_at": "look"}, seen={"left_at": "look"}).wrong
    assert judged(told={"walks_away_at": "menu"}, seen={"left_at": "idle"}).wrong
    assert not judged(kind="number_unknown", seen={"hints": ["number_unknown"]}).wrong
    assert judged(kind="number_unknown").wrong


def test_staff_are_in_and_out_and_vouch_once() -> None:
    acts = [event(1, "staff", person=None, act="sign_in"), event(3, "staff", person=None, act="sign_out")]
    vouched = event(2, "witnessed_check_in", outcome="witnessed")
    told = {"vouches_for": "2001"}
    assert judged(*acts, vouched, kind="staff", told=told).verdict == "staff vouched once"
    assert judged(*acts, kind="staff", told=told).wrong
    assert judged(*acts, vouched, vouched, kind="staff", told=told).wrong
    assert judged(*acts, vouched, kind="staff", told={"vouches_for": "2002"}).wrong


def test_staff_who_are_told_that_no_device_works_need_a_device_that_was_just_unplugged() -> None:
    told, seen = {"vouches_for": "2001"}, {"staff_pages": ["who", "pin", "no_way_to_compare"]}
    unplugged = visit(at=80.0, took=10.0, pulled=[("sensor", 88.0)])
    after, later, unasked = (visit(kind="staff", at=at, told=told, seen=seen) for at in (91.0, 120.0, 91.0))
    unasked.seen["staff_pages"] = ["who", "pin"]
    for record in (after, later, unasked):
        note_pulled_before([Place(0, "kiosk", [unplugged, record], slips=None)])
        judge_visit(record, PEOPLE)
    assert (after.wrong, after.verdict) == ([], "staff: told that sensor cannot be used yet, nothing was done")
    assert later.wrong
    assert unasked.wrong


@pytest.mark.parametrize(("asked_s", "explained"), [(0.01, True), (10.0, False)])
def test_a_sensor_that_was_just_unplugged_may_fail_at_once_and_one_that_nobody_touches_is_no_such_thing(
    asked_s: float, explained: bool
) -> None:
    steps = [("idle", 0.0), ("staff", 0.1), ("finger", 0.2), ("staff", 0.2 + asked_s), ("idle", 0.3 + asked_s)]
    seen = {"staff_pages": ["who", "pin", "not_compared"], "steps": steps}
    unplugged = visit(at=80.0, took=10.0, pulled=[("sensor", 88.0)])
    record = visit(kind="staff", at=91.0, told={"vouches_for": "2001"}, seen=seen)
    note_pulled_before([Place(0, "kiosk", [unplugged, record], slips=None)])
    judge_visit(record, PEOPLE)
    assert bool(record.wrong) is not explained


def test_staff_are_refused_to_vouch_only_for_somebody_whose_presence_was_recorded_before() -> None:
    acts = [
        event(seq, "staff", person=None, act=act) for seq, act in enumerate(("sign_in", "witness_refused", "sign_out"))
    ]
    told = {"vouches_for": "2001"}
    refused = judged(*acts, kind="staff", told=told, counted={"p1": 0.5})
    assert (refused.wrong, refused.verdict) == ([], "staff was refused to vouch, once")
    assert judged(*acts, kind="staff", told=told, counted={"p2": 0.5}).wrong
    assert judged(*acts, kind="staff", told=told, counted={"p1": 1.5}).wrong  # only after it
    assert first_counted([visit(event(1, "report_in_person")), visit(event(2, "presence", person="p2"))]) == {"p1": 1.0}


@pytest.mark.parametrize("device", ["printer", "card", "camera", "sensor"])
def test_a_device_that_was_unplugged_is_no_reason_for_a_lost_errand(device: str) -> None:
    record = judged(event(1, "report_in_person"), pulled=[(device, 1.0)], seen={"taps": {"service_in": 1}})
    assert record.wrong == ["service_in: 0 recorded, 1 chosen"]


def test_giving_up_is_wrong_without_a_device_that_the_visit_needs() -> None:
    head = event(1, "presence")
    assert judged(head, seen=LONG).wrong
    assert judged(head, seen=LONG, pulled=[("printer", 1.0)]).wrong
    assert judged(head, seen=LONG, pulled=[("camera", 1.0)]).wrong  # a finger needs none
    assert not judged(head, seen=LONG, pulled=[("sensor", 1.0)]).wrong
    assert not judged(head, seen=LONG, pulled=[("camera", 1.0)], told={"errands": ["written_report"]}).wrong
    acts = [event(2, "staff", person=None, act="sign_in")]
    assert judged(*acts, kind="staff", told={"vouches_for": "2001"}, seen=LONG).wrong


@pytest.mark.parametrize(
    ("steps", "others_took_s", "excused"),
    [(MOVING, 30.0, True), (STUCK, 30.0, False), (MOVING, 3.0, False)],
    ids=["slow everywhere", "stuck", "slow here only"],
)
def test_a_machine_counts_as_too_busy_if_the_other_kiosks_were_slow_and_the_visit_got_on(
    steps: list[tuple[str, float]], others_took_s: float, excused: bool
) -> None:
    usual = [visit(at=1000.0 + 3 * place, took=2.0) for place in range(9)]
    others = [visit(at=25.0 * place, lane=1 + place, took=others_took_s) for place in range(2)]
    record = visit(event(1, "presence"), took=75.0, seen=LONG | {"steps": steps, "taps": {"service_in": 1}})
    note_slowness([*usual, *others, record])
    judge_visit(record, PEOPLE)
    assert (not record.wrong) is excused
    assert record.slowness == others_took_s / 2


def test_those_who_can_be_known_and_are_not_are_counted_by_policy() -> None:
    def under(policy: str, began: str, note: str = "no_match", **more: Any) -> Record:
        return visit(Event(1, "e1", 1.0, began, None, "p1", {}, policy, note), **more)

    records = [under("plain", "report_in_person") for _ in range(57)] + [under("plain", "failed_attempt")] * 3
    records += [under("plain", "failed_attempt", kind="stranger"), visit()]
    found = recognition(records, {"plain": 0.95})["plain"]
    assert (found["visits"], found["failed"], found["percent_recognised"], found["good"]) == (60, 3, 95.0, True)
    found = recognition([*records, under("plain", "failed_attempt")], {"plain": 0.95})["plain"]
    assert (found["notes"], found["good"]) == ({"no_match": 4}, False)
    found = recognition([*records, under("plain", "failed_attempt", "look_alike")], {"plain": 0.95})["plain"]
    assert (found["failed"], found["look_alike"], found["good"]) == (3, 1, True)
    assert recognition([under("plain", "presence"), under("plain", "failed_attempt")], {"plain": 0.95})["plain"]["good"]
    disturbed = under("plain", "failed_attempt")
    disturbed.fault = "sensor"
    assert not recognition([disturbed], {"plain": 0.95})


def test_an_unplugged_printer_excuses_the_slips_of_the_visits_beside_it_only() -> None:
    place = Place(0, "k1", [visit(event(n, "report_in_person"), at=20.0 * n) for n in range(10)])
    for printed, wrong in ((10, False), (9, True), (11, True), (None, True)):
        place.slips = printed
        assert bool(slips_wrong(place)) is wrong
    place.records[4].pulled = [("printer", 81.0)]
    for printed, wrong in ((10, False), (9, False), (8, True)):
        place.slips = printed
        assert bool(slips_wrong(place)) is wrong
