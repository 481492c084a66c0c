"""What a long run calls explained, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.whole.soak_verdict import Event, Record, judge_visit

PEOPLE = {"2001": "p1", "2002": "p2"}


def event(seq: int, kind: str, *, outcome: str = "accepted", person: str | None = "p1", **details: Any) -> Event:
    return Event(seq, f"e{seq}", 1.0, kind, outcome, person, details)


def judged(*events: Event, kind: str = "finger", **more: Any) -> Record:
    seen = {"steps": [("idle", 0.0)], "receipts": [], "taps": {}} | more.pop("seen", {})
    record = Record(0, 0, 0, kind, "none", 0.0, who="2001", ended=2.0, events=list(events), seen=seen, **more)
    judge_visit(record, PEOPLE)
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
