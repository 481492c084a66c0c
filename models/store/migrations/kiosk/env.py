"""Alembic's entry for the kiosk's database; everything it does is in ``models.store.migrate``."""

from models.store.kiosk import Base
from models.store.migrate import run_migrations

run_migrations("kiosk", Base.metadata)
