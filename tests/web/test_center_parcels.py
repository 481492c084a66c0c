"""Sealed parcels at the center: taken once, only from a kiosk of the site, and never on trust."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from center_house import House, Station, make_house
from sqlalchemy import select
from werkzeug.test import TestResponse

from enrollment.handover import Handover, pack_enrollment, read_enrollment
from enrollment.notice import Notice
from enrollment.repository import sealed_references, wrapped_key_of
from enrollment.revocation import erase_person, withdraw_enrollment
from enrollment.staff_repository import staff_key_of, staff_references
from enrollment.vault import SealedReference, SiteKey, Vault, WrappedKey
from models.attendance import EventType, format_time, uuid7
from models.biometrics import Modality, Reference, Template, TemplateFormat
from models.errors import InputError
from models.parcels import Parcel, ParcelKind, pack_pages
from models.store.center import AuditRow, NoticeRow, ParcelRow, StaffRow
from models.wire import open_document
from web.center.access import Account
from web.center.accounts import add_account
from web.center.kiosk_staff import remove_from_kiosks
from web.center.pairing import revoke_kiosk
from web.center.parcels import open_pages, written_reports
from web.center.people import PersonEntry, add_person
from web.center.sites import add_site

ROOT = Account("setup", "setup", "", "admin", None)
PAGE = b"\xff\xd8\xff simulated page \xff\xd9"
REPORT, ENROLLMENT = ParcelKind.WRITTEN_REPORT, ParcelKind.ENROLLMENT


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
    return enter(house, "440101")


@pytest.fixture
def clerk(house: House) -> str:
    return account(house, "wang")


def enter(house: House, number: str, site_id: str = "xiqiao") -> str:
    with house.center.writing() as session:
        entry = PersonEntry(number, "林志强", site_id, "2", "02", True, None)
        return add_person(house.center, session, ROOT, entry)


def account(house: House, login: str, *, role: str = "staff", site_id: str | None = "xiqiao") -> str:
    with house.center.writing() as session:
        return add_account(
            house.center, session, login=login, name="王敏", role=role, site_id=site_id, expires_at=None
        )[0]


def with_pin(house: House, staff_id: str) -> None:
    with house.center.writing() as session:
        session.get_one(StaffRow, staff_id).pin_hash = "$argon2id$simulated"


def vault_of(station: Station) -> Vault:
    return Vault(SiteKey.from_json(station.site_key))


def parcel(station: Station, kind: ParcelKind, person_id: str, content: bytes, **changes: Any) -> Parcel:
    now, vault = station.house.clock(), vault_of(station)
    empty = Parcel(uuid7(now), kind, person_id, now, vault.key_id, b"")
    site_id = changes.pop("site_id", "xiqiao")
    return replace(empty, sealed=vault.seal_content(content, empty.binding(site_id)), **changes)


def send(station: Station, content: Parcel | dict[str, Any]) -> TestResponse:
    return station.post("/api/v1/parcels", content.to_json() if isinstance(content, Parcel) else content)


def report(station: Station, person_id: str, **changes: Any) -> Parcel:
    return parcel(station, REPORT, person_id, pack_pages([PAGE, PAGE]), **changes)


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, str(answer.json["error"]["code"])


def reference(station: Station, owner: str, key: WrappedKey, modality: Modality = Modality.FACE) -> SealedReference:
    template = Template(TemplateFormat("sface", 1), b"simulated template")
    made = Reference(str(uuid4()), owner, modality, None, template, 0.8, station.house.clock())
    return vault_of(station).seal(made, key)


def handover(station: Station, owner: str, staff_id: str, **changes: Any) -> Handover:
    """A first enrollment: one face, and the key that the kiosk made."""
    key = vault_of(station).new_person_key(owner)
    notice = Notice("2026-1", "zh_CN", station.house.clock(), staff_id)
    return replace(Handover(owner, (reference(station, owner, key),), key, notice), **changes)


def enrolled(station: Station, given: Handover, **changes: Any) -> TestResponse:
    return send(station, parcel(station, ENROLLMENT, given.person_id, pack_enrollment(given), **changes))


def test_a_report_is_stored_once_and_the_same_again_is_a_duplicate(house: House, station: Station, person: str) -> None:
    sent = report(station, person)
    first, second = send(station, sent), send(station, sent)
    assert (first.status_code, first.json["status"]) == (201, "stored")
    assert (second.status_code, second.json["status"]) == (200, "duplicate")
    assert first.json["received_at"] == second.json["received_at"]
    with house.center.reading() as session:
        (held,) = written_reports(session, person, rows=5)
        assert open_pages(house.center, session.get_one(ParcelRow, held.parcel.parcel_id)) == (PAGE, PAGE)


def test_a_report_lies_at_the_center_as_sealed_as_it_came(house: House, station: Station, person: str) -> None:
    send(station, report(station, person))
    stored = b"".join(path.read_bytes() for path in house.folder.glob("center.db*"))
    assert b"simulated page" not in stored


def test_a_report_is_shown_with_the_event_that_names_it(house: House, station: Station, person: str) -> None:
    sent = report(station, person)
    send(station, sent)
    station.submit(
        person_id=person, type=EventType.WRITTEN_REPORT, outcome=None, details={"parcel": sent.sha256, "pages": 2}
    )
    station.submit(
        person_id=person, type=EventType.WRITTEN_REPORT, outcome=None, details={"parcel": "0" * 64, "pages": 1}
    )
    with house.center.reading() as session:
        (held,) = written_reports(session, person, rows=5)
        assert held.event is not None and held.event.seq == station.seq - 2


def test_another_parcel_under_the_same_id_is_a_conflict(station: Station, person: str) -> None:
    sent = report(station, person)
    send(station, sent)
    other = report(station, person, parcel_id=sent.parcel_id)
    assert code_of(send(station, other)) == (409, "parcel_conflict")


def test_a_parcel_of_another_kiosk_under_the_same_id_is_a_conflict(house: House, station: Station, person: str) -> None:
    sent = report(station, person)
    send(station, sent)
    assert code_of(send(Station(house, house.client()).pair(), sent)) == (409, "parcel_conflict")


def test_a_kiosk_hands_in_parcels_of_its_own_site_only(house: House, station: Station, clerk: str) -> None:
    elsewhere = enter(house, "440199", "dongshan")
    assert code_of(send(station, report(station, elsewhere))) == (422, "person_other_site")
    assert code_of(enrolled(station, handover(station, elsewhere, clerk))) == (422, "person_other_site")
    assert code_of(send(station, report(station, "nobody"))) == (422, "person_unknown")


def test_what_was_sealed_for_another_site_person_or_kind_does_not_open(station: Station, person: str) -> None:
    moved = [
        report(station, person, site_id="dongshan"),
        replace(report(station, "somebody"), person_id=person),
        replace(parcel(station, ENROLLMENT, person, pack_pages([PAGE])), kind=REPORT),
        replace(report(station, person), parcel_id=uuid7(station.house.clock())),
        replace(report(station, person), created_at=station.house.clock() + timedelta(seconds=1)),
        replace(report(station, person), sealed=b"short"),
    ]
    assert {code_of(send(station, one)) for one in moved} == {(422, "parcel_unreadable")}


def test_what_is_no_container_of_pages_is_refused(house: House, station: Station, person: str) -> None:
    for content in (b"<script>", pack_pages([PAGE])[:-3]):
        assert code_of(send(station, parcel(station, REPORT, person, content))) == (422, "pages_malformed")
    with house.center.reading() as session:
        assert session.scalars(select(ParcelRow.parcel_id)).all() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"parcel_id": "0195a000-0000-4000-8000-000000000000"}, "parcel_malformed"),
        ({"parcel_id": "1"}, "body_invalid"), ({"kind": "bomb"}, "body_invalid"), ({"sealed": "=="}, "body_invalid"),
        ({"sealed": "A"}, "encoding_malformed"), ({"sealed": False}, "body_invalid"), ({"more": 1}, "body_invalid"),
        ({"sha256": "0" * 64}, "parcel_damaged"), ({"created_at": "yesterday"}, "parcel_malformed"),
        ({"person_id": ""}, "body_invalid"), ({"person_id": "x" * 65}, "body_invalid"),
    ],
)  # fmt: skip
def test_a_parcel_of_another_shape_is_refused_by_name(
    station: Station, person: str, change: dict[str, Any], code: str
) -> None:
    assert code_of(send(station, report(station, person).to_json() | change)) == (422, code)


def test_a_revoked_kiosk_hands_in_nothing(house: House, station: Station, person: str) -> None:
    sent = report(station, person)
    with house.center.writing() as session:
        revoke_kiosk(house.center, session, station.kiosk_id)
    assert code_of(send(station, sent)) == (403, "kiosk_revoked")


class Untouchable(io.RawIOBase):
    """A body of 100,000 bytes that fails whoever reads it."""

    place = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self.place = 100_000 if whence == 2 else offset
        return self.place

    def tell(self) -> int:
        return self.place

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise AssertionError("the body was read")

    def readable(self) -> bool:
        return True


@pytest.mark.parametrize("flaw", ["none", "unknown", "forged", "stale", "revoked", "elsewhere"])
def test_of_a_large_body_nothing_is_read_before_its_headers_hold(house: House, station: Station, flaw: str) -> None:
    path, body = "/api/v1/parcels", b"0" * 100_000
    headers = station.signature("POST", path, body)
    if flaw == "none":
        headers = {}
    elif flaw == "unknown":
        headers = station.signature("POST", path, body, key_id="nobody")
    elif flaw == "forged":
        headers["Content-Digest"] = Station(house, house.client()).signature("POST", path, b"1")["Content-Digest"]
    elif flaw == "elsewhere":
        headers = station.signature("POST", "/api/v1/events", body)
    elif flaw == "stale":
        house.clock.forward(301)
    elif flaw == "revoked":
        with house.center.writing() as session:
            revoke_kiosk(house.center, session, station.kiosk_id)
    answer = house.client().post(
        path,
        input_stream=Untouchable(),
        headers={**headers, "Content-Type": "application/json"},
    )
    assert answer.status_code in (401, 403)


def test_a_large_body_that_is_not_the_one_signed_is_refused(station: Station, person: str) -> None:
    big = parcel(station, REPORT, person, pack_pages([PAGE[:-2] + b"0" * 200_000 + PAGE[-2:]]))
    body = json.dumps(big.to_json()).encode()
    headers = {"Content-Type": "application/json", **station.signature("POST", "/api/v1/parcels", body)}
    other = station.client.post("/api/v1/parcels", data=body.replace(b"AAAA", b"BBBB") + b" ", headers=headers)
    assert code_of(other) == (401, "signature_invalid")
    assert station.client.post("/api/v1/parcels", data=body, headers=headers).status_code == 201
    again = station.client.post("/api/v1/parcels", data=body, headers=headers)
    assert code_of(again) == (409, "request_replayed")


def test_a_parcel_is_limited_and_other_requests_stay_smaller(house: House, station: Station, person: str) -> None:
    over = b" " * (house.center.settings.parcel_body_bytes + 1)
    assert code_of(station.post("/api/v1/parcels", over)) == (413, "body_too_large")
    assert code_of(station.post("/api/v1/events", over[: 5 * 1024 * 1024])) == (413, "body_too_large")
    page = b"\xff\xd8\xff" + b"0" * (2 * 1024 * 1024 - 5) + b"\xff\xd9"
    largest = pack_pages([page, page, page[:3] + page[10_000:]])
    assert send(station, parcel(station, REPORT, person, largest)).status_code == 201


def test_an_enrollment_is_taken_into_the_person_s_references(
    house: House, station: Station, person: str, clerk: str
) -> None:
    before = station.get("/api/v1/gallery").headers["ETag"]
    given = handover(station, person, clerk)
    sent = parcel(station, ENROLLMENT, person, pack_enrollment(given))
    assert [send(station, sent).status_code for _ in range(2)] == [201, 200]
    with house.center.reading() as session:
        assert sealed_references(session, person) == list(given.references)
        assert wrapped_key_of(session, person) == given.wrapped
        assert session.get_one(ParcelRow, sent.parcel_id).sealed is None
        assert session.scalars(select(NoticeRow.staff_id)).all() == [clerk]
        trail = session.scalars(select(AuditRow).where(AuditRow.act == "person_enrolled")).one()
    assert (trail.staff_id, trail.object, json.loads(trail.detail)["kiosk"]) == (clerk, person, station.kiosk_id)
    gallery = station.get("/api/v1/gallery")
    assert gallery.headers["ETag"] != before
    (known,) = open_document(gallery.json, house.center.key.public_key())["people"]
    assert vault_of(station).open(
        SealedReference.from_json(person, known["references"][0]), WrappedKey.from_json(person, known["wrapped_key"])
    )


@pytest.mark.parametrize("re_enroll", [False, True])
def test_earlier_references_end_only_if_the_kiosk_says_so(
    house: House, station: Station, person: str, clerk: str, re_enroll: bool
) -> None:
    first = handover(station, person, clerk)
    enrolled(station, first)
    assert first.wrapped is not None
    again = replace(first, references=(reference(station, person, first.wrapped),), wrapped=None, re_enroll=re_enroll)
    assert enrolled(station, again).status_code == 201
    with house.center.reading() as session:
        held = {item.reference_id: item.revoked_at for item in sealed_references(session, person)}
    assert (held[first.references[0].reference_id] is not None) == re_enroll
    assert held[again.references[0].reference_id] is None


def test_an_enrollment_that_cannot_be_trusted_changes_nothing(
    house: House, station: Station, person: str, clerk: str
) -> None:
    good = handover(station, person, clerk)
    assert good.wrapped is not None
    stolen = handover(station, enter(house, "440102"), clerk)
    later = station.house.clock() + timedelta(days=1)
    doubtful = {
        "key_missing": replace(good, wrapped=None),
        "reference_malformed": replace(good, wrapped=vault_of(station).new_person_key(person)),
        "reference_malformed ": replace(good, references=stolen.references),
        "reference_malformed  ": replace(good, references=(replace(good.references[0], enrolled_at=later),)),
        "reference_malformed   ": replace(good, references=(replace(good.references[0], source="rumour"),)),
        "reference_malformed    ": replace(good, references=(replace(good.references[0], revoked_at=later),)),
        "reference_known": replace(good, references=good.references * 2),
        "staff_unknown": replace(good, notice=replace(good.notice, staff_id="nobody")),
        "staff_unknown ": replace(good, notice=replace(good.notice, staff_id=account(house, "li", role="auditor"))),
        "staff_unknown  ": replace(
            good, notice=replace(good.notice, staff_id=account(house, "wu", site_id="dongshan"))
        ),
        "notice_missing": replace(good, notice=replace(good.notice, given_at=later)),
    }
    for code, given in doubtful.items():
        assert code_of(enrolled(station, given)) == (422, code.strip()), code
    other = parcel(station, ENROLLMENT, person, pack_enrollment(stolen))
    assert code_of(send(station, other)) == (422, "enrollment_malformed")
    with house.center.reading() as session:
        assert sealed_references(session, person) == []
        assert wrapped_key_of(session, person) is None


def test_an_erased_person_is_not_enrolled_again_by_a_late_parcel(
    house: House, station: Station, person: str, clerk: str
) -> None:
    send(station, report(station, person))
    late = parcel(station, ENROLLMENT, person, pack_enrollment(handover(station, person, clerk)))
    with house.center.writing() as session:
        erase_person(session, person, now=house.clock(), staff_id="a", reason="test")
    assert code_of(send(station, late)) == (422, "person_unknown")
    with house.center.reading() as session:
        assert session.scalars(select(ParcelRow.parcel_id)).all() == []


def test_an_account_that_ended_since_then_did_its_work_one_switched_off_did_not(
    house: House, station: Station, person: str, clerk: str
) -> None:
    given = handover(station, person, clerk)
    with house.center.writing() as session:
        session.get_one(StaffRow, clerk).active = False
    assert code_of(enrolled(station, given)) == (422, "staff_unknown")
    with house.center.writing() as session:
        row = session.get_one(StaffRow, clerk)
        row.active, row.expires_at = True, house.clock() + timedelta(hours=1)
    house.clock.forward(7200)
    assert enrolled(station, given).status_code == 201


def test_a_staff_member_s_own_references_are_kept_apart_from_people_s(
    house: House, station: Station, clerk: str
) -> None:
    with_pin(house, clerk)
    given = handover(station, clerk, clerk)
    assert enrolled(station, given).status_code == 201
    with house.center.reading() as session:
        assert staff_references(session, clerk) == list(given.references)
        assert sealed_references(session, clerk) == []
        assert session.scalars(select(AuditRow.act).where(AuditRow.object == clerk)).all() == ["staff_enrolled"]
    document = open_document(station.get("/api/v1/gallery").json, house.center.key.public_key())
    (listed,) = document["staff"]
    assert (listed["staff_id"], listed["shown_name"], listed["role"]) == (clerk, "敏", "staff")
    assert document["people"] == []


def test_staff_of_all_sites_open_at_every_site_and_enroll_anew_only_where_they_were_enrolled(
    house: House, station: Station
) -> None:
    """Or a kiosk of one site could say whose face opens the staff's pages at every other one."""
    roaming = account(house, "chen", role="admin", site_id=None)
    with_pin(house, roaming)
    enrolled(station, handover(station, roaming, roaming))
    other = Station(house, house.client()).pair(site_id="dongshan")
    (listed,) = open_document(other.get("/api/v1/gallery").json, house.center.key.public_key())["staff"]
    key = WrappedKey.from_json(roaming, listed["wrapped_key"])
    assert vault_of(other).open(SealedReference.from_json(roaming, listed["references"][0]), key)
    notice = Notice("2026-1", "zh_CN", house.clock(), roaming)
    elsewhere = Handover(roaming, (reference(other, roaming, key),), None, notice, re_enroll=True)
    assert code_of(enrolled(other, elsewhere, site_id="dongshan")) == (422, "staff_other_site")
    with house.center.reading() as session:
        here = staff_key_of(session, roaming)
    assert here is not None
    anew = Handover(roaming, (reference(station, roaming, here),), None, notice, re_enroll=True)
    assert enrolled(station, anew).status_code == 201
    with house.center.reading() as session:
        held = {item.reference_id: item.revoked_at for item in staff_references(session, roaming)}
    assert [held.pop(anew.references[0].reference_id), len(held), None in held.values()] == [None, 1, False]


