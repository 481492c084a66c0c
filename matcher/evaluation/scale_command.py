"""``muster evaluate scale``. Owns its options and its table; measures nothing itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from matcher.evaluation.destination import require_writable
from models.biometrics import Modality
from models.errors import InputError

_FILE = click.Path(path_type=Path, dir_okay=False)
_COLUMNS = ("references", "search ms", "95 %", "rank 1", "exhaustive", "enroll s", "MB", "index")


@click.command("scale")
@click.option("--modality", type=click.Choice([item.value for item in Modality]), required=True)
@click.option("--gallery", type=click.IntRange(min=2), required=True, help="References held.")
@click.option("--probes", default=400, show_default=True, type=click.IntRange(1, 100_000), help="Of enrolled people.")
@click.option("--exhaustive-probes", type=click.IntRange(1, 100_000), help="Fingers compared with everybody.")
@click.option("--unclear", is_flag=True, help="Also compare fingers with everybody that were found, but not clearly.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of the synthetic people.")
@click.option("--curve", is_flag=True, help="Also at 1,000, 2,000, 5,000 ... references.")
@click.option("--json", "json_file", type=_FILE, help="Write the figures here as JSON.")
@click.option("--svg", "svg_file", type=_FILE, help="Draw cost against size here; implies --curve.")
def scale_command(
    modality: str, gallery: int, probes: int, exhaustive_probes: int | None, unclear: bool, seed: int,
    curve: bool, json_file: Path | None, svg_file: Path | None,
) -> None:  # fmt: skip
    """Time enrollment and search on synthetic people, and weigh their memory."""
    from matcher.evaluation.scale import evaluate_scale
    from matcher.evaluation.scale_curve import curve_svg

    require_writable(json_file, svg_file)
    bar = Progress(
        TextColumn(f"synthetic {modality}s"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
    with bar:
        task = bar.add_task(modality, total=None)
        report = evaluate_scale(
            Modality(modality),
            gallery,
            probes=probes,
            seed=seed,
            curve=curve or svg_file is not None,
            exhaustive_probes=exhaustive_probes,
            unclear=unclear,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    _show(report)
    if json_file:
        _write(json_file, json.dumps(report, indent=2) + "\n")
    if svg_file:
        _write(svg_file, curve_svg(report))


def _show(report: dict[str, Any]) -> None:
    table = Table(*_COLUMNS, title=f"simulated: {report['population']}")
    for row in report.get("curve") or [report]:
        memory = "not known" if row["memory_mb"] is None else f"{row['memory_mb']:,.0f}"
        rates = f"{100 * row['rank1']:.1f} %", f"{100 * row['exhaustive_rank1']:.1f} %"
        times = f"{row['search_ms']['median']:.3f}", f"{row['search_ms']['p95']:.3f}"
        table.add_row(f"{row['gallery']:,}", *times, *rates, f"{row['enroll_s']:,.1f}", memory, row["index"])
    Console().print(table)
    if "rank1_of_all" in report:
        all_of_them, ratio = 100 * report["rank1_of_all"], 100 * report["rank1_ratio"]
        click.echo(
            f"Comparing with everybody: rank 1 {all_of_them:.1f} %; the search's rank 1 is {ratio:.1f} % of that."
        )
    if not report["one_core"]:
        click.echo("This system cannot keep a process on one core; the times may be those of several.")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}.") from error
