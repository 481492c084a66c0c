"""The journal: chain, signature, power cuts, flipped bits and a full disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from event_parts import KEY, clock_at, draft, journal_in, store_at
from sqlalchemy import Engine, event

from kiosk.journal import Ballast, Journal
from models.attendance import FIRST_HASH, CheckInOutcome, verify_event
from models.errors import StoreError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = store_at(tmp_path / "kiosk.sqlite")
    yield opened
    opened.dispose()


@pytest.fixture
def journal(engine: Engine) -> Journal:
    return journal_in(engine)


def test_events_are_chained_signed_and_pending_in_order(journal: Journal) -> None:
    signed = [journal.append(draft()) for _ in range(4)]
    events = [verify_event(item, KEY.public_key()) for item in journal.pending(10)]
    assert [item.seq for item in events] == [1, 2, 3, 4]
    assert [item.prev_hash for item in events] == [FIRST_HASH, *(item.hash for item in signed[:-1])]
    assert journal.verify() == 4


def test_a_delivered_event_is_never_pending_again(journal: Journal) -> None:
    ids = [str(journal.append(draft()).body["event_id"]) for _ in range(3)]
    journal.mark_delivered(ids[:2])
    journal.note_attempt(ids, "http_500")
    journal.quarantine(ids[2], "event_malformed")
    counts = journal.counts()
    assert (counts.pending, counts.delivered, counts.quarantined) == (0, 2, 1)
    assert [(item.seq, item.error) for item in journal.quarantined()] == [(3, "event_malformed")]
    assert journal.release() == 1
    assert [item.event.seq for item in journal.pending(10)] == [3]


def test_the_same_event_is_not_stored_twice(journal: Journal) -> None:
    once = draft()
    journal.append(once)
    with pytest.raises(Exception, match="UNIQUE"):
        journal.append(once)
    assert journal.verify() == 1


def test_events_of_late_are_this_persons_only(engine: Engine) -> None:
    now = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
    for days, person in ((3, "p1"), (0, "p1"), (0, "p2")):
        moment = now - timedelta(days=days)
        journal_in(engine, clock=clock_at(moment)).append(draft(person, at=moment))
    found = journal_in(engine).lately("p1", now)
    assert [(item.captured_at, item.outcome) for item in found] == [(now, CheckInOutcome.ACCEPTED)]


CHANGED = {  # one character in each, whatever it was
    "body": """replace(body, '"p1"', '"p2"')""",
    "hash": "iif(hash LIKE '0%', '1', '0') || substr(hash, 2)",
    "signature": "iif(signature LIKE '0%', '1', '0') || substr(signature, 2)",
}


@pytest.mark.parametrize("column", list(CHANGED))
def test_a_changed_row_is_noticed_on_the_first_read(tmp_path: Path, engine: Engine, column: str) -> None:
    """SQLite itself would hand the row out; the signature does not hold any more."""
    journal = journal_in(engine)
    journal.append(draft())
    journal.append(draft())
    with sqlite3.connect(tmp_path / "kiosk.sqlite") as raw:
        raw.execute(f"UPDATE journal SET {column} = {CHANGED[column]} WHERE seq = 1")  # noqa: S608
    raw.close()
    with pytest.raises(StoreError, match="Event 1 of the journal is damaged"):
        journal.pending(10)
    with pytest.raises(StoreError, match="Event 1"):
        journal.verify()


def test_a_cut_off_tail_is_noticed_before_the_next_event_hides_it(tmp_path: Path, engine: Engine) -> None:
    journal = journal_in(engine)
    for _ in range(3):
        journal.append(draft())
    with sqlite3.connect(tmp_path / "kiosk.sqlite") as raw:
        raw.execute("DELETE FROM journal WHERE seq = 3")
    raw.close()
    with pytest.raises(StoreError, match="does not end where it ended before"):
        journal.append(draft())


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    """Another process appends and prints each sequence once it is stored; it is killed in the middle of it."""
    program = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from pathlib import Path\n"
        "from event_parts import draft, journal_in, store_at\n"
        "journal = journal_in(store_at(Path(sys.argv[1])))\n"
        "while True: print(journal.append(draft()).event.seq, flush=True)\n"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[2])]
    path = tmp_path / "kiosk.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path), *folders], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(25)]
        os.kill(process.pid, signal.SIGKILL)
        acknowledged += [int(line) for line in process.stdout if line.strip()]
    engine = store_at(path)
    journal = journal_in(engine)
    stored = journal.verify()
    assert stored - 1 <= acknowledged[-1] <= stored  # one more may have been stored, none may be missing
    assert journal.append(draft()).event.seq == stored + 1
    engine.dispose()


def test_a_half_written_log_leaves_the_events_before_it(tmp_path: Path) -> None:
    """As after a power cut: the write-ahead log ends in the middle of a page."""
    path, cut = tmp_path / "kiosk.sqlite", tmp_path / "cut.sqlite"
    engine = store_at(path)
    journal = journal_in(engine)
    for _ in range(5):
        journal.append(draft())
    cut.write_bytes(path.read_bytes())
    log = (tmp_path / "kiosk.sqlite-wal").read_bytes()
    (tmp_path / "cut.sqlite-wal").write_bytes(log[: len(log) - 1500])
    engine.dispose()
    again = store_at(cut)
    reopened = journal_in(again)
    stored = reopened.verify()
    assert 1 <= stored < 5
    assert reopened.append(draft()).event.seq == stored + 1
    again.dispose()


def limit_pages(engine: Engine, pages: int) -> None:
    """The disk is full from here on: SQLite may not grow the file."""

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    engine.dispose()
    event.listen(engine, "connect", limit)


def fill(journal: Journal) -> int:
    """Append until the disk is full; how many events fit."""
    for count in range(10_000):
        try:
            journal.append(draft(note="x" * 500))
        except StoreError as error:
            assert error.code == "store_full"
            return count
    raise AssertionError("the disk never filled up")


def test_a_full_disk_is_a_store_error_and_loses_nothing(engine: Engine) -> None:
    limit_pages(engine, 40)
    journal = journal_in(engine)
    stored = fill(journal)
    assert stored > 3
    assert journal.verify() == stored


def test_the_ballast_makes_room_for_the_last_events(tmp_path: Path, engine: Engine) -> None:
    """When the disk is full the ballast goes, once, and the event that did not fit is stored."""

    class BallastOnAFullDisk(Ballast):
        def free(self) -> bool:
            freed = super().free()
            if freed:
                limit_pages(engine, 80)
            return freed

    ballast = BallastOnAFullDisk(tmp_path / "ballast", 65_536)
    assert ballast.restore()
    assert (tmp_path / "ballast").stat().st_size == 65_536
    limit_pages(engine, 40)
    without = fill(journal_in(engine))
    journal = journal_in(engine, ballast=ballast)
    more = fill(journal)
    assert more > 3
    assert not (tmp_path / "ballast").exists()
    assert journal.verify() == without + more


def test_ballast_is_not_laid_where_there_is_no_room(tmp_path: Path) -> None:
    ballast = Ballast(tmp_path / "ballast", 1 << 60)
    assert not ballast.restore()
    assert not (tmp_path / "ballast").exists()
