"""What is due, questions and errands of a site, staff at kiosks, card digests and sealed parcels."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from models.store.types import UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name in (("sites", "questions"), ("sites", "errands"), ("staff", "pin_hash"), ("people", "id_card")):
        op.add_column(table, sa.Column(name, sa.Text(), nullable=True))
    _staff()
    _due()
    _parcels()


def _staff() -> None:
    op.create_table(
        "staff_keys",
        _text("staff_id"),
        _text("site_id"),
        _text("key_id"),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["site_id"], ["sites.site_id"]),
        sa.PrimaryKeyConstraint("staff_id"),
    )
    op.create_table(
        "staff_references",
        _text("reference_id"),
        _text("staff_id"),
        _text("modality"),
        sa.Column("position", sa.Integer(), nullable=True),
        _text("format"),
        sa.Column("quality", sa.Double(), nullable=False),
        sa.Column("enrolled_at", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        _text("source"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("reference_id"),
    )
    op.create_index(op.f("ix_staff_references_staff_id"), "staff_references", ["staff_id"], unique=False)


def _due() -> None:
    op.create_table(
        "due_items",
        _text("due_id"),
        _text("person_id"),
        _text("errand"),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        _text("note_code", nullable=True),
        _text("entered_by"),
        sa.Column("entered_at", UtcTime(), nullable=False),
        _text("closed_how", nullable=True),
        _text("closed_by", nullable=True),
        sa.Column("closed_at", UtcTime(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.person_id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("due_id"),
    )
    op.create_index(op.f("ix_due_items_person_id"), "due_items", ["person_id"], unique=False)
    op.create_table(
        "answer_looks",
        _text("event_id"),
        _text("staff_id"),
        sa.Column("looked_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("event_id"),
    )


def _parcels() -> None:
    op.create_table(
        "parcels",
        _text("parcel_id"),
        _text("kind"),
        _text("person_id"),
        _text("site_id"),
        _text("kiosk_id"),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("received_at", UtcTime(), nullable=False),
        _text("key_id"),
        _text("sha256"),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(["site_id"], ["sites.site_id"]),
        sa.ForeignKeyConstraint(["kiosk_id"], ["kiosks.kiosk_id"]),
        sa.PrimaryKeyConstraint("parcel_id"),
    )
    op.create_index(op.f("ix_parcels_person_id"), "parcels", ["person_id"], unique=False)
    op.create_index(op.f("ix_parcels_sha256"), "parcels", ["sha256"], unique=False)


def _text(name: str, *, nullable: bool = False) -> Any:
    return sa.Column(name, sa.Text(), nullable=nullable)
