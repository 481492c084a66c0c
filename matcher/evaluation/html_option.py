"""``--html``, ``--language``, ``--resume`` and ``--keep`` of the commands that measure folders. Owns the options.

The thresholds that a folder's page judges are those a kiosk would use before its site is calibrated: a claim checked at
an FMR of 1 in 1,000, and a search at an FPIR of 1 in 100 of as many people as the folder's galleries hold.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import click

from matcher.decision import identification_threshold, verification_threshold
from matcher.evaluation.measured import (
    Measurement,
    Provenance,
    ReportInput,
    ThresholdInForce,
    ThresholdUse,
    installed_version,
)
from matcher.evaluation.report import write_report
from matcher.evaluation.report.words import LANGUAGES
from matcher.evaluation.resume import ResumeFile, opened
from models.biometrics import TemplateFormat
from models.errors import ConfigurationError, InputError

WANTED_FMR, WANTED_FPIR = 1e-3, 1e-2
_FILE = click.Path(path_type=Path, dir_okay=False)

Command = TypeVar("Command", bound=Callable[..., None])


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """Where the page goes and in which language, and where templates are kept meanwhile."""

    html_file: Path | None
    language: str
    resume_file: Path | None
    keep: bool


def report_options(command: Command) -> Command:
    """Give a command the options of the page and of resuming."""
    for option in reversed(
        (
            click.option("--html", "html_file", type=_FILE, help="Write the report page here."),
            click.option("--language", default="zh_CN", show_default=True, type=click.Choice(LANGUAGES)),
            click.option("--resume", "resume_file", type=_FILE, help="Keep templates here while measuring, and go on "
                         "from them. They are biometric: the file is private, and removed when the run is done."),
            click.option("--keep", is_flag=True, help="Do not remove what --resume wrote."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@contextmanager
def resuming(options: PageOptions) -> Iterator[ResumeFile | None]:
    """The resume file while a command runs, or None. Raises InputError for ``--keep`` without one."""
    if options.resume_file is None:
        if options.keep:
            raise InputError("--keep says what becomes of the file of --resume; name one.")
        yield None
        return
    with opened(options.resume_file, keep=options.keep) as resume:
        yield resume


def thresholds(format: TemplateFormat, *, gallery: int | None) -> tuple[ThresholdInForce, ...]:
    """What an uncalibrated kiosk would use for templates of ``format``; nothing for a format nobody measured."""
    try:
        verify = verification_threshold(format, WANTED_FMR).threshold
        identify = identification_threshold(format, WANTED_FPIR, gallery).threshold if gallery else None
    except ConfigurationError:
        return ()
    found = [ThresholdInForce(use=ThresholdUse.VERIFY, threshold=verify, target=WANTED_FMR, origin="default")]
    if identify is not None:
        found.insert(
            0, ThresholdInForce(use=ThresholdUse.IDENTIFY, threshold=identify, target=WANTED_FPIR, origin="default")
        )
    return tuple(found)


def write_page(options: PageOptions, measured: Measurement, *, seed: int) -> None:
    """Write the page about one measured folder where one is wanted, with how to repeat it."""
    if options.html_file is None:
        return
    origin = Provenance(
        command=" ".join(["muster", *map(shlex.quote, sys.argv[1:])]),
        seed=seed,
        version=installed_version(),
        measured_at=datetime.now(UTC),
        weights=weights_used(measured.engine),
    )
    report = ReportInput(measurements=(measured,), provenance=origin)
    write_report(options.html_file, report, language=options.language)
    click.echo(f"{options.html_file} shows it as a page.", err=True)


def weights_used(engine: str) -> dict[str, str]:
    """The SHA-256 of each weights file of the manifest that an engine of Muster's own reads, by the file's name."""
    from matcher import weights

    names = {
        "sface": ("yunet", "sface"),
        "minutiae": ("leader",),
        "dlib": ("dlib_landmarks_5", "dlib_landmarks_68", "dlib_resnet"),
    }
    known = weights.manifest()
    short = engine.split("/", 1)[0].split(" ", 1)[0]
    return {known[name].file: known[name].sha256 for name in names.get(short, ()) if name in known}
