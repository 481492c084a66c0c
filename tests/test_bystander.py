"""The bystander of the tests notices what it is there for, at every place where it listens."""

from __future__ import annotations

import logging

import pytest
import structlog

from hardware.drivers.receipt_printer import EscPosPrinter
from hardware.ports import Slip
from kiosk.screen import Screen
from tests.bystander import BYSTANDER, indiscretions
from web.panel.app import create_panel


@pytest.mark.parametrize(
    "text",
    ["王小明签到", "on probation", "缓刑", "盗窃", "an offender", "11010519491231002X", "(440524198001010013)"],
)
def test_what_is_nobodys_business_is_noticed(text):
    assert len(indiscretions(text)) == 1


@pytest.mark.parametrize("text", ["明 09:30 000012", "签到完成", "018f2b6a-1234-7000-8000-440524198001", "7" * 18, ""])
def test_what_anybody_may_see_is_not(text):
    assert indiscretions(text) == []


def test_every_place_is_listened_at():
    screen = Screen()
    page = create_panel(screen).test_client()
    printer = EscPosPrinter("dummy")
    with BYSTANDER.expecting() as caught:
        structlog.get_logger("kiosk").error("visit", who="王小明")
        logging.getLogger("waitress").error("王小明")
        screen.show("help", hint="王小明")
        with page.get("/events", base_url="http://127.0.0.1") as events:
            next(line for line in events.iter_encoded() if b"data:" in line)
        with printer:
            printer.print(Slip("王小明", ("缓刑",)))
    assert "a whole name in a log line" in caught
    assert "a whole name in a pushed state" in caught
    assert {"a whole name in a printed slip", "a category in a printed slip"} <= set(caught)


def test_the_spoken_lines_were_all_heard():
    assert BYSTANDER.looked["a spoken line"] > 100
