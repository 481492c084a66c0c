"""Who belongs to this site: the center's signed gallery document, checked, kept sealed, opened in memory only.

Owns its verification (pinned key, own site, never an older version), its one row in the store and the opened form.
Refuses to compare: ``matcher.gallery`` does that with the references from here.
"""

from __future__ import annotations

import hmac
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Engine, delete, select

from enrollment.vault import Vault, WrappedKey
from kiosk.gallery_parts import (
    BEFORE_ERRANDS,
    SiteStaff,
    open_references,
    read_due,
    read_errands,
    read_id_card,
    read_last_report,
    read_questions,
    read_staff,
)
from models.biometrics import Modality, Reference
from models.errands import DueItem, Errand
from models.errors import InputError, SignatureInvalid, WireError
from models.people import SupervisionLevel
from models.questions import Question
from models.store.engine import forget_deleted, reading, writing
from models.store.kiosk import GalleryRow
from models.supervision import SitePolicy
from models.wire import open_document

log = structlog.get_logger("kiosk.roster")

__all__ = ["NOBODY", "GalleryStale", "Roster", "RosterStore", "SitePerson", "SiteStaff", "open_roster"]


class GalleryStale(WireError):  # noqa: N818 - named as models.errors names its kin
    """The center handed out an older gallery than this kiosk already had: somebody replays."""

    code = "gallery_stale"


@dataclass(frozen=True, slots=True)
class SitePerson:
    """A person as the kiosk knows one. ``references`` are the active ones, ``revoked`` counts the others.

    ``due`` is what the center says is due, None from a center that does not say; ``last_report`` is when a report last
    counted at any kiosk, as far as the center knew; ``id_card`` is the keyed digest of ``models.id_card``;
    ``wrapped_key`` seals what is enrolled here.
    """

    person_id: str
    number: str
    shown_name: str
    active: bool
    references: tuple[Reference, ...]
    sensor_references: tuple[Reference, ...]
    revoked: int
    level: SupervisionLevel | None = None  # None from a center that did not say it yet
    due: tuple[DueItem, ...] | None = None
    last_report: datetime | None = None
    id_card: str | None = None
    wrapped_key: WrappedKey | None = None

    def __repr__(self) -> str:
        return f"SitePerson({self.person_id})"

    @property
    def all_revoked(self) -> bool:
        """Whether there were references and none is left."""
        return self.revoked > 0 and not self.references and not self.sensor_references

    @property
    def has_face(self) -> bool:
        """Whether a face can be compared."""
        return any(item.modality is Modality.FACE for item in self.references)

    @property
    def has_finger(self) -> bool:
        """Whether a finger can be compared, here or on the sensor."""
        return bool(self.sensor_references) or any(item.modality is Modality.FINGER for item in self.references)


@dataclass(frozen=True, slots=True)
class Roster:
    """One version of the site's people and policy, opened. Never changed; a new version is a new object.

    ``staff`` are apart from ``people``: nobody who reports is ever compared with them.
    """

    version: int
    policy: SitePolicy
    people: Mapping[str, SitePerson]
    unreadable: int = 0
    questions: tuple[Question, ...] = ()
    errands: tuple[Errand, ...] = BEFORE_ERRANDS
    staff: Mapping[str, SiteStaff] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Roster(version {self.version}, {len(self.people)} people)"

    def person(self, person_id: str | None) -> SitePerson | None:
        """The person with this id."""
        return self.people.get(person_id) if person_id is not None else None

    def policy_for(self, person_id: str | None) -> SitePolicy:
        """What is demanded of this person; of somebody unknown, what the site demands of everybody."""
        person = self.person(person_id)
        return self.policy if person is None else self.policy.for_level(person.level)

    def by_number(self, number: str) -> SitePerson | None:
        """The person with this number."""
        wanted = number.strip().casefold()
        return next((person for person in self.people.values() if person.number.casefold() == wanted), None)

    def by_id_card(self, digest: str) -> SitePerson | None:
        """The person whose card has this digest; everybody is compared, each in constant time."""
        found = None
        for person in self.people.values():
            if person.id_card is not None and hmac.compare_digest(person.id_card.encode(), digest.encode()):
                found = person
        return found

    def references(self) -> list[Reference]:
        """What may be searched: active references of active people, without the sensor's own templates."""
        return [item for person in self.people.values() if person.active for item in person.references]


