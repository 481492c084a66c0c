"""Requests and documents that can be trusted, and those that cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from models import wire
from models.errors import InputError, RequestReplayed, SignatureInvalid, SignatureStale, VaultError

NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
URL = "http://center.example:8080/api/v1/events?page=2"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
BODY = b'{"a":1}'


class Nonces:
    """Remembers nonces in memory."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, str]] = set()

    def __call__(self, key_id: str, nonce: str, now: datetime) -> bool:
        known = (key_id, nonce) in self.seen
        self.seen.add((key_id, nonce))
        return known


def verify(headers, *, method="POST", url=URL, body=BODY, now=NOW, nonces=None, key_of=None, **options):
    return wire.verify_request(
        method,
        url,
        headers,
        body,
        key_of=key_of or (lambda key_id: KEY.public_key() if key_id == "kiosk-1" else None),
        now=now,
        seen_nonce=nonces or Nonces(),
        **options,
    )


def signed(body=BODY, **changes):
    return wire.sign_request("POST", URL, body, key=changes.get("key", KEY), key_id="kiosk-1", now=NOW)


def test_a_signed_request_names_its_kiosk():
    assert verify(signed()) == "kiosk-1"


def test_a_request_without_a_body_is_signed_as_well():
    headers = wire.sign_request("GET", URL, b"", key=KEY, key_id="kiosk-1", now=NOW)
    assert verify(headers, method="GET", body=b"") == "kiosk-1"


def test_header_names_may_come_in_any_case():
    assert verify({name.lower(): value for name, value in signed().items()}) == "kiosk-1"


def test_another_host_name_in_front_of_the_center_does_not_matter():
    assert verify(signed(), url="https://proxy.example/api/v1/events?page=2") == "kiosk-1"


@pytest.mark.parametrize(
    "change",
    [
        {"body": b'{"a":2}'},
        {"body": b""},
        {"method": "PUT"},
        {"url": URL.replace("page=2", "page=3")},
        {"url": URL.replace("events", "event")},
        {"key_of": lambda key_id: None},
        {"key_of": lambda key_id: Ed25519PrivateKey.generate().public_key()},
    ],
)
def test_an_altered_request_or_another_key_is_refused(change):
    with pytest.raises(SignatureInvalid):
        verify(signed(), **change)


@pytest.mark.parametrize("header", ["Signature", "Signature-Input", "Content-Digest"])
def test_a_missing_or_garbled_header_is_refused(header):
    whole = signed()
    for value in (None, "", "x", "muster=::", 'muster=("@method")', "\u00e4", "a" * 5000):
        headers = {name: text for name, text in whole.items() if name != header}
        if value is not None:
            headers[header] = value
        with pytest.raises(SignatureInvalid):
            verify(headers)


def test_a_signature_that_does_not_cover_the_body_is_refused():
    """A valid signature over less than everything is none."""
    from http_message_signatures import HTTPMessageSigner
    from http_message_signatures.algorithms import ED25519

    request = wire._Request("POST", URL, {})
    signer = HTTPMessageSigner(signature_algorithm=ED25519, key_resolver=wire._Keys(KEY, lambda _: None))
    signer.sign(
        request, key_id="kiosk-1", created=NOW, nonce="n" * 20, tag="muster", covered_component_ids=("@method", "@path")
    )
    with pytest.raises(SignatureInvalid):
        verify(request.headers)


@pytest.mark.parametrize("offset_s", [301, -301, 86400])
def test_an_old_or_future_request_is_stale(offset_s):
    with pytest.raises(SignatureStale):
        verify(signed(), now=NOW + timedelta(seconds=offset_s))


@pytest.mark.parametrize("offset_s", [299, -299])
def test_a_clock_that_is_a_little_off_is_tolerated(offset_s):
    assert verify(signed(), now=NOW + timedelta(seconds=offset_s)) == "kiosk-1"


def test_a_replayed_request_is_refused_and_a_forged_one_is_not_remembered():
    nonces, headers = Nonces(), signed()
    with pytest.raises(SignatureInvalid):
        verify(headers, body=b"other", nonces=nonces)
    assert verify(headers, nonces=nonces) == "kiosk-1"
    with pytest.raises(RequestReplayed):
        verify(headers, nonces=nonces)


