"""The center's interface: pairing, gallery, ingestion and everything that a request may get wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from center_house import HOST, House, Station, make_house
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select
from werkzeug.test import TestResponse

from models.attendance import sign_event
from models.errors import InputError
from models.store.center import EventRow, KioskRow
from models.wire import decode_key, encode_bytes, encode_key, open_document, pairing_commitment, sign_request
from web.center.heads import HeadSigner, sign_tree_head_now
from web.center.pairing import approve_pairing, reject_pairing, revoke_kiosk, waiting_pairings
from web.center.verification import check_ledger


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


@pytest.fixture
def station(house: House) -> Station:
    return Station(house, house.client()).pair()


def code_of(answer: TestResponse) -> str:
    assert set(answer.json) == {"error"}
    assert set(answer.json["error"]) == {"code", "message"}
    return str(answer.json["error"]["code"])


def test_a_kiosk_is_paired_by_the_digits_it_shows(house: House) -> None:
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    address = f"/api/v1/pairings/{opened['pairing_id']}"
    assert station.get(address, key_id=opened["pairing_id"]).json["status"] == "pending"
    station.pair()
    assert station.site_key["id"]
    assert station.get("/api/v1/gallery").status_code == 200


def test_only_the_kiosk_itself_may_ask_for_its_pairing(house: House) -> None:
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    address = f"/api/v1/pairings/{opened['pairing_id']}"
    assert code_of(house.client().get(address)) == "signature_missing"
    other = Station(house, house.client())
    other_id = other.ask_for_pairing()["pairing_id"]
    assert code_of(other.get(address, key_id=opened["pairing_id"])) == "signature_invalid"
    assert other.get(address, key_id=other_id).status_code == 403


def test_there_are_no_digits_before_the_kiosk_revealed_its_nonce(house: House) -> None:
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    with house.center.writing() as session:
        assert waiting_pairings(session, house.clock()) == []
        with pytest.raises(InputError, match="No waiting kiosk"):
            approve_pairing(house.center, session, station.digits(opened), site_id="xiqiao", name="")
    answer = station.reveal(opened)
    assert (answer.status_code, answer.json["revealed"]) == (200, True)
    with house.center.writing() as session:
        assert approve_pairing(house.center, session, station.digits(opened), site_id="xiqiao", name="")


def test_a_wrong_reveal_is_refused_and_gives_no_digits(house: House) -> None:
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    answer = station.reveal(opened, b"x" * 32)
    assert (answer.status_code, code_of(answer)) == (422, "commitment_broken")
    with house.center.reading() as session:
        assert waiting_pairings(session, house.clock()) == []


def test_a_nonce_is_told_once(house: House) -> None:
    """The same request again, the same nonce signed anew and another nonce: none of them is taken."""
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    path = f"/api/v1/pairings/{opened['pairing_id']}/reveal"
    body = json.dumps({"nonce": encode_bytes(station.nonce)}).encode()
    headers = station.signature("POST", path, body, key_id=opened["pairing_id"])
    sent = [station.client.post(path, data=body, headers=headers, content_type="application/json") for _ in range(2)]
    assert (sent[0].status_code, sent[1].status_code, code_of(sent[1])) == (200, 409, "request_replayed")
    for nonce in (station.nonce, b"x" * 32):
        answer = station.reveal(opened, nonce)
        assert (answer.status_code, code_of(answer)) == (409, "pairing_revealed")
    with house.center.writing() as session:
        assert approve_pairing(house.center, session, station.digits(opened), site_id="xiqiao", name="")


def test_a_commitment_serves_one_pairing_only(house: House) -> None:
    station = Station(house, house.client())
    station.ask_for_pairing()
    asked = {
        "signing_key": encode_key(station.signing.public_key()),
        "agreement_key": encode_key(station.agreement.public_key()),
        "commitment": encode_bytes(
            pairing_commitment(
                station.nonce,
                signing_key=station.signing.public_key().public_bytes_raw(),
                agreement_key=station.agreement.public_key().public_bytes_raw(),
            )
        ),
        "name": "",
        "software": "",
    }
    answer = house.client().post("/api/v1/pairings", json=asked)
    assert (answer.status_code, code_of(answer)) == (409, "commitment_used")


def test_only_the_kiosk_itself_reveals_and_only_while_the_pairing_waits(house: House) -> None:
    station, other = Station(house, house.client()), Station(house, house.client())
    opened, strange = station.ask_for_pairing(), other.ask_for_pairing()
    other.nonce = station.nonce
    assert code_of(other.reveal(opened)) == "signature_invalid"
    path = f"/api/v1/pairings/{opened['pairing_id']}/reveal"
    content = {"nonce": encode_bytes(station.nonce)}
    assert other.post(path, content, key_id=strange["pairing_id"]).status_code == 403
    assert code_of(other.client.post(path, json=content)) == "signature_missing"
    house.clock.forward(15 * 60 + 1)
    answer = station.reveal(opened)
    assert (answer.status_code, code_of(answer)) == (409, "pairing_over")


def test_a_man_in_the_middle_with_keys_of_his_own_on_both_sides_shows_other_digits(house: House) -> None:
    """He repeats the center's pairing id and nonce to the kiosk and opens a pairing of his own at the center."""
    kiosk, middle = Station(house, house.client()), Station(house, house.client())
    at_center = middle.ask_for_pairing()
    kiosk.nonce = b"k" * 32
    false_key = encode_key(Ed25519PrivateKey.generate().public_key())
    shown = kiosk.digits({**at_center, "center_key": false_key})
    middle.reveal(at_center)
    assert shown != middle.digits(at_center)
    with house.center.writing() as session, pytest.raises(InputError, match="No waiting kiosk"):
        approve_pairing(house.center, session, shown, site_id="xiqiao", name="")


