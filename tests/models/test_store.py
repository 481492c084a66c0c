"""A database that is full, damaged, locked, foreign or too new says so in one sentence and loses nothing."""

from __future__ import annotations

import sqlite3
import threading
from datetime import UTC, datetime, timedelta, timezone
from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError, StatementError

from models.errors import ConfigurationError, StoreError
from models.store.center import AuditRow, GalleryVersionRow, SiteRow
from models.store.engine import check_store, forget_deleted, open_store, reading, writing
from models.store.kiosk import JournalRow, MetaRow
from models.store.migrate import version_table

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


def url_of(folder, name="kiosk.db"):
    return f"sqlite:///{folder / name}"


@pytest.fixture
def kiosk(tmp_path):
    engine = open_store(url_of(tmp_path), branch="kiosk")
    yield engine
    engine.dispose()


def journal_row(seq, body="{}"):
    return JournalRow(seq=seq, event_id=str(seq), body=body, hash="", signature="", recorded_at=NOW)


@pytest.mark.parametrize("branch", ["center", "kiosk"])
def test_the_migrations_make_exactly_the_tables_of_the_branch(branch, tmp_path):
    engine = open_store(url_of(tmp_path), branch=branch)
    metadata = import_module(f"models.store.{branch}").Base.metadata
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": version_table(branch)})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


@pytest.mark.parametrize("branch", ["center", "kiosk"])
def test_a_database_of_the_first_layout_keeps_what_it_held(branch, tmp_path):
    """As a site that is updated: the first step with rows in it, then everything after."""
    engine = open_store(url_of(tmp_path, "early.db"), branch=branch)
    newer = {
        "center": ("parcels", "answer_looks", "due_items", "staff_references", "staff_keys"),
        "kiosk": ("parcels",),
    }
    columns = {"center": (("sites", "questions"), ("sites", "errands"), ("staff", "pin_hash"), ("people", "id_card"))}
    with engine.begin() as connection:
        for table in newer[branch]:
            connection.execute(text(f"DROP TABLE {table}"))
        for table, column in columns.get(branch, ()):
            connection.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        connection.execute(text(f"DELETE FROM {version_table(branch)}"))  # noqa: S608 - a name of our own
        connection.execute(text(f"INSERT INTO {version_table(branch)} VALUES ('0001')"))  # noqa: S608
        if branch == "center":
            connection.execute(text("INSERT INTO sites VALUES ('s', 'name', '{}', '1')"))
        else:
            connection.execute(text("INSERT INTO meta VALUES ('a', '1')"))
    engine.dispose()
    engine = open_store(url_of(tmp_path, "early.db"), branch=branch)
    with reading(engine) as session:
        if branch == "center":
            kept = session.scalars(select(SiteRow)).one()
            assert (kept.name, kept.questions, kept.errands) == ("name", None, None)
        else:
            assert session.get(MetaRow, "a").value == "1"
    engine.dispose()


def test_sqlite_is_set_up_to_survive_a_power_cut(kiosk):
    with kiosk.connect() as connection:
        settings = {
            name: connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}


def test_the_database_and_its_log_are_readable_for_their_owner_only(kiosk, tmp_path):
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_opening_again_changes_nothing_and_two_may_open_at_once(tmp_path):
    engines, failures = [], []

    def open_one():
        try:
            engines.append(open_store(url_of(tmp_path), branch="center"))
        except StoreError as error:
            failures.append(error)

    threads = [threading.Thread(target=open_one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(engines), failures) == (4, [])
    for engine in engines:
        engine.dispose()


def test_a_full_disk_is_an_error_and_what_was_stored_stays(tmp_path):
    url = url_of(tmp_path)
    engine = open_store(url, branch="kiosk")
    with writing(engine) as session:
        session.add(journal_row(1))
    engine.dispose()
    engine = open_store(url, branch="kiosk")
    pages = {"quota": 1}

    @event.listens_for(engine, "begin")
    def limit(connection):
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages['quota']}")

    with pytest.raises(StoreError, match="The disk is full") as caught, writing(engine) as session:
        session.add(journal_row(2))
        session.add(journal_row(3, body="x" * 200_000))
    assert caught.value.code == "store_full"
    with reading(engine) as session:
        assert session.scalars(select(JournalRow.seq)).all() == [1]
    pages["quota"] = 1_000_000
    with writing(engine) as session:
        session.add(journal_row(2))
    check_store(engine)
    engine.dispose()


