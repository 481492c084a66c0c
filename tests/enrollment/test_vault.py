"""Sealed templates open for their own person, under their own site's key, unaltered, and never otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrollment.vault import SealedReference, SiteKey, Vault, WrappedKey
from models.biometrics import FingerPosition, Modality, Reference, Template, TemplateFormat
from models.errors import InputError, VaultError

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
VAULT = Vault(SiteKey.create())
REFERENCE = Reference(
    "r-1", "p-1", Modality.FINGER, FingerPosition.RIGHT_INDEX, Template(TemplateFormat("m", 1), b"ridges"), 0.7, NOW
)


def test_a_reference_comes_back_as_it_was_sealed():
    wrapped = VAULT.new_person_key("p-1")
    sealed = VAULT.seal(REFERENCE, wrapped, source="sensor")
    assert VAULT.open(sealed, wrapped) == REFERENCE
    assert b"ridges" not in sealed.ciphertext


def test_sealed_things_survive_json():
    wrapped = VAULT.new_person_key("p-1")
    sealed = VAULT.seal(replace(REFERENCE, revoked_at=NOW), wrapped)
    assert SealedReference.from_json("p-1", sealed.to_json()) == sealed
    assert WrappedKey.from_json("p-1", wrapped.to_json()) == wrapped


@pytest.mark.parametrize(
    "change",
    [
        {"reference_id": "r-2"},
        {"modality": Modality.FACE},
        {"position": FingerPosition.LEFT_INDEX},
        {"position": None},
        {"format": TemplateFormat("m", 2)},
        {"nonce": bytes(12)},
        {"nonce": b""},
        {"ciphertext": b""},
        {"ciphertext": b"x" * 22},
    ],
)
def test_a_reference_that_says_something_else_of_itself_does_not_open(change):
    wrapped = VAULT.new_person_key("p-1")
    with pytest.raises(VaultError):
        VAULT.open(replace(VAULT.seal(REFERENCE, wrapped), **change), wrapped)


def test_a_row_moved_to_another_person_does_not_open():
    mine, other = VAULT.new_person_key("p-1"), VAULT.new_person_key("p-2")
    sealed = VAULT.seal(REFERENCE, mine)
    moved = replace(sealed, person_id="p-2")
    for key in (other, replace(mine, person_id="p-2"), mine):
        with pytest.raises(VaultError):
            VAULT.open(moved, key)


def test_another_sites_key_opens_nothing():
    wrapped = VAULT.new_person_key("p-1")
    sealed = VAULT.seal(REFERENCE, wrapped)
    stranger = Vault(SiteKey.create())
    with pytest.raises(VaultError):
        stranger.open(sealed, wrapped)
    with pytest.raises(VaultError):
        stranger.open(sealed, replace(wrapped, key_id=stranger.key_id))


def test_a_person_who_moves_keeps_the_references():
    wrapped, stranger = VAULT.new_person_key("p-1"), Vault(SiteKey.create())
    assert stranger.open(VAULT.seal(REFERENCE, wrapped), VAULT.rewrap(wrapped, stranger)) == REFERENCE


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_no_flipped_bit_goes_unnoticed(position, bit):
    wrapped = VAULT.new_person_key("p-1")
    sealed = VAULT.seal(REFERENCE, wrapped)
    altered = bytearray(sealed.ciphertext)
    altered[position % len(altered)] ^= 1 << bit
    with pytest.raises(VaultError):
        VAULT.open(replace(sealed, ciphertext=bytes(altered)), wrapped)


def test_the_site_key_is_made_once_and_private(tmp_path):
    path = tmp_path / "site.key"
    key = SiteKey.load_or_create(path)
    assert SiteKey.load_or_create(path) == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["site.key"]
    assert SiteKey.from_json(key.to_json()) == key


def test_a_site_key_that_others_can_read_or_that_is_none_is_refused(tmp_path):
    path = tmp_path / "site.key"
    SiteKey.load_or_create(path)
    path.chmod(0o644)
    with pytest.raises(VaultError, match="readable for others"):
        SiteKey.load_or_create(path)
    path.chmod(0o600)
    for content in ("", "{}", "[]", '{"id":"a","key":"AAAA"}', "\x00\xff"):
        path.write_text(content)
        with pytest.raises(VaultError, match="holds no site key"):
            SiteKey.load(path)
    with pytest.raises(VaultError, match="no such file"):
        SiteKey.load(tmp_path / "other.key")
    with pytest.raises(VaultError):
        SiteKey.load_or_create(tmp_path / "nowhere" / "site.key")


@pytest.mark.parametrize("values", [{}, {"reference_id": "r", "modality": "voice"}])
def test_a_malformed_sealed_reference_is_named(values):
    with pytest.raises(InputError):
        SealedReference.from_json("p", values)


def test_secrets_do_not_show_in_a_representation():
    key = SiteKey.create()
    assert key.key.hex() not in repr(key) and str(key.key) not in repr(key)
