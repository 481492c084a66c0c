"""``muster evaluate background``: make the two moments that ``matcher.background`` ships. Keeps nobody's template."""

from __future__ import annotations

from pathlib import Path

import click

from matcher.evaluation.terminal import counted
from models.errors import InputError

_FILE = click.Path(path_type=Path)


@click.command("background")
@click.argument("folder", type=_FILE)
@click.option("--engine", default="sface", show_default=True, help="sface, dlib, onnx:FILE.toml, or a site's own.")
@click.option("--without", type=_FILE, help="A text file with the names of people to leave out, one a line.")
@click.option("--out", required=True, type=_FILE, help="Write mean and covariance here (.json).")
def background_command(folder: Path, engine: str, without: Path | None, out: Path) -> None:
    """Make a background of people in general of FOLDER, which holds <person>/<photographs>."""
    from matcher.background import background_of, save
    from matcher.evaluation.face_samples import mean_of_each_person

    with counted("photographs") as progress:
        means = mean_of_each_person(folder, engine, without=_names(without), progress=progress)
    made = background_of(means)
    try:
        save(made, out)
    except OSError as error:
        raise InputError(f"{out} cannot be written: {error.strerror}.") from error
    click.echo(f"{made.people} people, {len(made.mean)} dimensions: {out}")


def _names(file: Path | None) -> frozenset[str]:
    if file is None:
        return frozenset()
    try:
        return frozenset(line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as a list of names.") from error
