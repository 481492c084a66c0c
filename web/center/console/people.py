"""Pages about people: list, search, enter, change, withdraw, erase. Rules stand in ``web.center.people``."""

from __future__ import annotations

from datetime import date

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import select
from sqlalchemy.orm import Session

from enrollment.revocation import erase_person, withdraw_enrollment
from models.errors import InputError
from models.people import Category, SupervisionLevel
from models.store.center import EventRow, NoticeRow, ReferenceRow, SiteRow
from models.store.engine import forget_deleted
from web.center.access import Account, Act
from web.center.answers import answers_of
from web.center.console.pages import notify
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.due import due_lines
from web.center.parcels import written_reports
from web.center.people import (
    PersonEntry,
    add_person,
    change_person,
    coverage,
    find_people,
    person_for,
)

people_pages = Blueprint("people", __name__, url_prefix="/people")

LATEST_VISITS = 10


@people_pages.get("/")
@guarded(Act.PEOPLE_READ)
def index() -> ResponseReturnValue:
    """People of the account's sites."""
    return _list("", "", "")


@people_pages.post("/")
@guarded(Act.PEOPLE_READ)
def search() -> ResponseReturnValue:
    """People found by number or name, page by page. A name in an address would be kept in histories and logs."""
    return _list(*(request.form.get(name, "").strip() for name in ("search", "site", "after")))


def _list(search: str, site_id: str, after: str) -> str:
    center = the_center()
    rows = center.settings.page_rows
    with center.writing() as session:
        found = find_people(session, account(), search=search, site_id=site_id or None, after=after, rows=rows)
        shown = found[:rows]
        covered = coverage(session, [row.person_id for row in shown])
        sites = sites_for(session, account())
        audit(session, Act.PEOPLE_READ, "people", f"shown={len(shown)}")
        return render_template(
            "center/people.html",
            people=shown,
            coverage=covered,
            sites=sites,
            search=search,
            site_id=site_id,
            first=not after,
            following=shown[-1].number if len(found) > rows else None,
        )


@people_pages.get("/new")
@guarded(Act.PERSON_WRITE)
def new() -> ResponseReturnValue:
    """The form for a new person."""
    return _form(None, {}, None)


@people_pages.post("/new")
@guarded(Act.PERSON_WRITE)
def add() -> ResponseReturnValue:
    """Enter a person."""
    center = the_center()
    try:
        with center.writing() as session:
            person_id = add_person(center, session, account(), _entry())
            audit(session, Act.PERSON_WRITE, person_id, "added")
    except InputError as error:
        return _form(None, request.form.to_dict(), error.code), 422
    notify("person_added")
    return redirect(url_for("people.show", person_id=person_id), 303)


@people_pages.get("/<person_id>")
@guarded(Act.PERSON_READ)
def show(person_id: str) -> ResponseReturnValue:
    """One person: record, enrollment, latest visits."""
    return _page(person_id, None)


@people_pages.get("/<person_id>/change")
@guarded(Act.PERSON_WRITE)
def change_form(person_id: str) -> ResponseReturnValue:
    """The form for changing a record."""
    center = the_center()
    with center.writing() as session:
        row = person_for(session, account(), person_id)
        audit(session, Act.PERSON_READ, person_id)
        values = {
            "number": row.number,
            "name": row.name,
            "site_id": row.site_id,
            "level": row.level,
            "category": row.category,
            "term_end": row.term_end.isoformat() if row.term_end else "",
            "active": "1" if row.active else "",
            "card": "1" if row.id_card else "",
        }
    return _form(person_id, values, None)


@people_pages.post("/<person_id>/change")
@guarded(Act.PERSON_WRITE)
def change(person_id: str) -> ResponseReturnValue:
    """Change a record."""
    center = the_center()
    try:
        with center.writing() as session:
            change_person(center, session, account(), person_id, _entry())
            audit(session, Act.PERSON_WRITE, person_id, "changed")
    except InputError as error:
        return _form(person_id, request.form.to_dict(), error.code), 422
    notify("person_changed")
    return redirect(url_for("people.show", person_id=person_id), 303)