def test_whoever_moved_enrolls_anew_at_the_new_site(house: House, station: Station, clerk: str) -> None:
    with_pin(house, clerk)
    enrolled(station, handover(station, clerk, clerk))
    with house.center.writing() as session:
        session.get_one(StaffRow, clerk).site_id = "dongshan"
    other = Station(house, house.client()).pair(site_id="dongshan")
    (listed,) = open_document(other.get("/api/v1/gallery").json, house.center.key.public_key())["staff"]
    key = WrappedKey.from_json(clerk, listed["wrapped_key"])
    notice = Notice("2026-1", "zh_CN", house.clock(), clerk)
    anew = Handover(clerk, (reference(other, clerk, key),), None, notice, re_enroll=True)
    assert enrolled(other, anew, site_id="dongshan").status_code == 201


def test_what_was_erased_of_a_staff_member_does_not_come_back_with_a_late_parcel(
    house: House, station: Station, clerk: str
) -> None:
    with_pin(house, clerk)
    late = handover(station, clerk, clerk)
    with house.center.writing() as session:
        remove_from_kiosks(house.center, session, clerk)
    assert code_of(enrolled(station, late)) == (422, "staff_not_at_kiosks")
    with house.center.reading() as session:
        assert (staff_references(session, clerk), staff_key_of(session, clerk)) == ([], None)


