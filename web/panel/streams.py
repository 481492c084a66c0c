"""How many long answers may be open at once. Owns the count; refuses what is sent in them.

Every open stream pins a worker thread of the server. When all places are taken the oldest stream is asked to end and
the newest gets its place, so that a reloaded page is never locked out by its own ghost. A stream that was asked to end
needs a moment to notice; while as many are ending as may be open, further ones are refused.
"""

from __future__ import annotations

import threading
from collections.abc import Callable


class Stream:
    """One place taken. ``ended`` turns true when a newer stream took it or the other side went away."""

    def __init__(self, streams: Streams, *, disconnected: Callable[[], bool]) -> None:
        self._streams = streams
        self._disconnected = disconnected
        self.replaced = False

    def ended(self) -> bool:
        """Whether to stop sending."""
        return self.replaced or self._disconnected()

    def release(self) -> None:
        """Give the place back; a second call does nothing."""
        self._streams.forget(self)


class Streams:
    """At most ``most`` streams live, and as many again on their way out. Safe across threads."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._open: list[Stream] = []
        self._lock = threading.Lock()

    def admit(self, *, disconnected: Callable[[], bool] = lambda: False) -> Stream | None:
        """A new stream, at the oldest one's cost if need be; None when too many have not ended yet."""
        with self._lock:
            if len(self._open) >= 2 * self.most:
                return None
            live = [stream for stream in self._open if not stream.replaced]
            if len(live) >= self.most:
                live[0].replaced = True
            stream = Stream(self, disconnected=disconnected)
            self._open.append(stream)
            return stream

    def forget(self, stream: Stream) -> None:
        """Take ``stream`` off the list."""
        with self._lock:
            if stream in self._open:
                self._open.remove(stream)

    def __len__(self) -> int:
        return len(self._open)
