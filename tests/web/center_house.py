"""A real center on a real SQLite file and a kiosk with real keys, for the tests of the center."""

from __future__ import annotations

import atexit
import json
import re
import secrets
import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from werkzeug.test import TestResponse

from models.attendance import (
    FIRST_HASH,
    FIRST_SEQ,
    AttendanceEvent,
    CheckInOutcome,
    EventType,
    Evidence,
    Method,
    PresentationEvidence,
    SignedEvent,
    TimeQuality,
    WitnessVerdict,
    sign_event,
    uuid7,
)
from models.store.engine import open_store
from models.wire import (
    decode_bytes,
    encode_bytes,
    encode_key,
    open_sealed,
    pairing_code,
    pairing_commitment,
    sign_request,
)
from web.center.app import center_of, create_center
from web.center.context import Center
from web.center.pairing import approve_pairing
from web.center.settings import CenterSettings
from web.center.sites import add_site

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # twelve o'clock in Shanghai
HOST = "http://localhost"
PASSWORD = "a long sentence of my own"
FAST_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class House:
    """A center with one site, its clock and its app."""

    app: Flask
    center: Center
    clock: HandClock
    folder: Path

    def client(self) -> FlaskClient:
        return self.app.test_client()


@cache
def prepared() -> Path:
    """A migrated store and a cache of compiled pages, made once: every test would spend its time on them."""
    folder = Path(tempfile.mkdtemp(prefix="muster-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_store(f"sqlite:///{folder / 'center.db'}", branch="center").dispose()
    (folder / "pages").mkdir()
    return folder


def make_house(folder: Path, **settings: Any) -> House:
    """A center with the site ``xiqiao``; ``settings`` are those of CenterSettings, and ``load_engine``."""
    clock = HandClock()
    shutil.copy(prepared() / "center.db", folder / "center.db")
    wanted: dict[str, Any] = {
        "database": f"sqlite:///{folder / 'center.db'}",
        "pairing_limit": "1000 per minute",
        **settings,
    }
    load_engine = wanted.pop("load_engine", None)
    options = {"load_engine": load_engine} if load_engine else {}
    app = create_center(CenterSettings(**wanted), clock=clock, hasher=FAST_HASHER, **options)
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(prepared() / "pages"))
    house = House(app, center_of(app), clock, folder)
    with house.center.writing() as session:
        add_site(house.center, session, "xiqiao", "西桥司法所")
    return house


@dataclass
class Station:
    """A kiosk as the center sees one: keys, a chain of events and signed requests."""

    house: House
    client: FlaskClient
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    agreement: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    kiosk_id: str = ""
    seq: int = FIRST_SEQ
    prev_hash: str = FIRST_HASH
    site_key: dict[str, Any] = field(default_factory=dict)
    nonce: bytes = b""

    def pair(self, *, site_id: str = "xiqiao") -> Station:
        """Walk the whole pairing; the digits are computed by the kiosk's own side."""
        opened = self.ask_for_pairing()
        assert self.reveal(opened).status_code == 200
        digits = self.digits(opened)
        with self.house.center.writing() as session:
            approve_pairing(self.house.center, session, digits, site_id=site_id, name="前台")
        state = self.get(f"/api/v1/pairings/{opened['pairing_id']}", key_id=opened["pairing_id"]).json
        self.kiosk_id = state["kiosk_id"]
        self.site_key = open_sealed(self.agreement, state["sealed_site_key"], opened["pairing_id"])
        return self

    def ask_for_pairing(self) -> dict[str, Any]:
        self.nonce = secrets.token_bytes(32)
        commitment = pairing_commitment(self.nonce, **self._raw_keys())
        asked = {
            "signing_key": encode_key(self.signing.public_key()),
            "agreement_key": encode_key(self.agreement.public_key()),
            "commitment": encode_bytes(commitment),
            "name": "前台",
            "software": "muster 0.1.0",
        }
        answer = self.client.post("/api/v1/pairings", json=asked)
        assert answer.status_code == 201, answer.text
        return dict(answer.json)

    def reveal(self, opened: dict[str, Any], nonce: bytes | None = None) -> TestResponse:
        content = {"nonce": encode_bytes(nonce or self.nonce)}
        path = f"/api/v1/pairings/{opened['pairing_id']}/reveal"
        return self.post(path, content, key_id=opened["pairing_id"])

    def digits(self, opened: dict[str, Any]) -> str:
        return pairing_code(
            opened["pairing_id"],
            kiosk_nonce=self.nonce,
            center_nonce=decode_bytes(opened["center_nonce"]),
            center_key=decode_bytes(opened["center_key"]),
            **self._raw_keys(),
        )

    def _raw_keys(self) -> dict[str, bytes]:
        keys = {"signing_key": self.signing, "agreement_key": self.agreement}
        return {name: key.public_key().public_bytes_raw() for name, key in keys.items()}

    def get(self, path: str, *, key_id: str | None = None, headers: dict[str, str] | None = None) -> TestResponse:
        signed = self.signature("GET", path, b"", key_id=key_id)
        return self.client.get(path, headers={**signed, **(headers or {})})

    def post(self, path: str, content: Any, *, key_id: str | None = None, **changes: Any) -> TestResponse:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", **self.signature("POST", path, body, key_id=key_id), **changes}
        return self.client.post(path, data=body, headers=headers)

    def signature(self, method: str, path: str, body: bytes, *, key_id: str | None = None) -> dict[str, str]:
        return sign_request(
            method, HOST + path, body, key=self.signing, key_id=key_id or self.kiosk_id, now=self.house.clock()
        )

    def event(self, **changes: Any) -> SignedEvent:
        """The next event of the chain, signed."""
        fields: dict[str, Any] = {
            "event_id": uuid7(self.house.clock()),
            "kiosk_id": self.kiosk_id,
            "seq": self.seq,
            "prev_hash": self.prev_hash,
            "captured_at": self.house.clock(),
            "boot_id": "boot-1",
            "monotonic_ns": 1_000_000 * self.seq,
            "time_quality": TimeQuality.SYNCED,
            "person_id": None,
            "type": EventType.REPORT_IN_PERSON,
            "outcome": CheckInOutcome.ACCEPTED,
            "method": Method.FACE,
            "evidence": (face_evidence(),),
            "policy_version": "default-1",
        }
        signed = sign_event(AttendanceEvent(**(fields | changes)), self.signing)
        self.seq, self.prev_hash = self.seq + 1, signed.hash
        return signed

    def submit(self, **changes: Any) -> TestResponse:
        return self.post("/api/v1/events", self.event(**changes).wire())


class Clerk:
    """A signed-in browser: follows the CSRF token of the pages."""

    def __init__(self, house: House, login: str, password: str) -> None:
        self.client: FlaskClient = house.client()
        self.login = login
        self.signed = self.post("/sign-in", login=login, password=password)

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def page(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text

    def post(self, path: str, **form: Any) -> TestResponse:
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.client.get("/sign-in").text)
        assert token
        return self.client.post(path, data={"csrf_token": token[1], **form}, headers={"Referer": "http://localhost/"})


def face_evidence(**changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "modality": "face",
        "engine": "sface",
        "template_format": "sface/1",
        "score": 0.71,
        "threshold": 0.5,
        "matched": True,
        "quality": 0.82,
        "operation": "identify",
        "presentation": (PresentationEvidence("head_turn", WitnessVerdict.PASSED, {"depth": 0.31}),),
        "simulated": True,
    }
    return Evidence(**(fields | changes))
