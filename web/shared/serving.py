"""Opening a waitress server, and ending it from another thread than its own. Owns the order in which that is safe.

``server.close()`` called from outside takes the descriptors away that the server's own loop is waiting on, which ends
that loop in an error now and then. Here the loop is asked to close everything itself.
"""

from __future__ import annotations

import errno
import threading
from typing import Any


def open_server(app: Any, *, host: str, port: int, **options: Any) -> Any:
    """A server that listens. Raises OSError, also for the name of a host that is nowhere (waitress: ValueError)."""
    from waitress.server import create_server  # type: ignore[import-untyped]

    try:
        return create_server(app, host=host, port=port, **options)
    except ValueError as error:
        if "host/port" not in str(error):
            raise
        raise OSError(errno.EADDRNOTAVAIL, "this machine has no such address") from error


def end_server(server: Any, thread: threading.Thread, *, finish_s: float, timeout_s: float = 10.0) -> None:
    """Give running requests ``finish_s`` seconds, close the server and its connections, wait for ``thread``."""

    def close_everything() -> None:
        for channel in list(server.active_channels.values()):
            channel.handle_close()
        server.close()

    # First: a request that still runs wakes the server's loop when it is done.
    server.task_dispatcher.shutdown(cancel_pending=True, timeout=finish_s)
    if thread.is_alive():
        server.trigger.pull_trigger(close_everything)
        thread.join(timeout_s)
    else:
        close_everything()
