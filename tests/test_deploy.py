"""What stands in deploy/ is what systemd, udev and a shell understand, and says what the program knows."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
RULES = DEPLOY / "70-muster.rules"


def unit(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8").replace("\\\n", " ")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_systemd_understands_every_unit(path: Path, tmp_path: Path) -> None:
    """The programs and accounts of a kiosk are not on this machine, so their lines name some that are."""
    text = re.sub(r"(?m)^(ExecStart=)\S+", r"\1/bin/true", path.read_text("utf-8"))
    text = re.sub(r"(?m)^(User|Group)=.*", r"\1=root", text)
    text = re.sub(r"(?m)^Documentation=.*\n", "", text)
    copied = tmp_path / path.name
    copied.write_text(text, "utf-8")
    for other in UNITS:
        if other != path:
            (tmp_path / other.name).write_text("[Service]\nExecStart=/bin/true\n", "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copied)], capture_output=True, text=True, check=False, timeout=60
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if path.name in line or "muster" in line]
    assert (done.returncode, said) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_a_unit_with_a_slip_would_be_noticed(tmp_path: Path) -> None:
    """The check above can fail."""
    copied = tmp_path / "muster-kiosk.service"
    copied.write_text("[Service]\nExecStart=/bin/true\nWatchdogSek=30\nRestart=perhaps\n", "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copied)], capture_output=True, text=True, check=False, timeout=60
    )
    assert "WatchdogSek" in done.stdout + done.stderr


def test_the_kiosks_unit_waits_for_it_watches_it_and_brings_it_back() -> None:
    text = unit("muster-kiosk.service")
    for line in (
        "Type=notify",
        "Restart=always",
        "StartLimitIntervalSec=0",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ):
        assert f"\n{line}\n" in text
    assert re.search(r"\nWatchdogSec=\d+\n", text)


def test_the_screen_can_play_sound_without_a_touch_and_opens_the_panels_page() -> None:
    text = unit("muster-screen.service")
    assert "--kiosk" in text and "--autoplay-policy=no-user-gesture-required" in text and "/usr/bin/cage" in text
    from kiosk.config import PanelConfig

    assert f"http://127.0.0.1:{PanelConfig().port}/" in text


def test_what_the_units_start_are_commands_that_there_are() -> None:
    from kiosk.commands import DEFAULT_CONFIG, kiosk
    from web.center.commands import center

    assert f"muster kiosk run --config {DEFAULT_CONFIG}" in unit("muster-kiosk.service") and "run" in kiosk.commands
    assert "muster center run" in unit("muster-center.service") and "run" in center.commands


def test_the_names_that_udev_gives_are_those_that_the_drivers_expect() -> None:
    from hardware.drivers.sam_v import SamVReader

    links = set(re.findall(r'SYMLINK\+="([^"]+)"', RULES.read_text("utf-8")))
    assert links == {"muster-sensor", "muster-card", "muster-camera", "muster-printer"}
    assert SamVReader().info().device_id == "/dev/muster-card"


def test_every_rule_is_matches_then_assignments() -> None:
    pair = r'[A-Z_]+(\{[^}]+\})?(==|!=|\+=|=)"[^"]*"'
    for line in RULES.read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(rf"{pair}(, {pair})*", line), line


def test_a_dry_run_of_the_installer_says_everything_and_changes_nothing() -> None:
    if "ID=debian" not in Path("/etc/os-release").read_text("utf-8"):
        pytest.skip("the installer knows Debian only")
    for role in ("kiosk", "center"):
        done = subprocess.run(
            ["bash", str(DEPLOY / "install.sh"), "--dry-run", "--role", role],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert "nothing was changed" in done.stdout and "--require-hashes" in done.stdout
        assert f"deploy/muster-{role}.service" in done.stdout
    assert not Path("/etc/systemd/system/muster-kiosk.service").exists() or Path("/opt/muster").exists()


def test_the_services_find_the_networks_and_can_read_the_program_whatever_root_s_umask_is() -> None:
    """A center compares whoever is enrolled at its console; a copy may come from a stick where everybody may write."""
    script = (DEPLOY / "install.sh").read_text("utf-8")
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert commands[1].startswith("umask 022")
    for role in ("kiosk", "center"):
        assert "MUSTER_WEIGHTS=/opt/muster/weights" in unit(f"muster-{role}.service")
        done = subprocess.run(
            ["bash", str(DEPLOY / "install.sh"), "--dry-run", "--role", role],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        if "the script knows Debian 12" in done.stderr:
            pytest.skip("the installer knows Debian only")
        assert "muster weights fetch" in done.stdout
        assert "--chmod=u=rwX,go=rX" in done.stdout


def test_the_account_that_checks_by_hand_may_use_the_devices_that_the_unit_may() -> None:
    groups = re.search(r"\nSupplementaryGroups=(.*)\n", unit("muster-kiosk.service"))
    assert groups is not None
    assert f"usermod -aG {','.join(groups[1].split())} muster" in (DEPLOY / "install.sh").read_text("utf-8")


def test_the_installer_refuses_what_it_does_not_know_in_one_sentence() -> None:
    for arguments in (["--role", "toaster"], ["--rolle"], ["--role"]):
        done = subprocess.run(
            ["bash", str(DEPLOY / "install.sh"), *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 1 and "muster: " in done.stderr


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    done = subprocess.run(
        ["shellcheck", "-S", "style", str(DEPLOY / "install.sh"), str(ROOT / ".ci" / "run")],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == ""


def test_the_kiosk_may_ask_whether_its_clock_is_synchronised_and_cannot_set_it() -> None:
    """Refused, every event would say that nobody knows, and a doubt about the time would never end."""
    text = unit("muster-kiosk.service")
    assert not re.search(r"(?m)^ProtectClock=", text)
    assert re.search(r"(?m)^SystemCallFilter=.*\badjtimex clock_adjtime\b", text)
    assert re.search(r"(?m)^CapabilityBoundingSet=$", text)


def test_the_screens_session_finds_the_folder_of_its_socket() -> None:
    """ProtectHome= hides /run/user."""
    assert not re.search(r"(?m)^ProtectHome=", unit("muster-screen.service"))
