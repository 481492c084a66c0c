"""What is due, written reports, answers and PINs at the console in a real Chromium, with their pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from center_house import PASSWORD, House, Station, make_house
from sqlalchemy import select
from test_console_browser import Picture, both_languages, open_page

from enrollment.vault import SiteKey, Vault
from models.attendance import EventType, uuid7
from models.parcels import Parcel, ParcelKind, pack_pages
from models.store.center import StaffRow
from web.center.access import Account
from web.center.accounts import add_account
from web.center.heads import sign_tree_head_now
from web.center.people import PersonEntry, add_person

pytestmark = pytest.mark.browser

ROOT = Account("setup", "setup", "", "admin", None)


def drawn_page(number: int) -> bytes:
    """A simulated page: lines without words, and a note that says so."""
    page = np.full((1100, 800), 245, np.uint8)
    for row in range(18):
        end = 700 if row % 6 else 420
        cv2.line(page, (100, 170 + 45 * row), (end, 170 + 45 * row), 90, 3)
    cv2.putText(page, f"simulated page {number}", (100, 110), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 60, 3)
    done, content = cv2.imencode(".jpg", page)
    assert done
    return bytes(content)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


@pytest.fixture
def person(house: House) -> str:
    with house.center.writing() as session:
        person_id = add_person(
            house.center, session, ROOT, PersonEntry("440103", "黄建国", "xiqiao", "3", "02", True, None)
        )
    kiosk = Station(house, house.client()).pair()
    now, vault = house.clock(), Vault(SiteKey.from_json(kiosk.site_key))
    empty = Parcel(uuid7(now), ParcelKind.WRITTEN_REPORT, person_id, now, vault.key_id, b"")
    sealed = vault.seal_content(pack_pages([drawn_page(1), drawn_page(2)]), empty.binding("xiqiao"))
    parcel = replace(empty, sealed=sealed)
    kiosk.submit(person_id=person_id)
    details: dict[str, Any] = {"parcel": parcel.sha256, "pages": 2}
    kiosk.submit(person_id=person_id, type=EventType.WRITTEN_REPORT, outcome=None, details=details)
    kiosk.post("/api/v1/parcels", parcel.to_json())
    said = {"address_changed": False, "phone_changed": True}
    kiosk.submit(person_id=person_id, type=EventType.ANSWERS, outcome=None, evidence=(), details=said)
    sign_tree_head_now(house.center)
    return person_id


@pytest.fixture
def desk(house: House, chromium: Any, serve: Callable[..., str]) -> Iterator[Any]:
    """A signed-in admin's browser page."""
    with house.center.writing() as session:
        staff_id, _ = add_account(
            house.center, session, login="wang", name="王敏", role="admin", site_id=None, expires_at=None
        )
        row = session.get_one(StaffRow, staff_id)
        row.password_hash, row.must_change_password = house.center.hasher.hash(PASSWORD), False
    page = open_page(chromium, serve(house.app))
    page.fill("input[name=login]", "wang")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button.primary")
    page.wait_for_url("**/overview/")
    yield page
    assert page.troubles == []
    page.context.close()


def test_something_due_is_entered_shown_and_taken_back(person: str, desk: Any, take_picture: Picture) -> None:
    desk.goto(f"/people/{person}")
    desk.click("text=录入或撤回")
    desk.select_option("select[name=errand]", "leave_return")
    desk.fill("input[name=until]", "2026-03-06")
    desk.select_option("select[name=note]", "agreed")
    desk.click("form.filter button.primary")
    desk.wait_for_selector(".notice.good")
    both_languages(desk, f"/people/{person}/due/", "due", take_picture)
    both_languages(desk, f"/people/{person}", "person-due", take_picture)
    desk.goto(f"/people/{person}/due/")
    desk.click("tbody form button")
    desk.wait_for_selector(".notice.good")
    assert desk.locator("tbody tr.past").count() == 1


def test_an_answer_asks_for_a_look_until_somebody_took_one(person: str, desk: Any, take_picture: Picture) -> None:
    both_languages(desk, "/log/2", "answers", take_picture)
    desk.goto(f"/people/{person}")
    desk.click(".notice.wait button")
    desk.wait_for_selector(".notice.good")
    assert desk.locator(".notice.wait").count() == 0


def test_a_written_report_is_read_page_by_page(person: str, desk: Any, take_picture: Picture) -> None:
    both_languages(desk, f"/people/{person}/reports/", "reports", take_picture)
    desk.click("tbody a.button")
    desk.wait_for_selector("figure.sheet img")
    desk.wait_for_function("() => [...document.images].every((image) => image.complete)")  # loaded, or failed to
    assert desk.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    both_languages(desk, desk.url, "report", take_picture)


def test_a_pin_is_set_and_a_site_chooses_its_questions(
    house: House, person: str, desk: Any, take_picture: Picture
) -> None:
    both_languages(desk, "/pin", "pin", take_picture)
    for field, text in (("present", PASSWORD), ("pin", "246813"), ("again", "246813")):
        desk.fill(f"input[name={field}]", text)
    desk.click("main button.primary")
    desk.wait_for_selector(".notice.good")
    with house.center.reading() as session:
        assert session.scalars(select(StaffRow.pin_hash).where(StaffRow.login == "wang")).one()
    both_languages(desk, f"/people/{person}/change", "person-form", take_picture)
    desk.goto("/sites/xiqiao")
    desk.check("input[value=phone_changed]")
    desk.uncheck("input[value=service_in]")
    desk.locator("section.card").last.locator("button.primary").click()
    desk.wait_for_selector(".notice.good")
    assert desk.is_checked("input[value=phone_changed]") and not desk.is_checked("input[value=service_in]")
    both_languages(desk, "/sites/xiqiao", "visit", take_picture, part="#visit")
