"""When somebody has to come again, by the policy of the site and not by the code."""

from __future__ import annotations

from datetime import date

import pytest

from models.cadence import MOST_DAYS, USUAL_CADENCE, cadence_from, cadence_json, next_report, reports_due
from models.errands import DueItem, Errand
from models.errors import ConfigurationError
from models.people import SupervisionLevel
from models.supervision import SitePolicy

START, LAST = date(2026, 1, 31), date(2026, 2, 27)


def test_the_next_report_is_due_that_many_days_after_the_last_one():
    assert next_report(15, last=LAST, start=START) == DueItem(
        Errand.REPORT_IN_PERSON, date(2026, 2, 28), date(2026, 3, 14)
    )


def test_who_never_reported_is_counted_from_the_first_day():
    assert next_report(30, last=None, start=START) == DueItem(Errand.REPORT_IN_PERSON, START, date(2026, 3, 2))


def test_what_was_missed_stays_due():
    due = next_report(15, last=LAST, start=START)
    assert due is not None and due.open_on(date(2027, 1, 1))


def test_a_visit_of_today_makes_nothing_due_today():
    due = next_report(1, last=LAST, start=START)
    assert due is not None and not due.open_on(LAST) and due.open_on(due.until)


def test_without_a_cadence_nothing_is_due():
    assert next_report(None, last=LAST, start=START) is None
    policy = SitePolicy(cadence=((SupervisionLevel.STRICT, 15),))
    assert policy.days_between(SupervisionLevel.LOOSE) is None
    assert SitePolicy().days_between(None) is None


def test_a_kiosk_learns_the_day_after_a_report_of_today_ahead():
    today = date(2026, 3, 9)
    now, after = reports_due(15, last=LAST, start=START, today=today)
    assert (now.until, now.open_on(today)) == (date(2026, 3, 14), True)
    assert (after.until, after.open_on(today)) == (date(2026, 3, 24), False)
    assert reports_due(15, last=today, start=START, today=today) == (after,)
    assert reports_due(None, last=None, start=START, today=today) == ()


def test_the_usual_cadence_is_stricter_for_the_strict():
    usual = SitePolicy()
    days = [usual.days_between(level) for level in SupervisionLevel]
    assert days == [30, 30, 15]


def test_a_policy_names_its_cadence_only_where_it_is_not_the_usual_one():
    assert "cadence" not in SitePolicy().to_json()
    own = SitePolicy(version="2", cadence=((SupervisionLevel.NORMAL, 14),))
    assert own.to_json()["cadence"] == {"2": 14}
    assert SitePolicy.from_json(own.to_json()) == own
    nobody = SitePolicy(version="3", cadence=())
    assert SitePolicy.from_json(nobody.to_json()) == nobody


@pytest.mark.parametrize(
    "values",
    [
        [],
        "monthly",
        {"1": 0},
        {"1": -3},
        {"1": MOST_DAYS + 1},
        {"1": 1.5},
        {"1": True},
        {"1": None},
        {"4": 15},
        {1: 15},
    ],
    ids=repr,
)
def test_a_cadence_that_cannot_be_meant_is_refused(values):
    with pytest.raises(ConfigurationError):
        cadence_from(values)
    with pytest.raises(ConfigurationError):
        SitePolicy.from_json({"cadence": values})


@pytest.mark.parametrize("cadence", [[], ((SupervisionLevel.STRICT, 15), (SupervisionLevel.LOOSE, 30)), (("1", 15),)])
def test_a_cadence_in_another_shape_is_refused(cadence):
    with pytest.raises(ConfigurationError):
        SitePolicy(cadence=cadence)


def test_a_cadence_survives_its_journey():
    assert cadence_from(cadence_json(USUAL_CADENCE)) == USUAL_CADENCE