def test_an_approval_is_signed_by_the_center(house: House) -> None:
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    station.reveal(opened)
    with house.center.writing() as session:
        approve_pairing(house.center, session, station.digits(opened), site_id="xiqiao", name="")
    state = station.get(f"/api/v1/pairings/{opened['pairing_id']}", key_id=opened["pairing_id"]).json
    signature = state.pop("signature")
    signed = {"document": {**state, "pairing_id": opened["pairing_id"]}, "signature": signature}
    assert open_document(signed, decode_key(opened["center_key"]))["site_id"] == "xiqiao"


def test_a_pairing_expires_and_can_be_refused(house: House) -> None:
    station = Station(house, house.client())
    opened = station.ask_for_pairing()
    house.clock.forward(15 * 60 + 1)
    address = f"/api/v1/pairings/{opened['pairing_id']}"
    assert station.get(address, key_id=opened["pairing_id"]).json["status"] == "expired"
    again = station.ask_for_pairing()
    with house.center.writing() as session:
        reject_pairing(session, again["pairing_id"])
    address = f"/api/v1/pairings/{again['pairing_id']}"
    assert station.get(address, key_id=again["pairing_id"]).json["status"] == "rejected"


def test_a_key_of_small_order_is_refused_at_pairing(house: House) -> None:
    asked = {"signing_key": "A" * 43, "agreement_key": "A" * 43, "commitment": "A" * 43, "name": "", "software": ""}
    answer = house.client().post("/api/v1/pairings", json=asked)
    assert (answer.status_code, code_of(answer)) == (422, "key_malformed")


