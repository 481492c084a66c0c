"""What all pages of the console share: filters, menu, the error page. Owns presentation; refuses queries."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Flask, flash, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import format_date, format_datetime, gettext
from flask_babel import lazy_gettext as _

from web.center.access import Act, may
from web.center.console.session import signed_in
from web.center.console.texts import ACTS, DONE, DUE_NOTES, MISSING_REASONS, TEXTS
from web.shared import words

_MENU = (
    ("overview.show", _("Overview"), Act.OVERVIEW),
    ("people.index", _("People"), Act.PEOPLE_READ),
    ("log.index", _("Attendance log"), Act.LOG_READ),
    ("kiosks.index", _("Kiosks"), Act.KIOSKS_READ),
    ("sites.index", _("Sites"), Act.SITES_READ),
    ("staff.index", _("Accounts"), Act.STAFF_WRITE),
    ("trail.index", _("Reading log"), Act.AUDIT_READ),
)

_ERROR_TITLES = {
    400: _("The page expired. Go back and try again."),
    403: _("This account may not do that."),
    404: _("There is no such page or record."),
    405: _("This address cannot be used that way."),
    413: _("The file is too large."),
    429: _("Too many attempts. Wait a minute, then try again."),
    503: _("The center cannot store anything at the moment."),
}


def install_pages(app: Flask) -> None:
    """Give the templates of ``app`` their filters and their menu."""
    environment = app.jinja_env
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {
        "moment": moment,
        "day": day,
        "last_day": last_day,
        "fingerprint": lambda text: " ".join(text[i : i + 4] for i in range(0, len(text), 4)),
    }
    environment.globals |= {
        "words": words,
        "word": words.word,
        "finger_name": words.finger_name,
        "text_of": text_of,
        "done_text": lambda code: words.word(DONE, code),
        "ACTS": ACTS,
        "MISSING_REASONS": MISSING_REASONS,
        "Act": Act,
        "with_query": with_query,
        "NOTES_OF_DUE": DUE_NOTES,
        "detail_word": detail_word,
    }

    @app.context_processor
    def menu() -> dict[str, Any]:
        who = signed_in()
        ready = who is not None and not g.must_change_password
        shown = [(endpoint, label) for endpoint, label, act in _MENU if ready and who and may(who, act)]
        return {"account": who, "menu": shown, "can": lambda act: who is not None and may(who, act)}


def error_page(status: int, code: str, sentence: str) -> ResponseReturnValue:
    """An error for a person, in the page's language; the sentence of the floors below is for logs only."""
    said = text_of(code) if code in TEXTS else str(_ERROR_TITLES.get(status, gettext("Something went wrong.")))
    if request.headers.get("X-Requested-With") == "fetch":
        return jsonify({"error": {"code": code, "message": said}}), status
    return render_template("center/error.html", status=status, said=said), status


def text_of(code: str) -> str:
    """The sentence for an error's code in the page's language."""
    return str(TEXTS[code]) if code in TEXTS else gettext("This cannot be done (%(code)s).", code=code)


def detail_word(name: str, value: object) -> str:
    """The word for a detail of an event in the page's language."""
    if isinstance(value, bool):
        return words.word(words.SAID, "yes" if value else "no")
    tables = {"act": words.STAFF_ACTS, "missing": MISSING_REASONS, **dict.fromkeys(words.QUESTIONS, words.SAID)}
    return words.word(tables.get(name, {}), value)


def notify(code: str) -> None:
    """Say on the next page, by code, that something was done."""
    flash(code)


def moment(value: datetime | None) -> str:
    """A time in the center's zone, to the second."""
    return format_datetime(value, "yyyy-MM-dd HH:mm:ss") if value else "–"


def day(value: date | None) -> str:
    """A calendar day."""
    return format_date(value, "yyyy-MM-dd", rebase=False) if value else "–"


def with_query(**changes: object) -> str:
    """The current query with some values changed; None takes one out."""
    values: dict[str, object] = {**request.args.to_dict(), **changes}
    return "?" + urlencode({name: value for name, value in values.items() if value not in (None, "")})


def last_day(end: datetime) -> str:
    """The last whole day before ``end``, which is local to the center: what a form calls it."""
    return (end - timedelta(seconds=1)).date().isoformat()