def test_an_url_that_is_none_cannot_be_signed():
    with pytest.raises(InputError):
        wire.sign_request("GET", "not an url", b"", key=KEY, key_id="k", now=NOW)


def test_keys_survive_their_text_and_nothing_else_is_a_key():
    assert wire.decode_key(wire.encode_key(KEY.public_key())) == KEY.public_key()
    for text in ("", "abc", wire.encode_key(KEY.public_key()) + "=", "!" * 43, 5, wire.encode_bytes(b"x" * 31)):
        with pytest.raises(InputError):
            wire.decode_key(text)


def test_the_pairing_code_depends_on_every_key_on_both_nonces_and_on_the_pairing():
    names = ("kiosk_nonce", "center_nonce", "signing_key", "agreement_key", "center_key")
    parts = {name: bytes([n]) * 32 for n, name in enumerate(names)}
    code = wire.pairing_code("pairing-1", **parts)
    assert code == wire.pairing_code("pairing-1", **parts)
    groups = code.split("-")
    assert [len(group) for group in groups] == [4, 4, 4] and "".join(groups).isdigit()
    others = [wire.pairing_code("pairing-1", **parts | {name: b"x" * 32}) for name in names]
    swapped = parts | {"kiosk_nonce": parts["center_nonce"], "center_nonce": parts["kiosk_nonce"]}
    others += [wire.pairing_code("pairing-2", **parts), wire.pairing_code("pairing-1", **swapped)]
    assert len({code, *others}) == len(others) + 1
    with pytest.raises(InputError):
        wire.pairing_code("pairing-1", **parts | {"center_nonce": b"short"})


def test_a_commitment_binds_the_nonce_and_both_keys_and_does_not_tell_the_nonce():
    parts = {"nonce": b"n" * 32, "signing_key": b"s" * 32, "agreement_key": b"a" * 32}
    commitment = wire.pairing_commitment(**parts)
    assert len(commitment) == 32 and parts["nonce"] not in commitment
    others = [wire.pairing_commitment(**parts | {name: b"x" * 32}) for name in parts]
    assert len({commitment, *others}) == 4
    for name in parts:
        with pytest.raises(InputError):
            wire.pairing_commitment(**parts | {name: b"x" * 31})


def test_a_sealed_message_opens_with_its_key_and_context_only():
    private = X25519PrivateKey.generate()
    sealed = wire.seal_to(private.public_key().public_bytes_raw(), {"id": "k", "key": "s"}, "pairing-1")
    assert wire.open_sealed(private, sealed, b"pairing-1") == {"id": "k", "key": "s"}
    wrong = [
        (X25519PrivateKey.generate(), sealed, "pairing-1"),
        (private, sealed, "pairing-2"),
        (private, sealed | {"algorithm": "none"}, "pairing-1"),
        (private, sealed | {"nonce": "AAAA"}, "pairing-1"),
        (private, sealed | {"ciphertext": sealed["ciphertext"][:-4]}, "pairing-1"),
        (private, {}, "pairing-1"),
    ]
    for key, message, context in wrong:
        with pytest.raises(VaultError):
            wire.open_sealed(key, message, context)


def test_nothing_is_sealed_to_a_key_that_everybody_could_compute():
    with pytest.raises(InputError):
        wire.seal_to(bytes(32), {"key": "s"}, "c")


def test_a_document_is_opened_only_as_it_was_signed():
    signed_document = wire.sign_document({"version": 3, "people": []}, KEY)
    assert wire.open_document(signed_document, KEY.public_key()) == {"version": 3, "people": []}
    wrong = [
        signed_document | {"document": {"version": 4, "people": []}},
        signed_document | {"signature": "00" * 64},
        signed_document | {"signature": "zz"},
        {"document": signed_document["document"]},
        [],
        None,
    ]
    for message in wrong:
        with pytest.raises(SignatureInvalid):
            wire.open_document(message, KEY.public_key())


@pytest.mark.parametrize("nonce", ["", "short", "a" * 15, "a" * 129])
def test_a_nonce_that_could_repeat_or_fill_the_memory_is_refused(monkeypatch, nonce):
    monkeypatch.setattr(wire.secrets, "token_urlsafe", lambda _size: nonce)
    nonces = Nonces()
    with pytest.raises(SignatureInvalid, match="no usable nonce"):
        verify(signed(), nonces=nonces)
    assert not nonces.seen
