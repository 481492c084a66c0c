"""The people of the center's sites: finding, entering, changing. Owns these use cases.

Refuses to see a template; enrolling, withdrawing and erasing are ``enrollment``'s, the right to ask for them is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from enrollment.repository import bump_gallery, wrapped_key_of
from models import id_card
from models.attendance import uuid7
from models.errors import InputError
from models.people import Category, SupervisionLevel, check_name, check_number
from models.store.center import PersonKeyRow, PersonRow, ReferenceRow, SiteRow
from web.center.access import Account, demand_at
from web.center.context import Center
from web.center.vaults import site_key, vault_of


@dataclass(frozen=True, slots=True)
class PersonEntry:
    """What staff enter about a person.

    ``id_number`` is the number of the person's identity card: never stored, only its digest is. Empty leaves the digest
    of before alone; ``forget_card`` takes it away.
    """

    number: str
    name: str
    site_id: str
    level: str
    category: str
    active: bool
    term_end: date | None
    id_number: str = ""
    forget_card: bool = False

    def __repr__(self) -> str:  # names and numbers never reach a log
        return "PersonEntry(...)"


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many references in use a person has."""

    faces: int = 0
    fingers: int = 0


def find_people(
    session: Session, account: Account, *, search: str, site_id: str | None, after: str, rows: int
) -> list[PersonRow]:
    """People by number (keyset after the number ``after``), one more than ``rows`` if there are more."""
    query = select(PersonRow).where(PersonRow.number > after).order_by(PersonRow.number).limit(rows + 1)
    if account.site_id is not None:
        query = query.where(PersonRow.site_id == account.site_id)
    if site_id:
        query = query.where(PersonRow.site_id == site_id)
    if search:
        wanted = search.replace("\\", "\\\\").replace("%", r"\%").replace("_", r"\_")
        query = query.where(
            or_(PersonRow.number.like(f"%{wanted}%", escape="\\"), PersonRow.name.like(f"%{wanted}%", escape="\\"))
        )
    return list(session.scalars(query))


def coverage(session: Session, person_ids: list[str]) -> dict[str, Coverage]:
    """References in use per person and modality."""
    query = (
        select(ReferenceRow.person_id, ReferenceRow.modality, func.count())
        .where(ReferenceRow.person_id.in_(person_ids), ReferenceRow.revoked_at.is_(None))
        .group_by(ReferenceRow.person_id, ReferenceRow.modality)
    )
    counted: dict[str, dict[str, int]] = {}
    for person_id, modality, number in session.execute(query):
        counted.setdefault(person_id, {})[modality] = number
    return {
        person_id: Coverage(per.get("face", 0), per.get("finger", 0))
        for person_id, per in ((person_id, counted.get(person_id, {})) for person_id in person_ids)
    }


def person_for(session: Session, account: Account, person_id: str) -> PersonRow:
    """The person, if the account may see the site. Raises InputError (person_unknown) or AccessDenied."""
    row = session.get(PersonRow, person_id)
    if row is None:
        raise InputError("There is no such person.", code="person_unknown")
    demand_at(account, row.site_id)
    return row


def add_person(center: Center, session: Session, account: Account, entry: PersonEntry) -> str:
    """Enter a person; answers the opaque id. Raises InputError or AccessDenied."""
    checked = _checked(session, account, entry, person_id=None)
    person_id = uuid7(center.clock())
    card = _card(center, session, entry, person_id)
    session.add(PersonRow(person_id=person_id, created_at=center.clock(), id_card=card, **checked))
    session.flush()
    bump_gallery(session, entry.site_id, center.clock())
    return person_id


def change_person(center: Center, session: Session, account: Account, person_id: str, entry: PersonEntry) -> None:
    """Change what is known of a person. Raises InputError or AccessDenied."""
    row = person_for(session, account, person_id)
    checked = _checked(session, account, entry, person_id=person_id)
    sites = {row.site_id, entry.site_id}
    if len(sites) == 2:
        _move_key(center, session, person_id, row.site_id, entry.site_id)
    card = _card(center, session, entry, person_id)
    if card is not None or entry.forget_card or len(sites) == 2:  # a digest says nothing under another site's key
        row.id_card = card
    for name, value in checked.items():
        setattr(row, name, value)
    session.flush()
    for site_id in sites:
        bump_gallery(session, site_id, center.clock())


def _move_key(center: Center, session: Session, person_id: str, here: str, there: str) -> None:
    """Wrap the person's key for the kiosks of the new site; the old ones cannot open it any more."""
    wrapped, stored = wrapped_key_of(session, person_id), session.get(PersonKeyRow, person_id)
    if wrapped is not None and stored is not None:
        moved = vault_of(center, here).rewrap(wrapped, vault_of(center, there))
        stored.key_id, stored.nonce, stored.ciphertext = moved.key_id, moved.nonce, moved.ciphertext


def _card(center: Center, session: Session, entry: PersonEntry, person_id: str) -> str | None:
    """The digest of the card's number under the key of the person's site. Raises InputError."""
    if not entry.id_number.strip() or entry.forget_card:
        return None
    card = id_card.digest(entry.id_number, id_card.card_key(site_key(center, entry.site_id).key))
    owner = session.scalar(select(PersonRow.person_id).where(PersonRow.id_card == card))
    if owner is not None and owner != person_id:
        raise InputError("The card belongs to somebody else.", code="id_number_taken")
    return card


def _checked(session: Session, account: Account, entry: PersonEntry, *, person_id: str | None) -> dict[str, Any]:
    if session.get(SiteRow, entry.site_id) is None:
        raise InputError("There is no such site.", code="site_unknown")
    demand_at(account, entry.site_id)
    if entry.level not in {level.value for level in SupervisionLevel}:
        raise InputError("There is no such level.", code="level_invalid")
    if entry.category not in {category.value for category in Category}:
        raise InputError("There is no such category.", code="category_invalid")
    number = check_number(entry.number)
    owner = session.scalar(select(PersonRow.person_id).where(PersonRow.number == number))
    if owner is not None and owner != person_id:
        raise InputError("The number belongs to somebody else.", code="number_taken")
    return {
        "number": number,
        "name": check_name(entry.name),
        "site_id": entry.site_id,
        "level": entry.level,
        "category": entry.category,
        "active": entry.active,
        "term_end": entry.term_end,
    }
