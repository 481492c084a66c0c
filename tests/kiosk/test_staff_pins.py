"""Wrong PINs: how long somebody waits, who else does, and what a restart changes about that."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from sqlalchemy import Engine

from kiosk.staff.members import Member, Right, members, rights_of
from kiosk.staff.pins import FIRST_WAIT_S, FREE_TRIES_HERE, LONGEST_WAIT_S, NOBODY, BackOff, pin_matches
from models.store.engine import open_store, writing
from models.store.kiosk import MetaRow


class Seconds:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Engine:
    return open_store(f"sqlite:///{tmp_path / 'kiosk.sqlite'}", branch="kiosk")


def tried(back_off: BackOff, staff_id: str, times: int) -> None:
    for _ in range(times):
        back_off.wrong(staff_id)


def test_the_third_wrong_try_begins_a_wait_that_doubles(store: Engine) -> None:
    seconds = Seconds()
    back_off = BackOff(store, seconds)
    tried(back_off, "a", 2)
    assert back_off.wait_s("a") == 0
    waits = []
    for _ in range(8):
        back_off.wrong("a")
        waits.append(back_off.wait_s("a"))
    assert waits == [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0, 900.0]
    seconds.now += LONGEST_WAIT_S
    assert back_off.wait_s("a") == 0


def test_another_staff_member_waits_only_once_the_kiosk_has_seen_many(store: Engine) -> None:
    back_off = BackOff(store, Seconds())
    tried(back_off, "a", FREE_TRIES_HERE - 1)
    assert back_off.wait_s("b") == 0
    back_off.wrong(NOBODY)
    assert back_off.wait_s("b") == FIRST_WAIT_S


def test_signing_in_clears_the_own_tries_and_nobody_elses(store: Engine) -> None:
    back_off = BackOff(store, Seconds())
    tried(back_off, "a", 3)
    back_off.right("b")
    assert back_off.wait_s("a") > 0
    back_off.right("a")
    assert back_off.wait_s("a") == 0


def test_switching_off_and_on_buys_no_tries(store: Engine) -> None:
    """The monotonic clock begins anew; the whole wait does, too."""
    tried(BackOff(store, Seconds()), "a", 4)
    seconds = Seconds()
    seconds.now = 0.5
    back_off = BackOff(store, seconds)
    assert back_off.wait_s("a") == 2 * FIRST_WAIT_S


def test_whoever_damages_the_note_makes_everybody_wait(store: Engine) -> None:
    with writing(store) as session:
        session.merge(MetaRow(key="staff_wrong_tries", value="{"))
    assert BackOff(store, Seconds()).wait_s("a") == FIRST_WAIT_S


def test_a_day_later_wrong_tries_are_forgotten(store: Engine) -> None:
    seconds = Seconds()
    back_off = BackOff(store, seconds)
    tried(back_off, "a", 9)
    seconds.now += 86_401
    tried(back_off, "a", 1)
    assert back_off.wait_s("a") == 0


@pytest.mark.parametrize(
    ("pin_hash", "right"),
    [(PasswordHasher(time_cost=1, memory_cost=64).hash("271828"), True), ("no hash", False), (None, False)],
    ids=["its own", "no hash", "none"],
)
def test_a_pin_matches_its_own_hash_only(pin_hash: str | None, right: bool) -> None:
    assert pin_matches(pin_hash, "271828") is right
    assert pin_matches(pin_hash, "271829") is False


def test_the_pin_that_nobody_has_is_no_way_in() -> None:
    assert pin_matches(None, "0000") is False


class TestRights:
    def test_without_a_face_or_a_finger_nobody_enrolls_others(self) -> None:
        center, configured = Member("a", "静", "$argon2"), Member("b", "b", "$argon2", by_center=False)
        assert rights_of(center, compared=False) == {Right.ENROLL_SELF}
        assert Right.ENROLL not in rights_of(configured, compared=False)
        assert rights_of(center, compared=True) == set(Right)

    def test_the_configurations_witnesses_count_only_while_the_center_names_nobody(self) -> None:
        from kiosk.roster import NOBODY as EMPTY

        witnesses = {"staff-7": "$argon2id$x"}
        assert members(EMPTY, witnesses, pin_alone=False) == ()
        assert [item.staff_id for item in members(EMPTY, witnesses, pin_alone=True)] == ["staff-7"]
