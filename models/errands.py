"""What a person can come for, and what a kiosk offers first. Owns the rule; refuses clocks and storage.

A kiosk learns from its center what is due for whom. What it offers follows from that and from what it recorded today,
so that it works without the center, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Self

from models.attendance import EventType
from models.errors import InputError


class Errand(StrEnum):
    """A reason to come to the office. Each ends in an event of the type with the same name."""

    REPORT_IN_PERSON = "report_in_person"
    WRITTEN_REPORT = "written_report"
    EDUCATION_IN = "education_in"
    EDUCATION_OUT = "education_out"
    SERVICE_IN = "service_in"
    SERVICE_OUT = "service_out"
    LEAVE_RETURN = "leave_return"
    HELP_REQUEST = "help_request"

    @property
    def event_type(self) -> EventType:
        """The type of the event that records it."""
        return EventType(self.value)


USUAL_ERRANDS: tuple[Errand, ...] = tuple(Errand)
_PAIRS: Mapping[Errand, Errand] = {
    Errand.EDUCATION_IN: Errand.EDUCATION_OUT,
    Errand.SERVICE_IN: Errand.SERVICE_OUT,
}


@dataclass(frozen=True, slots=True)
class DueItem:
    """Something a person has to come for, from one local day to another, both included."""

    errand: Errand
    since: date
    until: date

    def open_on(self, day: date) -> bool:
        """Whether it can be done on this day. What was not done in time can still be done."""
        return self.since <= day

    def to_json(self) -> dict[str, str]:
        """Plain JSON values; ``from_json`` is its inverse."""
        return {"errand": self.errand.value, "since": self.since.isoformat(), "until": self.until.isoformat()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read it back. Raises InputError."""
        try:
            item = cls(
                Errand(values["errand"]), date.fromisoformat(values["since"]), date.fromisoformat(values["until"])
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("A due item has an errand and two dates.", code="due_malformed") from error
        if item.until < item.since:
            raise InputError("A due item ends before it begins.", code="due_malformed")
        return item


def offered(
    errands: Iterable[Errand], due: Sequence[DueItem], today: date, done_today: Sequence[EventType]
) -> tuple[tuple[Errand, bool], ...]:
    """What is offered to a person today, and whether it is due; what is due comes first, help last.

    ``errands`` are those that the office knows, ``done_today`` the types of what the person did today, oldest first.
    Whoever came in is offered to go out, and nobody can come in twice without having gone out.
    """
    open_now = {item.errand for item in due if item.open_on(today)}
    shown = []
    for errand in errands:
        counted = errand.event_type in done_today and errand is not Errand.HELP_REQUEST
        if errand in _PAIRS or errand in _PAIRS.values():
            if _inside(errand, done_today) != (errand in _PAIRS.values()):
                continue
        elif counted:
            continue
        leaving = errand in _PAIRS.values()  # whoever is inside will want to go out
        shown.append((errand, errand in open_now or leaving))
    order = {errand: place for place, errand in enumerate(USUAL_ERRANDS)}
    return tuple(sorted(shown, key=lambda item: (item[0] is Errand.HELP_REQUEST, not item[1], order[item[0]])))


def reports_at_once(
    choices: Sequence[tuple[Errand, bool]], due: Sequence[DueItem] | None, today: date, *, already: bool
) -> bool:
    """Whether a report in person is recorded as soon as somebody is identified, before anything is asked.

    ``choices`` as ``offered`` makes them, ``due`` None from a center that does not say, ``already``: a report counted
    today. Where there is nothing else to choose, and where nothing is known, coming is reporting.
    """
    others = [is_due for errand, is_due in choices if errand is not Errand.REPORT_IN_PERSON]
    if not others:
        return True
    if already:
        return not any(others)
    return due is None or any(item.errand is Errand.REPORT_IN_PERSON and item.open_on(today) for item in due)


def next_report(due: Sequence[DueItem] | None, today: date) -> date | None:
    """The last day of the next report in person that is not open yet; None if none is known."""
    later = [item for item in due or () if item.errand is Errand.REPORT_IN_PERSON and item.since > today]
    return min(later, key=lambda item: item.since).until if later else None


def _inside(errand: Errand, done_today: Sequence[EventType]) -> bool:
    """Whether the person came in for this and has not gone out."""
    entry = errand if errand in _PAIRS else next(first for first, last in _PAIRS.items() if last is errand)
    kinds = [kind for kind in done_today if kind in (entry.event_type, _PAIRS[entry].event_type)]
    return bool(kinds) and kinds[-1] is entry.event_type
