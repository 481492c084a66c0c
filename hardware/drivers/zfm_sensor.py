"""Our own driver of ZFM-20/R30x fingerprint sensors over a serial line. Implements ``hardware.ports.FingerSensor``.

Owns the meaning of commands and confirmation codes. What the person can fix is a CaptureRetry, a non-match is a
value, everything else is a DeviceError; pictures and templates stay in memory.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from hardware.drivers.serial_port import Connect, SerialTransport
from hardware.drivers.zfm_link import ZfmLink
from hardware.drivers.zfm_port import ZfmPort
from hardware.drivers.zfm_refusals import check_baud, check_buffer, check_number, refuse
from hardware.ports import SensorMatch, SensorParameters
from hardware.zfm.codes import (
    BAUD_STEP,
    IMAGE_BYTES,
    INDEX_PAGE_POSITIONS,
    PARAMETERS_BYTES,
    Command,
    Confirmation,
    Parameter,
    decode_index,
    decode_parameters,
    unpack_image,
)
from hardware.zfm.frame import DEFAULT_ADDRESS, PACKET_SIZES
from models.biometrics import UInt8Array
from models.errors import DeviceProtocolError, DeviceUnplugged, InputError

MOST_CHARACTERISTICS_BYTES = 4096
_USUAL_CHARACTERISTICS_BYTES = 1536  # the family's larger modules; a ZFM-20 has 512
_CHANGES_OVER_S = 0.05


class ZfmSensor(ZfmPort):
    """A sensor at a serial port; the settings are those of ``ZfmPort``."""

    driver = "zfm"

    _link: ZfmLink | None = None

    def __init__(
        self,
        port: str = "/dev/ttyUSB0",
        *,
        baud: int = 57_600,
        password: int = 0,
        address: int = DEFAULT_ADDRESS,
        timeout_s: float = 2.0,
        connect: Connect = SerialTransport,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        super().__init__(
            port, baud=baud, password=password, address=address, timeout_s=timeout_s, monotonic=monotonic, sleep=sleep
        )
        self._connect = connect

    def open(self) -> None:
        """Claim the port, give the password and read the parameters.

        Raises DeviceNotFound, DeviceBusy, DeviceTimeout (silence), DeviceProtocolError (something else answers).
        """
        if self._link is not None:
            return
        transport = self._connect(self._port, baud=self._baud)
        self._link = ZfmLink(
            transport, address=self._address, baud=self._baud, timeout_s=self._timeout_s, monotonic=self._monotonic
        )
        try:
            self._order(Command.VERIFY_PASSWORD, struct.pack(">I", self._password))
            self.parameters()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the port back; closing twice does nothing."""
        if self._link is not None:
            self._link.close()
        self._link = self._known = None

    def parameters(self) -> SensorParameters:
        """Ask the sensor for its parameters."""
        content = self._order(Command.READ_PARAMETERS, answer_bytes=PARAMETERS_BYTES)
        try:
            self._known = decode_parameters(content)
        except ValueError as error:
            raise DeviceProtocolError("The sensor's parameters make no sense.") from error
        return self._known

    def set_baud(self, baud: int) -> None:
        """Change the speed of the sensor (it remembers) and of our side. ``baud`` is n x 9,600, n in 1..12."""
        self._order(Command.SET_PARAMETER, bytes([Parameter.BAUD, check_baud(baud) // BAUD_STEP]))
        self._open_link().set_baud(baud)
        self._baud = baud
        self._sleep(_CHANGES_OVER_S)  # the module needs a moment to change over
        self.parameters()

    def set_security(self, level: int) -> None:
        """Set the sensor's own threshold, 1 (tolerant) to 5 (strict)."""
        if not 1 <= level <= 5:
            raise InputError(f"A security level of {level} does not exist; 1 to 5 do.")
        self._order(Command.SET_PARAMETER, bytes([Parameter.SECURITY, level]))

    def set_packet_bytes(self, size: int) -> None:
        """Set the size of data packets: 32, 64, 128 or 256 bytes. Some R307 modules fail with 256."""
        if size not in PACKET_SIZES:
            raise InputError(f"Packets of {size} bytes do not exist; 32, 64, 128 and 256 do.")
        self._order(Command.SET_PARAMETER, bytes([Parameter.PACKET_SIZE, PACKET_SIZES.index(size)]))
        self.parameters()

    def set_password(self, password: int) -> None:
        """Give the sensor a new 32-bit password; it remembers."""
        self._order(Command.SET_PASSWORD, struct.pack(">I", check_number(password, "password")))
        self._password = password

    def image(self) -> UInt8Array:
        """The image buffer, (288, 256) uint8, 16 gray levels spread over 0..240, 500 dpi."""
        self._order(Command.UPLOAD_IMAGE)
        content = self._open_link().receive(Command.UPLOAD_IMAGE, most_bytes=IMAGE_BYTES, usual_bytes=IMAGE_BYTES)
        if len(content) != IMAGE_BYTES:
            raise DeviceProtocolError("The sensor's picture arrived incomplete.")
        return unpack_image(content)

    def convert(self, buffer: int) -> None:
        """Image buffer to character buffer. Raises CaptureRetry (messy, few points, no finger)."""
        self._order(Command.IMAGE_TO_CHARACTERISTICS, bytes([check_buffer(buffer)]))

    def combine(self) -> None:
        """Both buffers into one template in both. Raises CaptureRetry (fingers differ)."""
        self._order(Command.REGISTER_MODEL)

    def read_characteristics(self, buffer: int) -> bytes:
        """Upload the buffer (512 bytes on a ZFM-20)."""
        self._order(Command.UPLOAD_CHARACTERISTICS, bytes([check_buffer(buffer)]))
        content = self._open_link().receive(
            Command.UPLOAD_CHARACTERISTICS,
            most_bytes=MOST_CHARACTERISTICS_BYTES,
            usual_bytes=_USUAL_CHARACTERISTICS_BYTES,
        )
        if not content:
            raise DeviceProtocolError("The sensor sent an empty template.")
        return content

    def write_characteristics(self, buffer: int, characteristics: bytes) -> None:
        """Download into the buffer and read back, since the protocol acknowledges no data.

        Raises InputError for an impossible length, DeviceProtocolError if something else was read back.
        """
        if not 0 < len(characteristics) <= MOST_CHARACTERISTICS_BYTES:
            raise InputError(f"A template of {len(characteristics)} bytes does not fit into a sensor.")
        self._order(Command.DOWNLOAD_CHARACTERISTICS, bytes([check_buffer(buffer)]))
        known = self._known or self.parameters()
        self._open_link().send(characteristics, packet_bytes=known.packet_bytes)
        if self.read_characteristics(buffer) != characteristics:
            raise DeviceProtocolError("The sensor did not keep the template that was sent to it.")

    def match(self) -> int | None:
        """Compare the two buffers: the sensor's score, or None for a non-match."""
        answer = self._open_link().command(Command.MATCH, answer_bytes=2)
        if answer.confirmation == Confirmation.NO_MATCH:
            return None
        if answer.confirmation != Confirmation.OK:
            refuse(Command.MATCH, answer.confirmation)
        return _number(answer.payload)

    def store(self, position: int, *, buffer: int = 1) -> None:
        """Keep a buffer at a position of the library."""
        self._order(Command.STORE, struct.pack(">BH", check_buffer(buffer), self._inside(position)))

    def load(self, position: int, *, buffer: int = 1) -> None:
        """Read a position of the library into a buffer. Raises DeviceError if nothing is stored there."""
        self._order(Command.LOAD, struct.pack(">BH", check_buffer(buffer), self._inside(position)))

    def search(self, *, buffer: int = 1, start: int = 0, count: int | None = None) -> SensorMatch | None:
        """The library's best match of a buffer within ``count`` positions from ``start``, or None."""
        span = self._capacity() - start if count is None else count
        self._inside(start, span)
        parameters = struct.pack(">BHH", check_buffer(buffer), start, span)
        answer = self._open_link().command(Command.SEARCH, parameters, answer_bytes=4)
        if answer.confirmation in (Confirmation.NOT_FOUND, Confirmation.NO_MATCH):
            return None
        if answer.confirmation != Confirmation.OK:
            refuse(Command.SEARCH, answer.confirmation)
        found = SensorMatch(_number(answer.payload), _number(answer.payload[2:]))
        if not start <= found.position < start + span:
            raise DeviceProtocolError("The sensor found something outside the range it was asked to search.")
        return found

    def delete(self, position: int, *, count: int = 1) -> None:
        """Free ``count`` positions of the library."""
        self._order(Command.DELETE, struct.pack(">HH", self._inside(position, count), count))

    def empty(self) -> None:
        """Free the whole library."""
        self._order(Command.EMPTY)

    def count(self) -> int:
        """How many positions are in use."""
        return _number(self._order(Command.TEMPLATE_COUNT, answer_bytes=2))

    def index(self) -> frozenset[int]:
        """The positions in use."""
        capacity = self._capacity()
        used: frozenset[int] = frozenset()
        for page in range(-(-capacity // INDEX_PAGE_POSITIONS)):
            table = self._order(Command.READ_INDEX, bytes([page]), answer_bytes=INDEX_PAGE_POSITIONS // 8)
            used |= decode_index(page, table)
        return frozenset(position for position in used if position < capacity)

    def _open_link(self) -> ZfmLink:
        if self._link is None:
            raise DeviceUnplugged(f"The sensor at {self._port} is not open.")
        return self._link

    def _order(self, command: Command, parameters: bytes = b"", *, answer_bytes: int = 0) -> bytes:
        answer = self._open_link().command(command, parameters, answer_bytes=answer_bytes)
        if answer.confirmation != Confirmation.OK:
            refuse(command, answer.confirmation)
        return answer.payload

    def _captured(self) -> bool:
        answer = self._open_link().command(Command.GET_IMAGE)
        if answer.confirmation not in (Confirmation.OK, Confirmation.NO_FINGER, Confirmation.IMAGE_FAILED):
            refuse(Command.GET_IMAGE, answer.confirmation)
        return answer.confirmation == Confirmation.OK


def _number(payload: bytes) -> int:
    return int.from_bytes(payload[:2], "big")