def test_a_damaged_file_is_named_as_damaged(tmp_path):
    engine = open_store(url_of(tmp_path), branch="kiosk")
    with writing(engine) as session:
        session.add_all(journal_row(seq, body="x" * 500) for seq in range(100))
    forget_deleted(engine)
    engine.dispose()
    path = tmp_path / "kiosk.db"
    content = bytearray(path.read_bytes())
    for at in range(2 * 4096, len(content), 4096):  # every page after the schema
        content[at : at + 600] = b"\xff" * 600
    path.write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):  # at opening or at reading, whichever meets a bad page first
        damaged = open_store(url_of(tmp_path), branch="kiosk")
        try:
            check_store(damaged)
        finally:
            damaged.dispose()


@pytest.mark.parametrize("content", [b"no database at all" * 300, b"SQLite format 3\x00" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    (tmp_path / "kiosk.db").write_bytes(content)
    with pytest.raises(StoreError, match="damaged"):
        open_store(url_of(tmp_path), branch="kiosk")


def test_a_locked_database_says_so(tmp_path):
    open_store(url_of(tmp_path), branch="kiosk").dispose()
    other = sqlite3.connect(tmp_path / "kiosk.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    engine = None
    with pytest.raises(StoreError, match="locked"):
        engine = open_store(url_of(tmp_path), branch="kiosk", busy_timeout_s=0.01)
    other.close()
    assert engine is None


def test_readers_and_a_writer_do_not_wait_for_each_other(kiosk):
    with writing(kiosk) as writer, reading(kiosk) as reader:
        writer.add(MetaRow(key="a", value="1"))
        writer.flush()
        assert reader.scalars(select(MetaRow.key)).all() == []


def test_a_transaction_that_fails_leaves_no_trace(kiosk):
    with pytest.raises(RuntimeError), writing(kiosk) as session:
        session.add(journal_row(1))
        session.flush()
        raise RuntimeError
    with reading(kiosk) as session:
        assert session.scalars(select(JournalRow.seq)).all() == []


def test_a_broken_rule_is_not_a_broken_disk(kiosk):
    with pytest.raises(IntegrityError), writing(kiosk) as session:
        session.add_all([journal_row(1), JournalRow(**{**vars_of(journal_row(1)), "seq": 2})])


def vars_of(row):
    return {column.name: getattr(row, column.name) for column in row.__table__.columns if column.name != "state"} | {
        "state": "pending",
        "attempts": 0,
    }


def test_a_center_and_a_kiosk_never_share_a_database(kiosk, tmp_path):
    with pytest.raises(StoreError, match="belongs to a kiosk"):
        open_store(url_of(tmp_path), branch="center")


def test_a_database_of_a_newer_version_is_refused(kiosk, tmp_path):
    with kiosk.begin() as connection:
        connection.execute(text("UPDATE muster_kiosk_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="another version of Muster"):
        open_store(url_of(tmp_path), branch="kiosk")


@pytest.mark.parametrize("url", ["", "center.db", "foo://x/y", "sqlite+nothing:///x", "postgresql+psycopg2000://h/d"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ConfigurationError):
        open_store(url, branch="center")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    for folder in (tmp_path / "nowhere", None):
        url = "sqlite:////proc/center.db" if folder is None else url_of(folder)
        with pytest.raises(StoreError, match="cannot be opened"):
            open_store(url, branch="center")
    with pytest.raises(StoreError, match="names a folder"):
        open_store(f"sqlite:///{tmp_path}", branch="center")


def test_a_command_that_only_reads_makes_no_database(tmp_path):
    with pytest.raises(StoreError, match="There is no database"):
        open_store(url_of(tmp_path), branch="center", create=False)
    assert list(tmp_path.iterdir()) == []


def test_times_come_back_aware_and_a_naive_one_is_refused(tmp_path):
    engine = open_store(url_of(tmp_path, "center.db"), branch="center")
    shanghai = NOW.astimezone(timezone(timedelta(hours=8)))
    with writing(engine) as session:
        session.add(SiteRow(site_id="s", name="", policy_json="{}", policy_version="1"))
        session.flush()
        session.add(GalleryVersionRow(site_id="s", version=1, changed_at=shanghai))
    with reading(engine) as session:
        stored = session.scalars(select(GalleryVersionRow.changed_at)).one()
        assert stored == NOW and stored.tzinfo is UTC
    with pytest.raises(StatementError, match="without a time zone"), writing(engine) as session:
        session.add(AuditRow(at=NOW.replace(tzinfo=None), act="", object=""))
    engine.dispose()


def test_a_store_in_memory_works_as_well():
    engine = open_store("sqlite://", branch="kiosk")
    with writing(engine) as session:
        session.add(MetaRow(key="a", value="1"))
    with reading(engine) as session:
        assert session.get(MetaRow, "a").value == "1"
    engine.dispose()
