"""Bytes as text: base64url without padding, one spelling only."""

from __future__ import annotations

import base64
import binascii

from models.errors import InputError


def encode_bytes(content: bytes) -> str:
    """Base64url (RFC 4648 section 5) without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def decode_bytes(text: object) -> bytes:
    """The inverse of ``encode_bytes``. Raises InputError for anything that ``encode_bytes`` would not write."""
    try:
        if not isinstance(text, str):
            raise TypeError("not text")
        content = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise InputError("A value is not base64url without padding.", code="encoding_malformed") from error
    if encode_bytes(content) != text:
        raise InputError("A value is not base64url without padding.", code="encoding_malformed")
    return content
