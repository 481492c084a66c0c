"""An exported ledger is verified with nothing but the file, and whatever is done to it is found where it was done."""

from __future__ import annotations

import json
import re

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from models.attendance import canonical, event_hash, sha256_hex
from models.bundle import verify_bundle
from models.commands import ledger
from models.errors import InputError, LedgerError, StoreError
from models.export import export_bundle
from models.ledger import TreeHead, sign_tree_head
from models.store.engine import reading, writing
from models.verdict import Fault
from models.wire import encode_key

RECORDS = 11


@pytest.fixture
def bundle(filled, tmp_path):
    """A fresh copy to damage: lines, and a check that pins the center's key."""
    return Bundle(filled[0], filled[1], tmp_path / "copy")


class Bundle:
    def __init__(self, content, center, path):
        self.content, self.center, self.path = content, center, path
        self.lines = content.splitlines(keepends=True)
        # where each record stands among the lines: header first, heads in between
        self.at = [n for n, line in enumerate(self.lines) if line.startswith(b'{"event"')]
        self.heads = [n for n, line in enumerate(self.lines) if line.startswith(b'{"head"')]

    def verify(self, content=None, *, pin=True):
        self.path.write_bytes(b"".join(self.lines) if content is None else content)
        return verify_bundle(self.path, center_key=self.center.key.public_key() if pin else None)

    def rewrite(self, record, change):
        """Change a record's JSON and write it canonically again, as a forger with this program would."""
        parsed = json.loads(self.lines[self.at[record]])
        change(parsed)
        self.lines[self.at[record]] = canonical(parsed) + b"\n"


def found(report):
    assert report.finding is not None
    return report.finding.fault, report.finding.record


def test_an_untouched_bundle_holds(bundle):
    report = bundle.verify()
    assert report.ok and (report.events, report.size, report.kiosks, report.heads) == (RECORDS, RECORDS, 2, 3)
    assert report.center_key_pinned and report.center_key == encode_key(bundle.center.key.public_key())
    assert len(bundle.at) == RECORDS and len(bundle.heads) == 2


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_altered_byte_goes_unnoticed_and_its_record_is_named(filled, tmp_path, data):
    bundle = Bundle(*filled, tmp_path / "copy")
    at = data.draw(st.integers(0, len(bundle.content) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != bundle.content[at]))
    report = bundle.verify(bundle.content[:at] + bytes([byte]) + bundle.content[at + 1 :])
    assert not report.ok
    line = bundle.content[:at].count(b"\n")
    if line in bundle.at:
        assert report.finding.record == bundle.at.index(line), str(report.finding)
    elif line in bundle.heads:
        assert report.finding.line == line + 1
    else:
        assert (report.finding.line, report.finding.record) == (1, None)


def test_every_ninth_byte_of_each_kind_of_line_is_noticed_and_named(bundle):
    """The header, a head, a record in the middle and the last one; the test above draws from all lines."""
    for number in (0, bundle.heads[0], bundle.at[6], bundle.at[-1]):
        start = sum(len(line) for line in bundle.lines[:number])
        for at in range(start, start + len(bundle.lines[number]), 9):
            content = bundle.content[:at] + bytes([bundle.content[at] ^ 1]) + bundle.content[at + 1 :]
            finding = bundle.verify(content).finding
            expected = bundle.at.index(number) if number in bundle.at else None
            assert (finding.line, finding.record) == (number + 1, expected)


@pytest.mark.parametrize("record", range(RECORDS))
def test_a_dropped_record_is_named(bundle, record):
    del bundle.lines[bundle.at[record]]
    expected = Fault.CUT if record == RECORDS - 1 else Fault.MISSING
    assert found(bundle.verify()) == (expected, record)


@pytest.mark.parametrize("record", range(RECORDS - 1))
def test_a_dropped_record_is_named_even_if_the_rest_is_numbered_anew(bundle, record):
    for later in range(record + 1, RECORDS):
        bundle.rewrite(later, lambda parsed: parsed.update(leaf=parsed["leaf"] - 1))
    del bundle.lines[bundle.at[record]]
    assert bundle.verify().finding.record == record


