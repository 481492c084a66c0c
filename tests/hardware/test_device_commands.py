"""Trying a reader and a printer by hand, without showing anything of a card."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from hardware.device_commands import hardware
from hardware.simulation.printer_emulator import SimulatedPrinter
from hardware.simulation.sam_v_emulator import SamVEmulator
from hardware.simulation.sam_v_module import invented_card
from models.errors import DeviceNotFound, InputError


def test_a_card_that_can_be_read_is_said_so_and_nothing_of_it_is_shown(tmp_path: Path) -> None:
    with SamVEmulator(link=tmp_path / "card") as emulator:
        card = invented_card(5)
        emulator.lay(card)
        done = CliRunner().invoke(hardware, ["card", "--port", emulator.port])
        assert done.exit_code == 0 and "simulated reader" in done.output and "well-formed" in done.output
        assert card.number not in done.output and card.name not in done.output and card.address not in done.output
        done = CliRunner().invoke(hardware, ["card", "--port", emulator.port, "--wait", "0"])
        assert isinstance(done.exception, InputError)
    assert isinstance(CliRunner().invoke(hardware, ["card", "--port", str(tmp_path / "no")]).exception, DeviceNotFound)


def test_a_test_slip_is_printed() -> None:
    with SimulatedPrinter() as printer:
        done = CliRunner().invoke(hardware, ["receipt", "--connection", "network", "--address", printer.address])
        assert (done.exit_code, done.exception) == (0, None)
