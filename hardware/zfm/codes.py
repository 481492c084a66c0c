"""Command and confirmation codes, parameters and the packed image of ZFM-20/R30x sensors. Owns numbers and layouts.

Source: ZhianTec ZFM-20 user manual 1.4, chapters "Instruction" and "Confirmation code"; codes that only the later
modules of the family (R307, R503) know are marked.
"""

from __future__ import annotations

import struct
from enum import IntEnum

import numpy as np

from hardware.ports import SensorParameters
from hardware.zfm.frame import PACKET_SIZES
from models.biometrics import UInt8Array

IMAGE_WIDTH = 256
IMAGE_HEIGHT = 288
IMAGE_DPI = 500
IMAGE_BYTES = IMAGE_WIDTH * IMAGE_HEIGHT // 2  # two pixels of 4 bits in a byte, the left one in the upper half
CHARACTERISTICS_BYTES = 512
INDEX_PAGE_POSITIONS = 256
INDEX_PAGES = 4
BAUD_STEP = 9600
BAUD_MULTIPLES = range(1, 13)
SIMULATED_SYSTEM_ID = 0x4D53  # what the simulated sensor says of itself; no module of the family is known to use it


class Command(IntEnum):
    """The first byte of a command packet."""

    GET_IMAGE = 0x01
    IMAGE_TO_CHARACTERISTICS = 0x02
    MATCH = 0x03
    SEARCH = 0x04
    REGISTER_MODEL = 0x05
    STORE = 0x06
    LOAD = 0x07
    UPLOAD_CHARACTERISTICS = 0x08  # from the sensor, as the manual looks at it
    DOWNLOAD_CHARACTERISTICS = 0x09
    UPLOAD_IMAGE = 0x0A
    DOWNLOAD_IMAGE = 0x0B
    DELETE = 0x0C
    EMPTY = 0x0D
    SET_PARAMETER = 0x0E
    READ_PARAMETERS = 0x0F
    SET_PASSWORD = 0x12
    VERIFY_PASSWORD = 0x13
    GET_RANDOM = 0x14
    SET_ADDRESS = 0x15
    READ_INFORMATION_PAGE = 0x16
    PORT_CONTROL = 0x17
    WRITE_NOTEPAD = 0x18
    READ_NOTEPAD = 0x19
    FAST_SEARCH = 0x1B
    TEMPLATE_COUNT = 0x1D
    READ_INDEX = 0x1F
    AURA_LIGHT = 0x35  # R503
    SOFT_RESET = 0x3D  # R503
    HANDSHAKE = 0x40  # R503
    ECHO = 0x53  # R307


class Confirmation(IntEnum):
    """The first byte of an acknowledgement."""

    OK = 0x00
    PACKET_ERROR = 0x01
    NO_FINGER = 0x02
    IMAGE_FAILED = 0x03
    MESSY = 0x06
    FEW_POINTS = 0x07
    NO_MATCH = 0x08
    NOT_FOUND = 0x09
    FINGERS_DIFFER = 0x0A
    POSITION_OUTSIDE = 0x0B
    TEMPLATE_UNREADABLE = 0x0C
    UPLOAD_FAILED = 0x0D
    RECEIVE_FAILED = 0x0E
    IMAGE_UPLOAD_FAILED = 0x0F
    DELETE_FAILED = 0x10
    EMPTY_FAILED = 0x11
    WRONG_PASSWORD = 0x13
    NO_VALID_IMAGE = 0x15
    FLASH_FAILED = 0x18
    NO_SUCH_REGISTER = 0x1A
    WRONG_REGISTER_CONTENT = 0x1B
    WRONG_NOTEPAD_PAGE = 0x1C
    WRONG_ADDRESS = 0x20
    PASSWORD_NEEDED = 0x21
    ALIVE = 0x55  # R307, the answer to ECHO
    UNSUPPORTED = 0xFC  # R503
    EXECUTION_FAILED = 0xFE  # R503


class Parameter(IntEnum):
    """Register numbers of SetSysPara."""

    BAUD = 4
    SECURITY = 5
    PACKET_SIZE = 6


PARAMETERS_LAYOUT = ">HHHHIHH"
PARAMETERS_BYTES = struct.calcsize(PARAMETERS_LAYOUT)


def encode_parameters(parameters: SensorParameters) -> bytes:
    """The 16 bytes of ReadSysPara's answer."""
    return struct.pack(
        PARAMETERS_LAYOUT,
        parameters.status,
        parameters.system_id,
        parameters.capacity,
        parameters.security_level,
        parameters.address,
        PACKET_SIZES.index(parameters.packet_bytes),
        parameters.baud // BAUD_STEP,
    )


def decode_parameters(content: bytes) -> SensorParameters:
    """Read ReadSysPara's answer. Raises ValueError for values that no module can have."""
    if len(content) < PARAMETERS_BYTES:
        raise ValueError(f"{len(content)} bytes of parameters instead of {PARAMETERS_BYTES}")
    status, system_id, capacity, security, address, size_code, baud = struct.unpack_from(PARAMETERS_LAYOUT, content)
    if size_code >= len(PACKET_SIZES) or baud not in BAUD_MULTIPLES or capacity == 0:
        raise ValueError("parameters that no sensor of this family can have")
    return SensorParameters(status, system_id, capacity, security, address, PACKET_SIZES[size_code], baud * BAUD_STEP)


def pack_image(pixels: UInt8Array) -> bytes:
    """(288, 256) uint8 to 36,864 bytes; the upper four bits of each pixel are kept."""
    levels = pixels >> 4
    return bytes(((levels[:, 0::2] << 4) | levels[:, 1::2]).astype(np.uint8).tobytes())


def unpack_image(content: bytes) -> UInt8Array:
    """36,864 bytes to (288, 256) uint8 of 16 levels, 0..240. Raises ValueError for another length."""
    if len(content) != IMAGE_BYTES:
        raise ValueError(f"a picture of {len(content)} bytes instead of {IMAGE_BYTES}")
    pairs = np.frombuffer(content, np.uint8).reshape(IMAGE_HEIGHT, IMAGE_WIDTH // 2)
    pixels = np.empty((IMAGE_HEIGHT, IMAGE_WIDTH), np.uint8)
    pixels[:, 0::2] = pairs & 0xF0
    pixels[:, 1::2] = pairs << 4
    return pixels


def decode_index(page: int, table: bytes) -> frozenset[int]:
    """The positions in use that one page of the index table names, lowest bit first."""
    bits = np.unpackbits(np.frombuffer(table[: INDEX_PAGE_POSITIONS // 8], np.uint8), bitorder="little")
    return frozenset(page * INDEX_PAGE_POSITIONS + int(position) for position in np.flatnonzero(bits))


def encode_index(page: int, positions: frozenset[int]) -> bytes:
    """The 32 bytes of one page of the index table."""
    bits = np.zeros(INDEX_PAGE_POSITIONS, np.uint8)
    first = page * INDEX_PAGE_POSITIONS
    bits[[position - first for position in positions if 0 <= position - first < INDEX_PAGE_POSITIONS]] = 1
    return bytes(np.packbits(bits, bitorder="little").tobytes())
