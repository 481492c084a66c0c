"""Who comes to the demonstration, in which order, and how each visit must end. Owns the play; refuses to perform it."""

from __future__ import annotations

from dataclasses import dataclass

from models.attendance import CheckInOutcome, Method
from models.supervision import SitePolicy

_OPEN_ALL_DAY = (("00:00", "24:00"),)
FACE_SUFFICES = SitePolicy(version="demo-face-suffices", windows=_OPEN_ALL_DAY, face_alone=True)
FACE_NEEDS_FINGER = SitePolicy(version="demo-face-needs-finger", windows=_OPEN_ALL_DAY)


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A made-up person. ``visitor`` is the label of the portraits; None: enrolled with fingers only."""

    number: str
    name: str
    visitor: str | None
    finger_seed: int
    fingers_only_reason: str | None = None


# Names are the first characters of a classic primer: nobody's.
PEOPLE = (
    Enrolled("1001", "天地", "visitor_1", 11),
    Enrolled("1002", "玄黄", "visitor_2", 12),
    Enrolled("1003", "宇宙", None, 13, "face_declined"),
    Enrolled("1004", "洪荒", None, 14, "face_declined"),
    Enrolled("1005", "日月", None, 15, "face_declined"),
    Enrolled("1006", "盈昃", None, 16, "face_declined"),
)


@dataclass(frozen=True, slots=True)
class PlannedVisit:
    """One visit. ``shows`` is a label and a behaviour at the camera; ``lays`` the number of the enrolled person whose
    finger is laid on the glass ("stranger": nobody's); ``again`` is what it must end in on the same day; ``or_else`` is
    an end that is right, too."""

    name: str
    expected: CheckInOutcome
    method: Method
    shows: tuple[str, str] | None = None
    claims: str | None = None
    lays: str | None = None
    policy: SitePolicy = FACE_NEEDS_FINGER
    center_down: bool = False
    again: CheckInOutcome | None = None
    or_else: CheckInOutcome | None = None


_ACCEPTED, _AGAIN = CheckInOutcome.ACCEPTED, CheckInOutcome.ALREADY_PRESENT

VISITS = (
    PlannedVisit(
        "face identified", _ACCEPTED, Method.FACE, shows=("visitor_1", "approach"), policy=FACE_SUFFICES, again=_AGAIN
    ),
    PlannedVisit(
        "second visit the same day", _AGAIN, Method.FACE, shows=("visitor_1", "approach"), policy=FACE_SUFFICES
    ),
    PlannedVisit(
        "unknown person refused",
        CheckInOutcome.NOT_IDENTIFIED,
        Method.FACE,
        shows=("visitor_3", "approach"),
        policy=FACE_SUFFICES,
    ),
    PlannedVisit(
        "photo refused",
        CheckInOutcome.ATTACK_SUSPECTED,
        Method.NONE,
        shows=("visitor_1", "photo"),
        policy=FACE_SUFFICES,
        or_else=CheckInOutcome.REFERRED_TO_STAFF,  # where the witnesses came to no answer
    ),
    PlannedVisit(
        "face and finger accepted",
        _ACCEPTED,
        Method.FACE_FINGER,
        shows=("visitor_2", "approach"),
        lays="1002",
        again=_AGAIN,
    ),
    PlannedVisit(
        "finger after a claimed number", _ACCEPTED, Method.CLAIM_FINGER, claims="1003", lays="1003", again=_AGAIN
    ),
    PlannedVisit(
        "wrong finger refused",
        CheckInOutcome.NOT_VERIFIED,
        Method.CLAIM_FINGER,
        claims="1004",
        lays="stranger",
    ),
    *(
        PlannedVisit(
            f"center down, check-in {place}",
            _ACCEPTED,
            Method.CLAIM_FINGER,
            claims=number,
            lays=number,
            center_down=True,
            again=_AGAIN,
        )
        for place, number in enumerate(("1004", "1005", "1006"), start=1)
    ),
)
