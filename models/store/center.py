"""The tables of the center. Owns their shape; refuses rules: those stand in models, enrollment and web.

A template lies here only sealed (``BiometricReference.ciphertext``) under a key of its person, which lies here only
wrapped by the site key (``PersonKey``). Events are kept as received and never updated; an erased person leaves
events that name an opaque ``person_id`` behind, and nothing that leads from it to a human being.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, Text, UniqueConstraint, false, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.store.types import UtcTime


class Base(DeclarativeBase):
    """The center's tables."""

    type_annotation_map = {datetime: UtcTime, bytes: LargeBinary, str: Text}  # noqa: RUF012 - SQLAlchemy's own spelling


class SiteRow(Base):
    """An office with its kiosks. ``policy_json`` is a ``models.supervision.SitePolicy``.

    ``questions`` and ``errands`` are codes, separated by blanks; None where the office never chose.
    """

    __tablename__ = "sites"

    site_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    policy_json: Mapped[str]
    policy_version: Mapped[str]
    questions: Mapped[str | None]
    errands: Mapped[str | None]


class StaffRow(Base):
    """A named account: ``role`` is admin, staff or auditor; ``site_id`` None means every site.

    ``pin_hash`` is Argon2's, of the PIN at kiosks; without one the account is no kiosk's business.
    """

    __tablename__ = "staff"

    staff_id: Mapped[str] = mapped_column(primary_key=True)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="", server_default="")
    password_hash: Mapped[str]
    role: Mapped[str]
    site_id: Mapped[str | None] = mapped_column(ForeignKey("sites.site_id"))
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=false())
    expires_at: Mapped[datetime | None]
    failed_logins: Mapped[int] = mapped_column(default=0, server_default="0")
    locked_until: Mapped[datetime | None]
    language: Mapped[str] = mapped_column(default="zh_CN", server_default="zh_CN")
    pin_hash: Mapped[str | None]


class StaffKeyRow(Base):
    """The key of a staff member's own templates, wrapped by the key of ``site_id``: where they were enrolled."""

    __tablename__ = "staff_keys"

    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.staff_id", ondelete="CASCADE"), primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.site_id"))
    key_id: Mapped[str]
    nonce: Mapped[bytes]
    ciphertext: Mapped[bytes]


class StaffReferenceRow(Base):
    """A sealed template of a staff member; a table of its own, so that no search among people can ever meet it."""

    __tablename__ = "staff_references"

    reference_id: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[str] = mapped_column(ForeignKey("staff.staff_id", ondelete="CASCADE"), index=True)
    modality: Mapped[str]
    position: Mapped[int | None]
    format: Mapped[str]
    quality: Mapped[float]
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    nonce: Mapped[bytes]
    ciphertext: Mapped[bytes]
    source: Mapped[str]


class PersonRow(Base):
    """A supervised person: number, name, category, level and term, and nothing about an offence.

    ``id_card`` is the digest of ``models.id_card`` under the key of the person's site; the number itself is not kept.
    """

    __tablename__ = "people"

    person_id: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.site_id"), index=True)
    level: Mapped[str]
    category: Mapped[str]
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    term_end: Mapped[date | None]
    created_at: Mapped[datetime]
    id_card: Mapped[str | None]


class PersonKeyRow(Base):
    """A person's template key, wrapped by the site key ``key_id``. Without this row the templates are noise."""

    __tablename__ = "person_keys"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id", ondelete="CASCADE"), primary_key=True)
    key_id: Mapped[str]
    nonce: Mapped[bytes]
    ciphertext: Mapped[bytes]


class ReferenceRow(Base):
    """A sealed template. ``source`` is image (extracted by an engine) or sensor (uploaded by the sensor)."""

    __tablename__ = "biometric_references"

    reference_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id", ondelete="CASCADE"), index=True)
    modality: Mapped[str]
    position: Mapped[int | None]
    format: Mapped[str]
    quality: Mapped[float]
    enrolled_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    nonce: Mapped[bytes]
    ciphertext: Mapped[bytes]
    source: Mapped[str]


class NoticeRow(Base):
    """That a person was told what is stored, for what and for how long: which text, in which language, by whom."""

    __tablename__ = "notices"

    notice_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id", ondelete="CASCADE"), index=True)
    version: Mapped[str]
    language: Mapped[str]
    given_at: Mapped[datetime]
    staff_id: Mapped[str]
    missing_reason: Mapped[str | None]  # why a modality was not enrolled, as a code


class DueRow(Base):
    """Something that staff want a person to come for, from one day to another. ``errand`` is a models.errands.Errand.

    ``closed_how`` is done or withdrawn; ``closed_by`` is the event that did it, or the account that withdrew it.
    """

    __tablename__ = "due_items"

    due_id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.person_id", ondelete="CASCADE"), index=True)
    errand: Mapped[str]
    since: Mapped[date]
    until: Mapped[date]
    note_code: Mapped[str | None]
    entered_by: Mapped[str]
    entered_at: Mapped[datetime]
    closed_how: Mapped[str | None]
    closed_by: Mapped[str | None]
    closed_at: Mapped[datetime | None]


