"""When a report counts: windows by the site's clock, one report a local day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.attendance import CheckInOutcome
from models.errors import ConfigurationError, InputError
from models.people import Category, Person, SupervisionLevel, check_name, check_number, shown_name
from models.supervision import PastReport, ReportVerdict, SecondFactor, SitePolicy, judge_report

POLICY = SitePolicy(version="v1", windows=(("08:00", "11:30"), ("14:00", "18:00")))


def shanghai(day: int, clock: str) -> datetime:
    """A moment of March 2026 at a site eight hours ahead of UTC."""
    hour, minute = clock.split(":")
    return datetime(2026, 3, day, int(hour), int(minute), tzinfo=UTC) - timedelta(hours=8)


def accepted(moment: datetime) -> PastReport:
    return PastReport(moment, CheckInOutcome.ACCEPTED)


@pytest.mark.parametrize(
    ("clock", "verdict"),
    [
        ("07:59", ReportVerdict.OUTSIDE_WINDOW),
        ("08:00", ReportVerdict.DUE),
        ("11:29", ReportVerdict.DUE),
        ("11:30", ReportVerdict.OUTSIDE_WINDOW),
        ("13:00", ReportVerdict.OUTSIDE_WINDOW),
        ("14:00", ReportVerdict.DUE),
        ("18:00", ReportVerdict.OUTSIDE_WINDOW),
        ("00:05", ReportVerdict.OUTSIDE_WINDOW),
        ("23:59", ReportVerdict.OUTSIDE_WINDOW),
    ],
)
def test_a_report_counts_inside_one_of_the_windows(clock, verdict):
    assert judge_report(POLICY, shanghai(2, clock), []) == verdict


def test_signing_in_just_after_midnight_does_not_free_the_day():
    assert judge_report(POLICY, shanghai(3, "00:01"), [accepted(shanghai(2, "17:59"))]) == ReportVerdict.OUTSIDE_WINDOW
    always_open = SitePolicy(windows=(("00:00", "24:00"),))
    assert judge_report(always_open, shanghai(3, "00:01"), []) == ReportVerdict.DUE
    earlier = [accepted(shanghai(3, "00:01"))]
    assert judge_report(always_open, shanghai(3, "15:00"), earlier) == ReportVerdict.ALREADY_PRESENT


def test_the_day_is_the_sites_and_not_that_of_utc():
    """07:30 and 08:30 in Shanghai are two days in UTC and one at the site; 08:30 and 07:30 the next day the reverse."""
    early = SitePolicy(windows=(("06:00", "20:00"),))
    assert judge_report(early, shanghai(2, "08:30"), [accepted(shanghai(2, "07:30"))]) == ReportVerdict.ALREADY_PRESENT
    assert judge_report(early, shanghai(3, "07:30"), [accepted(shanghai(2, "08:30"))]) == ReportVerdict.DUE


@pytest.mark.parametrize("outcome", list(CheckInOutcome))
def test_only_a_report_that_was_accepted_or_witnessed_makes_a_person_present(outcome):
    verdict = judge_report(POLICY, shanghai(2, "15:00"), [PastReport(shanghai(2, "09:00"), outcome)])
    counts = outcome in (CheckInOutcome.ACCEPTED, CheckInOutcome.WITNESSED)
    assert verdict == (ReportVerdict.ALREADY_PRESENT if counts else ReportVerdict.DUE)


def test_the_next_opening_is_the_next_window_or_the_next_morning():
    assert POLICY.next_opening(shanghai(2, "12:00")) == shanghai(2, "14:00")
    assert POLICY.next_opening(shanghai(2, "14:00")) == shanghai(3, "08:00")


@given(
    moment=st.datetimes(datetime(2000, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from(["Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC"]),
)
def test_a_window_of_the_whole_day_is_always_open_and_a_report_counts_once(moment, zone):
    policy = SitePolicy(timezone=zone, windows=(("00:00", "24:00"),))
    assert judge_report(policy, moment, []) == ReportVerdict.DUE
    assert judge_report(policy, moment, [accepted(moment)]) == ReportVerdict.ALREADY_PRESENT
    assert policy.next_opening(moment) > moment


def test_a_policy_survives_json():
    policy = SitePolicy(version="v2", second_factor=SecondFactor.ALWAYS, windows=(("08:00", "24:00"),), face_alone=True)
    assert SitePolicy.from_json(json.loads(json.dumps(policy.to_json()))) == policy
    assert SitePolicy.from_json({}) == SitePolicy()


@pytest.mark.parametrize(
    "values",
    [
        {"face_alon": True},
        {"face_alone": 1},
        {"max_tries": 4},
        {"max_tries": True},
        {"max_tries": 0},
        {"wanted_fpir": 0},
        {"wanted_fpir": "0.1"},
        {"identify_up_to": -1},
        {"timezone": "Asia/Nowhere"},
        {"timezone": "../../etc/passwd"},
        {"timezone": ""},
        {"windows": []},
        {"windows": "08:00"},
        {"windows": ["ab"]},
        {"windows": [["08:00"]]},
        {"windows": [["8:00", "18:00"]]},
        {"windows": [["18:00", "08:00"]]},
        {"windows": [["08:00", "25:00"]]},
        {"windows": [["24:00", "24:00"]]},
        {"windows": [[8, 18]]},
        {"second_factor": "sometimes"},
        {"levels": [["3", "both"]]},
        {"levels": {"4": "both"}},
        {"levels": {"3": "everything"}},
        {"levels": {"3": None}},
        {"levels": "both"},
        {"version": ""},
        [],
        None,
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(values):
    with pytest.raises(ConfigurationError):
        SitePolicy.from_json(values)


def test_a_typo_is_answered_with_the_name_that_was_meant():
    with pytest.raises(ConfigurationError, match="did you mean 'face_alone'"):
        SitePolicy.from_json({"face_alon": True})


@pytest.mark.parametrize(
    ("name", "shown"),
    [("王小明", "明"), (" 欧阳娜娜 ", "娜"), ("葛\U000e0100", "葛\U000e0100"), ("Li Lei", "i"), ("", ""), ("é", "é")],
)
def test_a_bystander_sees_the_last_character_of_a_name(name, shown):
    assert shown_name(name) == shown


def test_a_person_never_shows_name_or_number_by_accident():
    person = Person("p-1", "2026001", "王小明", "s-1", SupervisionLevel.NORMAL, Category.PROBATION)
    assert "2026001" not in repr(person) and "王" not in f"{person}"


def test_supervision_ends_with_the_term():
    person = Person("p", "1", "王", "s", SupervisionLevel.LOOSE, Category.PAROLE, term_end=date(2026, 3, 2))
    assert person.under_supervision(date(2026, 3, 2)) and not person.under_supervision(date(2026, 3, 3))


def test_numbers_and_names_are_checked():
    assert check_number(" ２０２６-001 ") == "2026-001"
    assert check_name("  王  小明 ") == "王 小明"
    for number in ("", "-1", "a b", "1" * 33, "1;drop", "一"):
        with pytest.raises(InputError):
            check_number(number)
    for name in ("", " ", "x" * 65, "a\x00b", "a\x1bb"):
        with pytest.raises(InputError):
            check_name(name)


def test_a_policy_names_per_level_which_evidence_suffices():
    policy = SitePolicy.from_json({"version": "v3", "levels": {"3": "both", "1": "either", "2": "claim_first"}})
    assert SitePolicy.from_json(json.loads(json.dumps(policy.to_json()))) == policy
    strict, loose = policy.for_level(SupervisionLevel.STRICT), policy.for_level(SupervisionLevel.LOOSE)
    assert (strict.face_alone, strict.finger_alone, strict.second_factor) == (False, False, SecondFactor.ALWAYS)
    assert (loose.face_alone, loose.finger_alone, loose.second_factor) == (True, True, SecondFactor.DOUBT)
    assert policy.for_level(SupervisionLevel.NORMAL).claim_first
    assert policy.for_level(None) == policy
    assert {strict.version, loose.version} == {"v3"}


def test_without_levels_a_policy_is_what_older_kiosks_understand():
    assert "levels" not in SitePolicy().to_json()


def test_a_second_witness_is_asked_for_only_where_the_policy_says_so():
    assert "second_witness" not in SitePolicy().to_json()
    policy = SitePolicy(version="v4", second_witness=True)
    assert SitePolicy.from_json(policy.to_json()) == policy
    with pytest.raises(ConfigurationError, match="second_witness"):
        SitePolicy.from_json({"second_witness": 1})
    assert SitePolicy().for_level(SupervisionLevel.STRICT) == SitePolicy()


def test_a_mistyped_rule_of_a_level_is_answered_with_the_one_that_was_meant():
    with pytest.raises(ConfigurationError, match="did you mean 'claim_first'"):
        SitePolicy.from_json({"levels": {"2": "claim_frist"}})


def test_a_claim_is_compared_as_strictly_as_each_person_of_a_search():
    assert SitePolicy(wanted_fpir=0.01, identify_up_to=40).verification_fmr == pytest.approx(2.5e-4)
    assert SitePolicy(wanted_fpir=0.01, identify_up_to=0).verification_fmr == pytest.approx(2.5e-4)


@pytest.mark.parametrize(("identify_up_to", "shared_by"), [(0, 40), (1, 40), (40, 40), (100, 100)])
def test_a_claim_is_never_compared_less_strictly_because_fewer_people_are_searched(
    identify_up_to: int, shared_by: int
) -> None:
    policy = SitePolicy(identify_up_to=identify_up_to, wanted_fpir=0.01)
    assert policy.verification_fmr == pytest.approx(0.01 / shared_by)
