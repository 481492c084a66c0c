"""Parcels wait sealed, leave after the events, arrive once, and are gone from the disk after that."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from center_parts import quick_config
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from event_parts import CLOCK, KEY, draft, journal_in, store_at
from sqlalchemy import Engine, event, text

from enrollment.vault import SiteKey, Vault
from kiosk.center_client import Answer, CenterClient, CenterUnreachable
from kiosk.parcels import ParcelCounts, ParcelQueue, ParcelStore
from kiosk.reporter import Reporter
from kiosk.roster import RosterStore
from kiosk.screen import Screen
from models.errors import InputError, StoreError, VaultError
from models.parcels import MOST_CONTENT_BYTES, Parcel, ParcelKind
from models.store.engine import writing

SITE_KEY = SiteKey("site", b"s" * 32)
VAULT = Vault(SITE_KEY)
SECRET = b"what somebody wrote" * 40
REPORT, ENROLLMENT = ParcelKind.WRITTEN_REPORT, ParcelKind.ENROLLMENT


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = store_at(tmp_path / "kiosk.sqlite")
    yield opened
    opened.dispose()


@pytest.fixture
def parcels(engine: Engine) -> ParcelStore:
    return ParcelStore(engine, vault=VAULT, site_id="s1", clock=CLOCK)


def files(tmp_path: Path) -> bytes:
    return b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


@dataclass(slots=True)
class Line(CenterClient):
    """A line to a center that answers as it is told; what was sent is remembered in order."""

    sent: list[tuple[str, Any]] = field(default_factory=list)
    answers: list[Answer | Exception] = field(default_factory=list)
    answer_parcel: Any = None

    def __post_init__(self) -> None:
        self.answer_parcel = self._next_answer

    def _next_answer(self) -> Answer:
        answer = self.answers.pop(0) if self.answers else Answer(201, {}, {})
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _request(self, method: str, path: str, body: bytes, *rest: Any) -> Answer:
        raise AssertionError("nothing goes over the network here")

    def get(self, path: str, **options: Any) -> Answer:
        return Answer(304, {}, None)

    def post(self, path: str, content: Any, **options: Any) -> Answer:
        self.sent.append((path, content))
        if path == "/api/v1/parcels":
            answer: Answer = self.answer_parcel()
            receipt = {"parcel_id": content["parcel_id"], "status": "stored"}
            return replace(answer, content=receipt) if answer.status < 300 and answer.content == {} else answer
        stored = [{"event_id": item["body"]["event_id"], "status": "stored"} for item in content["events"]]
        return Answer(200, {}, {"results": stored})


@pytest.fixture
def line(tmp_path: Path) -> Line:
    config = quick_config("https://center.example", tmp_path, center={"retry_first_s": 1, "retry_longest_s": 60})
    return Line(config.center, CLOCK, KEY, "k1")


@pytest.fixture
def reporter(engine: Engine, parcels: ParcelStore, line: Line) -> Reporter:
    center = Ed25519PrivateKey.from_private_bytes(b"c" * 32).public_key()
    return Reporter(
        journal_in(engine),
        line,
        roster=RosterStore(engine, center=center, site_id="s1", vault=VAULT),
        config=line.config,
        clock=CLOCK,
        screen=Screen(),
        on_revoked=lambda: None,
        parcels=parcels,
        rng=random.Random(1),
    )


def refused(status: int, code: str) -> Answer:
    return Answer(status, {}, {"error": {"code": code, "message": "no"}})


def test_nothing_readable_lies_on_the_disk(parcels: ParcelStore, tmp_path: Path) -> None:
    parcel = parcels.add(REPORT, "p1", SECRET)
    assert SECRET[:19] not in files(tmp_path)
    assert VAULT.open_content(parcel.sealed, parcel.binding("s1")) == SECRET


def test_a_parcel_opens_for_what_it_was_sealed_for_and_nothing_else(parcels: ParcelStore) -> None:
    parcel = parcels.add(REPORT, "p1", SECRET)
    binding = parcel.binding("s1")
    for name in binding:
        with pytest.raises(VaultError):
            VAULT.open_content(parcel.sealed, binding | {name: "another"})
    with pytest.raises(VaultError):
        Vault(SiteKey("site", b"t" * 32)).open_content(parcel.sealed, binding)
    for place in (0, 13, 61, 80, len(parcel.sealed) - 1):
        spoiled = bytearray(parcel.sealed)
        spoiled[place] ^= 1
        with pytest.raises(VaultError):
            VAULT.open_content(bytes(spoiled), binding)
    for short in (b"", parcel.sealed[:40], parcel.sealed[:75]):
        with pytest.raises(VaultError):
            VAULT.open_content(short, binding)


def test_events_go_first_then_parcels_in_their_order(
    reporter: Reporter, parcels: ParcelStore, line: Line, engine: Engine
) -> None:
    first, second = parcels.add(REPORT, "p1", SECRET), parcels.add(ENROLLMENT, "p2", b"{}")
    journal_in(engine).append(draft())
    reporter.once()
    assert [path for path, _ in line.sent] == ["/api/v1/events/batch", "/api/v1/parcels", "/api/v1/parcels"]
    assert {line.sent[1][1]["parcel_id"], line.sent[2][1]["parcel_id"]} == {first.parcel_id, second.parcel_id}
    assert Parcel.from_json(line.sent[1][1]) in (first, second)
    assert parcels.counts() == ParcelCounts(0, 0)


def test_events_of_meanwhile_go_before_the_next_parcel(
    reporter: Reporter, parcels: ParcelStore, line: Line, engine: Engine
) -> None:
    journal = journal_in(engine)
    parcels.add(REPORT, "p1", SECRET)
    parcels.add(REPORT, "p1", SECRET)
    answer = line.answer_parcel
    line.answer_parcel = lambda: (journal.append(draft()), answer())[1] if len(line.sent) == 1 else answer()
    reporter.once()
    assert [path.rsplit("/", 1)[1] for path, _ in line.sent] == ["parcels", "batch", "parcels"]


def test_what_arrived_is_in_no_file_any_more(reporter: Reporter, parcels: ParcelStore, tmp_path: Path) -> None:
    parcel = parcels.add(REPORT, "p1", SECRET)
    assert parcel.sealed[100:160] in files(tmp_path)
    reporter.once()
    assert parcel.sealed[100:160] not in files(tmp_path)


@pytest.mark.parametrize(
    "answer",
    [CenterUnreachable("away"), Answer(502, {}, None), refused(503, "store_full"), refused(429, "too_many_requests"),
     refused(401, "signature_stale"), Answer(404, {}, None)],
    ids=["away", "proxy", "full", "many", "clock", "portal"],
)  # fmt: skip
def test_a_parcel_waits_for_ever_while_the_center_cannot_take_it(
    reporter: Reporter, parcels: ParcelStore, line: Line, answer: Any
) -> None:
    parcels.add(REPORT, "p1", SECRET)
    line.answers = [answer] * 5
    waits = [reporter.once() for _ in range(5)]
    assert all(0 < wait_s <= 60 for wait_s in waits)
    assert waits[0] < waits[4]
    assert parcels.counts() == ParcelCounts(1, 0)
    reporter.once()
    assert parcels.counts() == ParcelCounts(0, 0)


def test_a_parcel_that_never_gets_through_keeps_neither_the_gallery_nor_the_others_away(
    reporter: Reporter, parcels: ParcelStore, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy that hangs up in the middle of a large body, say; who was erased must be forgotten here nevertheless."""
    large = parcels.add(REPORT, "p1", SECRET * 100)
    small = [parcels.add(REPORT, "p2", SECRET), parcels.add(REPORT, "p3", SECRET)]
    asked: list[str] = []
    monkeypatch.setattr(line, "answer_parcel", lambda: _hang_up(line, large))
    monkeypatch.setattr(Line, "get", lambda self, path, **options: (asked.append(path), Answer(304, {}, None))[1])
    for _ in range(100):
        reporter.once()
    assert set(asked) == {"/api/v1/gallery"}
    assert parcels.counts() == ParcelCounts(1, 0)
    assert parcels.next_pending() == large
    taken = {content["parcel_id"] for _, content in line.sent} - {large.parcel_id}
    assert taken == {item.parcel_id for item in small}


