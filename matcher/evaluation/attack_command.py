"""``muster evaluate attack``. Owns its options and its table; measures nothing itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from matcher.evaluation.destination import require_writable
from models.errors import InputError

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("attack")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--network", type=_FILE, help="A network that tells living faces from pictures.  [default: an imported one]"
)
@click.option("--engine", default="sface", show_default=True, help="Whose detector finds the faces.")
@click.option("--json", "json_file", type=_FILE, help="Write the rates here as JSON.")
def attack_command(folder: Path, network: Path | None, engine: str, json_file: Path | None) -> None:
    """Measure presentation attacks on FOLDER: live/<recording>/<pictures>, and one folder per kind of attack."""
    from matcher.engines import load_engine
    from matcher.evaluation.attack import evaluate_attack, find_sequences
    from matcher.liveness_network import imported, open_network

    require_writable(json_file)
    find_sequences(folder)  # a mistyped folder is told before anything is loaded
    file = network or imported()
    loaded = open_network(file) if file is not None else None
    bar = Progress(
        TextColumn("pictures"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=Console(stderr=True)
    )
    with bar:
        task = bar.add_task("", total=None)
        found = evaluate_attack(
            folder,
            engine=load_engine(engine),
            network=loaded,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _show(found)
    if json_file is not None:
        try:
            json_file.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
        except OSError as error:
            raise InputError(f"{json_file} cannot be written: {error.strerror}.") from error


def _show(found: dict[str, Any]) -> None:
    console = Console()
    table = Table("", "kind", "rate", "95 %", "of", title=f"{found['sequences']} recordings")
    for name in ("with_network", "without_network"):
        block = found.get(name)
        if block is None:
            continue
        label = name.replace("_", " ")
        for kind, row in block["apcer_by_kind"].items():
            table.add_row(label, f"APCER {kind}", *_cells(row))
        for motion, row in block["apcer_by_motion"].items():
            table.add_row("", f"  moved as {motion}", *_cells(row))
        table.add_row("", "BPCER", *_cells(block["bona_fide"]))
    console.print(table)
    console.print(found["said"], highlight=False)


def _cells(row: dict[str, Any]) -> tuple[str, str, str]:
    return f"{100 * row['rate']:.1f} %", f"{100 * row['low']:.1f} - {100 * row['high']:.1f} %", str(row["sequences"])
