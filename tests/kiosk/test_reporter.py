"""The reporter against real servers: order, no doubles, patience, quarantine, revocation, galleries."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from center_parts import RealCenter, quick_config
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from event_parts import CLOCK, KEY, draft, journal_in, store_at
from sqlalchemy import Engine

from enrollment.vault import SiteKey, Vault
from kiosk.center_client import Answer, CenterClient
from kiosk.delivery import Backoff, Sorted, sort_results
from kiosk.journal import Journal
from kiosk.reporter import Reporter
from kiosk.roster import RosterStore
from kiosk.screen import Screen
from models.errors import StoreError
from models.supervision import SitePolicy
from models.wire import sign_document, verify_request

CENTER_KEY = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
Reply = tuple[int, dict[str, str], Any]


@dataclass
class Script:
    """A small server that answers batches as it is told and checks every signature."""

    replies: list[Callable[[list[dict[str, Any]]], Reply]] = field(default_factory=list)
    single: Callable[[dict[str, Any]], Reply] | None = None
    gallery: Callable[[dict[str, str]], Reply] = lambda headers: (304, {}, None)
    stored: list[int] = field(default_factory=list)
    duplicates: int = 0
    requests: int = 0
    url: str = ""

    def batch(self, events: list[dict[str, Any]]) -> Reply:
        if self.replies:
            return self.replies.pop(0)(events)
        return 200, {}, {"results": [self.keep(event) for event in events]}

    def keep(self, event: dict[str, Any]) -> dict[str, Any]:
        seq, event_id = event["body"]["seq"], event["body"]["event_id"]
        if seq in self.stored:
            self.duplicates += 1
            return {"event_id": event_id, "status": "duplicate"}
        self.stored.append(seq)
        return {"event_id": event_id, "status": "stored"}


@pytest.fixture
def script() -> Iterator[Script]:
    told = Script()
    seen: set[str] = set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._handle(self.rfile.read(int(self.headers["Content-Length"])))

        def do_GET(self) -> None:
            self._handle(b"")

        def _handle(self, body: bytes) -> None:
            told.requests += 1
            verify_request(
                self.command, told.url + self.path, dict(self.headers.items()), body,
                key_of=lambda key_id: KEY.public_key() if key_id == "k1" else None, now=CLOCK.now(),
                seen_nonce=lambda key_id, nonce, now: nonce in seen or bool(seen.add(nonce)),
            )  # fmt: skip
            if self.path == "/api/v1/gallery":
                status, headers, content = told.gallery({k.lower(): v for k, v in self.headers.items()})
            elif self.path == "/api/v1/events/batch":
                status, headers, content = told.batch(json.loads(body)["events"])
            else:
                assert told.single is not None
                status, headers, content = told.single(json.loads(body))
            answer = json.dumps(content).encode() if content is not None else b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *arguments: object) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield told
    server.shutdown()
    server.server_close()
    thread.join(5)


@dataclass
class Sender:
    reporter: Reporter
    journal: Journal
    roster: RosterStore
    screen: Screen
    revoked: list[bool]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = store_at(tmp_path / "kiosk.sqlite")
    yield opened
    opened.dispose()


def sender_to(url: str, engine: Engine, tmp_path: Path, *, batch: int = 2) -> Sender:
    config = quick_config(
        url, tmp_path, center={"batch_events": batch, "retry_first_s": 1, "retry_longest_s": 60}
    ).center
    journal, screen, revoked = journal_in(engine), Screen(), []
    roster = RosterStore(engine, center=CENTER_KEY.public_key(), site_id="s1", vault=Vault(SiteKey.create()))
    reporter = Reporter(
        journal,
        CenterClient(config, CLOCK, KEY, "k1"),
        roster=roster,
        config=config,
        clock=CLOCK,
        screen=screen,
        on_revoked=lambda: revoked.append(True),
        rng=random.Random(1),
    )
    return Sender(reporter, journal, roster, screen, revoked)


@pytest.fixture
def sender(script: Script, engine: Engine, tmp_path: Path) -> Sender:
    return sender_to(script.url, engine, tmp_path)


def fail(status: int, code: str = "", **headers: str) -> Callable[[Any], Reply]:
    content = {"error": {"code": code, "message": "no"}} if code else None
    return lambda sent: (status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def test_everything_pending_arrives_in_order_and_once(script: Script, sender: Sender) -> None:
    for _ in range(5):
        sender.journal.append(draft())
    sender.reporter.once()
    assert script.stored == [1, 2, 3, 4, 5]
    assert script.duplicates == 0
    assert sender.journal.counts().pending == 0
    assert (sender.screen.state().center, sender.screen.state().pending) == ("reachable", 0)


def test_while_the_center_is_away_everything_waits(engine: Engine, tmp_path: Path) -> None:
    """Nothing listens there; the waits grow and nothing is given up."""
    sender = sender_to("http://127.0.0.1:9", engine, tmp_path)
    sender.journal.append(draft())
    waits = [sender.reporter.once() for _ in range(4)]
    assert waits[0] < waits[2] < waits[3] <= 60
    assert sender.journal.counts().pending == 1
    assert (sender.screen.state().center, sender.screen.state().pending) == ("unreachable", 1)


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, "later"), (502, ""), (503, "later"), (429, "later"), (401, "later"), (408, ""), (404, ""), (403, "")],
)
def test_answers_that_say_nothing_of_the_event_are_outwaited(
    script: Script, sender: Sender, status: int, code: str
) -> None:
    """Among them every 4xx that is not the center's own: a proxy that lost its way quarantines nothing."""
    sender.journal.append(draft())
    script.replies = [fail(status, code)] * 3
    for _ in range(3):
        assert 0 < sender.reporter.once() <= 60
        assert sender.journal.counts().pending == 1
    sender.reporter.once()
    assert script.stored == [1]


