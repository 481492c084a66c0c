"""The office's one or two questions after a check-in, one a screen. Owns their order and what an answer becomes.

Whoever does not answer has not answered: nothing is recorded for them, and nothing follows from it. Refuses to store.
"""

from __future__ import annotations

from collections.abc import Sequence

from kiosk.screen import Screen
from kiosk.staying import Staying
from models.attendance import Detail
from models.errors import RetryReason
from models.questions import Question
from web.panel.facade import PanelStep

UNSURE = "unsure"
_ANSWERS: dict[str, Detail] = {"yes": True, "no": False, UNSURE: UNSURE}
_GO_ON, _NO_MORE = "next", "done"


def ask(questions: Sequence[Question], here: Staying, *, screen: Screen, answers: dict[str, Detail]) -> None:
    """Ask each question; what is answered is put into ``answers`` at once, so that it is there if the person leaves.

    An answer is True (yes), False (no) or "unsure". Raises as ``Staying.choice``.
    """
    for question in questions:
        screen.show(PanelStep.QUESTION, question=question.value)
        code = here.choice({*_ANSWERS, _GO_ON, _NO_MORE}, unsure=lambda asked=question: _look(screen, asked))  # type: ignore[misc]
        if code == _NO_MORE:
            return
        if code in _ANSWERS:
            answers[question.value] = _ANSWERS[code]


def _look(screen: Screen, question: Question) -> None:
    """The tap cannot count before the person's face was seen again."""
    screen.show(PanelStep.QUESTION, question=question.value, hint=RetryReason.LOOK_HERE.value)
