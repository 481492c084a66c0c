"""A bystander reads along during every test (``tests.bystander``); ``tests.browser`` has a Chromium for any of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser import chromium
from tests.bystander import BYSTANDER, listen

__all__ = ["chromium"]

listen()


@pytest.fixture(autouse=True)
def nothing_for_a_bystander() -> Iterator[None]:
    """Fail the test during which a bystander saw what is nobody's business."""
    before = len(BYSTANDER.seen)
    yield
    seen = BYSTANDER.seen[before:]
    assert seen == [], "a bystander saw " + ", ".join(sorted(set(seen)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how much was read, so that nobody mistakes a blind bystander for a discreet kiosk."""
    read = ", ".join(f"{count} x {place}" for place, count in sorted(BYSTANDER.looked.items()))
    terminalreporter.write_line(f"bystander: read {read or 'nothing'}; {len(BYSTANDER.seen)} indiscretions")