def _hang_up(line: Line, large: Parcel) -> Answer:
    if line.sent[-1][1]["parcel_id"] == large.parcel_id:
        raise CenterUnreachable("away")
    return Answer(201, {}, {})


def test_a_refused_parcel_is_put_aside_visibly_and_the_next_one_goes(
    reporter: Reporter, parcels: ParcelStore, line: Line
) -> None:
    first = parcels.add(REPORT, "p1", SECRET)
    parcels.add(REPORT, "p1", SECRET)
    oldest = min(first.parcel_id, parcels.next_pending().parcel_id)
    line.answers = [refused(422, "person_other_site")]
    reporter.once()
    assert parcels.counts() == ParcelCounts(0, 1)
    assert [(item.parcel_id, item.error) for item in parcels.refused()] == [(oldest, "person_other_site")]
    assert parcels.release() == 1
    reporter.once()
    assert parcels.counts() == ParcelCounts(0, 0)


def test_what_is_about_somebody_who_was_erased_is_in_no_file_any_more(
    reporter: Reporter, parcels: ParcelStore, line: Line, tmp_path: Path
) -> None:
    """It is sealed with the site's key, which stays: erasing the person's own would not close it."""
    erased = parcels.add(REPORT, "p1", SECRET)
    line.answers = [refused(422, "person_unknown")]
    reporter.once()
    assert parcels.counts() == ParcelCounts(0, 0)
    assert erased.sealed[100:160] not in files(tmp_path)


