"""The ledger's words: what a leaf is made of, and the signed tree head. Refuses storage and files.

A leaf covers the event as received *and* the time it arrived. A tree head is signed by the center over the log's size
and root, over the hash of the kiosks' public keys at that moment (the registry), and over the head before it: so no
leaf, no key and no head can be changed, added or left out behind it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from models import merkle
from models.attendance import canonical, format_time, parse_time, sha256_hex
from models.errors import InputError, SignatureInvalid

LOG = "muster-ledger/1"
FIRST_HEAD = "0" * 64  # what the first head names as the head before it

HEX_32 = re.compile("[0-9a-f]{64}")
HEX_64 = re.compile("[0-9a-f]{128}")


@dataclass(frozen=True, slots=True)
class TreeHead:
    """A signed statement of the center about its log. Hashes and signature in lower-case hexadecimal."""

    size: int
    root: str
    timestamp: datetime
    registry: str
    previous: str
    signature: str = ""

    def statement(self) -> bytes:
        """The canonical bytes that are signed."""
        return canonical(
            {
                "log": LOG,
                "previous": self.previous,
                "registry": self.registry,
                "root": self.root,
                "size": self.size,
                "timestamp": format_time(self.timestamp),
            }
        )

    @property
    def hash(self) -> str:
        """What the next head names as ``previous``."""
        return sha256_hex(self.statement())

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse."""
        return {
            "previous": self.previous,
            "registry": self.registry,
            "root": self.root,
            "signature": self.signature,
            "size": self.size,
            "timestamp": format_time(self.timestamp),
        }

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Read a head back, unverified. Raises InputError."""
        names = {"previous", "registry", "root", "signature", "size", "timestamp"}
        if not isinstance(values, Mapping) or set(values) != names:
            raise InputError("A tree head has other fields than it should.", code="head_malformed")
        hashes = (values["previous"], values["registry"], values["root"])
        size, signature = values["size"], values["signature"]
        if not all(isinstance(text, str) and HEX_32.fullmatch(text) for text in hashes):
            raise InputError("A hash in a tree head is not one.", code="head_malformed")
        if not isinstance(signature, str) or not HEX_64.fullmatch(signature):
            raise InputError("The signature of a tree head is not one.", code="head_malformed")
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise InputError("The size in a tree head is not one.", code="head_malformed")
        try:
            timestamp = parse_time(values["timestamp"])
        except (TypeError, ValueError) as error:
            raise InputError("The time in a tree head is not one.", code="head_malformed") from error
        return cls(size, values["root"], timestamp, values["registry"], values["previous"], signature)


def sign_tree_head(head: TreeHead, key: Ed25519PrivateKey) -> TreeHead:
    """The same head with the center's signature."""
    return TreeHead(
        head.size, head.root, head.timestamp, head.registry, head.previous, key.sign(head.statement()).hex()
    )


def verify_tree_head(head: TreeHead, key: Ed25519PublicKey) -> None:
    """Raises SignatureInvalid unless the center signed exactly this head."""
    try:
        key.verify(bytes.fromhex(head.signature), head.statement())
    except (InvalidSignature, ValueError) as error:
        raise SignatureInvalid("The tree head was altered, or signed by another key.") from error


def registry_bytes(center_key: str, kiosks: Sequence[Mapping[str, Any]]) -> bytes:
    """The canonical registry: the center's public key and each kiosk's, with the time from and until it is valid."""
    return canonical({"center_key": center_key, "kiosks": [dict(kiosk) for kiosk in kiosks]})


def leaf_content(body: bytes, hash: str, signature: str, *, received_at: str) -> bytes:
    """What a leaf covers, as canonical JSON, put together from the event's canonical body."""
    return b'{"event":%b,"received_at":%b}' % (_event_bytes(body, hash, signature), _text(received_at))


def record_line(
    leaf: int,
    body: bytes,
    hash: str,
    signature: str,
    *,
    received_at: str,
    path: Sequence[str],
) -> bytes:
    """A record's line in a bundle, canonical JSON without the line feed; ``path`` opens the tree down to this leaf."""
    return b'{"event":%b,"leaf":%d,"path":%b,"received_at":%b}' % (
        _event_bytes(body, hash, signature),
        leaf,
        json.dumps(list(path), separators=(",", ":")).encode(),
        _text(received_at),
    )


def event_leaf(body: bytes, hash: str, signature: str, *, received_at: str) -> bytes:
    """The leaf's hash."""
    return merkle.leaf_hash(leaf_content(body, hash, signature, received_at=received_at))


def _event_bytes(body: bytes, hash: str, signature: str) -> bytes:
    return b'{"body":%b,"hash":%b,"signature":%b}' % (body, _text(hash), _text(signature))


def _text(value: str) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")