def test_retry_after_is_obeyed(script: Script, sender: Sender) -> None:
    sender.journal.append(draft())
    script.replies = [fail(429, "too_many", Retry_After="30")]
    assert sender.reporter.once() >= 30


def test_a_lost_answer_ends_as_a_duplicate_and_not_as_a_second_event(script: Script, sender: Sender) -> None:
    """The center stored the batch, the answer never arrived: it is sent again and nothing is stored twice."""
    sender.journal.append(draft())
    sender.journal.append(draft())

    def stored_but_unheard(events: list[dict[str, Any]]) -> Reply:
        for item in events:
            script.keep(item)
        return 504, {}, None

    script.replies = [stored_but_unheard]
    sender.reporter.once()
    sender.reporter.once()
    assert (script.stored, script.duplicates) == ([1, 2], 2)
    assert sender.journal.counts().delivered == 2


def test_a_rejected_event_is_quarantined_and_the_others_go_on(script: Script, sender: Sender) -> None:
    for _ in range(4):
        sender.journal.append(draft())

    def second_rejected(events: list[dict[str, Any]]) -> Reply:
        refused = {
            "event_id": events[1]["body"]["event_id"],
            "status": "rejected",
            "error": {"code": "event_malformed"},
        }
        return 200, {}, {"results": [script.keep(events[0]), refused]}

    script.replies = [second_rejected]
    sender.reporter.once()
    assert script.stored == [1, 3, 4]
    assert [(item.seq, item.error) for item in sender.journal.quarantined()] == [(2, "event_malformed")]


def test_what_follows_a_quarantined_event_waits_for_it_and_arrives_after_its_release(
    real_center: RealCenter, engine: Engine, tmp_path: Path
) -> None:
    """The center's chain has a gap until then; nothing of it is quarantined too, and the gallery still arrives."""
    site = real_center.new_site()
    site.enroll("3101")
    config = quick_config(real_center.url, tmp_path / "state")
    keys, pairing = site.pair_kiosk(config)
    journal = Journal(engine, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=CLOCK)
    roster = RosterStore(engine, center=pairing.center, site_id=pairing.site_id, vault=site.vault)
    reporter = Reporter(
        journal, CenterClient(config.center, CLOCK, keys.signing, pairing.kiosk_id), roster=roster,
        config=config.center, clock=CLOCK, screen=Screen(), on_revoked=lambda: None,
    )  # fmt: skip
    events = [journal.append(draft()) for _ in range(4)]
    journal.quarantine(str(events[1].body["event_id"]), "event_malformed")
    assert reporter.once() > 0
    counts = journal.counts()
    assert (counts.delivered, counts.pending, counts.quarantined) == (1, 2, 1)
    assert len(roster.current.people) == 1
    assert journal.release() == 1
    reporter.once()
    assert journal.counts().delivered == 4
    assert [row.seq for row in real_center.events(pairing.kiosk_id)] == [1, 2, 3, 4]


def test_a_center_that_lost_what_it_acknowledged_gets_it_again(script: Script, sender: Sender) -> None:
    """It was put back from an older backup: it misses event 2, which this kiosk had delivered."""
    for _ in range(2):
        sender.journal.append(draft())
    sender.reporter.once()
    script.stored.remove(2)
    sender.journal.append(draft())

    def gap(events: list[dict[str, Any]]) -> Reply:
        refused = {"event_id": events[0]["body"]["event_id"], "status": "rejected", "error": {"code": "chain_gap"}}
        return 200, {}, {"results": [refused]}

    script.replies = [gap]
    assert 0 < sender.reporter.once() <= 60
    sender.reporter.once()
    assert sorted(script.stored) == [1, 2, 3]
    assert (script.duplicates, sender.journal.counts().delivered) == (1, 3)