@people_pages.post("/<person_id>/revoke")
@guarded(Act.PERSON_REVOKE)
def revoke(person_id: str) -> ResponseReturnValue:
    """Withdraw the enrollment."""
    center = the_center()
    with center.writing() as session:
        person_for(session, account(), person_id)
        withdraw_enrollment(session, person_id, now=center.clock(), staff_id=account().staff_id, reason="console")
    notify("enrollment_revoked")
    return redirect(url_for("people.show", person_id=person_id), 303)


@people_pages.post("/<person_id>/erase")
@guarded(Act.PERSON_ERASE)
def erase(person_id: str) -> ResponseReturnValue:
    """Erase a person for ever."""
    center = the_center()
    try:
        with center.writing() as session:
            row = person_for(session, account(), person_id)
            if request.form.get("number", "").strip() != row.number:
                raise InputError("The number typed is not the person's.", code="confirmation_missing")
            erase_person(session, person_id, now=center.clock(), staff_id=account().staff_id, reason="console")
    except InputError as error:
        return _page(person_id, error.code), 422
    forget_deleted(center.store)
    notify("person_erased")
    return redirect(url_for("people.index"), 303)


def sites_for(session: Session, who: Account) -> list[SiteRow]:
    """The sites that an account may see, by name."""
    query = select(SiteRow).order_by(SiteRow.name)
    if who.site_id is not None:
        query = query.where(SiteRow.site_id == who.site_id)
    return list(session.scalars(query))


def _page(person_id: str, flaw: str | None) -> str:
    center = the_center()
    with center.writing() as session:
        row = person_for(session, account(), person_id)
        audit(session, Act.PERSON_READ, person_id)
        references = session.scalars(
            select(ReferenceRow)
            .where(ReferenceRow.person_id == person_id)
            .order_by(ReferenceRow.revoked_at.isnot(None), ReferenceRow.modality, ReferenceRow.position)
        ).all()
        notices = session.scalars(
            select(NoticeRow).where(NoticeRow.person_id == person_id).order_by(NoticeRow.given_at.desc())
        ).all()
        visits = session.scalars(
            select(EventRow)
            .where(EventRow.person_id == person_id)
            .order_by(EventRow.captured_at.desc())
            .limit(LATEST_VISITS)
        ).all()
        return render_template(
            "center/person.html",
            person=row,
            site=session.get_one(SiteRow, row.site_id),
            references=references,
            in_use=any(reference.revoked_at is None for reference in references),
            notices=notices,
            visits=visits,
            due=due_lines(center, session, row),
            answers=answers_of(session, person_id),
            reports=written_reports(session, person_id, rows=1),
            flaw=flaw,
        )


def _form(person_id: str | None, values: dict[str, str], flaw: str | None) -> str:
    with the_center().reading() as session:
        return render_template(
            "center/person_form.html",
            person_id=person_id,
            values=values or {"level": "2", "category": "02", "active": "1"},
            sites=sites_for(session, account()),
            levels=[level.value for level in SupervisionLevel],
            categories=[category.value for category in Category],
            flaw=flaw,
        )


def _entry() -> PersonEntry:
    form = request.form
    return PersonEntry(
        number=form.get("number", ""),
        name=form.get("name", ""),
        site_id=form.get("site_id", ""),
        level=form.get("level", ""),
        category=form.get("category", ""),
        active=form.get("active") == "1",
        term_end=read_day(form.get("term_end", "")),
        id_number=form.get("id_number", "")[:32],
        forget_card=form.get("forget_card") == "1",
    )


def read_day(text: str) -> date | None:
    """A calendar day as a form sends it; None for an empty field. Raises InputError."""
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise InputError("This is not a date.", code="date_invalid") from error