NOBODY = Roster(0, SitePolicy(), {})


def open_roster(document: Mapping[str, Any], vault: Vault) -> Roster:
    """Open every template of a verified document. Raises InputError for a malformed one, ConfigurationError for a
    policy that cannot be meant. A template that does not open is counted and left out: it must not stop the others."""
    people, unreadable = {}, 0
    try:
        for entry in document["people"]:
            person, failed = _person(entry, vault)
            people[person.person_id] = person
            unreadable += failed
        policy, version = SitePolicy.from_json(document["policy"]), int(document["version"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"The gallery document is malformed: {error}.", code="gallery_malformed") from error
    if unreadable:
        log.warning("templates_unreadable", count=unreadable, version=version)
    return Roster(
        version,
        policy,
        people,
        unreadable,
        questions=read_questions(document),
        errands=read_errands(document),
        staff=read_staff(document, vault),
    )


def _person(entry: Mapping[str, Any], vault: Vault) -> tuple[SitePerson, int]:
    person_id = str(entry["person_id"])
    opened = open_references(person_id, entry, vault)
    return (
        SitePerson(
            person_id=person_id,
            number=str(entry["number"]),
            shown_name=str(entry["shown_name"]),
            active=bool(entry["active"]),
            references=opened.images,
            sensor_references=opened.sensor,
            revoked=opened.revoked,
            level=None if entry.get("level") is None else SupervisionLevel(entry["level"]),
            due=read_due(entry),
            last_report=read_last_report(entry),
            id_card=read_id_card(entry),
            wrapped_key=opened.wrapped_key,
        ),
        opened.failed,
    )


def _document(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError as error:
        raise InputError("The stored gallery document is damaged.", code="gallery_malformed") from error


class RosterStore:
    """The newest gallery document on disk, as signed, and its opened form in memory."""

    def __init__(self, engine: Engine, *, center: Ed25519PublicKey, site_id: str, vault: Vault) -> None:
        self._engine = engine
        self._center = center
        self._site_id = site_id
        self._vault = vault
        self._lock = threading.Lock()
        self._current = NOBODY

    @property
    def current(self) -> Roster:
        """The newest opened roster; empty until there is one."""
        with self._lock:
            return self._current

    def load(self) -> Roster:
        """Open what the disk holds. Raises WireError or InputError if it was altered there."""
        with reading(self._engine) as session:
            row = session.get(GalleryRow, self._site_id)
            wire = _document(row.document) if row is not None else None
        if wire is not None:
            self._use(open_roster(self._checked(wire, at_least=0), self._vault))
        return self.current

    def accept(self, wire: object, received_at: datetime) -> Roster:
        """Check a downloaded document, keep it sealed, use it. Raises SignatureInvalid, GalleryStale, InputError."""
        document = self._checked(wire, at_least=self.current.version)
        roster = open_roster(document, self._vault)
        content = json.dumps(wire)
        with reading(self._engine) as session:
            held = session.get(GalleryRow, self._site_id)
            same = held is not None and held.document == content
        if not same:
            row = GalleryRow(site_id=self._site_id, version=roster.version, document=content, received_at=received_at)
            with writing(self._engine) as session:
                session.merge(row)
            forget_deleted(self._engine)
        self._use(roster)
        return roster

    def purge(self) -> None:
        """Forget every reference, on disk and in memory."""
        self._use(NOBODY)
        with writing(self._engine) as session:
            session.execute(delete(GalleryRow))
        forget_deleted(self._engine)

    def stored_version(self) -> int | None:
        """The version on disk, None if there is none."""
        with reading(self._engine) as session:
            return session.scalars(select(GalleryRow.version)).first()

    def _checked(self, wire: object, *, at_least: int) -> dict[str, Any]:
        document = open_document(wire, self._center)
        if document.get("site_id") != self._site_id:
            raise SignatureInvalid("The gallery document is another site's.", code="gallery_other_site")
        version = document.get("version")
        if not isinstance(version, int) or isinstance(version, bool):
            raise InputError("The gallery document has no version.", code="gallery_malformed")
        if version < at_least:
            raise GalleryStale(f"The center sent gallery version {version} after version {at_least}.")
        return document

    def _use(self, roster: Roster) -> None:
        with self._lock:
            self._current = roster
