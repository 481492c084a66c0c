"""The error tree. Owns every exception that crosses a room's border; refuses sentences for the people at a screen.

::

    MusterError                 code + details; str() is one English sentence for logs and the command line
    ├── InputError              something handed in cannot be used (exit 2)
    │   ├── ImageError          no picture, empty, truncated, gigantic, no face
    │   ├── ConfigurationError  a typo or an impossible value
    │   ├── WeightsError        a weights file is missing, truncated or not the one named
    │   └── TemplateError       a template of another format, or damaged
    ├── DeviceError             a device fails; nothing the person can do
    │   ├── DeviceNotFound      no such port, no such camera
    │   ├── DeviceBusy          another process holds it
    │   ├── DeviceTimeout       it stays silent
    │   ├── DeviceProtocolError it answers with something else
    │   └── DeviceUnplugged     it went away
    ├── StoreError              the disk is full, the database is damaged or locked
    ├── WireError               a request that cannot be trusted
    │   ├── SignatureInvalid    altered, or not signed by the key it names
    │   ├── SignatureStale      too old, or from the future
    │   └── RequestReplayed     seen before
    ├── LedgerError             a record that does not follow from the ones before
    ├── VaultError              a sealed template that cannot be opened
    └── AccessDenied            not this person's to see or do

    CaptureRetry                not an error: what the person can fix, as a reason that becomes a spoken hint
"""

# ruff: noqa: D101, N818 - the tree above says what each one means; a name says what happened, not that it is an error

from __future__ import annotations

from enum import StrEnum


class MusterError(Exception):
    """An error with a stable ``code`` (translated at the screens) and one English sentence for logs."""

    code = "error"

    def __init__(self, sentence: str, *, code: str | None = None, **details: object) -> None:
        super().__init__(sentence)
        self.code = code or type(self).code
        self.details = details


class InputError(MusterError):
    code = "input_invalid"


class ImageError(InputError):
    code = "image_invalid"


class ConfigurationError(InputError):
    code = "configuration_invalid"


class WeightsError(InputError):
    code = "weights_invalid"


class TemplateError(InputError):
    code = "template_invalid"


class DeviceError(MusterError):
    code = "device_failed"


class DeviceNotFound(DeviceError):
    code = "device_not_found"


class DeviceBusy(DeviceError):
    code = "device_busy"


class DeviceTimeout(DeviceError):
    code = "device_silent"


class DeviceProtocolError(DeviceError):
    code = "device_protocol"


class DeviceUnplugged(DeviceError):
    code = "device_unplugged"


class StoreError(MusterError):
    code = "store_failed"


class WireError(MusterError):
    code = "request_untrusted"


class SignatureInvalid(WireError):
    code = "signature_invalid"


class SignatureStale(WireError):
    code = "signature_stale"


class RequestReplayed(WireError):
    code = "request_replayed"


class LedgerError(MusterError):
    code = "ledger_broken"


class VaultError(MusterError):
    code = "vault_closed"


class AccessDenied(MusterError):
    code = "access_denied"


class RetryReason(StrEnum):
    """What a person at the device can do better. Codes; the words are in the translations."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    COME_CLOSER = "come_closer"
    STEP_BACK = "step_back"
    LOOK_HERE = "look_here"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    HOLD_STILL = "hold_still"
    CENTER_FACE = "center_face"
    NO_FINGER = "no_finger"
    FINGER_MESSY = "finger_messy"
    FINGER_FEW_POINTS = "finger_few_points"
    FINGER_OFF_CENTER = "finger_off_center"
    FINGERS_DIFFER = "fingers_differ"
    LIFT_FINGER = "lift_finger"
    LAY_CARD = "lay_card"


class CaptureRetry(Exception):
    """A sample that is not good enough, with the one thing to do about it."""

    def __init__(self, reason: RetryReason, **details: object) -> None:
        super().__init__(reason)  # the reason itself: copied or sent to another process, it is made from this again
        self.reason = reason
        self.details = details

    def __str__(self) -> str:
        return self.reason.value
