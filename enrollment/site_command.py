"""``muster evaluate site``: measure a site on what it enrolled. Owns options and output; refuses to compute anything.

It lives here because references open only with the site's key. It reads the center's database and writes nothing there.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from sqlalchemy import make_url, select
from sqlalchemy.orm import Session

from enrollment.commands import DEFAULT_DATABASE, keys_folder
from enrollment.repository import open_everyone
from enrollment.vault import SiteKey, Vault
from matcher.evaluation.destination import require_writable
from models.attendance import AttendanceEvent, utc_now
from models.biometrics import Modality, Reference
from models.errors import InputError
from models.store.center import EventRow, KioskRow, PersonRow, SiteRow
from models.store.engine import open_store, reading
from models.supervision import SitePolicy

_FOLDER = click.Path(path_type=Path)


@click.command("site")
@click.option("--site", "site_id", required=True, help="The site's code.")
@click.option("--database", default=DEFAULT_DATABASE, show_default=True, envvar="MUSTER_DATABASE")
@click.option("--keys", type=_FOLDER, help="Folder of the keys [keys beside the database].")
@click.option("--face-engine", default="sface", show_default=True)
@click.option("--finger-engine", default="minutiae", show_default=True)
@click.option("--json", "json_file", type=_FOLDER, help="Write the rates here as JSON.")
@click.option("--html", "html_file", type=_FOLDER, help="Write the report page here.")
@click.option("--language", type=click.Choice(["zh_CN", "en"]), default="zh_CN", show_default=True, help="Of the page.")
@click.option("--seed", default=1, show_default=True, help="Of the draws.")
@click.pass_context
def site_command(  # noqa: PLR0913 - one parameter an option
    context: click.Context, *, site_id: str, database: str, keys: Path | None, face_engine: str, finger_engine: str,
    json_file: Path | None, html_file: Path | None, language: str, seed: int,
) -> None:  # fmt: skip
    """Measure a site on its own references and visits: error rates, look-alikes, and what cannot be claimed."""
    from matcher.evaluation.site import measure_site

    require_writable(json_file, page=html_file)
    store = open_store(database, branch="center", create=False)
    with reading(store) as rows:
        policy = _policy(rows, site_id)  # first: a mistyped code is no missing key
    vault = Vault(SiteKey.load(keys_folder(database, keys) / "sites" / f"{site_id}.key"))
    now = utc_now()
    with reading(store) as rows:
        people = _people(rows, site_id, now)
        references = [
            item for item in open_everyone(rows, lambda _: vault, site_id=site_id) if item.person_id in people
        ]
        events = _events(rows, site_id)
    store.dispose()
    face, finger = context.obj.load_engine(face_engine), context.obj.load_engine(finger_engine)
    with _counted() as progress:
        measured = measure_site(
            references, face_engine=face, finger_engine=finger, policy=policy, now=now, seed=seed, events=events,
            progress=progress,
        )  # fmt: skip
    found = {"site": site_id, "enrolled": _enrolled(people, references), **measured.to_json()}
    text = json.dumps(found, ensure_ascii=False, indent=2)
    click.echo(text)  # first, so that what took minutes to measure is not lost with a file
    if json_file is not None:
        _write(json_file, text + "\n")
    if html_file is None:
        click.echo("Whether the thresholds in force are safe is said, in words, by the page of --html FILE.", err=True)
    else:
        _report(html_file, measured, site_id=site_id, seed=seed, now=now, language=language, database=database)
        click.echo(f"{html_file} shows it as a page.", err=True)


def _policy(rows: Session, site_id: str) -> SitePolicy:
    row = rows.get(SiteRow, site_id)
    if row is None:
        raise InputError(f"There is no site {site_id} at this center.", code="site_unknown")
    return SitePolicy.from_json(json.loads(row.policy_json))


def _people(rows: Session, site_id: str, now: datetime) -> set[str]:
    """Those whom the site's kiosks may find, by opaque id."""
    people = rows.scalars(select(PersonRow).where(PersonRow.site_id == site_id, PersonRow.active))
    return {row.person_id for row in people if row.term_end is None or row.term_end >= now.date()}


def _enrolled(people: set[str], references: list[Reference]) -> dict[str, int]:
    """How many people there are, and of how many there is a face or a finger."""
    of = {modality.value: {item.person_id for item in references if item.modality is modality} for modality in Modality}
    return {"people": len(people)} | {f"with_{name}": len(found) for name, found in of.items()}


def _events(rows: Session, site_id: str) -> list[AttendanceEvent]:
    query = select(EventRow.body).join(KioskRow, KioskRow.kiosk_id == EventRow.kiosk_id)
    bodies = rows.scalars(query.where(KioskRow.site_id == site_id).order_by(EventRow.leaf_index))
    return [AttendanceEvent.from_body(json.loads(body)) for body in bodies]


def _report(path: Path, measured: Any, *, site_id: str, seed: int, now: datetime, language: str, database: str) -> None:
    from matcher.evaluation.measured import Provenance, ReportInput, installed_version
    from matcher.evaluation.report import write_report

    origin = Provenance(command=_command(sys.argv[1:], database), seed=seed, version=installed_version(),
                        measured_at=now)  # fmt: skip
    found = tuple(one.measurement(site_id) for one in measured.modalities)
    write_report(path, ReportInput(measurements=found, provenance=origin, site=site_id), language=language)


def _command(arguments: Sequence[str], database: str) -> str:
    """The command as it was typed, without the password of the database: the page is handed on."""
    shown = make_url(database).render_as_string(hide_password=True)
    return " ".join(["muster", *(shlex.quote(word.replace(database, shown)) for word in arguments)])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


@contextmanager
def _counted() -> Iterator[Any]:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("fingers", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
