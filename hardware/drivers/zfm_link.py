"""One command at a time with a ZFM-20/R30x sensor. Owns deadlines and what counts as an answer; refuses meanings.

Every exchange has one total deadline that no trickle of bytes can move: a command ``timeout_s``, a transfer
``timeout_s`` plus twice the time its bytes take on the line, and within a transfer every packet ``timeout_s``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from hardware.drivers.serial_port import Transport
from hardware.zfm.codes import PARAMETERS_BYTES, Command, Confirmation
from hardware.zfm.frame import PACKET_SIZES, Packet, PacketKind, PacketReader, encode, split
from models.errors import DeviceProtocolError, DeviceTimeout

_SLICE_S = 0.1  # silence in the middle of a packet after which its header is doubted
_LINE_BITS_PER_BYTE = 10


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The sensor's answer to a command."""

    confirmation: int
    payload: bytes


class ZfmLink:
    """The protocol over a transport. Raises DeviceTimeout, DeviceProtocolError or DeviceUnplugged, nothing else."""

    def __init__(
        self, transport: Transport, *, address: int, baud: int, timeout_s: float, monotonic: Callable[[], float]
    ) -> None:
        self._transport = transport
        self._address = address
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._reader = PacketReader()
        self._foreign = 0
        self._in_doubt = False  # whether an answer may still be on its way
        self.baud = baud

    def command(self, command: Command, parameters: bytes = b"", *, answer_bytes: int = 0) -> Acknowledgement:
        """Send a command and wait for its acknowledgement; an OK must carry ``answer_bytes`` at least.

        Answers do not say what they answer. After one that did not come, or not whole, the sensor is asked for its
        parameters first: no other answer looks like theirs, and it comes after all that were late.
        """
        deadline = self._monotonic() + self._timeout_s
        if self._in_doubt and command is not Command.VERIFY_PASSWORD:
            self._ask(Command.READ_PARAMETERS, b"", deadline - 0.75 * self._timeout_s, payload_bytes=PARAMETERS_BYTES)
        self._in_doubt = True
        answer = self._ask(command, parameters, deadline)
        if answer.confirmation == Confirmation.OK and len(answer.payload) < answer_bytes:
            raise DeviceProtocolError(f"The sensor's answer to {command.name} is too short.")
        self._in_doubt = False
        return answer

    def _ask(
        self, command: Command, parameters: bytes, deadline: float, *, payload_bytes: int | None = None
    ) -> Acknowledgement:
        """The next acknowledgement, or the next one with so many bytes of payload."""
        self._begin()
        self._transport.write(encode(Packet(PacketKind.COMMAND, bytes([command]) + parameters, self._address)))
        while True:
            packet = self._next(deadline, command)
            if packet.kind is PacketKind.ACK and packet.payload and payload_bytes in (None, len(packet.payload) - 1):
                return Acknowledgement(packet.payload[0], packet.payload[1:])

    def receive(self, command: Command, *, most_bytes: int, usual_bytes: int) -> bytes:
        """The data packets that follow an acknowledgement, joined; one lost or damaged byte spoils the transfer.

        ``usual_bytes`` sets the deadline, ``most_bytes`` the limit.
        """
        deadline = self._monotonic() + self._transfer_s(usual_bytes)
        self._in_doubt = True
        content = bytearray()
        kind = PacketKind.DATA
        while kind is not PacketKind.END:
            packet = self._next(min(deadline, self._monotonic() + self._timeout_s), command)
            kind = packet.kind
            tiny = kind is PacketKind.DATA and len(packet.payload) < PACKET_SIZES[0]  # would never come to an end
            if kind not in (PacketKind.DATA, PacketKind.END) or tiny or self._reader.skipped:
                raise DeviceProtocolError(f"The transfer of {command.name} arrived damaged.")
            content += packet.payload
            if len(content) > most_bytes:
                raise DeviceProtocolError(f"The sensor sends more after {command.name} than it can hold.")
        self._in_doubt = False
        return bytes(content)

    def send(self, content: bytes, *, packet_bytes: int) -> None:
        """Send data packets; the protocol has no acknowledgement for them."""
        for packet in split(content, packet_bytes, address=self._address):
            self._transport.write(encode(packet))

    def set_baud(self, baud: int) -> None:
        """Change our side's speed after the sensor changed its own."""
        self._transport.set_baud(baud)
        self.baud = baud

    def close(self) -> None:
        """Give the line back."""
        self._transport.close()

    def _begin(self) -> None:
        self._transport.discard()
        self._reader.reset()
        self._foreign = 0

    def _transfer_s(self, size: int) -> float:
        return self._timeout_s + 2 * size * _LINE_BITS_PER_BYTE / self.baud

    def _next(self, deadline: float, command: Command) -> Packet:
        """The next packet that carries our address."""
        while True:
            packet = self._reader.take()
            if packet is None:
                packet = self._read_more(deadline, command)
            if packet is None:
                continue
            if packet.address == self._address:
                return packet
            self._foreign += 1
            if self._monotonic() >= deadline:
                self._give_up(command)

    def _read_more(self, deadline: float, command: Command) -> Packet | None:
        left_s = deadline - self._monotonic()
        if left_s <= 0:
            packet = self._reader.take_past()
            if packet is None:
                self._give_up(command)
            return packet
        chunk = self._transport.read(timeout_s=min(left_s, _SLICE_S))
        self._reader.feed(chunk)
        return self._reader.take_past() if not chunk else None

    def _give_up(self, command: Command) -> NoReturn:
        if self._foreign:
            raise DeviceProtocolError(f"A sensor answers {command.name}, but under another address.")
        if self._reader.skipped or self._reader.pending:
            raise DeviceProtocolError(f"What answers {command.name} does not speak the sensor's language.")
        seconds = math.ceil(self._timeout_s * 10) / 10
        raise DeviceTimeout(f"The sensor did not answer {command.name} within {seconds:g} s.")
