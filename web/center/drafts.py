"""Enrollments under way. Owns their life in memory: one per staff member and person, gone after a quarter of an hour.

Templates of an unfinished enrollment are never written anywhere; a restart of the center forgets them. That is why a
console's pages must be served by one process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from enrollment.notice import Notice
from enrollment.repository import open_everyone, wrapped_key_of
from enrollment.session import EnrollmentSession
from matcher.gallery import Gallery
from models.store.center import PersonRow
from web.center.context import Center
from web.center.lane import Engines
from web.center.vaults import vault_of

DRAFTS = "muster_drafts"
KEPT = timedelta(minutes=15)


@dataclass(slots=True)
class Draft:
    """A session with its notice. ``touched_at`` moves with every sample."""

    session: EnrollmentSession
    notice: Notice
    touched_at: datetime


class Drafts:
    """All drafts of this process. Safe across threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._drafts: dict[tuple[str, str], Draft] = {}

    def put(self, staff_id: str, person_id: str, draft: Draft) -> None:
        """Start a draft; an earlier one of the same two is forgotten."""
        with self._lock:
            self._forget_old(draft.touched_at)
            self._drafts[staff_id, person_id] = draft

    def get(self, staff_id: str, person_id: str, now: datetime) -> Draft | None:
        """The draft, if it was touched lately."""
        with self._lock:
            self._forget_old(now)
            draft = self._drafts.get((staff_id, person_id))
            if draft is not None:
                draft.touched_at = now
            return draft

    def drop(self, staff_id: str, person_id: str) -> None:
        """Forget a draft."""
        with self._lock:
            self._drafts.pop((staff_id, person_id), None)

    def _forget_old(self, now: datetime) -> None:
        for key in [key for key, draft in self._drafts.items() if now - draft.touched_at > KEPT]:
            del self._drafts[key]


def new_session(center: Center, store: Session, person: PersonRow, engines: Engines) -> EnrollmentSession:
    """An enrollment of a person that is compared with everyone enrolled at any site. Raises VaultError."""
    everyone = Gallery(face_engine=engines.face, finger_engine=engines.finger)
    everyone.replace(open_everyone(store, lambda site_id: vault_of(center, site_id)))
    return EnrollmentSession(
        person.person_id,
        face_engine=engines.face,
        finger_engine=engines.finger,
        everyone=everyone,
        vault=vault_of(center, person.site_id),
        wrapped=wrapped_key_of(store, person.person_id),
        clock=center.clock,
    )
