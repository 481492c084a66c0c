"""``muster sensor``: a simulated sensor as a program of its own, and what it says of ports that are none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import pytest
from sensor_parts import Prints

from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.zfm_emulator import ZfmEmulator

MUSTER = (sys.executable, str(Path(__file__).parents[2] / "muster.py"))


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*MUSTER, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_a_simulated_sensor_runs_until_it_is_interrupted(tmp_path: Path, prints: Prints) -> None:
    folder, link = tmp_path / "fingers", tmp_path / "sensor"
    folder.mkdir()
    for number, impression in enumerate(prints.first, start=1):
        cv2.imwrite(str(folder / f"1_{number}.png"), impression)
    arguments = ["sensor", "simulate", "--fingers", str(folder), "--link", str(link), "--capacity", "162"]
    process = subprocess.Popen([*MUSTER, *arguments], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert str(link) in process.stdout.readline()
        assert process.stdout.readline() == "on the glass: nothing\n"
        with ZfmSensor(str(link)) as sensor:
            assert sensor.parameters().capacity == 162
            assert sensor.capture()
            assert any((sensor.image() == (impression & 0xF0)).all() for impression in prints.first)
        assert "on the glass: 1_" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "switched off" in process.stdout.read()
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.communicate()
    assert not link.is_symlink()


def test_info_says_what_answers_at_a_port(emulator: ZfmEmulator) -> None:
    answered = run("sensor", "info", "--port", emulator.port)
    assert answered.returncode == 0
    assert "simulated sensor, driver zfm, 0 of 1000 templates in use" in answered.stdout


@pytest.mark.parametrize("kind", ["missing", "file", "null", "folder"])
def test_what_is_no_sensor_gets_one_sentence(kind: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no port")
    ports = {"missing": "/dev/ttyNONE", "file": str(plain), "null": "/dev/null", "folder": str(tmp_path)}
    answered = run("sensor", "info", "--port", ports[kind])
    assert answered.returncode == 1
    assert answered.stderr.startswith("muster: ")
    assert answered.stderr.count("\n") == 1
    assert ports[kind] in answered.stderr


def test_a_busy_port_and_a_deaf_one_get_one_sentence(emulator: ZfmEmulator) -> None:
    with ZfmSensor(emulator.port):
        answered = run("sensor", "info", "--port", emulator.port)
    assert (answered.returncode, answered.stderr) == (1, f"muster: Another program holds the port {emulator.port}.\n")
    master, far = os.openpty()
    try:
        answered = run("sensor", "info", "--port", os.ttyname(far))
    finally:
        os.close(master)
        os.close(far)
    assert answered.returncode == 1
    assert answered.stderr.count("\n") == 1


def test_a_folder_without_fingers_gets_one_sentence(tmp_path: Path) -> None:
    answered = run("sensor", "simulate", "--fingers", str(tmp_path))
    assert answered.returncode == 2
    assert answered.stderr.startswith(f"muster: {tmp_path} holds no picture")
