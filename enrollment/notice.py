"""The notice: that a person was told, and when a modality is left out, why. Owns the record; the words are at the
screens, and NOTICE_VERSION changes with them.

Face recognition must not be the only way where another exists, and nobody may be enrolled without having been told
what is stored, for what, for how long and how it is erased; hence a record of who gave which version in which language.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from models.errors import InputError

NOTICE_VERSION, NOTICE_LINES = "2026-1", 7  # its lines are ``notice.line_1`` and so on in the panel's texts
_CLOCK_TOLERANCE = timedelta(minutes=5)


class MissingReason(StrEnum):
    """Why a person is enrolled without a modality."""

    FINGERS_UNUSABLE = "fingers_unusable"  # worn, injured, missing
    FINGERS_DECLINED = "fingers_declined"
    FACE_UNUSABLE = "face_unusable"
    FACE_DECLINED = "face_declined"
    NO_SENSOR = "no_sensor"  # to be completed where there is one


@dataclass(frozen=True, slots=True)
class Notice:
    """That ``staff_id`` gave the notice ``version`` in ``language`` at ``given_at`` (aware)."""

    version: str
    language: str
    given_at: datetime
    staff_id: str


def check_notice(notice: Notice, *, now: datetime) -> None:
    """Raises InputError unless the notice says everything and was given before the enrollment ends."""
    texts = (notice.version, notice.language, notice.staff_id)
    if not all(text.strip() and len(text) <= 64 and text.isprintable() for text in texts):
        raise InputError(
            "A notice needs a version, a language and the staff member who gave it.", code="notice_missing"
        )
    if notice.given_at > now + _CLOCK_TOLERANCE:
        raise InputError("The notice was given in the future.", code="notice_missing")
