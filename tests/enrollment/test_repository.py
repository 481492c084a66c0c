"""Enrollments in the center's database: stored whole, replaced, withdrawn, erased for good."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import event, select

from enrollment.repository import (
    bump_gallery,
    open_everyone,
    person_by_number,
    save_enrollment,
    sealed_references,
    wrapped_key_of,
)
from enrollment.revocation import erase_person, revoke_reference, withdraw_enrollment
from enrollment.vault import SiteKey, Vault
from models.errors import InputError, StoreError, VaultError
from models.store.center import AuditRow, GalleryVersionRow, NoticeRow, PersonKeyRow, PersonRow, ReferenceRow
from models.store.engine import forget_deleted, reading, writing


@pytest.fixture
def enrolled(booth, notice, store):
    booth.take_faces()
    booth.take_fingers()
    enrollment = booth.session.complete(notice)
    with writing(store) as session:
        save_enrollment(session, enrollment)
    return booth, enrollment


def version(store):
    with reading(store) as session:
        row = session.get(GalleryVersionRow, "s-1")
        return row.version if row else 0


def test_what_was_stored_opens_again(enrolled, store):
    booth, enrollment = enrolled
    with reading(store) as session:
        key = wrapped_key_of(session, "p-1")
        stored = sealed_references(session, "p-1")
        assert key == enrollment.wrapped
        assert sorted(stored, key=lambda item: item.reference_id) == sorted(
            enrollment.references, key=lambda item: item.reference_id
        )
        assert len(open_everyone(session, lambda site_id: booth.vault)) == 9
        assert session.scalars(select(NoticeRow.version)).all() == ["2026-1"]
        acts = session.scalars(select(AuditRow.act)).all()
    assert acts == ["person_enrolled"] and version(store) == 1


def test_enrolling_again_keeps_the_key_and_revokes_what_was_there(enrolled, store, make_booth, notice):
    booth, enrollment = enrolled
    again = make_booth(vault=booth.vault, wrapped=enrollment.wrapped)
    for shot in range(3):
        again.face(1, shot + 20)
    again.take_fingers()
    with writing(store) as session:
        save_enrollment(session, again.session.complete(notice))
    with reading(store) as session:
        stored = sealed_references(session, "p-1")
        valid = [item for item in stored if item.revoked_at is None]
        assert (len(stored), len(valid)) == (18, 9)
        assert all(booth.vault.open(item, enrollment.wrapped) for item in stored)
    assert version(store) == 2


def test_a_second_enrollment_at_the_same_time_is_refused(enrolled, store, make_booth, notice):
    """Begun before the first was stored, so with a key of its own: it must not orphan what the first one sealed."""
    other = make_booth()
    other.take_faces()
    other.take_fingers()
    with pytest.raises(InputError, match="at the same time"), writing(store) as session:
        save_enrollment(session, other.session.complete(notice))
    with reading(store) as session:
        assert len(sealed_references(session, "p-1")) == 9


def test_another_sites_key_opens_nobody(enrolled, store):
    with reading(store) as session, pytest.raises(VaultError):
        open_everyone(session, lambda site_id: Vault(SiteKey.create()))


def test_a_revoked_reference_stays_and_is_no_longer_searched(enrolled, store):
    booth, enrollment = enrolled
    reference_id = enrollment.references[0].reference_id
    for _ in range(2):
        with writing(store) as session:
            revoke_reference(session, reference_id, now=booth.now, staff_id="staff-1", reason="worn")
    with reading(store) as session:
        assert len(open_everyone(session, lambda site_id: booth.vault)) == 8
        assert len(sealed_references(session, "p-1")) == 9
    assert version(store) == 2


def test_withdrawing_revokes_everything(enrolled, store):
    booth, _ = enrolled
    with writing(store) as session:
        assert withdraw_enrollment(session, "p-1", now=booth.now, staff_id="staff-1", reason="term_ended") == 9
    with reading(store) as session:
        assert open_everyone(session, lambda site_id: booth.vault) == []


def test_erasing_leaves_no_row_no_key_and_no_bytes_in_any_file(enrolled, store, tmp_path):
    booth, enrollment = enrolled
    forget_deleted(store)
    secret = enrollment.references[0].ciphertext
    wrapped = enrollment.wrapped.ciphertext
    assert secret in b"".join(path.read_bytes() for path in tmp_path.iterdir())
    with writing(store) as session:
        erase_person(session, "p-1", now=booth.now, staff_id="staff-1", reason="term_ended")
    forget_deleted(store)
    with reading(store) as session:
        assert session.get(PersonRow, "p-1") is None and wrapped_key_of(session, "p-1") is None
        for table in (ReferenceRow, PersonKeyRow, NoticeRow):
            assert session.scalars(select(table).where(table.person_id == "p-1")).all() == []
        last = session.scalars(select(AuditRow).order_by(AuditRow.audit_id.desc())).first()
        assert (last.act, last.object) == ("person_erased", "p-1") and "2026-1" in last.detail
    left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert secret not in left and wrapped not in left and b"20261" not in left
    assert version(store) == 2


def test_without_the_persons_key_the_references_are_noise(enrolled):
    booth, enrollment = enrolled
    another = booth.vault.new_person_key("p-1")
    with pytest.raises(VaultError):
        booth.vault.open(enrollment.references[0], another)


def test_who_is_not_there_cannot_be_enrolled_revoked_or_erased(enrolled, store):
    booth, enrollment = enrolled
    act = {"now": booth.now, "staff_id": "staff-1", "reason": "x"}
    for attempt in (
        lambda session: erase_person(session, "p-7", **act),
        lambda session: withdraw_enrollment(session, "p-7", **act),
        lambda session: revoke_reference(session, "r-7", **act),
        lambda session: save_enrollment(session, replace(enrollment, person_id="p-7")),
        lambda session: person_by_number(session, "0"),
        lambda session: person_by_number(session, "20261", site_id="s-2"),
    ):
        with pytest.raises(InputError), writing(store) as session:
            attempt(session)


def test_a_person_is_found_by_number(store):
    with reading(store) as session:
        assert person_by_number(session, "20262", site_id="s-1").person_id == "p-2"


def test_a_full_disk_stores_no_half_enrollment(enrolled, store, make_booth, notice):
    booth, _ = enrolled
    quota = {"pages": 1}

    @event.listens_for(store, "begin")
    def limit(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count={quota['pages']}")

    other = make_booth(person_id="p-2", vault=booth.vault)
    other.take_faces(person=3)
    other.take_fingers(first=30)
    finished = other.session.complete(notice)
    large = tuple(replace(item, ciphertext=item.ciphertext * 40) for item in finished.references)
    with pytest.raises(StoreError, match="The disk is full"), writing(store) as session:
        save_enrollment(session, replace(finished, references=large))
    with reading(store) as session:
        assert sealed_references(session, "p-2") == [] and wrapped_key_of(session, "p-2") is None
        assert len(sealed_references(session, "p-1")) == 9
    quota["pages"] = 1_000_000
    with writing(store) as session:
        save_enrollment(session, finished)
    with reading(store) as session:
        assert len(open_everyone(session, lambda site_id: booth.vault)) == 18


def test_every_change_of_a_site_is_a_new_version_of_its_gallery(booth, store):
    with writing(store) as session:
        assert [bump_gallery(session, "s-1", booth.now) for _ in range(3)] == [1, 2, 3]
