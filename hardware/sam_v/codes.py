"""Commands, status words and the layout of a card's text. Owns numbers and layouts of SAM_V readers.

Source: GA/T 467 (interface of the security module for resident identity cards), clause "service terminal interface",
and the makers' descriptions of the three later kinds of card that the same readers read.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import date
from enum import Enum, IntEnum

from hardware.ports import CardKind, CardText

BAUD = 115_200  # as delivered; a module can be set to 57,600, 38,400, 19,200 or 9,600
BAUDS = (9_600, 19_200, 38_400, 57_600, 115_200)
TEXT_BYTES = 256
PHOTO_BYTES = 1024
FINGERS_BYTES = 1024
SAM_ID_BYTES = 16
SIMULATED_SAM = 0x534D  # what the simulated module says of itself; issued modules have small numbers there
_SAM_ID = struct.Struct("<HHIII")
_KIND_AT = 248
_LONG_TERM = "长期"


class Order(Enum):
    """Command and parameter."""

    STATUS = b"\x11\xff"
    SAM_ID = b"\x12\xff"
    FIND = b"\x20\x01"
    SELECT = b"\x20\x02"
    READ = b"\x30\x01"  # text and photo
    READ_WITH_FINGERS = b"\x30\x10"  # text, photo and fingerprints: known here, never asked for


class Status(IntEnum):
    """The last byte of the status word; the two before it are zero."""

    DAMAGED = 0x10
    WRONG_LENGTH = 0x11
    WRONG_COMMAND = 0x21
    NOT_ALLOWED = 0x23
    UNKNOWN_COMMAND = 0x24
    CARD_NOT_PROVEN = 0x31  # the card did not prove to the module that it is genuine, or the other way round
    MODULE_NOT_PROVEN = 0x33
    READ_FAILED = 0x41
    SELF_TEST_FAILED = 0x60
    NOT_AUTHORISED = 0x66
    NO_CARD = 0x80
    SELECT_FAILED = 0x81
    OK = 0x90
    EMPTY = 0x91  # done, but the card holds nothing of what was asked for
    FOUND = 0x9F


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a kind of card keeps what: (offset, bytes) of UTF-16 little endian, filled up with spaces."""

    name: tuple[int, int]
    sex: tuple[int, int]
    birth: tuple[int, int]
    number: tuple[int, int]
    valid_from: tuple[int, int]
    valid_until: tuple[int, int]
    nation: tuple[int, int] = (0, 0)
    address: tuple[int, int] = (0, 0)
    issuer: tuple[int, int] = (0, 0)


_CITIZEN = _Layout(
    name=(0, 30), sex=(30, 2), nation=(32, 4), birth=(36, 16), address=(52, 70), number=(122, 36), issuer=(158, 30),
    valid_from=(188, 16), valid_until=(204, 16),
)  # fmt: skip
_LAYOUTS = {
    CardKind.CITIZEN: _CITIZEN,
    CardKind.RESIDENCE: _CITIZEN,
    CardKind.FOREIGNER_2023: _Layout(
        name=(0, 30), sex=(30, 2), birth=(36, 16), number=(122, 36), valid_from=(188, 16), valid_until=(204, 16)
    ),
    CardKind.FOREIGNER_2017: _Layout(
        name=(0, 120), sex=(120, 2), number=(122, 30), nation=(152, 6), valid_from=(188, 16), valid_until=(204, 16),
        birth=(220, 16),
    ),
}  # fmt: skip


def decode_text(content: bytes) -> CardText:
    """The 256 bytes of a card's text as fields. Raises ValueError if they cannot be a card's."""
    if len(content) != TEXT_BYTES:
        raise ValueError("a card's text has 256 bytes")
    kind = CardKind(_field(content, (_KIND_AT, 2)))
    layout = _LAYOUTS[kind]
    until = _field(content, layout.valid_until)
    return CardText(
        kind=kind,
        number=_field(content, layout.number),
        name=_field(content, layout.name),
        sex=_field(content, layout.sex),
        nation=_field(content, layout.nation),
        birth_date=_date(_field(content, layout.birth)),
        address=_field(content, layout.address),
        issuer=_field(content, layout.issuer),
        valid_from=_date(_field(content, layout.valid_from)),
        valid_until=None if until == _LONG_TERM else _date(until),
    )


def encode_text(card: CardText) -> bytes:
    """The inverse of ``decode_text``. Raises ValueError if a field is too long."""
    layout = _LAYOUTS[card.kind]
    content = bytearray(" ".encode("utf-16-le") * (TEXT_BYTES // 2))
    until = _LONG_TERM if card.valid_until is None else _digits(card.valid_until)
    fields = (
        (layout.name, card.name), (layout.sex, card.sex), (layout.nation, card.nation),
        (layout.birth, _digits(card.birth_date)), (layout.address, card.address), (layout.number, card.number),
        (layout.issuer, card.issuer), (layout.valid_from, _digits(card.valid_from)), (layout.valid_until, until),
        ((_KIND_AT, 2), card.kind.value),
    )  # fmt: skip
    for (start, size), text in fields:
        written = text.encode("utf-16-le")
        if len(written) > size:
            raise ValueError("a field does not fit on the card")
        content[start : start + len(written)] = written
    return bytes(content)


def sam_number(content: bytes) -> str:
    """A module's number as makers print it: type, day it was made, serial and check number. Raises ValueError."""
    try:
        kind, variant, day, serial, check = _SAM_ID.unpack(content)
    except struct.error as error:
        raise ValueError("a module's number has 16 bytes") from error
    return f"{kind:02d}.{variant:02d}-{day:08d}-{serial:010d}-{check:010d}"


def is_simulated(content: bytes) -> bool:
    """Whether a module's number is the simulated module's."""
    return content[:2] == SIMULATED_SAM.to_bytes(2, "little")


def simulated_sam_id() -> bytes:
    """The number that the simulated module gives."""
    return _SAM_ID.pack(SIMULATED_SAM, 0, 20_000_101, 1, 1)


def _field(content: bytes, place: tuple[int, int]) -> str:
    start, size = place
    return content[start : start + size].decode("utf-16-le").strip(" \0")


def _date(text: str) -> date:
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise ValueError("a date on a card has eight digits")
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _digits(day: date) -> str:
    return f"{day.year:04d}{day.month:02d}{day.day:02d}"
