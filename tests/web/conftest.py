"""A real Chromium and a real server for the tests of both web rooms.

``chromium`` is skipped only if no Chromium is found and MUSTER_REQUIRE_BROWSER is unset. ``take_picture`` writes only
if MUSTER_SCREENS names a folder.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
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
]
WORKER_THREADS = 16


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


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve a WSGI app on a free loopback port with waitress; answers its address. Stopped after the test."""
    from waitress.server import create_server

    servers: list[Any] = []
    threads: list[threading.Thread] = []

    def start(app: Any, *, host: str = "127.0.0.1", **options: Any) -> str:
        server = create_server(
            app, host=host, port=0, threads=WORKER_THREADS, clear_untrusted_proxy_headers=True, **options
        )
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        servers.append(server)
        threads.append(thread)
        return f"http://{host}:{server.effective_port}"

    yield start
    for server in servers:
        server.close()
        server.task_dispatcher.shutdown(cancel_pending=True, timeout=2)
        server.trigger.pull_trigger()
    for thread in threads:
        thread.join(timeout=5)


@pytest.fixture
def take_picture() -> Callable[[Any, str], None]:
    """Save a page as ``<name>.png`` in the folder MUSTER_SCREENS; does nothing when it is unset."""
    folder = os.environ.get("MUSTER_SCREENS")

    def take(page: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=str(Path(folder) / f"{name}.png"), animations="disabled")

    return take
