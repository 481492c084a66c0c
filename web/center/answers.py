"""What people answered to an office's questions, and whether somebody looked into it. Owns reading and the note.

A yes, and an answer that is not sure, asks for a staff member's look; nothing else follows from it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.errors import InputError
from models.questions import Question
from models.store.center import AnswerLookRow, EventRow
from web.center.access import Account
from web.center.context import Center

LATEST_ANSWERS = 20
_SAID = {True: "yes", False: "no"}


@dataclass(frozen=True, slots=True)
class Answers:
    """One ANSWERS event. ``said`` is question and "yes", "no" or "unsure"."""

    event: EventRow
    said: tuple[tuple[str, str], ...]
    looked: bool

    @property
    def open(self) -> bool:
        """Whether somebody has to look into it."""
        return not self.looked and any(said != "no" for _, said in self.said)


def answers_of(session: Session, person_id: str) -> list[Answers]:
    """The latest answers of a person, newest first."""
    query = (
        select(EventRow, AnswerLookRow.event_id)
        .outerjoin(AnswerLookRow, AnswerLookRow.event_id == EventRow.event_id)
        .where(EventRow.person_id == person_id, EventRow.type == "answers")
        .order_by(EventRow.leaf_index.desc())
        .limit(LATEST_ANSWERS)
    )
    return [Answers(row, _said(row), looked is not None) for row, looked in session.execute(query)]


def note_look(center: Center, session: Session, account: Account, person_id: str, event_id: str) -> None:
    """Write down that a staff member looked into an answer. Raises InputError (answer_unknown)."""
    row = session.scalar(select(EventRow).where(EventRow.event_id == event_id))
    if row is None or row.person_id != person_id or row.type != "answers":
        raise InputError("There is no such answer.", code="answer_unknown")
    if session.get(AnswerLookRow, event_id) is None:
        session.add(AnswerLookRow(event_id=event_id, staff_id=account.staff_id, looked_at=center.clock()))


def _said(row: EventRow) -> tuple[tuple[str, str], ...]:
    """The answers of a record; a body that was damaged answers nothing, and its own page says so."""
    try:
        details = json.loads(row.body)["details"]
        answered = [(question.value, details[question.value]) for question in Question if question.value in details]
        return tuple((code, _SAID.get(value, "unsure") if isinstance(value, bool) else "unsure")
                     for code, value in answered)  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError):
        return ()
