"""What every view of the center needs, in one object. Owns nothing that a request changes.

Views ask for ``the_center()``; the object is put together by ``web.center.app``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from models.store.engine import reading, writing
from web.center.lane import MatcherLane
from web.center.settings import CenterSettings

EXTENSION = "muster_center"


@dataclass(frozen=True, slots=True)
class Center:
    """The assembled center: store, key, clock and engines. Safe across threads."""

    settings: CenterSettings
    store: Engine
    key: Ed25519PrivateKey
    clock: Callable[[], datetime]
    hasher: PasswordHasher
    lane: MatcherLane
    log_grew: threading.Event = field(default_factory=threading.Event)  # wakes the signer of tree heads

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction that commits at the end of the block."""
        with writing(self.store) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A consistent view that locks nobody out."""
        with reading(self.store) as session:
            yield session


def the_center() -> Center:
    """The center of the app that handles the current request."""
    center: Center = current_app.extensions[EXTENSION]
    return center
