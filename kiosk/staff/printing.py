"""What staff print: the notice and a test slip. Owns the choice and the event; the printer's own thread prints.

The words are the screen's own translations, so that what is shown, spoken and printed is the same.
"""

from __future__ import annotations

from enrollment.notice import NOTICE_LINES, NOTICE_VERSION
from hardware.ports import Slip
from kiosk.staff.parts import DeskParts
from kiosk.staff.records import Acts, StaffAct
from kiosk.staff.sign_in import SignedIn
from kiosk.staff.talk import PICK, Talk
from models.attendance import format_time
from web.panel.texts import LANGUAGES, load_texts


def show_notice(parts: DeskParts, talk: Talk, signed_in: SignedIn) -> None:
    """The notice on the screen, line by line, read aloud, and printed. Raises Back, Over, StoreError."""
    give_notice(parts, talk, signed_in, last="done")


def give_notice(
    parts: DeskParts,
    talk: Talk,
    signed_in: SignedIn,
    *,
    last: str,
    number: str | None = None,
    shown_name: str | None = None,
) -> str:
    """Every line, one after the other; ``last`` is what is chosen after the last one. The language it was given in.

    Raises Back, Over, StoreError.
    """
    line, printed = 1, None
    while True:
        codes = ["next"] if line < NOTICE_LINES else [last]
        codes += ["print"] if parts.can_print() else []
        act = talk.ask(
            "notice",
            {PICK},
            items=[{"code": code} for code in codes],
            line=line,
            lines=NOTICE_LINES,
            printed=printed,
            number=number,
            shown_name=shown_name,
        )
        language = act.fields.get("language", "")
        language = language if language in LANGUAGES else parts.language
        code = act.fields.get("code")
        if code == last and line == NOTICE_LINES:
            return language
        if code == "next":
            line = min(line + 1, NOTICE_LINES)
        elif code == "print" and "print" in codes:
            printed = print_notice(parts, talk, signed_in, language)


def print_notice(parts: DeskParts, talk: Talk, signed_in: SignedIn, language: str) -> bool:
    """Hand the notice to the printer; whether it was taken. Raises StoreError."""
    Acts(talk.tools).record(
        StaffAct.NOTICE_PRINTED, staff_id=signed_in.staff_id, notice=NOTICE_VERSION, language=language
    )
    return parts.print_slip(notice_slip(language))


def print_test_slip(parts: DeskParts, talk: Talk, signed_in: SignedIn) -> bool:
    """Hand a test slip to the printer; whether it was taken. Raises StoreError."""
    Acts(talk.tools).record(StaffAct.TEST_SLIP, staff_id=signed_in.staff_id)
    now = format_time(talk.tools.checkin.clock.now())
    return parts.print_slip(Slip(load_texts(parts.language)["staff"]["test_slip"], (now, "0123456789", "签到 ABC abc")))


def notice_slip(language: str) -> Slip:
    """The notice on paper: its lines numbered, its version last."""
    words = load_texts(language)["notice"]
    lines = (f"{place}. {words[f'line_{place}']}" for place in range(1, NOTICE_LINES + 1))
    return Slip(words["title"], (*lines, NOTICE_VERSION))
