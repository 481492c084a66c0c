"""Opening and ending a server: no request is left to write into a pipe that was closed under it."""

from __future__ import annotations

import os
import socket
import stat
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from web.shared.serving import end_server, open_server


class OneSlowAnswer:
    """A WSGI app that answers when it is let go."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go = threading.Event()

    def __call__(self, _environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        self.asked.set()
        self.go.wait(30)
        start("200 OK", [("Content-Length", "2")])
        return [b"ok"]


@pytest.fixture
def slow() -> Iterator[OneSlowAnswer]:
    app = OneSlowAnswer()
    yield app
    app.go.set()


def serving(app: OneSlowAnswer) -> tuple[Any, threading.Thread, threading.Thread]:
    """A server, its loop and a client that waits for the slow answer."""
    server = open_server(app, host="127.0.0.1", port=0, threads=2)
    loop = threading.Thread(target=server.run, daemon=True)
    loop.start()

    def ask() -> None:
        with suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{server.effective_port}/", timeout=30).read()

    client = threading.Thread(target=ask, daemon=True)
    client.start()
    assert app.asked.wait(10)
    return server, loop, client


def is_pipe(number: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(number).st_mode)
    except OSError:
        return False


def test_while_a_request_runs_the_pipe_it_writes_into_stays_open(slow: OneSlowAnswer) -> None:
    server, loop, client = serving(slow)
    end_server(server, loop, finish_s=0.0, timeout_s=0.3)
    client.join(10)
    assert not loop.is_alive() and not client.is_alive()  # the line is cut all the same
    assert is_pipe(server.trigger.trigger)
    slow.go.set()
    end_server(server, None, finish_s=10.0)
    assert not is_pipe(server.trigger.trigger)


def test_when_requests_have_ended_nothing_stays_open(slow: OneSlowAnswer) -> None:
    server, loop, client = serving(slow)
    threading.Timer(0.3, slow.go.set).start()
    end_server(server, loop, finish_s=0.0)
    client.join(10)
    assert not loop.is_alive() and not server.task_dispatcher.threads
    assert not is_pipe(server.trigger.trigger)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.effective_port), timeout=5)


def test_a_request_that_ends_in_time_is_answered(slow: OneSlowAnswer) -> None:
    server = open_server(slow, host="127.0.0.1", port=0, threads=2)
    loop = threading.Thread(target=server.run, daemon=True)
    loop.start()
    threading.Timer(0.3, slow.go.set).start()
    with socket.create_connection(("127.0.0.1", server.effective_port), timeout=30) as line:
        line.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert slow.asked.wait(10)
        end_server(server, loop, finish_s=10.0)
        answer = b"".join(iter(lambda: line.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.0 200 OK") and answer.endswith(b"ok")


def test_a_name_with_two_addresses_is_served_at_the_first_of_ipv4(
    slow: OneSlowAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = socket.getaddrinfo

    def both(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        if host != "both.test":
            return asked(host, port, *arguments, **options)
        stream = socket.SOCK_STREAM
        return [
            (socket.AF_INET6, stream, 6, "", ("::1", port, 0, 0)),
            (socket.AF_INET, stream, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    server = open_server(slow, host="both.test", port=0, threads=1)
    try:
        assert server.effective_host == "127.0.0.1"
    finally:
        end_server(server, None, finish_s=0.0)


def test_a_name_that_is_nowhere_is_an_os_error(slow: OneSlowAnswer) -> None:
    for host in ("nosuch.invalid", "a" * 70, "空.invalid"):
        with pytest.raises(OSError, match="no such address"):
            open_server(slow, host=host, port=0)
