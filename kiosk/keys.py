"""The kiosk's secrets on disk: its signing and agreement keys, the pinned center key, the site key it was given.

Owns their files (mode 0600, written whole or not at all) and what pairing stores. Refuses to hand a private key to
anything but a signature or the opening of a sealed box.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from models.errors import StoreError

SIGNING_FILE = "signing.key"
AGREEMENT_FILE = "agreement.key"
PAIRING_FILE = "pairing.json"
LOCK_FILE = "lock"


@dataclass(frozen=True, slots=True)
class KioskKeys:
    """The two private keys made on the first start. They never leave the state folder."""

    signing: Ed25519PrivateKey
    agreement: X25519PrivateKey

    def __repr__(self) -> str:
        return "KioskKeys(...)"

    @property
    def signing_public(self) -> bytes:
        """32 raw bytes."""
        return self.signing.public_key().public_bytes_raw()

    @property
    def agreement_public(self) -> bytes:
        """32 raw bytes."""
        return self.agreement.public_key().public_bytes_raw()

    @classmethod
    def load_or_create(cls, state_dir: Path) -> KioskKeys:
        """Read both keys, or make them. Raises StoreError if they cannot be read, written or are damaged."""
        return cls(
            Ed25519PrivateKey.from_private_bytes(
                _secret(state_dir / SIGNING_FILE, lambda: Ed25519PrivateKey.generate().private_bytes_raw())
            ),
            X25519PrivateKey.from_private_bytes(
                _secret(state_dir / AGREEMENT_FILE, lambda: X25519PrivateKey.generate().private_bytes_raw())
            ),
        )


@dataclass(frozen=True, slots=True)
class Pairing:
    """What pairing left behind. ``sealed_site_key`` is the box as received; only the agreement key opens it.

    ``status`` is ``pending``, ``approved`` or ``revoked``; while pending ``kiosk_id`` and ``site_id`` are empty.
    """

    status: str
    pairing_id: str
    center_key: bytes
    kiosk_id: str = ""
    site_id: str = ""
    sealed_site_key: dict[str, Any] | None = None

    @property
    def center(self) -> Ed25519PublicKey:
        """The pinned key that the center signs its documents with."""
        return Ed25519PublicKey.from_public_bytes(self.center_key)


def load_pairing(state_dir: Path) -> Pairing | None:
    """The stored pairing, None before the first. Raises StoreError if its file is damaged."""
    path = state_dir / PAIRING_FILE
    try:
        content = json.loads(path.read_text("utf-8"))
        return Pairing(
            status=str(content["status"]),
            pairing_id=str(content["pairing_id"]),
            center_key=bytes.fromhex(content["center_key"]),
            kiosk_id=str(content["kiosk_id"]),
            site_id=str(content["site_id"]),
            sealed_site_key=content["sealed_site_key"],
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{path} is damaged; pair this kiosk again with `muster kiosk pair`.") from error


def save_pairing(state_dir: Path, pairing: Pairing) -> None:
    """Write the pairing down. Raises StoreError."""
    content = {
        "status": pairing.status,
        "pairing_id": pairing.pairing_id,
        "center_key": pairing.center_key.hex(),
        "kiosk_id": pairing.kiosk_id,
        "site_id": pairing.site_id,
        "sealed_site_key": pairing.sealed_site_key,
    }
    write_private(state_dir / PAIRING_FILE, json.dumps(content, indent=1).encode())


def make_state_dir(state_dir: Path) -> None:
    """Make the state folder, closed to others. Raises StoreError."""
    try:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"The state folder {state_dir} cannot be made: {error.strerror}.") from error


@contextlib.contextmanager
def hold_state_dir(state_dir: Path, if_held: str = "") -> Iterator[None]:
    """Keep the state folder to this process: two kiosks on one chain would fork it. Raises StoreError if it is held,
    with the sentence ``if_held`` if there is one.
    """
    try:
        handle = os.open(state_dir / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise StoreError(f"The state folder {state_dir} cannot be used: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            sentence = if_held or f"Another kiosk runs on the state folder {state_dir}."
            raise StoreError(sentence, code="state_held") from error
        yield
    finally:
        os.close(handle)


def write_private(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content``, mode 0600, durable once this returns. Raises StoreError."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """32 secret bytes from ``path``, made and written on the first call."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        content = make()
        write_private(path, content)
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) != 32:
        raise StoreError(f"{path} is damaged: a key has 32 bytes and this file {len(content)}.")
    return content
