"""Pages about sites and their policies. Rules stand in ``web.center.sites`` and ``models.supervision``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from models.errands import Errand
from models.errors import InputError
from models.people import SupervisionLevel
from models.questions import MOST_QUESTIONS, Question
from models.store.center import SiteRow
from models.supervision import SecondFactor, SitePolicy
from web.center.access import Act, demand_at
from web.center.console.pages import notify
from web.center.console.people import sites_for
from web.center.console.session import account, audit, guarded
from web.center.context import the_center
from web.center.sites import add_site, change_site, change_visit, errands_of, policy_of, questions_of

site_pages = Blueprint("sites", __name__, url_prefix="/sites")


@site_pages.get("/")
@guarded(Act.SITES_READ)
def index() -> ResponseReturnValue:
    """The account's sites."""
    return _list(None)


@site_pages.post("/")
@guarded(Act.SITES_WRITE)
def add() -> ResponseReturnValue:
    """Enter a site."""
    center, form = the_center(), request.form
    try:
        with center.writing() as session:
            site_id = form.get("site_id", "").strip().lower()
            add_site(center, session, site_id, form.get("name", ""))
            audit(session, Act.SITES_WRITE, site_id, "added")
    except InputError as error:
        return _list(error.code), 422
    notify("site_added")
    return redirect(url_for("sites.show", site_id=site_id), 303)


@site_pages.get("/<site_id>")
@guarded(Act.SITES_READ)
def show(site_id: str) -> ResponseReturnValue:
    """A site's policy."""
    with the_center().reading() as session:
        row = _site(session.get(SiteRow, site_id))
        return _form(row, _fields(row), None)


@site_pages.post("/<site_id>")
@guarded(Act.SITES_WRITE)
def change(site_id: str) -> ResponseReturnValue:
    """Change a site's name and policy."""
    center = the_center()
    try:
        with center.writing() as session:
            _site(session.get(SiteRow, site_id))
            change_site(center, session, site_id, name=request.form.get("name", ""), policy=_policy(request.form))
            audit(session, Act.SITES_WRITE, site_id, "changed")
    except InputError as error:
        with center.reading() as session:
            return _form(_site(session.get(SiteRow, site_id)), request.form.to_dict(), error.code), 422
    notify("site_changed")
    return redirect(url_for("sites.show", site_id=site_id), 303)


@site_pages.post("/<site_id>/visit")
@guarded(Act.SITES_WRITE)
def visit(site_id: str) -> ResponseReturnValue:
    """Choose what is asked and offered at a site's kiosks."""
    center, form = the_center(), request.form
    try:
        with center.writing() as session:
            _site(session.get(SiteRow, site_id))
            change_visit(center, session, site_id, questions=form.getlist("question"), errands=form.getlist("errand"))
            audit(session, Act.SITES_WRITE, site_id, "visit")
    except InputError as error:
        with center.reading() as session:
            row = _site(session.get(SiteRow, site_id))
            return _form(row, _fields(row), error.code), 422
    notify("visit_changed")
    return redirect(url_for("sites.show", site_id=site_id), 303)


def _site(row: SiteRow | None) -> SiteRow:
    if row is None:
        raise InputError("There is no such site.", code="site_unknown")
    demand_at(account(), row.site_id)
    return row


def _fields(row: SiteRow) -> dict[str, Any]:
    policy = policy_of(row)
    return {
        "name": row.name,
        "version": policy.version,
        "timezone": policy.timezone,
        "windows": ", ".join(f"{start}-{end}" for start, end in policy.windows),
        "face_alone": policy.face_alone,
        "finger_alone": policy.finger_alone,
        "challenge_required": policy.challenge_required,
        "second_factor": policy.second_factor.value,
        "identify_up_to": policy.identify_up_to,
        "wanted_fpir_percent": f"{policy.wanted_fpir * 100:g}",
        "max_tries": policy.max_tries,
        "second_witness": policy.second_witness,
        **{f"level_{level.value}": suffices.value for level, suffices in policy.levels},
        **{f"days_{level.value}": days for level, days in policy.cadence},
    }


def _policy(form: Mapping[str, str]) -> SitePolicy:
    windows = [part.strip() for part in re.split(r"[,，;；\n]", form.get("windows", "")) if part.strip()]
    pairs = [re.split(r"\s*[-–—~至]\s*", window.replace("：", ":"), maxsplit=1) for window in windows]
    try:
        numbers = int(form.get("identify_up_to", "")), int(form.get("max_tries", ""))
        wanted_fpir = float(form.get("wanted_fpir_percent", "")) / 100
        days = {level.value: form.get(f"days_{level.value}", "").strip() for level in SupervisionLevel}
        cadence = {"cadence": {level: int(text) for level, text in days.items() if text}}
    except ValueError as error:
        raise InputError("A number of the policy is none.", code="configuration_invalid") from error
    return SitePolicy.from_json(
        {
            "version": form.get("version", "").strip(),
            "timezone": form.get("timezone", "").strip(),
            "windows": pairs,
            "face_alone": form.get("face_alone") == "1",
            "finger_alone": form.get("finger_alone") == "1",
            "challenge_required": form.get("challenge_required") == "1",
            "second_factor": form.get("second_factor", ""),
            "identify_up_to": numbers[0],
            "max_tries": numbers[1],
            "wanted_fpir": wanted_fpir,
            "second_witness": form.get("second_witness") == "1",
            "levels": {
                level.value: chosen for level in SupervisionLevel if (chosen := form.get(f"level_{level.value}"))
            },
        }
        | cadence
    )


def _list(flaw: str | None) -> str:
    with the_center().reading() as session:
        sites = [(row, policy_of(row)) for row in sites_for(session, account())]
        return render_template("center/sites.html", sites=sites, flaw=flaw, form=request.form)


def _form(row: SiteRow, values: dict[str, Any], flaw: str | None) -> str:
    return render_template(
        "center/site.html",
        site=row,
        values=values,
        factors=[factor.value for factor in SecondFactor],
        levels=[level.value for level in SupervisionLevel],
        questions=[question.value for question in Question],
        most_questions=MOST_QUESTIONS,
        asked=questions_of(row),
        errands=[errand.value for errand in Errand],
        offered=errands_of(row),
        flaw=flaw,
    )
