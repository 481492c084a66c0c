"""A wrong clock is noticed, said, recorded, and turns against nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import kiosk.clock as clock_module
from kiosk.clock import Clock
from kiosk.dating import dated, judge_by
from kiosk.journal import Journal
from kiosk.recording import Recorder
from kiosk.screen import Screen
from kiosk.timekeeping import ClockWatch, Jump, TimeKeeper
from models.attendance import CheckInOutcome, EventType, TimeQuality
from models.store.engine import open_store
from models.supervision import PastReport, ReportVerdict, SitePolicy

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # in Shanghai
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
POLICY = SitePolicy(windows=(("08:00", "18:00"),))


@dataclass
class Machine:
    """A machine's clocks, moved by hand."""

    wall: datetime = NOON
    monotonic_s: float = 100.0
    base: TimeQuality = TimeQuality.RTC
    boot: str = "boot-1"
    clock: Clock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(
            now=lambda: self.wall,
            monotonic_ns=lambda: int(self.monotonic_s * 1e9),
            boot_id=self.boot,
            time_quality=lambda: self.base,
        )

    def passes(self, **span: float) -> None:
        """Time passes for both clocks."""
        self.wall += timedelta(**span)
        self.monotonic_s += timedelta(**span).total_seconds()

    def jumps(self, **span: float) -> None:
        """Somebody sets the clock."""
        self.wall += timedelta(**span)


def test_a_good_clock_is_believed_and_says_what_the_machine_says() -> None:
    machine = Machine()
    keeper = TimeKeeper(machine.clock, last_record=NOON - timedelta(days=1))
    for quality in TimeQuality:
        machine.base = quality
        machine.passes(minutes=1)
        assert (keeper.quality(), keeper.certain_now(), keeper.jumps()) == (quality, machine.wall, [])


def test_a_boot_into_1970_is_unknown_and_nobody_can_say_what_day_it_is() -> None:
    machine = Machine(wall=EPOCH)
    keeper = TimeKeeper(machine.clock, last_record=None)
    assert (keeper.quality(), keeper.certain_now()) == (TimeQuality.UNKNOWN, None)


def test_a_clock_before_the_last_record_is_unknown_until_time_has_caught_up() -> None:
    machine = Machine()
    keeper = TimeKeeper(machine.clock, last_record=NOON + timedelta(hours=1))
    assert keeper.quality() is TimeQuality.UNKNOWN
    machine.passes(hours=2)
    assert keeper.quality() is TimeQuality.RTC


@pytest.mark.parametrize("days", [-3, 3])
def test_a_jump_puts_the_clock_in_doubt_and_the_rules_go_by_the_monotonic_clock(days: int) -> None:
    machine = Machine()
    keeper = TimeKeeper(machine.clock, last_record=None)
    assert keeper.quality() is TimeQuality.RTC
    machine.passes(seconds=30)
    machine.jumps(days=days)
    assert keeper.quality() is TimeQuality.UNKNOWN
    assert keeper.certain_now() == NOON + timedelta(seconds=30)
    assert keeper.jumps() == [Jump(days * 86_400)] and keeper.jumps() == []


def test_a_time_server_ends_the_doubt() -> None:
    machine = Machine(wall=EPOCH)
    keeper = TimeKeeper(machine.clock, last_record=NOON)
    assert keeper.quality() is TimeQuality.UNKNOWN
    machine.wall, machine.base = NOON + timedelta(days=1), TimeQuality.SYNCED
    assert (keeper.quality(), keeper.certain_now()) == (TimeQuality.SYNCED, machine.wall)


def test_a_clock_that_was_ahead_and_is_set_right_by_a_time_server_is_believed() -> None:
    machine = Machine(wall=NOON + timedelta(days=400))
    keeper = TimeKeeper(machine.clock, last_record=None)
    assert keeper.quality() is TimeQuality.RTC
    machine.wall, machine.base = NOON, TimeQuality.SYNCED
    assert (keeper.quality(), keeper.certain_now()) == (TimeQuality.SYNCED, NOON)
    machine.base = TimeQuality.RTC
    machine.passes(minutes=1)
    assert keeper.quality() is TimeQuality.RTC  # and the wrong time from before holds nothing against it


@pytest.fixture
def journal_of(tmp_path: Path) -> Iterator[object]:
    store = open_store(f"sqlite:///{tmp_path / 'kiosk.sqlite'}", branch="kiosk")
    key = Ed25519PrivateKey.generate()
    yield lambda clock: Journal(store, key=key, kiosk_id="k-1", clock=clock)
    store.dispose()


def report(journal: Journal, clock: Clock, outcome: CheckInOutcome = CheckInOutcome.ACCEPTED) -> None:
    recorder = Recorder(journal, clock)
    recorder.store(recorder.draft(EventType.REPORT_IN_PERSON, person_id="p", outcome=outcome, policy_version="1"))


def verdict(journal: Journal, clock: Clock) -> ReportVerdict:
    """What the kiosk would make of a report now."""
    wall = clock.now()
    events = dated(journal.lately("p", min(clock.rule_now() or wall, wall)), clock)
    return judge_by(POLICY, clock, [PastReport(e.captured_at, e.outcome) for e in events if e.outcome], events)


