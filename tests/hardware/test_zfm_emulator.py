"""The simulated sensor as a device: its terminal, its link, its faults and its answers to what it does not know."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pyfingerprint.pyfingerprint import PyFingerprint
from sensor_parts import Prints

from hardware.drivers.serial_port import SerialTransport
from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.finger_matcher import FingerMatcher
from hardware.simulation.glass import EmptyGlass, FolderGlass, HandGlass, see
from hardware.simulation.zfm_chip import ZfmChip
from hardware.simulation.zfm_emulator import ZfmEmulator
from hardware.zfm.codes import Command, Confirmation
from hardware.zfm.frame import Packet, PacketKind, PacketReader, encode
from models.errors import ConfigurationError, DeviceProtocolError, DeviceUnplugged, ImageError, InputError, WeightsError


def ask(emulator: ZfmEmulator, sent: bytes) -> Packet | None:
    """What a raw terminal gets back for raw bytes."""
    line = SerialTransport(emulator.port, baud=57_600)
    reader = PacketReader()
    try:
        line.write(sent)
        deadline = time.monotonic() + 2
        while (packet := reader.take()) is None and time.monotonic() < deadline:
            reader.feed(line.read(timeout_s=0.05))
        return packet
    finally:
        line.close()


def test_the_link_appears_and_goes(finger_engine: Any, tmp_path: Path) -> None:
    link = tmp_path / "sensor"
    link.symlink_to("/dev/pts/left-behind-by-another")
    with ZfmEmulator(EmptyGlass(), finger_engine, link=link) as emulator:
        assert link.is_symlink()
        assert emulator.port == str(link)
        emulator.unplug()
        assert not link.is_symlink()
        emulator.plug()
        assert link.is_symlink()
    assert not link.is_symlink()


def test_a_link_to_something_else_is_not_replaced(finger_engine: Any, tmp_path: Path) -> None:
    link, own = tmp_path / "tty", tmp_path / "own"
    own.write_text("kept")
    link.symlink_to(own)
    with pytest.raises(ConfigurationError, match="is a link to something else"):
        ZfmEmulator(HandGlass(), finger_engine, link=link).start()
    assert link.readlink() == own and own.read_text() == "kept"


def test_a_file_in_the_place_of_the_link_is_not_replaced(finger_engine: Any, tmp_path: Path) -> None:
    link = tmp_path / "sensor"
    link.write_text("mine")
    for place in (link, tmp_path / "no-folder" / "sensor"):
        with pytest.raises(ConfigurationError), ZfmEmulator(EmptyGlass(), finger_engine, link=place):
            pass
    assert link.read_text() == "mine"


@pytest.mark.parametrize("wrong", [{"capacity": 0}, {"capacity": 2000}, {"password": -1}, {"baud": 1000}])
def test_an_impossible_sensor_is_refused(finger_engine: Any, wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        ZfmEmulator(EmptyGlass(), finger_engine, **wrong)


def test_missing_weights_are_told_before_the_first_finger() -> None:
    class Weightless:
        def extract(self, pixels: Any, *, dpi: int = 500) -> None:
            raise WeightsError("The weights are missing.")

    with pytest.raises(WeightsError), ZfmEmulator(EmptyGlass(), Weightless()):  # type: ignore[arg-type]
        pass


def test_an_unknown_command_gets_a_proper_answer(emulator: ZfmEmulator) -> None:
    answer = ask(emulator, encode(Packet(PacketKind.COMMAND, b"\x7e")))
    assert answer is not None
    assert answer.payload == bytes([Confirmation.UNSUPPORTED])


def test_a_damaged_command_is_told_so(emulator: ZfmEmulator) -> None:
    frame = bytearray(encode(Packet(PacketKind.COMMAND, b"\x01")))
    frame[-1] ^= 1
    answer = ask(emulator, bytes(frame))
    assert answer is not None
    assert answer.payload == bytes([Confirmation.PACKET_ERROR])


def test_too_short_a_command_is_told_so(emulator: ZfmEmulator) -> None:
    answer = ask(emulator, encode(Packet(PacketKind.COMMAND, bytes([Command.STORE, 1]))))
    assert answer is not None
    assert answer.payload == bytes([Confirmation.PACKET_ERROR])


def test_half_a_command_of_a_program_that_died_does_not_spoil_the_next(emulator: ZfmEmulator) -> None:
    line = SerialTransport(emulator.port, baud=57_600)
    line.write(b"\xef\x01\xff\xff\xff\xff\x01\x00\x20half")
    line.close()
    with ZfmSensor(emulator.port) as sensor:
        assert sensor.count() == 0


def test_commands_for_another_address_are_not_answered(glass: HandGlass, finger_engine: Any) -> None:
    with ZfmEmulator(glass, finger_engine, address=0x11223344) as emulator:
        with ZfmSensor(emulator.port, address=0x11223344) as sensor:
            assert sensor.parameters().address == 0x11223344
        with pytest.raises(Exception, match="did not answer"):
            ZfmSensor(emulator.port, timeout_s=0.1).open()


def test_a_client_that_stops_reading_does_not_stop_the_sensor(
    emulator: ZfmEmulator, glass: HandGlass, prints: Prints
) -> None:
    glass.lay(prints.first[0])
    with ZfmSensor(emulator.port) as sensor:
        sensor.capture()
        assert sensor._link is not None
        sensor._link.command(Command.UPLOAD_IMAGE)  # and then nothing is read
    client = PyFingerprint(emulator.port, 57_600, 0xFFFFFFFF, 0)
    try:
        assert client.verifyPassword()
    except Exception as error:  # a piece of the old picture may have been under way between opening and asking
        assert "no ack packet" in str(error)
        assert client.verifyPassword()  # but no more than that: the sensor heard, and dropped the rest


def test_a_fault_may_be_asked_for_by_the_thread_that_serves(glass: HandGlass, finger_engine: Any) -> None:
    """A scene's script breaks the sensor while the sensor looks at the scene."""

    class PullingGlass:
        def impression(self) -> None:
            emulator.faults()["unplug"]()

    with ZfmEmulator(PullingGlass(), finger_engine) as emulator:
        sensor = ZfmSensor(emulator.port)
        sensor.open()
        with pytest.raises(DeviceUnplugged):
            sensor.capture()
        sensor.close()
        assert emulator.port == ""
        emulator.plug()
        with ZfmSensor(emulator.port) as again:
            assert again.count() == 0


