"""``muster template``: finger templates as files for other systems. Owns the command's words; computes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from models.biometrics import FingerPosition
from models.errors import InputError, TemplateError

_FILE = click.Path(path_type=Path)
_FINGERS = [position.name.lower() for position in FingerPosition]


@click.group()
def template() -> None:
    """Write and read finger minutiae records (ISO/IEC 19794-2:2005)."""


@template.command("write")
@click.argument("pictures", nargs=-1, required=True, type=_FILE)
@click.argument("file", type=_FILE)
@click.option("--dpi", default=500, show_default=True, type=click.IntRange(100, 4000), help="Of the pictures.")
@click.option(
    "--finger", default="unknown", show_default=True, type=click.Choice(_FINGERS), help="Which one they show."
)
def write_command(pictures: tuple[Path, ...], file: Path, dpi: int, finger: str) -> None:
    """Write the minutiae of PICTURES of one finger into FILE, one view each. FILE is biometric: keep it accordingly."""
    from matcher.engines.minutiae import MinutiaeEngine
    from matcher.iso_record import record_of, write_record
    from matcher.pictures import read_gray

    _refuse_foreign(file)
    engine, position = MinutiaeEngine(), FingerPosition[finger.upper()]
    found = [engine.minutiae(engine.extract(read_gray(picture), dpi=dpi)) for picture in pictures]
    for picture, minutiae in zip(pictures, found, strict=True):
        if not len(minutiae.xy):
            raise InputError(f"{picture.name} shows no finger.")
    content = write_record(record_of([(position, minutiae) for minutiae in found]))
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            os.fchmod(stream.fileno(), 0o600)  # also a file that was there, open to others
            stream.write(content)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"{file}: {len(content)} bytes, {', '.join(str(len(minutiae.xy)) for minutiae in found)} minutiae")


def _refuse_foreign(file: Path) -> None:
    """Keep the last picture of somebody who forgot to name FILE. Raises InputError."""
    if not file.is_file():
        return
    try:
        with file.open("rb") as stream:
            begins = stream.read(4)
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error
    if begins != b"FMR\0":
        raise InputError(f"{file} is no finger minutiae record and is not written over; name the new FILE last.")


@template.command("read")
@click.argument("file", type=_FILE)
def read_command(file: Path) -> None:
    """Say what the finger minutiae record in FILE holds."""
    from matcher.iso_record import read_nbis_record, read_record

    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    try:
        record = read_record(content)
    except TemplateError as problem:
        try:
            record = read_nbis_record(content)
        except TemplateError:
            raise problem from None
        click.echo("Not conformant: a record as nbis-py writes it.")
    width, height = record.size
    title = f"{width} × {height} pixels, {record.resolution[0]} × {record.resolution[1]} per cm"
    table = Table("finger", "view", "quality", "minutiae", "endings", "bifurcations", "extended bytes", title=title)
    for view in record.views:
        counts = (len(view.xy), (view.kind == 1).sum(), (view.kind == 2).sum(), len(view.extended))
        table.add_row(view.position.name.lower(), f"{view.number}", f"{view.finger_quality}", *map(str, counts))
    Console().print(table)
