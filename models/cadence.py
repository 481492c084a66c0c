"""How often a person comes in person, and when the next time is due. Owns the rule; refuses clocks and storage.

The figures are a site's policy, with its version. What ships is the usual default (strict twice a month, normal and
loose once), to be confirmed by the office that uses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from models.errands import DueItem, Errand
from models.errors import ConfigurationError
from models.people import SupervisionLevel

Cadence = tuple[tuple[SupervisionLevel, int], ...]  # (level, days between two visits in person), by level

USUAL_CADENCE: Cadence = (
    (SupervisionLevel.LOOSE, 30),
    (SupervisionLevel.NORMAL, 30),
    (SupervisionLevel.STRICT, 15),
)
MOST_DAYS = 366


def next_report(days: int | None, *, last: date | None, start: date) -> DueItem | None:
    """The next report in person of somebody who comes every ``days``; None where no cadence holds.

    ``last`` is the local day of the last report that counted, ``start`` the first day of the person's supervision here.
    It can be made from the day after the last one on, and is missed ``days`` after it; also what is missed stays due.
    """
    if days is None:
        return None
    since = start if last is None else last + timedelta(days=1)
    return DueItem(Errand.REPORT_IN_PERSON, since, (last or start) + timedelta(days=days))


def reports_due(days: int | None, *, last: date | None, start: date, today: date) -> tuple[DueItem, ...]:
    """What a center tells its kiosks: the next report and, unless one counted today, the one after a report of today.

    The second lets a kiosk say when to come again without asking anybody.
    """
    following = next_report(days, last=last, start=start)
    if following is None:
        return ()
    after = next_report(days, last=today, start=start)
    return (following,) if after is None or last == today else (following, after)


def check_cadence(cadence: object) -> None:
    """Raises ConfigurationError unless it names every level at most once, in order, with 1 to MOST_DAYS days."""
    if not isinstance(cadence, tuple):
        raise ConfigurationError("The policy's cadence has a value of a wrong type.")
    for entry in cadence:
        if len(entry) != 2 or not isinstance(entry[0], SupervisionLevel):
            raise ConfigurationError("cadence is a level of supervision each, and days between two visits.")
        if isinstance(entry[1], bool) or not isinstance(entry[1], int) or not 1 <= entry[1] <= MOST_DAYS:
            raise ConfigurationError(f"Between two visits lie 1 to {MOST_DAYS} whole days, not {entry[1]!r}.")
    if [level for level, _ in cadence] != sorted({level for level, _ in cadence}):
        raise ConfigurationError("cadence names every level once, in their order.")


def cadence_from(values: object) -> Cadence:
    """Read a cadence from JSON: an object, level to days; a level that is not named has none.

    Raises ConfigurationError.
    """
    if not isinstance(values, Mapping):
        raise ConfigurationError("cadence is an object: a level of supervision, and days between two visits.")
    known = {level.value for level in SupervisionLevel}
    for level in values:
        if level not in known:
            raise ConfigurationError(f"There is no level of supervision {level!r}; known: {', '.join(sorted(known))}.")
    cadence = tuple((SupervisionLevel(level), values[level]) for level in sorted(values))
    check_cadence(cadence)
    return cadence


def cadence_json(cadence: Cadence) -> dict[str, int]:
    """The inverse of ``cadence_from``."""
    return {level.value: days for level, days in cadence}
