"""What the center does with an event that arrives: store it once, in its chain, or say exactly why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from models import merkle
from models.attendance import AttendanceEvent, canonical, sign_event, uuid7
from models.errors import InputError, LedgerError, MusterError, SignatureInvalid
from models.ledger import FIRST_HEAD, TreeHead, verify_tree_head
from models.ledger_store import (
    MOST_EVENT_BYTES,
    IngestStatus,
    ingest_event,
    ingest_events,
    latest_head,
    log_size,
    prove_inclusion,
    sign_head,
)
from models.store.center import EventRow, KioskRow, TreeNodeRow
from models.store.engine import reading, writing


@pytest.fixture
def chain(center):
    return center.pair("k-1")


def code_of(center, signed, **options):
    with pytest.raises(MusterError) as caught:
        center.receive(signed, **options)
    return caught.value.code


def test_an_event_is_stored_as_received_at_the_next_place(center, chain):
    signed = chain.next()
    (answer,) = center.receive(signed)
    assert (answer.status, answer.leaf_index) == (IngestStatus.STORED, 0)
    with reading(center.engine) as session:
        row = session.get(EventRow, 0)
        assert row.body.encode() == canonical(signed.body)
        assert (row.person_id, row.outcome, row.method, row.seq) == ("p-明", "accepted", "face", 1)
        assert row.received_at == answer.received_at


def test_the_same_event_again_is_a_duplicate_and_changes_nothing(center, chain):
    events = [chain.next(), chain.next()]
    first = center.receive(*events)
    again = center.receive(*events)
    assert [answer.status for answer in again] == [IngestStatus.DUPLICATE] * 2
    assert [answer.leaf_index for answer in again] == [0, 1]
    assert [answer.received_at for answer in again] == [answer.received_at for answer in first]
    with reading(center.engine) as session:
        assert log_size(session) == 2


def test_another_event_with_the_same_id_is_a_conflict(center, chain):
    first = chain.next()
    center.receive(first)
    other = sign_event(replace(first.event, note_code="x"), chain.key)
    assert code_of(center, other) == "event_conflict"


def test_an_event_longer_than_any_is_refused_before_it_makes_every_export_so(center, chain):
    first = chain.next()
    long = sign_event(replace(first.event, policy_version="v" * MOST_EVENT_BYTES), chain.key)
    assert code_of(center, long) == "event_too_large"
    assert [answer.status for answer in center.receive(first)] == [IngestStatus.STORED]


@pytest.mark.parametrize("time", ["9999-12-31T20:00:00.000000Z", "0001-01-01T00:00:00.000000Z"])
def test_an_event_from_a_year_that_no_zone_can_tell_is_malformed(center, chain, time):
    body = dict(chain.next().body) | {"captured_at": time}
    with pytest.raises(InputError, match="year"):
        AttendanceEvent.from_body(body)


def test_an_event_too_far_ahead_is_a_gap_and_fits_later(center, chain):
    first, second, third = chain.next(), chain.next(), chain.next()
    center.receive(first)
    with pytest.raises(LedgerError) as caught:
        center.receive(third)
    assert (caught.value.code, caught.value.details["expected_seq"]) == ("chain_gap", 2)
    center.receive(second, third)
    assert code_of(center, center.pair("k-2").next(seq=2)) == "chain_gap"


def test_a_second_history_of_a_kiosk_is_a_fork(center, chain):
    first, second = chain.next(), chain.next()
    center.receive(first, second)
    other = sign_event(replace(second.event, event_id=uuid7(center.now)), chain.key)
    assert code_of(center, other) == "chain_fork"
    stray = sign_event(replace(chain.event(), prev_hash=first.hash), chain.key)
    assert code_of(center, stray) == "chain_fork"
    assert code_of(center, center.pair("k-2").next(prev_hash="1" * 64)) == "chain_fork"


def test_unknown_revoked_and_mistaken_kiosks_are_refused(center, chain):
    signed = chain.next()
    assert code_of(center, signed, kiosk_id="k-9") == "kiosk_mismatch"
    with writing(center.engine) as session:
        session.get(KioskRow, "k-1").status = "revoked"
    assert code_of(center, signed) == "kiosk_revoked"
    stranger = replace(chain.event(), kiosk_id="k-9")
    assert code_of(center, sign_event(stranger, chain.key)) == "kiosk_unknown"


def test_altered_and_forged_events_are_refused(center, chain):
    signed = chain.next()
    altered = replace(signed, body={**signed.body, "outcome": "not_verified"})
    assert code_of(center, altered) == "event_hash_mismatch"
    forged = sign_event(signed.event, Ed25519PrivateKey.generate())
    assert code_of(center, forged) == "event_signature_invalid"
    for signature in (signed.signature.upper(), signed.signature[:-2] + " 0", "", "é" * 128):
        assert code_of(center, replace(signed, signature=signature)) == "event_signature_invalid"


@pytest.mark.parametrize(
    "wire",
    [{}, [], None, {"body": {}}, {"body": [], "hash": "", "signature": ""}, {"body": {}, "hash": 1, "signature": ""}],
)
def test_what_is_no_event_is_malformed(center, wire):
    with pytest.raises(InputError) as caught, writing(center.engine) as session:
        ingest_event(session, wire, received_at=center.now)
    assert caught.value.code == "event_malformed"


def test_a_field_too_many_or_of_a_wrong_type_is_malformed_even_if_signed(center, chain):
    signed = chain.next()
    for change in (
        {"stowaway": 1},
        {"seq": True},
        {"seq": "1"},
        {"evidence": [{}]},
        {"evidence": None},
        {"captured_at": "2026-03-02"},
        {"person_id": "a\0b"},
        {"event_id": signed.body["event_id"].upper()},
        {"algorithm": "none"},
        {"kiosk_id": "k-1", "monotonic_ns": " 5"},
    ):
        body = {**signed.body, **change}
        from models.attendance import SignedEvent, event_hash

        wire = SignedEvent(body, event_hash(body), chain.key.sign(canonical(body)).hex())
        with pytest.raises(InputError):
            center.receive(wire)


def test_a_refused_event_leaves_the_log_as_it_was(center, chain):
    center.receive(chain.next())
    code_of(center, replace(chain.next(), hash="0" * 64))
    with reading(center.engine) as session:
        assert log_size(session) == 1 and len(session.scalars(select(EventRow)).all()) == 1


def test_heads_are_signed_one_after_the_other_and_only_when_something_came(center, chain):
    assert center.sign().size == 0
    center.receive(chain.next(), chain.next(), chain.next())
    second, again = center.sign(), center.sign()
    assert second == again and second.size == 3
    center.receive(chain.next())
    third = center.sign()
    assert third.previous == second.hash
    for head in (second, third):
        verify_tree_head(head, center.key.public_key())
        assert TreeHead.from_json(head.to_json()) == head
    with reading(center.engine) as session:
        assert latest_head(session) == third


def test_the_first_head_says_that_it_is_the_first(center):
    head = center.sign()
    assert (head.previous, head.root) == (FIRST_HEAD, merkle.EMPTY_ROOT.hex())


def test_an_altered_head_or_another_key_does_not_hold(center):
    head = center.sign()
    with pytest.raises(SignatureInvalid):
        verify_tree_head(replace(head, size=1), center.key.public_key())
    with pytest.raises(SignatureInvalid):
        verify_tree_head(head, Ed25519PrivateKey.generate().public_key())


@pytest.mark.parametrize(
    "change",
    [
        {"size": -1},
        {"size": True},
        {"root": "x"},
        {"signature": "0"},
        {"timestamp": "now"},
        {"more": 1},
        {"previous": None},
    ],
)
def test_a_head_that_is_none_is_malformed(center, change):
    with pytest.raises(InputError):
        TreeHead.from_json(center.sign().to_json() | change)


def test_every_record_can_be_proved_by_itself(center, chain):
    center.receive(*(chain.next() for _ in range(7)))
    head = center.sign()
    with reading(center.engine) as session:
        for leaf in range(7):
            path = prove_inclusion(session, leaf, head.size)
            leaf_hash = session.get(EventRow, leaf).leaf_hash
            root = bytes.fromhex(head.root)
            assert merkle.inclusion_holds(leaf_hash, leaf, size=head.size, root=root, path=path)
        with pytest.raises(LedgerError):
            prove_inclusion(session, 7, 7)


def test_no_head_is_signed_over_a_log_that_was_rewritten(center, chain):
    center.receive(*(chain.next() for _ in range(4)))
    center.sign()
    center.receive(chain.next())
    with writing(center.engine) as session:
        session.get(TreeNodeRow, (2, 0)).hash = bytes(32)
    with pytest.raises(LedgerError) as caught, writing(center.engine) as session:
        sign_head(session, center.key, center.now + timedelta(seconds=1))
    assert caught.value.code == "ledger_rewritten"


def test_a_log_that_was_shortened_is_noticed(center, chain):
    center.receive(*(chain.next() for _ in range(4)))
    center.sign()
    with writing(center.engine) as session:
        session.delete(session.get(TreeNodeRow, (0, 3)))
    with pytest.raises(LedgerError), writing(center.engine) as session:
        sign_head(session, center.key, center.now)


def test_events_together_make_the_same_tree_as_one_by_one(center, chain):
    """Batches of odd sizes leave every node that a tree built leaf by leaf has, and no other."""
    for size in (1, 2, 5, 3, 8):
        wires = [chain.next().wire() for _ in range(size)]
        with writing(center.engine) as session:
            done, refused = ingest_events(session, wires, received_at=center.now, kiosk_id="k-1")
        assert ([one.status for one in done], refused) == ([IngestStatus.STORED] * size, None)
    with reading(center.engine) as session:
        tree = merkle.MerkleTree()
        for row in session.scalars(select(EventRow).order_by(EventRow.leaf_index)):
            tree.append(row.leaf_hash)
        nodes = session.scalars(select(TreeNodeRow)).all()
        assert log_size(session) == len(tree) == 19
        assert all(node.hash == tree.node_at(node.level, node.position) for node in nodes)
        assert len(nodes) == sum(19 >> level for level in range(5))
    assert center.sign().root == tree.root().hex()


def test_events_together_end_at_the_first_refused_and_keep_what_came_before(center, chain):
    first, second = chain.next(), chain.next()
    late = chain.next(seq=9)
    with writing(center.engine) as session:
        done, refused = ingest_events(
            session, [first.wire(), first.wire(), late.wire(), second.wire()], received_at=center.now
        )
    assert [one.status for one in done] == [IngestStatus.STORED, IngestStatus.DUPLICATE]
    assert (refused.code, refused.details["expected_seq"]) == ("chain_gap", 2)
    assert [one.status for one in center.receive(first, second)] == [IngestStatus.DUPLICATE, IngestStatus.STORED]


def test_another_event_with_the_same_id_in_one_batch_is_a_conflict(center, chain):
    first = chain.next()
    other = sign_event(replace(first.event, note_code="x"), chain.key)
    with writing(center.engine) as session:
        done, refused = ingest_events(session, [first.wire(), other.wire()], received_at=center.now)
    assert (len(done), refused.code) == (1, "event_conflict")


@pytest.mark.parametrize("odd", ["\ud800", "x" * 36, "'", "", None, 5, ["a"], {"b": 1}])
def test_an_odd_event_id_is_refused_without_troubling_the_database(center, chain, odd):
    wire = chain.next().wire()
    wire["body"]["event_id"] = odd
    with writing(center.engine) as session:
        done, refused = ingest_events(session, [wire], received_at=center.now, kiosk_id="k-1")
    assert (done, refused.code in ("event_malformed", "event_hash_mismatch")) == ([], True)


def test_nothing_is_appended_where_the_right_edge_is_missing(center, chain):
    center.receive(chain.next(), chain.next(), chain.next())
    with writing(center.engine) as session:
        session.delete(session.get(TreeNodeRow, (1, 0)))
    assert code_of(center, chain.next()) == "ledger_rewritten"
    with reading(center.engine) as session:
        assert log_size(session) == 3
