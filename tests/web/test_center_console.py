"""The console as its pages answer: signing in, roles, people, kiosks, sites, the log, accounts, the reading log."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from center_house import PASSWORD, Clerk, House, Station, make_house
from sqlalchemy import select, text

from models.attendance import CheckInOutcome, EventType, Method, Witness
from models.store.center import AuditRow, PersonRow, StaffRow
from web.center.accounts import add_account, first_admin
from web.center.console.menu import CONSOLE
from web.center.console.session import GUARD
from web.center.heads import sign_tree_head_now
from web.center.sites import add_site


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


@pytest.fixture
def clerk(house: House) -> Callable[..., Clerk]:
    def make(role: str, *, login: str = "", site_id: str | None = None) -> Clerk:
        login = login or role
        with house.center.writing() as session:
            staff_id, _ = add_account(
                house.center, session, login=login, name=role.title(), role=role, site_id=site_id, expires_at=None
            )
            row = session.get_one(StaffRow, staff_id)
            row.password_hash, row.must_change_password = house.center.hasher.hash(PASSWORD), False
        return Clerk(house, login, PASSWORD)

    return make


def enter_person(clerk: Clerk, number: str = "3301", name: str = "林安", site_id: str = "xiqiao") -> str:
    answer = clerk.post(
        "/people/new", number=number, name=name, site_id=site_id, level="2", category="02", active="1", term_end=""
    )
    assert answer.status_code == 303, answer.text
    return str(answer.headers["Location"].rsplit("/", 1)[1])


def test_nobody_sees_a_page_without_signing_in(house: House) -> None:
    client = house.client()
    for path in (
        "/overview/",
        "/people/",
        "/log/",
        "/log/export.csv",
        "/kiosks/",
        "/sites/",
        "/accounts/",
        "/reading-log/",
    ):
        answer = client.get(path)
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith("/sign-in?following=")


def test_every_page_of_the_console_asks_for_a_right(house: House) -> None:
    open_pages = {"account.sign_in_form", "account.sign_in", "account.language"}
    names = {blueprint.name for blueprint in CONSOLE}
    for endpoint, view in house.app.view_functions.items():
        if endpoint.split(".")[0] in names and endpoint not in open_pages:
            assert hasattr(view, GUARD), endpoint


def test_the_first_start_makes_one_admin_whose_password_must_be_changed(house: House) -> None:
    once = first_admin(house.center)
    assert once
    assert first_admin(house.center) is None
    admin = Clerk(house, "admin", once)
    assert admin.get("/people/").headers["Location"] == "/password"
    weak = admin.post("/password", present=once, new="short", again="short")
    assert weak.status_code == 422
    done = admin.post("/password", present=once, new=PASSWORD, again=PASSWORD)
    assert done.headers["Location"] == "/overview/"
    assert admin.get("/people/").status_code == 200


def test_a_wrong_password_and_an_unknown_name_look_alike(house: House, clerk: Callable[..., Clerk]) -> None:
    clerk("staff")
    wrong, unknown = Clerk(house, "staff", "no"), Clerk(house, "nobody", "no")
    assert (wrong.signed.status_code, unknown.signed.status_code) == (401, 401)
    assert re.sub(r'"[^"]{40,}"', "", wrong.signed.text) == re.sub(r'"[^"]{40,}"', "", unknown.signed.text)


def test_an_account_locks_after_five_wrong_passwords_and_opens_again(house: House, clerk: Callable[..., Clerk]) -> None:
    clerk("staff")
    for _ in range(5):
        assert Clerk(house, "staff", "wrong").signed.status_code == 401
    assert Clerk(house, "staff", PASSWORD).signed.status_code == 401
    house.clock.forward(15 * 60 + 1)
    assert Clerk(house, "staff", PASSWORD).signed.status_code == 303


def test_signing_in_is_limited_per_minute(tmp_path: Path) -> None:
    house = make_house(tmp_path, sign_in_limit="3 per minute")
    answers = [Clerk(house, "nobody", "x").signed.status_code for _ in range(4)]
    assert answers == [401, 401, 401, 429]


def test_a_session_ends_by_idling_by_the_clock_and_by_a_new_password(house: House, clerk: Callable[..., Clerk]) -> None:
    one = clerk("admin")
    two = Clerk(house, "admin", PASSWORD)
    house.clock.forward(29 * 60)
    assert one.get("/people/").status_code == 200
    assert two.post("/password", present=PASSWORD, new=PASSWORD + "!", again=PASSWORD + "!").status_code == 303
    assert one.get("/people/").status_code == 302
    assert two.get("/people/").status_code == 200
    house.clock.forward(31 * 60)
    assert two.get("/people/").status_code == 302


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(clerk: Callable[..., Clerk]) -> None:
    cookie = clerk("staff").signed.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


def test_a_form_without_its_token_is_refused(house: House, clerk: Callable[..., Clerk]) -> None:
    staff = clerk("staff")
    answer = staff.client.post("/people/new", data={"number": "1"})
    assert answer.status_code == 400
    assert "error" not in answer.headers["Content-Type"]


def test_pages_carry_a_policy_without_inline_scripts(clerk: Callable[..., Clerk]) -> None:
    answer = clerk("staff").get("/people/")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert " style=" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        ("admin", ["/people/new", "/accounts/", "/reading-log/", "/log/"], []),
        ("staff", ["/people/new", "/log/", "/kiosks/"], ["/accounts/", "/reading-log/"]),
        ("auditor", ["/people/", "/log/", "/reading-log/"], ["/people/new", "/accounts/"]),
    ],
)
def test_each_role_reaches_its_own_pages(
    clerk: Callable[..., Clerk], role: str, allowed: list[str], refused: list[str]
) -> None:
    someone = clerk(role)
    assert [someone.get(path).status_code for path in allowed] == [200] * len(allowed)
    assert [someone.get(path).status_code for path in refused] == [403] * len(refused)


def test_an_account_of_one_site_sees_nothing_of_another(house: House, clerk: Callable[..., Clerk]) -> None:
    with house.center.writing() as session:
        add_site(house.center, session, "dongshan", "东山司法所")
    admin = clerk("admin")
    there = enter_person(admin, "1", "王乙", "dongshan")
    enter_person(admin, "2", "陈丙", "xiqiao")
    Station(house, house.client()).pair(site_id="dongshan").submit(person_id=there)
    local = clerk("staff", site_id="xiqiao")
    assert "王乙" not in local.page("/people/")
    assert "陈丙" in local.page("/people/")
    assert local.get(f"/people/{there}").status_code == 403
    assert local.get("/log/0").status_code == 404
    assert "王乙" not in local.page("/log/")
    assert "王乙" not in local.page("/log/export.csv")
    refused = local.post("/people/new", number="9", name="x", site_id="dongshan", level="2", category="02")
    assert refused.status_code == 403


def test_no_administrator_is_bound_to_one_site(house: House, clerk: Callable[..., Clerk]) -> None:
    """Who makes accounts and pairs kiosks could give themselves every other site; so nobody is told otherwise."""
    admin = clerk("admin")
    refused = admin.post("/accounts/", login="wu.min", name="x", role="admin", site_id="xiqiao")
    assert refused.status_code == 422
    clerk("staff", site_id="xiqiao")
    with house.center.reading() as session:
        staff_id = session.scalar(select(StaffRow.staff_id).where(StaffRow.login == "staff"))
    assert admin.post(f"/accounts/{staff_id}", role="admin", site_id="xiqiao", active="1").status_code == 422
    assert admin.post(f"/accounts/{staff_id}", role="admin", site_id="", active="1").status_code == 303


def test_a_sites_auditor_reads_what_that_sites_accounts_did(house: House, clerk: Callable[..., Clerk]) -> None:
    with house.center.writing() as session:
        add_site(house.center, session, "dongshan", "东山司法所")
    for login, site_id in (("at.xiqiao", "xiqiao"), ("at.dongshan", "dongshan")):
        clerk("staff", login=login, site_id=site_id).get("/people/")
    with house.center.reading() as session:
        here, there = (
            session.scalar(select(StaffRow.staff_id).where(StaffRow.login == login))
            for login in ("at.xiqiao", "at.dongshan")
        )
    local = clerk("auditor", site_id="xiqiao")
    assert str(here) in local.page("/reading-log/")
    assert str(there) not in local.page("/reading-log/")
    assert "<td" not in local.page(f"/reading-log/?account={there}")
    everything = clerk("auditor", login="auditor2").page("/reading-log/")
    assert str(here) in everything and str(there) in everything


def test_a_person_is_entered_found_changed_and_erased(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    person_id = enter_person(admin)
    assert "林安" in admin.post("/people/", search="330").text
    assert "林安" not in admin.post("/people/", search="%").text
    taken = admin.post("/people/new", number="3301", name="x", site_id="xiqiao", level="2", category="02")
    assert taken.status_code == 422
    changed = admin.post(
        f"/people/{person_id}/change",
        number="3302",
        name="林安",
        site_id="xiqiao",
        level="3",
        category="02",
        active="1",
    )
    assert changed.status_code == 303
    assert admin.post(f"/people/{person_id}/erase", number="wrong").status_code == 422
    assert admin.post(f"/people/{person_id}/erase", number="3302").status_code == 303
    assert admin.get(f"/people/{person_id}").status_code == 422
    with house.center.reading() as session:
        assert session.get(PersonRow, person_id) is None


def test_a_kiosk_is_paired_with_the_digits_typed_in_any_way(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    digits = station.digits(opened)
    early = admin.post("/kiosks/approve", code=digits, site_id="xiqiao", name="")
    assert early.status_code == 422  # not revealed, so not waiting for digits yet
    assert station.reveal(opened).status_code == 200
    assert digits not in admin.page("/kiosks/")
    wrong = admin.post("/kiosks/approve", code="0000-0000-0000", site_id="xiqiao", name="")
    assert wrong.status_code == 422
    wide = digits.replace("-", " ").translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)})
    assert admin.post("/kiosks/approve", code=wide, site_id="xiqiao", name="大厅").status_code == 303
    state = station.get(f"/api/v1/pairings/{opened['pairing_id']}", key_id=opened["pairing_id"]).json
    assert state["status"] == "approved"
    assert admin.post(f"/kiosks/{state['kiosk_id']}/revoke").status_code == 303
    station.kiosk_id = state["kiosk_id"]
    assert station.get("/api/v1/gallery").json["error"]["code"] == "kiosk_revoked"


def test_a_changed_policy_needs_a_new_version(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    form = {
        "name": "西桥司法所", "version": "default-1", "windows": "09:00-12:00，14:00 至 17:30",
        "second_factor": "always", "max_tries": "3", "identify_up_to": "30", "wanted_fpir_percent": "0.5",
        "finger_alone": "1", "challenge_required": "1", "timezone": "Asia/Shanghai",
    }  # fmt: skip
    assert admin.post("/sites/xiqiao", **form).status_code == 422
    assert admin.post("/sites/xiqiao", **{**form, "version": "2026-2"}).status_code == 303
    assert 'value="09:00-12:00, 14:00-17:30"' in admin.page("/sites/xiqiao")
    assert admin.post("/sites/xiqiao", **{**form, "version": "2026-3", "windows": "9 to 5"}).status_code == 422


def test_the_policy_says_per_level_what_is_enough(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    form = {
        "name": "西桥司法所", "version": "2026-7", "windows": "09:00-12:00", "second_factor": "doubt", "max_tries": "3",
        "identify_up_to": "30", "wanted_fpir_percent": "1", "timezone": "Asia/Shanghai", "level_1": "", "level_2": "",
        "level_3": "both",
    }  # fmt: skip
    assert admin.post("/sites/xiqiao", **form).status_code == 303
    page = admin.page("/sites/xiqiao")
    assert page.count('<option value="both" selected>') == 1
    assert page.count('<option value="" selected>') == 0  # nothing chosen: the first choice, "as above", holds
    assert admin.post("/sites/xiqiao", **{**form, "version": "2026-8", "level_1": "anything"}).status_code == 422


def test_the_log_pages_by_place_and_filters(house: House, clerk: Callable[..., Clerk]) -> None:
    object.__setattr__(house.center.settings, "page_rows", 2)
    admin = clerk("admin")
    person_id = enter_person(admin)
    station = Station(house, house.client()).pair()
    for number in range(5):
        station.submit(person_id=person_id if number == 3 else None, outcome=CheckInOutcome.NOT_IDENTIFIED)
    shown = lambda page: [int(found) for found in re.findall(r'href="/log/(\d+)"', page)]  # noqa: E731
    assert shown(admin.page("/log/")) == [4, 3]
    assert shown(admin.page("/log/?before=3")) == [2, 1]
    assert shown(admin.page("/log/?before=1")) == [0]
    assert shown(admin.page("/log/?after=0")) == [2, 1]
    asked = admin.post("/log/", number="3301", outcome="", site="xiqiao")
    assert (asked.status_code, "3301" in asked.headers["Location"]) == (303, False)
    assert shown(admin.page(asked.headers["Location"])) == [3]
    assert shown(admin.page(admin.post("/log/", number="9999").headers["Location"])) == []
    assert shown(admin.page("/log/?outcome=accepted")) == []
    assert shown(admin.page("/log/?since=2026-03-02&until=2026-03-02")) == [4, 3]
    assert shown(admin.page("/log/?until=2026-03-01")) == []
    assert admin.get("/log/?since=yesterday").status_code == 200


def test_an_event_shows_its_evidence_and_that_it_holds(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    station = Station(house, house.client()).pair()
    station.submit()
    before = admin.page("/log/0")
    assert "0.710" in before
    assert "转头" in before
    assert 'class="verdict good"' in before
    sign_tree_head_now(house.center)
    assert admin.page("/log/0").count("✓") == 4


@pytest.mark.parametrize(
    "damage",
    [
        """UPDATE events SET body = replace(body, 'accepted', 'witnessed')""",
        """UPDATE events SET outcome = 'witnessed'""",
        """UPDATE events SET received_at = '2026-01-01 00:00:00.000000'""",
        """UPDATE events SET signature = replace(signature, substr(signature, 1, 1), 'x')""",
        """UPDATE events SET body = 'nothing'""",
    ],
)
def test_a_record_that_was_changed_behind_the_center_is_shown_as_such(
    house: House, clerk: Callable[..., Clerk], damage: str
) -> None:
    admin = clerk("admin")
    Station(house, house.client()).pair().submit()
    sign_tree_head_now(house.center)
    with house.center.writing() as session:
        session.execute(text(damage))
    assert 'class="verdict stop"' in admin.page("/log/0")
    assert admin.get("/log/").status_code == 200


def test_a_witnessed_check_in_names_its_witness(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    with house.center.reading() as session:
        staff_id = session.scalar(select(StaffRow.staff_id))
    Station(house, house.client()).pair().submit(
        type=EventType.WITNESSED_CHECK_IN,
        outcome=CheckInOutcome.WITNESSED,
        method=Method.WITNESS,
        evidence=(),
        witness=Witness(str(staff_id), "device_failed"),
    )
    assert "Admin · " in admin.page("/log/0")


def test_the_table_for_spreadsheets_runs_no_formula(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    person_id = enter_person(admin, "77", "=HYPERLINK(1)")
    Station(house, house.client()).pair().submit(person_id=person_id)
    answer = admin.get("/log/export.csv")
    assert answer.data.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(answer.data.decode("utf-8-sig"))))
    assert len(rows) == 2
    assert rows[1][2] == "'=HYPERLINK(1)"
    assert rows[1][1] == "77"


def test_every_reading_of_a_record_is_written_down(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    person_id = enter_person(admin)
    Station(house, house.client()).pair().submit(person_id=person_id)
    for path in ("/people/", f"/people/{person_id}", "/log/", "/log/0", "/log/export.csv"):
        admin.get(path)
    with house.center.reading() as session:
        entries = [(row.act, row.object) for row in session.scalars(select(AuditRow).order_by(AuditRow.audit_id))]
        details = [row.detail + row.object for row in session.scalars(select(AuditRow))]
    acts = [act for act, _ in entries]
    assert acts[-5:] == ["people_read", "person_read", "log_read", "event_read", "log_export"]
    assert ("person_read", person_id) in entries
    assert not any("林安" in detail or "3301" in detail for detail in details)
    assert "person_read" not in admin.page("/reading-log/")  # words, not codes


def test_an_account_is_made_with_a_password_shown_once(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    made = admin.post("/accounts/", login="li.na", name="李娜", role="staff", site_id="xiqiao", expires="2026-03-31")
    once = re.search(r'secret">([^<]+)<', made.text)
    assert once
    assert once[1] not in admin.page("/accounts/")
    assert 'value="2026-03-31"' in admin.page("/accounts/")
    assert Clerk(house, "li.na", once[1]).signed.status_code == 303
    house.clock.forward(40 * 24 * 3600)
    assert Clerk(house, "li.na", once[1]).signed.status_code == 401


def test_nobody_takes_away_their_own_access(house: House, clerk: Callable[..., Clerk]) -> None:
    admin = clerk("admin")
    with house.center.reading() as session:
        staff_id = session.scalar(select(StaffRow.staff_id))
    assert admin.post(f"/accounts/{staff_id}", role="staff", site_id="", active="1").status_code == 422
    assert admin.post(f"/accounts/{staff_id}", role="admin", site_id="").status_code == 422


def test_signing_in_never_leads_to_another_house(house: House, clerk: Callable[..., Clerk]) -> None:
    staff = clerk("staff")
    for following in ("https://evil.example/", "//evil.example/", "/\\evil.example/", "javascript:alert(1)"):
        answer = staff.post("/sign-in", login="staff", password=PASSWORD, following=following)
        assert answer.headers["Location"] == "/overview/"
    assert staff.post("/sign-in", login="staff", password=PASSWORD, following="/log/").headers["Location"] == "/log/"


def test_the_language_is_chinese_until_somebody_chooses_english(house: House, clerk: Callable[..., Clerk]) -> None:
    staff = clerk("staff")
    assert 'lang="zh-CN"' in staff.page("/overview/")
    assert staff.post("/language", language="en", following="/people/").headers["Location"] == "/people/"
    assert "<h1>People</h1>" in staff.page("/people/")
    assert "<h1>People</h1>" in Clerk(house, "staff", PASSWORD).page("/people/")


def test_errors_are_pages_for_people(house: House, clerk: Callable[..., Clerk]) -> None:
    staff = clerk("staff")
    for path, status in (("/nowhere", 404), ("/people/nobody", 422), ("/log/99", 404), ("/accounts/", 403)):
        answer = staff.get(path)
        assert (answer.status_code, answer.mimetype) == (status, "text/html"), path
