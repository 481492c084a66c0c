"""An enrollment made at a kiosk, as the content of a parcel. Owns its JSON form; refuses storage and the sealing.

The references in it are sealed already, under the key of whom they belong to, as in a gallery: whoever opens the parcel
holds no template. Where ``person_id`` and ``staff_id`` are the same, a staff member enrolled their own self.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from enrollment.notice import MissingReason, Notice
from enrollment.session import Enrollment
from enrollment.vault import SealedReference, WrappedKey
from models.attendance import format_time, parse_time
from models.errors import InputError

MOST_REFERENCES = 40  # five faces, ten fingers in three impressions each, and the sensor's own


@dataclass(frozen=True, slots=True)
class Handover:
    """What a kiosk hands over. ``wrapped`` is there if it made the key, None if the center's own is still used.

    ``re_enroll`` says that earlier references of the same modalities end.
    """

    person_id: str
    references: tuple[SealedReference, ...]
    wrapped: WrappedKey | None
    notice: Notice
    re_enroll: bool = False
    missing_reason: MissingReason | None = None
    cleared: int = 0

    def __repr__(self) -> str:
        return f"Handover({self.person_id}, {len(self.references)} references)"

    @property
    def of_staff(self) -> bool:
        """Whether a staff member enrolled their own self."""
        return self.person_id == self.notice.staff_id


def handover_of(enrollment: Enrollment, known: WrappedKey | None, *, re_enroll: bool = False) -> Handover:
    """A finished enrollment as it is handed over. ``known`` is the key that the gallery had for this person."""
    return Handover(
        enrollment.person_id,
        enrollment.references,
        enrollment.wrapped if known is None else None,
        enrollment.notice,
        re_enroll,
        enrollment.missing_reason,
        len({item.person_id for item in enrollment.duplicates}) if enrollment.cleared_by else 0,
    )


def pack_enrollment(handover: Handover) -> bytes:
    """The content of a parcel; ``read_enrollment`` is its inverse."""
    notice = handover.notice
    values: dict[str, Any] = {
        "person_id": handover.person_id,
        "staff_id": notice.staff_id,
        "notice": {"version": notice.version, "language": notice.language, "given_at": format_time(notice.given_at)},
        "references": [item.to_json() for item in handover.references],
        "re_enroll": handover.re_enroll,
        "cleared": handover.cleared,
    }
    if handover.wrapped is not None:
        values["wrapped_key"] = handover.wrapped.to_json()
    if handover.missing_reason is not None:
        values["missing_reason"] = handover.missing_reason.value
    return json.dumps(values, separators=(",", ":"), sort_keys=True).encode()


def read_enrollment(content: bytes) -> Handover:
    """Read a handover. Raises InputError (enrollment_malformed) for anything that no kiosk would pack."""
    try:
        values = json.loads(content)
        references, notice = values["references"], values["notice"]
        if not isinstance(references, list) or not 1 <= len(references) <= MOST_REFERENCES:
            raise ValueError("no references, or too many")
        person_id, reason, wrapped = _text(values["person_id"]), values.get("missing_reason"), values.get("wrapped_key")
        return Handover(
            person_id=person_id,
            references=tuple(SealedReference.from_json(person_id, item) for item in references),
            wrapped=None if wrapped is None else WrappedKey.from_json(person_id, wrapped),
            notice=Notice(
                version=_text(notice["version"]),
                language=_text(notice["language"]),
                given_at=parse_time(notice["given_at"]),
                staff_id=_text(values["staff_id"]),
            ),
            re_enroll=_flag(values.get("re_enroll", False)),
            missing_reason=None if reason is None else MissingReason(reason),
            cleared=_count(values.get("cleared", 0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, InputError) as error:
        raise InputError("The enrollment that was handed over is malformed.", code="enrollment_malformed") from error


def _text(value: object) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= 64 or not value.isprintable():
        raise ValueError("no short text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError("neither yes nor no")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 1000:
        raise ValueError("no count")
    return value
