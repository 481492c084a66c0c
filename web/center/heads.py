"""Signing the log within a minute of an append. Owns the thread that does it; refuses to know what a leaf is.

A tree head is signed over everything appended since the last one. The thread wakes when something was appended and
waits a little, so that a busy center signs a few heads a minute and not one per event.
"""

from __future__ import annotations

import threading
from datetime import datetime

import structlog

from models.ledger import TreeHead
from models.ledger_store import sign_head
from web.center.context import Center

_log = structlog.get_logger("web.center")


class HeadSigner:
    """A thread that signs a tree head at most ``interval_s`` after an append."""

    def __init__(self, center: Center) -> None:
        self._center = center
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tree-heads", daemon=True)

    def start(self) -> None:
        """Start; what was appended before the last stop is signed at once."""
        self._center.log_grew.set()
        self._thread.start()

    def stop(self) -> None:
        """Sign what is left and end."""
        self._stop.set()
        self._center.log_grew.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        interval_s = self._center.settings.tree_head_interval_s
        while not self._stop.is_set():
            self._center.log_grew.wait()
            self._stop.wait(interval_s)
            self._center.log_grew.clear()
            try:
                sign_tree_head_now(self._center)
            except Exception as error:  # a full disk, a rewritten log: say so, and try again rather than fall silent
                _log.error("tree_head_not_signed", kind=type(error).__name__, code=getattr(error, "code", None))
                self._center.log_grew.set()


def sign_tree_head_now(center: Center, now: datetime | None = None) -> TreeHead:
    """Sign the log as it stands. Raises LedgerError if it no longer holds what was signed before."""
    with center.writing() as session:
        return sign_head(session, center.key, now or center.clock())
