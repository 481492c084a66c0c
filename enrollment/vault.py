"""Templates at rest. Owns their sealing: a key per person, wrapped by the site's key; refuses to store anything.

A template is sealed with AES-256-GCM under its person's key, bound to what it says about itself, so that a row moved
to another person does not open. The person's key is wrapped by the site key. Deleting the wrapped key erases the
person (crypto-shredding): also in every backup and on every kiosk that holds the sealed templates only.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from models.attendance import canonical, format_time, parse_time
from models.biometrics import FingerPosition, Modality, Reference, Template, TemplateFormat
from models.errors import InputError, VaultError
from models.text import decode_bytes, encode_bytes

_KEY_BYTES = 32
_NONCE_BYTES = 12
_TAG_BYTES = 16


@dataclass(frozen=True, slots=True)
class SiteKey:
    """The key that wraps the keys of people: an id and 32 bytes."""

    key_id: str
    key: bytes

    def __repr__(self) -> str:
        return f"SiteKey({self.key_id})"

    @classmethod
    def create(cls) -> Self:
        """A new random key."""
        return cls(secrets.token_hex(8), secrets.token_bytes(_KEY_BYTES))

    @classmethod
    def load_or_create(cls, path: Path) -> Self:
        """The key in the file, made at the first call with rights for its owner only. Raises VaultError."""
        if not path.exists():
            _write_private(path, json.dumps(cls.create().to_json()).encode())
        return cls.load(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The key in the file. Raises VaultError if it is missing, damaged or readable for others."""
        try:
            if path.stat().st_mode & 0o077:
                raise VaultError(
                    f"The site key {path.name} is readable for others; take their rights away (chmod 600)."
                )
            return cls.from_json(json.loads(path.read_bytes()))
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise VaultError(f"The site key {path.name} cannot be read: {reason}.") from error
        except (ValueError, InputError) as error:
            raise VaultError(f"The file {path.name} holds no site key.") from error

    def to_json(self) -> dict[str, str]:
        """``{"id", "key"}``: what is sealed to a kiosk at pairing."""
        return {"id": self.key_id, "key": encode_bytes(self.key)}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """The inverse of ``to_json``. Raises InputError."""
        if not isinstance(values, Mapping) or not isinstance(values.get("id"), str):
            raise InputError("A site key is an object with id and key.", code="key_malformed")
        key = decode_bytes(values.get("key"))
        if len(key) != _KEY_BYTES:
            raise InputError("A site key has 32 bytes.", code="key_malformed")
        return cls(values["id"], key)


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A person's key as it is stored and sent: sealed by the site key ``key_id``."""

    person_id: str
    key_id: str
    nonce: bytes
    ciphertext: bytes

    def to_json(self) -> dict[str, str]:
        """The shape in a gallery document; the person stands beside it."""
        return {"key_id": self.key_id, "nonce": encode_bytes(self.nonce), "ciphertext": encode_bytes(self.ciphertext)}

    @classmethod
    def from_json(cls, person_id: str, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``. Raises InputError."""
        try:
            key_id, nonce, ciphertext = values["key_id"], values["nonce"], values["ciphertext"]
        except (KeyError, TypeError) as error:
            raise InputError("A wrapped key has key_id, nonce and ciphertext.", code="key_malformed") from error
        return cls(person_id, str(key_id), decode_bytes(nonce), decode_bytes(ciphertext))


@dataclass(frozen=True, slots=True)
class SealedReference:
    """A reference as it is stored and sent. ``source`` is image or sensor: where the template was made."""

    reference_id: str
    person_id: str
    modality: Modality
    position: FingerPosition | None
    format: TemplateFormat
    quality: float
    enrolled_at: datetime
    revoked_at: datetime | None
    nonce: bytes
    ciphertext: bytes
    source: str = "image"

    def to_json(self) -> dict[str, Any]:
        """The shape in a gallery document; the person stands beside it."""
        return {
            "reference_id": self.reference_id,
            "modality": self.modality.value,
            "position": None if self.position is None else int(self.position),
            "format": str(self.format),
            "quality": round(self.quality, 6),
            "enrolled_at": format_time(self.enrolled_at),
            "revoked_at": None if self.revoked_at is None else format_time(self.revoked_at),
            "nonce": encode_bytes(self.nonce),
            "ciphertext": encode_bytes(self.ciphertext),
            "source": self.source,
        }

    @classmethod
    def from_json(cls, person_id: str, values: Mapping[str, Any]) -> Self:
        """The inverse of ``to_json``. Raises InputError."""
        try:
            revoked = values["revoked_at"]
            return cls(
                reference_id=str(values["reference_id"]),
                person_id=person_id,
                modality=Modality(values["modality"]),
                position=None if values["position"] is None else FingerPosition(values["position"]),
                format=TemplateFormat.parse(values["format"]),
                quality=float(values["quality"]),
                enrolled_at=parse_time(values["enrolled_at"]),
                revoked_at=None if revoked is None else parse_time(revoked),
                nonce=decode_bytes(values["nonce"]),
                ciphertext=decode_bytes(values["ciphertext"]),
                source=str(values.get("source", "image")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"A sealed reference is malformed: {error}.", code="reference_malformed") from error


class Vault:
    """Seals and opens references with one site key. Holds no state beside it; safe across threads."""

    def __init__(self, site_key: SiteKey) -> None:
        self._site_key = site_key

    @property
    def key_id(self) -> str:
        """Which site key this vault holds."""
        return self._site_key.key_id

    def new_person_key(self, person_id: str) -> WrappedKey:
        """A new random key for a person, wrapped."""
        return self._wrap(person_id, secrets.token_bytes(_KEY_BYTES))

    def seal(self, reference: Reference, wrapped: WrappedKey, *, source: str = "image") -> SealedReference:
        """The reference with its template sealed. Raises VaultError if the key is another person's."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = SealedReference(
            reference.reference_id,
            reference.person_id,
            reference.modality,
            reference.position,
            reference.template.format,
            reference.quality,
            reference.enrolled_at,
            reference.revoked_at,
            nonce,
            b"",
            source,
        )
        cipher = AESGCM(self._person_key(sealed, wrapped))
        return replace(sealed, ciphertext=cipher.encrypt(nonce, reference.template.payload, _binding(sealed)))

    def open(self, sealed: SealedReference, wrapped: WrappedKey) -> Reference:
        """The reference with its template readable. Raises VaultError if anything about it was altered or moved."""
        try:
            cipher = AESGCM(self._person_key(sealed, wrapped))
            payload = cipher.decrypt(sealed.nonce, sealed.ciphertext, _binding(sealed))
        except (InvalidTag, ValueError) as error:
            raise VaultError("A sealed template was altered or belongs elsewhere.") from error
        return Reference(
            sealed.reference_id,
            sealed.person_id,
            sealed.modality,
            sealed.position,
            Template(sealed.format, payload),
            sealed.quality,
            sealed.enrolled_at,
            sealed.revoked_at,
        )

    def seal_content(self, content: bytes, binding: Mapping[str, Any]) -> bytes:
        """Anything, sealed under a key of its own that the site key wraps, and bound to ``binding``.

        Layout: nonce, wrapped key (48 bytes), nonce, ciphertext; each nonce has 12 bytes.
        """
        key, key_nonce, nonce = (secrets.token_bytes(size) for size in (_KEY_BYTES, _NONCE_BYTES, _NONCE_BYTES))
        wrapped = AESGCM(self._site_key.key).encrypt(key_nonce, key, _content_binding("key", self.key_id, binding))
        sealed = AESGCM(key).encrypt(nonce, content, _content_binding("content", self.key_id, binding))
        return key_nonce + wrapped + nonce + sealed

    def open_content(self, sealed: bytes, binding: Mapping[str, Any]) -> bytes:
        """The inverse of ``seal_content``. Raises VaultError if it was altered, moved or sealed by another site key."""
        ends = _NONCE_BYTES, _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES, 2 * _NONCE_BYTES + _KEY_BYTES + _TAG_BYTES
        try:
            key = AESGCM(self._site_key.key).decrypt(
                sealed[: ends[0]], sealed[ends[0] : ends[1]], _content_binding("key", self.key_id, binding)
            )
            nonce, content = sealed[ends[1] : ends[2]], sealed[ends[2] :]
            return AESGCM(key).decrypt(nonce, content, _content_binding("content", self.key_id, binding))
        except (InvalidTag, ValueError) as error:
            raise VaultError("A sealed parcel was altered or belongs elsewhere.") from error

    def rewrap(self, wrapped: WrappedKey, other: Vault) -> WrappedKey:
        """The same person's key, wrapped by another site's key: a person who moves keeps the references."""
        return other._wrap(wrapped.person_id, self._unwrap(wrapped))

    def _wrap(self, person_id: str, key: bytes) -> WrappedKey:
        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(self._site_key.key).encrypt(nonce, key, _key_binding(person_id, self.key_id))
        return WrappedKey(person_id, self.key_id, nonce, ciphertext)

    def _person_key(self, sealed: SealedReference, wrapped: WrappedKey) -> bytes:
        if wrapped.person_id != sealed.person_id:
            raise VaultError("The key belongs to another person than the template.")
        return self._unwrap(wrapped)

    def _unwrap(self, wrapped: WrappedKey) -> bytes:
        if wrapped.key_id != self.key_id:
            raise VaultError("The person's key is wrapped by another site key.", code="site_key_other")
        try:
            binding = _key_binding(wrapped.person_id, wrapped.key_id)
            return AESGCM(self._site_key.key).decrypt(wrapped.nonce, wrapped.ciphertext, binding)
        except (InvalidTag, ValueError) as error:
            raise VaultError("A person's key was altered or belongs elsewhere.") from error


def _binding(sealed: SealedReference) -> bytes:
    return canonical(
        {
            "purpose": "muster-reference/1",
            "reference_id": sealed.reference_id,
            "person_id": sealed.person_id,
            "modality": sealed.modality.value,
            "position": None if sealed.position is None else int(sealed.position),
            "format": str(sealed.format),
        }
    )


def _key_binding(person_id: str, key_id: str) -> bytes:
    return canonical({"purpose": "muster-person-key/1", "person_id": person_id, "key_id": key_id})


def _content_binding(part: str, key_id: str, binding: Mapping[str, Any]) -> bytes:
    return canonical({"purpose": f"muster-parcel-{part}/1", "key_id": key_id, "of": dict(binding)})


def _write_private(path: Path, content: bytes) -> None:
    """Write the whole file or none of it; if another process was faster, keep what that one wrote."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
        finally:
            draft.unlink()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise VaultError(f"The key file {path.name} cannot be written: {reason}.") from error
