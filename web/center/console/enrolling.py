"""Pages of enrolling: notice, faces, fingers, similar records, done. The rules are ``enrollment.session``'s.

Works with plain files and no script; the script adds the webcam and shows each verdict without leaving the page.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from enrollment.notice import MissingReason, Notice
from enrollment.repository import save_enrollment
from enrollment.samples import Progress, SampleVerdict
from matcher.pictures import read_gray, read_rgb
from models.biometrics import BiometricSample, FingerPosition, Modality
from models.errors import ImageError, InputError
from models.store.center import PersonRow
from web.center.access import Act, may_at
from web.center.console.pages import notify, text_of
from web.center.console.session import account, audit, chosen_language, guarded
from web.center.context import the_center
from web.center.drafts import DRAFTS, Draft, Drafts, new_session
from web.center.people import person_for
from web.shared.i18n import LANGUAGES
from web.shared.words import HINTS

enrolling_pages = Blueprint("enrolling", __name__, url_prefix="/people/<person_id>/enroll")

NOTICE_VERSION = "2026-1"
MOST_PIXELS = 12_000_000  # enough for any webcam and most telephones
MOST_FILES = 12


@enrolling_pages.get("/")
@guarded(Act.PERSON_ENROLL)
def show(person_id: str) -> ResponseReturnValue:
    """Where the enrollment stands."""
    return _page(person_id, None)


@enrolling_pages.post("/start")
@guarded(Act.PERSON_ENROLL)
def start(person_id: str) -> ResponseReturnValue:
    """Record that the notice was given, and begin."""
    center = the_center()
    if request.form.get("told") != "1":
        return _page(person_id, "notice_missing"), 422
    language = request.form.get("language", "")
    with center.lane.engines() as engines, center.reading() as store:
        person = person_for(store, account(), person_id)
        session = new_session(center, store, person, engines)
    notice = Notice(
        version=NOTICE_VERSION,
        language=language if language in LANGUAGES else chosen_language(),
        given_at=center.clock(),
        staff_id=account().staff_id,
    )
    _drafts().put(account().staff_id, person_id, Draft(session, notice, center.clock()))
    return redirect(url_for("enrolling.show", person_id=person_id), 303)


@enrolling_pages.post("/face")
@guarded(Act.PERSON_ENROLL)
def face(person_id: str) -> ResponseReturnValue:
    """Take faces from files or from the webcam."""
    center, draft = the_center(), _draft(person_id)
    verdicts = []
    for content in _files():
        try:
            pixels = read_rgb(content, max_pixels=MOST_PIXELS)
        except ImageError as error:
            verdicts.append(_unreadable(error))
            continue
        sample = BiometricSample(Modality.FACE, pixels, center.clock(), "console")
        with center.lane.engines():
            verdicts.append(_verdict(draft.session.add_face(sample)))
    return _answer(person_id, draft, verdicts)


@enrolling_pages.post("/finger")
@guarded(Act.PERSON_ENROLL)
def finger(person_id: str) -> ResponseReturnValue:
    """Take impressions of one finger from files."""
    center, draft = the_center(), _draft(person_id)
    position, dpi = _position(request.form.get("position", "")), _dpi(request.form.get("dpi", "500"))
    verdicts = []
    for content in _files():
        try:
            pixels = read_gray(content, max_pixels=MOST_PIXELS)
        except ImageError as error:
            verdicts.append(_unreadable(error))
            continue
        sample = BiometricSample(Modality.FINGER, pixels, center.clock(), "console", dpi)
        with center.lane.engines():
            verdicts.append(_verdict(draft.session.add_finger(sample, position)))
    return _answer(person_id, draft, verdicts)


@enrolling_pages.post("/finish")
@guarded(Act.PERSON_ENROLL)
def finish(person_id: str) -> ResponseReturnValue:
    """Store the enrollment; similar records must have been looked at."""
    center, draft = the_center(), _draft(person_id)
    reason = request.form.get("missing_reason", "")
    cleared = account().staff_id if request.form.get("cleared") == "1" else None
    try:
        with center.lane.engines():
            enrolled = draft.session.complete(draft.notice, missing_reason=_reason(reason), cleared_by=cleared)
        with center.writing() as store:
            person_for(store, account(), person_id)
            save_enrollment(store, enrolled)
    except InputError as error:
        return _page(person_id, "duplicate_open" if error.code == "duplicate_found" else error.code), 422
    _drafts().drop(account().staff_id, person_id)
    notify("person_enrolled")
    return redirect(url_for("people.show", person_id=person_id), 303)


@enrolling_pages.post("/discard")
@guarded(Act.PERSON_ENROLL)
def discard(person_id: str) -> ResponseReturnValue:
    """Forget everything taken so far."""
    _drafts().drop(account().staff_id, person_id)
    return redirect(url_for("people.show", person_id=person_id), 303)


def _page(person_id: str, flaw: str | None) -> str:
    center = the_center()
    draft = _drafts().get(account().staff_id, person_id, center.clock())
    with center.writing() as store:
        person = person_for(store, account(), person_id)
        audit(store, Act.PERSON_ENROLL, person_id, "under_way" if draft else "opened")
        similar: list[dict[str, Any]] = []
        progress = None
        if draft is not None:
            progress = draft.session.progress()
            if progress.faces or progress.impressions:
                with center.lane.engines():
                    found = draft.session.duplicates()
                similar = [_similar(store.get(PersonRow, item.person_id), item) for item in found]
                for shown in {item["person"].person_id for item in similar if item["person"]}:
                    audit(store, Act.PERSON_READ, shown, "similar")
        return render_template(
            "center/enroll.html",
            person=person,
            draft=draft,
            progress=progress,
            plan=draft.session.plan if draft else None,
            similar=similar,
            fingers=[position.value for position in FingerPosition if position],
            reasons=[reason.value for reason in MissingReason],
            notice_version=NOTICE_VERSION,
            flaw=flaw,
        )


def _similar(row: PersonRow | None, found: Any) -> dict[str, Any]:
    visible = row is not None and may_at(account(), row.site_id)
    return {
        "person": row if visible else None,  # somebody of another site stays unnamed
        "modality": found.modality.value,
        "score": found.score,
        "threshold": found.threshold,
    }


def _answer(person_id: str, draft: Draft, verdicts: list[dict[str, Any]]) -> ResponseReturnValue:
    if request.headers.get("X-Requested-With") == "fetch":
        return jsonify({"verdicts": verdicts, "progress": _progress(draft.session.progress())})
    for verdict in verdicts:
        flash(verdict["message"], "good" if verdict["accepted"] else "hint")
    return redirect(url_for("enrolling.show", person_id=person_id), 303)


def _progress(progress: Progress) -> dict[str, Any]:
    return {"faces": progress.faces, "faces_wanted": progress.faces_wanted, "complete": progress.complete}


def _verdict(verdict: SampleVerdict) -> dict[str, Any]:
    quality = verdict.quality.value if verdict.quality else None
    hint = verdict.hint or "sample_taken"
    said = str(HINTS[hint]) if hint in HINTS else text_of(hint)
    return {"accepted": verdict.accepted, "hint": verdict.hint, "message": said, "quality": quality}


def _unreadable(error: ImageError) -> dict[str, Any]:
    return {"accepted": False, "hint": error.code, "message": text_of(error.code), "quality": None}


def _draft(person_id: str) -> Draft:
    center = the_center()
    draft = _drafts().get(account().staff_id, person_id, center.clock())
    with center.reading() as store:
        person_for(store, account(), person_id)
    if draft is None:
        raise InputError("There is no such enrollment under way.", code="draft_gone")
    return draft


def _drafts() -> Drafts:
    drafts: Drafts = current_app.extensions[DRAFTS]
    return drafts


def _files() -> list[bytes]:
    contents = [file.read() for file in request.files.getlist("pictures")[:MOST_FILES] if file.filename]
    if not contents:
        raise InputError("No picture was sent.", code="image_missing")
    return contents


def _position(text: str) -> FingerPosition:
    try:
        position = FingerPosition(int(text))
    except ValueError as error:
        raise InputError("Say which finger it is.", code="finger_unknown") from error
    if not position:
        raise InputError("Say which finger it is.", code="finger_unknown")
    return position


def _dpi(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 100 <= int(text) <= 2000):
        raise InputError("The resolution is 100 to 2000 dots per inch.", code="dpi_invalid")
    return int(text)


def _reason(text: str) -> MissingReason | None:
    return MissingReason(text) if text in {reason.value for reason in MissingReason} else None
