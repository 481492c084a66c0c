"""A simulated slip printer behind a TCP port, as a network printer is. Owns its paper and its faults; draws nothing.

It keeps the bytes of each slip and answers the real-time questions of ESC/POS (DLE EOT n) wherever they stand in the
stream, within a picture too, as real printers do.
"""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from typing import Self

_CUT = b"\x1dV"  # GS V ends a slip; one byte or two follow
_QUESTION = b"\x10\x04"  # DLE EOT
_HEALTHY = 0x12
_COVER, _END, _FAILED, _ROLL_END = 0x04, 0x20, 0x40, 0x60
_LOOK_S = 0.02
_HOST = "127.0.0.1"


class SimulatedPrinter:
    """A context manager; ``address`` is what a driver needs. ``slips`` are the bytes that came out, cut."""

    def __init__(self) -> None:
        self._port = 0
        self.slips: list[bytes] = []
        self.paper = True
        self.cover_closed = True
        self.failed = False
        self.talks = True
        self._plugged = threading.Event()
        self._stopping = threading.Event()
        self._settled = threading.Condition()
        self._listening: socket.socket | None = None
        self._buffer = bytearray()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._listen()
        self._plugged.set()
        self._thread = threading.Thread(target=self._serve, name="simulated-printer", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._hang_up()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"{_HOST}:{self._port}"

    def unplug(self) -> None:
        """Pull the cable: whoever is connected finds the printer gone, and nobody can connect."""
        self._want(plugged=False)

    def plug(self) -> None:
        """Put it back, at the same port; what was in its memory is lost."""
        self._want(plugged=True)

    def _want(self, *, plugged: bool) -> None:
        with self._settled:
            self._plugged.set() if plugged else self._plugged.clear()
            self._settled.wait_for(lambda: (self._listening is not None) is plugged, 2.0)

    def _listen(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_HOST, self._port))
        listening.listen(1)
        self._port = listening.getsockname()[1]
        self._buffer.clear()
        self._listening = listening

    def _hang_up(self) -> None:
        if self._listening is not None:
            self._listening.close()
        self._listening = None

    def _settle(self) -> None:
        with self._settled:
            if self._plugged.is_set() and self._listening is None:
                self._listen()
            elif not self._plugged.is_set():
                self._hang_up()
            self._settled.notify_all()

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._settle()
            if self._listening is None:
                self._stopping.wait(_LOOK_S)
            elif select.select([self._listening], [], [], _LOOK_S)[0]:
                client, _ = self._listening.accept()
                with client, contextlib.suppress(OSError):  # a client that went is no longer served
                    self._attend(client)

    def _attend(self, client: socket.socket) -> None:
        """Serve one client until it hangs up or the cable is pulled."""
        unasked = b""
        while self._plugged.is_set() and not self._stopping.is_set():
            self._come_out()
            if not select.select([client], [], [], _LOOK_S)[0]:
                continue
            chunk = client.recv(65_536)
            if not chunk:
                return
            unasked = self._questions(client, unasked + chunk)
            self._buffer += chunk

    def _questions(self, client: socket.socket, stream: bytes) -> bytes:
        """Answer what is asked in a piece of the stream; the end of it that may be the beginning of a question."""
        start = 0
        while (at := stream.find(_QUESTION, start)) >= 0 and at + 2 < len(stream):
            start = at + 3
            if self.talks and 1 <= stream[at + 2] <= 4:
                client.sendall(bytes([self._status(stream[at + 2])]))
        return stream[max(start, len(stream) - 2) :]

    def _status(self, which: int) -> int:
        """A status byte: 2 the cause of being offline, 4 the paper sensor, 1 and 3 always well."""
        if which == 2:
            causes = (_COVER * (not self.cover_closed)) | (_END * (not self.paper)) | (_FAILED * self.failed)
            return _HEALTHY | causes
        return _HEALTHY | (_ROLL_END if which == 4 and not self.paper else 0)

    def _come_out(self) -> None:
        """Whole slips leave the buffer while there is paper."""
        while self.paper and self.cover_closed and (at := _end_of_slip(self._buffer)) > 0:
            self.slips.append(bytes(self._buffer[:at]))
            del self._buffer[:at]


def _end_of_slip(content: bytearray) -> int:
    """Where the first slip ends, 0 while it does not. Pictures are stepped over: their dots may look like a cut."""
    at = 0
    while at < len(content):
        if content[at : at + 3] == b"\x1dv0":
            header = content[at + 4 : at + 8]
            at += 8 + int.from_bytes(header[:2], "little") * int.from_bytes(header[2:], "little")
        elif content[at : at + 2] == _CUT and at + 2 < len(content):
            return at + (3 if content[at + 2] in (0, 1, 48, 49) else 4)
        else:
            at += 1
    return 0