def test_a_revoked_kiosk_forgets_enrollments_and_keeps_reports_sealed(
    reporter: Reporter, parcels: ParcelStore, line: Line, engine: Engine, tmp_path: Path
) -> None:
    report, enrollment = parcels.add(REPORT, "p1", SECRET), parcels.add(ENROLLMENT, "p1", SECRET)
    line.answers = [refused(403, "kiosk_revoked")]
    reporter.once()
    assert reporter.revoked
    assert parcels.counts() == ParcelCounts(1, 0)
    kept = ParcelQueue(engine).next_pending()
    assert kept == report
    assert SECRET[:19] not in files(tmp_path)
    assert enrollment.sealed[100:160] not in files(tmp_path)


def test_a_damaged_parcel_is_put_aside_and_does_not_stop_the_others(
    reporter: Reporter, parcels: ParcelStore, line: Line, engine: Engine
) -> None:
    spoiled = parcels.add(REPORT, "p1", SECRET)
    parcels.add(REPORT, "p2", SECRET)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE parcels SET sealed = x'00' WHERE parcel_id = :wanted"), {"wanted": spoiled.parcel_id}
        )
    reporter.once()
    assert [content["person_id"] for _, content in line.sent] == ["p2"]
    assert [item.error for item in parcels.refused()] == ["parcel_damaged"]


def test_a_parcel_belongs_to_the_caller_s_transaction_if_there_is_one(parcels: ParcelStore, engine: Engine) -> None:
    with pytest.raises(RuntimeError), writing(engine) as session:
        parcels.add(REPORT, "p1", SECRET, session=session)
        raise RuntimeError
    assert parcels.counts() == ParcelCounts(0, 0)
    with writing(engine) as session:
        parcels.add(REPORT, "p1", SECRET, session=session)
    assert parcels.counts() == ParcelCounts(1, 0)


@pytest.mark.parametrize("content", [b"", b"0" * (MOST_CONTENT_BYTES + 1)], ids=["empty", "too large"])
def test_what_is_too_small_or_too_large_is_refused_before_it_is_sealed(parcels: ParcelStore, content: bytes) -> None:
    with pytest.raises(InputError):
        parcels.add(REPORT, "p1", content)
    assert parcels.counts() == ParcelCounts(0, 0)


def test_the_queue_has_an_end_of_its_own(engine: Engine) -> None:
    parcels = ParcelStore(engine, vault=VAULT, site_id="s1", clock=CLOCK, most_waiting_bytes=2_000)
    parcels.add(REPORT, "p1", SECRET)
    parcels.add(REPORT, "p1", SECRET)
    with pytest.raises(StoreError) as full:
        parcels.add(REPORT, "p1", SECRET)
    assert full.value.code == "parcels_full"
    assert parcels.counts() == ParcelCounts(2, 0)


def test_a_full_disk_is_a_store_error_and_loses_no_parcel(parcels: ParcelStore, engine: Engine) -> None:
    parcels.add(REPORT, "p1", SECRET)

    def limit(connection: Any, _record: object = None, _proxy: object = None) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}").close()

    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one() + 2
    event.listen(engine, "checkout", limit)
    with pytest.raises(StoreError) as full:
        parcels.add(REPORT, "p1", b"0" * 100_000)
    assert full.value.code == "store_full"
    assert parcels.counts() == ParcelCounts(1, 0)


@pytest.mark.parametrize(
    "content", [None, "<html>Back soon</html>", {"hello": "world"}, {"parcel_id": "another", "status": "stored"}]
)
def test_a_proxys_friendly_page_deletes_no_parcel(
    parcels: ParcelStore, reporter: Reporter, line: Line, content: Any
) -> None:
    parcel = parcels.add(REPORT, "p1", SECRET)
    line.answers = [Answer(200, {}, content)]
    assert reporter.once() is not None
    assert (parcels.counts().pending, len(line.sent)) == (1, 1)
    reporter.once()
    assert parcels.counts().pending == 0
    assert line.sent[-1][1]["parcel_id"] == parcel.parcel_id
