"""What is due, what is asked and offered, answers, written reports, PINs and cards: at the console and for kiosks."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from center_house import PASSWORD, Clerk, House, Station, make_house
from sqlalchemy import select

from enrollment.vault import SiteKey, Vault
from models import id_card
from models.attendance import CheckInOutcome, EventType, Method, uuid7
from models.parcels import Parcel, ParcelKind, pack_pages
from models.store.center import AuditRow, DueRow, PersonRow, StaffRow
from models.wire import open_document
from web.center.access import Account
from web.center.accounts import add_account, password_right
from web.center.due import last_reports
from web.center.kiosk_staff import pin_flaw
from web.center.people import PersonEntry, add_person
from web.center.sites import add_site

ROOT = Account("setup", "setup", "", "admin", None)
CARD = "44010119800101" + "001"
PAGE = b"\xff\xd8\xff simulated page \xff\xd9"


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = make_house(tmp_path)
    with house.center.writing() as session:
        add_site(house.center, session, "dongshan", "东山司法所")
    return house


@pytest.fixture
def station(house: House) -> Station:
    return Station(house, house.client()).pair()


@pytest.fixture
def person(house: House) -> str:
    with house.center.writing() as session:
        entry = PersonEntry("440101", "林志强", "xiqiao", "3", "02", True, None)
        return add_person(house.center, session, ROOT, entry)


@pytest.fixture
def clerk(house: House) -> Callable[..., Clerk]:
    def make(role: str = "staff", *, site_id: str | None = "xiqiao", login: str = "") -> Clerk:
        site_id = None if role == "admin" else site_id
        with house.center.writing() as session:
            staff_id, _ = add_account(
                house.center, session, login=login or role, name="王敏", role=role, site_id=site_id, expires_at=None
            )
            row = session.get_one(StaffRow, staff_id)
            row.password_hash, row.must_change_password = house.center.hasher.hash(PASSWORD), False
        return Clerk(house, login or role, PASSWORD)

    return make


def gallery(house: House, station: Station) -> dict[str, Any]:
    return open_document(station.get("/api/v1/gallery").json, house.center.key.public_key())


def due_of(house: House, station: Station) -> list[tuple[str, str, str]]:
    (known,) = gallery(house, station)["people"]
    return [(item["errand"], item["since"], item["until"]) for item in known["due"]]


def acts(house: House) -> list[str]:
    with house.center.reading() as session:
        return list(session.scalars(select(AuditRow.act).order_by(AuditRow.audit_id)))


def enter(who: Clerk, person: str, **fields: str) -> Any:
    form = {"errand": "leave_return", "since": "2026-03-02", "until": "2026-03-06", "note": "agreed"}
    return who.post(f"/people/{person}/due/", **(form | fields))


def test_a_report_is_due_by_the_site_s_cadence(house: House, station: Station, person: str) -> None:
    """Entered on 2 March, strict: within 15 days; a report of today moves it."""
    assert due_of(house, station) == [
        ("report_in_person", "2026-03-02", "2026-03-17"),
        ("report_in_person", "2026-03-03", "2026-03-17"),
    ]
    house.clock.forward(86_400)
    station.submit(person_id=person)
    assert due_of(house, station) == [("report_in_person", "2026-03-04", "2026-03-18")]
    (known,) = gallery(house, station)["people"]
    assert known["last_report"] == "2026-03-03T04:00:00.000000Z"


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, True),
        ({"type": EventType.WITNESSED_CHECK_IN, "outcome": CheckInOutcome.WITNESSED, "method": Method.WITNESS}, True),
        ({"outcome": CheckInOutcome.ALREADY_PRESENT}, False),
        ({"outcome": CheckInOutcome.OUTSIDE_WINDOW}, False),
        ({"type": EventType.PRESENCE}, False),
        ({"type": EventType.EDUCATION_IN, "outcome": None}, False),
        ({"type": EventType.FAILED_ATTEMPT, "outcome": CheckInOutcome.NOT_VERIFIED}, False),
    ],
    ids=["accepted", "witnessed", "already", "outside", "presence", "education", "failed"],
)
def test_only_a_report_that_counted_moves_what_is_due(
    house: House, station: Station, person: str, changes: dict[str, Any], counts: bool
) -> None:
    assert station.submit(person_id=person, **changes).status_code == 201
    with house.center.reading() as session:
        assert (person in last_reports(session, [person])) == counts


def test_a_clock_that_ran_ahead_makes_no_report_of_the_future(house: House, station: Station, person: str) -> None:
    station.submit(person_id=person, captured_at=house.clock() + timedelta(days=400))
    with house.center.reading() as session:
        assert last_reports(session, [person]) == {person: house.clock()}


def test_a_clerk_enters_something_due_and_the_kiosk_learns_of_it(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    before = station.get("/api/v1/gallery").headers["ETag"]
    wang = clerk()
    assert enter(wang, person).status_code == 303
    assert station.get("/api/v1/gallery").headers["ETag"] != before
    assert ("leave_return", "2026-03-02", "2026-03-06") in due_of(house, station)
    page = wang.page(f"/people/{person}/due/")
    assert "销假" in page and "按约定" in page and "王敏" in page
    assert "due_entered" in acts(house)
    assert "销假" in wang.page(f"/people/{person}")


def test_an_event_of_the_kind_does_what_was_due_and_nothing_else(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    wang = clerk()
    for errand in ("education_in", "education_in", "written_report"):
        enter(wang, person, errand=errand)
    enter(wang, person, errand="service_in", since="2026-03-20", until="2026-03-21")
    for kind in (EventType.EDUCATION_OUT, EventType.EDUCATION_IN, EventType.SERVICE_IN):
        station.submit(person_id=person, type=kind, outcome=None)
    left = [item for item in due_of(house, station) if item[0] != "report_in_person"]
    assert sorted(errand for errand, *_ in left) == ["education_in", "service_in", "written_report"]
    with house.center.reading() as session:
        (row,) = session.scalars(select(DueRow).where(DueRow.closed_how == "done"))
        assert (row.errand, row.closed_at) == ("education_in", house.clock())


def test_who_comes_back_from_leave_early_is_back(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    enter(clerk(), person, since="2026-03-05")
    event = station.event(person_id=person, type=EventType.LEAVE_RETURN, outcome=None)
    answer = station.post("/api/v1/events/batch", {"events": [event.wire(), event.wire()]})
    assert [one["status"] for one in answer.json["results"]] == ["stored", "duplicate"]
    assert {errand for errand, *_ in due_of(house, station)} == {"report_in_person"}


def test_a_clock_that_ran_ahead_closes_nothing_of_the_future(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    """Whoever comes to education today has not been there next month."""
    enter(clerk(), person, errand="education_in", since="2026-04-10", until="2026-04-12")
    ahead = house.clock() + timedelta(days=40)
    assert station.submit(person_id=person, type=EventType.EDUCATION_IN, captured_at=ahead).status_code == 201
    with house.center.reading() as session:
        assert session.scalars(select(DueRow.closed_how)).one() is None


def test_other_kiosks_of_the_site_hear_at_once_and_the_one_that_recorded_it_need_not(
    house: House, station: Station, person: str
) -> None:
    tag = station.get("/api/v1/gallery").headers["ETag"]
    station.submit(person_id=person)
    assert station.get("/api/v1/gallery").headers["ETag"] == tag
    other = Station(house, house.client()).pair()
    tag = other.get("/api/v1/gallery").headers["ETag"]
    station.submit(person_id=person)
    assert other.get("/api/v1/gallery").headers["ETag"] != tag


def test_what_was_entered_can_be_taken_back_once(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    wang = clerk()
    enter(wang, person)
    with house.center.reading() as session:
        due_id = session.scalars(select(DueRow.due_id)).one()
    path = f"/people/{person}/due/{due_id}/withdraw"
    assert (wang.post(path).status_code, wang.post(path).status_code) == (303, 422)
    assert {errand for errand, *_ in due_of(house, station)} == {"report_in_person"}
    assert acts(house).count("due_withdrawn") == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"errand": "report_in_person"}, {"errand": "dance"}, {"errand": ""}, {"since": ""}, {"until": "soon"},
        {"until": "2026-03-01"}, {"until": "2027-05-01"}, {"note": "<script>"},
    ],
    ids=repr,
)  # fmt: skip
def test_what_cannot_be_meant_is_not_entered(
    house: House, person: str, clerk: Callable[..., Clerk], fields: dict[str, str]
) -> None:
    answer = enter(clerk(), person, **fields)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    with house.center.reading() as session:
        assert session.scalars(select(DueRow.due_id)).all() == []


def test_only_staff_of_the_site_enter_read_reports_and_look(
    house: House, person: str, clerk: Callable[..., Clerk]
) -> None:
    auditor, stranger = clerk("auditor"), clerk(site_id="dongshan", login="li")
    for other in (auditor, stranger):
        assert enter(other, person).status_code == 403
        assert other.get(f"/people/{person}/reports/").status_code == 403
        assert other.post(f"/people/{person}/answers/x/looked").status_code == 403
    assert auditor.get(f"/people/{person}/due/").status_code == 200
    assert stranger.get(f"/people/{person}/due/").status_code == 403


def test_a_form_without_its_token_changes_nothing(house: House, person: str, clerk: Callable[..., Clerk]) -> None:
    wang = clerk()
    house.app.config["WTF_CSRF_SSL_STRICT"] = False
    for path in (f"/people/{person}/due/", "/pin", "/sites/xiqiao/visit", "/people/"):
        assert wang.client.post(path, data={"errand": "leave_return"}).status_code == 400
    assert "due_entered" not in acts(house)


def test_a_site_chooses_what_is_asked_and_offered(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    fresh = gallery(house, station)
    assert (fresh["questions"], len(fresh["errands"])) == ([], 8)
    admin = clerk("admin")
    chosen = {"question": ["phone_changed", "address_changed"], "errand": ["help_request", "report_in_person"]}
    assert admin.post("/sites/xiqiao/visit", **chosen).status_code == 303
    told = gallery(house, station)
    assert told["questions"] == ["address_changed", "phone_changed"]
    assert told["errands"] == ["report_in_person", "help_request"]
    assert admin.page("/sites/xiqiao").count("checked") >= 4
    for spoiled in (
        {"question": ["address_changed", "job_changed", "phone_changed"], "errand": ["report_in_person"]},
        {"question": ["shoe_size"], "errand": ["report_in_person"]},
        {"question": [], "errand": ["dance", "report_in_person"]},
        {"question": [], "errand": ["help_request"]},
    ):
        assert admin.post("/sites/xiqiao/visit", **spoiled).status_code == 422
    assert gallery(house, station)["questions"] == told["questions"]
    assert clerk().post("/sites/xiqiao/visit", **chosen).status_code == 403


def test_the_cadence_is_the_policy_s_and_no_older_kiosk_meets_it(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    form = {
        "name": "西桥司法所", "version": "2026-9", "windows": "09:00-12:00", "second_factor": "doubt", "max_tries": "3",
        "identify_up_to": "30", "wanted_fpir_percent": "1", "timezone": "Asia/Shanghai", "days_3": "7", "days_1": "",
        "second_witness": "1",
    }  # fmt: skip
    admin = clerk("admin")
    assert admin.post("/sites/xiqiao", **form).status_code == 303
    document = gallery(house, station)
    assert "cadence" not in document["policy"] and document["policy"]["second_witness"] is True
    assert due_of(house, station)[0] == ("report_in_person", "2026-03-02", "2026-03-09")
    page = admin.page("/sites/xiqiao")
    assert re.search(r'name="days_3"[^>]*value="7"', page) and re.search(r'name="days_1"[^>]*value=""', page)
    for days in ("0", "400", "often"):
        assert admin.post("/sites/xiqiao", **form | {"version": "2026-10", "days_3": days}).status_code == 422


def test_a_yes_is_shown_until_somebody_looked_into_it(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    said = {"address_changed": False, "phone_changed": True}
    station.submit(
        person_id=person, type=EventType.ANSWERS, outcome=None, method=Method.NONE, evidence=(), details=said
    )
    station.submit(
        person_id=person, type=EventType.ANSWERS, outcome=None, method=Method.NONE, evidence=(),
        details={"address_changed": False},
    )  # fmt: skip
    wang = clerk()
    page = wang.page(f"/people/{person}")
    assert page.count("我已核实") == 1 and "电话有变化" in page and "住址有变化" not in page
    looked = re.search(r'action="(/people/[^"]+/looked)"', page)
    assert looked and wang.post(looked[1]).status_code == 303
    assert "我已核实" not in wang.page(f"/people/{person}").replace("已记录您的核实", "")
    assert "answer_look" in acts(house)
    assert wang.post(f"/people/{person}/answers/nothing/looked").status_code == 422
    shown = wang.page("/log/0")
    assert "回答问题" in shown and re.search("电话有变化</dt><dd>是", shown)


def test_a_written_report_is_opened_for_a_look_that_is_written_down(
    house: House, station: Station, person: str, clerk: Callable[..., Clerk]
) -> None:
    now, vault = house.clock(), Vault(SiteKey.from_json(station.site_key))
    empty = Parcel(uuid7(now), ParcelKind.WRITTEN_REPORT, person, now, vault.key_id, b"")
    sent = replace(
        empty, sealed=vault.seal_content(pack_pages([PAGE, PAGE[:-2] + b"2" + PAGE[-2:]]), empty.binding("xiqiao"))
    )
    station.post("/api/v1/parcels", sent.to_json())
    station.submit(
        person_id=person, type=EventType.WRITTEN_REPORT, outcome=None, details={"parcel": sent.sha256, "pages": 2}
    )
    wang = clerk()
    assert f"/people/{person}/reports/" in wang.page(f"/people/{person}")
    listed = wang.page(f"/people/{person}/reports/")
    assert sent.parcel_id in listed and 'href="/log/0"' in listed
    address = f"/people/{person}/reports/{sent.parcel_id}"
    assert wang.page(f"{address}/").count('<img src="/people/') == 2
    before = acts(house).count("report_read")
    picture = wang.get(f"{address}/1.jpg")
    assert (picture.data, picture.mimetype) == (PAGE, "image/jpeg")
    assert picture.headers["Cache-Control"] == "no-store"
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert acts(house).count("report_read") == before + 1
    for nothing in (f"{address}/0.jpg", f"{address}/3.jpg"):
        assert wang.get(nothing).status_code == 404
    assert wang.get(f"/people/{person}/reports/nothing/").status_code == 422
    with house.center.writing() as session:
        elsewhere = PersonEntry("440102", "陈秀英", "xiqiao", "2", "02", True, None)
        other = add_person(house.center, session, ROOT, elsewhere)
    assert wang.get(f"/people/{other}/reports/{sent.parcel_id}/1.jpg").status_code == 422


def test_a_staff_member_sets_a_pin_under_the_own_password(
    house: House, station: Station, clerk: Callable[..., Clerk]
) -> None:
    wang = clerk()
    for pin, again, present, status in (
        ("246813", "246813", "wrong password", 422), ("246813", "246814", PASSWORD, 422),
        ("24681", "24681", PASSWORD, 422), ("24681x", "24681x", PASSWORD, 422), ("111111", "111111", PASSWORD, 422),
        ("246813", "246813", PASSWORD, 303),
    ):  # fmt: skip
        answer = wang.post("/pin", pin=pin, again=again, present=present)
        assert answer.status_code == status
        assert pin not in answer.text
    (listed,) = gallery(house, station)["staff"]
    assert password_right(house.center.hasher, listed["pin_hash"], "246813")
    assert (listed["references"], listed["wrapped_key"]) == ([], None)
    assert "pin_set" in acts(house)
    auditor = clerk("auditor")
    assert auditor.post("/pin", pin="246813", again="246813", present=PASSWORD).status_code == 422


@pytest.mark.parametrize(
    ("pin", "flaw"),
    [("123456", "pin_plain"), ("987654", "pin_plain"), ("000000", "pin_plain"), ("890123", "pin_plain"),
     ("12345", "pin_invalid"), ("1234567890123", "pin_invalid"), ("１２３４５６", "pin_invalid"), ("102030", None)],
)  # fmt: skip
def test_a_pin_that_is_tried_first_is_refused(pin: str, flaw: str | None) -> None:
    assert pin_flaw(pin) == flaw


def test_kiosks_list_staff_of_their_site_who_may_serve_there_now(
    house: House, station: Station, clerk: Callable[..., Clerk]
) -> None:
    here, everywhere = clerk(), clerk("admin")
    elsewhere, nobody = clerk(site_id="dongshan", login="li"), clerk(login="wu")
    for who in (here, everywhere, elsewhere, nobody):
        who.post("/pin", pin="246813", again="246813", present=PASSWORD)
    ids = lambda: {item["staff_id"] for item in gallery(house, station)["staff"]}  # noqa: E731
    with house.center.reading() as session:
        known = {row.login: row.staff_id for row in session.scalars(select(StaffRow))}
    assert ids() == {known["staff"], known["admin"], known["wu"]}
    everywhere.post(f"/accounts/{known['wu']}", role="staff", site_id="xiqiao", active="")
    everywhere.post(f"/accounts/{known['staff']}", role="staff", site_id="xiqiao", active="1", expires="2026-03-02")
    assert ids() == {known["staff"], known["admin"]}
    house.clock.forward(20 * 3600)
    assert ids() == {known["admin"]}
    everywhere = Clerk(house, "admin", PASSWORD)
    assert everywhere.post(f"/accounts/{known['admin']}/kiosk-access").status_code == 303
    assert ids() == set()


def test_a_card_is_known_by_its_mark_and_its_number_is_nowhere(
    house: House, station: Station, clerk: Callable[..., Clerk]
) -> None:
    number = CARD + id_card.check_character(CARD)
    wang = clerk("admin")
    form = {"number": "7", "name": "林安", "site_id": "xiqiao", "level": "2", "category": "02", "active": "1"}
    made = wang.post("/people/new", **form, id_number=number)
    assert made.status_code == 303
    (known,) = gallery(house, station)["people"]
    key = id_card.card_key(SiteKey.from_json(station.site_key).key)
    assert known["id_card"] == id_card.digest(number, key)
    assert number.encode() not in b"".join(path.read_bytes() for path in house.folder.glob("center.db*"))
    address = made.headers["Location"] + "/change"
    assert number not in wang.page(address)
    wang.post(address, **form, id_number="")
    assert gallery(house, station)["people"][0]["id_card"] == known["id_card"]
    mistyped = wang.post(address, **form, id_number=number[:-2] + "0" + number[-1])
    assert mistyped.status_code == 422 and number[:-2] not in mistyped.text
    taken = wang.post("/people/new", **form | {"number": "8"}, id_number=number)
    assert taken.status_code == 422
    wang.post(address, **form, id_number="", forget_card="1")
    assert gallery(house, station)["people"][0]["id_card"] is None


def test_a_mark_does_not_move_to_another_site(house: House, clerk: Callable[..., Clerk]) -> None:
    number = CARD + id_card.check_character(CARD)
    admin = clerk("admin")
    form = {"number": "7", "name": "林安", "level": "2", "category": "02", "active": "1"}
    made = admin.post("/people/new", **form, site_id="xiqiao", id_number=number)
    admin.post(made.headers["Location"] + "/change", **form, site_id="dongshan", id_number="")
    with house.center.reading() as session:
        assert session.scalars(select(PersonRow.id_card)).all() == [None]
    admin.post(made.headers["Location"] + "/change", **form, site_id="dongshan", id_number=number)
    with house.center.reading() as session:
        assert session.scalars(select(PersonRow.id_card)).all() != [None]


def test_no_page_puts_a_name_or_a_number_into_an_address(house: House, clerk: Callable[..., Clerk]) -> None:
    object.__setattr__(house.center.settings, "page_rows", 1)
    admin = clerk("admin")
    with house.center.writing() as session:
        for number in ("440101", "440102", "440103"):
            add_person(house.center, session, ROOT, PersonEntry(number, "林志强", "xiqiao", "2", "02", True, None))
    first = admin.page("/people/")
    assert "下一页" in first
    second = admin.post("/people/", search="440", after="440101").text
    assert "440102" in second and "440101</a>" not in second
    for page in (first, second, admin.page("/log/")):
        addresses = re.findall(r'(?:href|action)="([^"]*)"', page)
        assert not [address for address in addresses if "4401" in address or "林" in address]
        assert not re.search(r'<form[^>]*method="get"', page)
