"""``muster kiosk trials``. Owns its options and its table; tries nothing itself."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from models.errors import InputError

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command("trials")
@click.option("--faces", type=_FOLDER, help="Faces to show: a folder of pictures, or of one folder per person.")
@click.option(
    "--kinds", help="Kinds to try, with commas; 'attack' and 'genuine' stand for all of them.  [default: all]"
)
@click.option("--each", default=20, show_default=True, type=click.IntRange(1, 100_000), help="Visits of each kind.")
@click.option("--tries", default=3, show_default=True, type=click.IntRange(1, 3), help="Tries of a visit.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Repeats a run exactly.")
@click.option("--json", "json_file", type=_FILE, help="Write the figures here as JSON.")
@click.option("--partial", type=_FILE, help="Keep finished visits here and go on from there.")
@click.option("--alone", is_flag=True, help="Let every witness watch on until it has decided.")
@click.option("--breaks", metavar="WITNESS", help="Break this witness in every visit: nobody may be let through.")
@click.option("--network", type=_FILE, help="A passive network, as presentation.network of a kiosk.")
@click.option(
    "--detection-side", default=640, show_default=True, type=click.IntRange(160, 1920), help="As the engine's."
)
@click.option("--processes", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(1, 256))
def trials_command(
    faces: Path | None, kinds: str | None, json_file: Path | None, partial: Path | None, network: Path | None,
    processes: int, **chosen: Any,
) -> None:  # fmt: skip
    """Let simulated attackers and visitors try the presentation check, and count who gets through."""
    from kiosk.commands import set_log_level
    from kiosk.trials.results import summary
    from kiosk.trials.run import TrialPlan, run_trials

    set_log_level("critical" if chosen["breaks"] else "error")
    plan = TrialPlan(kinds=_named(kinds), faces=_text(faces), network=_text(network), **chosen)
    bar = Progress(
        TextColumn("simulated visits"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    began_s = time.monotonic()
    with bar:
        task = bar.add_task("")
        records = run_trials(
            plan, partial=partial, processes=processes, told=lambda n, of: bar.update(task, completed=n, total=of)
        )
    found = summary(records) | chosen | {"network": network is not None}
    if json_file is not None:
        _write(json_file, found)
    _print(found, seconds=time.monotonic() - began_s)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _named(kinds: str | None) -> tuple[str, ...]:
    """The suite's kinds that are asked for. Raises InputError with the known ones."""
    from hardware.simulation.behaviours import BEHAVIOURS, Truth

    suite = [item for item in BEHAVIOURS.values() if item.truth is not Truth.PLAIN]
    asked = [word.strip() for word in kinds.split(",")] if kinds else [Truth.ATTACK.value, Truth.GENUINE.value]
    chosen: dict[str, None] = {}
    for word in asked:
        found = [item.name for item in suite if word in (item.truth.value, item.name)]
        if not found:
            known = ", ".join(item.name for item in suite)
            raise InputError(f"There is no kind {word!r}; known: attack, genuine, {known}.", code="kind_unknown")
        chosen.update(dict.fromkeys(found))
    return tuple(chosen)


def _write(file: Path, found: dict[str, Any]) -> None:
    try:
        file.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.", code="file_unwritable") from error


def _print(found: dict[str, Any], *, seconds: float) -> None:
    console = Console()
    console.print(f"Simulated presentations, seed {found['seed']} ({seconds:.0f} s)", highlight=False)
    for title, side in (("APCER", "apcer"), ("BPCER", "bpcer")):
        if not found[side]:
            continue
        kinds = Column("kind", no_wrap=True)  # they differ at the end
        table = Table(kinds, title, "95 %", "of", "first try", "not acquired", "as the person shown", "median s")
        for kind, row in found[side].items():
            table.add_row(
                kind, _percent(row["rate"]), f"{_percent(row['low'])} - {_percent(row['high'])}",
                str(row["presentations"]), _percent(row["per_try"]["rate"]), str(row["not_acquired"]),
                str(row["matched"]), f"{found['seconds'][kind]:.1f}",
            )  # fmt: skip
        console.print(table)
    if found["alone"]:
        console.print(_alone(found["alone"]))


def _alone(alone: dict[str, Any]) -> Table:
    table = Table("witness alone", "highest APCER", "of kind", "highest BPCER", "of kind")
    for name, sides in alone.items():
        cells: list[str] = [name]
        for side in ("apcer", "bpcer"):
            rows = sides[side]
            kind = max(rows, key=lambda item: rows[item]["rate"]) if rows else ""
            cells += [_percent(rows[kind]["rate"]) if kind else "-", kind]
        table.add_row(*cells)
    return table


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{100 * rate:.1f} %"