@pytest.mark.parametrize(("one", "other"), [(0, 1), (0, 10), (3, 4), (9, 10), (2, 7)])
def test_two_swapped_records_are_named_by_the_first(bundle, one, other):
    one_at, other_at = bundle.at[one], bundle.at[other]
    bundle.lines[one_at], bundle.lines[other_at] = bundle.lines[other_at], bundle.lines[one_at]
    assert found(bundle.verify()) == (Fault.MOVED, one)


def test_swapped_records_are_named_even_if_numbered_and_placed_anew(bundle):
    """Events of two kiosks change places, each with the number and the tree nodes of the other's place."""
    one, other = json.loads(bundle.lines[bundle.at[1]]), json.loads(bundle.lines[bundle.at[2]])
    one["event"], other["event"] = other["event"], one["event"]
    bundle.lines[bundle.at[1]], bundle.lines[bundle.at[2]] = canonical(one) + b"\n", canonical(other) + b"\n"
    report = bundle.verify()
    assert report.finding.record == 1 and report.events == 1


def test_a_moved_record_is_named(bundle):
    line = bundle.lines.pop(bundle.at[2])
    bundle.lines.insert(bundle.at[8], line)
    assert found(bundle.verify()) == (Fault.MOVED, 2)


def test_a_record_that_stands_twice_is_named(bundle):
    bundle.lines.insert(bundle.at[6], bundle.lines[bundle.at[4]])
    report = bundle.verify()
    assert found(report) == (Fault.INSERTED, 6)
    assert report.finding.event_id == json.loads(bundle.lines[bundle.at[4]])["event"]["body"]["event_id"]


@pytest.mark.parametrize("signer", ["kiosk", "stranger"])
def test_an_inserted_record_is_named_whoever_signed_it(bundle, signer, filled):
    """Also if a kiosk's own key signed it: it is not in the log."""
    parsed = json.loads(bundle.lines[bundle.at[5]])
    body = parsed["event"]["body"] | {"event_id": "00000000-0000-7000-8000-000000000000"}
    key = Ed25519PrivateKey.generate()
    parsed["event"] = {"body": body, "hash": event_hash(body), "signature": key.sign(canonical(body)).hex()}
    bundle.lines.insert(bundle.at[5], canonical(parsed) + b"\n")
    assert found(bundle.verify()) == (Fault.FORGED, 5)


def test_lines_after_the_last_record_are_found(bundle):
    bundle.lines.append(bundle.lines[bundle.at[3]])
    assert found(bundle.verify()) == (Fault.INSERTED, RECORDS)


@pytest.mark.parametrize("keep", range(1, RECORDS + 3))
def test_a_cut_tail_is_noticed_because_the_signed_head_says_the_size(bundle, keep):
    left = sum(1 for at in bundle.at if at < keep)
    assert found(bundle.verify(b"".join(bundle.lines[:keep]))) == (Fault.CUT, left)


@pytest.mark.parametrize("cut", [1, 2, 50])
def test_a_tail_cut_inside_the_last_record_is_noticed(bundle, cut):
    assert found(bundle.verify(bundle.content[:-cut])) == (Fault.CUT, RECORDS - 1)


def test_nothing_and_no_header_are_no_bundles(bundle):
    for content in (b"", b"\n", b"{}\n", b"\xff\xfe\n", b"[" * 100_000, bundle.content[5:], bundle.lines[2]):
        assert bundle.verify(content).finding.fault is Fault.HEADER


def test_an_altered_field_is_named_by_its_hash(bundle):
    bundle.rewrite(4, lambda parsed: parsed["event"]["body"].update(outcome="not_identified"))
    report = bundle.verify()
    assert found(report) == (Fault.ALTERED, 4) and "hash" in report.finding.sentence
    assert (report.finding.kiosk_id, report.finding.seq) == ("k-2", 3)


def test_a_record_with_a_recomputed_hash_is_forged(bundle):
    def forge(parsed):
        body = parsed["event"]["body"]
        body["outcome"] = "not_identified"
        parsed["event"]["hash"] = event_hash(body)

    bundle.rewrite(4, forge)
    assert found(bundle.verify()) == (Fault.FORGED, 4)