def test_the_gallery_is_signed_and_sent_once_per_version(house: House, station: Station) -> None:
    first = station.get("/api/v1/gallery")
    document = open_document(first.json, house.center.key.public_key())
    assert document["site_id"] == "xiqiao"
    assert document["policy"]["version"] == "default-1"
    again = station.get("/api/v1/gallery", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_an_event_is_stored_and_the_same_again_is_a_duplicate(house: House, station: Station) -> None:
    event = station.event().wire()
    first = station.post("/api/v1/events", event)
    assert (first.status_code, first.json["status"], first.json["leaf_index"]) == (201, "stored", 0)
    second = station.post("/api/v1/events", event)
    assert (second.status_code, second.json["status"], second.json["leaf_index"]) == (200, "duplicate", 0)


def test_a_batch_is_stored_in_order_and_stops_at_a_gap(house: House, station: Station) -> None:
    events = [station.event().wire() for _ in range(4)]
    answer = station.post("/api/v1/events/batch", {"events": [events[0], events[1], events[3], events[2]]})
    assert [result["status"] for result in answer.json["results"]] == ["stored", "stored", "rejected"]
    assert answer.json["results"][2]["error"]["code"] == "chain_gap"
    rest = station.post("/api/v1/events/batch", {"events": events})
    assert [result["status"] for result in rest.json["results"]] == ["duplicate", "duplicate", "stored", "stored"]


def test_a_gap_a_fork_and_a_stranger_event_have_codes_of_their_own(house: House, station: Station) -> None:
    station.submit()
    skipped = station.event()
    assert code_of(station.submit()) == "chain_gap"
    station.post("/api/v1/events", skipped.wire())
    fork = sign_event(replace(skipped.event, event_id="0195a000-0000-7000-8000-000000000000"), station.signing)
    assert code_of(station.post("/api/v1/events", fork.wire())) == "chain_fork"
    conflict = sign_event(replace(skipped.event, note_code="other"), station.signing)
    assert code_of(station.post("/api/v1/events", conflict.wire())) == "event_conflict"
    other = sign_event(replace(skipped.event, kiosk_id="another"), station.signing)
    answer = station.post("/api/v1/events", other.wire())
    assert (answer.status_code, code_of(answer)) == (409, "kiosk_mismatch")


def test_a_forged_event_is_refused(house: House, station: Station) -> None:
    genuine = station.event()
    forged = sign_event(genuine.event, Ed25519PrivateKey.generate())
    assert code_of(station.post("/api/v1/events", forged.wire())) == "event_signature_invalid"
    altered = genuine.wire()
    altered["body"]["outcome"] = "witnessed"
    assert code_of(station.post("/api/v1/events", altered)) == "event_hash_mismatch"


def test_an_altered_body_does_not_pass_the_request_signature(station: Station) -> None:
    body = json.dumps(station.event().wire()).encode()
    headers = {"Content-Type": "application/json", **station.signature("POST", "/api/v1/events", body)}
    answer = station.client.post("/api/v1/events", data=body.replace(b"accepted", b"rejected"), headers=headers)
    assert (answer.status_code, code_of(answer)) == (401, "signature_invalid")


def test_a_signature_for_another_address_does_not_hold(station: Station) -> None:
    headers = station.signature("GET", "/api/v1/ledger/head", b"")
    assert code_of(station.client.get("/api/v1/gallery", headers=headers)) == "signature_invalid"


def test_a_replayed_request_is_told_from_a_stale_one(house: House, station: Station) -> None:
    headers = station.signature("GET", "/api/v1/gallery", b"")
    assert station.client.get("/api/v1/gallery", headers=headers).status_code == 200
    replayed = station.client.get("/api/v1/gallery", headers=headers)
    assert (replayed.status_code, code_of(replayed)) == (409, "request_replayed")
    house.clock.forward(301)
    stale = station.client.get("/api/v1/gallery", headers=headers)
    assert (stale.status_code, code_of(stale)) == (401, "signature_stale")
    assert "Date" in stale.headers


def test_an_unknown_kiosk_is_told_so(house: House, station: Station) -> None:
    headers = sign_request(
        "GET", HOST + "/api/v1/gallery", b"", key=station.signing, key_id="nobody", now=house.clock()
    )
    answer = station.client.get("/api/v1/gallery", headers=headers)
    assert (answer.status_code, code_of(answer)) == (401, "kiosk_unknown")


def test_a_clock_that_was_set_back_does_not_revoke_a_kiosk_before_its_last_event(
    house: House, station: Station
) -> None:
    """The ledger would say that the event was forged."""
    station.submit()
    house.clock.forward(-600)
    with house.center.writing() as session:
        revoke_kiosk(house.center, session, station.kiosk_id)
    with house.center.reading() as session:
        arrived = session.scalars(select(EventRow.received_at)).one()
        revoked = session.get_one(KioskRow, station.kiosk_id).revoked_at
    assert revoked == arrived > house.clock()


def test_a_revoked_kiosk_gets_nothing_any_more(house: House, station: Station) -> None:
    with house.center.writing() as session:
        revoke_kiosk(house.center, session, station.kiosk_id)
    for answer in (station.get("/api/v1/gallery"), station.submit(), station.get("/api/v1/ledger/head")):
        assert (answer.status_code, code_of(answer)) == (403, "kiosk_revoked")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "json_malformed"),
        (b"{", 400, "json_malformed"),
        (b"\xff\xfe", 400, "json_malformed"),
        (b"[]", 422, "body_invalid"),
        (b'{"body":{},"hash":false,"signature":0}', 422, "body_invalid"),
        (b'{"body":{},"hash":"%b","signature":"%b"}' % (b"0" * 64, b"0" * 128), 409, "kiosk_mismatch"),
        (b'{"body":{},"hash":"%b","signature":"%b","more":1}' % (b"0" * 64, b"0" * 128), 422, "body_invalid"),
        (b'{"body":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}", 400, "json_malformed"),
    ],
)
def test_a_body_of_another_shape_is_refused_by_name(station: Station, body: bytes, status: int, code: str) -> None:
    answer = station.post("/api/v1/events", body)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_wrong_media_type_size_method_and_address_are_answered_in_json(house: House, station: Station) -> None:
    other = station.post("/api/v1/events", b"{}", **{"Content-Type": "text/plain"})
    assert (other.status_code, code_of(other)) == (415, "media_type_unsupported")
    big = station.post("/api/v1/events", b" " * (house.center.settings.api_body_bytes + 1))
    assert (big.status_code, code_of(big)) == (413, "body_too_large")
    method = station.client.delete("/api/v1/events")
    assert (method.status_code, code_of(method)) == (405, "method_not_allowed")
    assert "POST" in method.headers["Allow"]
    nowhere = station.client.get("/api/v1/nowhere")
    assert (nowhere.status_code, code_of(nowhere)) == (404, "not_found")


