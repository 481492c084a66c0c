"""One contract, run over every driver of a ZFM sensor, at a real pseudo-terminal with real matching behind it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sensor_parts import Prints

from hardware.drivers import make_sensor, open_sensor
from hardware.drivers.killable_child import KillableChild
from hardware.drivers.pyfingerprint_sensor import PyFingerprintSensor
from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.glass import HandGlass, see
from hardware.simulation.zfm_emulator import ZfmEmulator
from models.errors import (
    CaptureRetry,
    ConfigurationError,
    DeviceBusy,
    DeviceError,
    DeviceNotFound,
    DeviceProtocolError,
    DeviceTimeout,
    DeviceUnplugged,
    InputError,
    RetryReason,
)

TIMEOUT_S = 1.8  # enough for an extraction on a busy machine


@pytest.fixture(params=["zfm", "pyfingerprint"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def sensor(driver: str, emulator: ZfmEmulator) -> Iterator[Any]:
    opened = open_sensor(driver, port=emulator.port, timeout_s=TIMEOUT_S)
    yield opened
    opened.close()


def hasten(sensor: Any, timeout_s: float) -> None:
    """Shorten the deadline of an open sensor, so that a test of silence does not wait for a real one."""
    sensor._timeout_s = timeout_s
    link = getattr(sensor, "_link", None)
    if link is not None:
        link._timeout_s = timeout_s


def lay(sensor: Any, glass: HandGlass, picture: Any, buffer: int = 1) -> None:
    glass.lay(picture)
    assert sensor.capture(timeout_s=1.0)
    sensor.convert(buffer)


def enroll(sensor: Any, glass: HandGlass, prints: Prints, position: int) -> None:
    lay(sensor, glass, prints.first[0], 1)
    lay(sensor, glass, prints.first[1], 2)
    sensor.combine()
    sensor.store(position)


class TestSensorContract:
    def test_says_what_it_is_and_that_it_is_simulated(self, driver: str, sensor: Any, emulator: ZfmEmulator) -> None:
        info, parameters = sensor.info(), sensor.parameters()
        assert (info.device_id, info.kind, info.driver, info.simulated) == (
            emulator.port,
            "finger_sensor",
            driver,
            True,
        )
        assert (parameters.capacity, parameters.security_level, parameters.address) == (1000, 3, 0xFFFFFFFF)
        assert (parameters.packet_bytes, parameters.baud) == (128, 57_600)

    def test_enrolls_a_finger_and_finds_it_again(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        enroll(sensor, glass, prints, 7)
        lay(sensor, glass, prints.first[2])
        found = sensor.search()
        assert found.position == 7
        assert 0 < found.score <= 1000
        lay(sensor, glass, prints.first[2], 2)
        assert sensor.search(buffer=2, start=7, count=1).position == 7

    def test_does_not_find_another_finger_or_a_finger_outside_the_range(
        self, sensor: Any, glass: HandGlass, prints: Prints
    ) -> None:
        enroll(sensor, glass, prints, 7)
        assert sensor.search(start=8) is None
        assert sensor.search(start=0, count=7) is None
        lay(sensor, glass, prints.other)
        assert sensor.search() is None

    def test_compares_both_buffers(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        lay(sensor, glass, prints.first[0], 1)
        lay(sensor, glass, prints.first[1], 2)
        assert sensor.match() > 0
        lay(sensor, glass, prints.other, 2)
        assert sensor.match() is None

    def test_two_fingers_do_not_become_one_template(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        lay(sensor, glass, prints.first[0], 1)
        lay(sensor, glass, prints.other, 2)
        with pytest.raises(CaptureRetry) as refused:
            sensor.combine()
        assert refused.value.reason is RetryReason.FINGERS_DIFFER

    def test_a_template_goes_up_and_comes_back_down(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        lay(sensor, glass, prints.first[0])
        characteristics = sensor.read_characteristics(1)
        assert len(characteristics) == 512
        sensor.empty()
        sensor.write_characteristics(2, characteristics)
        assert sensor.read_characteristics(2) == characteristics
        lay(sensor, glass, prints.first[1])
        assert sensor.match() > 0

    def test_what_is_no_template_is_kept_and_matches_nothing(
        self, sensor: Any, glass: HandGlass, prints: Prints
    ) -> None:
        lay(sensor, glass, prints.first[0])
        sensor.write_characteristics(2, bytes(range(256)) * 2)
        assert sensor.match() is None

    def test_the_picture_is_the_source_in_sixteen_levels(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        glass.lay(prints.first[0])
        assert sensor.capture(timeout_s=0)
        picture = sensor.image()
        assert picture.dtype == np.uint8
        assert np.array_equal(picture, prints.first[0] & 0xF0)
        assert np.array_equal(picture, see(prints.first[0]))

    def test_no_picture_is_written_to_the_disk(
        self, sensor: Any, glass: HandGlass, prints: Prints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sensor.close()
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        sensor.open()
        lay(sensor, glass, prints.first[0])
        before = sorted(tmp_path.iterdir())
        sensor.image()
        assert sorted(tmp_path.iterdir()) == before

    def test_counts_lists_loads_and_frees_positions(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        lay(sensor, glass, prints.first[0])
        for position in (0, 7, 255, 256, 999):
            sensor.store(position)
        assert (sensor.count(), sensor.index()) == (5, {0, 7, 255, 256, 999})
        sensor.delete(255, count=2)
        assert sensor.index() == {0, 7, 999}
        sensor.load(999, buffer=2)
        assert sensor.match() > 0
        sensor.empty()
        assert (sensor.count(), sensor.index(), sensor.search()) == (0, frozenset(), None)

    def test_no_finger_is_a_value_and_not_an_error(self, sensor: Any) -> None:
        assert sensor.capture(timeout_s=0) is False

    def test_an_untouched_glass_shows_no_finger(self, sensor: Any, glass: HandGlass) -> None:
        glass.lay(np.full((288, 256), 230, np.uint8))
        assert sensor.capture(timeout_s=0) is False

    def test_what_the_person_can_do_better_is_a_retry(self, sensor: Any, glass: HandGlass, prints: Prints) -> None:
        for picture, reason in (
            (prints.noise, RetryReason.FINGER_MESSY),
            (prints.corner, RetryReason.FINGER_FEW_POINTS),
        ):
            with pytest.raises(CaptureRetry) as retry:
                lay(sensor, glass, picture)
            assert retry.value.reason is reason

    def test_converting_before_a_picture_was_taken_asks_for_a_finger(self, sensor: Any) -> None:
        with pytest.raises(CaptureRetry) as retry:
            sensor.convert(1)
        assert retry.value.reason is RetryReason.NO_FINGER

    def test_impossible_arguments_are_refused_before_they_are_sent(self, sensor: Any) -> None:
        for call in (
            lambda: sensor.convert(3),
            lambda: sensor.store(1000),
            lambda: sensor.load(-1),
            lambda: sensor.search(start=990, count=11),
            lambda: sensor.delete(5, count=0),
            lambda: sensor.write_characteristics(1, b""),
            lambda: sensor.write_characteristics(1, bytes(5000)),
        ):
            with pytest.raises(InputError):
                call()

    def test_an_empty_position_cannot_be_loaded(self, sensor: Any) -> None:
        with pytest.raises(DeviceError) as refused:
            sensor.load(5)
        assert refused.value.code == "device_refused"

    def test_opening_twice_and_closing_twice_does_nothing(self, sensor: Any) -> None:
        sensor.open()
        assert sensor.count() == 0
        sensor.close()
        sensor.close()
        with pytest.raises(DeviceUnplugged):
            sensor.count()

    def test_the_port_belongs_to_one_program(self, driver: str, sensor: Any, emulator: ZfmEmulator) -> None:
        for other in ("zfm", "pyfingerprint"):
            with pytest.raises(DeviceBusy):
                open_sensor(other, port=emulator.port)
        sensor.close()
        open_sensor(driver, port=emulator.port, timeout_s=TIMEOUT_S).close()

    def test_a_silent_sensor_is_a_timeout_and_can_be_opened_again(self, sensor: Any, emulator: ZfmEmulator) -> None:
        emulator.silence()
        hasten(sensor, 0.15)
        with pytest.raises(DeviceTimeout):
            sensor.count()
        emulator.silence(False)
        sensor.close()
        hasten(sensor, TIMEOUT_S)
        sensor.open()
        assert sensor.count() == 0

    def test_a_corrupt_length_is_an_error_within_the_deadline(self, sensor: Any, emulator: ZfmEmulator) -> None:
        emulator.corrupt_length()
        hasten(sensor, 0.15)
        with pytest.raises((DeviceProtocolError, DeviceTimeout)):
            sensor.count()

    def test_a_wrong_checksum_is_an_error(self, sensor: Any, emulator: ZfmEmulator) -> None:
        emulator.corrupt_checksum()
        hasten(sensor, 0.15)
        with pytest.raises(DeviceProtocolError):
            sensor.count()

    def test_a_pulled_cable_is_noticed_and_a_new_one_works(
        self, sensor: Any, emulator: ZfmEmulator, glass: HandGlass, prints: Prints
    ) -> None:
        lay(sensor, glass, prints.first[0])
        sensor.store(3)
        emulator.unplug()
        with pytest.raises(DeviceUnplugged):
            sensor.count()
        sensor.close()
        with pytest.raises(DeviceNotFound):
            sensor.open()
        emulator.plug()
        sensor.open()
        assert sensor.index() == {3}

    @pytest.mark.parametrize("packet_bytes", [32, 64, 256])
    def test_every_packet_size_works(
        self, sensor: Any, emulator: ZfmEmulator, glass: HandGlass, prints: Prints, packet_bytes: int
    ) -> None:
        emulator.chip.packet_bytes = packet_bytes
        sensor.parameters()
        lay(sensor, glass, prints.first[0])
        characteristics = sensor.read_characteristics(1)
        sensor.write_characteristics(2, characteristics)
        assert sensor.match() is not None


def test_our_driver_reads_past_noise(emulator: ZfmEmulator) -> None:
    with ZfmSensor(emulator.port) as sensor:
        for count in (1, 30, 500):
            emulator.noise(count)
            assert sensor.count() == 0


def test_our_driver_finds_every_packet_size_in_a_picture(
    emulator: ZfmEmulator, glass: HandGlass, prints: Prints
) -> None:
    glass.lay(prints.first[0])
    with ZfmSensor(emulator.port) as sensor:
        sensor.capture()
        for size in (32, 64, 128, 256):
            sensor.set_packet_bytes(size)
            assert np.array_equal(sensor.image(), see(prints.first[0]))


def test_our_driver_changes_speed_on_both_sides(glass: HandGlass, finger_engine: Any) -> None:
    with ZfmEmulator(glass, finger_engine, strict_baud=True) as emulator:
        with ZfmSensor(emulator.port, sleep=lambda _: None) as sensor:
            sensor.set_baud(115_200)
            assert sensor.parameters().baud == 115_200
        with pytest.raises(DeviceTimeout):
            ZfmSensor(emulator.port, baud=57_600, timeout_s=0.1).open()
        with ZfmSensor(emulator.port, baud=115_200) as sensor:
            assert sensor.count() == 0


def test_the_password_is_asked_for(glass: HandGlass, finger_engine: Any) -> None:
    for driver in ("zfm", "pyfingerprint"):
        with ZfmEmulator(glass, finger_engine, password=0x1234) as emulator:
            with pytest.raises(DeviceError) as refused:
                open_sensor(driver, port=emulator.port)
            assert refused.value.code == "device_password"
            opened = open_sensor(driver, port=emulator.port, password=0x1234)
            assert opened.count() == 0
            opened.close()


def test_a_child_that_overruns_its_deadline_is_killed(emulator: ZfmEmulator) -> None:
    with PyFingerprintSensor(emulator.port, timeout_s=TIMEOUT_S) as sensor:
        child = sensor._child
        assert child is not None
        emulator.silence()
        hasten(sensor, 0.1)
        with pytest.raises(DeviceTimeout):
            sensor.count()
        assert not child.alive
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)


def test_a_child_that_dies_by_itself_is_an_error_and_not_a_hang(emulator: ZfmEmulator) -> None:
    with PyFingerprintSensor(emulator.port, timeout_s=TIMEOUT_S) as sensor:
        assert sensor._child is not None
        os.kill(sensor._child.pid, signal.SIGKILL)
        with pytest.raises(DeviceProtocolError):
            sensor.count()


def test_a_child_in_a_read_without_end_goes_when_its_parent_dies(emulator: ZfmEmulator) -> None:
    emulator.silence()
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from hardware.drivers.pyfingerprint_sensor import PyFingerprintSensor as Sensor\n"
            "from hardware.drivers import killable_child as k; start = k.KillableChild.__init__\n"
            "k.KillableChild.__init__ = lambda c, *a: (start(c, *a), print(c.pid, flush=True))[0]\n"
            "Sensor(sys.argv[1], timeout_s=60).open()",
            emulator.port,
        ],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert parent.stdout is not None
    child = Path("/proc") / parent.stdout.readline().strip()
    assert child.exists()
    parent.kill()
    parent.communicate()
    deadline = time.monotonic() + 10
    while runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not runs(child)


def runs(process: Path) -> bool:
    """Whether a process is there and is no mere entry that nobody has collected yet."""
    try:
        return (process / "stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_what_is_no_sensor_is_named(driver: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no port")
    for port in ("/nowhere/at/all", str(plain), str(tmp_path), "/dev/null", "", "a\0b"):
        with pytest.raises(DeviceNotFound):
            open_sensor(driver, port=port)


def test_a_terminal_that_answers_rubbish_is_no_sensor(driver: str) -> None:
    master, far = os.openpty()  # cooked and echoing: what a login prompt would do
    try:
        started = time.monotonic()
        with pytest.raises((DeviceProtocolError, DeviceTimeout)):
            open_sensor(driver, port=os.ttyname(far), timeout_s=0.3)
        assert time.monotonic() - started < 3
    finally:
        os.close(master)
        os.close(far)


def test_an_unknown_name_or_option_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="pyfingerprint, zfm"):
        open_sensor("zmf", port="x")
    with pytest.raises(ConfigurationError, match="password"):
        open_sensor("zfm", prot="x")
    with pytest.raises(ConfigurationError, match="9600 times"):
        open_sensor("zfm", port="x", baud=1234)


def test_a_sensor_that_is_switched_off_says_so() -> None:
    sensor = open_sensor("disabled")
    assert sensor.info().driver == "disabled"
    with pytest.raises(DeviceError) as off:
        sensor.capture()
    assert off.value.code == "device_disabled"
    sensor.close()


@pytest.mark.parametrize("driver", ["zfm", "pyfingerprint"])
@pytest.mark.parametrize("option", ["password", "address"])
@pytest.mark.parametrize("number", [-1, 1 << 32])
def test_a_number_of_more_than_32_bits_is_refused_before_anything_is_sent(
    driver: str, option: str, number: int
) -> None:
    with pytest.raises(ConfigurationError, match=f"{option} is a number of 32 bits"):
        make_sensor(driver, port="/dev/null", **{option: number})


def test_a_child_that_talks_nonsense_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "babble.py"
    program.write_text("import sys\nfor line in sys.stdin: print('warning: {', flush=True)\n")
    child = KillableChild(program)
    with pytest.raises(DeviceProtocolError, match="answers something else"):
        child.call("ready", timeout_s=10)
    assert not child.alive