def test_a_record_signed_by_another_key_is_forged(bundle):
    def forge(parsed):
        body = parsed["event"]["body"]
        body["person_id"] = "someone-else"
        parsed["event"]["hash"] = event_hash(body)
        parsed["event"]["signature"] = Ed25519PrivateKey.generate().sign(canonical(body)).hex()

    bundle.rewrite(7, forge)
    assert found(bundle.verify()) == (Fault.FORGED, 7)


def test_an_altered_time_of_arrival_is_named(bundle):
    bundle.rewrite(3, lambda parsed: parsed.update(received_at="2026-03-02T01:00:00.000000Z"))
    assert found(bundle.verify()) == (Fault.ALTERED, 3)


def test_a_stowaway_field_is_named(bundle):
    bundle.rewrite(3, lambda parsed: parsed.update(note="x"))
    assert found(bundle.verify()) == (Fault.ALTERED, 3)


def test_spaces_between_fields_are_an_alteration(bundle):
    at = bundle.at[2]
    bundle.lines[at] = bundle.lines[at].replace(b'"leaf":2', b'"leaf": 2')
    assert found(bundle.verify()) == (Fault.ALTERED, 2)


@pytest.mark.parametrize("which", [0, 1])
def test_a_dropped_tree_head_is_noticed(bundle, which):
    del bundle.lines[bundle.heads[which]]
    assert bundle.verify().finding.fault is Fault.HEAD


def test_a_moved_tree_head_is_noticed(bundle):
    line = bundle.lines.pop(bundle.heads[0])
    bundle.lines.insert(bundle.heads[0] + 1, line)
    assert bundle.verify().finding.fault is Fault.HEAD


def test_a_kiosks_replaced_key_is_noticed(bundle):
    header = json.loads(bundle.lines[0])
    header["registry"]["kiosks"][0]["signing_key"] = encode_key(Ed25519PrivateKey.generate().public_key())
    bundle.lines[0] = canonical(header) + b"\n"
    assert bundle.verify().finding.fault is Fault.HEADER


def forged_by_a_new_center(bundle):
    """Someone without the center's key signs the header anew with an own one."""
    own = Ed25519PrivateKey.generate()
    header = json.loads(bundle.lines[0])
    header["registry"]["center_key"] = encode_key(own.public_key())
    head = TreeHead.from_json(header["head"] | {"registry": sha256_hex(canonical(header["registry"]))})
    header["head"] = sign_tree_head(head, own).to_json()
    bundle.lines[0] = canonical(header) + b"\n"
    previous = None
    for at in bundle.heads:
        head = TreeHead.from_json(json.loads(bundle.lines[at])["head"])
        head = head if previous is None else TreeHead(head.size, head.root, head.timestamp, head.registry, previous)
        previous = head.hash
        bundle.lines[at] = canonical({"head": sign_tree_head(head, own).to_json()}) + b"\n"


def test_a_replaced_center_key_is_noticed_with_the_real_one_and_admitted_without(bundle):
    forged_by_a_new_center(bundle)
    pinned = bundle.verify()
    assert pinned.finding.fault is Fault.HEADER and "another center key" in pinned.finding.sentence
    unpinned = bundle.verify(pin=False)
    assert unpinned.ok and not unpinned.center_key_pinned


def test_a_record_deleted_or_altered_in_the_database_is_named_by_the_next_export(center, tmp_path):
    from models.store.center import EventRow

    chain = center.pair("k-1")
    center.receive(*(chain.next() for _ in range(6)))
    center.sign()
    with writing(center.engine) as session:
        row = session.get(EventRow, 4)
        row.body = row.body.replace("accepted", "not_verified")
    assert found(exported(center, tmp_path)) == (Fault.ALTERED, 4)
    with writing(center.engine) as session:
        session.delete(session.get(EventRow, 2))
    assert found(exported(center, tmp_path)) == (Fault.MISSING, 2)


def test_a_damaged_hash_tree_is_built_again_from_the_records(center, tmp_path):
    from models.store.center import TreeNodeRow

    chain = center.pair("k-1")
    center.receive(*(chain.next() for _ in range(6)))
    center.sign()
    with writing(center.engine) as session:
        session.get(TreeNodeRow, (0, 3)).hash = bytes(32)
    assert exported(center, tmp_path).ok


