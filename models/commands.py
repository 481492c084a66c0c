"""``muster ledger``: export the ledger and verify what was exported. Owns the words of these commands only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.attendance import format_time
from models.bundle import verify_bundle
from models.errors import InputError
from models.export import export_bundle
from models.receipt import Receipt
from models.receipt_check import check_receipt
from models.store.engine import open_store, reading
from models.verdict import VerificationReport
from models.wire import decode_key

DEFAULT_DATABASE = "sqlite:///var/center.db"  # where ``muster center`` keeps it


@click.group()
def ledger() -> None:
    """Export and verify the attendance ledger."""


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--database",
    envvar="MUSTER_DATABASE",
    default=DEFAULT_DATABASE,
    show_default=True,
    help="Address of the center's store.",
)
def export(file: Path, database: str) -> None:
    """Write every signed record to FILE, with the keys and signatures that prove it."""
    engine = open_store(database, branch="center", create=False)
    with reading(engine) as session, _bar("exporting") as progress:
        exported = export_bundle(session, file, progress=progress)
    engine.dispose()
    click.echo(f"{file}: {exported.events} events, {exported.heads} tree heads.")
    if exported.unsigned:
        click.echo(f"{exported.unsigned} newer events are not signed yet and stayed out.")


@ledger.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--center-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the center's public key (base64url or PEM), got on another way than the bundle.",
)
def verify(file: Path, center_key: Path | None) -> None:
    """Check FILE with no database and no network; exit 0 only if every record holds.

    Names the first record that was altered, forged, dropped, inserted, moved or cut off. Records count from 0.
    """
    pinned = None if center_key is None else read_center_key(center_key)
    with _bar("verifying") as progress:
        report = verify_bundle(file, center_key=pinned, progress=progress)
    for line in describe(report):
        click.echo(line)
    if not report.ok:
        sys.exit(1)


@ledger.command()
@click.argument("code")
@click.option(
    "--bundle",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="An exported ledger, made with `muster ledger export`.",
)
@click.option(
    "--center-key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File with the center's public key (base64url or PEM), got on another way than the bundle.",
)
def receipt(code: str, bundle: Path, center_key: Path | None) -> None:
    """Hold the CODE of a receipt's symbol against an exported ledger, with no database and no network.

    CODE is the text that a phone or a scanner reads; - takes it from standard input. Exit 0 only if the record that
    the receipt stands for is in the ledger, unaltered.
    """
    parsed = Receipt.parse(sys.stdin.readline() if code == "-" else code)
    pinned = None if center_key is None else read_center_key(center_key)
    with _bar("verifying") as progress:
        report = check_receipt(parsed, bundle, center_key=pinned, progress=progress)
    click.echo(f"{'VERIFIED' if report.ok else 'NOT VERIFIED'}: {report.sentence}")
    if not report.pinned:
        click.echo("The center's key was taken from the bundle itself and not checked; give it with --center-key.")
    if not report.ok:
        sys.exit(1)


def describe(report: VerificationReport) -> Iterator[str]:
    """The report as lines of text."""
    if report.finding is not None:
        yield f"NOT VERIFIED: {report.finding}"
        yield f"{report.events} of {report.size} events hold before it."
    else:
        yield f"VERIFIED: {report.events} events of {report.kiosks} kiosks, {report.heads} tree heads."
    if report.signed_at is not None:
        yield f"The newest tree head was signed at {format_time(report.signed_at)}."
    if report.center_key_pinned:
        yield "The center's key is the one given."
    elif report.center_key:
        yield f"The center's key was taken from the bundle itself and not checked: {report.center_key}"
        yield "Whoever made the bundle could have replaced it; give the real one with --center-key."


def read_center_key(path: Path) -> Ed25519PublicKey:
    """The public key in a file, as base64url of its 32 bytes or as PEM. Raises InputError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise InputError(f"The key file {path.name} cannot be read: {reason}.") from error
    try:
        if content.lstrip().startswith(b"-----BEGIN"):
            key = load_pem_public_key(content)
            if isinstance(key, Ed25519PublicKey):
                return key
            raise InputError("another kind of key")
        return decode_key(content.decode("ascii").strip())
    except (InputError, ValueError, UnsupportedAlgorithm) as error:
        raise InputError(f"The file {path.name} holds no Ed25519 public key.", code="key_malformed") from error


@contextmanager
def _bar(task: str) -> Iterator[Callable[[int, int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        running = bar.add_task(task, total=None)

        def progress(done: int, of: int) -> None:
            if done % 100 == 0 or done == of:
                bar.update(running, completed=done, total=of)

        yield progress
