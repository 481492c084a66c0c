"""PINs: compared in one way whoever is asked for, and fewer tries the more went wrong. Refuses to know who may do what.

After the third wrong try of a staff member, and after the tenth at this kiosk, a wait begins that doubles with each
further one. What went wrong is kept on the disk, so that switching the kiosk off buys no new tries: after a restart the
whole wait begins anew. Waits are counted by the clock that cannot be set.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from sqlalchemy import Engine

from models.store.engine import reading, writing
from models.store.kiosk import MetaRow

log = structlog.get_logger("kiosk.staff")

FREE_TRIES, FREE_TRIES_HERE = 3, 10
FIRST_WAIT_S, LONGEST_WAIT_S = 30.0, 900.0
FORGET_S = 86_400.0
NOBODY = ""  # whoever named somebody there is not
_KEPT = "staff_wrong_tries"


@cache
def _decoy() -> str:
    """What is compared with where there is nothing: made with the settings that PINs are stored with."""
    return PasswordHasher().hash("0000")


def pin_matches(pin_hash: str | None, pin: str) -> bool:
    """Whether this is the PIN; without a hash the same work is done, and the answer is no."""
    try:
        PasswordHasher().verify(pin_hash or _decoy(), pin)
    except (Argon2Error, InvalidHashError):
        return False
    return pin_hash is not None


@dataclass(frozen=True, slots=True)
class WrongTries:
    """How many went wrong, and when the last one was, in monotonic seconds."""

    count: int
    last_s: float


class BackOff:
    """How long nobody, or a certain staff member, may try. Lives in one thread; survives a restart."""

    def __init__(self, store: Engine, seconds: Callable[[], float]) -> None:
        self._store, self._seconds = store, seconds
        self._wrong = {name: WrongTries(count, seconds()) for name, count in _kept(store).items()}

    def wait_s(self, staff_id: str) -> float:
        """Seconds until this staff member may try at this kiosk; 0 for now."""
        self._forget()
        mine = self._wrong.get(staff_id, WrongTries(0, 0.0))
        here = WrongTries(
            sum(item.count for item in self._wrong.values()),
            max((item.last_s for item in self._wrong.values()), default=0.0),
        )
        return max(self._left_s(mine, FREE_TRIES), self._left_s(here, FREE_TRIES_HERE))

    def wrong(self, staff_id: str) -> int:
        """Note that a try went wrong; how many of this staff member did. Raises StoreError."""
        self._forget()
        count = self._wrong.get(staff_id, WrongTries(0, 0.0)).count + 1
        self._wrong[staff_id] = WrongTries(count, self._seconds())
        self._keep()
        return count

    def right(self, staff_id: str) -> None:
        """This staff member signed in; what others tried in vain still counts. Raises StoreError."""
        if self._wrong.pop(staff_id, None) is not None:
            self._keep()

    def _left_s(self, tries: WrongTries, free: int) -> float:
        if tries.count < free:
            return 0.0
        wait_s = min(FIRST_WAIT_S * 2.0 ** min(tries.count - free, 16), LONGEST_WAIT_S)
        return max(0.0, tries.last_s + wait_s - self._seconds())

    def _forget(self) -> None:
        oldest_s = self._seconds() - FORGET_S
        self._wrong = {name: item for name, item in self._wrong.items() if item.last_s >= oldest_s}

    def _keep(self) -> None:
        content = json.dumps({name: item.count for name, item in sorted(self._wrong.items())})
        with writing(self._store) as session:
            session.merge(MetaRow(key=_KEPT, value=content))


def _kept(store: Engine) -> dict[str, int]:
    with reading(store) as session:
        row = session.get(MetaRow, _KEPT)
        content = "{}" if row is None else row.value
    try:
        return {str(name): int(count) for name, count in json.loads(content).items()}
    except (ValueError, AttributeError, TypeError):  # whoever damages it wins nothing: everybody waits
        log.error("wrong_tries_unreadable")
        return {NOBODY: FREE_TRIES_HERE}
