"""Opening a database. Owns the settings that make a record survive a power cut; refuses to know any table.

SQLite runs with a write-ahead log and ``synchronous=FULL`` (an acknowledged row is on the disk), every transaction
takes the write lock at once (``BEGIN IMMEDIATE``: a read that turns into a write would fail under load), and deleted
content is overwritten (``secure_delete``). Whoever only reads asks for ``reading(engine)``.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Engine, StaticPool, create_engine, event, text
from sqlalchemy.engine import URL, Connection, ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.orm import Session

from models.errors import ConfigurationError, StoreError
from models.store.migrate import Branch, migrate

__all__ = ["Branch", "check_store", "forget_deleted", "open_store", "reading", "sqlite_path", "writing"]

BUSY_TIMEOUT_S = 15.0
WAL_TIMEOUT_S = 2.0

# What SQLite says, and what that means: (part of its message, code, sentence). https://sqlite.org/rescode.html
_FAULTS = (
    ("disk is full", "store_full", "The disk is full: nothing was stored, and nothing was lost that had been stored."),
    ("is not a database", "store_damaged", "The database file is damaged or is not a database."),
    ("malformed", "store_damaged", "The database file is damaged."),
    ("disk i/o error", "store_io", "The disk failed to read or write the database."),
    ("is locked", "store_locked", "The database is locked by another process."),
    ("readonly database", "store_readonly", "The database cannot be written: its file or folder is read-only."),
    ("unable to open", "store_missing", "The database file cannot be opened: no such folder, or no right to write."),
)


def open_store(url: str, *, branch: Branch, create: bool = True, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Open the database at ``url`` (``sqlite:////path`` or ``postgresql+psycopg://``), migrated to the newest layout.

    ``create=False`` refuses to make a new SQLite file, for commands that only read.
    Raises ConfigurationError for an address that is none, StoreError if the database is damaged, locked, of the other
    branch or of a newer version of Muster, or if the disk is full.
    """
    address = _address(url)
    path = sqlite_path(address)
    if path is not None:
        if not create and not path.exists():
            raise StoreError(
                f"There is no database at {path}: name another with --database, or make it with `muster center init`.",
                code="store_missing",
            )
        _create_private(path)
    engine = _engine(address, busy_timeout_s=busy_timeout_s)
    try:
        migrate(engine, branch)
    except BaseException:
        engine.dispose()
        raise
    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """One transaction that commits at the end, or leaves no trace. Raises StoreError."""
    with Session(engine) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """A consistent view that neither waits for writers nor makes them wait; nothing in it is committed."""
    with Session(engine.execution_options(sqlite_begin="DEFERRED")) as session:
        yield session


def check_store(engine: Engine) -> None:
    """Read the whole SQLite database once. Raises StoreError if a page or an index is damaged."""
    if engine.dialect.name != "sqlite":
        return
    with engine.execution_options(sqlite_begin="DEFERRED").connect() as connection:
        answer = connection.execute(text("PRAGMA integrity_check(1)")).scalar_one()
    if answer != "ok":
        raise StoreError("The database file is damaged.", code="store_damaged")


def forget_deleted(engine: Engine) -> None:
    """Empty SQLite's write-ahead log, so that deleted rows are in no file any more. Raises StoreError.

    A reader that is still open can hold the log back; what is left goes with the next checkpoint.
    """
    if engine.dialect.name == "sqlite" and sqlite_path(engine.url) is not None:
        with engine.execution_options(sqlite_begin="NONE").connect() as connection:  # inside a transaction it is locked
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)")).all()


def sqlite_path(url: URL) -> Path | None:
    """The file of a SQLite address; None for another database or one in memory."""
    if url.get_backend_name() != "sqlite" or url.database in (None, "", ":memory:"):
        return None
    return Path(str(url.database))


def _address(url: str) -> URL:
    try:
        address = make_url(url)
        address.get_dialect()
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise ConfigurationError(
            "The database address is not one that Muster can open; an example: sqlite:////var/lib/muster/center.db."
        ) from error
    return address


def _create_private(path: Path) -> None:
    """Make the file before SQLite does, readable for its owner only; SQLite gives the log beside it the same rights."""
    if path.is_dir():
        raise StoreError("The database address names a folder, not a file.", code="store_missing")
    try:
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise StoreError(f"The database file cannot be opened: {reason}.", code="store_missing") from error


def _engine(address: URL, *, busy_timeout_s: float) -> Engine:
    options: dict[str, Any] = {}
    if address.get_backend_name() == "sqlite":
        options["connect_args"] = {"timeout": busy_timeout_s, "check_same_thread": False}
        if sqlite_path(address) is None:
            options["poolclass"] = StaticPool
    else:
        options["pool_pre_ping"] = True
    try:
        engine = create_engine(address, **options)
    except ImportError as error:
        raise ConfigurationError(f"The database needs a driver that is not installed: {error.name}.") from error
    event.listen(engine, "handle_error", _translate)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN would be a deferred one
    _use_write_ahead_log(connection)
    for setting in ("synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {setting}").close()


def _use_write_ahead_log(connection: Any) -> None:
    """Ask until it is granted: for this one change SQLite answers "locked" at once, whatever the busy timeout says."""
    deadline_s = time.monotonic() + WAL_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline_s:
                raise
            time.sleep(0.01)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    kind: Literal["IMMEDIATE", "DEFERRED", "NONE"] = connection.get_execution_options().get("sqlite_begin", "IMMEDIATE")
    if kind != "NONE":
        connection.exec_driver_sql(f"BEGIN {kind}")


def _translate(context: ExceptionContext) -> None:
    """Turn what the database says of its disk into one sentence; a broken rule (IntegrityError) stays what it is."""
    said = str(context.original_exception).lower()
    for part, code, sentence in _FAULTS:
        if part in said:
            raise StoreError(sentence, code=code) from context.original_exception
    if context.connection is None or context.is_disconnect:
        raise StoreError("The database cannot be reached.", code="store_missing") from context.original_exception
