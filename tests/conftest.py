"""A bystander reads along during every test; see ``tests.bystander``. ``tests.browser`` has a Chromium for any of them.

The tests may run in several processes (pytest-xdist; ``JOBS`` of the Makefile). Each has a bystander of its own, who
tells at the end what was read and seen; the last line of the tests is about all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests.browser import chromium  # noqa: F401 - a fixture for every room
from tests.bystander import BYSTANDER, listen

# How long an example takes says more about the machine than about Muster.
settings.register_profile("muster", deadline=None)
settings.load_profile("muster")


def pytest_configure(config: pytest.Config) -> None:
    """Listen in every process that runs tests; the one that only hands them out has nothing to hear."""
    if hasattr(config, "workerinput") or config.getoption("dist", "no") == "no":
        listen()


@pytest.fixture(autouse=True)
def nothing_for_a_bystander() -> Iterator[None]:
    """Fail the test during which a bystander saw what is nobody's business."""
    before = len(BYSTANDER.seen)
    yield
    seen = BYSTANDER.seen[before:]
    assert seen == [], "a bystander saw " + ", ".join(sorted(set(seen)))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process that was started for some of the tests tells what its bystander has read."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["bystander"] = BYSTANDER.tell()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodeready(node: Any) -> None:
    """From now on a process owes its report."""
    BYSTANDER.awaited += 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear what a process has to tell that has ended; one that died tells nothing."""
    told = getattr(node, "workeroutput", {}).get("bystander")
    if told is not None:
        BYSTANDER.hear(told)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was read, so that nobody mistakes a blind bystander for a discreet kiosk."""
    terminalreporter.write_line(f"bystander: {BYSTANDER.summary()}")
