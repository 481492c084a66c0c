"""The first page: what today looks like and what waits for a person."""

from __future__ import annotations

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from sqlalchemy import select

from models.ledger_store import latest_head, log_size
from models.store.center import KioskRow
from web.center.access import Act
from web.center.console.kiosks import SILENT_AFTER
from web.center.console.session import account, guarded
from web.center.context import the_center
from web.center.log import count_outcomes
from web.center.pairing import waiting_pairings

overview_pages = Blueprint("overview", __name__, url_prefix="/overview")

NAMED = ("accepted", "already_present", "witnessed", "referred_to_staff")


@overview_pages.get("/")
@guarded(Act.OVERVIEW)
def show() -> ResponseReturnValue:
    """Counts without names."""
    center = the_center()
    now = center.clock()
    today = now.astimezone(center.settings.zone).date()
    with center.reading() as session:
        query = select(KioskRow).where(KioskRow.status == "active").order_by(KioskRow.name)
        if account().site_id is not None:
            query = query.where(KioskRow.site_id == account().site_id)
        counts = count_outcomes(session, account(), today, zone=center.settings.zone)
        return render_template(
            "center/overview.html",
            today=today,
            counts=counts,
            named=NAMED,
            others=sum(number for outcome, number in counts.items() if outcome not in NAMED),
            kiosks=session.scalars(query).all(),
            silent_before=now - SILENT_AFTER,
            waiting=len(waiting_pairings(session, now)) if account().role == "admin" else 0,
            records=log_size(session),
            head=latest_head(session),
        )
