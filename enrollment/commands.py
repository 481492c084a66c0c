"""``muster enroll``: a person enrolled at the center, from pictures and from devices. Owns this command's words only.

The rules are ``enrollment.session``'s, the same as on the console and at a kiosk; pictures are read and let go.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import click
from rich.console import Console
from rich.progress import track
from sqlalchemy import Engine, or_, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from enrollment.duplicates import Duplicate
from enrollment.live import LiveOptions, said
from enrollment.notice import MissingReason, Notice, check_notice
from enrollment.repository import (
    open_everyone,
    person_by_number,
    person_of,
    save_enrollment,
    sealed_references,
    wrapped_key_of,
)
from enrollment.samples import EnrollmentPlan, SampleVerdict
from enrollment.session import EnrollmentSession
from enrollment.vault import SiteKey, Vault
from matcher.gallery import Gallery
from matcher.pictures import read_gray, read_rgb
from models.attendance import utc_now
from models.biometrics import BiometricSample, FingerPosition, Modality
from models.errors import ConfigurationError, InputError
from models.people import Category, Person, SupervisionLevel, check_name, check_number
from models.store.center import PersonRow, SiteRow, StaffRow
from models.store.engine import open_store, reading, sqlite_path, writing

DEFAULT_DATABASE = "sqlite:///var/center.db"  # where ``muster center`` keeps it
_Item = TypeVar("_Item")
_ENROLLING = frozenset({"admin", "staff"})
_POSITIONS = {position.name.lower(): position for position in FingerPosition if position is not FingerPosition.UNKNOWN}


@click.command()
@click.argument("person_number")
@click.option("--site", "site_id", required=True, help="The site's code.")
@click.option("--face", "faces", multiple=True, type=click.Path(path_type=Path), help="A face; 3 to 5 of them.")
@click.option("--finger", "fingers", multiple=True, metavar="POSITION=FILE", help="e.g. right_index=a.png; 2 x 3.")
@click.option("--dpi", default=500, show_default=True, type=click.IntRange(100, 2000), help="Of the finger pictures.")
@click.option("--camera", metavar="N|recorded:PATH", help="Take 3 to 5 faces with this camera.")
@click.option("--sensor", metavar="[DRIVER:]PORT", help="Take fingers with this sensor; e.g. /dev/ttyUSB0.")
@click.option(
    "--finger-position",
    "positions",
    multiple=True,
    type=click.Choice(list(_POSITIONS)),
    metavar="POSITION",
    help="Fingers to take with the sensor [right_index, left_index].",
)
@click.option("--sensor-baud", default=57_600, show_default=True, help="The sensor's speed.")
@click.option("--sensor-password", default=0, envvar="MUSTER_SENSOR_PASSWORD", help="The sensor's password, a number.")
@click.option("--notice", "notice_version", required=True, help="Version of the notice that the person was given.")
@click.option("--language", default="zh_CN", show_default=True, help="The notice's language.")
@click.option("--staff", required=True, help="Who gave the notice and enrolls: a staff member's login.")
@click.option("--missing-reason", type=click.Choice([reason.value for reason in MissingReason]))
@click.option(
    "--duplicates-reviewed", is_flag=True, help="The staff member looked at the people who match, and goes on."
)
@click.option("--name", help="Enter the person under this name if the number is not known yet.")
@click.option("--replace", is_flag=True, help="End the earlier references of what is taken now.")
@click.option("--database", default=DEFAULT_DATABASE, show_default=True, envvar="MUSTER_DATABASE")
@click.option("--keys", type=click.Path(path_type=Path), help="Folder of the keys [keys beside the database].")
@click.option("--face-engine", default="sface", show_default=True)
@click.option("--finger-engine", default="minutiae", show_default=True)
@click.pass_context
def enroll(  # noqa: PLR0913 - one parameter an option
    context: click.Context,
    *,
    person_number: str,
    site_id: str,
    faces: tuple[Path, ...],
    fingers: tuple[str, ...],
    dpi: int,
    camera: str | None,
    sensor: str | None,
    positions: tuple[str, ...],
    sensor_baud: int,
    sensor_password: int,
    notice_version: str,
    language: str,
    staff: str,
    missing_reason: str | None,
    duplicates_reviewed: bool,
    name: str | None,
    replace: bool,
    database: str,
    keys: Path | None,
    face_engine: str,
    finger_engine: str,
) -> None:
    """Enroll the person with PERSON_NUMBER from pictures of face and fingers, or live from camera and sensor."""
    prints = [_position_and_file(text) for text in fingers]
    line = {"baud": sensor_baud, "password": sensor_password}
    live = LiveOptions(camera, sensor, tuple(_POSITIONS[name] for name in positions), line)
    live.check({position for position, _ in prints}, EnrollmentPlan())
    reason = None if missing_reason is None else MissingReason(missing_reason)
    store = open_store(database, branch="center", create=False)
    folder = keys_folder(database, keys)
    with reading(store) as rows:
        person, new = _person(rows, check_number(person_number), site_id, name)
        taken = {Modality.FACE} if faces or camera else set()
        taken |= {Modality.FINGER} if prints or sensor else set()
        _ended(rows, person, taken, replace=replace)
        staff_id = _staff_id(rows, staff, site_id=site_id)
        notice = Notice(notice_version, language, utc_now(), staff_id)
        check_notice(notice, now=notice.given_at)  # nobody lays a finger on before that
    face, finger = context.obj.load_engine(face_engine), context.obj.load_engine(finger_engine)
    session = _session(store, person, folder, face, finger)
    with ExitStack() as closing:
        devices = live.open(closing, click.echo)
        _take(session, faces, prints, dpi=dpi)
        devices.feed(session)
    cleared_by = staff_id if duplicates_reviewed else None
    try:
        enrollment = session.complete(notice, missing_reason=reason, cleared_by=cleared_by)
    except InputError as error:
        if error.code == "duplicate_found":
            _show_alike(store, session.duplicates())
        raise
    with writing(store) as rows:
        if new is not None:
            rows.add(new)
            rows.flush()
        modalities = {item.modality for item in enrollment.references}
        ended = _ended(rows, person, modalities, replace=replace)  # a colleague may have been faster
        save_enrollment(rows, enrollment)
    store.dispose()
    earlier = f"; {ended} earlier ones ended" if ended else ""
    click.echo(f"Enrolled: {len(enrollment.references)} references, sealed{earlier}.")


def _ended(rows: Session, person: Person, taken: set[Modality], *, replace: bool) -> int:
    """How many references in force this enrollment ends. Raises InputError if there are any and nobody said so."""
    before = sealed_references(rows, person.person_id)
    ended = sum(item.revoked_at is None and item.modality in taken for item in before)
    if ended and not replace:
        raise InputError(
            f"Whoever has this number is enrolled already, with {ended} references of this kind: check the number, or "
            "end them with --replace.",
            code="enrolled_already",
        )
    return ended


def _session(store: Engine, person: Person, folder: Path, face: Any, finger: Any) -> EnrollmentSession:
    def vault_of(site_id: str) -> Vault:
        return Vault(SiteKey.load(folder / "sites" / f"{site_id}.key"))

    everyone = Gallery(face_engine=face, finger_engine=finger)
    with reading(store) as rows:
        everyone.replace(open_everyone(rows, vault_of))
        wrapped = wrapped_key_of(rows, person.person_id)
    return EnrollmentSession(
        person.person_id,
        face_engine=face,
        finger_engine=finger,
        everyone=everyone,
        vault=vault_of(person.site_id),
        wrapped=wrapped,
    )


def _show_alike(store: Engine, alike: tuple[Duplicate, ...]) -> None:
    """Who matches, for the staff member who has to look at them, beside the one sentence that refuses."""
    with reading(store) as rows:
        for found in alike:
            person = rows.get(PersonRow, found.person_id)
            if person is not None:
                click.echo(f"Alike: number {person.number} at {person.site_id}, by {found.modality.value}.")
    click.echo("Look at them; if it is somebody else, add --duplicates-reviewed.")


def _take(
    session: EnrollmentSession, faces: tuple[Path, ...], prints: list[tuple[FingerPosition, Path]], *, dpi: int
) -> None:
    for path in _shown(faces, "faces"):
        sample = BiometricSample(Modality.FACE, read_rgb(path), utc_now(), "file")
        _require(path, session.add_face(sample))
    for position, path in _shown(prints, "fingers"):
        sample = BiometricSample(Modality.FINGER, read_gray(path), utc_now(), "file", dpi)
        _require(path, session.add_finger(sample, position))


def _require(path: Path, verdict: SampleVerdict) -> None:
    if not verdict.accepted:
        raise InputError(f"The picture {path.name} was not taken: {said(verdict.hint or '')}.", code="sample_refused")
    if verdict.quality is not None:
        click.echo(f"{path.name}: quality {verdict.quality.value:.2f}")


def _shown(items: Iterable[_Item], task: str) -> Iterable[_Item]:
    return track(list(items), description=task, console=Console(stderr=True), transient=True)


def _staff_id(rows: Session, staff: str, *, site_id: str) -> str:
    """The account that answers for this enrollment, by login or id. Raises InputError."""
    row = rows.scalar(select(StaffRow).where(or_(StaffRow.login == staff, StaffRow.staff_id == staff)))
    if row is None:
        raise InputError(f"There is no account {staff!r} at this center.", code="staff_unknown")
    here = row.site_id in (None, site_id)
    if not (row.active and here and row.role in _ENROLLING and not _expired(row)):
        raise InputError(f"The account {row.login!r} may not enroll at the site {site_id}.", code="staff_not_allowed")
    return row.staff_id


def _expired(row: StaffRow) -> bool:
    return row.expires_at is not None and row.expires_at <= utc_now()


def _person(rows: Session, number: str, site_id: str, name: str | None) -> tuple[Person, PersonRow | None]:
    """The person, and the row to enter with the enrollment if the number is new."""
    if rows.get(SiteRow, site_id) is None:
        raise InputError(f"There is no site with the code {site_id}.", code="site_unknown")
    known = rows.scalar(select(PersonRow.person_id).where(PersonRow.number == number))
    if known is not None:
        person = person_by_number(rows, number, site_id=site_id)
        if name is not None and person.name != check_name(name):
            raise InputError(
                "This number is entered under another name: check the number, or leave --name out.", code="name_differs"
            )
        return person, None
    if name is None:
        raise InputError("There is no person with this number; --name NAME enters one.", code="person_unknown")
    new = PersonRow(
        person_id=str(uuid4()),
        number=number,
        name=check_name(name),
        site_id=site_id,
        level=SupervisionLevel.NORMAL.value,
        category=Category.OTHER.value,
        active=True,
        created_at=utc_now(),
    )
    return person_of(new), new


def _position_and_file(text: str) -> tuple[FingerPosition, Path]:
    name, equals, file = text.partition("=")
    if not equals or name.strip().lower() not in _POSITIONS:
        raise InputError(
            f"{text!r} is not POSITION=FILE; positions are {', '.join(_POSITIONS)}.", code="finger_unknown"
        )
    return _POSITIONS[name.strip().lower()], Path(file)


def keys_folder(database: str, keys: Path | None) -> Path:
    """The folder of a center's keys: the one named, or that beside its database. Raises ConfigurationError."""
    path = sqlite_path(make_url(database))
    if keys is None and path is None:
        raise ConfigurationError("Name the folder of the keys with --keys: this database has no folder of its own.")
    return keys if keys is not None else Path(str(path)).parent / "keys"
