"""What travels between a kiosk and the center. Owns signatures of requests and documents, sealing, pairing's digits.

Refuses transport: it makes and checks headers and JSON values. Requests carry HTTP message signatures (RFC 9421) over
method, path, query and the body's digest (RFC 9530); documents are canonical JSON (RFC 8785) signed with Ed25519.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
)
from http_message_signatures.algorithms import ED25519
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from models.attendance import canonical
from models.errors import InputError, RequestReplayed, SignatureInvalid, SignatureStale, VaultError
from models.text import decode_bytes, encode_bytes

__all__ = [
    "PAIRING_NONCE_BYTES", "decode_bytes", "decode_key", "encode_bytes", "encode_key", "open_document", "open_sealed",
    "pairing_code", "pairing_commitment", "seal_to", "sign_document", "sign_request", "verify_headers",
    "verify_request",
]  # fmt: skip

_TAG = "muster"
_COVERED = ("@method", "@path", "@query", "content-digest")
_SEAL = "x25519-hkdf-sha256-aes256gcm"

PAIRING_NONCE_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    url: str
    headers: dict[str, str]


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, private: Ed25519PrivateKey | None, key_of: Callable[[str], Ed25519PublicKey | None]) -> None:
        self._private, self._key_of = private, key_of

    def resolve_private_key(self, key_id: str) -> Ed25519PrivateKey | None:
        return self._private

    def resolve_public_key(self, key_id: str) -> Ed25519PublicKey | None:
        return self._key_of(key_id)


class _Verifier(HTTPMessageVerifier):
    def validate_created_and_expires(self, sig_input: Any, max_age: Any = None) -> None:
        """Left to ``_check_age``: the library reads the wall clock, and says stale before it says forged."""


def sign_request(
    method: str, url: str, body: bytes, *, key: Ed25519PrivateKey, key_id: str, now: datetime
) -> dict[str, str]:
    """The headers that sign a request: Content-Digest, Signature-Input and Signature (RFC 9421, RFC 9530).

    ``url`` is absolute; its host is not signed, so a proxy may rename it. Raises InputError for a URL that is none.
    """
    request = _Request(method.upper(), url, {})
    signer = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=_Keys(key, lambda _: None))
    try:
        signer.sign(
            request,
            key_id=key_id,
            created=now,
            nonce=secrets.token_urlsafe(16),
            tag=_TAG,
            label=_TAG,
            covered_component_ids=_COVERED,
            body=body,
        )
    except (HTTPMessageSignaturesException, ValueError) as error:
        raise InputError(f"The request cannot be signed: {error}.") from error
    return request.headers


def verify_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    key_of: Callable[[str], Ed25519PublicKey | None],
    now: datetime,
    max_age_s: float = 300,
) -> str:
    """The key id of a request whose headers are signed and fresh. Its body may still be anything.

    It is asked before a large body is read, and never in place of ``verify_request``.
    Raises SignatureInvalid or SignatureStale.
    """
    return _verified(_Request(method.upper(), url, dict(headers.items())), None, key_of, now, max_age_s)[0]


def verify_request(
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    key_of: Callable[[str], Ed25519PublicKey | None],
    now: datetime,
    seen_nonce: Callable[[str, str, datetime], bool],
    max_age_s: float = 300,
) -> str:
    """The key id of a request that is whole, fresh and new. ``key_of`` answers None for an unknown key.

    ``seen_nonce(key_id, nonce, now)`` remembers the nonce and says whether it was there before; it is asked last, so
    that a forger cannot fill it, and must remember for twice ``max_age_s``.
    Raises SignatureInvalid, SignatureStale or RequestReplayed.
    """
    request = _Request(method.upper(), url, dict(headers.items()))
    key_id, nonce = _verified(request, body, key_of, now, max_age_s)
    if seen_nonce(key_id, nonce, now):
        raise RequestReplayed("The request was received before.")
    return key_id


def _verified(
    request: _Request,
    body: bytes | None,
    key_of: Callable[[str], Ed25519PublicKey | None],
    now: datetime,
    max_age_s: float,
) -> tuple[str, str]:
    """Key id and nonce of a request that is signed and fresh, and whole if a body is given."""
    verifier = _Verifier(signature_algorithm=ED25519, key_resolver=_Keys(None, key_of))
    try:
        # without body= the library would accept any body under an old digest
        results = verifier.verify(request, max_age=None, expect_tag=_TAG, require_components=_COVERED, body=body)
    except (HTTPMessageSignaturesException, ValueError, TypeError, AttributeError) as error:
        raise SignatureInvalid(f"The request's signature does not hold: {error or 'wrong signature'}.") from error
    if len(results) != 1 or (body is not None and results[0].body is None):
        raise SignatureInvalid("The request does not carry exactly one signature over its body.")
    parameters = results[0].parameters
    key_id, nonce = parameters["keyid"], parameters.get("nonce")
    if not isinstance(key_id, str) or not isinstance(nonce, str) or not 16 <= len(nonce) <= 128:
        raise SignatureInvalid("The request's signature has no usable nonce.")
    _check_age(parameters.get("created"), now=now, max_age_s=max_age_s)
    return key_id, nonce


def _check_age(created: object, *, now: datetime, max_age_s: float) -> None:
    if not isinstance(created, int):
        raise SignatureInvalid("The request's signature does not say when it was made.")
    age_s = now.timestamp() - created
    if abs(age_s) > max_age_s:
        when = f"{age_s:.0f} s ago" if age_s > 0 else f"{-age_s:.0f} s in the future"
        raise SignatureStale(f"The request was signed {when}; allowed are {max_age_s:.0f} s.", age_s=age_s)


def encode_key(key: Ed25519PublicKey | X25519PublicKey) -> str:
    """The raw 32 bytes in base64url without padding."""
    return encode_bytes(key.public_bytes_raw())


def decode_key(text: str) -> Ed25519PublicKey:
    """The inverse of ``encode_key`` for a signing key. Raises InputError."""
    raw = decode_bytes(text)
    if len(raw) != 32:
        raise InputError("A public key has 32 bytes.", code="key_malformed")
    return Ed25519PublicKey.from_public_bytes(raw)


def pairing_commitment(nonce: bytes, *, signing_key: bytes, agreement_key: bytes) -> bytes:
    """32 bytes by which a kiosk is bound to its nonce and its raw public keys before it tells the nonce.

    Raises InputError unless each of the three has 32 bytes.
    """
    return hashlib.sha256(b"muster-pairing-commitment/1" + _joined(nonce, signing_key, agreement_key)).digest()


def pairing_code(
    pairing_id: str,
    *,
    kiosk_nonce: bytes,
    center_nonce: bytes,
    signing_key: bytes,
    agreement_key: bytes,
    center_key: bytes,
) -> str:
    """Twelve digits that both sides compute from what each saw of a pairing, ``1234-5678-9012``.

    The kiosk commits to its nonce before it sees the center's, and tells it afterwards. So whoever stands in between
    must fix his own part of each side's digits before he can compute them: one try in 10**12, however fast he is.
    That is why a plain hash is enough. Raises InputError unless keys and nonces have 32 bytes each.
    """
    content = _joined(kiosk_nonce, center_nonce, signing_key, agreement_key, center_key) + pairing_id.encode()
    digest = hashlib.sha256(b"muster-pairing-code/2" + content).digest()
    digits = f"{int.from_bytes(digest, 'big') % 10**12:012d}"  # of all 256 bits: of 40, some digits would come twice
    return f"{digits[:4]}-{digits[4:8]}-{digits[8:]}"


def seal_to(public_key: bytes, content: Mapping[str, Any], context: bytes | str) -> dict[str, str]:
    """Seal a JSON object so that only the holder of the X25519 key reads it (RFC 7748, RFC 5869, AES-256-GCM).

    ``context`` must be the same at opening. Raises InputError for a key that is none.
    """
    ephemeral = X25519PrivateKey.generate()
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(public_key))
    except ValueError as error:  # also a point of small order, whose secret everybody knows
        raise InputError("The agreement key is not a usable X25519 key.", code="key_malformed") from error
    sender = ephemeral.public_key().public_bytes_raw()
    nonce = secrets.token_bytes(12)
    cipher = AESGCM(_sealing_key(shared, sender, public_key, _bytes(context)))
    return {
        "algorithm": _SEAL,
        "ephemeral": encode_bytes(sender),
        "nonce": encode_bytes(nonce),
        "ciphertext": encode_bytes(cipher.encrypt(nonce, canonical(content), _bytes(context))),
    }


def open_sealed(private_key: X25519PrivateKey, sealed: Mapping[str, Any], context: bytes | str) -> dict[str, Any]:
    """The inverse of ``seal_to``. Raises VaultError if sealed to another key, for another context, or altered."""
    try:
        if sealed["algorithm"] != _SEAL:
            raise ValueError("unknown algorithm")
        sender, nonce, ciphertext = (decode_bytes(sealed[name]) for name in ("ephemeral", "nonce", "ciphertext"))
        shared = private_key.exchange(X25519PublicKey.from_public_bytes(sender))
        own = private_key.public_key().public_bytes_raw()
        cipher = AESGCM(_sealing_key(shared, sender, own, _bytes(context)))
        content = json.loads(cipher.decrypt(nonce, ciphertext, _bytes(context)))
    except (InvalidTag, KeyError, TypeError, ValueError, InputError) as error:
        raise VaultError("The sealed message cannot be opened with this key.") from error
    if not isinstance(content, dict):
        raise VaultError("The sealed message holds something else than an object.")
    return content


def sign_document(document: Mapping[str, Any], key: Ed25519PrivateKey) -> dict[str, Any]:
    """A JSON document with the Ed25519 signature of its canonical bytes, in hexadecimal. Raises InputError."""
    return {"document": dict(document), "signature": key.sign(canonical(document)).hex()}


def open_document(wire: object, key: Ed25519PublicKey) -> dict[str, Any]:
    """The document, if ``key`` signed it. Raises SignatureInvalid."""
    document = wire.get("document") if isinstance(wire, Mapping) else None
    signature = wire.get("signature") if isinstance(wire, Mapping) else None
    if not isinstance(document, Mapping) or not isinstance(signature, str):
        raise SignatureInvalid("A signed document is an object with document and signature.")
    try:
        key.verify(bytes.fromhex(signature), canonical(document))
    except (InvalidSignature, InputError, ValueError) as error:
        raise SignatureInvalid("The document was altered, or signed by another key.") from error
    return dict(document)


def _joined(*parts: bytes) -> bytes:
    """Keys and nonces in a row, unambiguous because each has the same length."""
    if any(len(part) != PAIRING_NONCE_BYTES for part in parts):
        raise InputError("A public key or nonce of a pairing has 32 bytes.", code="key_malformed")
    return b"".join(parts)


def _sealing_key(shared: bytes, sender: bytes, receiver: bytes, context: bytes) -> bytes:
    derivation = HKDF(algorithm=SHA256(), length=32, salt=sender + receiver, info=b"muster-seal/1" + context)
    return derivation.derive(shared)


def _bytes(context: bytes | str) -> bytes:
    return context.encode() if isinstance(context, str) else context