class ParcelRow(Base):
    """A parcel of a kiosk, as received. ``sealed`` is None once an enrollment was taken out of it.

    ``person_id`` is not tied to a person: it is a staff member's where one enrolled their own self.
    """

    __tablename__ = "parcels"

    parcel_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    person_id: Mapped[str] = mapped_column(index=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.site_id"))
    kiosk_id: Mapped[str] = mapped_column(ForeignKey("kiosks.kiosk_id"))
    created_at: Mapped[datetime]
    received_at: Mapped[datetime]
    key_id: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    size_bytes: Mapped[int]
    sealed: Mapped[bytes | None]


class AnswerLookRow(Base):
    """That a staff member looked at what a person answered to the office's questions."""

    __tablename__ = "answer_looks"

    event_id: Mapped[str] = mapped_column(primary_key=True)
    staff_id: Mapped[str]
    looked_at: Mapped[datetime]


class KioskRow(Base):
    """A paired kiosk. ``status`` is active or revoked; keys are raw 32 bytes in base64url."""

    __tablename__ = "kiosks"

    kiosk_id: Mapped[str] = mapped_column(primary_key=True)
    site_id: Mapped[str] = mapped_column(ForeignKey("sites.site_id"))
    name: Mapped[str]
    signing_key: Mapped[str] = mapped_column(unique=True)
    agreement_key: Mapped[str]
    status: Mapped[str] = mapped_column(default="active", server_default="active")
    paired_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
    software: Mapped[str] = mapped_column(default="", server_default="")


class PairingRow(Base):
    """A kiosk that asks to be paired. ``status`` is pending, approved, rejected or expired.

    ``commitment`` and ``center_nonce`` are base64url; ``code_hash`` is there once the kiosk revealed its nonce.
    """

    __tablename__ = "pairings"

    pairing_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(default="", server_default="")
    software: Mapped[str] = mapped_column(default="", server_default="")
    signing_key: Mapped[str]
    agreement_key: Mapped[str]
    commitment: Mapped[str] = mapped_column(unique=True)
    center_nonce: Mapped[str]
    code_hash: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="pending", server_default="pending")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    kiosk_id: Mapped[str | None]


class NonceRow(Base):
    """A nonce of a signed request, kept until the request would be too old anyway."""

    __tablename__ = "nonces"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    nonce: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(index=True)


class EventRow(Base):
    """An attendance event as received, at its place in the log. The columns after ``body`` repeat parts of it."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("kiosk_id", "seq"), Index("ix_events_person_time", "person_id", "captured_at"))

    leaf_index: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(unique=True)
    kiosk_id: Mapped[str] = mapped_column(ForeignKey("kiosks.kiosk_id"))
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]
    signature: Mapped[str]
    body: Mapped[str]
    captured_at: Mapped[datetime] = mapped_column(index=True)
    received_at: Mapped[datetime]
    person_id: Mapped[str | None]
    type: Mapped[str]
    outcome: Mapped[str | None] = mapped_column(index=True)
    method: Mapped[str]
    leaf_hash: Mapped[bytes]


class TreeNodeRow(Base):
    """The hash of a complete subtree of 2**level leaves that starts at leaf ``position`` * 2**level (level >= 1)."""

    __tablename__ = "tree_nodes"

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    hash: Mapped[bytes]


class TreeHeadRow(Base):
    """A signed tree head. ``registry_hash`` is the hash of the kiosks' keys then, ``previous`` of the head before."""

    __tablename__ = "tree_heads"

    size: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    root: Mapped[str]
    timestamp: Mapped[datetime]
    registry_hash: Mapped[str] = mapped_column(ForeignKey("registries.hash"))
    previous: Mapped[str]
    signature: Mapped[str]


class RegistryRow(Base):
    """The kiosks and their public keys, as canonical JSON, at the time of a tree head."""

    __tablename__ = "registries"

    hash: Mapped[str] = mapped_column(primary_key=True)
    body: Mapped[str]


class AuditRow(Base):
    """Who did or read what. ``detail`` holds codes and opaque ids: no names, no numbers of people."""

    __tablename__ = "audit"

    audit_id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    staff_id: Mapped[str | None]
    act: Mapped[str]
    object: Mapped[str]
    detail: Mapped[str] = mapped_column(default="", server_default="")


class GalleryVersionRow(Base):
    """Grows whenever what a site's kiosks must know has changed."""

    __tablename__ = "gallery_versions"

    site_id: Mapped[str] = mapped_column(ForeignKey("sites.site_id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int]
    changed_at: Mapped[datetime]
