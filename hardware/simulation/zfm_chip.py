"""The inside of a simulated ZFM-20: image buffer, two character buffers, flash library, real extraction and matching.

Owns what each command answers, and knows nothing of ports, threads and time. The engine is handed in. Confirmation
codes follow the ZFM-20 user manual 1.4; failures of search and match carry their zeros, as the module's do.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from hardware.ports import SensorParameters
from hardware.simulation.finger_matcher import FingerMatcher, ridge_area
from hardware.simulation.glass import Glass, see
from hardware.zfm.codes import (
    BAUD_MULTIPLES,
    BAUD_STEP,
    CHARACTERISTICS_BYTES,
    IMAGE_BYTES,
    SIMULATED_SYSTEM_ID,
    Command,
    Confirmation,
    Parameter,
    encode_index,
    encode_parameters,
    pack_image,
    unpack_image,
)
from hardware.zfm.frame import DEFAULT_ADDRESS, PACKET_SIZES
from models.biometrics import UInt8Array
from models.errors import CaptureRetry

_LEAST_TOUCH = 0.02  # share of the glass with contrast below which nothing lies on it
_NOTEPAD_PAGES = 16
_NOTEPAD_PAGE_BYTES = 32
_LONGEST_CHARACTERISTICS = 4 * CHARACTERISTICS_BYTES
_WITHOUT_PASSWORD = {Command.VERIFY_PASSWORD, Command.HANDSHAKE, Command.ECHO}


@dataclass(frozen=True, slots=True)
class Reply:
    """What follows a command: a confirmation, its payload, perhaps a transfer, perhaps raw bytes after it.

    ``most_bytes`` above 0 says that a transfer of up to so many bytes from the host follows, for ``accept``.
    """

    confirmation: int
    payload: bytes = b""
    transfer: bytes | None = None
    most_bytes: int = 0
    accept: Callable[[bytes], None] | None = field(default=None, repr=False)
    afterwards: bytes = b""


_OK = Reply(Confirmation.OK)


class ZfmChip:
    """A module of the family. One thread at a time."""

    def __init__(
        self,
        glass: Glass,
        matcher: FingerMatcher,
        *,
        capacity: int,
        password: int,
        address: int = DEFAULT_ADDRESS,
        baud: int = 57_600,
        seed: int = 0,
    ) -> None:
        self.glass = glass
        self.address = address
        self.baud = baud
        self.packet_bytes = 128
        self._matcher = matcher
        self._capacity = capacity
        self._password = password
        self._admitted = password == 0
        self._security = 3
        self._picture: UInt8Array | None = None
        self._buffers: dict[int, bytes] = {}
        self._library: dict[int, bytes] = {}
        self._notepad = [bytes(_NOTEPAD_PAGE_BYTES)] * _NOTEPAD_PAGES
        self._random = random.Random(seed)  # noqa: S311 - a simulated sensor keeps no secrets
        self._matched = False

    @property
    def library(self) -> frozenset[int]:
        """The positions in use."""
        return frozenset(self._library)

    def power_cycle(self) -> None:
        """What lies in flash stays, what lies in memory is gone."""
        self._picture = None
        self._buffers.clear()
        self._admitted = self._password == 0

    def answer(self, order: bytes) -> Reply:
        """Carry out one command packet's payload."""
        try:
            command = Command(order[0])
        except (ValueError, IndexError):
            return Reply(Confirmation.UNSUPPORTED)
        if not self._admitted and command not in _WITHOUT_PASSWORD:
            return Reply(Confirmation.PASSWORD_NEEDED)
        handler, layout = _HANDLERS[command]
        if len(order) - 1 < struct.calcsize(layout):
            return Reply(Confirmation.PACKET_ERROR)
        return handler(self, *struct.unpack_from(layout, order, 1))

    def _get_image(self) -> Reply:
        laid = self.glass.impression()
        if laid is None:
            return Reply(Confirmation.NO_FINGER)
        seen = see(laid)
        if ridge_area(seen) < _LEAST_TOUCH:
            return Reply(Confirmation.NO_FINGER)
        self._picture = seen
        return _OK

    def _convert(self, buffer: int) -> Reply:
        if self._picture is None:
            return Reply(Confirmation.NO_VALID_IMAGE)
        characteristics = self._matcher.characteristics(self._picture)
        if isinstance(characteristics, Confirmation):
            return Reply(characteristics)
        self._buffers[_slot(buffer)] = characteristics
        return _OK

    def _match(self) -> Reply:
        score = self._compare(self._buffers.get(1), self._buffers.get(2))
        self._matched = score is not None
        confirmation = Confirmation.OK if score is not None else Confirmation.NO_MATCH
        return Reply(confirmation, struct.pack(">H", score or 0))

    def _search(self, buffer: int, start: int, count: int) -> Reply:
        probe = self._buffers.get(_slot(buffer))
        scores = {
            position: score
            for position, stored in self._library.items()
            if start <= position < start + count and (score := self._compare(probe, stored)) is not None
        }
        self._matched = bool(scores)
        if not scores:
            return Reply(Confirmation.NOT_FOUND, bytes(4))
        best = max(scores, key=lambda position: (scores[position], -position))
        return Reply(Confirmation.OK, struct.pack(">HH", best, scores[best]))

    def _compare(self, one: bytes | None, other: bytes | None) -> int | None:
        if one is None or other is None:
            return None
        return self._matcher.compare(one, other, security=self._security)

    def _register(self) -> Reply:
        if self._match().confirmation != Confirmation.OK:
            return Reply(Confirmation.FINGERS_DIFFER)
        try:
            combined = self._matcher.combine([self._buffers[1], self._buffers[2]])
        except CaptureRetry:
            return Reply(Confirmation.FINGERS_DIFFER)
        self._buffers = {1: combined, 2: combined}
        return _OK

    def _store(self, buffer: int, position: int) -> Reply:
        if position >= self._capacity:
            return Reply(Confirmation.POSITION_OUTSIDE)
        content = self._buffers.get(_slot(buffer))
        if content is None:
            return Reply(Confirmation.FLASH_FAILED)
        self._library[position] = content
        return _OK

    def _load(self, buffer: int, position: int) -> Reply:
        if position >= self._capacity:
            return Reply(Confirmation.POSITION_OUTSIDE)
        if position not in self._library:
            return Reply(Confirmation.TEMPLATE_UNREADABLE)
        self._buffers[_slot(buffer)] = self._library[position]
        return _OK

    def _upload_characteristics(self, buffer: int) -> Reply:
        content = self._buffers.get(_slot(buffer))
        return Reply(Confirmation.UPLOAD_FAILED) if content is None else Reply(Confirmation.OK, transfer=content)

    def _download_characteristics(self, buffer: int) -> Reply:
        def keep(content: bytes) -> None:
            self._buffers[_slot(buffer)] = content

        return Reply(Confirmation.OK, most_bytes=_LONGEST_CHARACTERISTICS, accept=keep)

    def _upload_image(self) -> Reply:
        if self._picture is None:
            return Reply(Confirmation.IMAGE_UPLOAD_FAILED)
        return Reply(Confirmation.OK, transfer=pack_image(self._picture))

    def _download_image(self) -> Reply:
        def keep(content: bytes) -> None:
            if len(content) == IMAGE_BYTES:
                self._picture = unpack_image(content)

        return Reply(Confirmation.OK, most_bytes=IMAGE_BYTES, accept=keep)

    def _delete(self, position: int, count: int) -> Reply:
        if position + count > self._capacity:
            return Reply(Confirmation.DELETE_FAILED)
        for number in range(position, position + count):
            self._library.pop(number, None)
        return _OK

    def _empty(self) -> Reply:
        self._library.clear()
        return _OK

    def _set_parameter(self, register: int, content: int) -> Reply:
        if register == Parameter.BAUD and content in BAUD_MULTIPLES:
            self.baud = content * BAUD_STEP
        elif register == Parameter.SECURITY and 1 <= content <= 5:
            self._security = content
        elif register == Parameter.PACKET_SIZE and content < len(PACKET_SIZES):
            self.packet_bytes = PACKET_SIZES[content]
        elif register in tuple(Parameter):
            return Reply(Confirmation.WRONG_REGISTER_CONTENT)
        else:
            return Reply(Confirmation.NO_SUCH_REGISTER)
        return _OK

    def _read_parameters(self) -> Reply:
        status = self._matched << 1 | self._admitted << 2 | (self._picture is not None) << 3
        return Reply(
            Confirmation.OK,
            encode_parameters(
                SensorParameters(
                    status,
                    SIMULATED_SYSTEM_ID,
                    self._capacity,
                    self._security,
                    self.address,
                    self.packet_bytes,
                    self.baud,
                )
            ),
        )

    def _verify_password(self, password: int) -> Reply:
        self._admitted = self._admitted if password != self._password else True
        return _OK if password == self._password else Reply(Confirmation.WRONG_PASSWORD)

    def _set_password(self, password: int) -> Reply:
        self._password = password
        return _OK

    def _set_address(self, address: int) -> Reply:
        self.address = address
        return _OK

    def _get_random(self) -> Reply:
        return Reply(Confirmation.OK, self._random.randbytes(4))

    def _information_page(self) -> Reply:
        return Reply(Confirmation.OK, transfer=b"Muster simulated ZFM-20".ljust(512, b"\0"))

    def _write_notepad(self, page: int, content: bytes) -> Reply:
        if page >= _NOTEPAD_PAGES:
            return Reply(Confirmation.WRONG_NOTEPAD_PAGE)
        self._notepad[page] = content
        return _OK

    def _read_notepad(self, page: int) -> Reply:
        if page >= _NOTEPAD_PAGES:
            return Reply(Confirmation.WRONG_NOTEPAD_PAGE)
        return Reply(Confirmation.OK, self._notepad[page])

    def _count(self) -> Reply:
        return Reply(Confirmation.OK, struct.pack(">H", len(self._library)))

    def _index(self, page: int) -> Reply:
        return Reply(Confirmation.OK, encode_index(page, self.library))

    def _nod(self) -> Reply:
        return _OK

    def _echo(self) -> Reply:
        return Reply(Confirmation.ALIVE)

    def _soft_reset(self) -> Reply:
        self.power_cycle()
        return Reply(Confirmation.OK, afterwards=bytes([Confirmation.ALIVE]))


