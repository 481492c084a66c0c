"""``muster evaluate second-opinion``. Owns its options and its table of groups; measures nothing itself."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from models.errors import InputError

_FILE = click.Path(path_type=Path, dir_okay=False)
_COLUMNS = ("group", "people", "pairs", "FMR alone", "with dlib", "FNMR alone", "with dlib", "")


@click.command("second-opinion")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--group", "groups", multiple=True, metavar="NAME=FILE", help="People of a group, a name a line.")
@click.option("--fmr", default=1e-3, show_default=True, type=click.FloatRange(0, 1, min_open=True, max_open=True))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Of halves and draws.")
@click.option("--write", "weight_file", type=_FILE, help="Write what was learned here, for the engine sface+dlib:FILE.")
def second_opinion_command(
    folder: Path, groups: tuple[str, ...], fmr: float, seed: int, weight_file: Path | None
) -> None:
    """Learn how much dlib should be heard beside SFace on FOLDER, and show what that does to each group."""
    from matcher.evaluation.second_opinion import evaluate_second_opinion

    members = dict(_group(text) for text in groups)
    bar = Progress(
        TextColumn("photographs"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(),
        console=Console(stderr=True),
    )  # fmt: skip
    with bar:
        task = bar.add_task("photographs", total=None)
        opinion = evaluate_second_opinion(
            folder,
            groups=members,
            target_fmr=fmr,
            seed=seed,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    table = Table(*_COLUMNS, title=f"dlib weighs {opinion.weight:.2f}, learned on {opinion.people} people")
    for item in opinion.effect:
        found = (item.fmr_first, item.fmr_fused, item.fnmr_first, item.fnmr_fused)
        rates = ["none" if rate is None else f"{100 * rate:.3f} %" for rate in found]
        worse = "worse" if item.worse else ""
        table.add_row(item.group, f"{item.people:,}", f"{item.impostor_comparisons:,}", *rates, worse)
    Console().print(table)
    if any(item.worse for item in opinion.effect):
        click.echo("The second opinion makes it worse for some; leave it off unless they are not this site's people.")
    if weight_file:
        try:
            weight_file.write_text(json.dumps(opinion.to_json(), indent=2) + "\n", "utf-8")
        except OSError as error:
            raise InputError(f"{weight_file} cannot be written: {error.strerror}.") from error


def _group(text: str) -> tuple[str, frozenset[str]]:
    name, equals, file = text.partition("=")
    if not equals or not name:
        raise InputError(f"A group is given as NAME=FILE, not {text!r}.")
    try:
        lines = Path(file).read_text("utf-8").splitlines()
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 text.") from error
    return name, frozenset(line.strip() for line in lines) - {""}
