"""A pseudo-terminal in raw mode and the symbolic link to it. Owns file descriptors; refuses protocols."""

from __future__ import annotations

import os
import termios
import tty
from pathlib import Path

from hardware.zfm.codes import BAUD_MULTIPLES, BAUD_STEP
from models.errors import ConfigurationError

_BAUD_OF_CONSTANT = {
    getattr(termios, f"B{multiple * BAUD_STEP}"): multiple * BAUD_STEP
    for multiple in BAUD_MULTIPLES
    if hasattr(termios, f"B{multiple * BAUD_STEP}")
}


class Terminal:
    """Keeps the far side open too, or reads would fail between two clients. ``path`` is what a client opens."""

    def __init__(self) -> None:
        self.master, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._far)

    def read(self) -> bytes:
        """What has come in."""
        try:
            return os.read(self.master, 4096)
        except BlockingIOError:
            return b""

    def write(self, content: bytes) -> int:
        """Send what fits; how much that was."""
        try:
            return os.write(self.master, content)
        except BlockingIOError:
            return 0

    def drop_unread(self) -> None:
        """Forget what was sent and nobody read."""
        termios.tcflush(self._far, termios.TCIFLUSH)

    def baud(self) -> int:
        """The speed that the client set on its side; 0 for one that no sensor has."""
        return _BAUD_OF_CONSTANT.get(termios.tcgetattr(self._far)[5], 0)

    def close(self) -> None:
        """Hang up: a program at the far side finds its device gone."""
        os.close(self.master)
        os.close(self._far)


def make_link(link: Path | None, target: str) -> None:
    """Point ``link`` at a terminal. Raises ConfigurationError rather than replace what is no link to a terminal."""
    if link is None:
        return
    try:
        if link.is_symlink():
            if link.readlink().parent != Path(target).parent:
                raise ConfigurationError(f"{link} is a link to something else, so it is not replaced.")
            link.unlink()  # left behind by a simulation that was killed
        link.symlink_to(target)
    except FileExistsError as error:
        raise ConfigurationError(f"{link} exists and is no link, so it is not replaced.") from error
    except OSError as error:
        raise ConfigurationError(f"The link {link} cannot be made there.") from error


def remove_link(link: Path | None, target: str) -> None:
    """Remove ``link`` if it still points there; another simulation may have taken the name over."""
    if link is not None and link.is_symlink() and str(link.readlink()) == target:
        link.unlink()
