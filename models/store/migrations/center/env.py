"""Alembic's entry for the center's database; everything it does is in ``models.store.migrate``."""

from models.store.center import Base
from models.store.migrate import run_migrations

run_migrations("center", Base.metadata)
