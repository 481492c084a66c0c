"""What a person is offered, in which order, and what nobody can do twice."""

from datetime import date

import pytest

from models.attendance import EventType
from models.errands import USUAL_ERRANDS, DueItem, Errand, offered
from models.errors import InputError

TODAY = date(2026, 3, 9)


def item(errand, since=date(2026, 3, 1), until=date(2026, 3, 31)):
    return DueItem(errand, since, until)


def codes(due=(), done=()):
    return [errand for errand, _ in offered(USUAL_ERRANDS, due, TODAY, done)]


def test_every_errand_ends_in_an_event_of_its_own_type():
    assert {errand.event_type.value for errand in Errand} == {errand.value for errand in Errand}


def test_what_is_due_is_offered_first_and_help_last():
    shown = offered(USUAL_ERRANDS, [item(Errand.WRITTEN_REPORT)], TODAY, [])
    assert shown[0] == (Errand.WRITTEN_REPORT, True)
    assert shown[-1] == (Errand.HELP_REQUEST, False)


def test_what_is_due_later_is_not_due_now_and_what_was_missed_still_is():
    later = item(Errand.LEAVE_RETURN, since=date(2026, 3, 10))
    missed = item(Errand.LEAVE_RETURN, date(2026, 2, 1), date(2026, 2, 2))
    assert (Errand.LEAVE_RETURN, False) in offered(USUAL_ERRANDS, [later], TODAY, [])
    assert (Errand.LEAVE_RETURN, True) in offered(USUAL_ERRANDS, [missed], TODAY, [])


def test_whoever_came_in_is_offered_to_go_out_and_nothing_can_be_entered_twice():
    assert Errand.EDUCATION_OUT not in codes()
    inside = codes(done=[EventType.EDUCATION_IN])
    assert Errand.EDUCATION_OUT in inside and Errand.EDUCATION_IN not in inside
    again = codes(done=[EventType.EDUCATION_IN, EventType.EDUCATION_OUT])
    assert Errand.EDUCATION_IN in again and Errand.EDUCATION_OUT not in again


def test_what_was_done_today_is_not_offered_again_but_help_always_is():
    left = codes(done=[EventType.REPORT_IN_PERSON, EventType.HELP_REQUEST])
    assert Errand.REPORT_IN_PERSON not in left
    assert Errand.HELP_REQUEST in left


def test_an_office_offers_only_what_it_has():
    assert [errand for errand, _ in offered([Errand.HELP_REQUEST], [item(Errand.EDUCATION_IN)], TODAY, [])] == [
        Errand.HELP_REQUEST
    ]


def test_a_due_item_survives_its_journey():
    due = item(Errand.SERVICE_IN)
    assert DueItem.from_json(due.to_json()) == due


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"errand": "dance", "since": "2026-03-01", "until": "2026-03-02"},
        {"errand": "service_in", "since": "2026-03-03", "until": "2026-03-02"},
        {"errand": "service_in", "since": 3, "until": "2026-03-02"},
    ],
)
def test_a_malformed_due_item_is_refused(values):
    with pytest.raises(InputError):
        DueItem.from_json(values)
