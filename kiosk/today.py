"""What somebody did at this kiosk today, out of its journal, and at others, as far as the center said. Pure.

Owns what counts as done, so that nobody is counted twice. Refuses storage and clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from kiosk.dating import COUNTED, REPORTS
from kiosk.roster import SitePerson
from models.attendance import AttendanceEvent, CheckInOutcome, EventType
from models.errands import Errand, offered, reports_at_once
from models.supervision import PastReport, SitePolicy


@dataclass(frozen=True, slots=True)
class Today:
    """``done`` are the types of what counted today, oldest first; ``reports`` are the reports of the last days,
    ``events`` whatever they were read from."""

    day: date
    done: tuple[EventType, ...]
    reports: tuple[PastReport, ...]
    events: tuple[AttendanceEvent, ...] = ()

    @property
    def reported(self) -> bool:
        """Whether a report in person counted today."""
        return EventType.REPORT_IN_PERSON in self.done

    def choices(self, errands: Sequence[Errand], person: SitePerson) -> tuple[tuple[Errand, bool], ...]:
        """What the person is offered, and whether it is due."""
        return offered(errands, person.due or (), self.day, self.done)

    def begins_with_report(self, errands: Sequence[Errand], person: SitePerson) -> bool:
        """Whether a report in person is recorded before anything is asked."""
        return reports_at_once(self.choices(errands, person), person.due, self.day, already=self.reported)


def today_of(person: SitePerson, events: Sequence[AttendanceEvent], *, policy: SitePolicy, now: datetime) -> Today:
    """``events`` are the person's own of the last days, oldest first.

    A report that counted at another kiosk counts here, too, as soon as the center has told of it.
    """
    reports = [
        PastReport(event.captured_at, event.outcome)
        for event in events
        if event.type in REPORTS and event.outcome is not None
    ]
    if person.last_report is not None:
        reports.append(PastReport(person.last_report, CheckInOutcome.ACCEPTED))
    day = policy.local_day(now)
    done = [event.type for event in events if policy.local_day(event.captured_at) == day and event.type not in REPORTS]
    if any(report.outcome in COUNTED and policy.local_day(report.captured_at) == day for report in reports):
        done.insert(0, EventType.REPORT_IN_PERSON)
    return Today(day, tuple(done), tuple(reports), tuple(events))
