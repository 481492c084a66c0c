"""Enrolling at the console with the real engines: files, verdicts, similar records, storing, moving, withdrawing."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import pytest
from center_house import House, Station, make_house
from sqlalchemy import select
from test_center_console import PASSWORD, Clerk, enter_person
from werkzeug.test import TestResponse

from hardware.simulation.fingers import SimulatedFinger
from matcher import weights
from matcher.engines import load_engine
from matcher.pictures import read_rgb
from models.store.center import AuditRow, NoticeRow, PersonKeyRow, ReferenceRow, StaffRow
from models.wire import open_document
from web.center.accounts import add_account
from web.center.sites import add_site

FETCH = {"X-Requested-With": "fetch"}


@pytest.fixture(scope="module")
def engine() -> Callable[[str], Any]:
    """Engines as the center loads them, once for all tests here."""
    loaded: dict[str, Any] = {}
    return lambda name: loaded.setdefault(name, None) or loaded.update({name: load_engine(name)}) or loaded[name]


@pytest.fixture
def house(tmp_path: Path, engine: Callable[[str], Any]) -> House:
    return make_house(tmp_path, load_engine=engine)


@pytest.fixture
def admin(house: House) -> Clerk:
    with house.center.writing() as session:
        staff_id, _ = add_account(
            house.center, session, login="admin", name="Admin", role="admin", site_id=None, expires_at=None
        )
        row = session.get_one(StaffRow, staff_id)
        row.password_hash, row.must_change_password = house.center.hasher.hash(PASSWORD), False
    return Clerk(house, "admin", PASSWORD)


def faces(*names: str) -> list[tuple[io.BytesIO, str]]:
    """Portraits brought to a webcam's height: the test client would spool large ones to the disk."""
    return [(io.BytesIO(webcam_jpeg(weights.path(f"portrait_visitor_{name}"))), f"{name}.jpg") for name in names]


def webcam_jpeg(path: Path) -> bytes:
    picture = read_rgb(path)
    scale = min(1.0, 720 / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small[:, :, ::-1])[1].tobytes()


def impressions(seed: int, numbers: range) -> list[tuple[io.BytesIO, str]]:
    finger = SimulatedFinger(seed)
    pictures = (cv2.imencode(".png", finger.impression(number))[1].tobytes() for number in numbers)
    return [(io.BytesIO(picture), "finger.png") for picture in pictures]


def send(clerk: Clerk, person_id: str, kind: str, pictures: list[tuple[io.BytesIO, str]], **form: Any) -> TestResponse:
    return clerk.post(f"/people/{person_id}/enroll/{kind}", pictures=pictures, **form)


def begin(clerk: Clerk, number: str, name: str = "林安") -> str:
    person_id = enter_person(clerk, number, name)
    assert clerk.post(f"/people/{person_id}/enroll/start", told="1", language="zh_CN").status_code == 303
    return person_id


def test_nothing_is_taken_before_the_person_was_told(admin: Clerk) -> None:
    person_id = enter_person(admin)
    assert admin.post(f"/people/{person_id}/enroll/start").status_code == 422
    assert send(admin, person_id, "face", faces("1a")).status_code == 422


def test_faces_and_fingers_are_enrolled_from_files_and_reach_the_kiosk(house: House, admin: Clerk) -> None:
    person_id = begin(admin, "3301")
    send(admin, person_id, "face", faces("1a", "1b", "1c"))
    for position, seed in ((2, 21), (7, 22)):
        send(admin, person_id, "finger", impressions(seed, range(3)), position=str(position), dpi="500")
    page = admin.page(f"/people/{person_id}/enroll/")
    assert page.count('class="done"') == 2, page
    assert admin.post(f"/people/{person_id}/enroll/finish").status_code == 303
    with house.center.reading() as session:
        kept = session.scalars(select(ReferenceRow.modality)).all()
        notice = session.scalars(select(NoticeRow)).one()
    assert (kept.count("face"), kept.count("finger")) == (3, 6)
    assert (notice.language, notice.missing_reason) == ("zh_CN", None)
    station = Station(house, house.client()).pair()
    document = open_document(station.get("/api/v1/gallery").json, house.center.key.public_key())
    assert len(document["people"][0]["references"]) == 9
    assert document["people"][0]["shown_name"] == "安"


