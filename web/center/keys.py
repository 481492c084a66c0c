"""The center's own secrets as files that only their owner reads. Owns their making; refuses to show them.

``center.key`` signs tree heads and galleries (Ed25519), ``session.key`` signs the console's cookies, ``sites/`` holds
one key per site, made by ``enrollment.vault``.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from models.errors import ConfigurationError, StoreError

KEY_BYTES = 32


def center_key(folder: Path) -> Ed25519PrivateKey:
    """The center's signing key; made at the first call. Raises StoreError, ConfigurationError if damaged."""
    return Ed25519PrivateKey.from_private_bytes(_load_or_create(folder / "center.key"))


def session_key(folder: Path) -> bytes:
    """The secret that signs session cookies; made at the first call."""
    return _load_or_create(folder / "session.key")


def site_key_path(folder: Path, site_id: str) -> Path:
    """Where the key of a site lies; ``enrollment.vault.SiteKey`` makes and reads it."""
    sites = folder / "sites"
    _make_folder(sites)
    return sites / f"{site_id}.key"


def _load_or_create(path: Path) -> bytes:
    _make_folder(path.parent)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _read(path)
    except OSError as error:
        raise StoreError(f"The key file {path.name} cannot be made: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as file:
        secret = secrets.token_bytes(KEY_BYTES)
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    return secret


def _read(path: Path) -> bytes:
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise StoreError(f"The key file {path.name} cannot be read: {error.strerror}.") from error
    if len(secret) != KEY_BYTES:
        raise ConfigurationError(f"The key file {path.name} is damaged: it must hold {KEY_BYTES} bytes.")
    return secret


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StoreError(f"The key folder {folder.name} cannot be made: {error.strerror}.") from error