def test_too_many_requests_are_answered_with_the_time_to_wait(tmp_path: Path) -> None:
    client = make_house(tmp_path, pairing_limit="2 per minute").client()
    answers = [client.post("/api/v1/pairings", json={}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 429]
    assert code_of(answers[2]) == "too_many_requests"
    assert int(answers[2].headers["Retry-After"]) > 0


def test_an_unexpected_error_says_nothing_of_itself(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise RuntimeError("secret of a person")

    house.app.view_functions["api.health"] = broken
    answer = house.client().get("/api/v1/health")
    assert (answer.status_code, code_of(answer)) == (500, "internal_error")
    assert "secret" not in answer.text


def test_the_tree_head_covers_what_was_appended(house: House, station: Station) -> None:
    for _ in range(3):
        station.submit()
    head = sign_tree_head_now(house.center)
    answer = station.get("/api/v1/ledger/head").json
    assert (answer["size"], answer["signed_head"]["root"]) == (3, head.root)
    assert decode_key(answer["center_key"]) == house.center.key.public_key()
    with house.center.reading() as session:
        assert check_ledger(session, house.center.key.public_key()).events == 3


def test_the_signer_signs_what_is_left_when_it_stops(tmp_path: Path) -> None:
    house = make_house(tmp_path, tree_head_interval_s=3600)
    station = Station(house, house.client()).pair()
    signer = HeadSigner(house.center)
    signer.start()
    station.submit()
    signer.stop()
    assert station.get("/api/v1/ledger/head").json["signed_head"]["size"] == 1


def test_health_names_version_and_time(house: House) -> None:
    answer = house.client().get("/api/v1/health").json
    assert answer["status"] == "ok"
    assert answer["time"] == "2026-03-02T04:00:00.000000Z"


def test_the_kiosk_was_seen_and_its_event_keeps_what_was_signed(house: House, station: Station) -> None:
    event = station.event()
    station.post("/api/v1/events", event.wire())
    with house.center.reading() as session:
        assert session.get_one(KioskRow, station.kiosk_id).last_seen_at == house.clock()
        row = session.get_one(EventRow, 0)
        assert (json.loads(row.body), row.hash) == (event.body, event.hash)
