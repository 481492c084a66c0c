"""Secrets on disk: made once, closed to others, damaged ones named."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.keys import KioskKeys, Pairing, hold_state_dir, load_pairing, save_pairing
from models.errors import StoreError


def test_keys_are_made_once_and_closed_to_others(tmp_path: Path) -> None:
    first, second = KioskKeys.load_or_create(tmp_path), KioskKeys.load_or_create(tmp_path)
    assert first.signing_public == second.signing_public
    assert first.agreement_public == second.agreement_public
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    assert "..." in repr(first)


def test_a_damaged_key_is_named_and_never_replaced(tmp_path: Path) -> None:
    KioskKeys.load_or_create(tmp_path)
    (tmp_path / "signing.key").write_bytes(b"short")
    with pytest.raises(StoreError, match=r"signing\.key is damaged"):
        KioskKeys.load_or_create(tmp_path)
    assert (tmp_path / "signing.key").read_bytes() == b"short"


def test_a_pairing_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    assert load_pairing(tmp_path) is None
    pairing = Pairing("approved", "pairing", b"c" * 32, "k1", "s1", {"algorithm": "x"})
    save_pairing(tmp_path, pairing)
    assert load_pairing(tmp_path) == pairing
    (tmp_path / "pairing.json").write_text("{")
    with pytest.raises(StoreError, match="pair this kiosk again"):
        load_pairing(tmp_path)


def test_a_state_folder_belongs_to_one_kiosk_at_a_time(tmp_path: Path) -> None:
    """Two would each go on from the same record: a fork of the chain."""
    with hold_state_dir(tmp_path):
        other = hold_state_dir(tmp_path)
        with pytest.raises(StoreError, match="Another kiosk runs on the state folder"):
            other.__enter__()
    with hold_state_dir(tmp_path):
        assert (tmp_path / "lock").read_bytes() == b""
