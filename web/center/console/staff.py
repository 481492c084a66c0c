"""Pages about staff accounts. Rules stand in ``web.center.accounts``."""

from __future__ import annotations

from datetime import datetime

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from models.errors import InputError
from models.store.center import StaffReferenceRow, StaffRow
from models.store.engine import forget_deleted
from web.center.access import ROLES, Act
from web.center.accounts import add_account, change_account, reset_password
from web.center.console.pages import notify
from web.center.console.people import read_day, sites_for
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.kiosk_staff import remove_from_kiosks
from web.center.log import day_start

staff_pages = Blueprint("staff", __name__, url_prefix="/accounts")


@staff_pages.get("/")
@guarded(Act.STAFF_WRITE)
def index() -> ResponseReturnValue:
    """All accounts."""
    return _page()


@staff_pages.post("/")
@guarded(Act.STAFF_WRITE)
def add() -> ResponseReturnValue:
    """Make an account; its one-time password is shown once."""
    center, form = the_center(), request.form
    try:
        with center.writing() as session:
            staff_id, password = add_account(
                center,
                session,
                login=form.get("login", ""),
                name=form.get("name", ""),
                role=form.get("role", ""),
                site_id=form.get("site_id") or None,
                expires_at=_end_of(form.get("expires", "")),
            )
            audit(session, Act.STAFF_WRITE, staff_id, "added")
    except InputError as error:
        return _page(flaw=error.code), 422
    return _page(new_login=form.get("login", "").strip().lower(), new_password=password)


@staff_pages.post("/<staff_id>")
@guarded(Act.STAFF_WRITE)
def change(staff_id: str) -> ResponseReturnValue:
    """Change role, site, end or state of an account."""
    form = request.form
    try:
        with the_center().writing() as session:
            change_account(
                session,
                staff_id,
                role=form.get("role", ""),
                site_id=form.get("site_id") or None,
                active=form.get("active") == "1",
                expires_at=_end_of(form.get("expires", "")),
                by=account().staff_id,
                now=the_center().clock(),
            )
            audit(session, Act.STAFF_WRITE, staff_id, "changed")
    except InputError as error:
        return _page(flaw=error.code), 422
    notify("account_changed")
    return redirect(url_for("staff.index"), 303)


@staff_pages.post("/<staff_id>/kiosk-access")
@guarded(Act.STAFF_WRITE)
def end_kiosk_access(staff_id: str) -> ResponseReturnValue:
    """Take PIN and templates of an account away from every kiosk."""
    center = the_center()
    with center.writing() as session:
        remove_from_kiosks(center, session, staff_id)
        audit(session, Act.STAFF_WRITE, staff_id, "kiosk_access_ended")
    forget_deleted(center.store)
    notify("kiosk_access_ended")
    return redirect(url_for("staff.index"), 303)


@staff_pages.post("/<staff_id>/password")
@guarded(Act.STAFF_WRITE)
def password(staff_id: str) -> ResponseReturnValue:
    """Give an account a new one-time password; it is shown once."""
    center = the_center()
    with center.writing() as session:
        fresh = reset_password(center, session, staff_id)
        audit(session, Act.STAFF_WRITE, staff_id, "password_reset")
        login = session.get_one(StaffRow, staff_id).login
    return _page(new_login=login, new_password=fresh)


def _page(*, flaw: str | None = None, new_login: str = "", new_password: str = "") -> str:
    center = the_center()
    with center.reading() as session:
        counted = select(StaffReferenceRow.staff_id, func.count()).where(StaffReferenceRow.revoked_at.is_(None))
        return render_template(
            "center/staff.html",
            enrolled=dict(session.execute(counted.group_by(StaffReferenceRow.staff_id)).tuples().all()),
            accounts=session.scalars(select(StaffRow).order_by(StaffRow.login)).all(),
            sites=sites_for(session, account()),
            roles=ROLES,
            now=center.clock(),
            zone=center.settings.zone,
            flaw=flaw,
            form=request.form if flaw else {},
            new_login=new_login,
            new_password=new_password,
        )


def _end_of(text: str) -> datetime | None:
    day = read_day(text)
    return day_start(day, the_center().settings.zone, days=1) if day else None
