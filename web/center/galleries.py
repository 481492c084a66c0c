"""What a kiosk must know of its site, as one signed document with a version. Owns its making; opens no template.

The version grows with every change of people, references, policy, staff or kiosks of a site, so that an unchanged
gallery is never sent twice. Everything beside policy and people is left alone by older kiosks. A policy with a value
that a kiosk does not know is refused as a whole, so the cadence, which only the center needs, is left out of it here.
"""

from __future__ import annotations

import json
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from enrollment.repository import person_of, sealed_references, wrapped_key_of
from models.attendance import format_time
from models.people import shown_name
from models.store.center import DueRow, GalleryVersionRow, PersonRow, SiteRow
from models.supervision import SitePolicy
from models.wire import sign_document
from web.center.context import Center
from web.center.due import due_of, last_reports, open_rows
from web.center.kiosk_staff import staff_listed
from web.center.sites import errands_of, policy_of, questions_of


def gallery_version(session: Session, site_id: str) -> int:
    """The version of a site's gallery; 0 before anything was entered."""
    row = session.get(GalleryVersionRow, site_id)
    return row.version if row else 0


def gallery_tag(center: Center, session: Session, site_id: str) -> str:
    """Changes with the version, and at the site's midnight: then a term may have ended."""
    return f"{site_id}.{gallery_version(session, site_id)}.{_site_day(center, session, site_id)}"


def gallery_document(center: Center, session: Session, site_id: str) -> dict[str, Any]:
    """The signed gallery of a site: policy, people and their sealed references, revoked ones included."""
    site = session.get_one(SiteRow, site_id)
    people = session.scalars(select(PersonRow).where(PersonRow.site_id == site_id).order_by(PersonRow.person_id)).all()
    policy, today = policy_of(site), _site_day(center, session, site_id)
    ids = [person.person_id for person in people]
    last, rows = last_reports(session, ids), open_rows(session, ids)
    document = {
        "site_id": site_id,
        "version": gallery_version(session, site_id),
        "issued_at": format_time(center.clock()),
        "policy": {name: value for name, value in json.loads(site.policy_json).items() if name != "cadence"},
        "questions": [question.value for question in questions_of(site)],
        "errands": [errand.value for errand in errands_of(site)],
        "staff": staff_listed(center, session, site_id),
        "people": [
            _person(session, person, today) | _due(person, policy, rows, last.get(person.person_id), today)
            for person in people
        ],
    }
    return sign_document(document, center.key)


def _site_day(center: Center, session: Session, site_id: str) -> date:
    return policy_of(session.get_one(SiteRow, site_id)).local_day(center.clock())


def _person(session: Session, person: PersonRow, today: date) -> dict[str, Any]:
    key = wrapped_key_of(session, person.person_id)
    return {
        "person_id": person.person_id,
        "number": person.number,
        "shown_name": shown_name(person.name),
        "level": person.level,
        "active": person_of(person).under_supervision(today),
        "wrapped_key": key.to_json() if key else None,
        "references": [sealed.to_json() for sealed in sealed_references(session, person.person_id)],
        "id_card": person.id_card,
    }


def _due(
    person: PersonRow, policy: SitePolicy, rows: list[DueRow], last: datetime | None, today: date
) -> dict[str, Any]:
    return {
        "due": [item.to_json() for item in due_of(person, policy, rows, last=last, today=today)],
        "last_report": None if last is None else format_time(last),
    }
