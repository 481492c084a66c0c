"""A real server for the tests of both web rooms, and a small station for the panel.

``take_picture`` writes only if MUSTER_SCREENS names a folder.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import pytest
from panel_pages import SIZES, drawn_visitor, write_slides
from PIL import Image

from tests.browser import PanelWindows
from web.panel.app import SERVER_OPTIONS, create_panel
from web.panel.facade import PanelFrame, PanelState
from web.shared.serving import end_server, open_server

WORKER_THREADS = 16
PANEL_NOW = datetime(2026, 3, 5, 1, 30, tzinfo=UTC)  # 09:30 in Shanghai


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve a WSGI app on a free loopback port with waitress; answers its address. Stopped after the test."""
    served: list[tuple[Any, threading.Thread]] = []

    def start(app: Any, *, host: str = "127.0.0.1", **options: Any) -> str:
        chosen = {"threads": WORKER_THREADS, "clear_untrusted_proxy_headers": True} | options
        server = open_server(app, host=host, port=0, **chosen)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        served.append((server, thread))
        return f"http://{host}:{server.effective_port}"

    yield start
    for server, thread in served:
        end_server(server, thread, finish_s=0.0)


@pytest.fixture
def take_picture() -> Callable[[Any, str], None]:
    """Save a page as ``<name>.png`` in the folder MUSTER_SCREENS; does nothing when it is unset."""
    folder = os.environ.get("MUSTER_SCREENS")

    def take(page: Any, name: str) -> None:
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)
            picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
            few = picture.quantize(256, dither=Image.Dither.NONE)  # a third of the size, and nobody sees it
            few.save(Path(folder) / f"{name}.png", optimize=True)

    return take


class SmallStation:
    """A station without devices: holds a state and a frame, remembers what the screen asked."""

    def __init__(self) -> None:
        self.claimed: list[str] = []
        self.chosen: list[str] = []
        self.staff_acts: list[tuple[str, dict[str, str]]] = []
        self.helped = 0
        self.cancelled = 0
        self.fails_with: Exception | None = None
        self._changed = threading.Condition()
        self._state = PanelState(version=1, step="idle", center="reachable")
        self._frame = PanelFrame(0, b"", 0)

    def show(self, step: str, **fields: Any) -> None:
        """The next state: ``step`` with ``fields``, everything else as at the start."""
        with self._changed:
            self._state = replace(PanelState(version=self._state.version + 1, step=step, center="reachable"), **fields)
            self._changed.notify_all()

    def give_frame(self, jpeg: bytes) -> None:
        with self._changed:
            number = self._frame.number + 1
            self._frame = PanelFrame(number, jpeg, number * 40_000_000)
            self._changed.notify_all()

    def state(self) -> PanelState:
        if self.fails_with:
            raise self.fails_with
        return self._state

    def wait(self, after: int, timeout_s: float) -> PanelState:
        with self._changed:
            self._changed.wait_for(lambda: self._state.version > after, timeout_s)
            return self._state

    def preview(self, after: int, timeout_s: float) -> PanelFrame | None:
        with self._changed:
            came = self._changed.wait_for(lambda: self._frame.number > max(after, 0), timeout_s)
            return self._frame if came else None

    def claim(self, number: str) -> None:
        if self.fails_with:
            raise self.fails_with
        self.claimed.append(number)

    def choose(self, code: str) -> None:
        self.chosen.append(code)

    def staff_act(self, act: str, fields: Mapping[str, str]) -> None:
        self.staff_acts.append((act, dict(fields)))

    def ask_for_help(self) -> None:
        self.helped += 1
        self.show("help")

    def cancel(self) -> None:
        self.cancelled += 1
        self.show("idle")


@pytest.fixture
def station() -> SmallStation:
    return SmallStation()


@pytest.fixture
def panel_address(station: SmallStation, serve: Callable[..., str], tmp_path: Path) -> str:
    """The kiosk's screen, served: with two notices, and a drawn visitor in front of the camera."""
    write_slides(tmp_path)
    station.give_frame(cv2.imencode(".jpg", drawn_visitor())[1].tobytes())
    app = create_panel(station, clock=lambda: PANEL_NOW, heartbeat_s=0.5, slides=tmp_path)
    return serve(app, **SERVER_OPTIONS)


@pytest.fixture
def open_page(chromium: Any, panel_address: str, station: SmallStation) -> Iterator[Callable[..., Any]]:
    """Open the screen; a script error or a request to anywhere else fails the test."""
    windows = PanelWindows(chromium)

    def start(size: str = "landscape", **options: Any) -> Any:
        width, height = SIZES[size]
        return windows.open(panel_address, width=width, height=height, **options)

    yield start
    windows.close()
    station.show("idle")  # wakes the streams, which find their pages gone
    assert windows.complaints == []
