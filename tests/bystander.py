"""Somebody who stands beside the kiosk all through the tests, and reads and hears everything.

Owns what must never be seen: whole names, ID numbers, offences, categories; and the places where it listens: every
answer of the kiosk's page, every pushed state, every log line, every printed slip, every line that is spoken. A test
during which something was seen fails, whatever it was about.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import structlog

# The whole names of everybody who is enrolled, typed or laid on a reader in the tests and the demonstration.
NAMES = (
    "王小明", "张小明", "李小红", "李雷", "林安", "林乐", "李娜", "王乙", "陈丙",
    "天地", "玄黄", "宇宙", "洪荒", "日月", "盈昃",
)  # fmt: skip
CATEGORIES = ("管制", "缓刑", "假释", "暂予监外执行", "public surveillance", "probation", "parole")
OFFENCES = ("盗窃", "诈骗", "故意伤害", "危险驾驶", "犯罪", "罪犯", "offence", "offender", "convict", "criminal")
_ID_NUMBER = re.compile(  # six digits of a place, the day of birth, three digits, a check character
    r"(?<![0-9A-Za-z._-])[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[0-9Xx](?![0-9A-Za-z])"
)


def indiscretions(text: str) -> list[str]:
    """What a bystander must not see in this text; the kind of it, never the words."""
    lowered = text.lower()
    found = ["a whole name" for name in NAMES if name in text]
    found += ["a category" for word in CATEGORIES if word in lowered]
    found += ["an offence" for word in OFFENCES if word in lowered]
    found += ["an ID number" for _ in _ID_NUMBER.finditer(text)]
    return found


@dataclass
class Bystander:
    """What was looked at, by place, what was seen that should not be, and how many others have yet to tell."""

    looked: Counter[str] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)
    awaited: int = 0

    def look(self, place: str, text: str) -> None:
        """Read something."""
        self.looked[place] += 1
        self.seen += [f"{what} in {place}" for what in indiscretions(text)]

    @contextmanager
    def expecting(self) -> Iterator[list[str]]:
        """What is seen within the block is handed to the caller and forgotten."""
        before = len(self.seen)
        caught: list[str] = []
        yield caught
        caught += self.seen[before:]
        del self.seen[before:]

    def tell(self) -> dict[str, Any]:
        """What another process can be told: what was looked at, and the kinds of what was seen."""
        return {"looked": dict(self.looked), "seen": list(self.seen)}

    def hear(self, told: dict[str, Any]) -> None:
        """Add what another one has told."""
        self.awaited -= 1
        self.looked.update(told["looked"])
        self.seen += told["seen"]

    def summary(self) -> str:
        """How much was read and how often something was seen, in one line."""
        read = ", ".join(f"{count} x {place}" for place, count in sorted(self.looked.items()))
        line = f"read {read or 'nothing'}; {len(self.seen)} indiscretions"
        return line + (f"; {self.awaited} ended without a word" if self.awaited else "")


BYSTANDER = Bystander()


def listen() -> None:
    """Stand beside every page, log, printer and loudspeaker of this process."""
    _read_logs()
    _read_pages()
    _read_slips()
    _hear_voice()


def _after(holder: Any, name: str, read: Callable[..., None]) -> None:
    """Call ``read(answer, *arguments)`` after every call of ``holder.name``."""
    original = getattr(holder, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        answer = original(*arguments, **named)
        read(answer, *arguments, **named)
        return answer

    setattr(holder, name, wrapped)


def _read_logs() -> None:
    class Reader(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            BYSTANDER.look("a log line", record.getMessage())

    logging.getLogger().addHandler(Reader())

    def line(_: Any, logger: Any, method: str, event: str | None = None, **named: Any) -> None:
        BYSTANDER.look("a log line", f"{event} {named}")

    _after(structlog.BoundLoggerBase, "_proxy_to_logger", line)


def _read_pages() -> None:
    from web.panel import app, push

    def answer(response: Any, *_: Any) -> None:
        if not response.is_streamed and response.mimetype in ("text/html", "application/json", "text/plain"):
            BYSTANDER.look("a page", response.get_data(as_text=True))

    _after(app, "seal", answer)
    _after(push, "_state_event", lambda content, *_: BYSTANDER.look("a pushed state", content.decode("utf-8")))


def _read_slips() -> None:
    from hardware.drivers.receipt_printer import EscPosPrinter

    def slip(_: None, printer: Any, printed: Any, *__: Any) -> None:
        BYSTANDER.look("a printed slip", repr(printed) + printer.printed.decode("gb18030", "replace"))

    _after(EscPosPrinter, "print", slip)


def _hear_voice() -> None:
    from web.panel.voice.catalogue import slots

    for slot in slots().values():
        BYSTANDER.look("a spoken line", f"{slot.chinese} {slot.english}")