def test_a_refused_batch_is_taken_apart_until_the_culprit_is_found(script: Script, sender: Sender) -> None:
    """A 4xx for a whole batch: the oldest goes alone; only what is refused alone is quarantined."""
    for _ in range(3):
        sender.journal.append(draft())
    script.replies = [fail(422, "body_invalid")] * 2
    alone: list[int] = []

    def single(event: dict[str, Any]) -> Reply:
        alone.append(event["body"]["seq"])
        if event["body"]["seq"] == 1:
            return 422, {}, {"error": {"code": "body_invalid", "message": "no"}}
        return 201, {}, script.keep(event)

    script.single = single
    sender.reporter.once()
    assert alone == [1, 2]
    assert script.stored == [2, 3]
    assert [item.seq for item in sender.journal.quarantined()] == [1]


def test_an_event_that_went_alone_is_delivered_by_its_own_receipt_only(script: Script, sender: Sender) -> None:
    sender.journal.append(draft())
    script.replies = [fail(413, "http_413")]
    script.single = lambda event: (200, {}, {"hello": "world"})
    assert sender.reporter.once() is not None
    assert (sender.journal.counts().pending, sender.journal.counts().delivered) == (1, 0)
    sender.reporter.once()
    assert (script.stored, sender.journal.counts().delivered) == ([1], 1)


def test_an_answer_that_fits_nothing_counts_for_nothing(script: Script, sender: Sender) -> None:
    """A proxy's friendly 200 is no receipt."""
    sender.journal.append(draft())
    script.replies = [lambda sent: (200, {}, {"hello": "world"}), lambda sent: (200, {}, None)]
    sender.reporter.once()
    sender.reporter.once()
    assert sender.journal.counts().pending == 1
    sender.reporter.once()
    assert script.stored == [1]


def test_a_receipt_for_another_event_is_none() -> None:
    """Only what was sent, in its order, up to the first place where the answer speaks of something else."""
    kept = [{"event_id": name, "status": "stored"} for name in ("a", "x", "c")]
    assert sort_results({"results": kept}, ["a", "b", "c"]) == Sorted(("a",), ())
    assert sort_results({"results": kept[1:]}, ["a", "b"]) == Sorted((), ())


def test_a_revoked_kiosk_forgets_its_references_and_keeps_its_events(script: Script, sender: Sender) -> None:
    script.gallery = lambda headers: (200, {}, document(3))
    sender.reporter.once()
    assert sender.roster.stored_version() == 3
    sender.journal.append(draft())
    script.replies = [fail(403, "kiosk_revoked")]
    sender.reporter.run()
    assert sender.revoked == [True]
    assert sender.roster.stored_version() is None
    assert sender.roster.current.version == 0
    assert sender.journal.counts().pending == 1


def document(version: int, *, site_id: str = "s1", key: Ed25519PrivateKey = CENTER_KEY) -> dict[str, Any]:
    return sign_document(
        {"site_id": site_id, "version": version, "issued_at": "", "policy": SitePolicy().to_json(), "people": []}, key
    )


@pytest.mark.parametrize(
    "wire",
    [
        document(4),
        document(9, key=Ed25519PrivateKey.from_private_bytes(b"x" * 32)),
        document(9, site_id="s2"),
        document(9) | {"signature": "00"},
        {"document": {}},
        None,
    ],
    ids=["older", "other key", "other site", "altered", "half", "nothing"],
)
def test_a_gallery_that_cannot_be_trusted_changes_nothing(script: Script, sender: Sender, wire: Any) -> None:
    sender.roster.accept(document(5), CLOCK.now())
    script.gallery = lambda headers: (200, {}, wire)
    sender.reporter.once()
    assert sender.roster.current.version == 5
    assert sender.roster.stored_version() == 5


def test_an_unchanged_gallery_is_not_sent_again(script: Script, sender: Sender) -> None:
    asked: list[str | None] = []

    def gallery(headers: dict[str, str]) -> Reply:
        asked.append(headers.get("if-none-match"))
        return (304, {}, None) if headers.get("if-none-match") else (200, {"ETag": '"s1.7"'}, document(7))

    script.gallery = gallery
    sender.reporter.once()
    sender.reporter._gallery_due_s = 0
    sender.reporter.once()
    assert asked == [None, '"s1.7"']
    assert sender.roster.current.version == 7


