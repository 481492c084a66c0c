"""Card numbers: the check character catches slips, and only a keyed digest stands for a number."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.errors import InputError
from models.id_card import card_key, check_character, checked_number, digest

EXAMPLE = "11010519491231002X"  # the example in GB 11643 itself
KEY = card_key(b"\1" * 32)


def numbers() -> st.SearchStrategy[str]:
    days = st.dates().map(lambda day: day.strftime("%Y%m%d").rjust(8, "0")).filter(lambda text: text >= "1000")
    parts = st.tuples(st.integers(110_000, 659_999), days, st.integers(0, 999))
    return parts.map(lambda part: f"{part[0]}{part[1]}{part[2]:03d}").map(lambda body: body + check_character(body))


def test_the_standards_own_example_has_its_check_character() -> None:
    assert check_character(EXAMPLE[:17]) == EXAMPLE[17]


@given(numbers(), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(number: str, place: int, off: int) -> None:
    wrong = number[:place] + str((int(number[place]) + off) % 10) + number[place + 1 :]
    assert checked_number(number) == number
    with pytest.raises(InputError):
        checked_number(wrong)


@given(numbers(), st.integers(14, 15))
def test_two_neighbours_that_changed_places_are_noticed(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    if swapped != number:
        with pytest.raises(InputError):
            checked_number(swapped)


def test_the_digest_forgives_spelling_and_nothing_else() -> None:
    assert digest(f" {EXAMPLE.lower()} ", KEY) == digest(EXAMPLE, KEY)
    assert re.fullmatch("[0-9a-f]{64}", digest(EXAMPLE, KEY))


def test_another_site_knows_a_card_by_another_digest() -> None:
    assert digest(EXAMPLE, KEY) != digest(EXAMPLE, card_key(b"\2" * 32))


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "123",
        "A" * 18,
        "11010519491331002X",
        "１１０１０５１９４９１２３１００２７",
        "1101051949123100271",
        "010105194912310027",
    ],
)
def test_what_no_card_can_bear_is_refused_without_repeating_it(wrong: str) -> None:
    with pytest.raises(InputError) as refused:
        digest(wrong, KEY)
    assert wrong == "" or wrong not in str(refused.value)
