"""``muster kiosk``: run the station, check it, pair it, look at its outbox. Owns options and tables, no rule."""

from __future__ import annotations

import logging
import secrets
import sys
import threading
from pathlib import Path

import click
import structlog
from argon2 import PasswordHasher
from rich.console import Console
from rich.table import Table

from kiosk.app import Kiosk
from kiosk.check import check_kiosk
from kiosk.clock import Clock
from kiosk.config import KioskConfig, load_config
from kiosk.journal import Journal
from kiosk.keys import (
    AGREEMENT_FILE,
    PAIRING_FILE,
    SIGNING_FILE,
    KioskKeys,
    hold_state_dir,
    load_pairing,
    make_state_dir,
)
from kiosk.pairing import pair as pair_with_center
from kiosk.parcels import ParcelQueue
from kiosk.trials.command import trials_command
from kiosk.voices_command import voices_command
from models.errors import InputError, StoreError
from models.store.engine import open_store

_RUNS = "This kiosk runs already: type the digits on its own screen, or stop it before it is paired here."
DEFAULT_CONFIG = Path("/etc/muster/kiosk.toml")

_config_option = click.option(
    "--config",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    default=DEFAULT_CONFIG,
    show_default=True,
    help="The kiosk's configuration.",
)


@click.group()
def kiosk() -> None:
    """The station: run it, check its devices."""


kiosk.add_command(trials_command)
kiosk.add_command(voices_command)


@kiosk.command()
@_config_option
def run(path: Path) -> None:
    """Run the kiosk until SIGTERM; the screen is served to this machine only."""
    config = load_config(path)
    set_log_level(config.kiosk.log_level)
    logging.getLogger("waitress").setLevel(logging.ERROR)  # it warns of the page's open streams at every stop
    logging.getLogger("waitress.queue").setLevel(logging.WARNING)
    sys.exit(Kiosk(config).run())


@kiosk.command()
@_config_option
def check(path: Path) -> None:
    """Test devices, weights, disk, journal, center and clock; say in plain words what is wrong and what to do."""
    config = load_config(path)
    set_log_level("error")
    console = Console(highlight=False)
    failed = False
    for line in check_kiosk(config):
        sign = "[green]ok[/]  " if line.ok else "[red]FAIL[/]" if line.fatal else "[yellow]note[/]"
        console.print(f"{sign} {line.what}: ", end="")
        console.print(line.said, markup=False, soft_wrap=True)
        if line.advice and not line.ok:
            console.print(f"     -> {line.advice}", markup=False, soft_wrap=True)
        failed = failed or (line.fatal and not line.ok)
    sys.exit(1 if failed else 0)


@kiosk.command()
@_config_option
def pair(path: Path) -> None:
    """Pair with the center: compare the digits shown here with those at the console; ends once an admin approved."""
    config = load_config(path)
    set_log_level("warning")
    make_state_dir(config.state_dir)
    shown: set[str] = set()

    def show(code: str | None, hint: str | None) -> None:
        if code and code not in shown:
            shown.add(code)
            click.echo(f"Type these digits into the center's console (Kiosks, pair): {code}")

    with hold_state_dir(config.state_dir, _RUNS):
        before = load_pairing(config.state_dir)
        if before is not None and before.status == "approved":
            raise InputError("This kiosk is paired already; revoke it at the center's console first.", code="paired")
        if before is not None and before.status == "revoked":
            _put_aside(config)
        keys = KioskKeys.load_or_create(config.state_dir)
        done = pair_with_center(config, keys, clock=Clock.of_this_machine(), show=show, stopping=threading.Event())
    if done is not None:
        click.echo(f"Paired as {done.kiosk_id}.")


@kiosk.command()
@_config_option
@click.option("--release", is_flag=True, help="Send what the center refused once more.")
def status(path: Path, release: bool) -> None:
    """What waits for the center, and what the center refused."""
    config = load_config(path)
    pairing = load_pairing(config.state_dir)
    if pairing is None or not pairing.kiosk_id:
        raise InputError("This kiosk is not paired, so it has no journal.", code="not_paired")
    keys = KioskKeys.load_or_create(config.state_dir)
    store = open_store(config.store_url(pairing.kiosk_id), branch="kiosk")
    try:
        journal = Journal(store, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=Clock.of_this_machine())
        parcels = ParcelQueue(store)
        if release:
            click.echo(f"{journal.release()} events will be sent again.")
            click.echo(f"{parcels.release()} sealed parcels will be sent again.")
        _print_status(pairing.kiosk_id, pairing.status, journal)
        _print_parcels(parcels)
    finally:
        store.dispose()


@kiosk.command()
@click.argument("staff_id")
def pin(staff_id: str) -> None:
    """Ask for a staff member's PIN and print the line that belongs under [witnesses] in the configuration."""
    secret: str = click.prompt("PIN (at least 6 digits)", hide_input=True, confirmation_prompt=True)
    if not (secret.isascii() and secret.isdigit() and len(secret) >= 6):
        raise InputError("A PIN has at least 6 digits and nothing else.", code="pin_invalid")
    if not staff_id.isprintable() or '"' in staff_id or "\\" in staff_id:
        raise InputError("A staff id has no quotes and no control characters.", code="staff_invalid")
    click.echo(f'"{staff_id}" = "{PasswordHasher().hash(secret)}"')


def _print_status(kiosk_id: str, pairing_status: str, journal: Journal) -> None:
    counts = journal.counts()
    click.echo(f"Kiosk {kiosk_id} ({pairing_status})")
    click.echo(f"delivered {counts.delivered}, pending {counts.pending}, quarantined {counts.quarantined}")
    held = journal.quarantined()
    if held:
        table = Table("No.", "event", "the center said")
        for item in held:
            table.add_row(str(item.seq), item.event_id, item.error)
        Console().print(table)


def _print_parcels(parcels: ParcelQueue) -> None:
    counts = parcels.counts()
    click.echo(f"sealed parcels: pending {counts.pending}, quarantined {counts.quarantined}")
    held = parcels.refused()
    if held:
        table = Table("parcel", "kind", "the center said")
        for item in held:
            table.add_row(item.parcel_id, item.kind, item.error)
        Console().print(table)


def _put_aside(config: KioskConfig) -> None:
    """A revoked kiosk begins anew with new keys; the old ones stay beside them, for whatever they signed."""
    mark = secrets.token_hex(4)
    try:
        for name in (PAIRING_FILE, SIGNING_FILE, AGREEMENT_FILE):
            (config.state_dir / name).rename(config.state_dir / f"{name}.revoked-{mark}")
    except OSError as error:
        raise StoreError(f"The keys of before cannot be put aside: {error.strerror}.") from error


def set_log_level(level: str) -> None:
    """One event per line on stderr, from this level on; colors only on a terminal."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
