"""A ZFM-20/R30x sensor through the pyfingerprint library. Implements ``hardware.ports.FingerSensor``.

The library has no deadlines: a silent sensor blocks it for 24 s, one damaged length byte for hours. It runs in a
child process; every call here has a deadline, and a child that overruns it is killed. Refuses files: no picture is
written anywhere.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from hardware.drivers.killable_child import KillableChild
from hardware.drivers.serial_port import PortClaim
from hardware.drivers.zfm_port import ZfmPort
from hardware.drivers.zfm_refusals import check_buffer, refuse
from hardware.ports import SensorMatch, SensorParameters
from hardware.zfm.codes import (
    BAUD_STEP,
    IMAGE_BYTES,
    IMAGE_HEIGHT,
    IMAGE_WIDTH,
    INDEX_PAGE_POSITIONS,
    Command,
    Confirmation,
)
from hardware.zfm.frame import PACKET_SIZES
from models.biometrics import UInt8Array
from models.errors import (
    CaptureRetry,
    ConfigurationError,
    DeviceError,
    DeviceProtocolError,
    DeviceUnplugged,
    InputError,
    RetryReason,
)

_CHILD = Path(__file__).with_name("pyfingerprint_child.py")
_START_TIMEOUT_S = 15.0  # a small computer needs seconds to start Python
_MOST_CHARACTERISTICS_BYTES = 4096
_LEVEL_STEP = 17  # the library spreads 16 gray levels over 0..255

# The library's own words, which are all it gives to tell its errors apart.
_RETRY_WORDS = {
    "too messy": RetryReason.FINGER_MESSY,
    "too few feature points": RetryReason.FINGER_FEW_POINTS,
    "image is invalid": RetryReason.NO_FINGER,
}
_REFUSED_WORDS = ("Could not", "could not be read", "Error writing", "Invalid", "Unknown error")


class PyFingerprintSensor(ZfmPort):
    """A sensor at a serial port; ``timeout_s`` is the deadline of one call, without what its bytes take on the line."""

    driver = "pyfingerprint"

    _child: KillableChild | None = None
    _claim: PortClaim | None = None

    def open(self) -> None:
        """Claim the port, start the child and give the password; raises as ``ZfmSensor.open`` does,
        and ConfigurationError without the library.
        """
        if self._child is not None:
            return
        if find_spec("pyfingerprint") is None or find_spec("PIL") is None:
            raise ConfigurationError("The driver 'pyfingerprint' needs the packages pyfingerprint and pillow.")
        self._claim = PortClaim(self._port)
        try:
            self._child = KillableChild(_CHILD)
            self._call("ready", timeout_s=_START_TIMEOUT_S)
            if not self._call("open", self._port, self._baud, self._address, self._password):
                refuse(Command.VERIFY_PASSWORD, Confirmation.WRONG_PASSWORD)
            self.parameters()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Kill the child and give the port back; closing twice does nothing."""
        if self._child is not None:
            self._child.kill()
        if self._claim is not None:
            self._claim.release()
        self._child = self._claim = self._known = None

    def parameters(self) -> SensorParameters:
        """Ask the sensor for its parameters."""
        status, system_id, capacity, security, address, size_code, baud = self._call("parameters")
        if size_code >= len(PACKET_SIZES) or not capacity:
            raise DeviceProtocolError("The sensor's parameters make no sense.")
        self._known = SensorParameters(
            status, system_id, capacity, security, address, PACKET_SIZES[size_code], baud * BAUD_STEP
        )
        return self._known

    def image(self) -> UInt8Array:
        """The image buffer, (288, 256) uint8, 16 gray levels spread over 0..240, 500 dpi."""
        levels = np.frombuffer(bytes.fromhex(self._call("image", transfer_bytes=IMAGE_BYTES)), np.uint8)
        return (levels // _LEVEL_STEP * 16).astype(np.uint8).reshape(IMAGE_HEIGHT, IMAGE_WIDTH)

    def convert(self, buffer: int) -> None:
        """Image buffer to character buffer. Raises CaptureRetry (messy, few points, no finger)."""
        self._call("convert", check_buffer(buffer))

    def combine(self) -> None:
        """Both buffers into one template in both. Raises CaptureRetry (fingers differ)."""
        if not self._call("combine"):
            raise CaptureRetry(RetryReason.FINGERS_DIFFER)

    def read_characteristics(self, buffer: int) -> bytes:
        """Upload the buffer (512 bytes on a ZFM-20)."""
        return bytes.fromhex(
            self._call("read_characteristics", check_buffer(buffer), transfer_bytes=_MOST_CHARACTERISTICS_BYTES)
        )

    def write_characteristics(self, buffer: int, characteristics: bytes) -> None:
        """Download into the buffer; the library reads back. Raises DeviceProtocolError if it differs."""
        if not 0 < len(characteristics) <= _MOST_CHARACTERISTICS_BYTES:
            raise InputError(f"A template of {len(characteristics)} bytes does not fit into a sensor.")
        size = 2 * len(characteristics)
        if not self._call("write_characteristics", check_buffer(buffer), characteristics.hex(), transfer_bytes=size):
            raise DeviceProtocolError("The sensor did not keep the template that was sent to it.")

    def match(self) -> int | None:
        """Compare the two buffers: the sensor's score, or None for a non-match."""
        return int(self._call("match")) or None

    def store(self, position: int, *, buffer: int = 1) -> None:
        """Keep a buffer at a position of the library."""
        self._call("store", self._inside(position), check_buffer(buffer))

    def load(self, position: int, *, buffer: int = 1) -> None:
        """Read a position of the library into a buffer. Raises DeviceError if nothing is stored there."""
        self._call("load", self._inside(position), check_buffer(buffer))

    def search(self, *, buffer: int = 1, start: int = 0, count: int | None = None) -> SensorMatch | None:
        """The library's best match of a buffer within ``count`` positions from ``start``, or None."""
        span = self._capacity() - start if count is None else count
        self._inside(start, span)
        confirmation, *payload = self._call("search", check_buffer(buffer), start, span)
        if confirmation in (Confirmation.NOT_FOUND, Confirmation.NO_MATCH):
            return None
        if confirmation != Confirmation.OK:
            refuse(Command.SEARCH, confirmation)
        if len(payload) < 4:
            raise DeviceProtocolError("The sensor's answer to SEARCH is too short.")
        return SensorMatch(payload[0] << 8 | payload[1], payload[2] << 8 | payload[3])

    def delete(self, position: int, *, count: int = 1) -> None:
        """Free ``count`` positions of the library."""
        if not self._call("delete", self._inside(position, count), count):
            refuse(Command.DELETE, Confirmation.DELETE_FAILED)

    def empty(self) -> None:
        """Free the whole library."""
        if not self._call("empty"):
            refuse(Command.EMPTY, Confirmation.EMPTY_FAILED)

    def count(self) -> int:
        """How many positions are in use."""
        return int(self._call("count"))

    def index(self) -> frozenset[int]:
        """The positions in use."""
        capacity = self._capacity()
        used: set[int] = set()
        for page in range(-(-capacity // INDEX_PAGE_POSITIONS)):
            table = self._call("index", page)
            used |= {page * INDEX_PAGE_POSITIONS + place for place, taken in enumerate(table) if taken}
        return frozenset(position for position in used if position < capacity)

    def _call(self, name: str, *arguments: object, transfer_bytes: int = 0, timeout_s: float | None = None) -> Any:
        if self._child is None:
            raise DeviceUnplugged(f"The sensor at {self._port} is not open.")
        allowed_s = timeout_s or self._timeout_s + 3 * 10 * transfer_bytes / self._baud
        try:
            answer = self._child.call(name, *arguments, timeout_s=allowed_s)
        except DeviceError:
            self.close()  # the child is dead
            raise
        if "error" in answer:
            self._sort(answer)
        return answer["value"]

    def _sort(self, answer: dict[str, Any]) -> NoReturn:
        text = str(answer["text"])
        if answer["error"] == "port":
            raise DeviceUnplugged(f"The device at {self._port} went away.")
        for words, reason in _RETRY_WORDS.items():
            if words in text:
                raise CaptureRetry(reason)
        if "ValueError" not in text and any(words in text for words in _REFUSED_WORDS):
            raise DeviceError("The sensor refuses what its library asked of it.", code="device_refused")
        raise DeviceProtocolError("What the sensor answers does not speak the language of its library.")

    def _captured(self) -> bool:
        return bool(self._call("capture"))
