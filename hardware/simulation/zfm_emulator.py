"""A simulated ZFM-20 at the far end of a pseudo-terminal: any program for the real module can talk to it.

Owns the terminal, the thread that serves it, and faults on demand. What the module answers is ``zfm_chip``'s; how it
matches is the engine's that is handed in.
"""

from __future__ import annotations

import os
import random
import select
import termios
import threading
import tty
from pathlib import Path
from typing import Self

import structlog

from hardware.simulation.finger_matcher import FingerEngine, FingerMatcher
from hardware.simulation.glass import Glass
from hardware.simulation.zfm_chip import Reply, ZfmChip
from hardware.zfm.codes import BAUD_MULTIPLES, BAUD_STEP, Confirmation
from hardware.zfm.frame import DEFAULT_ADDRESS, Packet, PacketKind, PacketReader, encode, split
from models.errors import ConfigurationError

_log = structlog.get_logger()
_IDLE_S = 0.5  # half a command older than this is forgotten
_QUIET_S = 0.1  # and after this a whole one is looked for behind it
_STUCK_S = 1.0  # a UART drops what nobody reads, a terminal holds it back: give up after this
_MOST_NOISE_BYTES = 1 << 20


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
        self._terminal: _Terminal | None = None
        self._reader = PacketReader()
        self._thread: threading.Thread | None = None
        self._wake_out, self._wake_in = -1, -1
        self._stopping = threading.Event()
        self._unplugging = threading.Event()
        self._unplugged = threading.Event()
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
            self.plug()
        except BaseException:
            self._close_wakers()
            raise
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
        if self._terminal is None:
            return
        self._unplugged.clear()
        self._unplugging.set()
        self._wake()
        self._unplugged.wait()

    def plug(self) -> None:
        """Put the cable back: a new terminal under the same link; what was in memory is lost, flash stays."""
        if self._terminal is not None:
            return
        terminal = _Terminal()
        try:
            _make_link(self.link, terminal.path)
        except BaseException:
            terminal.close()
            raise
        self.chip.power_cycle()
        self._reader.reset()
        self._accepting = None
        self._terminal = terminal
        self._wake()

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

    # The serving thread.

    def _serve(self) -> None:
        quiet = 0
        while not self._stopping.is_set():
            if self._unplugging.is_set():
                self._hang_up()
                self._unplugging.clear()
                self._unplugged.set()
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
        self._unplugged.set()

    def _hear(self, terminal: _Terminal) -> None:
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

    def _look_past(self, terminal: _Terminal, *, last: bool) -> None:
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

    def _handle(self, terminal: _Terminal, packet: Packet) -> None:
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

    def _send(self, terminal: _Terminal, packets: list[Packet], *, afterwards: bytes = b"") -> None:
        if self._silent:
            return
        count, answers = self._noise
        if answers > 0 and count:
            self._noise = (count, answers - 1)
            if not self._put(terminal, self._random.randbytes(count)):
                return
        for packet in packets:
            if not self._put(terminal, self._spoil(encode(packet))):
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

    def _put(self, terminal: _Terminal, content: bytes) -> bool:
        """Send; False if the cable was pulled, the simulation ends or nobody reads."""
        if self._throttle and self._stopping.wait(len(content) * 10 / self.chip.baud):
            return False
        while content:
            if self._stopping.is_set() or self._unplugging.is_set():
                return False
            _, writable, _ = select.select([], [terminal.master], [], _STUCK_S)
            if not writable:
                return False
            content = content[terminal.write(content) :]
        return True

    def _hang_up(self) -> None:
        terminal, self._terminal = self._terminal, None
        if terminal is not None:
            _remove_link(self.link, terminal.path)
            terminal.close()

    def _wake(self) -> None:
        if self._wake_in >= 0:
            os.write(self._wake_in, b"!")

    def _close_wakers(self) -> None:
        os.close(self._wake_out)
        os.close(self._wake_in)
        self._wake_out, self._wake_in = -1, -1


class _Terminal:
    """A pseudo-terminal in raw mode. Keeps the far side open too, or reads would fail between two clients."""

    def __init__(self) -> None:
        self.master, self._far = os.openpty()
        tty.setraw(self._far)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self._far)

    def read(self) -> bytes:
        try:
            return os.read(self.master, 4096)
        except BlockingIOError:
            return b""

    def write(self, content: bytes) -> int:
        try:
            return os.write(self.master, content)
        except BlockingIOError:
            return 0

    def baud(self) -> int:
        """The speed that the client set on its side."""
        return _BAUD_OF_CONSTANT.get(termios.tcgetattr(self._far)[5], 0)

    def close(self) -> None:
        os.close(self.master)
        os.close(self._far)


_BAUD_OF_CONSTANT = {
    getattr(termios, f"B{multiple * BAUD_STEP}"): multiple * BAUD_STEP
    for multiple in BAUD_MULTIPLES
    if hasattr(termios, f"B{multiple * BAUD_STEP}")
}


def _check(capacity: int, password: int, baud: int) -> None:
    if not 1 <= capacity <= 1024:
        raise ConfigurationError(f"A sensor keeps 1 to 1024 templates, not {capacity}.")
    if not 0 <= password <= 0xFFFFFFFF:
        raise ConfigurationError("A sensor's password is a number of 32 bits.")
    if baud % BAUD_STEP or baud // BAUD_STEP not in BAUD_MULTIPLES:
        raise ConfigurationError(f"A speed of {baud} baud does not exist; 9600 times 1 to 12 does.")


def _make_link(link: Path | None, target: str) -> None:
    if link is None:
        return
    try:
        if link.is_symlink():  # left behind by a simulation that was killed
            link.unlink()
        link.symlink_to(target)
    except FileExistsError as error:
        raise ConfigurationError(f"{link} exists and is no link, so it is not replaced.") from error
    except OSError as error:
        raise ConfigurationError(f"The link {link} cannot be made there.") from error


def _remove_link(link: Path | None, target: str) -> None:
    if link is None or not link.is_symlink():
        return
    if str(link.readlink()) == target:  # another simulation may have taken the name over
        link.unlink()