def test_an_altered_gallery_on_the_disk_is_not_opened(engine: Engine, sender: Sender) -> None:
    from models.errors import SignatureInvalid
    from models.store.engine import writing
    from models.store.kiosk import GalleryRow

    sender.roster.accept(document(5), CLOCK.now())
    with writing(engine) as session:
        row = session.get_one(GalleryRow, "s1")
        row.document = row.document.replace('"version": 5', '"version": 6')
    with pytest.raises(SignatureInvalid):
        sender.roster.load()


def test_a_damaged_gallery_on_the_disk_is_fetched_again(engine: Engine, sender: Sender) -> None:
    """Half a document, or a policy that cannot be meant any more: the kiosk starts with nobody and asks again."""
    from kiosk.app import _load_roster
    from models.store.engine import writing
    from models.store.kiosk import GalleryRow

    impossible = {**SitePolicy().to_json(), "max_tries": 99}
    body = {"site_id": "s1", "version": 6, "issued_at": "", "policy": impossible, "people": []}
    for damaged in ('{"document"', json.dumps(sign_document(body, CENTER_KEY))):
        sender.roster.accept(document(5), CLOCK.now())
        with writing(engine) as session:
            session.get_one(GalleryRow, "s1").document = damaged
        _load_roster(sender.roster)
        assert (sender.roster.current.version, sender.roster.stored_version()) == (0, None)


def test_waits_are_drawn_apart_and_never_exceed_the_longest() -> None:
    config = quick_config("https://x", Path("/x"), center={"retry_first_s": 1, "retry_longest_s": 20}).center
    first, second = Backoff(config, random.Random(1)), Backoff(config, random.Random(2))
    waits = [[backoff.failed(None, CLOCK.now()) for _ in range(40)] for backoff in (first, second)]
    assert waits[0] != waits[1]
    assert max(map(max, waits)) <= 20
    year = Answer(503, {"retry-after": "31536000"}, None)
    assert first.failed(year, CLOCK.now()) <= 3600
    first.succeeded()
    assert first.failed(None, CLOCK.now()) <= 1


def test_a_center_that_was_down_gets_everything_in_order_after(
    real_center: RealCenter, engine: Engine, tmp_path: Path
) -> None:
    """The real center: three events while it is down, delivered when it is back; its ledger holds them once."""
    site = real_center.new_site()
    config = quick_config(real_center.url, tmp_path / "state")
    keys, pairing = site.pair_kiosk(config)
    journal = Journal(engine, key=keys.signing, kiosk_id=pairing.kiosk_id, clock=CLOCK)
    roster = RosterStore(engine, center=pairing.center, site_id=pairing.site_id, vault=Vault(SiteKey.create()))
    reporter = Reporter(
        journal, CenterClient(config.center, CLOCK, keys.signing, pairing.kiosk_id), roster=roster,
        config=config.center, clock=CLOCK, screen=Screen(), on_revoked=lambda: None,
    )  # fmt: skip
    journal.append(draft())
    reporter.once()
    real_center.down()
    try:
        for _ in range(3):
            journal.append(draft())
            reporter.once()
        assert journal.counts().pending == 3
    finally:
        real_center.up()
    reporter.once()
    assert journal.counts().pending == 0
    assert [row.seq for row in real_center.events(pairing.kiosk_id)] == [1, 2, 3, 4]


def test_a_revoked_kiosk_whose_disk_takes_nothing_loses_its_key_all_the_same(
    script: Script, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender.journal.append(draft())

    def full() -> None:
        raise StoreError("The disk is full.", code="store_full")

    monkeypatch.setattr(sender.roster, "purge", full)
    script.replies = [fail(403, "kiosk_revoked")]
    sender.reporter.once()
    assert sender.revoked == [True]


def test_the_real_center_ends_a_revoked_kiosk(real_center: RealCenter, engine: Engine, tmp_path: Path) -> None:
    site = real_center.new_site()
    site.enroll("3001")
    config = quick_config(real_center.url, tmp_path / "state")
    keys, pairing = site.pair_kiosk(config)
    roster = RosterStore(engine, center=pairing.center, site_id=pairing.site_id, vault=site.vault)
    ended: list[bool] = []
    reporter = Reporter(
        journal_in(engine), CenterClient(config.center, CLOCK, keys.signing, pairing.kiosk_id), roster=roster,
        config=config.center, clock=CLOCK, screen=Screen(), on_revoked=lambda: ended.append(True),
    )  # fmt: skip
    reporter.once()
    assert len(roster.current.people) == 1
    site.revoke_kiosk(pairing.kiosk_id)
    reporter._gallery_due_s = 0
    reporter.run()
    assert (ended, roster.stored_version()) == ([True], None)
