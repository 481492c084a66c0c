"""What the devices of a station can do. Owns the ports; refuses any driver.

Vendor exceptions are translated at the edge into ``models.errors.DeviceError`` and its kinds; what the person at
the device can fix is a ``CaptureRetry``; a non-match is a value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from models.biometrics import UInt8Array


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a device says of itself. ``simulated`` is shown wherever the device is."""

    device_id: str
    kind: str  # "camera", "finger_sensor", "card_reader" or "receipt_printer"
    driver: str
    description: str
    simulated: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera: (H, W, 3) uint8 RGB. ``sequence`` grows by one per frame handed out by the device."""

    pixels: UInt8Array
    captured_at: datetime
    monotonic_ns: int
    sequence: int


class Camera(Protocol):
    """A source of frames that keeps only the newest one."""

    def open(self) -> None:
        """Raises DeviceNotFound or DeviceBusy. Opening an open camera does nothing."""

    def close(self) -> None:
        """Never raises; closing twice does nothing."""

    def info(self) -> DeviceInfo:
        """What the camera is; works open or closed."""

    def read(self, *, after: int = -1, timeout_s: float = 2.0) -> Frame:
        """The newest frame whose sequence is greater than ``after``; waits for it.

        Raises DeviceTimeout if none comes, DeviceUnplugged if the camera is gone, DeviceError if it is frozen.
        """


@runtime_checkable
class ExposureControl(Protocol):
    """A camera whose exposure can be set. Numbers are the driver's own: larger is longer, so brighter."""

    def exposure(self) -> int | None:
        """The exposure now; None if this camera does not say, and then it cannot be set either."""

    def set_exposure(self, exposure: int) -> None:
        """Leave the automatic and expose so from the next picture on, also after the camera was opened anew."""


@dataclass(frozen=True, slots=True)
class SensorParameters:
    """The ZFM's answer to ReadSysPara (datasheet section 'System parameter')."""

    status: int
    system_id: int
    capacity: int
    security_level: int
    address: int
    packet_bytes: int
    baud: int


@dataclass(frozen=True, slots=True)
class SensorMatch:
    """A stored position and the sensor's own score (vendor units, not comparable with an engine's)."""

    position: int
    score: int


class FingerSensor(Protocol):
    """A sensor with two character buffers (1 and 2), a flash library and a matcher of its own."""

    def open(self) -> None:
        """Opening an open sensor does nothing.

        Raises DeviceNotFound, DeviceBusy, DeviceTimeout (silence), DeviceProtocolError (something else answers).
        """

    def close(self) -> None:
        """Never raises; closing twice does nothing."""

    def info(self) -> DeviceInfo:
        """What the sensor is; works open or closed."""

    def parameters(self) -> SensorParameters:
        """Ask the sensor for its parameters."""

    def capture(self, *, timeout_s: float = 5.0) -> bool:
        """Wait until a finger's picture is in the image buffer; False if none was laid on in time."""

    def image(self) -> UInt8Array:
        """The image buffer, (288, 256) uint8, 16 gray levels spread over 0..240, 500 dpi."""

    def convert(self, buffer: int) -> None:
        """Image buffer to character buffer. Raises CaptureRetry (messy, few points)."""

    def combine(self) -> None:
        """Both buffers into one template in both. Raises CaptureRetry (fingers differ)."""

    def read_characteristics(self, buffer: int) -> bytes:
        """Upload the buffer (512 bytes on a ZFM-20)."""

    def write_characteristics(self, buffer: int, characteristics: bytes) -> None:
        """Download into the buffer; raises DeviceProtocolError if the sensor did not keep it."""

    def match(self) -> int | None:
        """Compare the two buffers: the sensor's score, or None for a non-match."""

    def store(self, position: int, *, buffer: int = 1) -> None:
        """Keep a buffer at a position of the library. Raises InputError for a position outside."""

    def load(self, position: int, *, buffer: int = 1) -> None:
        """Read a position of the library into a buffer. Raises DeviceError if nothing is stored there."""

    def search(self, *, buffer: int = 1, start: int = 0, count: int | None = None) -> SensorMatch | None:
        """The library's best match of a buffer within ``count`` positions from ``start``, or None."""

    def delete(self, position: int, *, count: int = 1) -> None:
        """Free ``count`` positions of the library."""

    def empty(self) -> None:
        """Free the whole library."""

    def count(self) -> int:
        """How many positions are in use."""

    def index(self) -> frozenset[int]:
        """The positions in use."""


class CardKind(StrEnum):
    """The kinds of card that the same readers read, by the letter on them."""

    CITIZEN = ""
    RESIDENCE = "J"  # residence permit of people from Hong Kong, Macao and Taiwan
    FOREIGNER_2017 = "I"  # permanent residence, with a number of 15 characters
    FOREIGNER_2023 = "Y"


@dataclass(frozen=True, slots=True)
class CardText:
    """What is written on an identity card, without its photo and its fingerprints. Shows nothing of itself.

    ``sex`` and ``nation`` are the card's codes (GB/T 2261.1, GB/T 3304); ``valid_until`` is None for one without end.
    """

    kind: CardKind
    number: str
    name: str
    sex: str
    nation: str
    birth_date: date
    address: str
    issuer: str
    valid_from: date
    valid_until: date | None

    def __repr__(self) -> str:
        return "CardText(...)"


class CardReader(Protocol):
    """A reader of second-generation identity cards."""

    def open(self) -> None:
        """Opening an open reader does nothing.

        Raises DeviceNotFound, DeviceBusy, DeviceTimeout (silence), DeviceProtocolError (something else answers).
        """

    def close(self) -> None:
        """Never raises; closing twice does nothing."""

    def info(self) -> DeviceInfo:
        """What the reader is; works open or closed."""

    def check(self) -> None:
        """Ask the reader whether it is still there and well. Raises DeviceError."""

    def read(self, *, timeout_s: float = 1.0) -> CardText | None:
        """The text of a card that was newly laid on; None if none was within ``timeout_s``.

        Raises CaptureRetry if a card was there and could not be read to its end, DeviceError if the reader fails.
        """


@dataclass(frozen=True, slots=True)
class Slip:
    """What a printer puts on paper: a title, lines, a QR symbol under them and a line under that."""

    title: str
    lines: tuple[str, ...]
    symbol: str = ""
    foot: tuple[str, ...] = ()


class ReceiptPrinter(Protocol):
    """A printer of short slips."""

    def open(self) -> None:
        """Opening an open printer does nothing. Raises DeviceNotFound, DeviceBusy or DeviceError."""

    def close(self) -> None:
        """Never raises; closing twice does nothing."""

    def info(self) -> DeviceInfo:
        """What the printer is; works open or closed."""

    def check(self) -> None:
        """Ask the printer how it is. Raises DeviceError: ``paper_out``, ``cover_open``, ``printer_failed``, or gone.

        A printer that cannot answer is taken to be well.
        """

    def print(self, slip: Slip) -> None:
        """Print and cut. Raises DeviceError as ``check`` does, before or after the first line."""
