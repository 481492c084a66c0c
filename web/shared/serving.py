"""Opening a waitress server, and ending it from another thread than its own. Owns the order in which that is safe.

``server.close()`` called from outside takes the descriptors away that the server's own loop is waiting on. Worse, it
closes the pipe into which every finished request writes one byte: a request that ends a moment later writes into
whatever file was opened under that number since. Here the connections end first, and the pipe is closed only when
nobody is left who could write into it.
"""

from __future__ import annotations

import errno
import socket
import threading
import time
from typing import Any

_LOOK_EVERY_S = 0.02


def open_server(app: Any, *, host: str, port: int, **options: Any) -> Any:
    """A server that listens on one address of ``host``. Raises OSError, also for the name of a host that is nowhere."""
    from waitress.server import create_server  # type: ignore[import-untyped]

    return create_server(app, host=_one_address(host, port), port=port, **options)


def _one_address(host: str, port: int) -> str:
    """IPv4 where ``host`` has both: one server has one socket, and "localhost" is often two."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise OSError(errno.EADDRNOTAVAIL, "this machine has no such address") from error
    family, _, _, _, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
    return str(address[0]) if family in (socket.AF_INET, socket.AF_INET6) else host


def end_server(server: Any, thread: threading.Thread | None, *, finish_s: float, timeout_s: float = 10.0) -> None:
    """Give running requests ``finish_s`` seconds, close the connections, wait for requests and ``thread`` to end.

    ``thread`` runs the server's loop; None if that has ended. Waits up to ``timeout_s`` seconds for each of the two.
    """
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=finish_s)
    looping = thread is not None and thread.is_alive()
    if looping:
        server.trigger.pull_trigger(lambda: _close_connections(server))
    else:
        _close_connections(server)
    nobody_writes = _requests_end(server.task_dispatcher, timeout_s)
    if thread is not None and looping:
        server.trigger.pull_trigger(server.trigger.del_channel)  # nothing left to wait for: the loop ends
        thread.join(timeout_s)
        looping = thread.is_alive()
    if nobody_writes and not looping:
        server.trigger.close()


def _close_connections(server: Any) -> None:
    from waitress import wasyncore  # type: ignore[import-untyped]

    for channel in list(server.active_channels.values()):
        channel.handle_close()
    wasyncore.dispatcher.close(server)  # the listening socket; the server's own close() takes the pipe along


def _requests_end(dispatcher: Any, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while dispatcher.threads and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return not dispatcher.threads