def test_a_file_that_is_no_picture_and_another_face_are_told_apart(admin: Clerk) -> None:
    person_id = begin(admin, "3301")
    send(admin, person_id, "face", [(io.BytesIO(b"not a picture"), "x.jpg"), (io.BytesIO(b""), "y.jpg"), *faces("1a")])
    page = admin.page(f"/people/{person_id}/enroll/")
    for said in ("文件不是图片。", "文件为空。", "已采集。"):
        assert said in page
    send(admin, person_id, "face", faces("2"))
    assert "与前面的样本不像同一人。" in admin.page(f"/people/{person_id}/enroll/")
    send(admin, person_id, "face", faces("1a"))
    assert "这张图片已用过" in admin.page(f"/people/{person_id}/enroll/")


def test_somebody_enrolled_before_is_shown_and_must_be_looked_at(house: House, admin: Clerk) -> None:
    first = begin(admin, "3301", "林安")
    send(admin, first, "face", faces("1a", "1b", "1c"))
    assert admin.post(f"/people/{first}/enroll/finish").status_code == 422
    assert admin.post(f"/people/{first}/enroll/finish", missing_reason="no_sensor").status_code == 303
    second = begin(admin, "3302", "林乐")
    send(admin, second, "face", faces("1a", "1b", "1c"))
    page = admin.page(f"/people/{second}/enroll/")
    assert "林安" in page
    assert 'name="cleared"' in page
    with house.center.reading() as session:
        read = select(AuditRow.object).where(AuditRow.act == "person_read", AuditRow.detail == "similar")
        assert set(session.scalars(read)) == {first}  # whose record was shown is written down, too
    refused = admin.post(f"/people/{second}/enroll/finish", missing_reason="no_sensor")
    assert refused.status_code == 422
    done = admin.post(f"/people/{second}/enroll/finish", missing_reason="no_sensor", cleared="1")
    assert done.status_code == 303


def test_a_person_who_moves_keeps_the_references_under_the_new_sites_key(house: House, admin: Clerk) -> None:
    with house.center.writing() as session:
        add_site(house.center, session, "dongshan", "东山司法所")
    person_id = begin(admin, "3301")
    send(admin, person_id, "face", faces("1a", "1b", "1c"))
    admin.post(f"/people/{person_id}/enroll/finish", missing_reason="fingers_declined")
    with house.center.reading() as session:
        before = session.get_one(PersonKeyRow, person_id).key_id
    moved = admin.post(
        f"/people/{person_id}/change",
        number="3301",
        name="林安",
        site_id="dongshan",
        level="2",
        category="02",
        active="1",
    )
    assert moved.status_code == 303
    with house.center.reading() as session:
        assert session.get_one(PersonKeyRow, person_id).key_id != before
    begin(admin, "3302", "林乐")  # opens everyone's templates, also the moved ones
    assert admin.post(f"/people/{person_id}/revoke").status_code == 303
    station = Station(house, house.client()).pair(site_id="dongshan")
    document = open_document(station.get("/api/v1/gallery").json, house.center.key.public_key())
    assert all(reference["revoked_at"] for reference in document["people"][0]["references"])


def test_a_draft_is_forgotten_after_a_quarter_of_an_hour(house: House, admin: Clerk) -> None:
    person_id = begin(admin, "3301")
    house.clock.forward(16 * 60)
    assert send(admin, person_id, "face", faces("1a")).status_code == 422
    assert 'name="told"' in admin.page(f"/people/{person_id}/enroll/")
