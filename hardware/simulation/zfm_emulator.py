"""A simulated ZFM-20 at the far end of a pseudo-terminal: any program for the real module can talk to it.

Owns the terminal, the thread that serves it, and faults on demand. What the module answers is ``zfm_chip``'s; how it
matches is the engine's that is handed in.
"""

from __future__ import annotations

import os
import random
import select
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

import structlog

from hardware.simulation.finger_matcher import FingerEngine, FingerMatcher
from hardware.simulation.glass import Glass
from hardware.simulation.terminal import Terminal, make_link, remove_link
from hardware.simulation.zfm_chip import Reply, ZfmChip
from hardware.zfm.codes import BAUD_MULTIPLES, BAUD_STEP, Confirmation
from hardware.zfm.frame import DEFAULT_ADDRESS, Packet, PacketKind, PacketReader, encode, split
from models.errors import ConfigurationError

_log = structlog.get_logger()
_IDLE_S = 0.5  # half a command older than this is forgotten
_QUIET_S = 0.1  # and after this a whole one is looked for behind it
_STUCK_S = 1.0  # a UART drops what nobody reads, a terminal holds it back: give up after this
_MOST_NOISE_BYTES = 1 << 20
_SCRIPT_NOISE_BYTES = 64
_SETTLE_S = 0.5