@pytest.mark.parametrize("days", [-3, -1, 1, 3, 4000])
def test_a_clock_that_is_set_during_the_day_frees_no_second_report(journal_of, days: int) -> None:
    machine = Machine()
    keeper = TimeKeeper(machine.clock, last_record=None)
    journal = journal_of(keeper.clock)
    report(journal, keeper.clock)
    machine.passes(minutes=5)
    machine.jumps(days=days)
    assert verdict(journal, keeper.clock) is ReportVerdict.ALREADY_PRESENT
    machine.passes(days=1)
    assert verdict(journal, keeper.clock) is ReportVerdict.DUE  # the next day is free nevertheless


@pytest.mark.parametrize("kind", [EventType.EDUCATION_IN, EventType.PRESENCE, EventType.ANSWERS])
def test_by_no_clock_only_a_report_counts_as_a_report(journal_of, kind: EventType) -> None:
    """Whoever came for a lesson this morning, or only stood there, may still report while the clock is wrong."""
    machine = Machine(wall=EPOCH)
    keeper = TimeKeeper(machine.clock, last_record=NOON)
    journal = journal_of(keeper.clock)
    recorder = Recorder(journal, keeper.clock)
    recorder.store(recorder.draft(kind, person_id="p", outcome=CheckInOutcome.ACCEPTED, policy_version="1"))
    machine.passes(hours=1)
    assert verdict(journal, keeper.clock) is ReportVerdict.DUE
    report(journal, keeper.clock)
    assert verdict(journal, keeper.clock) is ReportVerdict.ALREADY_PRESENT


def test_a_night_in_which_the_machine_slept_is_no_jump(monkeypatch: pytest.MonkeyPatch) -> None:
    """The time of an event's stamp goes on while the machine sleeps: yesterday's report is not of an hour ago."""
    asked: list[int] = []

    def reading(which: int) -> int:
        asked.append(which)
        return 9 * 3_600_000_000_000

    monkeypatch.setattr(clock_module.time, "clock_gettime_ns", reading)
    assert Clock().monotonic_ns() == 9 * 3_600_000_000_000
    assert asked == [clock_module.time.CLOCK_BOOTTIME]


def test_nobody_is_outside_of_a_window_by_a_clock_that_is_wrong(journal_of) -> None:
    machine = Machine()
    keeper = TimeKeeper(machine.clock, last_record=None)
    journal = journal_of(keeper.clock)
    assert verdict(journal, keeper.clock) is ReportVerdict.DUE
    machine.jumps(hours=11)  # it claims to be late in the evening
    assert verdict(journal, keeper.clock) is ReportVerdict.DUE
    in_1970 = Machine(wall=EPOCH + timedelta(hours=15), boot="boot-2")
    assert verdict(journal, TimeKeeper(in_1970.clock, last_record=NOON).clock) is ReportVerdict.DUE


def test_a_boot_into_1970_counts_nobody_twice_within_a_day_and_refuses_nobody_the_next(journal_of) -> None:
    machine = Machine(wall=EPOCH)
    keeper = TimeKeeper(machine.clock, last_record=NOON)
    journal = journal_of(keeper.clock)
    report(journal, keeper.clock)
    machine.passes(hours=2)
    assert verdict(journal, keeper.clock) is ReportVerdict.ALREADY_PRESENT
    machine.passes(hours=16)  # 18 hours later it is another day for people, whatever the date says
    assert verdict(journal, keeper.clock) is ReportVerdict.DUE


def test_a_record_from_before_the_clock_was_set_right_is_dated_when_it_was(journal_of) -> None:
    machine = Machine(wall=EPOCH)
    keeper = TimeKeeper(machine.clock, last_record=None)
    journal = journal_of(keeper.clock)
    report(journal, keeper.clock)
    machine.passes(hours=1)
    machine.wall, machine.base = NOON, TimeQuality.SYNCED
    assert verdict(journal, keeper.clock) is ReportVerdict.ALREADY_PRESENT


def test_a_jump_is_an_event_and_a_line_on_the_screen_for_staff(journal_of) -> None:
    machine, screen = Machine(), Screen()
    keeper = TimeKeeper(machine.clock, last_record=None)
    journal = journal_of(keeper.clock)
    watch = ClockWatch(keeper, Recorder(journal, keeper.clock), policy_version=lambda: "1", note=screen.note_device)
    watch.look()
    assert screen.state().devices == () and journal.counts().pending == 0
    machine.jumps(hours=-5)
    watch.look()
    watch.look()
    assert screen.state().devices == (("clock", False, "clock_unsure"),)
    events = [signed.event for signed in journal.pending(9)]
    assert [(e.type, e.note_code, e.details["change_s"], e.time_quality) for e in events] == [
        (EventType.DEVICE, "time_jump", -18_000, TimeQuality.UNKNOWN),
        (EventType.DEVICE, "time_unsure", 0, TimeQuality.UNKNOWN),
    ]
    machine.base = TimeQuality.SYNCED
    watch.look()
    assert screen.state().devices == (("clock", True, None),)
    assert journal.verify() == 2


def test_the_last_trusted_time_is_read_from_the_journal(journal_of) -> None:
    machine = Machine()
    journal = journal_of(machine.clock)
    assert journal.last_time() is None
    machine.base = TimeQuality.UNKNOWN
    report(journal, machine.clock)
    assert journal.last_time() == NOON
    machine.passes(hours=1)
    machine.base = TimeQuality.RTC
    report(journal, machine.clock)
    machine.wall, machine.base = EPOCH, TimeQuality.UNKNOWN
    report(journal, machine.clock)
    assert journal.last_time() == NOON + timedelta(hours=1)
