"""A real Chromium for every test that looks at a page, and pages that are watched.

``chromium`` is skipped only if no Chromium is found and MUSTER_REQUIRE_BROWSER is unset.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",  # the console's webcam: the browser's own moving test picture, nobody's face
    "--use-fake-device-for-media-stream",
]
PATIENCE_MS = 20_000  # with a busy machine
_CUT_ON_PURPOSE = ("ERR_ABORTED", "ERR_INTERNET_DISCONNECTED")  # by tests that break the line


def find_chromium() -> str | None:
    """The Chromium of MUSTER_CHROMIUM, or the first one on the path."""
    named = os.environ.get("MUSTER_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A running Chromium (a playwright Browser); every test opens its own context."""
    required = bool(os.environ.get("MUSTER_REQUIRE_BROWSER"))
    executable = find_chromium()
    if executable is None:
        if required:
            pytest.fail("MUSTER_REQUIRE_BROWSER is set, but no Chromium was found.")
        pytest.skip("no Chromium found (on Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


class PanelWindows:
    """Windows that show a kiosk's screen. A script's error, or a request to anywhere else, is a complaint."""

    def __init__(self, chromium: Any) -> None:
        self._chromium = chromium
        self._contexts: list[Any] = []
        self._complaints: list[str] = []

    def open(self, address: str, *, width: int, height: int, **options: Any) -> Any:
        """A new window; the page in it hears the station."""
        wishes = {"reduced_motion": "reduce"} | options
        context = self._chromium.new_context(viewport={"width": width, "height": height}, **wishes)
        self._contexts.append(context)
        page, complain = context.new_page(), self._complaints.append
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complain(str(error)))
        page.on("console", lambda message: complain(message.text) if message.type == "error" else None)
        ours = (address, "blob:")
        page.on("request", lambda request: None if request.url.startswith(ours) else complain(request.url))
        page.goto(address)
        page.wait_for_selector("body[data-link=live]")
        return page

    def close(self) -> None:
        """Every window."""
        for context in self._contexts:
            context.close()

    @property
    def complaints(self) -> list[str]:
        """What no page may do."""
        return [words for words in self._complaints if not any(cut in words for cut in _CUT_ON_PURPOSE)]
