"""Staff accounts: signing in, passwords, making and ending accounts. Owns the lock after failed tries; refuses cookies.

Passwords are hashed with Argon2id. An unknown name costs as much time as a wrong password.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from enrollment.staff_repository import bump_for_staff
from models.attendance import uuid7
from models.errors import InputError
from models.store.center import SiteRow, StaffRow
from web.center.access import ROLES, account_usable, password_flaw
from web.center.context import Center

_LOGIN = re.compile(r"[a-z0-9][a-z0-9.-]{1,31}")
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that looks like something else


def sign_in(center: Center, login: str, password: str) -> StaffRow | None:
    """The account, or None: wrong name, wrong password, locked, ended. Counts failures and locks after too many."""
    now = center.clock()
    with center.reading() as session:
        row = session.scalar(select(StaffRow).where(StaffRow.login == login.strip().lower()))
    stored = row.password_hash if row else _nobody(center.hasher)
    right = password_right(center.hasher, stored, password)  # outside the transaction: it takes its time on purpose
    if row is None:
        return None
    with center.writing() as session:
        current = session.get_one(StaffRow, row.staff_id)
        locked = current.locked_until is not None and now < current.locked_until
        if locked or not account_usable(active=current.active, expires_at=current.expires_at, now=now):
            return None
        if not right:
            _count_failure(center, current, now)
            return None
        current.failed_logins, current.locked_until = 0, None
        session.flush()
        session.expunge(current)
    return current


def password_right(hasher: PasswordHasher, stored: str, password: str) -> bool:
    """Whether the password is the one of the hash."""
    try:
        return hasher.verify(stored, password[:1000])
    except (VerificationError, InvalidHashError):
        return False


def change_password(center: Center, staff_id: str, present: str, new: str) -> StaffRow:
    """Replace one's own password. Raises InputError with the code of what is wrong."""
    with center.reading() as session:
        row = session.get_one(StaffRow, staff_id)
    if not password_right(center.hasher, row.password_hash, present):
        raise InputError("The present password is wrong.", code="password_wrong")
    if new == present:
        raise InputError("The new password is the present one.", code="password_same")
    flaw = password_flaw(new, login=row.login)
    if flaw:
        raise InputError("The new password is too weak.", code=flaw)
    hashed = center.hasher.hash(new)
    with center.writing() as session:
        current = session.get_one(StaffRow, staff_id)
        current.password_hash, current.must_change_password = hashed, False
        session.flush()
        session.expunge(current)
    return current


def add_account(
    center: Center,
    session: Session,
    *,
    login: str,
    name: str,
    role: str,
    site_id: str | None,
    expires_at: datetime | None,
) -> tuple[str, str]:
    """Make an account with a one-time password that must be changed; answers (staff_id, password).

    Raises InputError: login_invalid, login_taken, role_invalid, name_invalid or site_unknown.
    """
    login, name = login.strip().lower(), " ".join(name.split())
    if not _LOGIN.fullmatch(login):
        raise InputError("A sign-in name is 2 to 32 letters, digits, dots and hyphens.", code="login_invalid")
    if session.scalar(select(StaffRow.staff_id).where(StaffRow.login == login)):
        raise InputError(f"The sign-in name {login} is taken.", code="login_taken")
    if not 1 <= len(name) <= 64:
        raise InputError("A name is 1 to 64 characters.", code="name_invalid")
    check_role_and_site(session, role, site_id)
    password = one_time_password()
    staff_id = uuid7(center.clock())
    session.add(
        StaffRow(
            staff_id=staff_id,
            login=login,
            name=name,
            password_hash=center.hasher.hash(password),
            role=role,
            site_id=site_id,
            must_change_password=True,
            expires_at=expires_at,
        )
    )
    session.flush()
    return staff_id, password


def reset_password(center: Center, session: Session, staff_id: str) -> str:
    """Give an account a new one-time password and unlock it. Raises InputError."""
    row = _account(session, staff_id)
    password = one_time_password()
    row.password_hash, row.must_change_password = center.hasher.hash(password), True
    row.failed_logins, row.locked_until = 0, None
    return password


def change_account(
    session: Session,
    staff_id: str,
    *,
    role: str,
    site_id: str | None,
    active: bool,
    expires_at: datetime | None,
    by: str,
    now: datetime,
) -> None:
    """Change an account's role, site, end or state. Raises InputError; nobody can take away their own access."""
    row = _account(session, staff_id)
    check_role_and_site(session, role, site_id)
    if staff_id == by and (not active or role != row.role or expires_at is not None or site_id != row.site_id):
        raise InputError("Nobody can take away their own access.", code="own_account")
    if row.pin_hash is not None:  # kiosks list this account
        bump_for_staff(session, {row.site_id, site_id}, now)
    row.role, row.site_id, row.active, row.expires_at = role, site_id, active, expires_at


def first_admin(center: Center) -> str | None:
    """Make the account ``admin`` if there is no account at all; answers its one-time password, or None."""
    with center.writing() as session:
        if session.scalar(select(func.count()).select_from(StaffRow)):
            return None
        _, password = add_account(
            center, session, login="admin", name="Administrator", role="admin", site_id=None, expires_at=None
        )
    return password


def one_time_password() -> str:
    """Sixteen characters that can be read out: 79 bits."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def check_role_and_site(session: Session, role: str, site_id: str | None) -> None:
    """Raise InputError unless the role exists and the site, if any, does; an admin has none."""
    if role not in ROLES:
        raise InputError(f"A role is one of {', '.join(ROLES)}.", code="role_invalid")
    if role == "admin" and site_id is not None:  # who makes accounts and pairs kiosks has every site in the end
        raise InputError("An administrator is one of all sites.", code="admin_site")
    if site_id is not None and session.get(SiteRow, site_id) is None:
        raise InputError("There is no such site.", code="site_unknown")


def _account(session: Session, staff_id: str) -> StaffRow:
    row = session.get(StaffRow, staff_id)
    if row is None:
        raise InputError("There is no such account.", code="not_found")
    return row


def _count_failure(center: Center, row: StaffRow, now: datetime) -> None:
    row.failed_logins += 1
    if row.failed_logins >= center.settings.failed_logins:
        row.locked_until = now + timedelta(seconds=center.settings.lock_s)
        row.failed_logins = 0


@cache
def _nobody(hasher: PasswordHasher) -> str:
    return hasher.hash(secrets.token_hex(16))
