"""Signing in and out, one's own password and language. Owns no rule: those stand in ``web.center.accounts``."""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue

from enrollment.staff_repository import staff_references
from models.errors import InputError
from models.store.center import AuditRow, StaffRow
from web.center.access import MIN_PASSWORD_CHARACTERS, Act
from web.center.accounts import change_password, sign_in
from web.center.console.pages import notify
from web.center.console.session import account, audit, end_session, guarded, start_session
from web.center.context import the_center
from web.center.kiosk_staff import AT_KIOSKS, LEAST_PIN_DIGITS, MOST_PIN_DIGITS, set_pin
from web.shared.i18n import LANGUAGES

account_pages = Blueprint("account", __name__)


@account_pages.get("/sign-in")
def sign_in_form() -> ResponseReturnValue:
    """The form."""
    return render_template("center/sign_in.html", failed=False, following=request.args.get("following", ""))


@account_pages.post("/sign-in", endpoint="sign_in")
def sign_in_now() -> ResponseReturnValue:
    """Check name and password; the answer is the same for every reason of a refusal."""
    center = the_center()
    row = sign_in(center, request.form.get("login", ""), request.form.get("password", ""))
    with center.writing() as store:
        store.add(
            AuditRow(
                at=center.clock(),
                staff_id=row.staff_id if row else None,
                act="signed_in" if row else "sign_in_failed",
                object="console",
                detail="",
            )
        )
    following = request.form.get("following", "")
    if row is None:
        return render_template("center/sign_in.html", failed=True, following=following), 401
    start_session(center, row)
    return redirect(following if _own_page(following) else url_for("overview.show"), 303)


@account_pages.post("/sign-out")
@guarded(Act.OWN_ACCOUNT)
def sign_out() -> ResponseReturnValue:
    """End the session."""
    end_session()
    return redirect(url_for("account.sign_in_form"), 303)


@account_pages.get("/password")
@guarded(Act.OWN_ACCOUNT)
def password() -> ResponseReturnValue:
    """The form for a new password."""
    return render_template("center/password.html", flaw=None, at_least=MIN_PASSWORD_CHARACTERS)


@account_pages.post("/password")
@guarded(Act.OWN_ACCOUNT)
def password_now() -> ResponseReturnValue:
    """Change one's own password; every other session of the account ends."""
    center = the_center()
    form = request.form
    try:
        if form.get("new") != form.get("again"):
            raise InputError("The two new passwords differ.", code="passwords_differ")
        row = change_password(center, account().staff_id, form.get("present", ""), form.get("new", ""))
    except InputError as error:
        return render_template("center/password.html", flaw=error.code, at_least=MIN_PASSWORD_CHARACTERS), 422
    start_session(center, row)
    notify("password_changed")
    return redirect(url_for("overview.show"), 303)


@account_pages.get("/pin")
@guarded(Act.OWN_ACCOUNT)
def pin() -> ResponseReturnValue:
    """The form for one's own PIN at kiosks."""
    return _pin_page(None)


@account_pages.post("/pin")
@guarded(Act.OWN_ACCOUNT)
def pin_now() -> ResponseReturnValue:
    """Set one's own PIN, under the password of the account."""
    center, form = the_center(), request.form
    own = account().staff_id
    try:
        set_pin(center, own, password=form.get("present", ""), pin=form.get("pin", ""), again=form.get("again", ""))
    except InputError as error:
        return _pin_page(error.code), 422
    with center.writing() as store:
        audit(store, "pin_set", own)
    notify("pin_set")
    return redirect(url_for("account.pin"), 303)


def _pin_page(flaw: str | None) -> str:
    with the_center().reading() as store:
        row = store.get_one(StaffRow, account().staff_id)
        references = [item for item in staff_references(store, row.staff_id) if item.revoked_at is None]
    return render_template(
        "center/pin.html",
        flaw=flaw,
        has_pin=row.pin_hash is not None,
        allowed=row.role in AT_KIOSKS,
        references=references,
        at_least=LEAST_PIN_DIGITS,
        at_most=MOST_PIN_DIGITS,
    )


@account_pages.post("/language")
def language() -> ResponseReturnValue:
    """Choose the language of the console, for the session and for the account."""
    chosen = request.form.get("language", "")
    if chosen in LANGUAGES:
        session["language"] = chosen
        if session.get("staff_id"):
            with the_center().writing() as store:
                row = store.get(StaffRow, session["staff_id"])
                if row is not None:
                    row.language = chosen
    following = request.form.get("following", "")
    return redirect(following if _own_page(following) else url_for("overview.show"), 303)


def _own_page(address: str) -> bool:
    parts = urlsplit(address)
    return address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
