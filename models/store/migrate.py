"""Bringing a database to the newest layout. Owns the way Alembic is called; the steps lie in ``migrations/<branch>``.

No alembic.ini: the scripts are found beside this file, so an installed wheel migrates as a checkout does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, MetaData, inspect, text
from sqlalchemy.engine import Connection

from models.errors import StoreError

Branch = Literal["center", "kiosk"]
BRANCHES: tuple[Branch, ...] = ("center", "kiosk")

_LOCK = 0x4D555354  # PostgreSQL advisory lock: one process migrates, the others wait


def migrate(engine: Engine, branch: Branch) -> None:
    """Bring the database to the newest layout of ``branch``, in one transaction.

    Raises StoreError if it belongs to the other branch or was written by a newer version of Muster.
    """
    config = _config(branch)
    newest = ScriptDirectory.from_config(config).get_heads()
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        _refuse_other_branch(connection, branch)
        found = MigrationContext.configure(connection, opts={"version_table": version_table(branch)})
        if set(found.get_current_heads()) == set(newest):
            return
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise StoreError(
                "The database was written by another version of Muster, which this one does not know.",
                code="store_version_unknown",
            ) from error


def run_migrations(branch: Branch, metadata: MetaData) -> None:
    """What ``env.py`` of a branch does: the steps run on the connection that ``migrate`` opened."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        version_table=version_table(branch),
        transactional_ddl=True,  # also on SQLite: BEGIN IMMEDIATE is ours, so half a step never stays behind
        render_as_batch=connection.dialect.name == "sqlite",
    )
    context.run_migrations()


def version_table(branch: Branch) -> str:
    """The table that holds the layout's version; its name tells the branches apart."""
    return f"muster_{branch}_version"


def _refuse_other_branch(connection: Connection, branch: Branch) -> None:
    tables = inspect(connection).get_table_names()
    for other in BRANCHES:
        if other != branch and version_table(other) in tables:
            raise StoreError(f"The database belongs to a {other}, not to a {branch}.", code="store_other_branch")


def _config(branch: Branch) -> Config:
    config = Config()
    folder = Path(__file__).parent / "migrations" / branch
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
