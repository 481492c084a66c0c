"""Watches the kiosk's live picture as its page does: how many frames come a second, and how old they are on arrival.

The age is the time from the camera's frame to the whole JPEG at the reader, both by this machine's monotonic clock.
"""

from __future__ import annotations

import http.client
import threading
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

CAPTURED = "X-Captured-Monotonic-Ns"


@dataclass(slots=True)
class PreviewWatch:
    """Reads the stream whenever there is one, until ``stop``. Frames are kept as (arrival, age) in seconds."""

    url: str
    streams: list[list[tuple[float, float]]] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="preview-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def rates(self) -> list[float]:
        """Frames a second of each stream that lasted a second at least."""
        long = [frames for frames in self.streams if len(frames) > 1 and frames[-1][0] - frames[0][0] >= 1.0]
        return [(len(frames) - 1) / (frames[-1][0] - frames[0][0]) for frames in long]

    def ages_ms(self) -> list[float]:
        """The age of every frame on arrival."""
        return [1000 * age for frames in self.streams for _, age in frames]

    def _watch(self) -> None:
        where = urlsplit(self.url)
        while not self._stopping.is_set():
            line = http.client.HTTPConnection(where.hostname or "", where.port, timeout=5)
            try:
                line.request("GET", "/preview")
                response = line.getresponse()
                if response.status == 200:
                    self._read(response)
                else:
                    time.sleep(0.03)
            except (OSError, http.client.HTTPException):
                time.sleep(0.1)
            finally:
                line.close()

    def _read(self, response: http.client.HTTPResponse) -> None:
        frames: list[tuple[float, float]] = []
        self.streams.append(frames)
        while not self._stopping.is_set():
            head: dict[str, str] = {}
            while (line := response.readline().decode("ascii").strip()) or not head:
                if line.endswith("--") or (not line and response.isclosed()):
                    return
                name, _, value = line.partition(":")
                head[name.strip()] = value.strip()
            if "Content-Length" not in head:
                return
            response.read(int(head["Content-Length"]))
            response.readline()
            arrived_ns = time.monotonic_ns()
            age_s = (arrived_ns - int(head[CAPTURED])) / 1e9 if CAPTURED in head else float("nan")
            frames.append((arrived_ns / 1e9, age_s))
