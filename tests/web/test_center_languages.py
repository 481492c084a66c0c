"""Every word of the console and of the shared tables exists in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from center_house import make_house

from enrollment.notice import MissingReason
from enrollment.samples import Refusal
from kiosk.staff.records import StaffAct
from kiosk.staff.witnessing import WitnessReason
from models.attendance import CheckInOutcome, EventType, Method, TimeQuality, WitnessVerdict
from models.biometrics import FingerPosition, Modality
from models.errors import RetryReason
from models.people import Category, SupervisionLevel
from models.questions import Question
from models.supervision import SecondFactor
from web.center.access import ROLES
from web.center.console.texts import DUE_NOTES, MISSING_REASONS, TEXTS
from web.center.due import DueNote
from web.shared import words
from web.shared.i18n import read_catalog

WEB = Path(__file__).parents[2] / "web"
FOLDERS = (WEB / "shared", WEB / "center")


def spoken() -> set[str]:
    """Every message that the code and the pages use; of a plural its first form."""
    methods = [("**.py", "python"), ("**/templates/**.html", "jinja2")]
    keywords = {"_": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
    found: set[str] = set()
    for folder in FOLDERS:
        options = {"**/templates/**.html": {"silent": "false"}}
        for _file, _line, message, _comments, _context in extract_from_dir(
            folder, method_map=methods, options_map=options, keywords=keywords
        ):
            found.add(message if isinstance(message, str) else message[0])
    return found


def written() -> dict[str, str]:
    texts: dict[str, str] = {}
    for folder in FOLDERS:
        for message in read_catalog(folder / "translations", "zh_CN"):
            if message.id:
                key = message.id if isinstance(message.id, str) else message.id[0]
                texts[key] = message.string if isinstance(message.string, str) else message.string[0]
                assert not message.fuzzy, key
    return texts


def test_every_message_has_its_chinese_and_no_chinese_is_left_over() -> None:
    chinese = written()
    assert len(spoken()) > 300
    assert spoken() - set(chinese) == set()
    assert set(chinese) - spoken() == set()
    assert [key for key, text in chinese.items() if not text.strip()] == []


def test_placeholders_are_the_same_in_both_languages() -> None:
    holes = re.compile(r"%\(\w+\)[sd]")
    assert [key for key, text in written().items() if sorted(holes.findall(key)) != sorted(holes.findall(text))] == []


@pytest.mark.parametrize(
    ("table", "codes"),
    [
        (words.OUTCOMES, CheckInOutcome),
        (words.METHODS, Method),
        (words.EVENT_TYPES, EventType),
        (words.MODALITIES, Modality),
        (words.VERDICTS, WitnessVerdict),
        (words.TIME_QUALITIES, TimeQuality),
        (words.HINTS, RetryReason),
        (words.LEVELS, SupervisionLevel),
        (words.CATEGORIES, Category),
        (words.SECOND_FACTORS, SecondFactor),
        (words.ROLES, ROLES),
        (MISSING_REASONS, MissingReason),
        (DUE_NOTES, DueNote),
        (words.QUESTIONS, Question),
        (words.DETAILS, Question),
        (words.STAFF_ACTS, StaffAct),
        (words.WITNESS_REASONS, WitnessReason),
        (TEXTS | words.HINTS, Refusal),
        (words.FINGERS, [position for position in FingerPosition if position]),
    ],
)
def test_every_code_of_the_floors_below_has_a_word(table: dict[object, object], codes: object) -> None:
    assert {getattr(code, "value", code) for code in codes} <= set(table)  # type: ignore[attr-defined]


def test_a_page_speaks_the_language_that_was_chosen(tmp_path: Path) -> None:
    client = make_house(tmp_path).client()
    assert "<h1>登录</h1>" in client.get("/sign-in").text
    with client.session_transaction() as session:
        session["language"] = "en"
    assert "<h1>Sign in</h1>" in client.get("/sign-in").text
