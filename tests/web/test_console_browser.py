"""The console in a real Chromium: a day at the desk, in both languages, and the pictures for the documentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from center_house import House, Station, face_evidence, make_house
from sqlalchemy import select

from models.attendance import CheckInOutcome, EventType, Evidence, Method, PresentationEvidence, WitnessVerdict
from models.store.center import PersonRow, StaffRow
from web.center.access import Account
from web.center.accounts import add_account, change_password, first_admin
from web.center.heads import sign_tree_head_now
from web.center.people import PersonEntry, add_person
from web.center.sites import add_site

pytestmark = pytest.mark.browser

PASSWORD = "a long sentence of my own"
PEOPLE = [
    ("440101", "林志强", "2", "02"), ("440102", "陈秀英", "1", "03"), ("440103", "黄建国", "3", "02"),
    ("440104", "吴丽珍", "2", "01"), ("440105", "郑文海", "2", "02"), ("440106", "蔡小燕", "1", "02"),
]  # fmt: skip
ROOT = Account("setup", "setup", "", "admin", None)

Picture = Callable[[Any, str], None]


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = make_house(tmp_path)
    with house.center.writing() as session:
        add_site(house.center, session, "dongshan", "东山司法所")
        for number, name, level, category in PEOPLE:
            entry = PersonEntry(number, name, "xiqiao", level, category, True, None)
            add_person(house.center, session, ROOT, entry)
    return house


@pytest.fixture
def busy(house: House) -> House:
    """A morning's check-ins."""
    with house.center.reading() as session:
        people = [row.person_id for row in session.scalars(select(PersonRow).order_by(PersonRow.number))]
    house.clock.forward(-3 * 3600)
    kiosk = Station(house, house.client()).pair()
    finger = Evidence("finger", "minutiae", "minutiae/1", 0.412, 0.2, True, 0.74, "verify", simulated=True)
    unknown = face_evidence(score=0.31, matched=False, quality=0.77)
    flat = PresentationEvidence("head_turn", WitnessVerdict.FAILED, {"depth": 0.02})
    visits: list[dict[str, Any]] = [
        {"person_id": people[0]},
        {"person_id": people[1], "method": Method.FACE_FINGER, "evidence": (face_evidence(score=0.553), finger)},
        {"person_id": people[2], "method": Method.CLAIM_FINGER, "evidence": (finger,)},
        {"outcome": CheckInOutcome.NOT_IDENTIFIED, "type": EventType.FAILED_ATTEMPT, "method": Method.NONE,
         "evidence": (unknown,)},
        {"outcome": CheckInOutcome.ATTACK_SUSPECTED, "type": EventType.FAILED_ATTEMPT, "method": Method.NONE,
         "evidence": (face_evidence(presentation=(flat,)),)},
        {"person_id": people[0], "outcome": CheckInOutcome.ALREADY_PRESENT},
        {"person_id": people[3], "outcome": CheckInOutcome.REFERRED_TO_STAFF, "method": Method.NONE,
         "note_code": "help_asked"},
        {"person_id": people[4]},
    ]  # fmt: skip
    for visit in visits:
        kiosk.submit(**visit)
        house.clock.forward(11 * 60 + 7)
    sign_tree_head_now(house.center)
    house.clock.now += timedelta(minutes=3)
    kiosk.get("/api/v1/gallery")
    waiting = Station(house, house.client())
    waiting.reveal(waiting.ask_for_pairing())
    return house


@pytest.fixture
def desk(busy: House, chromium: Any, serve: Callable[..., str]) -> Iterator[Any]:
    """A signed-in admin's browser page."""
    once = first_admin(busy.center)
    with busy.center.writing() as session:
        row = session.scalars(select(StaffRow)).one()
        row.name = "王敏"
    page = open_page(chromium, serve(busy.app))
    page.fill("input[name=login]", "admin")
    page.fill("input[name=password]", str(once))
    page.click("main button.primary")
    for field, text in (("present", str(once)), ("new", PASSWORD), ("again", PASSWORD)):
        page.fill(f"input[name={field}]", text)
    page.click("main button.primary")
    page.wait_for_url("**/overview/")
    yield page
    assert page.troubles == []
    page.context.close()


def open_page(chromium: Any, address: str, **options: Any) -> Any:
    context = chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=address, **options)
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.troubles = []
    page.on("console", lambda said: page.troubles.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: page.troubles.append(str(error)))
    page.goto("/")
    return page


