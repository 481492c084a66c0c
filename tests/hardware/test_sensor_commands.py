"""``muster sensor``: a simulated sensor as a program of its own, and what it says of ports that are none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest
from sensor_parts import Prints

from hardware.drivers.zfm_sensor import ZfmSensor
from hardware.simulation.zfm_emulator import ZfmEmulator
from muster import main

Run = Callable[..., "Answered"]
MUSTER = (sys.executable, str(Path(__file__).parents[2] / "muster.py"))


@dataclass(frozen=True)
class Answered:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command line as the program runs it, without the second that a new process takes."""

    def call(*arguments: str) -> Answered:
        monkeypatch.setattr(sys, "argv", ["muster", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return Answered(code or 0, *capsys.readouterr())

    return call


def test_a_simulated_sensor_runs_until_it_is_interrupted(tmp_path: Path, prints: Prints) -> None:
    folder, link = tmp_path / "fingers", tmp_path / "sensor"
    folder.mkdir()
    for number, impression in enumerate(prints.first, start=1):
        cv2.imwrite(str(folder / f"1_{number}.png"), impression)
    arguments = ["sensor", "simulate", "--fingers", str(folder), "--link", str(link), "--capacity", "162"]
    # Started from a background job, a process inherits that interrupts are ignored, and would run for ever.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([*MUSTER, *arguments], stdout=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
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


def test_info_says_what_answers_at_a_port(run: Run, emulator: ZfmEmulator) -> None:
    answered = run("sensor", "info", "--port", emulator.port)
    assert answered.returncode == 0
    assert "simulated sensor, driver zfm, 0 of 1000 templates in use" in answered.stdout


@pytest.mark.parametrize("kind", ["missing", "file", "null", "folder"])
def test_what_is_no_sensor_gets_one_sentence(run: Run, kind: str, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no port")
    ports = {"missing": "/dev/ttyNONE", "file": str(plain), "null": "/dev/null", "folder": str(tmp_path)}
    answered = run("sensor", "info", "--port", ports[kind])
    assert answered.returncode == 1
    assert answered.stderr.startswith("muster: ")
    assert answered.stderr.count("\n") == 1
    assert ports[kind] in answered.stderr


def test_a_busy_port_and_a_deaf_one_get_one_sentence(run: Run, emulator: ZfmEmulator) -> None:
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


def test_a_folder_without_fingers_gets_one_sentence(run: Run, tmp_path: Path) -> None:
    answered = run("sensor", "simulate", "--fingers", str(tmp_path))
    assert answered.returncode == 2
    assert answered.stderr.startswith(f"muster: {tmp_path} holds no picture")


def test_a_script_lays_fingers_and_breaks_the_sensor(run: Run, tmp_path: Path) -> None:
    script = tmp_path / "scene.toml"
    script.write_text(
        """
        [[step]]
        at_s = 0.0
        do = "lay_finger"
        visitor = "visitor_1"
        finger = "right_index"
        [[step]]
        at_s = 0.3
        do = "fault"
        device = "sensor"
        name = "unplug"
        [[step]]
        at_s = 0.6
        do = "fault"
        device = "sensor"
        name = "melt"
        """
    )
    link = tmp_path / "sensor"
    answered = run("sensor", "simulate", "--script", str(script), "--link", str(link))
    assert answered.returncode == 0
    assert answered.stdout.endswith("on the glass: nothing\non the glass: a finger\n")
    assert "There is no fault 'melt'" in answered.stderr
    assert not link.is_symlink()
    script.write_text("[[step]]\nat_s = 0\ndo = 'lay_fingers'")
    assert run("sensor", "simulate", "--script", str(script)).returncode == 2
