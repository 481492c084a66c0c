"""Who is signed in. Owns the session's life and the one decorator that guards every page; refuses passwords.

A session ends by idling, after a working day, and at once when the account's password changes, it is switched off or
expires: the cookie carries a stamp of the password's hash, and the account is read anew for every page, so that a new
role or site holds from the next page on. The lock after wrong passwords is for signing in only and ends no session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, cast

from flask import g, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from models.store.center import AuditRow, StaffRow
from web.center.access import Account, Act, account_usable, demand
from web.center.context import Center, the_center
from web.shared.errors import ApiError
from web.shared.i18n import DEFAULT_LANGUAGE, LANGUAGES

P = ParamSpec("P")

GUARD = "muster_act"  # attribute of a guarded view: the right it asks for


def guarded(act: Act) -> Callable[[Callable[P, ResponseReturnValue]], Callable[P, ResponseReturnValue]]:
    """Let only signed-in accounts with the right ``act`` into a view."""

    def decorate(view: Callable[P, ResponseReturnValue]) -> Callable[P, ResponseReturnValue]:
        @wraps(view)
        def entered(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            account = _current_account(the_center())
            if account is None:
                return _to_sign_in()
            if g.must_change_password and act is not Act.OWN_ACCOUNT:
                return redirect(url_for("account.password"))
            demand(account, act)
            return view(*args, **kwargs)

        setattr(entered, GUARD, act)
        return entered

    return decorate


def start_session(center: Center, row: StaffRow) -> None:
    """Sign an account in, under a new cookie."""
    language = session.get("language")
    session.clear()
    session.permanent = True
    now = center.clock().timestamp()
    session.update(staff_id=row.staff_id, stamp=stamp_of(row), started=now, seen=now)
    session["language"] = language or row.language


def account() -> Account:
    """The account of the current page; only behind ``guarded``."""
    return cast(Account, g.account)


def signed_in() -> Account | None:
    """The account of the current page, if it has one."""
    return cast("Account | None", g.get("account"))


def audit(store: Session, act: Act | str, target: str, detail: str = "") -> None:
    """Note who did or read what, in the transaction of the act itself. Only codes and opaque ids."""
    who = signed_in()
    store.add(
        AuditRow(
            at=the_center().clock(), staff_id=who.staff_id if who else None, act=str(act), object=target, detail=detail
        )
    )


def chosen_language() -> str:
    """The language of the current page: chosen in the session, else Chinese."""
    chosen = session.get("language")
    return chosen if chosen in LANGUAGES else DEFAULT_LANGUAGE


def stamp_of(row: StaffRow) -> str:
    """Changes whenever the password does."""
    return hashlib.sha256(row.password_hash.encode()).hexdigest()[:16]


def _current_account(center: Center) -> Account | None:
    staff_id = session.get("staff_id")
    if staff_id is None:
        return None
    now = center.clock()
    settings = center.settings
    moment = now.timestamp()
    idle = moment - float(session.get("seen", 0)) > settings.idle_timeout_s
    worn = moment - float(session.get("started", 0)) > settings.session_limit_s
    with center.reading() as store:
        row = store.get(StaffRow, staff_id)
    if idle or worn or row is None or stamp_of(row) != session.get("stamp"):
        end_session()
        return None
    if not account_usable(active=row.active, expires_at=row.expires_at, now=now):
        end_session()
        return None
    session["seen"] = moment
    g.account = Account(row.staff_id, row.login, row.name, row.role, row.site_id)
    g.must_change_password = row.must_change_password
    return cast(Account, g.account)


def end_session() -> None:
    """Sign out; the chosen language stays."""
    language = session.get("language")
    session.clear()
    if language:
        session["language"] = language


def _to_sign_in() -> ResponseReturnValue:
    if request.headers.get("X-Requested-With") == "fetch":
        raise ApiError(401, "not_signed_in", "Sign in first.")
    following = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("account.sign_in_form", following=following))
