"""What a kiosk must know of its site, as one signed document with a version. Owns its making; opens no template.

The version grows with every change of people, references, policy or kiosks of a site, so that an unchanged gallery is
never sent twice.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.attendance import format_time
from models.people import shown_name
from models.store.center import GalleryVersionRow, PersonKeyRow, PersonRow, ReferenceRow, SiteRow
from models.text import encode_bytes
from models.wire import sign_document
from web.center.context import Center


def gallery_version(session: Session, site_id: str) -> int:
    """The version of a site's gallery; 0 before anything was entered."""
    row = session.get(GalleryVersionRow, site_id)
    return row.version if row else 0


def gallery_changed(center: Center, session: Session, site_id: str) -> None:
    """Note, in the transaction of the change itself, that a site's kiosks must fetch their gallery again."""
    row = session.get(GalleryVersionRow, site_id)
    if row is None:
        session.add(GalleryVersionRow(site_id=site_id, version=1, changed_at=center.clock()))
    else:
        row.version += 1
        row.changed_at = center.clock()


def gallery_document(center: Center, session: Session, site_id: str) -> dict[str, Any]:
    """The signed gallery of a site: policy, people and their sealed references, revoked ones included."""
    site = session.get_one(SiteRow, site_id)
    people = session.scalars(select(PersonRow).where(PersonRow.site_id == site_id).order_by(PersonRow.person_id)).all()
    document = {
        "site_id": site_id,
        "version": gallery_version(session, site_id),
        "issued_at": format_time(center.clock()),
        "policy": json.loads(site.policy_json),
        "people": [_person(session, person) for person in people],
    }
    return sign_document(document, center.key)


def _person(session: Session, person: PersonRow) -> dict[str, Any]:
    key = session.get(PersonKeyRow, person.person_id)
    rows = session.scalars(
        select(ReferenceRow).where(ReferenceRow.person_id == person.person_id).order_by(ReferenceRow.reference_id)
    )
    return {
        "person_id": person.person_id,
        "number": person.number,
        "shown_name": shown_name(person.name),
        "level": person.level,
        "active": person.active,
        "wrapped_key": key
        and {"key_id": key.key_id, "nonce": encode_bytes(key.nonce), "ciphertext": encode_bytes(key.ciphertext)},
        "references": [_reference(row) for row in rows],
    }


def _reference(row: ReferenceRow) -> dict[str, Any]:
    return {
        "reference_id": row.reference_id,
        "modality": row.modality,
        "position": row.position,
        "format": row.format,
        "quality": row.quality,
        "enrolled_at": format_time(row.enrolled_at),
        "revoked_at": row.revoked_at and format_time(row.revoked_at),
        "nonce": encode_bytes(row.nonce),
        "ciphertext": encode_bytes(row.ciphertext),
        "source": row.source,
    }