def exported(center, folder):
    with reading(center.engine) as session:
        export_bundle(session, folder / "b")
    return verify_bundle(folder / "b", center_key=center.key.public_key())


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 8, 33])
def test_logs_of_any_size_are_exported_and_verified(center, tmp_path, size):
    chain = center.pair("k-1")
    center.receive(*(chain.next() for _ in range(size)))
    center.sign()
    report = exported(center, tmp_path)
    assert report.ok and report.events == size


def test_records_newer_than_the_newest_head_stay_out(center, tmp_path):
    chain = center.pair("k-1")
    with reading(center.engine) as session, pytest.raises(LedgerError, match="no signed tree head"):
        export_bundle(session, tmp_path / "b")
    center.receive(chain.next())
    center.sign()
    center.receive(chain.next())
    with reading(center.engine) as session:
        result = export_bundle(session, tmp_path / "b")
    assert (result.events, result.unsigned) == (1, 1)


def test_an_export_that_cannot_be_written_leaves_nothing_behind(center, tmp_path):
    center.sign()
    with reading(center.engine) as session, pytest.raises(StoreError, match="no such file"):
        export_bundle(session, tmp_path / "nowhere" / "b")


def test_an_event_of_a_kiosk_after_its_key_ended_does_not_hold(center, tmp_path):
    from models.store.center import KioskRow

    chain = center.pair("k-1")
    center.receive(chain.next())
    with writing(center.engine) as session:
        session.get(KioskRow, "k-1").revoked_at = center.now.replace(year=2025)
    center.sign()
    assert found(exported(center, tmp_path)) == (Fault.FORGED, 0)


def test_the_commands_export_and_verify(filled, tmp_path):
    run, path = CliRunner(), tmp_path / "ledger.jsonl"
    made = run.invoke(ledger, ["export", str(path), "--database", filled[1].url])
    assert made.exit_code == 0 and "11 events, 3 tree heads" in made.output
    unpinned = run.invoke(ledger, ["verify", str(path)])
    assert unpinned.exit_code == 0 and "VERIFIED: 11 events of 2 kiosks, 3 tree heads." in unpinned.output
    assert "taken from the bundle itself" in unpinned.output
    key = filled[1].key.public_key()
    for content in (encode_key(key).encode(), key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)):
        (tmp_path / "key").write_bytes(content)
        pinned = run.invoke(ledger, ["verify", str(path), "--center-key", str(tmp_path / "key")])
        assert pinned.exit_code == 0 and "is the one given" in pinned.output
    path.write_bytes(path.read_bytes().replace(b'"seq":2', b'"seq":3', 1))
    altered = run.invoke(ledger, ["verify", str(path)])
    assert altered.exit_code == 1 and re.search(r"NOT VERIFIED: record 2, line \d+, event .*altered", altered.output)


def test_a_missing_bundle_or_a_key_that_is_none_gets_one_sentence(tmp_path):
    run = CliRunner()
    missing = run.invoke(ledger, ["verify", str(tmp_path / "nothing")])
    assert isinstance(missing.exception, InputError) and "no such file" in str(missing.exception)
    (tmp_path / "key").write_bytes(b"\x00")
    wrong = run.invoke(ledger, ["verify", str(tmp_path / "nothing"), "--center-key", str(tmp_path / "key")])
    assert isinstance(wrong.exception, InputError) and "holds no Ed25519 public key" in str(wrong.exception)


@pytest.mark.parametrize("number", [2, 9, 10_000, -1])
def test_a_record_whose_number_alone_was_altered_is_called_altered(bundle, number):
    """Not missing and not inserted: it is the record that was logged there."""
    for record in (0, 4, RECORDS - 1):
        bundle.lines = bundle.content.splitlines(keepends=True)
        bundle.rewrite(record, lambda parsed: parsed.update(leaf=number))
        report = bundle.verify()
        assert found(report) == (Fault.ALTERED, record) and f"says that it is {number}" in report.finding.sentence


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        (b'"size":1e999', "not one that Muster writes"),
        (b'"size":99999999999999999999', "not one that Muster writes"),
        (b'"size":NaN', "not one that Muster writes"),
    ],
)
def test_a_number_that_no_json_holds_is_a_broken_header_and_no_crash(bundle, written, wanted):
    bundle.lines[0] = re.sub(rb'"size":\d+', written, bundle.lines[0], count=1)
    report = bundle.verify(pin=False)
    assert report.finding.fault is Fault.HEADER and wanted in report.finding.sentence