class ZfmEmulator:
    """A module with ``glass`` and a matching engine, as a context manager; ``port`` is the terminal's path.

    ``link`` is a symbolic link to the terminal that is made and removed. ``baud_throttle`` answers no faster than the
    line would; ``strict_baud`` leaves a host unheard that set another speed, as a module does.
    """

    def __init__(
        self,
        glass: Glass,
        finger_engine: FingerEngine,
        *,
        link: Path | None = None,
        capacity: int = 1000,
        password: int = 0,
        address: int = DEFAULT_ADDRESS,
        baud: int = 57_600,
        baud_throttle: bool = False,
        strict_baud: bool = False,
    ) -> None:
        _check(capacity, password, baud)
        self._matcher = FingerMatcher(finger_engine)
        self.chip = ZfmChip(glass, self._matcher, capacity=capacity, password=password, address=address, baud=baud)
        self.link = link
        self._throttle = baud_throttle
        self._strict_baud = strict_baud
        self._terminal: Terminal | None = None
        self._reader = PacketReader()
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = -1, -1
        self._stopping = threading.Event()
        self._plug_wanted = False
        self._settled = threading.Condition()
        self._accepting: tuple[Reply, bytearray] | None = None
        self._silent = False
        self._noise: tuple[int, int] = (0, 0)  # bytes before an answer, answers left
        self._corrupt_length = self._corrupt_checksum = 0
        self._random = random.Random(0)  # noqa: S311 - noise

    @property
    def port(self) -> str:
        """The path to give to a driver: the link if there is one. Empty while unplugged without a link."""
        if self.link is not None:
            return str(self.link)
        terminal = self._terminal
        return terminal.path if terminal is not None else ""

    def start(self) -> None:
        """Open the terminal and serve it.

        Raises ConfigurationError if ``link`` is something else's, WeightsError without the engine's weights.
        """
        self._matcher.warm_up()
        self._wake_out, self._wake_in = os.pipe()
        self._stopping.clear()
        try:
            self._plug_in()
        except BaseException:
            self._close_wakers()
            raise
        self._plug_wanted = True
        self._thread = threading.Thread(target=self._serve, name="simulated-sensor", daemon=True)
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
        self._close_wakers()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # Faults.

    def unplug(self) -> None:
        """Pull the cable: the terminal is gone, and the link with it."""
        self._want_plugged(False)

    def plug(self) -> None:
        """Put the cable back: a new terminal under the same link; what was in memory is lost, flash stays."""
        self._want_plugged(True)

    def silence(self, on: bool = True) -> None:
        """Listen, and answer nothing."""
        self._silent = on

    def noise(self, count: int, *, answers: int = 1) -> None:
        """Send ``count`` random bytes before each of the next ``answers`` answers."""
        if not 0 <= count <= _MOST_NOISE_BYTES:
            raise ConfigurationError(f"{count} bytes of noise are more than a line can hold.")
        self._noise = (count, answers)

    def corrupt_length(self, *, answers: int = 1) -> None:
        """Flip the upper length byte of the next ``answers`` packets, so that they promise 32 KiB more."""
        self._corrupt_length = answers

    def corrupt_checksum(self, *, answers: int = 1) -> None:
        """Send the next ``answers`` packets with a wrong checksum."""
        self._corrupt_checksum = answers

    def faults(self) -> dict[str, Callable[[], None]]:
        """Every fault and its remedy by name, for a scene's script."""
        return {
            "unplug": self.unplug,
            "plug": self.plug,
            "silence": self.silence,
            "speak": lambda: self.silence(False),
            "noise": lambda: self.noise(_SCRIPT_NOISE_BYTES),
            "corrupt_length": self.corrupt_length,
            "corrupt_checksum": self.corrupt_checksum,
        }

    def _want_plugged(self, wanted: bool) -> None:
        """Let the serving thread do it, and wait until it did.

        Not for ever: a scene's script may ask while it holds what the serving thread waits for, or be that thread.
        """
        with self._settled:
            self._plug_wanted = wanted
            self._wake()
            if threading.current_thread() is not self._thread and self._thread is not None:
                self._settled.wait_for(lambda: (self._terminal is not None) is wanted, _SETTLE_S)

    # The serving thread.

    def _serve(self) -> None:
        quiet = 0
        while not self._stopping.is_set():
            self._settle()
            terminal = self._terminal
            watched = [self._wake_out] if terminal is None else [self._wake_out, terminal.master]
            ready, _, _ = select.select(watched, [], [], _QUIET_S if self._reader.pending else _IDLE_S)
            if self._wake_out in ready:
                os.read(self._wake_out, 4096)
            elif terminal is not None and ready:
                quiet = 0
                self._hear(terminal)
            elif terminal is not None and self._reader.pending:
                quiet += 1
                self._look_past(terminal, last=quiet * _QUIET_S >= _IDLE_S)

    def _settle(self) -> None:
        """Bring the cable into the state that is wanted."""
        if (self._terminal is not None) is self._plug_wanted:
            return
        try:
            self._plug_in() if self._plug_wanted else self._hang_up()
        except ConfigurationError as error:  # somebody took the link's place meanwhile; it is tried again
            _log.error("simulated_sensor_not_plugged", reason=str(error))
        with self._settled:
            self._settled.notify_all()

    def _plug_in(self) -> None:
        terminal = Terminal()
        try:
            make_link(self.link, terminal.path)
        except BaseException:
            terminal.close()
            raise
        self.chip.power_cycle()
        self._reader.reset()
        self._accepting = None
        self._terminal = terminal

    def _hear(self, terminal: Terminal) -> None:
        chunk = terminal.read()
        if self._strict_baud and terminal.baud() != self.chip.baud:
            return
        self._reader.feed(chunk)
        while (packet := self._reader.take()) is not None:
            self._skipped()
            if packet.address == self.chip.address:
                self._handle(terminal, packet)
        if self._skipped() and not self._reader.pending:
            self._send(terminal, [Packet(PacketKind.ACK, bytes([Confirmation.PACKET_ERROR]), self.chip.address)])

    def _look_past(self, terminal: Terminal, *, last: bool) -> None:
        """Half a command from a program that died may stand before a whole one; too old, it is forgotten."""
        packet = self._reader.take_past()
        self._reader.skipped = 0
        if packet is not None and packet.address == self.chip.address:
            self._handle(terminal, packet)
        elif last:
            self._reader.reset()

    def _skipped(self) -> bool:
        skipped, self._reader.skipped = self._reader.skipped, 0
        return skipped > 0

    def _handle(self, terminal: Terminal, packet: Packet) -> None:
        if self._accepting is not None and packet.kind in (PacketKind.DATA, PacketKind.END):
            self._accept(packet)
        elif packet.kind is PacketKind.COMMAND:
            self._accepting = None
            reply = self._answer(packet.payload)
            ack = Packet(PacketKind.ACK, bytes([reply.confirmation]) + reply.payload, self.chip.address)
            transfer = () if reply.transfer is None else self._cut(reply.transfer)
            if reply.accept is not None:
                self._accepting = (reply, bytearray())
            self._send(terminal, [ack, *transfer], afterwards=reply.afterwards)

    def _answer(self, order: bytes) -> Reply:
        try:
            return self.chip.answer(order)
        except Exception as error:  # a module answers, whatever goes wrong inside
            _log.error("simulated_sensor_failed", command=order[:1].hex(), error=type(error).__name__)
            return Reply(Confirmation.EXECUTION_FAILED)

    def _cut(self, content: bytes) -> list[Packet]:
        return list(split(content, self.chip.packet_bytes, address=self.chip.address))

    def _accept(self, packet: Packet) -> None:
        if self._accepting is None:
            return
        reply, content = self._accepting
        content += packet.payload
        if len(content) > reply.most_bytes:
            self._accepting = None
        elif packet.kind is PacketKind.END:
            self._accepting = None
            if reply.accept is not None:
                reply.accept(bytes(content))

    def _send(self, terminal: Terminal, packets: list[Packet], *, afterwards: bytes = b"") -> None:
        if self._silent:
            return
        count, answers = self._noise
        if answers > 0 and count:
            self._noise = (count, answers - 1)
            if not self._put(terminal, self._random.randbytes(count)):
                return
        for packet in packets:
            if not self._put(terminal, self._spoil(encode(packet)), transfer=packet.kind is not PacketKind.ACK):
                return
        self._put(terminal, afterwards)

    def _spoil(self, frame: bytes) -> bytes:
        spoilt = bytearray(frame)
        if self._corrupt_length > 0:
            self._corrupt_length -= 1
            spoilt[7] ^= 0x80
        if self._corrupt_checksum > 0:
            self._corrupt_checksum -= 1
            spoilt[-1] ^= 0x55
        return bytes(spoilt)

    def _put(self, terminal: Terminal, content: bytes, *, transfer: bool = False) -> bool:
        """Send; False if the cable was pulled, the simulation ends or nobody reads."""
        if self._throttle and self._stopping.wait(len(content) * 10 / self.chip.baud):
            return False
        while content:
            if self._stopping.is_set() or not self._plug_wanted:
                return False
            heard, writable, _ = select.select([terminal.master], [terminal.master], [], _STUCK_S)
            if heard and transfer:  # a new program does not want the rest of what an old one asked for
                terminal.drop_unread()
                return False
            if not heard and not writable:
                return False
            if not writable:
                self._stopping.wait(_STUCK_S / 100)
                continue
            content = content[terminal.write(content) :]
        return True

    def _hang_up(self) -> None:
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            remove_link(self.link, terminal.path)
            terminal.close()

    def _wake(self) -> None:
        if self._wake_in >= 0:
            os.write(self._wake_in, b"!")

    def _close_wakers(self) -> None:
        os.close(self._wake_out)
        os.close(self._wake_in)
        self._wake_out, self._wake_in = -1, -1


def _check(capacity: int, password: int, baud: int) -> None:
    if not 1 <= capacity <= 1024:
        raise ConfigurationError(f"A sensor keeps 1 to 1024 templates, not {capacity}.")
    if not 0 <= password <= 0xFFFFFFFF:
        raise ConfigurationError("A sensor's password is a number of 32 bits.")
    if baud % BAUD_STEP or baud // BAUD_STEP not in BAUD_MULTIPLES:
        raise ConfigurationError(f"A speed of {baud} baud does not exist; 9600 times 1 to 12 does.")