_HANDLERS: dict[Command, tuple[Callable[..., Reply], str]] = {
    Command.GET_IMAGE: (ZfmChip._get_image, ">"),
    Command.IMAGE_TO_CHARACTERISTICS: (ZfmChip._convert, ">B"),
    Command.MATCH: (ZfmChip._match, ">"),
    Command.SEARCH: (ZfmChip._search, ">BHH"),
    Command.FAST_SEARCH: (ZfmChip._search, ">BHH"),
    Command.REGISTER_MODEL: (ZfmChip._register, ">"),
    Command.STORE: (ZfmChip._store, ">BH"),
    Command.LOAD: (ZfmChip._load, ">BH"),
    Command.UPLOAD_CHARACTERISTICS: (ZfmChip._upload_characteristics, ">B"),
    Command.DOWNLOAD_CHARACTERISTICS: (ZfmChip._download_characteristics, ">B"),
    Command.UPLOAD_IMAGE: (ZfmChip._upload_image, ">"),
    Command.DOWNLOAD_IMAGE: (ZfmChip._download_image, ">"),
    Command.DELETE: (ZfmChip._delete, ">HH"),
    Command.EMPTY: (ZfmChip._empty, ">"),
    Command.SET_PARAMETER: (ZfmChip._set_parameter, ">BB"),
    Command.READ_PARAMETERS: (ZfmChip._read_parameters, ">"),
    Command.VERIFY_PASSWORD: (ZfmChip._verify_password, ">I"),
    Command.SET_PASSWORD: (ZfmChip._set_password, ">I"),
    Command.SET_ADDRESS: (ZfmChip._set_address, ">I"),
    Command.GET_RANDOM: (ZfmChip._get_random, ">"),
    Command.READ_INFORMATION_PAGE: (ZfmChip._information_page, ">"),
    Command.PORT_CONTROL: (ZfmChip._nod, ">"),
    Command.WRITE_NOTEPAD: (ZfmChip._write_notepad, f">B{_NOTEPAD_PAGE_BYTES}s"),
    Command.READ_NOTEPAD: (ZfmChip._read_notepad, ">B"),
    Command.TEMPLATE_COUNT: (ZfmChip._count, ">"),
    Command.READ_INDEX: (ZfmChip._index, ">B"),
    Command.AURA_LIGHT: (ZfmChip._nod, ">"),
    Command.SOFT_RESET: (ZfmChip._soft_reset, ">"),
    Command.HANDSHAKE: (ZfmChip._nod, ">"),
    Command.ECHO: (ZfmChip._echo, ">"),
}


def _slot(buffer: int) -> int:
    """The manual: buffer 1 is 1, anything else is buffer 2."""
    return 1 if buffer == 1 else 2