def test_flash_outlives_a_pulled_cable_and_memory_does_not(
    emulator: ZfmEmulator, glass: HandGlass, prints: Prints
) -> None:
    glass.lay(prints.first[0])
    with ZfmSensor(emulator.port) as sensor:
        sensor.capture()
        sensor.convert(1)
        sensor.store(2)
    emulator.unplug()
    emulator.plug()
    with ZfmSensor(emulator.port) as sensor:
        assert sensor.index() == {2}
        with pytest.raises(Exception, match="UPLOAD_FAILED"):
            sensor.read_characteristics(1)


def test_damage_in_the_middle_of_a_picture_spoils_it(
    emulator: ZfmEmulator, glass: HandGlass, prints: Prints, monkeypatch: pytest.MonkeyPatch
) -> None:
    glass.lay(prints.first[0])
    with ZfmSensor(emulator.port) as sensor:
        sensor.capture()
        emulator.corrupt_checksum(answers=3)
        with pytest.raises(DeviceProtocolError):
            sensor.image()
        assert np.array_equal(sensor.image(), see(prints.first[0]))


def test_a_throttled_line_takes_the_time_that_a_real_one_takes(
    glass: HandGlass, finger_engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    with ZfmEmulator(glass, finger_engine, baud_throttle=True) as emulator:
        monkeypatch.setattr(emulator._stopping, "wait", waited.append)
        with ZfmSensor(emulator.port) as sensor:
            sensor.count()
    assert sum(waited) == pytest.approx((12 + 28 + 14) * 10 / 57_600)


def test_the_notepad_keeps_a_page_and_refuses_one_it_has_not(finger_engine: Any) -> None:
    chip = ZfmChip(EmptyGlass(), FingerMatcher(finger_engine), capacity=10, password=0)
    text = b"kept".ljust(32, b"\0")
    assert chip.answer(bytes([Command.WRITE_NOTEPAD, 3]) + text).confirmation == Confirmation.OK
    assert chip.answer(bytes([Command.READ_NOTEPAD, 3])).payload == text
    assert chip.answer(bytes([Command.READ_NOTEPAD, 16])).confirmation == Confirmation.WRONG_NOTEPAD_PAGE


def test_registers_refuse_what_they_do_not_know(finger_engine: Any) -> None:
    chip = ZfmChip(EmptyGlass(), FingerMatcher(finger_engine), capacity=10, password=0)
    assert chip.answer(bytes([Command.SET_PARAMETER, 9, 1])).confirmation == Confirmation.NO_SUCH_REGISTER
    assert chip.answer(bytes([Command.SET_PARAMETER, 4, 13])).confirmation == Confirmation.WRONG_REGISTER_CONTENT


def test_no_thread_and_no_terminal_is_left_behind(finger_engine: Any) -> None:
    emulator = ZfmEmulator(EmptyGlass(), finger_engine)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        emulator.start()
        emulator.stop()
        emulator.stop()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert emulator.port == ""


def test_between_two_clients_the_terminal_stays_quiet(emulator: ZfmEmulator) -> None:
    for _ in range(3):
        with ZfmSensor(emulator.port):
            pass
    assert emulator._terminal is not None
    assert select.select([emulator._terminal.master], [], [], 0)[0] == []
    assert os.path.exists(emulator.port)  # noqa: PTH110


class TestFolderGlass:
    def write(self, folder: Path, name: str, level: int) -> None:
        cv2.imwrite(str(folder / name), np.full((40, 30), level, np.uint8))

    def test_lays_the_first_finger_in_turn_one_second_each_half_a_second_apart(self, tmp_path: Path) -> None:
        for name, level in (("10_1.png", 10), ("2_10.png", 30), ("2_2.png", 20), ("notes.txt", 0)):
            if name.endswith("png"):
                self.write(tmp_path, name, level)
        (tmp_path / "notes_1.txt").write_text("no picture")
        now = [100.0]
        glass = FolderGlass(tmp_path, monotonic=lambda: now[0])
        seen = []
        for moment in (0.0, 0.99, 1.01, 1.49, 1.5, 2.49, 2.6, 3.0, 30.5):
            now[0] = 100.0 + moment
            laid = glass.impression()
            seen.append(None if laid is None else int(laid[0, 0]))
        assert glass.finger == "2"
        assert seen == [20, 20, None, None, 30, 30, None, 20, 20]

    def test_a_folder_without_fingers_is_refused_in_one_sentence(self, tmp_path: Path) -> None:
        for folder in (tmp_path, tmp_path / "none", Path("/dev/null")):
            with pytest.raises(InputError):
                FolderGlass(folder)

    def test_a_picture_that_is_none_is_named(self, tmp_path: Path) -> None:
        for name, content in (("1_1.png", b""), ("1_1.png", b"not a picture")):
            (tmp_path / name).write_bytes(content)
            with pytest.raises(ImageError, match=r"1_1\.png"):
                FolderGlass(tmp_path)


def test_any_size_is_fitted_to_the_glass() -> None:
    wide = np.arange(400 * 500, dtype=np.uint32).reshape(400, 500).astype(np.uint8)
    assert np.array_equal(see(wide), wide[56:344, 122:378] & 0xF0)
    small = np.full((100, 100), 200, np.uint8)
    small[40:60, 40:60] = 16
    fitted = see(small)
    assert fitted.shape == (288, 256)
    assert (int(fitted[0, 0]), int(fitted[144, 128])) == (192, 16)
    for wrong in (np.zeros((0, 5), np.uint8), np.zeros((5, 5, 3), np.uint8), np.zeros((5, 5), np.float32)):
        with pytest.raises(ImageError):
            see(wrong)  # type: ignore[arg-type]
