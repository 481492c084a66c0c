"""``muster enroll`` from pictures on disk to rows in the store, and one sentence for everything that is wrong."""

from __future__ import annotations

import cv2
import pytest
from click.testing import CliRunner
from noise_people import KnownFingers, TextureFaces, face_picture
from sqlalchemy import select

from enrollment.commands import enroll
from enrollment.vault import SiteKey
from models.errors import ImageError, InputError, StoreError
from models.store.center import NoticeRow, PersonRow, ReferenceRow
from models.store.engine import reading


class Rooms:
    """What the command line hands over, with engines that need no weights."""

    @staticmethod
    def load_engine(name):
        return {"sface": TextureFaces, "minutiae": KnownFingers}[name]()


@pytest.fixture
def run(store, tmp_path):
    keys = tmp_path / "keys" / "sites"
    keys.mkdir(parents=True)
    SiteKey.load_or_create(keys / "s-1.key")
    faces = []
    for shot in range(3):
        path = tmp_path / f"face_{shot}.png"
        cv2.imwrite(str(path), face_picture(1, shot))
        faces += ["--face", str(path)]

    def run(*arguments, number="20261", pictures=faces, site="s-1", database=tmp_path / "center.db"):
        fixed = ["--site", site, "--notice", "2026-1", "--staff", "staff-1", "--database", f"sqlite:///{database}"]
        return CliRunner().invoke(enroll, [number, *fixed, *pictures, *arguments], obj=Rooms())

    return run


def rows(store, table):
    with reading(store) as session:
        return session.scalars(select(table)).all()


def test_a_person_is_enrolled_by_face_with_a_reason_for_the_missing_fingers(run, store):
    result = run("--missing-reason", "no_sensor")
    assert result.exit_code == 0, result.exception
    assert "Enrolled: 3 references, sealed." in result.output and "face_0.png: quality" in result.output
    assert {row.person_id for row in rows(store, ReferenceRow)} == {"p-1"}


def test_the_enrollment_names_the_account_that_answers_for_it(run, store):
    assert run("--missing-reason", "no_sensor", "--staff", "login-staff-1").exit_code == 0
    assert [row.staff_id for row in rows(store, NoticeRow)] == ["staff-1"]


@pytest.mark.parametrize(
    ("staff", "sentence"),
    [
        ("nobody", "There is no account 'nobody' at this center."),
        ("staff-2", "The account 'login-staff-2' may not enroll at the site s-1."),
        ("auditor", "The account 'login-auditor' may not enroll at the site s-1."),
        ("gone", "The account 'login-gone' may not enroll at the site s-1."),
    ],
)
def test_nobody_enrolls_without_an_account_that_may(run, store, staff, sentence):
    refused = run("--missing-reason", "no_sensor", "--staff", staff)
    assert isinstance(refused.exception, InputError)
    assert str(refused.exception) == sentence
    assert rows(store, ReferenceRow) == []


def test_a_new_number_is_entered_with_its_name_and_only_if_the_enrollment_succeeds(run, store):
    refused = run("--name", "李雷", number="777")
    assert refused.exception.code == "enrollment_incomplete" and len(rows(store, PersonRow)) == 2
    assert run("--name", "李雷", "--missing-reason", "no_sensor", number="777").exit_code == 0
    assert sorted(row.number for row in rows(store, PersonRow)) == ["20261", "20262", "777"]


def test_somebody_enrolled_already_needs_a_second_look(run, store):
    assert run("--missing-reason", "no_sensor").exit_code == 0
    again = run("--missing-reason", "no_sensor", number="20262")
    assert again.exception.code == "duplicate_found"
    assert "Alike: number 20261 at s-1, by face." in again.output and "--duplicates-reviewed" in again.output
    assert run("--missing-reason", "no_sensor", "--duplicates-reviewed", number="20262").exit_code == 0


def test_a_mistyped_number_ends_nobodys_references(run, store):
    assert run("--missing-reason", "no_sensor").exit_code == 0
    again = run("--missing-reason", "no_sensor")
    assert again.exception.code == "enrolled_already" and "--replace" in str(again.exception)
    assert run("--missing-reason", "no_sensor", "--name", "李雷", "--replace").exception.code == "name_differs"
    assert [row.revoked_at for row in rows(store, ReferenceRow)] == [None] * 3
    replaced = run("--missing-reason", "no_sensor", "--replace")
    assert "Enrolled: 3 references, sealed; 3 earlier ones ended." in replaced.output
    assert sum(row.revoked_at is None for row in rows(store, ReferenceRow)) == 3


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        ({"number": "0000"}, InputError, "no person with this number; --name NAME enters one"),
        ({"number": "; drop"}, InputError, "letters, digits and hyphens"),
        ({"site": "s-9"}, InputError, "no site with the code"),
        ({"pictures": ["--face", "/nowhere.png"]}, ImageError, "does not exist"),
        ({"pictures": ["--finger", "thumb=a.png"]}, InputError, "is not POSITION=FILE"),
        ({"database": "/nowhere/center.db"}, StoreError, "There is no database"),
    ],
)
def test_what_is_wrong_gets_one_sentence(run, change, kind, sentence):
    result = run(**change)
    assert isinstance(result.exception, kind) and sentence in str(result.exception)


def test_a_picture_that_is_refused_is_named_with_the_reason(run, tmp_path):
    cv2.imwrite(str(tmp_path / "two.png"), face_picture(1, people=(1, 2)))
    result = run(pictures=["--face", str(tmp_path / "two.png")])
    assert (
        str(result.exception) == "The picture two.png was not taken: more than one face is seen; one person at a time."
    )