@pytest.mark.parametrize("moment", [None, 5, "today", ["2026-03-02T01:00:00.000000Z"]])
def test_a_center_that_signs_nonsense_about_its_kiosks_is_refused(bundle, moment):
    """Whoever made the bundle may hold a key of his own: a wrong type is a finding, never a crash."""
    header = json.loads(bundle.lines[0])
    header["registry"]["kiosks"][0]["valid_from"] = moment
    bundle.lines[0] = canonical(header) + b"\n"
    forged_by_a_new_center(bundle)
    report = bundle.verify(pin=False)
    assert report.finding.fault is Fault.HEADER and "keys cannot be read" in report.finding.sentence


@pytest.mark.parametrize("path", [5, "abc", {"a": 1}, [1, 2], [["x"]], ["é"], [None] * 2])
def test_tree_nodes_of_a_wrong_kind_are_an_alteration_and_no_crash(bundle, path):
    bundle.rewrite(4, lambda parsed: parsed.update(path=path))
    assert found(bundle.verify()) == (Fault.ALTERED, 4)


@pytest.mark.parametrize("depth", range(200, 1000, 50))
def test_nodes_nested_without_end_are_an_alteration_and_no_crash(bundle, depth):
    at = bundle.at[4]
    bundle.lines[at] = re.sub(rb'"path":\[.*?\]', b'"path":' + b"[" * depth + b"]" * depth, bundle.lines[at])
    assert found(bundle.verify()) == (Fault.ALTERED, 4)


def test_a_node_of_a_wrong_length_in_the_database_is_built_again_too(center, tmp_path):
    from models.store.center import TreeNodeRow

    chain = center.pair("k-1")
    center.receive(*(chain.next() for _ in range(6)))
    center.sign()
    with writing(center.engine) as session:
        session.get(TreeNodeRow, (0, 3)).hash = b"short"
    assert exported(center, tmp_path).ok


def test_an_export_never_takes_the_place_of_a_device_or_a_pipe(center, tmp_path):
    import os
    import stat

    center.sign()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with reading(center.engine) as session, pytest.raises(StoreError, match="which is no file"):
        export_bundle(session, pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_clock_that_was_set_back_after_pairing_makes_no_record_look_forged(center, tmp_path):
    from models.store.center import KioskRow

    chain = center.pair("k-1")
    with writing(center.engine) as session:
        paired_at = session.get(KioskRow, "k-1").paired_at
    center.now = paired_at.replace(year=2025)
    assert center.receive(chain.next())[0].received_at == paired_at
    center.sign()
    assert exported(center, tmp_path).ok


@pytest.mark.parametrize("changes", [{"prev_hash": "a" * 64}, {"seq": 5}])
def test_a_record_that_breaks_its_kiosks_chain_is_named_though_the_center_logged_it(center, tmp_path, changes):
    from models.ledger_store import append_event

    chain = center.pair("k-1")
    center.receive(chain.next())
    with writing(center.engine) as session:
        append_event(session, chain.next(**changes), center.now)
    center.sign()
    assert found(exported(center, tmp_path)) == (Fault.CHAIN, 1)


def test_more_tree_nodes_than_needed_are_an_alteration(bundle):
    for record in (0, 5, RECORDS - 1):
        bundle.lines = bundle.content.splitlines(keepends=True)
        bundle.rewrite(record, lambda parsed: parsed["path"].append("A" * 43))
        assert found(bundle.verify()) == (Fault.ALTERED, record)


def test_an_event_from_before_its_kiosk_was_paired_does_not_hold(center, tmp_path):
    from models.store.center import KioskRow

    chain = center.pair("k-1")
    center.receive(chain.next())
    with writing(center.engine) as session:
        session.get(KioskRow, "k-1").paired_at = center.now.replace(year=2027)
    center.sign()
    assert found(exported(center, tmp_path)) == (Fault.FORGED, 0)
