"""Pages of written reports: a person's list, one report, one page of it. Opening one is written into the reading log.

A page is opened for one answer and lies in no cache; rules stand in ``web.center.parcels``.
"""

from __future__ import annotations

from flask import Blueprint, Response, abort, render_template
from flask.typing import ResponseReturnValue

from models.store.center import SiteRow
from web.center.access import Act
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.parcels import open_pages, report_for, written_reports
from web.center.people import person_for

report_pages = Blueprint("reports", __name__, url_prefix="/people/<person_id>/reports")

MOST_LISTED = 100


@report_pages.get("/")
@guarded(Act.REPORT_READ)
def index(person_id: str) -> ResponseReturnValue:
    """The written reports of a person."""
    with the_center().writing() as session:
        person = person_for(session, account(), person_id)
        audit(session, Act.PERSON_READ, person_id, "reports")
        reports = written_reports(session, person_id, rows=MOST_LISTED)
        return render_template("center/reports.html", person=person, reports=reports, at_most=MOST_LISTED)


@report_pages.get("/<parcel_id>/")
@guarded(Act.REPORT_READ)
def show(person_id: str, parcel_id: str) -> ResponseReturnValue:
    """One report with its pages."""
    center = the_center()
    with center.writing() as session:
        person = person_for(session, account(), person_id)
        row = report_for(session, person_id, parcel_id)
        audit(session, Act.REPORT_READ, person_id, parcel_id)
        event = next((one.event for one in written_reports(session, person_id, rows=MOST_LISTED)
                      if one.parcel.parcel_id == parcel_id), None)  # fmt: skip
        return render_template(
            "center/report.html",
            person=person,
            report=row,
            site=session.get_one(SiteRow, row.site_id),
            event=event,
            pages=len(open_pages(center, row)),
        )


@report_pages.get("/<parcel_id>/<int:number>.jpg")
@guarded(Act.REPORT_READ)
def page(person_id: str, parcel_id: str, number: int) -> ResponseReturnValue:
    """One page of a report, opened for this answer only."""
    center = the_center()
    with center.writing() as session:
        person_for(session, account(), person_id)
        pages = open_pages(center, report_for(session, person_id, parcel_id))
        if not 1 <= number <= len(pages):
            abort(404)
        audit(session, Act.REPORT_READ, person_id, f"{parcel_id} page={number}")
    answer = Response(pages[number - 1], mimetype="image/jpeg")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Disposition"] = "inline"
    return answer
