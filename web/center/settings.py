"""What can be set about a center. Owns defaults and their limits; refuses to read files or the environment."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from models.errors import ConfigurationError
from models.parcels import PARCEL_BODY_BYTES
from models.store.engine import sqlite_path

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class CenterSettings:
    """Settings of one center. Raises ConfigurationError for a time zone or a database address that is none.

    ``keys_dir`` defaults to the folder ``keys`` beside a SQLite database. ``https`` says that people reach the
    console through TLS, so that the session cookie is marked Secure. ``proxies`` is the number of trusted proxies.
    """

    database: str
    keys_dir: Path | None = None
    timezone: str = "Asia/Shanghai"
    https: bool = False
    proxies: int = 0
    idle_timeout_s: float = 30 * 60
    session_limit_s: float = 12 * 3600
    pairing_valid_s: float = 15 * 60
    pending_pairings: int = 50
    request_age_s: float = 300
    tree_head_interval_s: float = 20
    api_body_bytes: int = 4 * MIB
    parcel_body_bytes: int = PARCEL_BODY_BYTES
    unproven_body_bytes: int = 64 * 1024  # read before the headers are known to be a paired kiosk's
    console_body_bytes: int = 24 * MIB
    batch_events: int = 200
    page_rows: int = 50
    export_rows: int = 100_000
    failed_logins: int = 5
    lock_s: float = 15 * 60
    sign_in_limit: str = "20 per minute"
    pairing_limit: str = "20 per minute"
    api_limit: str = "3000 per minute"

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ConfigurationError(f"There is no time zone called {self.timezone!r}.") from error
        self.keys_folder()

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days begin and times are shown."""
        return ZoneInfo(self.timezone)

    def keys_folder(self) -> Path:
        """Where the center's key, the site keys and the session secret lie."""
        if self.keys_dir is not None:
            return self.keys_dir
        try:
            path = sqlite_path(make_url(self.database))
        except ArgumentError as error:
            raise ConfigurationError(
                "The database address is none; an example: sqlite:////var/lib/center.db."
            ) from error
        if path is None:
            raise ConfigurationError("Name a folder for the keys: this database has no folder of its own.")
        return path.parent / "keys"
