"""Pages of what a person has to come for, and of answers that somebody has to look into. Rules: ``web.center.due``."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from models.errands import DueItem, Errand
from models.errors import InputError
from models.store.center import DueRow, StaffRow
from web.center.access import Act
from web.center.answers import note_look
from web.center.console.pages import notify
from web.center.console.people import read_day
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.due import ENTERED_ERRANDS, DueNote, due_lines, enter_due, withdraw_due
from web.center.people import person_for

due_pages = Blueprint("due", __name__, url_prefix="/people/<person_id>")

LATEST_CLOSED = 20


@due_pages.get("/due/")
@guarded(Act.PERSON_READ)
def show(person_id: str) -> ResponseReturnValue:
    """What is open, what was closed, and the form."""
    return _page(person_id, None)


@due_pages.post("/due/")
@guarded(Act.DUE_WRITE)
def enter(person_id: str) -> ResponseReturnValue:
    """Enter something."""
    center, note = the_center(), request.form.get("note", "")
    try:
        with center.writing() as session:
            enter_due(center, session, account(), person_id, item=_item(), note=note or None)
    except InputError as error:
        if error.code == "person_unknown":
            raise
        return _page(person_id, error.code), 422
    notify("due_entered")
    return redirect(url_for("due.show", person_id=person_id), 303)


@due_pages.post("/due/<due_id>/withdraw")
@guarded(Act.DUE_WRITE)
def withdraw(person_id: str, due_id: str) -> ResponseReturnValue:
    """Take something back."""
    center = the_center()
    with center.writing() as session:
        withdraw_due(center, session, account(), person_id, due_id)
    notify("due_withdrawn")
    return redirect(url_for("due.show", person_id=person_id), 303)


@due_pages.post("/answers/<event_id>/looked")
@guarded(Act.ANSWER_LOOK)
def looked(person_id: str, event_id: str) -> ResponseReturnValue:
    """Note that somebody looked into an answer."""
    center = the_center()
    with center.writing() as session:
        person_for(session, account(), person_id)
        note_look(center, session, account(), person_id, event_id)
        audit(session, Act.ANSWER_LOOK, person_id, event_id)
    notify("answer_looked")
    return redirect(url_for("people.show", person_id=person_id), 303)


def _item() -> DueItem:
    form = request.form
    since, until = read_day(form.get("since", "")), read_day(form.get("until", ""))
    if since is None or until is None:
        raise InputError("Both days are needed.", code="date_invalid")
    if until < since:
        raise InputError("It ends before it begins.", code="due_backwards")
    errand = form.get("errand", "")
    if errand not in {item.value for item in Errand}:
        raise InputError("There is no such errand.", code="due_errand")
    return DueItem(Errand(errand), since, until)


def _page(person_id: str, flaw: str | None) -> str:
    center = the_center()
    with center.writing() as session:
        person = person_for(session, account(), person_id)
        audit(session, Act.PERSON_READ, person_id, "due")
        closed = select(DueRow).where(DueRow.person_id == person_id, DueRow.closed_how.isnot(None))
        staff = {row.staff_id: row.name or row.login for row in session.scalars(select(StaffRow))}
        return render_template(
            "center/due.html",
            person=person,
            lines=due_lines(center, session, person),
            closed=session.scalars(closed.order_by(DueRow.closed_at.desc()).limit(LATEST_CLOSED)).all(),
            staff=staff,
            errands=[errand.value for errand in ENTERED_ERRANDS],
            notes=[note.value for note in DueNote],
            today=center.clock().astimezone(center.settings.zone).date(),
            form=request.form if flaw else {},
            flaw=flaw,
        )
