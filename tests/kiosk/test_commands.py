"""``muster kiosk``: what is wrong is said in plain words, and the exit code says whether something is."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from center_parts import RealCenter, wait_until
from click.testing import CliRunner

from kiosk import commands
from kiosk.commands import kiosk
from kiosk.config import load_config
from kiosk.keys import hold_state_dir
from models.errors import InputError
from web.center.pairing import approve_pairing


@pytest.fixture(autouse=True)
def untouched_logging(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "set_log_level", lambda level: None)


def write(path: Path, url: str, state: Path, more: str = "") -> Path:
    path.write_text(
        f'[kiosk]\nstate_dir = "{state}"\n[center]\nurl = "{url}"\npairing_poll_s = 0.05\n'
        f'[storage]\nwanted_free_bytes = 0\n[camera]\ndriver = "simulated"\n{more}'
    )
    return path


def test_check_names_everything_that_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    """No sensor, no center, not paired: each has its line and its advice, and the exit code is 1."""
    path = write(
        tmp_path / "kiosk.toml", "http://127.0.0.1:9", tmp_path / "state",
        '[sensor.options]\nport = "/dev/no-such-port"\n',
    )  # fmt: skip
    answer = CliRunner().invoke(kiosk, ["check", "--config", str(path)])
    assert answer.exit_code == 1
    lines = answer.output.splitlines()
    assert any(line.startswith("FAIL sensor: There is no serial port /dev/no-such-port") for line in lines)
    assert any("Look whether it is plugged in" in line for line in lines)
    assert any(line.startswith("FAIL center: The center at http://127.0.0.1:9 does not answer") for line in lines)
    assert any(line.startswith("FAIL pairing: this kiosk is not paired") for line in lines)
    assert any(line.startswith("ok   camera: Simulated camera") for line in lines)


def test_a_kiosk_that_runs_is_not_paired_beside_itself(tmp_path: Path) -> None:
    path = write(tmp_path / "kiosk.toml", "http://127.0.0.1:9", tmp_path / "state")
    (tmp_path / "state").mkdir(mode=0o700)
    with hold_state_dir(tmp_path / "state"):
        refused = CliRunner().invoke(kiosk, ["pair", "--config", str(path)])
    assert str(refused.exception) == commands._RUNS


def test_pair_then_check_then_status(tmp_path: Path, real_center: RealCenter) -> None:
    """The digits are printed, an admin types them, and everything is well afterwards."""
    site = real_center.new_site()
    path = write(tmp_path / "kiosk.toml", real_center.url, tmp_path / "state", '[sensor]\ndriver = "disabled"\n')
    with pytest.raises(InputError, match="not paired"):
        CliRunner().invoke(kiosk, ["status", "--config", str(path)], catch_exceptions=False)
    codes: list[str] = []
    echo, commands.click.echo = commands.click.echo, lambda text: codes.append(str(text))
    try:
        pairing = threading.Thread(
            target=lambda: CliRunner().invoke(kiosk, ["pair", "--config", str(path)], catch_exceptions=False)
        )
        pairing.start()
        wait_until(lambda: codes)
        with real_center.center.writing() as session:
            approve_pairing(real_center.center, session, codes[0][-14:], site_id=site.site_id, name="desk")
        pairing.join(20)
    finally:
        commands.click.echo = echo
    assert codes[-1].startswith("Paired as ")
    checked = CliRunner().invoke(kiosk, ["check", "--config", str(path)])
    assert (checked.exit_code, "FAIL" in checked.output) == (0, False), checked.output
    status = CliRunner().invoke(kiosk, ["status", "--config", str(path)])
    assert "delivered 0, pending 0, quarantined 0" in status.output
    assert "sealed parcels: pending 0, quarantined 0" in status.output
    with pytest.raises(InputError, match="paired already"):
        CliRunner().invoke(kiosk, ["pair", "--config", str(path)], catch_exceptions=False)


def test_a_pin_becomes_a_line_of_the_configuration() -> None:
    answer = CliRunner().invoke(kiosk, ["pin", "staff-7"], input="246810\n246810\n")
    assert '"staff-7" = "$argon2id$' in answer.output


def test_a_screen_whose_port_is_taken_gets_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        path = write(tmp_path / "kiosk.toml", "http://127.0.0.1:9", tmp_path / "state", f"[panel]\nport = {port}\n")
        command = [sys.executable, "-m", "muster", "kiosk", "run", "--config", str(path)]
        refused = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"muster: The screen cannot be served at 127.0.0.1:{port} (panel.port): Address already in use.\n"
    )


def test_a_running_kiosk_ends_in_order_on_sigterm(tmp_path: Path, real_center: RealCenter) -> None:
    """As the service manager does it: the process serves its screen, gets SIGTERM, and exits with 0."""
    site = real_center.new_site()
    state = tmp_path / "state"
    path = write(tmp_path / "kiosk.toml", real_center.url, state, '[sensor]\ndriver = "disabled"\n[panel]\nport = 0\n')
    site.pair_kiosk(load_config(path))
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(Path(root) / "muster.py"), "kiosk", "run", "--config", str(path)],
        stderr=subprocess.PIPE, text=True, cwd=root,
    ) as process:  # fmt: skip
        assert process.stderr is not None
        for line in process.stderr:
            if "kiosk_ready" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
    assert process.returncode == 0
