"""The child process in which the pyfingerprint library runs. Owns the library; knows nothing of Muster.

Started as a program of its own: one JSON request per line on stdin, one JSON answer per line on stdout, the end of
stdin ends it. It has no deadline of its own: the parent kills it. Errors of the library (bare Exceptions) go to the
parent as text and are sorted there.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyfingerprint.pyfingerprint as library

_WIDTH, _HEIGHT = 256, 288
_ACK = 0x07
_LOOK_S = 0.5


class _Picture:
    """Stands in for the library's picture class, which would write a fingerprint to the disk."""

    newest = bytearray()

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        _Picture.newest = bytearray(size[0] * size[1])

    @classmethod
    def new(cls, _mode: str, size: tuple[int, int], _color: str) -> _Picture:
        """What the library calls to make a picture."""
        return cls(size)

    def load(self) -> _Picture:
        return self

    def save(self, _destination: str) -> None:
        """Nothing is written."""

    def __setitem__(self, place: tuple[int, int], level: int) -> None:
        _Picture.newest[place[1] * self.size[0] + place[0]] = level


class Servant:
    """The calls that the parent may make, by name."""

    def __init__(self) -> None:
        library.Image = _Picture
        self._sensor: Any = None

    def forget_leftovers(self) -> None:
        """Drop what an earlier, failed call left on the line; the library would take it for its next answer."""
        if self._sensor is not None:
            self._sensor._PyFingerprint__serial.reset_input_buffer()

    def ready(self) -> bool:
        """Answer as soon as the library is imported."""
        return True

    def open(self, port: str, baud: int, address: int, password: int) -> bool:
        """Open the port; whether the password is right."""
        self._sensor = library.PyFingerprint(port, baud, address, password)
        return bool(self._sensor.verifyPassword())

    def parameters(self) -> list[int]:
        """The seven numbers of ReadSysPara."""
        return list(self._sensor.getSystemParameters())

    def capture(self) -> bool:
        """Whether a finger's picture was taken."""
        return bool(self._sensor.readImage())

    def image(self) -> str:
        """Gray levels as the library spreads them, one byte a pixel, in hexadecimal."""
        self._sensor.downloadImage(str(Path(tempfile.gettempdir()) / "never-written.png"))
        return _Picture.newest.hex()

    def convert(self, buffer: int) -> bool:
        """Picture to character buffer."""
        return bool(self._sensor.convertImage(buffer))

    def combine(self) -> bool:
        """Whether both buffers hold the same finger and became one template."""
        return bool(self._sensor.createTemplate())

    def read_characteristics(self, buffer: int) -> str:
        """A character buffer, in hexadecimal."""
        return bytes(self._sensor.downloadCharacteristics(buffer)).hex()

    def write_characteristics(self, buffer: int, characteristics: str) -> bool:
        """Whether the sensor kept what was sent."""
        return bool(self._sensor.uploadCharacteristics(buffer, list(bytes.fromhex(characteristics))))

    def match(self) -> int:
        """The score of both buffers, 0 for a non-match."""
        return int(self._sensor.compareCharacteristics())

    def store(self, position: int, buffer: int) -> int:
        """Keep a buffer."""
        return int(self._sensor.storeTemplate(position, buffer))

    def load(self, position: int, buffer: int) -> bool:
        """Read a stored template into a buffer."""
        return bool(self._sensor.loadTemplate(position, buffer))

    def search(self, buffer: int, start: int, count: int) -> list[int]:
        """The library's own search knows buffer 1 and the whole range only; its packet functions know more."""
        order = (library.FINGERPRINT_SEARCHTEMPLATE, buffer, start >> 8, start & 0xFF, count >> 8, count & 0xFF)
        self._sensor._PyFingerprint__writePacket(library.FINGERPRINT_COMMANDPACKET, order)
        kind, payload = self._sensor._PyFingerprint__readPacket()
        if kind != _ACK or not payload:
            raise ValueError("The received packet is no ack packet!")
        return list(payload)

    def delete(self, position: int, count: int) -> bool:
        """Whether the positions were freed."""
        return bool(self._sensor.deleteTemplate(position, count))

    def empty(self) -> bool:
        """Whether the library was freed."""
        return bool(self._sensor.clearDatabase())

    def count(self) -> int:
        """How many positions are in use."""
        return int(self._sensor.getTemplateCount())

    def index(self, page: int) -> list[bool]:
        """One page of the index table."""
        return [bool(used) for used in self._sensor.getTemplateIndex(page)]


def answer(servant: Servant, line: str) -> dict[str, Any]:
    """Carry out one request."""
    request = json.loads(line)
    call: Callable[..., Any] = getattr(servant, request["call"])
    try:
        servant.forget_leftovers()
        return {"value": call(*request["arguments"])}
    except (OSError, termios.error) as error:  # pyserial's: the port
        return {"error": "port", "text": str(error)}
    except Exception as error:  # the library raises nothing more specific
        return {"error": "library", "text": f"{type(error).__name__}: {error}"}


def follow(parent: int) -> None:
    """End with the parent, even in the middle of a read that never comes back."""
    while os.getppid() == parent:
        time.sleep(_LOOK_S)
    os._exit(1)


def main() -> None:
    """Answer requests until stdin ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=follow, args=(os.getppid(),), daemon=True).start()
    answers, sys.stdout = sys.stdout, sys.stderr  # what a library prints must not look like an answer
    servant = Servant()
    for line in sys.stdin:
        answers.write(json.dumps(answer(servant, line)) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
