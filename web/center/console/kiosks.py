"""Pages about kiosks: the ones in use, the ones that wait for their digits. Rules stand in ``web.center.pairing``."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import func, select

from models.errors import InputError
from models.store.center import EventRow, KioskRow, SiteRow
from web.center.access import Act
from web.center.console.pages import notify
from web.center.console.people import sites_for
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.pairing import approve_pairing, reject_pairing, revoke_kiosk, waiting_pairings

kiosk_pages = Blueprint("kiosks", __name__, url_prefix="/kiosks")

SILENT_AFTER = timedelta(minutes=10)  # a kiosk asks for its gallery every minute or two


@kiosk_pages.get("/")
@guarded(Act.KIOSKS_READ)
def index() -> ResponseReturnValue:
    """All kiosks of the account's sites."""
    return _page(None)


@kiosk_pages.post("/approve")
@guarded(Act.KIOSKS_WRITE)
def approve() -> ResponseReturnValue:
    """Pair the kiosk whose digits were typed."""
    center, form = the_center(), request.form
    try:
        with center.writing() as session:
            kiosk_id = approve_pairing(
                center,
                session,
                form.get("code", ""),
                site_id=form.get("site_id", ""),
                name=form.get("name", "").strip()[:80],
            )
            audit(session, Act.KIOSKS_WRITE, kiosk_id, "paired")
    except InputError as error:
        return _page(error.code), 422
    notify("kiosk_approved")
    return redirect(url_for("kiosks.index"), 303)


@kiosk_pages.post("/pairings/<pairing_id>/reject")
@guarded(Act.KIOSKS_WRITE)
def reject(pairing_id: str) -> ResponseReturnValue:
    """Refuse a kiosk that waits."""
    with the_center().writing() as session:
        reject_pairing(session, pairing_id)
        audit(session, Act.KIOSKS_WRITE, pairing_id, "rejected")
    notify("kiosk_rejected")
    return redirect(url_for("kiosks.index"), 303)


@kiosk_pages.post("/<kiosk_id>/revoke")
@guarded(Act.KIOSKS_WRITE)
def revoke(kiosk_id: str) -> ResponseReturnValue:
    """End a kiosk's trust."""
    center = the_center()
    with center.writing() as session:
        revoke_kiosk(center, session, kiosk_id)
        audit(session, Act.KIOSKS_WRITE, kiosk_id, "revoked")
    notify("kiosk_withdrawn")
    return redirect(url_for("kiosks.index"), 303)


def _page(flaw: str | None) -> str:
    center = the_center()
    now = center.clock()
    with center.reading() as session:
        query = select(KioskRow, SiteRow.name).join(SiteRow, KioskRow.site_id == SiteRow.site_id)
        if account().site_id is not None:
            query = query.where(KioskRow.site_id == account().site_id)
        kiosks = session.execute(query.order_by(KioskRow.status, SiteRow.name, KioskRow.name)).all()
        counted = select(EventRow.kiosk_id, func.count()).group_by(EventRow.kiosk_id)
        return render_template(
            "center/kiosks.html",
            kiosks=kiosks,
            events=dict(row.tuple() for row in session.execute(counted)),
            waiting=waiting_pairings(session, now) if account().role == "admin" else [],
            sites=sites_for(session, account()),
            silent_before=now - SILENT_AFTER,
            form=request.form,
            flaw=flaw,
        )
