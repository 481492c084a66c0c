"""When a report counts and what a site demands of it. Owns the site's policy and the rule; refuses clocks and storage.

Every number here is configuration with a version: a past report is never judged again by a newer policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from models.attendance import CheckInOutcome
from models.cadence import USUAL_CADENCE, Cadence, cadence_from, cadence_json, check_cadence
from models.errors import ConfigurationError
from models.people import SupervisionLevel

USUAL_GALLERY = 40  # people of a site, at the most
_MIDNIGHT = "24:00"  # the end of a day, written as the end of a window


class ReportChannel(StrEnum):
    """报告方式 (SF/T 0015): how a person reports."""

    IN_PERSON = "01"  # 当面
    WRITTEN = "02"  # 书面
    REMOTE = "03"  # 通讯


class ReportStanding(StrEnum):
    """报到情况 (SF/T 0015): how a report stands to the time it was due. A person decides it, never a failed match."""

    IN_TIME = "01"  # 时限内
    LATE = "02"  # 超时限
    MISSING = "03"  # 未报到且下落不明


class SecondFactor(StrEnum):
    """When a finger is asked for after a face."""

    NEVER = "never"
    DOUBT = "doubt"
    ALWAYS = "always"


class Suffices(StrEnum):
    """Which evidence suffices for a person of a level of supervision."""

    EITHER = "either"  # a face or a finger; in doubt, both
    BOTH = "both"  # always a face and a finger
    CLAIM_FIRST = "claim_first"  # the number goes first; then as everybody else at the site


class ReportVerdict(StrEnum):
    """What the rule says of a report at a moment."""

    DUE = "due"
    ALREADY_PRESENT = "already_present"
    OUTSIDE_WINDOW = "outside_window"


@dataclass(frozen=True, slots=True)
class PastReport:
    """When a person was at a kiosk before and how it ended. ``captured_at`` is aware."""

    captured_at: datetime
    outcome: CheckInOutcome


@dataclass(frozen=True, slots=True)
class SitePolicy:
    """What a site demands. ``windows`` are local times ("08:00", "18:00") of every day, start included, end not.

    ``identify_up_to``: people in the gallery up to which a face is searched without a claimed number.
    ``wanted_fpir``: fraction of searches by strangers that may end in a candidate.
    ``levels``: (level of supervision, which evidence suffices) pairs, by level; a level that is not named, and a person
    whose level is not known, follow ``face_alone``, ``finger_alone`` and ``second_factor``.
    ``cadence``: (level of supervision, days between two visits in person) pairs, by level; a level that is not named
    has none. ``second_witness``: two staff members vouch for a person, not one.
    Raises ConfigurationError for values that cannot be meant.
    """

    version: str = "default-1"
    timezone: str = "Asia/Shanghai"
    windows: tuple[tuple[str, str], ...] = (("08:00", "18:00"),)
    face_alone: bool = False
    finger_alone: bool = True
    second_factor: SecondFactor = SecondFactor.DOUBT
    identify_up_to: int = USUAL_GALLERY
    wanted_fpir: float = 0.01
    challenge_required: bool = True
    max_tries: int = 3
    levels: tuple[tuple[SupervisionLevel, Suffices], ...] = ()
    second_witness: bool = False
    cadence: Cadence = USUAL_CADENCE

    def __post_init__(self) -> None:
        _check_types(self)
        if not self.version or not self.version.isprintable():
            raise ConfigurationError("A policy needs a version.")
        _zone(self.timezone)
        _check_windows(self.windows)
        if not 1 <= self.max_tries <= 3:
            raise ConfigurationError("max_tries is 1 to 3: after three tries it is a staff member's turn.")
        if not 0 < self.wanted_fpir < 1:
            raise ConfigurationError("wanted_fpir is a fraction between 0 and 1.")
        if self.identify_up_to < 0:
            raise ConfigurationError("identify_up_to is a number of people, 0 or more.")
        _check_levels(self.levels)
        check_cadence(self.cadence)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; ``from_json`` is its inverse.

        Without ``levels``, ``second_witness`` and a ``cadence`` of its own it is what kiosks always understood.
        """
        values = asdict(self) | {
            "second_factor": self.second_factor.value,
            "windows": [list(window) for window in self.windows],
        }
        del values["levels"], values["cadence"]
        if self.cadence != USUAL_CADENCE:
            values["cadence"] = cadence_json(self.cadence)
        if not self.second_witness:
            del values["second_witness"]
        if not self.levels:
            return values
        return values | {"levels": {level.value: suffices.value for level, suffices in self.levels}}

    @classmethod
    def from_json(cls, values: object) -> Self:
        """Read a policy back; what is left out has its default. Raises ConfigurationError."""
        if not isinstance(values, Mapping):
            raise ConfigurationError("A policy is an object with named values.")
        known = {field.name for field in fields(cls)}
        for name in values:
            if name not in known:
                near = get_close_matches(str(name), known, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else "."
                raise ConfigurationError(f"A policy has no value called {name!r}{hint}")
        given = dict(values)
        if "windows" in given:
            given["windows"] = _windows_from(given["windows"])
        if "second_factor" in given:
            given["second_factor"] = _second_factor_from(given["second_factor"])
        if "levels" in given:
            given["levels"] = _levels_from(given["levels"])
        if "cadence" in given:
            given["cadence"] = cadence_from(given["cadence"])
        return cls(**given)

    def for_level(self, level: SupervisionLevel | None) -> Self:
        """What is demanded of a person of this level, as the policy of a site where everybody is of that level."""
        suffices = dict(self.levels).get(level) if level is not None else None
        if suffices is Suffices.EITHER:
            never = self.second_factor is SecondFactor.NEVER
            factor = SecondFactor.NEVER if never else SecondFactor.DOUBT
            return replace(self, face_alone=True, finger_alone=True, second_factor=factor)
        if suffices is Suffices.BOTH:
            return replace(self, face_alone=False, finger_alone=False, second_factor=SecondFactor.ALWAYS)
        return replace(self, identify_up_to=0) if suffices is Suffices.CLAIM_FIRST else self

    def days_between(self, level: SupervisionLevel | None) -> int | None:
        """Days between two visits in person of somebody of this level; None where no cadence holds."""
        return dict(self.cadence).get(level) if level is not None else None

    @property
    def claim_first(self) -> bool:
        """Whether nobody is found by searching: the number goes first."""
        return self.identify_up_to == 0

    @property
    def verification_fmr(self) -> float:
        """How rarely a claimed person may be mistaken: as strictly as each person of the largest search allowed.

        Where less or nothing is searched, as in a gallery of the size that may be searched by default: whoever lets
        fewer people be searched does not mean to compare them less strictly.
        """
        return self.wanted_fpir / max(self.identify_up_to, USUAL_GALLERY)

    def local_day(self, moment: datetime) -> date:
        """The calendar day at the site."""
        return moment.astimezone(_zone(self.timezone)).date()

    def is_open(self, moment: datetime) -> bool:
        """Whether ``moment`` lies in one of the windows, by the site's wall clock."""
        local = moment.astimezone(_zone(self.timezone)).strftime("%H:%M")
        return any(start <= local < end for start, end in self.windows)

    def next_opening(self, moment: datetime) -> datetime:
        """The start of the first window after ``moment``, aware in the site's time zone."""
        zone = _zone(self.timezone)
        today = moment.astimezone(zone).date()
        starts = sorted(time.fromisoformat(start) for start, _ in self.windows)
        openings = (
            datetime.combine(today + timedelta(days=days), start, tzinfo=zone) for days in range(3) for start in starts
        )
        return next(opening for opening in openings if opening > moment)


def judge_report(policy: SitePolicy, moment: datetime, earlier: Sequence[PastReport]) -> ReportVerdict:
    """Whether a report in person counts now. ``earlier`` may reach back any time; its order does not matter.

    The day is the site's calendar day and never UTC's, and a day is freed by a window, never by midnight alone: a
    visit at five past midnight is outside the window unless the site opens one then.
    """
    today = policy.local_day(moment)
    if any(_counted(report) and policy.local_day(report.captured_at) == today for report in earlier):
        return ReportVerdict.ALREADY_PRESENT
    return ReportVerdict.DUE if policy.is_open(moment) else ReportVerdict.OUTSIDE_WINDOW


def _counted(report: PastReport) -> bool:
    return report.outcome in (CheckInOutcome.ACCEPTED, CheckInOutcome.WITNESSED)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ConfigurationError(f"There is no time zone called {name!r}; an example: Asia/Shanghai.") from error


def _check_types(policy: SitePolicy) -> None:
    wanted: dict[str, type | tuple[type, ...]] = {
        "version": str, "timezone": str, "windows": tuple, "face_alone": bool, "finger_alone": bool,
        "second_factor": SecondFactor, "identify_up_to": int, "wanted_fpir": (int, float),
        "challenge_required": bool, "max_tries": int, "levels": tuple,
        "second_witness": bool,
    }  # fmt: skip
    for name, kind in wanted.items():
        value = getattr(policy, name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise ConfigurationError(f"The policy's {name} has a value of a wrong type.")


def _check_windows(windows: tuple[tuple[str, str], ...]) -> None:
    if not windows:
        raise ConfigurationError("A policy needs at least one window.")
    for window in windows:
        if len(window) != 2 or not all(_is_clock(text) for text in window) or window[0] == _MIDNIGHT:
            raise ConfigurationError(f"A window is two local times like 08:00 and 18:00, not {list(window)!r}.")
        if window[0] >= window[1]:
            raise ConfigurationError(f"The window {window[0]} to {window[1]} ends before it starts; split it at 24:00.")


def _is_clock(text: object) -> bool:
    if text == _MIDNIGHT:
        return True
    try:
        return isinstance(text, str) and time.fromisoformat(text).strftime("%H:%M") == text
    except ValueError:
        return False


def _windows_from(windows: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(windows, Sequence) or not all(
        isinstance(window, Sequence) and not isinstance(window, str) and len(window) == 2 for window in windows
    ):
        raise ConfigurationError("windows is a list of pairs of local times.")
    return tuple((window[0], window[1]) for window in windows)


def _check_levels(levels: tuple[tuple[SupervisionLevel, Suffices], ...]) -> None:
    for entry in levels:
        if len(entry) != 2 or not isinstance(entry[0], SupervisionLevel) or not isinstance(entry[1], Suffices):
            raise ConfigurationError("levels is a level of supervision each, and which evidence suffices for it.")
    if [level for level, _ in levels] != sorted({level for level, _ in levels}):
        raise ConfigurationError("levels names every level once, in their order.")


def _levels_from(levels: object) -> tuple[tuple[SupervisionLevel, Suffices], ...]:
    if not isinstance(levels, Mapping):
        raise ConfigurationError("levels is an object: a level of supervision, and which evidence suffices for it.")
    known = {level.value for level in SupervisionLevel}
    for level in levels:
        if level not in known:
            raise ConfigurationError(f"There is no level of supervision {level!r}; known: {', '.join(sorted(known))}.")
    return tuple((SupervisionLevel(level), _suffices_from(levels[level])) for level in sorted(levels))


def _suffices_from(text: object) -> Suffices:
    choices = [choice.value for choice in Suffices]
    if not isinstance(text, str) or text not in choices:
        near = get_close_matches(str(text), choices, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(choices)}."
        raise ConfigurationError(f"Nothing suffices that is called {text!r}; {hint}")
    return Suffices(text)


def _second_factor_from(text: object) -> SecondFactor:
    try:
        return SecondFactor(str(text))
    except ValueError as error:
        known = ", ".join(factor.value for factor in SecondFactor)
        raise ConfigurationError(f"second_factor is one of {known}, not {text!r}.") from error
