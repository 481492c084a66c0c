"""When something happened although the clock was wrong. Pure: the rules of a day, kept from turning against a person.

Within one run of the machine the monotonic clock says how long ago a record is, whatever the wall clock said then; with
a clock that can be trusted now, that is a date. Where nobody can say what day it is, nobody is outside of a window, and
only somebody who reported within the last hours of the same run is present already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from kiosk.clock import Clock
from models.attendance import AttendanceEvent, CheckInOutcome, EventType
from models.supervision import PastReport, ReportVerdict, SitePolicy, judge_report

_APART = timedelta(minutes=1)  # clocks that differ by less tell the same day well enough
_SAME_VISIT_DAY = timedelta(hours=10)
REPORTS = frozenset({EventType.REPORT_IN_PERSON, EventType.WITNESSED_CHECK_IN})
COUNTED = frozenset({CheckInOutcome.ACCEPTED, CheckInOutcome.WITNESSED})


def dated(events: Sequence[AttendanceEvent], clock: Clock) -> list[AttendanceEvent]:
    """The events with the times that the clock of now gives them; those of another run of the machine as they are."""
    now = None if clock.certain_now is None else clock.rule_now()
    if now is None:
        return list(events)
    placed = []
    for event in events:
        truly = now - _ago(event, clock)
        moved = event.boot_id == clock.boot_id and abs(truly - event.captured_at) > _APART
        placed.append(replace(event, captured_at=truly) if moved else event)
    return placed


def judge_by(
    policy: SitePolicy, clock: Clock, reports: Sequence[PastReport], events: Sequence[AttendanceEvent]
) -> ReportVerdict:
    """Whether a report counts now: by the site's rule, or by what is left of it when no clock can be believed."""
    now = clock.rule_now()
    if now is not None:
        return judge_report(policy, now, reports)
    lately = any(
        event.type in REPORTS
        and event.outcome in COUNTED
        and event.boot_id == clock.boot_id
        and _ago(event, clock) < _SAME_VISIT_DAY
        for event in events
    )
    return ReportVerdict.ALREADY_PRESENT if lately else ReportVerdict.DUE


def _ago(event: AttendanceEvent, clock: Clock) -> timedelta:
    return timedelta(microseconds=(clock.monotonic_ns() - event.monotonic_ns) / 1000)
