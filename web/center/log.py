"""Reading the attendance log: filters, pages, rows for a file. Owns the queries; refuses to change anything.

Pages are keyed by the place in the log, newest first, so that records that arrive meanwhile move nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from models.store.center import EventRow, KioskRow, PersonRow, SiteRow
from web.center.access import Account

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What to show; empty fields mean everything. Days are whole days of the center's zone, ``until`` included."""

    since: date | None = None
    until: date | None = None
    site_id: str = ""
    outcome: str = ""
    person_id: str = ""
    kiosk_id: str = ""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One record with the names that belong to it. ``person`` is None for nobody, or for somebody erased."""

    event: EventRow
    kiosk_name: str
    site_name: str
    person: PersonRow | None


@dataclass(frozen=True, slots=True)
class LogPage:
    """Lines and the keys of the pages beside this one."""

    lines: Sequence[LogLine]
    older: int | None
    newer: int | None


def read_page(
    session: Session,
    account: Account,
    chosen: LogFilter,
    *,
    zone: ZoneInfo,
    rows: int,
    before: int | None = None,
    after: int | None = None,
) -> LogPage:
    """A page of at most ``rows`` lines older than ``before``, or newer than ``after``, or the newest."""
    query = _query(account, chosen, zone)
    if after is not None:
        query = query.where(EventRow.leaf_index > after).order_by(EventRow.leaf_index)
    else:
        query = query.order_by(EventRow.leaf_index.desc())
        if before is not None:
            query = query.where(EventRow.leaf_index < before)
    found = [_line(row) for row in session.execute(query.limit(rows + 1))]
    more, lines = len(found) > rows, found[:rows]
    if after is not None:
        lines.reverse()
    if not lines:
        return LogPage((), None, None)
    first, last = lines[0].event.leaf_index, lines[-1].event.leaf_index
    older = last if more or after is not None else None
    newer = first if before is not None or (after is not None and more) else None
    return LogPage(lines, older, newer)


def read_all(session: Session, account: Account, chosen: LogFilter, *, zone: ZoneInfo, rows: int) -> Iterator[LogLine]:
    """Every line, oldest first, at most ``rows``."""
    query = _query(account, chosen, zone).order_by(EventRow.leaf_index).limit(rows)
    for row in session.execute(query.execution_options(yield_per=500)):
        yield _line(row)


def count(session: Session, account: Account, chosen: LogFilter, *, zone: ZoneInfo) -> int:
    """How many lines a filter lets through."""
    return session.scalar(select(func.count()).select_from(_query(account, chosen, zone).subquery())) or 0


def read_one(session: Session, account: Account, leaf_index: int) -> LogLine | None:
    """One line by its place in the log, if the account may see its site."""
    row = session.execute(_joined(account).where(EventRow.leaf_index == leaf_index)).first()
    return _line(row) if row else None


def count_outcomes(session: Session, account: Account, day: date, *, zone: ZoneInfo) -> dict[str, int]:
    """How often each outcome came on a day."""
    query = (
        select(EventRow.outcome, func.count())
        .join(KioskRow, KioskRow.kiosk_id == EventRow.kiosk_id)
        .where(EventRow.captured_at >= day_start(day, zone), EventRow.captured_at < day_start(day, zone, days=1))
        .where(EventRow.outcome.isnot(None))
        .group_by(EventRow.outcome)
    )
    if account.site_id is not None:
        query = query.where(KioskRow.site_id == account.site_id)
    return {str(outcome): number for outcome, number in session.execute(query)}


def day_start(day: date, zone: ZoneInfo, *, days: int = 0) -> datetime:
    """The aware moment at which a day begins, ``days`` later."""
    return datetime.combine(day + timedelta(days=days), time.min, tzinfo=zone)


def safe_cell(text: str) -> str:
    """A cell that a spreadsheet shows and never runs: a text that could be a formula gets an apostrophe before it."""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text


def _line(row: Row[EventRow, str, str, PersonRow]) -> LogLine:
    event, kiosk_name, site_name, person = row
    return LogLine(event, kiosk_name, site_name, person)


def _joined(account: Account) -> Select[EventRow, str, str, PersonRow]:
    query = (
        select(EventRow, KioskRow.name, SiteRow.name, PersonRow)
        .join(KioskRow, KioskRow.kiosk_id == EventRow.kiosk_id)
        .join(SiteRow, SiteRow.site_id == KioskRow.site_id)
        .outerjoin(PersonRow, PersonRow.person_id == EventRow.person_id)
    )
    return query if account.site_id is None else query.where(KioskRow.site_id == account.site_id)


def _query(account: Account, chosen: LogFilter, zone: ZoneInfo) -> Select[EventRow, str, str, PersonRow]:
    query = _joined(account)
    if chosen.since:
        query = query.where(EventRow.captured_at >= day_start(chosen.since, zone))
    if chosen.until:
        query = query.where(EventRow.captured_at < day_start(chosen.until, zone, days=1))
    if chosen.site_id:
        query = query.where(KioskRow.site_id == chosen.site_id)
    if chosen.outcome:
        query = query.where(EventRow.outcome == chosen.outcome)
    if chosen.person_id:
        query = query.where(PersonRow.person_id == chosen.person_id)  # of somebody erased nothing is found
    if chosen.kiosk_id:
        query = query.where(EventRow.kiosk_id == chosen.kiosk_id)
    return query
