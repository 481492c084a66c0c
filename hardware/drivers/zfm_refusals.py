"""What a ZFM-20/R30x sensor's "no" means, for both drivers. Owns the translation of confirmation codes to errors.

What the person can fix becomes a CaptureRetry; a caller's mistake is an InputError before anything is sent; the rest
is the device's.
"""

from __future__ import annotations

from typing import NoReturn

from hardware.zfm.codes import BAUD_MULTIPLES, BAUD_STEP, Command, Confirmation
from models.errors import CaptureRetry, ConfigurationError, DeviceError, DeviceProtocolError, InputError, RetryReason

RETRIES = {
    Confirmation.NO_FINGER: RetryReason.NO_FINGER,
    Confirmation.NO_VALID_IMAGE: RetryReason.NO_FINGER,
    Confirmation.MESSY: RetryReason.FINGER_MESSY,
    Confirmation.FEW_POINTS: RetryReason.FINGER_FEW_POINTS,
    Confirmation.FINGERS_DIFFER: RetryReason.FINGERS_DIFFER,
}
_ABOUT_A_FINGER = {
    Command.GET_IMAGE,
    Command.IMAGE_TO_CHARACTERISTICS,
    Command.REGISTER_MODEL,
    Command.UPLOAD_IMAGE,
}
_PASSWORD = {Confirmation.WRONG_PASSWORD, Confirmation.PASSWORD_NEEDED}
_DAMAGED = {Confirmation.PACKET_ERROR, Confirmation.RECEIVE_FAILED, Confirmation.WRONG_ADDRESS}


def refuse(command: Command, confirmation: int) -> NoReturn:
    """Raise what a confirmation other than OK means: CaptureRetry, DeviceProtocolError or DeviceError."""
    known = {int(code): code for code in Confirmation}.get(confirmation)
    if known in RETRIES and command in _ABOUT_A_FINGER:
        raise CaptureRetry(RETRIES[known])
    if known in RETRIES:  # what was asked before the line broke, answered late
        raise DeviceProtocolError(f"The sensor answers {command.name} with {known.name}: that answers another order.")
    if known in _PASSWORD:
        raise DeviceError("The sensor refuses the password.", code="device_password")
    if known in _DAMAGED:
        raise DeviceProtocolError(f"The sensor received {command.name} damaged.")
    reason = known.name if known is not None else "for a reason it does not name"
    raise DeviceError(
        f"The sensor refuses {command.name}: {reason} (0x{confirmation:02x}).",
        code="device_refused",
        confirmation=confirmation,
    )


def check_buffer(buffer: int) -> int:
    """Character buffer 1 or 2. Raises InputError."""
    if buffer not in (1, 2):
        raise InputError(f"The sensor has character buffers 1 and 2, not {buffer}.")
    return buffer


def check_position(position: int, count: int = 1, *, capacity: int) -> int:
    """A position with ``count`` positions from it inside the library. Raises InputError."""
    if position < 0 or count < 1 or position + count > capacity:
        raise InputError(f"Position {position} with {count} from it lies outside the library of {capacity}.")
    return position


def check_number(number: int, what: str) -> int:
    """A password or an address, which have 32 bits. Raises ConfigurationError."""
    if not 0 <= number <= 0xFFFFFFFF:
        raise ConfigurationError(f"A sensor's {what} is a number of 32 bits, 0 to 4294967295, not {number}.")
    return number


def check_baud(baud: int) -> int:
    """A speed the family knows: n x 9,600 with n in 1..12. Raises ConfigurationError."""
    if baud % BAUD_STEP or baud // BAUD_STEP not in BAUD_MULTIPLES:
        raise ConfigurationError(f"A speed of {baud} baud does not exist; 9600 times 1 to 12 does.")
    return baud
