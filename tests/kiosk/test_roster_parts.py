"""What a center may leave out of a gallery document, and what it may spoil, without stopping the rest."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import structlog

from enrollment.vault import SiteKey, Vault, WrappedKey
from kiosk.roster import Roster, open_roster
from models.biometrics import Modality, Reference, Template, TemplateFormat
from models.errands import DueItem, Errand
from models.questions import Question
from models.supervision import SitePolicy

VAULT = Vault(SiteKey("site", b"s" * 32))
NOW = datetime(2026, 3, 9, 1, 30, tzinfo=UTC)
PIN_HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2g"
DUE = {"errand": "leave_return", "since": "2026-03-10", "until": "2026-03-12"}


def sealed(subject_id: str, key: WrappedKey, number: int = 1) -> dict[str, Any]:
    template = Template(TemplateFormat("sface", 1), b"template of " + subject_id.encode())
    reference = Reference(f"{subject_id}-{number}", subject_id, Modality.FACE, None, template, 0.9, NOW)
    return VAULT.seal(reference, key).to_json()


def subject(subject_id: str) -> dict[str, Any]:
    key = VAULT.new_person_key(subject_id)
    return {"wrapped_key": key.to_json(), "references": [sealed(subject_id, key)]}


def person(person_id: str = "p1", **parts: Any) -> dict[str, Any]:
    return {"person_id": person_id, "number": "1", "shown_name": "明", "active": True} | subject(person_id) | parts


def member(staff_id: str = "s1", **parts: Any) -> dict[str, Any]:
    fields = {"staff_id": staff_id, "shown_name": "敏", "role": "staff", "pin_hash": PIN_HASH, "expires_at": None}
    return fields | subject(staff_id) | parts


def opened(*people: dict[str, Any], **parts: Any) -> Roster:
    return open_roster(
        {"version": 3, "policy": SitePolicy().to_json(), "people": list(people) or [person()]} | parts, VAULT
    )


def test_a_document_of_an_older_center_is_taken_as_it_is():
    roster = opened()
    assert (roster.questions, dict(roster.staff)) == ((), {})
    assert roster.errands == (Errand.REPORT_IN_PERSON,)
    known = roster.people["p1"]
    assert (known.due, known.last_report, known.id_card) == (None, None, None)


def test_every_part_that_a_center_names_is_read():
    who = person(due=[DUE], last_report="2026-03-02T01:00:00.000000Z", id_card="a" * 64)
    roster = opened(who, questions=["phone_changed"], errands=["written_report", "help_request"], staff=[member()])
    assert roster.questions == (Question.PHONE_CHANGED,)
    assert roster.errands == (Errand.WRITTEN_REPORT, Errand.HELP_REQUEST)
    known = roster.people["p1"]
    assert known.due == (DueItem(Errand.LEAVE_RETURN, date(2026, 3, 10), date(2026, 3, 12)),)
    assert known.last_report == datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert known.wrapped_key is not None and known.wrapped_key.person_id == "p1"
    staff = roster.staff["s1"]
    assert (staff.shown_name, staff.role, staff.pin_hash, staff.has_face) == ("敏", "staff", PIN_HASH, True)
    assert staff.references[0].template.payload == b"template of s1"


def test_an_empty_list_of_what_is_due_says_that_nothing_is():
    assert opened(person(due=[])).people["p1"].due == ()


def test_references_of_staff_are_never_among_those_that_are_searched():
    roster = opened(staff=[member()])
    assert {item.person_id for item in roster.references()} == {"p1"}
    assert roster.person("s1") is None
    assert roster.by_number("s1") is None


def test_references_sealed_for_a_person_do_not_open_for_a_staff_member():
    stolen = subject("p1")
    roster = opened(staff=[member(references=stolen["references"], wrapped_key=stolen["wrapped_key"])])
    assert roster.staff["s1"].references == ()


@pytest.mark.parametrize(
    ("part", "spoiled"),
    [
        ("questions", {"questions": ["phone_changed", "shoe_size", 3, None]}),
        ("questions", {"questions": "phone_changed"}),
        ("errands", {"errands": ["report_in_person", "dance", {}]}),
        ("errands", {"errands": {"report_in_person": True}}),
        ("staff", {"staff": [{}, 7, None, "s9", member("s2", role="king"), member("s3", pin_hash="1234")]}),
        ("staff", {"staff": [member("s2", expires_at="soon"), member("s3", references=[{"modality": "smell"}])]}),
        ("staff", {"staff": 5}),
        ("due", {"people": [person(due=[{"errand": "dance"}, 3, None])]}),
        ("due", {"people": [person(due="tomorrow")]}),
        ("last_report", {"people": [person(last_report="yesterday")]}),
        ("last_report", {"people": [person(last_report=5)]}),
        ("id_card", {"people": [person(id_card="440")]}),
        ("id_card", {"people": [person(id_card=["a" * 64])]}),
    ],
)
def test_a_spoiled_part_is_left_out_with_a_code_and_the_rest_stands(part, spoiled):
    with structlog.testing.capture_logs() as said:
        roster = opened(**spoiled)
    assert roster.people["p1"].has_face
    left_out = [line for line in said if line["event"] == "gallery_part_left_out"]
    assert {line["part"] for line in left_out} == {part}
    assert {*left_out[0]} == {"event", "log_level", "part"}
    assert not set(roster.staff) & {"s2", "s3", "s9"}
    assert set(roster.questions) <= {Question.PHONE_CHANGED}
    assert set(roster.errands) <= {Errand.REPORT_IN_PERSON}


def test_more_than_two_questions_are_never_asked():
    asked = opened(questions=["phone_changed", "job_changed", "health_changed"]).questions
    assert asked == (Question.PHONE_CHANGED, Question.JOB_CHANGED)


def test_a_staff_account_ends_without_the_center_s_help():
    staff = opened(staff=[member(expires_at="2026-03-09T01:00:00.000000Z")]).staff["s1"]
    assert not staff.usable(NOW)
    assert staff.usable(datetime(2026, 3, 9, 0, 59, tzinfo=UTC))


def test_a_card_is_known_by_its_digest_alone():
    roster = opened(person("p1", id_card="a" * 64), person("p2", id_card="b" * 64), person("p3"))
    found = roster.by_id_card("b" * 64)
    assert found is not None and found.person_id == "p2"
    for strange in ("c" * 64, "", "b" * 63, "é"):
        assert roster.by_id_card(strange) is None


def test_nothing_of_a_staff_member_or_a_person_is_shown_in_a_log():
    roster = opened(person(id_card="a" * 64), staff=[member()])
    shown = repr(roster) + repr(roster.people["p1"]) + repr(roster.staff["s1"])
    assert not any(secret in shown for secret in ("a" * 64, PIN_HASH, "敏", "明"))
