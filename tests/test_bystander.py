"""The bystander of the tests notices what it is there for, at every place where it listens."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import structlog

from hardware.drivers.receipt_printer import EscPosPrinter
from hardware.ports import Slip
from kiosk.screen import Screen
from tests.bystander import BYSTANDER, Bystander, indiscretions
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


def test_several_processes_are_one_bystander_in_the_end():
    here, there = Bystander(awaited=1), Bystander()
    here.look("a page", "签到完成")
    there.look("a page", "缓刑")
    there.look("a log line", "a visit")
    here.hear(there.tell())
    assert here.summary() == "read 1 x a log line, 2 x a page; 1 indiscretions"


def test_a_process_that_died_is_not_taken_for_a_discreet_one():
    here = Bystander(awaited=2)
    here.hear(Bystander().tell())
    assert here.summary() == "read nothing; 0 indiscretions; 1 ended without a word"


def test_what_processes_have_read_is_told_in_the_last_line(tmp_path):
    """Two tests, one of them indiscreet, handed to two processes that load nothing of Muster."""
    (tmp_path / "conftest.py").write_text(
        "import tests.bystander\ntests.bystander.listen = lambda: None\nfrom tests.conftest import *\n"
    )
    for name, words in (("discreet", "a visit"), ("indiscreet", "probation")):
        (tmp_path / f"test_{name}.py").write_text(
            f"from tests.bystander import BYSTANDER\ndef test_{name}():\n    BYSTANDER.look('a newspaper', '{words}')\n"
        )
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist", "-n", "2", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": root, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "bystander: read 2 x a newspaper; 1 indiscretions\n" in done.stdout
    assert "2 passed, 1 error" in done.stdout
