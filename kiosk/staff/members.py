"""Who may use this kiosk's staff pages, and what for. Owns the list and its rights; refuses PINs and comparisons.

The center's list counts. As long as a center names no staff at all, those of the configuration's ``[witnesses]`` may
sign in by their PIN alone, but only where the configuration says so (``[staff] pin_alone``): nobody can compare them
with anything. Whoever signed in without a face or a finger never enrolls anybody else: who is who at this site must not
hang on four digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from enrollment.vault import WrappedKey
from kiosk.roster import Roster, SitePerson, SiteStaff
from models.biometrics import Reference


class Right(StrEnum):
    """Something that a signed-in staff member may do here."""

    WITNESS = "witness"
    ENROLL = "enroll"
    ENROLL_SELF = "enroll_self"
    HEALTH = "health"
    NOTICE = "notice"
    LIGHT = "light"


_CARE = frozenset({Right.HEALTH, Right.NOTICE, Right.LIGHT})
_COMPARED = _CARE | {Right.WITNESS, Right.ENROLL, Right.ENROLL_SELF}
_PIN_ALONE = _CARE | {Right.WITNESS}
_FIRST_TIME = frozenset({Right.ENROLL_SELF})


@dataclass(frozen=True, slots=True)
class Member:
    """A staff member who may try to sign in. ``by_center`` is false for one of the configuration."""

    staff_id: str
    shown_name: str
    pin_hash: str
    expires_at: datetime | None = None
    references: tuple[Reference, ...] = ()
    sensor_references: tuple[Reference, ...] = ()
    wrapped_key: WrappedKey | None = None
    by_center: bool = True

    def __repr__(self) -> str:
        return f"Member({self.staff_id})"

    @property
    def comparable(self) -> bool:
        """Whether there is a face or a finger to compare with."""
        return bool(self.references or self.sensor_references)

    def usable(self, now: datetime) -> bool:
        """Whether the account has not ended."""
        return self.expires_at is None or now < self.expires_at

    def as_claimed(self) -> SitePerson:
        """The staff member as somebody who claimed to be that person, for the steps that compare."""
        return SitePerson(self.staff_id, "", self.shown_name, True, self.references, self.sensor_references, 0)


def rights_of(member: Member, *, compared: bool) -> frozenset[Right]:
    """What a member may do who signed in with, or without, an own face or finger."""
    if compared:
        return _COMPARED
    return _FIRST_TIME if member.by_center else _PIN_ALONE


def members(roster: Roster, witnesses: Mapping[str, str], *, pin_alone: bool) -> tuple[Member, ...]:
    """Everybody with a PIN, in a fixed order; those of the configuration only where the center names nobody."""
    if roster.staff:
        named = (_of_center(item) for item in roster.staff.values())
        return tuple(sorted((item for item in named if item is not None), key=lambda item: item.staff_id))
    if not pin_alone:
        return ()
    return tuple(Member(staff_id, staff_id, witnesses[staff_id], by_center=False) for staff_id in sorted(witnesses))


def _of_center(item: SiteStaff) -> Member | None:
    if item.pin_hash is None:
        return None
    return Member(
        item.staff_id,
        item.shown_name[-1:],
        item.pin_hash,
        item.expires_at,
        item.references,
        item.sensor_references,
        item.wrapped_key,
    )
