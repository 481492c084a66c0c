"""What a kiosk hands to its center beside events, sealed: pages of a written report, an enrollment made at the kiosk.

Owns the wire form, the limits and the container of pages. Refuses keys: ``enrollment.vault`` seals and opens. An event
names its parcel by the hash of the sealed bytes, so whoever swaps one is found out by the ledger.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Self

from models.attendance import format_time, parse_time
from models.errors import InputError
from models.text import decode_bytes, encode_bytes

KIB, MIB = 1024, 1024 * 1024
PARCEL_BODY_BYTES = 8 * MIB  # of a request that carries one
MOST_CONTENT_BYTES = 6 * MIB - 8 * KIB  # sealed, in base64url and with its wrapping it fits such a request
MOST_PAGES, MOST_PAGE_BYTES = 10, 2 * MIB

_PARCEL_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_CONTAINER = b"MUSTER-PAGES/1"
_JPEG_START, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_LENGTH = struct.Struct(">I")


class ParcelKind(StrEnum):
    """What a parcel holds."""

    WRITTEN_REPORT = "written_report"  # pages, as pack_pages makes them
    ENROLLMENT = "enrollment"  # references sealed once more under their person's key, and the notice


@dataclass(frozen=True, slots=True)
class Parcel:
    """A sealed parcel. ``parcel_id`` is a UUIDv7, ``person_id`` whom it is about, ``key_id`` the site key's id."""

    parcel_id: str
    kind: ParcelKind
    person_id: str
    created_at: datetime
    key_id: str
    sealed: bytes

    def __repr__(self) -> str:
        return f"Parcel({self.parcel_id}, {self.kind.value}, {len(self.sealed)} bytes)"

    @property
    def sha256(self) -> str:
        """SHA-256 of the sealed bytes, 64 lower-case hexadecimal characters."""
        return sha256(self.sealed).hexdigest()

    def binding(self, site_id: str) -> dict[str, str]:
        """What the sealed bytes are bound to: moved to another person, kind, site or id they do not open."""
        return {
            "parcel_id": self.parcel_id,
            "kind": self.kind.value,
            "person_id": self.person_id,
            "site_id": site_id,
            "created_at": format_time(self.created_at),
        }

    def to_json(self) -> dict[str, str]:
        """The shape in a request; ``from_json`` is its inverse."""
        return {
            "parcel_id": self.parcel_id,
            "kind": self.kind.value,
            "person_id": self.person_id,
            "created_at": format_time(self.created_at),
            "key_id": self.key_id,
            "sealed": encode_bytes(self.sealed),
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Read a parcel back. Raises InputError: parcel_malformed, or parcel_damaged if its hash is another's."""
        try:
            parcel = cls(
                parcel_id=check_parcel_id(values["parcel_id"]),
                kind=ParcelKind(values["kind"]),
                person_id=str(values["person_id"]),
                created_at=parse_time(values["created_at"]),
                key_id=str(values["key_id"]),
                sealed=decode_bytes(values["sealed"]),
            )
            claimed = values["sha256"]
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("The parcel is malformed.", code="parcel_malformed") from error
        if claimed != parcel.sha256:
            raise InputError("The parcel's hash is not that of its content.", code="parcel_damaged")
        return parcel


def check_parcel_id(text: object) -> str:
    """The id, if it is a UUID of version 7. Raises InputError."""
    if not isinstance(text, str) or not _PARCEL_ID.fullmatch(text):
        raise InputError("A parcel's id is a UUID of version 7.", code="parcel_malformed")
    return text


def pack_pages(pages: Sequence[bytes]) -> bytes:
    """The pages of a written report, JPEG files, in one container.

    Raises InputError: pages_missing, pages_many, page_invalid for what is no whole JPEG file, page_too_large, or
    parcel_too_large.
    """
    if not pages:
        raise InputError("A written report has a page at least.", code="pages_missing")
    if len(pages) > MOST_PAGES:
        raise InputError(f"A written report has at most {MOST_PAGES} pages.", code="pages_many")
    for page in pages:
        _check_page(page)
    content = _CONTAINER + bytes([len(pages)]) + b"".join(_LENGTH.pack(len(page)) + page for page in pages)
    check_content(content)
    return content


def unpack_pages(content: bytes) -> tuple[bytes, ...]:
    """The inverse of ``pack_pages``. Raises InputError (pages_malformed) for anything that it would not make."""
    try:
        if not content.startswith(_CONTAINER):
            raise ValueError("another container")
        place, pages = len(_CONTAINER) + 1, []
        for _ in range(content[len(_CONTAINER)]):
            (length,) = _LENGTH.unpack_from(content, place)
            pages.append(content[place + _LENGTH.size : place + _LENGTH.size + length])
            place += _LENGTH.size + length
        if pack_pages(pages) != content:
            raise ValueError("more or less than the pages")
    except (ValueError, IndexError, struct.error, InputError) as error:
        raise InputError("The pages cannot be read.", code="pages_malformed") from error
    return tuple(pages)


def check_content(content: bytes) -> None:
    """Raises InputError: parcel_empty or parcel_too_large."""
    if not content:
        raise InputError("A parcel holds something.", code="parcel_empty")
    if len(content) > MOST_CONTENT_BYTES:
        raise InputError(f"A parcel holds at most {MOST_CONTENT_BYTES} bytes.", code="parcel_too_large")


def _check_page(page: bytes) -> None:
    if not page.startswith(_JPEG_START) or not page.endswith(_JPEG_END):
        raise InputError("A page is a whole JPEG file.", code="page_invalid")
    if len(page) > MOST_PAGE_BYTES:
        raise InputError(f"A page has at most {MOST_PAGE_BYTES} bytes.", code="page_too_large")
