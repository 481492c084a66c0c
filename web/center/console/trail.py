"""The reading log: who did or read what. It can be read and never changed; reading it is written down too."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from models.store.center import AuditRow, StaffRow
from web.center.access import Act
from web.center.console.session import account, audit, guarded
from web.center.context import the_center

trail_pages = Blueprint("trail", __name__, url_prefix="/reading-log")


@trail_pages.get("/")
@guarded(Act.AUDIT_READ)
def index() -> ResponseReturnValue:
    """Entries, newest first, of one account or of all."""
    center = the_center()
    before, staff_id = request.args.get("before", ""), request.args.get("account", "")
    rows = center.settings.page_rows
    with center.writing() as session:
        query = select(AuditRow).order_by(AuditRow.audit_id.desc()).limit(rows + 1)
        if before.isascii() and before.isdigit() and len(before) < 19:
            query = query.where(AuditRow.audit_id < int(before))
        known = select(StaffRow).order_by(StaffRow.login)
        if account().site_id is not None:  # a site's auditor reads what that site's accounts did
            known = known.where(StaffRow.site_id == account().site_id)
        accounts = {row.staff_id: row for row in session.scalars(known)}
        if account().site_id is not None:
            query = query.where(AuditRow.staff_id.in_(accounts))
        if staff_id:
            query = query.where(AuditRow.staff_id == staff_id)
        found = session.scalars(query).all()
        shown = found[:rows]
        audit(session, Act.AUDIT_READ, "audit", f"shown={len(shown)}")
        return render_template(
            "center/trail.html",
            entries=shown,
            accounts=accounts,
            staff_id=staff_id,
            older=shown[-1].audit_id if len(found) > rows else None,
        )