def test_an_enrollment_that_was_withdrawn_meanwhile_does_not_come_back_with_a_late_parcel(
    house: House, station: Station, person: str, clerk: str
) -> None:
    first = handover(station, person, clerk)
    assert enrolled(station, first).status_code == 201
    assert first.wrapped is not None
    late = replace(first, references=(reference(station, person, first.wrapped),), wrapped=None, re_enroll=True)
    house.clock.forward(60)
    with house.center.writing() as session:
        withdraw_enrollment(session, person, now=house.clock(), staff_id="a", reason="test")
    house.clock.forward(60)
    assert code_of(enrolled(station, late)) == (422, "enrollment_outdated")
    with house.center.reading() as session:
        assert all(item.revoked_at is not None for item in sealed_references(session, person))
    anew = replace(late, notice=replace(late.notice, given_at=house.clock()))
    assert enrolled(station, anew).status_code == 201


def test_an_earlier_enrollment_does_not_replace_a_later_one(
    house: House, station: Station, person: str, clerk: str
) -> None:
    first = handover(station, person, clerk)
    enrolled(station, first)
    assert first.wrapped is not None
    kept_back, later = (
        replace(first, references=(reference(station, person, first.wrapped),), wrapped=None, re_enroll=True)
        for _ in range(2)
    )
    house.clock.forward(60)
    assert enrolled(station, replace(later, notice=replace(later.notice, given_at=house.clock()))).status_code == 201
    assert code_of(enrolled(station, kept_back)) == (422, "enrollment_outdated")
    with house.center.reading() as session:
        valid = [item.reference_id for item in sealed_references(session, person) if item.revoked_at is None]
    assert valid == [later.references[0].reference_id]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values | {"references": []}, lambda values: values | {"references": [1]},
        lambda values: values | {"references": values["references"] * 41}, lambda values: values | {"notice": None},
        lambda values: values | {"staff_id": "x" * 65}, lambda values: values | {"re_enroll": "yes"},
        lambda values: values | {"cleared": -1}, lambda values: values | {"missing_reason": "lazy"},
        lambda values: values | {"wrapped_key": {}}, lambda values: {}, lambda values: [],
    ],
)  # fmt: skip
def test_a_spoiled_handover_is_refused_in_one_sentence(station: Station, person: str, clerk: str, spoil: Any) -> None:
    whole = pack_enrollment(handover(station, person, clerk))
    assert pack_enrollment(read_enrollment(whole)) == whole
    with pytest.raises(InputError, match="malformed"):
        read_enrollment(json.dumps(spoil(json.loads(whole))).encode())
    with pytest.raises(InputError, match="malformed"):
        read_enrollment(whole[:-1])


def test_what_kiosks_send_says_its_time_as_the_center_writes_it(station: Station, person: str) -> None:
    sent = report(station, person)
    assert sent.to_json()["created_at"] == format_time(station.house.clock())
