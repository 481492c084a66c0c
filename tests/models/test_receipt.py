"""A receipt proves a record to whoever has an exported ledger, and says in a sentence what is wrong otherwise."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from models.attendance import SignedEvent, sign_event
from models.commands import ledger
from models.errors import InputError, SignatureInvalid
from models.export import export_bundle
from models.receipt import Receipt
from models.receipt_check import ReceiptFault, check_receipt
from models.store.engine import reading


@pytest.fixture
def site(center, tmp_path):
    """A kiosk with four records, of which the bundle holds three, and another kiosk without any in it."""
    kiosk, other = center.pair("018f2d3c-0000-7000-8000-00000000000a"), center.pair("k-2")
    center.receive(kiosk.next(), kiosk.next(), kiosk.next())
    center.sign()
    with reading(center.engine) as session:
        export_bundle(session, tmp_path / "bundle")
    kiosk.next()
    other.next()
    return kiosk, other, tmp_path / "bundle"


def verdict(receipt, bundle, **options):
    report = check_receipt(receipt, bundle, **options)
    assert report.sentence.endswith(".") and report.sentence.count("\n") == 0
    return report.fault


def test_a_receipt_of_a_record_in_the_ledger_holds(site):
    kiosk, _, bundle = site
    for signed in kiosk.events[:3]:
        receipt = Receipt.parse(Receipt.make(signed, kiosk.key).code)
        assert receipt == Receipt.make(signed, kiosk.key)
        assert verdict(receipt, bundle) is None


def test_a_receipt_fits_into_a_small_symbol_and_names_nobody(site):
    import segno

    kiosk, _, _ = site
    code = Receipt.make(kiosk.events[0], kiosk.key).code
    assert "p-明" not in code and segno.make(code, error="m").version <= 10
    assert re.fullmatch(r"[A-Za-z0-9/_.:-]+", code)


def test_a_receipt_newer_than_the_bundle_is_called_so(site):
    kiosk, other, bundle = site
    report = check_receipt(Receipt.make(kiosk.events[3], kiosk.key), bundle)
    assert report.fault is ReceiptFault.NOT_IN_BUNDLE and "ends at record 3" in report.sentence
    report = check_receipt(Receipt.make(other.events[0], other.key), bundle)
    assert report.fault is ReceiptFault.NOT_IN_BUNDLE and "no record" in report.sentence


def test_a_receipt_of_a_kiosk_that_was_never_paired_is_unknown(site):
    kiosk, _, bundle = site
    stranger = sign_event(kiosk.event(kiosk_id="k-9"), kiosk.key)
    assert verdict(Receipt.make(stranger, kiosk.key), bundle) is ReceiptFault.UNKNOWN_KIOSK


def test_a_kiosk_that_signed_another_record_at_this_place_is_found_out(site):
    """A genuine signature over a record that the ledger does not have."""
    kiosk, _, bundle = site
    second = kiosk.events[1].event
    forked = sign_event(kiosk.event(seq=2, prev_hash=second.prev_hash, person_id=None), kiosk.key)
    assert verdict(Receipt.make(forked, kiosk.key), bundle) is ReceiptFault.OTHER_RECORD


def test_another_time_on_a_genuine_record_is_found_out(site):
    """Only the kiosk itself could sign that; it is another statement than the record's all the same."""
    kiosk, _, bundle = site
    first, second = kiosk.events[0], kiosk.events[1]
    body = dict(first.body) | {"captured_at": second.body["captured_at"]}
    odd = Receipt.make(SignedEvent(body, first.hash, first.signature), kiosk.key)
    assert verdict(odd, bundle) is ReceiptFault.OTHER_RECORD


def test_no_part_of_a_receipt_can_be_altered(site):
    kiosk, _, bundle = site
    parts = Receipt.make(kiosk.events[0], kiosk.key).code.split("/")
    others = Receipt.make(kiosk.events[1], kiosk.key).code.split("/")
    for place in range(2, 6):
        mixed = "/".join([*parts[:place], others[place], *parts[place + 1 :]])
        assert verdict(Receipt.parse(mixed), bundle) is ReceiptFault.ALTERED
    moved = Receipt.parse("/".join([parts[0], "k-2", *parts[2:]]))
    assert verdict(moved, bundle) is ReceiptFault.ALTERED


def test_the_signature_of_a_record_is_not_the_signature_of_a_receipt(site):
    kiosk, _, _ = site
    signed = kiosk.events[0]
    made = Receipt.make(signed, kiosk.key)
    stolen = Receipt(made.kiosk_id, made.seq, made.captured_at, made.hash, bytes.fromhex(signed.signature))
    with pytest.raises(SignatureInvalid):
        stolen.verify(kiosk.key.public_key())
    assert made.statement()[:1] != b"{"


def test_a_bundle_that_does_not_hold_proves_nothing(site, tmp_path):
    kiosk, _, bundle = site
    damaged = tmp_path / "damaged"
    damaged.write_bytes(bundle.read_bytes().replace(b'"outcome":"accepted"', b'"outcome":"witnessed"', 1))
    receipt = Receipt.make(kiosk.events[0], kiosk.key)
    assert verdict(receipt, damaged) is ReceiptFault.BUNDLE
    stranger = Ed25519PrivateKey.generate().public_key()
    assert verdict(receipt, bundle, center_key=stranger) is ReceiptFault.BUNDLE
    with pytest.raises(InputError):
        check_receipt(receipt, tmp_path / "nothing")


@given(st.text(max_size=60) | st.text("MR1/abc09-_.:ZT", max_size=250))
def test_any_text_is_a_receipt_or_one_sentence(text):
    try:
        assert Receipt.parse(text).code == text.strip()
    except InputError as error:
        assert str(error).endswith(".")


def test_a_receipt_of_the_future_is_called_newer(site):
    kiosk, _, _ = site
    code = Receipt.make(kiosk.events[0], kiosk.key).code
    with pytest.raises(InputError) as refused:
        Receipt.parse(code.replace("MR1/", "MR2/", 1))
    assert refused.value.code == "receipt_version"


def test_the_command_says_it_in_one_sentence_and_by_its_exit_code(site):
    kiosk, _, bundle = site
    good = Receipt.make(kiosk.events[0], kiosk.key).code
    run = CliRunner().invoke
    answer = run(ledger, ["receipt", good, "--bundle", str(bundle)])
    assert answer.exit_code == 0 and answer.stdout.startswith("VERIFIED: Record 1 of kiosk")
    assert run(ledger, ["receipt", "-", "--bundle", str(bundle)], input=good + "\n").exit_code == 0
    late = Receipt.make(kiosk.events[3], kiosk.key).code
    answer = run(ledger, ["receipt", late, "--bundle", str(bundle)])
    assert answer.exit_code == 1 and answer.stdout.startswith("NOT VERIFIED: The receipt is genuine")
    assert "p-明" not in answer.output
    assert isinstance(run(ledger, ["receipt", "nonsense", "--bundle", str(bundle)]).exception, InputError)
