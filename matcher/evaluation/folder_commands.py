"""``muster evaluate face`` and ``muster evaluate finger``. Owns their options; measures nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from matcher.evaluation.destination import require_writable
from matcher.evaluation.html_option import PageOptions, report_options, resuming, thresholds, write_page
from matcher.evaluation.measured import Measurement
from matcher.evaluation.terminal import counted, finish
from models.biometrics import Modality

_FOLDER = click.Path(path_type=Path)


@click.command("face")
@click.argument("folder", type=_FOLDER)
@click.option("--also", multiple=True, type=_FOLDER, help="Apply the threshold chosen on FOLDER to this one too.")
@click.option("--engine", default="sface", show_default=True, help="sface, dlib, onnx:FILE.toml, or a site's own.")
@click.option("--json", "json_file", type=_FOLDER, help="Write the rates here as JSON.")
@click.option("--draws", default=30, show_default=True, type=click.IntRange(1, 1000), help="Random galleries.")
@click.option("--seed", default=1, show_default=True, help="Of the draws and of the intervals.")
@report_options
def face_command(
    folder: Path, also: tuple[Path, ...], engine: str, json_file: Path | None, draws: int, seed: int, **page: Any
) -> None:
    """Measure a face engine on FOLDER: <person>/<photographs> or <person>_<x>_<y>_<z>/<frames>, there or in images."""
    from matcher.evaluation.face import measure_face
    from matcher.evaluation.face_samples import loaded

    options = PageOptions(**page)
    require_writable(json_file, page=options.html_file)
    with resuming(options) as resume:
        with counted("photographs") as progress:
            found = measure_face(
                folder, also=also, engine=engine, draws=draws, seed=seed, progress=progress, resume=resume
            )
        finish(found.report, json_file)
        format = loaded(engine).format
        measured = Measurement(
            modality=Modality.FACE,
            engine=f"{engine} ({format})",
            collection=folder.name,
            comparisons=found.comparisons,
            acquisition=found.acquisition,
            searches=found.searches,
            thresholds=thresholds(format, gallery=found.searches.gallery if found.searches else None),
            transfer=found.report.get("transfer"),
        )
        write_page(options, measured, seed=seed)


@click.command("finger")
@click.argument("folder", type=_FOLDER)
@click.option("--engine", default="minutiae", show_default=True, help="minutiae, or a site's own.")
@click.option("--dpi", default=500, show_default=True, type=click.IntRange(100, 2000), help="Of the pictures.")
@click.option("--cropped", is_flag=True, help="Only the middle 256x288 pixels in 16 grays, as a small sensor sends.")
@click.option("--beside", type=click.Choice(["nbis"]), help="Let this library do the same, for comparison.")
@click.option("--json", "json_file", type=_FOLDER, help="Write the rates here as JSON.")
@click.option("--seed", default=1, show_default=True, help="Of the intervals of the page.")
@report_options
def finger_command(
    folder: Path, engine: str, dpi: int, cropped: bool, beside: str | None, json_file: Path | None, seed: int,
    **page: Any,
) -> None:  # fmt: skip
    """Measure a finger engine on FOLDER, which holds <finger>_<impression> pictures."""
    from matcher.evaluation.finger import engine_named, measure_finger

    options = PageOptions(**page)
    require_writable(json_file, page=options.html_file)
    with resuming(options) as resume:
        with counted("steps") as progress:
            found = measure_finger(folder, engine=engine, dpi=dpi, cropped=cropped, beside=beside, progress=progress,
                                   resume=resume)  # fmt: skip
        finish(found.report, json_file)
        format = engine_named(engine).format
        measured = Measurement(
            modality=Modality.FINGER,
            engine=f"{engine} ({format})",
            collection=folder.name,
            comparisons=found.comparisons,
            acquisition=found.acquisition,
            thresholds=thresholds(format, gallery=None),
            persons_are="fingers",
        )
        write_page(options, measured, seed=seed)
