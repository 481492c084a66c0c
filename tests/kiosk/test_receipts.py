"""Receipts: what is on them and what never is, and a printer that fails fails nobody's check-in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from center_parts import wait_until
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hardware.drivers.receipt_printer import CHINESE_FONT, EscPosPrinter
from hardware.simulation.printer_emulator import SimulatedPrinter
from kiosk import devices
from kiosk.checkin import CheckInResult
from kiosk.receipt import MOST_WAITING, ReceiptDesk, ReceiptStyle, compose, done_code
from kiosk.receipt_texts import receipt_texts
from kiosk.screen import Screen
from models.attendance import (
    AttendanceEvent,
    CheckInOutcome,
    EventType,
    Method,
    SignedEvent,
    TimeQuality,
    sign_event,
)
from models.receipt import Receipt
from tests.hardware.escpos_paper import interpret
from web.panel.texts import LANGUAGES

KEY = Ed25519PrivateKey.generate()
STYLE = ReceiptStyle("某某县服务中心", "zh_CN", "Asia/Shanghai")
AT = datetime(2026, 3, 2, 1, 1, tzinfo=UTC)
KIOSK = "018f2d3c-0000-7000-8000-00000000000a"


def event(
    kind: EventType = EventType.REPORT_IN_PERSON,
    outcome: CheckInOutcome | None = CheckInOutcome.ACCEPTED,
    *,
    seq: int = 12,
    quality: TimeQuality = TimeQuality.SYNCED,
) -> SignedEvent:
    draft = AttendanceEvent(
        event_id="018f2d3c-0000-7000-8000-000000000001", kiosk_id=KIOSK, seq=seq, prev_hash="0" * 64, captured_at=AT,
        boot_id="b", monotonic_ns=1, time_quality=quality, person_id="018f2d3c-aaaa-7000-8000-000000000002", type=kind,
        outcome=outcome, method=Method.FACE, evidence=(), policy_version="default-1",
    )  # fmt: skip
    return sign_event(draft, KEY)


def result(signed: SignedEvent | None = None, **changes: Any) -> CheckInResult:
    signed = signed or event(**changes)
    return CheckInResult(CheckInOutcome.ACCEPTED, "p", Method.FACE, None, AT, signed, {})


def test_a_receipt_says_what_was_done_and_when_to_come_again() -> None:
    slip = compose(event(), KEY, STYLE, next_due="2026-04-01", simulated=False)
    assert slip is not None
    assert slip.title == "某某县服务中心"
    assert slip.lines == ("签到完成", "时间  2026-03-02 09:01", "编号  000012", "下次签到  2026-04-01")
    Receipt.parse(slip.symbol).verify(KEY.public_key())


def test_a_receipt_says_when_its_time_is_in_doubt_and_when_the_devices_are_simulated() -> None:
    style = ReceiptStyle("", "en", "Asia/Shanghai")
    slip = compose(event(quality=TimeQuality.UNKNOWN), KEY, style, next_due="2026-04-01T01:00:00+00:00", simulated=True)
    assert slip is not None
    assert "The time is still to be confirmed" in slip.lines and "Next check-in  2026-04-01 09:00" in slip.lines
    assert slip.foot[-1] == "SIMULATED devices, not a proof"


@pytest.mark.parametrize("language", LANGUAGES)
def test_everything_that_gets_a_receipt_has_a_word_and_nothing_else_does(language: str) -> None:
    codes = {done_code(event(kind, outcome)) for kind in EventType for outcome in (None, *CheckInOutcome)} - {None}
    assert codes == set(receipt_texts(language)["done"])
    assert done_code(event(EventType.FAILED_ATTEMPT, CheckInOutcome.ATTACK_SUSPECTED)) is None
    assert done_code(event(EventType.STAFF, None)) is None and done_code(event(EventType.HELP_REQUEST, None)) is None


def test_no_receipt_names_an_offence_a_level_or_a_reason() -> None:
    said = "".join(json.dumps(receipt_texts(language), ensure_ascii=False) for language in LANGUAGES)
    for word in (
        "矫正",
        "管制",
        "缓刑",
        "假释",
        "犯",
        "罪",
        "宽松",
        "严格",
        "姓名",
        "correction",
        "offence",
        "probation",
    ):
        assert word not in said


@pytest.fixture
def printer(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimulatedPrinter]:
    monkeypatch.setattr(devices, "FIRST_REOPEN_S", 0.02)
    monkeypatch.setattr(devices, "LONGEST_REOPEN_S", 0.05)
    with SimulatedPrinter() as running:
        yield running


@pytest.fixture
def desk(printer: SimulatedPrinter) -> Iterator[tuple[ReceiptDesk, Screen]]:
    screen = Screen()
    driver = EscPosPrinter("network", address=printer.address, timeout_s=1.0)
    made = ReceiptDesk(driver, note=screen.note_device, key=KEY, style=STYLE, heartbeat_s=0.02)
    made.start()
    assert made.settle(5) is None
    yield made, screen
    made.stop()


def line(screen: Screen) -> tuple[bool, str | None]:
    (device,) = screen.state().devices
    return device[1], device[2]


def test_a_receipt_comes_out(desk: tuple[ReceiptDesk, Screen], printer: SimulatedPrinter) -> None:
    desk[0].print(result(), next_due="2026-04-01")
    wait_until(lambda: len(printer.slips) == 1)
    assert "签到完成".encode("gb18030") in printer.slips[0]


def test_without_paper_the_screen_says_so_and_the_slip_comes_when_there_is_some(
    desk: tuple[ReceiptDesk, Screen], printer: SimulatedPrinter
) -> None:
    made, screen = desk
    printer.paper = False
    wait_until(lambda: line(screen) == (False, "paper_out"))
    made.print(result())  # comes back at once, whatever the printer does
    printer.paper = True
    wait_until(lambda: line(screen) == (True, None) and len(printer.slips) == 1)


def test_a_printer_that_is_unplugged_and_back_prints_again(
    desk: tuple[ReceiptDesk, Screen], printer: SimulatedPrinter
) -> None:
    made, screen = desk
    printer.unplug()
    wait_until(lambda: not line(screen)[0])
    printer.plug()
    wait_until(lambda: line(screen)[0])
    made.print(result())
    wait_until(lambda: len(printer.slips) == 1)


def test_a_slip_that_nobody_waits_for_any_more_is_not_printed(printer: SimulatedPrinter) -> None:
    now = [0.0]
    screen = Screen()
    driver = EscPosPrinter("network", address=printer.address, timeout_s=1.0)
    made = ReceiptDesk(
        driver, note=screen.note_device, key=KEY, style=STYLE, heartbeat_s=0.02, monotonic=lambda: now[0]
    )
    for seq in range(1, MOST_WAITING + 3):
        made.print(result(seq=seq))
    now[0] = 50.0
    made.print(result(seq=99))
    made.start()
    wait_until(lambda: len(printer.slips) == 1)
    made.stop()
    assert b"000099" in printer.slips[0] and len(printer.slips) == 1


def test_nothing_is_printed_of_what_was_not_stored() -> None:
    with EscPosPrinter("dummy") as dummy:
        made = ReceiptDesk(dummy, note=Screen().note_device, key=KEY, style=STYLE)
        made.print(CheckInResult(CheckInOutcome.REFERRED_TO_STAFF, None, Method.NONE, "store_full", AT, None, {}))
        assert not made._waiting and dummy.printed == b""


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "options"), [("80mm", {}), ("58mm", {"width_px": 384, "text": "raster"})])
def test_the_paper_shows_words_and_a_symbol(language: str, name: str, options: dict[str, Any], tmp_path: Path) -> None:
    style = ReceiptStyle("", language, "Asia/Shanghai")
    slip = compose(event(), KEY, style, next_due="2026-04-01", simulated=True)
    assert slip is not None
    if not Path(CHINESE_FONT).exists() and "MUSTER_REQUIRE_BROWSER" not in os.environ:
        pytest.skip("this machine has no Chinese font (fonts-noto-cjk)")
    with EscPosPrinter("dummy", **options) as dummy:
        dummy.print(slip)
        drawn = interpret(dummy.printed, width_px=options.get("width_px", 576))
    picture = drawn.picture().convert("L")
    dark = sum(picture.histogram()[:128]) / (picture.width * picture.height)
    assert picture.width >= options.get("width_px", 576)
    assert 0.02 < dark < 0.4  # neither an empty slip nor a black one
    picture.save(Path(os.environ.get("MUSTER_SCREENS", tmp_path)) / f"receipt-{name}-{language}.png")
