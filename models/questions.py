"""What an office may ask of everybody who checks in. Owns the codes and how many; refuses words and answers.

A question is answered with yes or no, and a yes asks for nothing but a staff member's look.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from models.errors import InputError

MOST_QUESTIONS = 2  # of a visit: whoever stands at a kiosk came to check in


class Question(StrEnum):
    """Something that may have changed since the last visit. The value names the answer in an ANSWERS event."""

    ADDRESS_CHANGED = "address_changed"
    JOB_CHANGED = "job_changed"
    PHONE_CHANGED = "phone_changed"
    HEALTH_CHANGED = "health_changed"


def check_questions(codes: Sequence[str]) -> tuple[Question, ...]:
    """The questions of an office, each once, in the order of ``Question``. Raises InputError: question_unknown, or
    questions_many for more than ``MOST_QUESTIONS``."""
    known = {question.value for question in Question}
    if not set(codes) <= known:
        raise InputError("There is no such question.", code="question_unknown")
    chosen = tuple(question for question in Question if question in codes)
    if len(chosen) > MOST_QUESTIONS:
        raise InputError(f"At most {MOST_QUESTIONS} questions are asked at a visit.", code="questions_many")
    return chosen
