"""Who may do what at the center. Owns the one table of rights and the rule about sites; refuses Flask and SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from models.errors import AccessDenied

ROLES = ("admin", "staff", "auditor")
MIN_PASSWORD_CHARACTERS = 10


class Act(StrEnum):
    """Everything the console can do, as codes that also name entries of the audit log."""

    OVERVIEW = "overview"
    OWN_ACCOUNT = "own_account"
    PEOPLE_READ = "people_read"
    PERSON_READ = "person_read"
    PERSON_WRITE = "person_write"
    PERSON_ENROLL = "person_enroll"
    PERSON_REVOKE = "person_revoke"
    PERSON_ERASE = "person_erase"
    DUE_WRITE = "due_write"
    REPORT_READ = "report_read"
    ANSWER_LOOK = "answer_look"
    LOG_READ = "log_read"
    LOG_EXPORT = "log_export"
    EVENT_READ = "event_read"
    KIOSKS_READ = "kiosks_read"
    KIOSKS_WRITE = "kiosks_write"
    SITES_READ = "sites_read"
    SITES_WRITE = "sites_write"
    STAFF_WRITE = "staff_write"
    AUDIT_READ = "audit_read"


_EVERYONE = frozenset(ROLES)
_HANDS = frozenset({"admin", "staff"})
_ADMIN = frozenset({"admin"})

RIGHTS: dict[Act, frozenset[str]] = {
    Act.OVERVIEW: _EVERYONE,
    Act.OWN_ACCOUNT: _EVERYONE,
    Act.PEOPLE_READ: _EVERYONE,
    Act.PERSON_READ: _EVERYONE,
    Act.PERSON_WRITE: _HANDS,
    Act.PERSON_ENROLL: _HANDS,
    Act.PERSON_REVOKE: _HANDS,
    Act.PERSON_ERASE: _ADMIN,
    Act.DUE_WRITE: _HANDS,
    Act.REPORT_READ: _HANDS,  # what somebody wrote is for those who work with the person
    Act.ANSWER_LOOK: _HANDS,
    Act.LOG_READ: _EVERYONE,
    Act.LOG_EXPORT: _EVERYONE,
    Act.EVENT_READ: _EVERYONE,
    Act.KIOSKS_READ: _EVERYONE,
    Act.KIOSKS_WRITE: _ADMIN,
    Act.SITES_READ: _EVERYONE,
    Act.SITES_WRITE: _ADMIN,
    Act.STAFF_WRITE: _ADMIN,
    Act.AUDIT_READ: frozenset({"admin", "auditor"}),
}


@dataclass(frozen=True, slots=True)
class Account:
    """The staff member who asks. ``site_id`` None means every site."""

    staff_id: str
    login: str
    name: str
    role: str
    site_id: str | None


def may(account: Account, act: Act) -> bool:
    """Whether the account's role has the right."""
    return account.role in RIGHTS[act]


def may_at(account: Account, site_id: str | None) -> bool:
    """Whether the account may see records of a site."""
    return account.site_id is None or account.site_id == site_id


def demand(account: Account, act: Act) -> None:
    """Raise AccessDenied unless the role has the right."""
    if not may(account, act):
        raise AccessDenied("This account may not do that.")


def demand_at(account: Account, site_id: str | None) -> None:
    """Raise AccessDenied unless the site is the account's."""
    if not may_at(account, site_id):
        raise AccessDenied("This record belongs to another site.")


def account_usable(*, active: bool, expires_at: datetime | None, now: datetime) -> bool:
    """Whether an account may be used at all: named accounts expire."""
    return active and (expires_at is None or now < expires_at)


def password_flaw(password: str, *, login: str) -> str | None:
    """Why a new password is refused, as a code, or None. Length beats composition (NIST SP 800-63B 5.1.1)."""
    if len(password) < MIN_PASSWORD_CHARACTERS:
        return "password_short"
    if len(password) > 200:
        return "password_long"
    if len(set(password)) < 4:
        return "password_monotonous"
    if login and login.lower() in password.lower():
        return "password_holds_login"
    return None
