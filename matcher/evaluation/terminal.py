"""What a measurement shows on the terminal and writes as JSON. Owns tables and bars; refuses to compute anything."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from models.errors import InputError

_SHOWN_AS = {"held_out": "every third finger:"}  # of JSON's names, what an office would not understand
_IMPOSTORS = ("all_impostor", "impostor")
_RULE_OF_THREE = 3.0


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that counts ``what``; yields the function that moves it (done, in all)."""
    with bar(TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def bar(*columns: Any) -> Progress:
    """A progress bar on stderr."""
    return Progress(*columns, console=Console(stderr=True))


def finish(report: dict[str, Any], json_file: Path | None) -> None:
    """Show a report as a table and write it as JSON. Raises InputError if the file cannot be written."""
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


def _leaves(report: dict[str, Any], prefix: str = "", impostors: int | None = None) -> Iterator[tuple[str, str]]:
    impostors = _impostors(report, impostors)
    for name, value in report.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{_SHOWN_AS.get(name, name)} ", impostors)
        elif prefix or name not in ("modality", "engine"):
            claim = _claim(name, impostors) if prefix.endswith("fnmr_at_fmr ") and value is not None else ""
            yield f"{prefix}{name}", _shown(f"{prefix}{name}", value) + claim


def _impostors(report: dict[str, Any], before: int | None) -> int | None:
    """How many comparisons of different people a part of a report rests on, or the whole of it."""
    counts = report.get("comparisons")
    for part in (report, counts if isinstance(counts, dict) else {}):
        for name in _IMPOSTORS:
            if isinstance(part.get(name), int):
                return int(part[name])
    return before


def _claim(fmr: str, impostors: int | None) -> str:
    """What so few comparisons cannot show: none of n was false says of a rate only that it is below 3 / n."""
    if impostors is None or impostors * float(fmr) >= _RULE_OF_THREE:
        return ""
    return f" (no claim: {impostors:,} comparisons are too few for this rate)"


def _shown(name: str, value: Any) -> str:
    if value is None:
        return "not measured"
    if not isinstance(value, float):
        return str(value)
    if name.endswith("threshold"):
        return f"{value:.4g}"
    if name.endswith(("_per_s", "ratio")):
        return f"{value:.3g}"
    return f"{value:.1f} ms" if name.startswith("latency_ms") else f"{100 * value:.3f} %"
