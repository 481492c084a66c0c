"""A child process that answers one JSON line per JSON line and is killed when it does not. Owns its life.

For libraries that may block for hours in the middle of a read: nothing inside them has to be trusted to come back.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from models.errors import DeviceProtocolError, DeviceTimeout

_LONGEST_ANSWER_BYTES = 1 << 20


class KillableChild:
    """Runs ``program`` with this Python. After a DeviceTimeout it is dead and stays so."""

    def __init__(self, program: Path, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        # -P: the program's own folder stays off the import path, so its neighbours hide no library.
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(program)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._rest = bytearray()

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process number."""
        return self._process.pid

    def call(self, name: str, *arguments: object, timeout_s: float) -> dict[str, Any]:
        """Ask and wait. Raises DeviceTimeout after killing it, DeviceProtocolError if it ended or talks nonsense."""
        deadline = self._monotonic() + timeout_s
        request = json.dumps({"call": name, "arguments": arguments}) + "\n"
        pipe = self._process.stdin
        assert pipe is not None  # noqa: S101 - it was asked for above
        try:
            pipe.write(request.encode())
            pipe.flush()
        except (OSError, ValueError) as error:
            self.kill()
            raise DeviceProtocolError("The process of the sensor's library ended.") from error
        line = self._line(deadline, name, timeout_s)
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError as error:
            self.kill()
            raise DeviceProtocolError("The process of the sensor's library answers something else.") from error
        return answer

    def kill(self) -> None:
        """End it at once and take it off the process table."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                _close_quietly(pipe)

    def _line(self, deadline: float, name: str, timeout_s: float) -> bytes:
        source = self._process.stdout
        assert source is not None  # noqa: S101
        while b"\n" not in self._rest:
            left_s = deadline - self._monotonic()
            ready = select.select([source], [], [], left_s)[0] if left_s > 0 else []
            if not ready:
                self.kill()
                raise DeviceTimeout(f"The sensor's library did not come back from {name} within {timeout_s:g} s.")
            chunk = os.read(source.fileno(), 65_536)
            if not chunk or len(self._rest) > _LONGEST_ANSWER_BYTES:
                self.kill()
                raise DeviceProtocolError("The process of the sensor's library ended.")
            self._rest += chunk
        line, _, rest = bytes(self._rest).partition(b"\n")
        self._rest = bytearray(rest)
        return line


def _close_quietly(pipe: Any) -> None:
    try:
        pipe.close()
    except OSError:  # what was written to a dead process cannot be flushed any more
        return
