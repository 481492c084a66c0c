"""What every driver of a ZFM-20/R30x sensor at a serial port shares. Owns the port's settings and what is known of it.

Refuses to speak to the sensor: how a command travels is the driver's own affair.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

from hardware.drivers.zfm_refusals import check_baud, check_number, check_position
from hardware.ports import DeviceInfo, SensorParameters
from hardware.zfm.codes import SIMULATED_SYSTEM_ID
from hardware.zfm.frame import DEFAULT_ADDRESS

_BETWEEN_CAPTURES_S = 0.05


class ZfmPort(ABC):
    """A sensor at a serial port.

    ``timeout_s`` is the total deadline of one command (a transfer adds the time its bytes take). ``baud`` and
    ``password`` must be the module's own; ``address`` is its 32-bit address.
    """

    driver: ClassVar[str]

    def __init__(
        self,
        port: str = "/dev/ttyUSB0",
        *,
        baud: int = 57_600,
        password: int = 0,
        address: int = DEFAULT_ADDRESS,
        timeout_s: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._port = port
        self._baud = check_baud(baud)
        self._password = check_number(password, "password")
        self._address = check_number(address, "address")
        self._timeout_s = timeout_s
        self._monotonic = monotonic
        self._sleep = sleep
        self._known: SensorParameters | None = None

    @abstractmethod
    def open(self) -> None:
        """Claim the port and begin to speak with the sensor."""

    @abstractmethod
    def close(self) -> None:
        """Give the port back; closing twice does nothing."""

    @abstractmethod
    def parameters(self) -> SensorParameters:
        """Ask the sensor for its parameters."""

    @abstractmethod
    def _captured(self) -> bool:
        """Whether the sensor could take a picture just now."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def info(self) -> DeviceInfo:
        """The port, and once it is open whether a simulation answers there."""
        simulated = self._known is not None and self._known.system_id == SIMULATED_SYSTEM_ID
        return DeviceInfo(self._port, "finger_sensor", self.driver, "ZFM-20/R30x fingerprint sensor", simulated)

    def capture(self, *, timeout_s: float = 5.0) -> bool:
        """Wait until a finger's picture is in the image buffer; False if none was laid on in time."""
        deadline = self._monotonic() + timeout_s
        while not self._captured():
            left_s = deadline - self._monotonic()
            if left_s <= 0:
                return False
            self._sleep(min(_BETWEEN_CAPTURES_S, left_s))
        return True

    def _capacity(self) -> int:
        return (self._known or self.parameters()).capacity

    def _inside(self, position: int, count: int = 1) -> int:
        return check_position(position, count, capacity=self._capacity())
