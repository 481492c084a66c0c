"""A simulated identity card reader that speaks SAM_V at a real pseudo-terminal. Owns its line, its faults, its thread.

It says of itself that it is simulated, in the module's own number. Refuses to know who reads.
"""

from __future__ import annotations

import os
import random
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from hardware.ports import CardText
from hardware.sam_v.frame import HEADER, OrderReader
from hardware.simulation.sam_v_module import SamVModule
from hardware.simulation.terminal import Terminal, make_link, remove_link
from models.errors import ConfigurationError

_log = structlog.get_logger("hardware.simulation.sam_v")
_IDLE_S = 0.2
_SETTLE_S = 2.0
_STUCK_S = 0.2
_BITS_PER_BYTE = 10


class SamVEmulator:
    """A reader as a context manager; ``port`` is the terminal's path, ``link`` a symbolic link to it, made and removed.

    ``lay`` puts a card on, ``take`` lifts it. ``throttle`` answers no faster than a line of ``baud`` would.
    """

    def __init__(self, *, link: Path | None = None, baud: int = 115_200, throttle: bool = False) -> None:
        self.link = link
        self.module = SamVModule()
        self._baud = baud
        self._throttle = throttle
        self._terminal: Terminal | None = None
        self._reader = OrderReader()
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = -1, -1
        self._stopping = threading.Event()
        self._plug_wanted = False
        self._settled = threading.Condition()
        self._silent = False
        self._noise = self._corrupt_checksum = self._corrupt_length = 0
        self._random = random.Random(0)  # noqa: S311 - noise

    @property
    def port(self) -> str:
        """The path to give to a driver: the link if there is one. Empty while unplugged without a link."""
        terminal = self._terminal
        return str(self.link) if self.link is not None else terminal.path if terminal is not None else ""

    def start(self) -> None:
        """Open the terminal and serve it. Raises ConfigurationError if ``link`` is something else's."""
        self._plug_in()
        self._wake_out, self._wake_in = os.pipe()
        self._stopping.clear()
        self._plug_wanted = True
        self._thread = threading.Thread(target=self._serve, name="simulated-card-reader", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the terminal and remove the link; stopping twice does nothing."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake()
        self._thread.join()
        self._thread = None
        self._hang_up()
        os.close(self._wake_out)
        os.close(self._wake_in)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # What happens before the reader.

    def lay(self, card: CardText) -> None:
        """Lay a card on."""
        self.module.lay(card)

    def take(self) -> None:
        """Lift the card."""
        self.module.lay(None)

    # Faults.

    def unplug(self) -> None:
        """Pull the cable: the terminal is gone, and the link with it."""
        self._want_plugged(False)

    def plug(self) -> None:
        """Put the cable back: a new terminal under the same link."""
        self._want_plugged(True)

    def silence(self, on: bool = True) -> None:
        """Listen, and answer nothing."""
        self._silent = on

    def moving(self, on: bool = True) -> None:
        """Have every card taken away while it is read."""
        self.module.moving = on

    def noise(self, count: int = 64) -> None:
        """Send ``count`` random bytes, half a header among them, before the next answer."""
        self._noise = count

    def corrupt_checksum(self, *, answers: int = 1) -> None:
        """Send the next ``answers`` answers with a wrong check."""
        self._corrupt_checksum = answers

    def corrupt_length(self, *, answers: int = 1) -> None:
        """Promise more than comes in the next ``answers`` answers."""
        self._corrupt_length = answers

    def faults(self) -> dict[str, Callable[[], None]]:
        """Every fault and its remedy by name, for a scene's script."""
        return {
            "unplug": self.unplug,
            "plug": self.plug,
            "silence": self.silence,
            "speak": lambda: self.silence(False),
            "moving": self.moving,
            "still": lambda: self.moving(False),
            "noise": self.noise,
            "corrupt_checksum": self.corrupt_checksum,
            "corrupt_length": self.corrupt_length,
        }

    def _want_plugged(self, wanted: bool) -> None:
        with self._settled:
            self._plug_wanted = wanted
            self._wake()
            if threading.current_thread() is not self._thread and self._thread is not None:
                self._settled.wait_for(lambda: (self._terminal is not None) is wanted, _SETTLE_S)

    # The serving thread.

    def _serve(self) -> None:
        while not self._stopping.is_set():
            self._settle()
            terminal = self._terminal
            watched = [self._wake_out] if terminal is None else [self._wake_out, terminal.master]
            ready, _, _ = select.select(watched, [], [], _IDLE_S)
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
            elif terminal is not None and ready:
                for order in self._reader.feed(terminal.read()):
                    self._put(terminal, self._spoilt(self.module.answer(order)))

    def _settle(self) -> None:
        if (self._terminal is not None) is self._plug_wanted:
            return
        try:
            self._plug_in() if self._plug_wanted else self._hang_up()
        except ConfigurationError as error:  # somebody took the link's place meanwhile; it is tried again
            _log.error("simulated_card_reader_not_plugged", reason=str(error))
        with self._settled:
            self._settled.notify_all()

    def _plug_in(self) -> None:
        terminal = Terminal()
        try:
            make_link(self.link, terminal.path)
        except BaseException:
            terminal.close()
            raise
        self._reader = OrderReader()
        self.module.power_cycle()
        self._terminal = terminal

    def _hang_up(self) -> None:
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            remove_link(self.link, terminal.path)
            terminal.close()

    def _wake(self) -> None:
        if self._thread is not None:
            os.write(self._wake_in, b"!")

    def _spoilt(self, frame: bytes) -> bytes:
        spoilt = bytearray(frame)
        if self._corrupt_checksum > 0:
            self._corrupt_checksum -= 1
            spoilt[-1] ^= 0x55
        if self._corrupt_length > 0:
            self._corrupt_length -= 1
            spoilt[6] |= 0x70
        noise, self._noise = self._random.randbytes(self._noise), 0
        return noise + (HEADER[:4] if noise else b"") + bytes(spoilt)

    def _put(self, terminal: Terminal, content: bytes) -> None:
        """Send, unless the cable was pulled, the simulation ends or nobody reads."""
        if self._silent or (self._throttle and self._stopping.wait(len(content) * _BITS_PER_BYTE / self._baud)):
            return
        stuck_at = time.monotonic() + _STUCK_S
        while content and not self._stopping.is_set() and self._plug_wanted and time.monotonic() < stuck_at:
            _, writable, _ = select.select([], [terminal.master], [], _STUCK_S)
            if writable and (sent := terminal.write(content)):
                content, stuck_at = content[sent:], time.monotonic() + _STUCK_S
