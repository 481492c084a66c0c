"""Programs written for the real module work with the simulated one: pyfingerprint and Adafruit's, both unmodified."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import serial
from PIL import Image
from pyfingerprint.pyfingerprint import FINGERPRINT_CHARBUFFER1, FINGERPRINT_CHARBUFFER2, PyFingerprint
from sensor_parts import Prints

from hardware.simulation.glass import HandGlass
from hardware.simulation.zfm_emulator import ZfmEmulator


@pytest.fixture
def pyfingerprint(emulator: ZfmEmulator) -> Any:
    sensor = PyFingerprint(emulator.port, 57_600, 0xFFFFFFFF, 0)
    assert sensor.verifyPassword()
    return sensor


def enroll_with_pyfingerprint(sensor: Any, glass: HandGlass, prints: Prints) -> int:
    for buffer, picture in ((FINGERPRINT_CHARBUFFER1, prints.first[0]), (FINGERPRINT_CHARBUFFER2, prints.first[1])):
        glass.lay(picture)
        assert sensor.readImage()
        sensor.convertImage(buffer)
    assert sensor.compareCharacteristics() > 0
    assert sensor.createTemplate()
    return int(sensor.storeTemplate())


class TestPyFingerprint:
    def test_enrolls_searches_and_matches(self, pyfingerprint: Any, glass: HandGlass, prints: Prints) -> None:
        assert pyfingerprint.searchTemplate() == (-1, -1)
        assert enroll_with_pyfingerprint(pyfingerprint, glass, prints) == 0
        glass.lay(prints.first[2])
        pyfingerprint.readImage()
        pyfingerprint.convertImage(FINGERPRINT_CHARBUFFER1)
        position, score = pyfingerprint.searchTemplate()
        assert position == 0
        assert score > 0
        glass.lay(prints.other)
        pyfingerprint.readImage()
        pyfingerprint.convertImage(FINGERPRINT_CHARBUFFER1)
        assert pyfingerprint.searchTemplate() == (-1, -1)
        pyfingerprint.loadTemplate(0, FINGERPRINT_CHARBUFFER2)
        assert pyfingerprint.compareCharacteristics() == 0
        assert pyfingerprint.createTemplate() is False

    def test_moves_templates_up_and_down(self, pyfingerprint: Any, glass: HandGlass, prints: Prints) -> None:
        enroll_with_pyfingerprint(pyfingerprint, glass, prints)
        characteristics = pyfingerprint.downloadCharacteristics(FINGERPRINT_CHARBUFFER1)
        assert len(characteristics) == 512
        assert pyfingerprint.clearDatabase()
        assert pyfingerprint.uploadCharacteristics(FINGERPRINT_CHARBUFFER1, characteristics)
        assert pyfingerprint.storeTemplate(12) == 12
        assert pyfingerprint.searchTemplate()[0] == 12

    def test_downloads_the_picture_that_was_laid_on(
        self, pyfingerprint: Any, glass: HandGlass, prints: Prints, tmp_path: Path
    ) -> None:
        glass.lay(prints.first[0])
        pyfingerprint.readImage()
        pyfingerprint.downloadImage(str(tmp_path / "picture.bmp"))
        with Image.open(tmp_path / "picture.bmp") as picture:
            levels = np.asarray(picture) // 17
        assert np.array_equal(levels, prints.first[0] >> 4)

    def test_counts_lists_and_deletes(self, pyfingerprint: Any, glass: HandGlass, prints: Prints) -> None:
        assert pyfingerprint.getStorageCapacity() == 1000
        assert enroll_with_pyfingerprint(pyfingerprint, glass, prints) == 0
        assert pyfingerprint.storeTemplate() == 1
        assert pyfingerprint.getTemplateCount() == 2
        assert pyfingerprint.getTemplateIndex(0)[:3] == [True, True, False]
        assert pyfingerprint.deleteTemplate(0)
        assert pyfingerprint.getTemplateIndex(0)[:3] == [False, True, False]
        assert pyfingerprint.clearDatabase()
        assert pyfingerprint.getTemplateCount() == 0

    def test_says_no_finger_messy_and_too_few_points(
        self, pyfingerprint: Any, glass: HandGlass, prints: Prints
    ) -> None:
        assert pyfingerprint.readImage() is False
        for picture, words in ((prints.noise, "too messy"), (prints.corner, "too few feature points")):
            glass.lay(picture)
            assert pyfingerprint.readImage()
            with pytest.raises(Exception, match=words):
                pyfingerprint.convertImage(FINGERPRINT_CHARBUFFER1)

    def test_sets_parameters_and_the_password(self, pyfingerprint: Any, emulator: ZfmEmulator) -> None:
        pyfingerprint.setSecurityLevel(5)
        pyfingerprint.setMaxPacketSize(32)
        pyfingerprint.setBaudRate(115_200)
        assert pyfingerprint.getSecurityLevel() == 5
        assert pyfingerprint.getMaxPacketSize() == 32
        assert pyfingerprint.getBaudRate() == 115_200
        assert pyfingerprint.setPassword(99)
        assert PyFingerprint(emulator.port, 57_600, 0xFFFFFFFF, 98).verifyPassword() is False
        assert PyFingerprint(emulator.port, 57_600, 0xFFFFFFFF, 99).verifyPassword() is True
        assert pyfingerprint.generateRandomNumber() != pyfingerprint.generateRandomNumber()
        assert pyfingerprint.setAddress(0x01020304)
        assert pyfingerprint.getSystemParameters()[4] == 0x01020304


@pytest.fixture(scope="module")
def adafruit_module() -> Any:
    """The library asks for two modules of its own boards, for a type's name and for ``const``."""
    boards = {"busio": ModuleType("busio"), "micropython": ModuleType("micropython")}
    boards["busio"].UART = object  # type: ignore[attr-defined]
    boards["micropython"].const = lambda number: number  # type: ignore[attr-defined]
    for name, stand_in in boards.items():
        sys.modules.setdefault(name, stand_in)
    import adafruit_fingerprint

    return adafruit_fingerprint


