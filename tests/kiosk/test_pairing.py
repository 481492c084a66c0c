"""A real kiosk pairs with a real center, once directly and once with somebody in between."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from center_parts import RealCenter, quick_config
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from kiosk.center_client import CenterClient
from kiosk.clock import Clock
from kiosk.keys import KioskKeys, make_state_dir
from kiosk.pairing import PairingRefused, open_site_key, pair
from models.errors import InputError
from models.wire import (
    decode_bytes,
    encode_bytes,
    encode_key,
    pairing_code,
    pairing_commitment,
    seal_to,
    sign_document,
)
from web.center.pairing import approve_pairing, waiting_pairings

Answer = tuple[int, dict[str, Any]]
CLOCK = Clock.of_this_machine()


class Between:
    """A server that the kiosk takes for its center; ``answers`` gets method, path and body of each request."""

    def __init__(self, answers: Callable[[str, str, Any], Answer]) -> None:
        self.answers = answers
        self._server = make_server("127.0.0.1", 0, self._app, handler_class=_Silent)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def _app(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, content = self.answers(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], json.loads(body) if body else None
        )
        start(f"{status} -", [("Content-Type", "application/json")])
        return [json.dumps(content).encode()]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


class _Silent(WSGIRequestHandler):
    def log_message(self, *_words: object) -> None:
        """No line for each request."""


@pytest.fixture
def between() -> Iterator[Callable[[Callable[[str, str, Any], Answer]], Between]]:
    """``between(answers)``: a server that is closed after the test."""
    opened: list[Between] = []

    def start(answers: Callable[[str, str, Any], Answer]) -> Between:
        opened.append(Between(answers))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@dataclass
class Middle:
    """Keys of his own on both sides: a center to the kiosk, a kiosk to the center."""

    client: CenterClient
    center_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    agreement: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    nonce: bytes = b"m" * 32
    opened: dict[str, Any] = field(default_factory=dict)
    shown_at_center: str = ""

    def __call__(self, method: str, path: str, content: Any) -> Answer:
        if path.endswith("/pairings"):
            keys = self._raw()
            commitment = pairing_commitment(self.nonce, **keys)
            asked = {**content, **{name: encode_bytes(key) for name, key in keys.items()}}
            self.opened = self.client.post(path, {**asked, "commitment": encode_bytes(commitment)}).content
            return 201, {**self.opened, "center_key": encode_key(self.center_key.public_key())}
        self.client.key, self.client.key_id = self.signing, self.opened["pairing_id"]
        if method == "POST":
            answer = self.client.post(path, {"nonce": encode_bytes(self.nonce)})
            self.shown_at_center = pairing_code(
                self.opened["pairing_id"],
                kiosk_nonce=self.nonce,
                center_nonce=decode_bytes(self.opened["center_nonce"]),
                center_key=decode_bytes(self.opened["center_key"]),
                **self._raw(),
            )
            return answer.status, answer.content
        answer = self.client.get(path)
        return answer.status, answer.content

    def _raw(self) -> dict[str, bytes]:
        keys = {"signing_key": self.signing, "agreement_key": self.agreement}
        return {name: key.public_key().public_bytes_raw() for name, key in keys.items()}


def test_a_kiosk_shows_no_digits_that_a_middle_man_could_pass_off(
    tmp_path: Path, real_center: RealCenter, between: Any
) -> None:
    """Every word passes through somebody who swaps all keys: the digits differ and pair nothing."""
    site = real_center.new_site()
    direct = quick_config(real_center.url, tmp_path / "unused")
    middle = Middle(CenterClient(direct.center, CLOCK))
    config = quick_config(between(middle).url, tmp_path / "state")
    make_state_dir(config.state_dir)
    stopping, shown, refused = threading.Event(), [], []

    def show(code: str | None, hint: str | None) -> None:
        if code:
            shown.append(code)
            with real_center.center.writing() as session:
                refused.append(len(waiting_pairings(session, CLOCK.now())))
                with pytest.raises(InputError, match="No waiting kiosk shows these digits"):
                    approve_pairing(real_center.center, session, code, site_id=site.site_id, name="desk")
            stopping.set()

    keys = KioskKeys.load_or_create(config.state_dir)
    assert pair(config, keys, clock=CLOCK, show=show, stopping=stopping) is None
    assert refused == [1]  # his own pairing waits, under other digits
    assert middle.shown_at_center and shown == [code for code in shown if code != middle.shown_at_center]


def test_a_kiosk_shows_nothing_before_its_nonce_was_taken(tmp_path: Path, between: Any) -> None:
    asked: list[str] = []

    def refuses(method: str, path: str, content: Any) -> Answer:
        asked.append(path)
        if path.endswith("/reveal"):
            return 422, {"error": {"code": "commitment_broken", "message": "No."}}
        return 201, opened()

    config = quick_config(between(refuses).url, tmp_path / "state")
    make_state_dir(config.state_dir)
    shown: list[str | None] = []
    with pytest.raises(PairingRefused, match="commitment_broken"):
        pair(
            config, KioskKeys.load_or_create(config.state_dir), clock=CLOCK,
            show=lambda code, hint: shown.append(code), stopping=threading.Event(),
        )  # fmt: skip
    assert (shown, len(asked)) == ([], 2)


def test_every_attempt_has_a_nonce_of_its_own_and_is_told_once(tmp_path: Path, between: Any) -> None:
    """A center that expires every pairing at once gets a new commitment each time, and each opens to its own nonce."""
    commitments: list[str] = []
    told: list[str] = []
    stopping = threading.Event()

    def expires(method: str, path: str, content: Any) -> Answer:
        if path.endswith("/pairings"):
            commitments.append(content["commitment"])
            return 201, opened()
        if path.endswith("/reveal"):
            told.append(content["nonce"])
            return 200, {"status": "pending", "revealed": True}
        if len(told) == 3:
            stopping.set()
        return 200, {"status": "expired", "revealed": True}

    config = quick_config(between(expires).url, tmp_path / "state")
    make_state_dir(config.state_dir)
    keys = KioskKeys.load_or_create(config.state_dir)
    assert pair(config, keys, clock=CLOCK, show=lambda code, hint: None, stopping=stopping) is None
    kiosk = {"signing_key": keys.signing_public, "agreement_key": keys.agreement_public}
    assert len(set(told)) == 3
    assert commitments == [encode_bytes(pairing_commitment(decode_bytes(nonce), **kiosk)) for nonce in told]


@pytest.mark.parametrize(
    "odd",
    [
        {"center_nonce": "AAAA"},
        {"center_nonce": None},
        {"center_key": "AAAA"},
        {"pairing_id": "../../health"},
        {"pairing_id": ""},
    ],
    ids=str,
)
def test_a_center_that_answers_something_else_is_refused(tmp_path: Path, between: Any, odd: dict[str, Any]) -> None:
    config = quick_config(between(lambda method, path, content: (201, opened(**odd))).url, tmp_path / "state")
    make_state_dir(config.state_dir)
    keys = KioskKeys.load_or_create(config.state_dir)
    with pytest.raises(PairingRefused, match="something else"):
        pair(config, keys, clock=CLOCK, show=lambda code, hint: None, stopping=threading.Event())


@pytest.mark.parametrize("by_the_center", [True, False])
def test_an_approval_counts_only_if_the_center_of_the_digits_signed_it(
    tmp_path: Path, between: Any, by_the_center: bool
) -> None:
    """Somebody who only passes words on cannot hand the kiosk a site key of his own."""
    center_key = Ed25519PrivateKey.generate()
    signer = center_key if by_the_center else Ed25519PrivateKey.generate()
    config_folder = tmp_path / "state"
    make_state_dir(config_folder)
    keys = KioskKeys.load_or_create(config_folder)

    def approves(method: str, path: str, content: Any) -> Answer:
        if path.endswith("/pairings"):
            return 201, opened(center_key=encode_key(center_key.public_key()))
        if path.endswith("/reveal"):
            return 200, {"status": "pending", "revealed": True}
        site_key = {"id": "s", "key": encode_bytes(b"s" * 32)}
        answer = {
            "status": "approved", "revealed": True, "kiosk_id": "k", "site_id": "s",
            "sealed_site_key": seal_to(keys.agreement_public, site_key, "pairing-1"),
        }  # fmt: skip
        signed = sign_document({**answer, "pairing_id": "pairing-1"}, signer)
        return 200, {**answer, "signature": signed["signature"]}

    config = quick_config(between(approves).url, config_folder)

    def run() -> Any:
        return pair(config, keys, clock=CLOCK, show=lambda code, hint: None, stopping=threading.Event())

    if by_the_center:
        assert open_site_key(run(), keys).key_id == "s"
    else:
        with pytest.raises(PairingRefused, match="cannot be used"):
            run()


def opened(**odd: Any) -> dict[str, Any]:
    """What a center answers to a kiosk that asks to be paired."""
    key = encode_key(Ed25519PrivateKey.generate().public_key())
    return {"pairing_id": "pairing-1", "center_key": key, "center_nonce": encode_bytes(b"c" * 32)} | odd
