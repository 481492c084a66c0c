"""The demonstration's own parts: what it refuses before it begins, and a center that is switched off in the middle."""

from __future__ import annotations

import logging
import threading
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest
from click.testing import CliRunner

from kiosk.demonstration.center import HOST, DemoCenter
from kiosk.demonstration.command import demo
from models.errors import ConfigurationError, DeviceNotFound


def test_a_summary_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    refused = CliRunner().invoke(demo, ["--once", "--json", str(tmp_path / "nowhere" / "out.json")])
    assert isinstance(refused.exception, ConfigurationError)
    assert "out.json: No such file or directory." in str(refused.exception)
    assert refused.output == ""


def test_a_webcam_that_is_not_there_is_named_before_anything_starts() -> None:
    refused = CliRunner().invoke(demo, ["--camera", "63"])
    assert isinstance(refused.exception, DeviceNotFound)
    assert refused.output == ""


def test_a_center_that_is_switched_off_lets_running_requests_end_and_can_be_switched_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    running, told = threading.Event(), threading.Event()

    def answer_when_told() -> str:
        running.set()
        told.wait(5.0)
        return "done"

    center = DemoCenter(tmp_path)
    center.app.add_url_rule("/slow", view_func=answer_when_told)

    def status_of(path: str) -> int | None:
        line = HTTPConnection(HOST, center.port, timeout=5.0)
        try:
            line.request("GET", path)
            return line.getresponse().status
        except (OSError, HTTPException):  # the line is cut
            return None
        finally:
            line.close()

    center.start()
    asking = threading.Thread(target=status_of, args=("/slow",))
    asking.start()
    assert running.wait(5.0)
    stopping = threading.Thread(target=center.stop)
    with caplog.at_level(logging.ERROR, logger="waitress"):
        stopping.start()
        told.set()
        stopping.join(10.0)
        asking.join(10.0)
    assert caplog.messages == []
    assert status_of("/api/v1/health") is None
    center.start()
    assert status_of("/api/v1/health") == 200
    center.close()
