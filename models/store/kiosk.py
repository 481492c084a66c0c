"""The tables of a kiosk. Owns their shape; refuses rules: the journal's stand in ``kiosk/journal.py``.

The journal is the outbox too: one row, one transaction. A row is never deleted and its ``body`` never changed; only
what became of it (``state``, ``attempts``, ``last_error``) is.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, LargeBinary, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from models.store.types import UtcTime


class Base(DeclarativeBase):
    """The kiosk's tables."""

    type_annotation_map = {datetime: UtcTime, bytes: LargeBinary, str: Text}  # noqa: RUF012 - SQLAlchemy's own spelling


class JournalRow(Base):
    """A signed event and its way to the center. ``state`` is pending, delivered or quarantined."""

    __tablename__ = "journal"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    event_id: Mapped[str] = mapped_column(unique=True)
    body: Mapped[str]
    hash: Mapped[str]
    signature: Mapped[str]
    state: Mapped[str] = mapped_column(default="pending", server_default="pending", index=True)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None]
    recorded_at: Mapped[datetime]


class MetaRow(Base):
    """What the kiosk knows of itself: a key and a value."""

    __tablename__ = "meta"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]


class GalleryRow(Base):
    """The newest gallery document of the center, signed, as received; templates in it stay sealed."""

    __tablename__ = "gallery"

    site_id: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int]
    document: Mapped[str]
    received_at: Mapped[datetime]


class ParcelRow(Base):
    """A sealed parcel on its way to the center; deleted once it is there. ``state`` is pending or quarantined."""

    __tablename__ = "parcels"

    parcel_id: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    person_id: Mapped[str]
    created_at: Mapped[datetime]
    key_id: Mapped[str]
    sealed: Mapped[bytes]
    sha256: Mapped[str]
    size_bytes: Mapped[int]
    state: Mapped[str] = mapped_column(default="pending", server_default="pending", index=True)
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None]
