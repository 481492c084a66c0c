"""The number on a resident identity card: whether it can be one, and the digest that stands in its place.

Owns the check character and the digest. Refuses to keep or show a number: a kiosk and its center know a card by a keyed
digest only, which says nothing without the site's key.
"""

from __future__ import annotations

import hmac
import re
from datetime import date
from hashlib import sha256

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from models.errors import InputError

NUMBER_CHARACTERS = 18
KEY_BYTES = 32

_INFO = b"muster id card"
_FORM = re.compile("[1-9][0-9]{16}[0-9X]")
_CHECK_CHARACTERS = "0123456789X"
_RADIX, _MODULUS = 2, 11


def card_key(site_key: bytes) -> bytes:
    """The key of a site's card digests: 32 bytes, HKDF-SHA256 (RFC 5869) of the site key."""
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_INFO).derive(site_key)


def digest(number: str, key: bytes) -> str:
    """HMAC-SHA256 of a card's number under ``card_key``, 64 lower-case hexadecimal characters.

    Spaces around the number and a small x are forgiven. Raises InputError unless it is a number that a card can bear.
    """
    return hmac.new(key, checked_number(number).encode("ascii"), sha256).hexdigest()


def checked_number(number: str) -> str:
    """The number in its one spelling. Raises InputError: its length, its birth date or its check character is wrong.

    The sentences never repeat the number.
    """
    spelled = number.strip().upper()
    if not _FORM.fullmatch(spelled):
        raise InputError(
            "An identity card's number has 17 digits and a check character, 0 to 9 or X.", code="id_number_malformed"
        )
    try:
        date.fromisoformat(f"{spelled[6:10]}-{spelled[10:12]}-{spelled[12:14]}")
    except ValueError as error:
        raise InputError("The birth date within the number does not exist.", code="id_number_malformed") from error
    if check_character(spelled[:-1]) != spelled[-1]:
        raise InputError("The number's check character does not fit; a digit was mistyped.", code="id_number_mistyped")
    return spelled


def check_character(digits: str) -> str:
    """The last character of a number after its first 17 digits (GB 11643, ISO/IEC 7064 MOD 11-2)."""
    running = 0
    for digit in digits:
        running = (running + int(digit)) * _RADIX % _MODULUS
    return _CHECK_CHARACTERS[(_MODULUS + 1 - running) % _MODULUS]
