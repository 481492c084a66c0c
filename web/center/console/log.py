"""Pages of the attendance log: list, one event with its evidence, the file for a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, abort, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from models.attendance import CheckInOutcome
from models.errors import InputError
from models.ledger_store import latest_head
from models.store.center import EventRow, KioskRow, PersonRow, StaffRow
from web.center.access import Act, may_at
from web.center.console.pages import moment
from web.center.console.people import read_day, sites_for
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.log import LogFilter, LogLine, count, read_all, read_one, read_page, safe_cell
from web.center.verification import check_event
from web.shared.words import EVENT_TYPES, METHODS, OUTCOMES, word

log_pages = Blueprint("log", __name__, url_prefix="/log")

NOBODY = "nobody"  # in an address, in the place of a person whom the account does not find


@log_pages.get("/")
@guarded(Act.LOG_READ)
def index() -> ResponseReturnValue:
    """The log, newest first."""
    center = the_center()
    flaw = None
    try:
        chosen = _filter()
    except InputError as error:
        chosen, flaw = LogFilter(), error.code
    with center.writing() as session:
        page = read_page(
            session,
            account(),
            chosen,
            zone=center.settings.zone,
            rows=center.settings.page_rows,
            before=_whole("before"),
            after=_whole("after"),
        )
        audit(session, Act.LOG_READ, "log", f"shown={len(page.lines)}")
        kiosks = select(KioskRow).order_by(KioskRow.name)
        if account().site_id is not None:
            kiosks = kiosks.where(KioskRow.site_id == account().site_id)
        return render_template(
            "center/log.html",
            page=page,
            chosen=chosen,
            sites=sites_for(session, account()),
            kiosks=session.scalars(kiosks).all(),
            outcomes=[outcome.value for outcome in CheckInOutcome],
            simulated=is_simulated,
            person=_chosen_person(session, chosen),
            flaw=flaw,
        )


@log_pages.post("/")
@guarded(Act.LOG_READ)
def filter_now() -> ResponseReturnValue:
    """Choose what is shown. A number comes in the body and goes on as an opaque id: addresses are kept in histories."""
    center, form = the_center(), request.form
    number, person_id = form.get("number", "").strip(), form.get("person", "")
    if number:
        with center.reading() as session:
            query = select(PersonRow).where(PersonRow.number == number)
            row = session.scalar(query)
            person_id = row.person_id if row is not None and may_at(account(), row.site_id) else NOBODY
    names = ("since", "until", "site", "kiosk", "outcome")
    chosen: dict[str, Any] = {name: form.get(name, "").strip() or None for name in names}
    return redirect(url_for("log.index", person=person_id or None, **chosen), 303)


@log_pages.get("/<int:leaf_index>")
@guarded(Act.EVENT_READ)
def show(leaf_index: int) -> ResponseReturnValue:
    """One event: what was compared, with which result, and whether the record still holds."""
    center = the_center()
    with center.writing() as session:
        line = read_one(session, account(), leaf_index) if leaf_index < 2**62 else None
        if line is None:
            abort(404)
        checks = check_event(session, line.event, center.key.public_key())
        amended_by = session.scalars(_amendments(line.event)).all()
        audit(session, Act.EVENT_READ, line.event.event_id)
        witness = checks.event.witness if checks.event else None
        return render_template(
            "center/event.html",
            line=line,
            row=line.event,
            checks=checks,
            head=latest_head(session),
            amended_by=amended_by,
            witness=witness,
            witness_row=session.get(StaffRow, witness.staff_id) if witness else None,
        )


@log_pages.get("/export.csv")
@guarded(Act.LOG_EXPORT)
def export() -> ResponseReturnValue:
    """The filtered log as CSV that Excel opens in Chinese and that runs nothing."""
    center = the_center()
    chosen = _filter()
    limit = center.settings.export_rows
    with center.writing() as session:
        found = count(session, account(), chosen, zone=center.settings.zone)
        if found > limit:
            raise InputError("Too many records for one file.", code="export_too_large")
        audit(session, Act.LOG_EXPORT, "log", f"rows={found}")
    with center.reading() as session:
        lines = read_all(session, account(), chosen, zone=center.settings.zone, rows=limit)
        content = "\ufeff" + "".join(_csv(lines))
    answer = Response(content, mimetype="text/csv")
    stamp = center.clock().astimezone(center.settings.zone).strftime("%Y%m%d-%H%M")
    answer.headers["Content-Disposition"] = f'attachment; filename="attendance-{stamp}.csv"'
    return answer


def is_simulated(row: EventRow) -> bool:
    """Whether any evidence of the event came from simulated hardware; a damaged body is shown by its own page."""
    try:
        return any(item.get("simulated") for item in json.loads(row.body)["evidence"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return False


def _csv(lines: Iterator[LogLine]) -> Iterator[str]:
    for cells in _rows(lines):
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\r\n").writerow([safe_cell(cell) for cell in cells])
        yield buffer.getvalue()


def _rows(lines: Iterator[LogLine]) -> Iterator[list[str]]:
    yield [
        gettext("Time"), gettext("Number"), gettext("Name"), gettext("Site"), gettext("Kiosk"), gettext("Type"),
        gettext("Result"), gettext("Method"), gettext("Simulated"), gettext("Received"), gettext("Place in the log"),
        gettext("Event"), gettext("Hash"),
    ]  # fmt: skip
    for line in lines:
        row, person = line.event, line.person
        yield [
            moment(row.captured_at),
            person.number if person else "",
            person.name if person else "",
            line.site_name,
            line.kiosk_name,
            word(EVENT_TYPES, row.type),
            word(OUTCOMES, row.outcome) if row.outcome else "",
            word(METHODS, row.method),
            gettext("yes") if is_simulated(row) else gettext("no"),
            moment(row.received_at),
            str(row.leaf_index),
            row.event_id,
            row.hash,
        ]


def _filter() -> LogFilter:
    return LogFilter(
        since=read_day(request.args.get("since", "")),
        until=read_day(request.args.get("until", "")),
        site_id=request.args.get("site", "").strip(),
        kiosk_id=request.args.get("kiosk", "").strip(),
        outcome=request.args.get("outcome", "").strip(),
        person_id=request.args.get("person", "").strip(),
    )


def _chosen_person(session: Session, chosen: LogFilter) -> PersonRow | None:
    row = session.get(PersonRow, chosen.person_id) if chosen.person_id else None
    return row if row is not None and may_at(account(), row.site_id) else None


def _whole(name: str) -> int | None:
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _amendments(row: EventRow) -> Any:
    return (
        select(EventRow)
        .where(EventRow.type == "amendment", EventRow.leaf_index > row.leaf_index)
        .where(EventRow.body.contains(f'"amends":"{row.event_id}"', autoescape=True))
    )