@pytest.fixture
def adafruit(adafruit_module: Any, emulator: ZfmEmulator) -> Iterator[Any]:
    with serial.Serial(emulator.port, 57_600, timeout=2) as line:
        yield adafruit_module.Adafruit_Fingerprint(line)


def read(sensor: Any, glass: HandGlass, picture: Any, slot: int = 1) -> None:
    glass.lay(picture)
    assert sensor.get_image() == 0
    assert sensor.image_2_tz(slot) == 0


class TestAdafruit:
    def test_enrolls_searches_and_matches(self, adafruit: Any, glass: HandGlass, prints: Prints) -> None:
        read(adafruit, glass, prints.first[0], 1)
        read(adafruit, glass, prints.first[1], 2)
        assert adafruit.compare_templates() == 0
        assert adafruit.create_model() == 0
        assert adafruit.store_model(5) == 0
        read(adafruit, glass, prints.first[2])
        for search in (adafruit.finger_search, adafruit.finger_fast_search):
            assert search() == 0
            assert adafruit.finger_id == 5
        read(adafruit, glass, prints.other)
        for search in (adafruit.finger_search, adafruit.finger_fast_search):
            assert search() == 0x09
        assert adafruit.load_model(5, 2) == 0
        assert adafruit.compare_templates() == 0x08
        assert adafruit.create_model() == 0x0A

    def test_moves_templates_and_pictures_up_and_down(self, adafruit: Any, glass: HandGlass, prints: Prints) -> None:
        read(adafruit, glass, prints.first[0])
        characteristics = adafruit.get_fpdata("char", 1)
        assert len(characteristics) == 512
        assert adafruit.send_fpdata(characteristics, "char", 2)
        assert adafruit.compare_templates() == 0
        packed = adafruit.get_fpdata("image")
        assert packed[:128] == list((prints.first[0][0, 0::2] & 0xF0) | (prints.first[0][0, 1::2] >> 4))
        read(adafruit, glass, prints.other)
        assert adafruit.send_fpdata(packed, "image")
        assert adafruit.get_fpdata("image") == packed

    def test_counts_lists_and_deletes(self, adafruit: Any, glass: HandGlass, prints: Prints) -> None:
        assert adafruit.library_size == 1000
        read(adafruit, glass, prints.first[0])
        for position in (1, 300, 999):
            assert adafruit.store_model(position) == 0
        assert adafruit.store_model(1000) == 0x0B
        assert adafruit.count_templates() == 0
        assert adafruit.template_count == 3
        assert adafruit.read_templates() == 0
        assert adafruit.templates == [1, 300, 999]
        assert adafruit.delete_model(300) == 0
        assert adafruit.empty_library() == 0
        adafruit.read_templates()
        assert adafruit.templates == []

    def test_greets_resets_and_switches_its_light(self, adafruit: Any, glass: HandGlass, prints: Prints) -> None:
        assert adafruit.get_image() == 0x02
        assert adafruit.check_module()
        assert adafruit.set_led() == 0
        adafruit.soft_reset()
        adafruit._uart.reset_input_buffer()
        assert adafruit.verify_password() == 0
