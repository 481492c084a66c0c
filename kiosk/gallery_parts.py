"""The parts of a gallery document that a center may leave out: staff, questions, errands, what is due, card digests.

Owns their reading. A part that is unknown or malformed is left out with a code in the log and never stops the rest: it
comes from a newer center, perhaps, and a site whose gallery is refused would miss every revocation. Refuses policy:
what a kiosk has to obey is read, or refused, by ``kiosk.roster``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import structlog

from enrollment.vault import SealedReference, Vault, WrappedKey
from models.attendance import parse_time
from models.biometrics import Modality, Reference
from models.errands import DueItem, Errand
from models.errors import InputError, VaultError
from models.questions import MOST_QUESTIONS, Question

log = structlog.get_logger("kiosk.roster")

BEFORE_ERRANDS = (Errand.REPORT_IN_PERSON,)  # what a center that names no errands takes records of
_DIGEST = re.compile("[0-9a-f]{64}")
_ROLES = frozenset({"admin", "staff"})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Opened:
    """What a subject's references opened to. ``failed`` did not open, ``revoked`` were withdrawn."""

    images: tuple[Reference, ...]
    sensor: tuple[Reference, ...]
    revoked: int
    failed: int
    wrapped_key: WrappedKey | None


@dataclass(frozen=True, slots=True)
class SiteStaff:
    """A staff member who may use this kiosk's staff pages. ``pin_hash`` is Argon2's; without one there is no way in.

    ``references`` name the staff member as their ``person_id`` and are never searched among supervised people.
    """

    staff_id: str
    shown_name: str
    role: str
    pin_hash: str | None
    expires_at: datetime | None
    references: tuple[Reference, ...]
    sensor_references: tuple[Reference, ...]
    wrapped_key: WrappedKey | None

    def __repr__(self) -> str:
        return f"SiteStaff({self.staff_id})"

    def usable(self, now: datetime) -> bool:
        """Whether the account has not ended. The center lists active accounts only; the end comes without it, too."""
        return self.expires_at is None or now < self.expires_at

    @property
    def has_face(self) -> bool:
        """Whether a face can be compared."""
        return any(item.modality is Modality.FACE for item in self.references)

    @property
    def has_finger(self) -> bool:
        """Whether a finger can be compared, here or on the sensor."""
        return bool(self.sensor_references) or any(item.modality is Modality.FINGER for item in self.references)


def open_references(subject_id: str, entry: Mapping[str, Any], vault: Vault) -> Opened:
    """The references of a person or a staff member. One that does not open is counted, logged and left out.

    Raises InputError, KeyError or TypeError for an entry of another shape.
    """
    sealed = [SealedReference.from_json(subject_id, item) for item in entry["references"]]
    wrapped = entry.get("wrapped_key")
    key = WrappedKey.from_json(subject_id, wrapped) if wrapped else None
    opened: dict[str, list[Reference]] = {"image": [], "sensor": []}
    failed = 0
    for item in sealed:
        if item.revoked_at is not None:
            continue
        try:
            if key is None:
                raise VaultError("Somebody's templates came without their key.")
            opened["sensor" if item.source == "sensor" else "image"].append(vault.open(item, key))
        except VaultError as error:
            log.warning("template_unreadable", reference_id=item.reference_id, reason=error.code)
            failed += 1
    revoked = sum(item.revoked_at is not None for item in sealed)
    return Opened(tuple(opened["image"]), tuple(opened["sensor"]), revoked, failed, key)


def read_questions(document: Mapping[str, Any]) -> tuple[Question, ...]:
    """The questions that are asked here, at most MOST_QUESTIONS."""
    return tuple(_each(document, "questions", Question))[:MOST_QUESTIONS]


def read_errands(document: Mapping[str, Any]) -> tuple[Errand, ...]:
    """What this site offers. A center that does not say knows reports in person only."""
    if "errands" not in document:
        return BEFORE_ERRANDS
    return tuple(dict.fromkeys(_each(document, "errands", Errand)))


def read_due(entry: Mapping[str, Any]) -> tuple[DueItem, ...] | None:
    """What is due for a person; None if the center does not say."""
    if not isinstance(entry.get("due", []), list):
        _left_out("due")
        return None
    return tuple(_each(entry, "due", DueItem.from_json)) if "due" in entry else None


def read_last_report(entry: Mapping[str, Any]) -> datetime | None:
    """When the person's last report counted, at any kiosk."""
    return _optional(entry, "last_report", parse_time)


def read_id_card(entry: Mapping[str, Any]) -> str | None:
    """The keyed digest of the number on the person's identity card."""
    return _optional(entry, "id_card", _digest)


def read_staff(document: Mapping[str, Any], vault: Vault) -> dict[str, SiteStaff]:
    """The staff who may use this kiosk, by id."""
    found = _each(document, "staff", lambda entry: _staff(entry, vault))
    return {member.staff_id: member for member in found}


def _staff(entry: Mapping[str, Any], vault: Vault) -> SiteStaff:
    staff_id, role, pin_hash = str(entry["staff_id"]), str(entry["role"]), entry.get("pin_hash")
    if role not in _ROLES or not (pin_hash is None or str(pin_hash).startswith("$argon2")):
        raise ValueError("a role or a hash that is none")
    expires = entry.get("expires_at")
    opened = open_references(staff_id, entry, vault)
    return SiteStaff(
        staff_id=staff_id,
        shown_name=str(entry["shown_name"]),
        role=role,
        pin_hash=None if pin_hash is None else str(pin_hash),
        expires_at=None if expires is None else parse_time(expires),
        references=opened.images,
        sensor_references=opened.sensor,
        wrapped_key=opened.wrapped_key,
    )


def _digest(text: object) -> str:
    if not isinstance(text, str) or not _DIGEST.fullmatch(text):
        raise ValueError("no digest")
    return text


def _each(values: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> Iterable[T]:
    """Every item of a list that can be read; none if it is no list."""
    items = values.get(name, [])
    if not isinstance(items, list):
        _left_out(name)
        return
    for item in items:
        try:
            yield read(item)
        except (InputError, KeyError, TypeError, ValueError, AttributeError):
            _left_out(name)


def _optional(values: Mapping[str, Any], name: str, read: Callable[[Any], T]) -> T | None:
    value = values.get(name)
    if value is None:
        return None
    try:
        return read(value)
    except (InputError, TypeError, ValueError, AttributeError):
        _left_out(name)
        return None


def _left_out(name: str) -> None:
    """Only the name of the part: its content may be somebody's."""
    log.warning("gallery_part_left_out", part=name)