def both_languages(page: Any, path: str, name: str, take_picture: Picture, *, part: str = "main") -> None:
    """Show a page, from ``part`` on, in Chinese and in English; nothing may stick out of the window."""
    for language in ("zh", "en"):
        page.goto(path)
        wanted = "zh-CN" if language == "zh" else "en"
        if page.get_attribute("html", "lang") != wanted:
            with page.expect_navigation():  # until its style is there, too
                page.click(".self form:first-child button")
        assert page.get_attribute("html", "lang") == wanted
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (path, language)
        if part != "main":
            page.locator(part).scroll_into_view_if_needed()
        take_picture(page, f"console-{name}-{language}")


def test_the_sign_in_page_is_quiet_and_works_in_both_languages(
    house: House, chromium: Any, serve: Callable[..., str], take_picture: Picture
) -> None:
    page = open_page(chromium, serve(house.app))
    both_languages(page, "/sign-in", "sign-in", take_picture)
    assert page.troubles == []
    page.context.close()


@pytest.mark.parametrize(
    ("path", "name"),
    [("/overview/", "overview"), ("/people/", "people"), ("/log/", "log"), ("/kiosks/", "kiosks"),
     ("/sites/xiqiao", "policy"), ("/accounts/", "accounts"), ("/reading-log/", "reading-log"), ("/log/1", "event")],
)  # fmt: skip
def test_each_page_stands_in_both_languages(desk: Any, take_picture: Picture, path: str, name: str) -> None:
    both_languages(desk, path, name, take_picture)


def test_a_clerk_enters_a_person_and_tells_them_before_enrolling(desk: Any, take_picture: Picture) -> None:
    desk.goto("/people/")
    desk.click("text=录入人员")
    desk.fill("input[name=number]", "440107")
    desk.fill("input[name=name]", "许阿婆")
    desk.click("main button.primary")
    desk.wait_for_selector(".notice.good")
    take_picture(desk, "console-person-zh")
    desk.click("a.button.primary")
    desk.wait_for_selector("input[name=told]")
    take_picture(desk, "console-notice-zh")


def test_the_table_is_saved_with_the_filters_of_the_page(desk: Any) -> None:
    desk.goto("/log/?outcome=accepted")
    with desk.expect_download() as saved:
        desk.click(".head a.button")
    content = Path(saved.value.path()).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.decode().count("签到完成") == 4


def test_a_kiosk_is_paired_from_the_page(busy: House, desk: Any) -> None:
    station = Station(busy, busy.client())
    opened = station.ask_for_pairing()
    station.reveal(opened)
    desk.goto("/kiosks/")
    desk.fill("input[name=code]", station.digits(opened))
    desk.select_option("select[name=site_id]", "xiqiao")
    desk.fill("input[name=name]", "二楼")
    desk.click("main button.primary")
    desk.wait_for_selector(".notice.good")
    assert desk.locator("tbody tr").count() == 2


def test_pages_work_without_scripts_and_on_a_telephone(
    busy: House, chromium: Any, serve: Callable[..., str], take_picture: Picture
) -> None:
    once = first_admin(busy.center)
    page = open_page(chromium, serve(busy.app), java_script_enabled=False)
    page.set_viewport_size({"width": 390, "height": 844})
    page.fill("input[name=login]", "admin")
    page.fill("input[name=password]", str(once))
    page.click("main button.primary")
    page.wait_for_selector("input[name=again]")
    take_picture(page, "console-telephone-zh")
    page.context.close()


def test_the_webcam_sends_a_picture_and_says_what_to_do(
    busy: House, chromium: Any, serve: Callable[..., str], take_picture: Picture
) -> None:
    """The browser's own test picture shows no face, which is what the center must answer."""
    with busy.center.writing() as session:
        staff_id, once = add_account(
            busy.center, session, login="wang", name="王敏", role="staff", site_id=None, expires_at=None
        )
        person_id = session.scalars(select(PersonRow.person_id).where(PersonRow.number == "440103")).one()
    change_password(busy.center, staff_id, once, PASSWORD)
    page = open_page(chromium, serve(busy.app))
    page.fill("input[name=login]", "wang")
    page.fill("input[name=password]", PASSWORD)
    page.click("main button.primary")
    page.goto(f"/people/{person_id}/enroll/")
    page.check("input[name=told]")
    page.click("main button.primary")
    page.click("[data-act=open]")
    page.wait_for_selector("[data-act=take]:visible")
    page.click("[data-act=take]")
    page.wait_for_selector(".verdicts li")
    assert page.inner_text(".verdicts li") == "没有找到人脸，请露出整个面部。"
    assert page.inner_text("#faces") == "0"
    take_picture(page, "console-enroll-zh")
    assert page.troubles == []
    page.context.close()
