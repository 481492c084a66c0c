"""The event's one spelling: what goes in comes out, and there is no other way to write it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from models.attendance import (
    AttendanceEvent,
    CheckInOutcome,
    EventType,
    Evidence,
    Method,
    PresentationEvidence,
    SignedEvent,
    Subject,
    ThresholdBasis,
    TimeQuality,
    Witness,
    WitnessVerdict,
    canonical,
    event_hash,
    format_time,
    parse_time,
    sha256_hex,
    sign_event,
    uuid7,
    verify_event,
)
from models.errors import InputError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
names = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=12)
shares = st.floats(0, 1)
presentations = st.builds(
    PresentationEvidence,
    names,
    st.sampled_from(WitnessVerdict),
    st.dictionaries(names, st.floats(-1e6, 1e6), max_size=3),
)
evidence = st.builds(
    Evidence, names, names, names, st.none() | shares, st.none() | shares, st.booleans(), st.none() | shares, names,
    st.lists(presentations, max_size=2).map(tuple), st.booleans(),
    st.none() | st.builds(ThresholdBasis, names, names, st.none() | shares, st.none() | st.floats(-20, 20),
                          st.lists(names, max_size=2).map(tuple)),
)  # fmt: skip
events = st.builds(
    AttendanceEvent,
    event_id=st.uuids().map(str),
    kiosk_id=names,
    seq=st.integers(1, 2**53 - 1),
    prev_hash=names,
    captured_at=moments,
    boot_id=names,
    monotonic_ns=st.integers(0, 2**63),
    time_quality=st.sampled_from(TimeQuality),
    person_id=st.none() | names,
    type=st.sampled_from(EventType),
    outcome=st.none() | st.sampled_from(CheckInOutcome),
    method=st.sampled_from(Method),
    evidence=st.lists(evidence, max_size=2).map(tuple),
    policy_version=names,
    witness=st.none() | st.builds(Witness, names, names, st.none() | names),
    note_code=st.none() | names,
    amends=st.none() | names,
    details=st.dictionaries(
        st.from_regex("[a-z][a-z0-9_]{0,39}", fullmatch=True),
        st.booleans()
        | st.integers(-(2**53) + 1, 2**53 - 1)
        | st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
        max_size=4,
    ),
)


@given(events)
def test_a_signed_event_comes_back_and_verifies(event):
    signed = sign_event(event, KEY)
    assert verify_event(signed, KEY.public_key()).body() == event.body()
    assert event_hash(signed.body) == signed.hash


@given(moments)
def test_a_moment_has_one_spelling(moment):
    assert parse_time(format_time(moment)) == moment
    assert format_time(moment.astimezone(timezone(timedelta(hours=8)))) == format_time(moment)


@given(moments, moments)
def test_ids_are_ordered_by_time_and_never_the_same(one, other):
    assert uuid7(one) != uuid7(one)
    if abs(one - other) > timedelta(milliseconds=1):
        assert (uuid7(one) < uuid7(other)) == (one < other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, object(), "\ud800"])
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(InputError):
        canonical({"a": value})


@pytest.mark.parametrize("text", ["2026-03-02T01:00:00Z", "2026-03-02 01:00:00.000000Z", "", "x"])
def test_other_spellings_of_a_time_are_refused(text):
    with pytest.raises(ValueError, match=r"time data|unconverted"):
        parse_time(text)


def test_a_missing_field_is_named():
    with pytest.raises(InputError, match="no field 'event_id'"):
        AttendanceEvent.from_body({"witness": None})


def evidenced():
    return AttendanceEvent(
        "01890000-0000-7000-8000-000000000001", "k", 1, "0" * 64, datetime(2026, 3, 2, tzinfo=UTC), "b", 1,
        TimeQuality.SYNCED, "p", EventType.REPORT_IN_PERSON, CheckInOutcome.ACCEPTED, Method.FACE,
        (Evidence("face", "sface", "sface/1", 7.5, 4.5, True, 0.8, "identify"),), "v1",
    )  # fmt: skip


def test_what_a_threshold_rests_on_is_signed_and_older_events_verify_as_they_were():
    event = evidenced()
    older = sign_event(event, KEY)
    assert "basis" not in older.body["evidence"][0]
    assert verify_event(older, KEY.public_key()) == event
    basis = ThresholdBasis("spreads", "the site's 30 people, 435 pairs", 3.3e-4, 6.25, ("look_alike",))
    newer = replace(event, evidence=(replace(event.evidence[0], basis=basis),))
    assert verify_event(sign_event(newer, KEY), KEY.public_key()) == newer


def test_whose_face_was_compared_is_signed_and_older_events_verify_as_they_were():
    event = evidenced()
    assert "subject" not in event.body()["evidence"][0]
    vouched = replace(
        event,
        evidence=(replace(event.evidence[0], subject=Subject.WITNESS),),
        witness=Witness("staff-7", "worn_fingers", "staff-8"),
    )
    signed = sign_event(vouched, KEY)
    assert signed.body["evidence"][0]["subject"] == "witness"
    assert verify_event(signed, KEY.public_key()) == vouched
    alone = replace(event, witness=Witness("staff-7", "worn_fingers"))
    assert alone.body()["witness"] == {"staff_id": "staff-7", "reason": "worn_fingers"}


@pytest.mark.parametrize("subject", [None, "person", "somebody", 1])
def test_another_spelling_of_the_subject_is_refused(subject):
    body = evidenced().body()
    body["evidence"][0]["subject"] = subject
    signed = SignedEvent(body, event_hash(body), KEY.sign(canonical(body)).hex())
    with pytest.raises(InputError):
        verify_event(signed, KEY.public_key())


@pytest.mark.parametrize("second", [None, 1, ["staff-8"]])
def test_another_spelling_of_the_second_witness_is_refused(second):
    body = evidenced().body() | {"witness": {"staff_id": "staff-7", "reason": "other", "second_id": second}}
    signed = SignedEvent(body, event_hash(body), KEY.sign(canonical(body)).hex())
    with pytest.raises(InputError):
        verify_event(signed, KEY.public_key())


@pytest.mark.parametrize("basis", [None, {}, {"scale": "spreads"}, "spreads"])
def test_another_spelling_of_the_basis_is_refused(basis):
    body = evidenced().body()
    body["evidence"][0]["basis"] = basis
    content = canonical(body)
    with pytest.raises(InputError):
        verify_event(SignedEvent(body, sha256_hex(content), KEY.sign(content).hex()), KEY.public_key())


@pytest.mark.parametrize(
    "details",
    [
        {"Name": 1},
        {"x": 1.5},
        {"x": None},
        {"x": {"y": 1}},
        {"x": "a" * 201},
        {f"x{n}": n for n in range(33)},
        ["x"],
        {},
    ],
    ids=["capital", "fraction", "nothing", "nested", "long", "many", "list", "empty"],
)
def test_details_that_are_no_short_plain_values_are_refused(details):
    body = evidenced().body() | {"details": details}
    signed = SignedEvent(body, event_hash(body), KEY.sign(canonical(body)).hex())
    with pytest.raises(InputError):
        verify_event(signed, KEY.public_key())
