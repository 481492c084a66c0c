"""``muster hardware``: try a card reader or a receipt printer by hand, or be a card reader. Owns words on the terminal.

Nothing of a card is shown but that it could be read: a terminal has bystanders, too.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from hardware.drivers import CARD_READERS, make_card_reader, make_printer
from hardware.ports import Slip
from hardware.simulation.sam_v_emulator import SamVEmulator
from hardware.simulation.sam_v_module import invented_card
from models.errors import CaptureRetry, InputError
from models.id_card import checked_number

_TURN_S = 3.0


@click.group()
def hardware() -> None:
    """Card readers and receipt printers: try them, simulate them."""


@hardware.command()
@click.option("--port", default="/dev/muster-card", show_default=True, help="The reader's serial port.")
@click.option(
    "--driver", default="sam_v", show_default=True, type=click.Choice(sorted(set(CARD_READERS) - {"disabled"}))
)
@click.option("--wait", "wait_s", default=15.0, show_default=True, help="How many seconds to wait for a card.")
def card(port: str, driver: str, wait_s: float) -> None:
    """Say what answers at a port, and whether a card that is laid on can be read. Shows nothing of the card."""
    reader = make_card_reader(driver, port=port)
    reader.open()
    try:
        info = reader.info()
        click.echo(f"{port}: {'simulated reader' if info.simulated else 'reader'}, {info.description}")
        click.echo(f"Lay a card on within {wait_s:g} s.")
        found = reader.read(timeout_s=wait_s)
    except CaptureRetry as retry:
        raise InputError("A card was there, but it was taken away too soon.", code="card_unread") from retry
    finally:
        reader.close()
    if found is None:
        raise InputError("No card was laid on.", code="card_missing")
    try:
        checked_number(found.number)
        number = "its number is well-formed"
    except InputError:
        number = "its number is none that a kiosk can claim with"
    click.echo(f"A card was read ({found.kind.name.lower()}); {number}.")


@hardware.command()
@click.option("--connection", default="usb", show_default=True, type=click.Choice(["usb", "network", "file"]))
@click.option("--address", required=True, help="04b8:0e15, 192.168.1.20:9100 or /dev/usb/lp0.")
@click.option("--text", default="gb18030", show_default=True, type=click.Choice(["gb18030", "raster"]))
@click.option("--width", "width_px", default=576, show_default=True, help="Dots across: 576 for 80 mm, 384 for 58 mm.")
def receipt(connection: str, address: str, text: str, width_px: int) -> None:
    """Print a slip that proves nothing, to see Chinese letters, the symbol and the cut."""
    printer = make_printer("escpos", connection=connection, address=address, text=text, width_px=width_px)
    printer.open()
    try:
        printer.print(
            Slip("试打 TEST", ("汉字 ABC 0123456789",), symbol="MUSTER TEST", foot=("不作凭证 not a receipt",))
        )
    finally:
        printer.close()
    click.echo("A test slip was sent; look at its letters and scan its symbol.")


@hardware.command("simulate-card")
@click.option("--link", type=click.Path(path_type=Path), help="A symbolic link to make to the terminal.")
@click.option("--turns", default=0, help="How many cards to lay on before ending; 0 goes on until Ctrl-C.")
def simulate_card(link: Path | None, turns: int) -> None:
    """Be a card reader at a pseudo-terminal, with cards of invented people laid on in turn."""
    with SamVEmulator(link=link) as emulator:
        click.echo(f"A simulated card reader answers at {emulator.port}; Ctrl-C ends it.")
        turn = 0
        try:
            while turns == 0 or turn < turns:
                turn += 1
                emulator.lay(invented_card(turn))
                click.echo(f"invented card {turn} lies on the reader")
                time.sleep(_TURN_S)
                emulator.take()
                time.sleep(_TURN_S / 3)
        except KeyboardInterrupt:
            click.echo("The reader is switched off.")
