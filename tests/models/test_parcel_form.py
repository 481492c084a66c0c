"""The wire form of a parcel and the container of its pages, and what neither takes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.attendance import uuid7
from models.errors import InputError
from models.parcels import MOST_PAGE_BYTES, MOST_PAGES, Parcel, ParcelKind, check_content, pack_pages, unpack_pages

NOW = datetime(2026, 3, 9, 1, tzinfo=UTC)
PARCEL = Parcel(uuid7(NOW), ParcelKind.WRITTEN_REPORT, "p1", NOW, "site", b"sealed bytes")


def page(content: bytes = b"page") -> bytes:
    return b"\xff\xd8\xff" + content + b"\xff\xd9"


def test_a_parcel_survives_its_journey():
    assert Parcel.from_json(PARCEL.to_json()) == PARCEL


@pytest.mark.parametrize(
    "change",
    [
        {"parcel_id": "1"}, {"parcel_id": "0195a000-0000-4000-8000-000000000000"}, {"parcel_id": None},
        {"kind": "bomb"}, {"created_at": "now"}, {"created_at": 3}, {"sealed": "a b"}, {"sealed": None},
        {"sha256": "0" * 64}, {"sha256": None}, {"sealed": "AAAA"},
    ],
    ids=repr,
)  # fmt: skip
def test_a_parcel_of_another_shape_is_refused(change):
    with pytest.raises(InputError):
        Parcel.from_json(PARCEL.to_json() | change)
    missing = {name: value for name, value in PARCEL.to_json().items() if name not in change}
    with pytest.raises(InputError):
        Parcel.from_json(missing)


def test_a_parcel_shows_nothing_of_whom_it_is_about():
    assert "p1" not in repr(PARCEL)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=300).map(page), min_size=1, max_size=MOST_PAGES))
def test_pages_come_out_as_they_went_in(pages):
    assert list(unpack_pages(pack_pages(pages))) == pages


@pytest.mark.parametrize(
    ("pages", "code"),
    [
        ([], "pages_missing"),
        ([page()] * (MOST_PAGES + 1), "pages_many"),
        ([b"<svg/>"], "page_invalid"),
        ([page()[:-1]], "page_invalid"),
        ([page(b"0" * MOST_PAGE_BYTES)], "page_too_large"),
        ([page(b"0" * (MOST_PAGE_BYTES - 10))] * 3, "parcel_too_large"),
    ],
    ids=["none", "many", "other file", "cut off", "large", "large together"],
)
def test_what_is_no_report_is_not_packed(pages, code):
    with pytest.raises(InputError) as refused:
        pack_pages(pages)
    assert refused.value.code == code


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 30))
def test_a_spoiled_container_is_refused_in_one_sentence(noise, place):
    whole = pack_pages([page(), page(b"2")])
    for spoiled in (noise, whole[:place], whole + noise if noise else b"", whole[:14] + noise):
        with pytest.raises(InputError, match="cannot be read"):
            unpack_pages(spoiled)


def test_a_parcel_is_neither_empty_nor_endless():
    with pytest.raises(InputError):
        check_content(b"")
