"""Signing in at the staff's desk, and who is not let in: simulated camera and sensor, real engines, real center."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from center_parts import RealCenter, utc, wait_until
from kiosk_parts import Cast, StartKiosk
from sqlalchemy import update
from staff_parts import NUMBERS, PIN, PIN_HASHER, Hands, JumpingClock, acts, hire, ledger, staffed, vouch

from enrollment.repository import bump_gallery
from kiosk.staff import sign_in
from kiosk.staff.onlooker import Onlooker
from kiosk.staff.pins import pin_matches
from models.attendance import CheckInOutcome, EventType, Subject
from models.store.center import StaffRow
from models.store.engine import reading
from models.store.kiosk import MetaRow


def test_signing_in_looking_after_the_kiosk_and_what_ends_a_session(
    real_center: RealCenter,
    start_kiosk: StartKiosk,
    cast: Cast,
    jumping: JumpingClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A morning: PIN and own face, health, notice, light; a session that is left alone; another face."""
    looks: list[float] = []
    compared = Onlooker._other
    monkeypatch.setattr(Onlooker, "_other", lambda self, t, now_s: (looks.append(now_s), compared(self, t, now_s))[1])
    site = staffed(real_center, cast)
    running = start_kiosk(site)
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    assert hands.view["signed_in"] == "静"
    hands.pick("health")
    rows = hands.sees("health")["rows"]
    for _ in range(2):
        before = hands.view["rows"]
        hands.pick("other_rows")
        rows += wait_until(lambda before=before: hands.view.get("rows") != before and hands.view.get("rows"))
    assert [row["name"] for row in rows] == [
        "camera", "sensor", "card_reader", "printer", "center", "events_pending",
        "parcels_pending", "refused", "disk_mib", "clock", "last_event", "version",
    ]  # fmt: skip
    hands.press("back")
    hands.sees("home")
    hands.pick("notice")
    hands.hear_notice("done")
    hands.sees("home")
    hands.pick("light")
    wait_until(lambda: hands.view.get("bars"))
    hands.pick("store")
    hands.sees("light", stored=True)
    hands.press("back")
    hands.sees("home")
    jumping.forward(100)
    assert hands.view.get("page") == "home"
    jumping.forward(30)
    wait_until(lambda: hands.view == {})
    hands.pick("health")  # a tap that comes too late leads nowhere

    running.scene.leave()
    running.wait_step("idle")
    hands.sign_in("静", PIN, cast["visitor_2"])
    running.scene.show(cast["visitor_3"], "stand")
    while hands.view:  # the screen is touched all the while
        before = len(looks)
        jumping.forward(4.0)
        hands.press("nothing")
        wait_until(lambda before=before: len(looks) > before or hands.view == {})
    wait_until(lambda: hands.view == {})
    running.scene.leave()

    told = [event for event in ledger(site, running) if event.type is EventType.STAFF]
    assert [event.details["act"] for event in told] == [
        "sign_in", "health", "light", "sign_out", "sign_in", "sign_out",
    ]  # fmt: skip
    assert told[0].details == {"act": "sign_in", "staff_id": site.staff_id, "by": "face", "named_by": "center"}
    assert [(item.subject, item.operation, item.matched) for item in told[0].evidence] == [
        (Subject.STAFF, "verify", True)
    ]
    assert {"face", "background", "backlight", "contrast", "sides", "overexposed", "advice"} <= set(told[2].details)
    assert [told[3].details["why"], told[5].details["why"]] == ["timeout", "other_face"]
    assert all(event.person_id is None for event in told)


def test_who_is_not_let_in_and_that_nobody_learns_why(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, jumping: JumpingClock
) -> None:
    """Another face with the right PIN; wrong PINs, which are counted, recorded and slowed down; an ended account."""
    site = staffed(real_center, cast)
    hire(real_center.new_site(), "外人", PIN)
    running = start_kiosk(site)
    hands = Hands(running)
    hands.press("open")
    hands.sees("who")
    assert hands.names() == ["静"]  # nobody of another site
    hands.identify("静", PIN, cast["visitor_3"])
    hands.sees("refused")
    hands.pick("ok")
    running.scene.leave()
    running.wait_step("idle")
    hands.press("open")
    hands.choose_self("静")
    for times in (1, 2):
        hands.sees("pin")
        hands.press("pin", pin="000000")
        hands.sees("pin", hint="sign_in_refused", refused=times)
        assert wrong_tries(running) == times + 1  # the other face was the first
    hands.press("pin", pin=PIN)  # the right one, answered as a wrong one is
    assert hands.sees("wait")["minutes"] == 1
    hands.pick("ok")
    running.wait_step("idle")
    refused = [event for event in ledger(site, running) if event.type is EventType.STAFF]
    assert [event.details["why"] for event in refused] == ["not_verified", "pin"]
    assert [item.matched for item in refused[0].evidence] == [False]
    assert refused[1].details == {"act": "sign_in_refused", "staff_id": site.staff_id, "why": "pin", "wrong": 3}

    jumping.forward(31)
    hands.sign_in("静", PIN, cast["visitor_2"])
    assert wrong_tries(running) == 0
    hands.press("out")
    running.scene.leave()
    running.wait_step("idle")
    hands.press("open")
    hands.choose_self("静")
    hands.sees("pin")
    end_account(site, running)
    hands.press("pin", pin=PIN)
    hands.sees("pin", hint="sign_in_refused")
    assert PIN not in str([event.body() for event in ledger(site, running)])


def test_a_pin_tapped_twice_counts_once_and_breaks_no_comparison_off(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = staffed(real_center, cast)
    running = start_kiosk(site, visit={"absent_after_s": 20.0, "look_timeout_s": 20.0})  # the late tap comes first
    hands = Hands(running)

    def begin() -> None:
        running.wait_step("idle")
        hands.press("open")
        hands.choose_self("静")
        hands.sees("pin")

    begin()
    with worked_on(monkeypatch):
        hands.press("pin", pin="000000")
        hands.press("pin", pin="000000")  # a hand that trembles
    hands.sees("pin", hint="sign_in_refused")
    assert wrong_tries(running) == 1
    with worked_on(monkeypatch):
        hands.press("pin", pin="000000")
        hands.press("back")  # whoever goes back before the answer has tried all the same
    begin()
    assert wrong_tries(running) == 2
    with worked_on(monkeypatch):
        hands.press("pin", pin=PIN)
        hands.press("pin", pin=PIN)
    running.wait_step("look")
    hands.press("pin", pin=PIN)  # a late tap
    wait_until(running.kiosk.screen._requests.empty)
    running.scene.show(cast["visitor_2"], "stand")
    hands.sees("home")
    assert acts(site, running) == ["sign_in"]


def test_an_own_finger_is_compared_from_its_picture_at_the_sites_false_match_rate(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """And when the kiosk stops, the session ends with it."""
    site = real_center.new_site()
    hire(site, "李娟", PIN, fingers=cast.fingers("visitor_3"))
    site.enroll(str(next(NUMBERS)), faces=cast.faces["visitor_1"])
    running = start_kiosk(site)
    Hands(running).sign_in("娟", PIN, cast["visitor_3"], by="finger")
    (signed_in,) = ledger(site, running)
    assert [(item.modality, item.engine) for item in signed_in.evidence] == [("finger", "minutiae")]
    assert signed_in.evidence[0].basis is not None
    assert signed_in.evidence[0].basis.target_fmr == pytest.approx(0.01 / 40)
    assert running.kiosk.station is not None
    assert running.kiosk.journal is not None
    running.kiosk.station.stop()
    newest = running.kiosk.journal.newest()
    assert newest is not None
    assert newest.event.details["why"] == "stopped"


@pytest.mark.parametrize("pin_alone", [False, True])
def test_a_pin_alone_suffices_only_where_the_configuration_says_so(
    real_center: RealCenter, start_kiosk: StartKiosk, pin_alone: bool
) -> None:
    """A center that names no staff, and witnesses of the configuration: they vouch, and never enroll."""
    site = real_center.new_site()
    number = str(next(NUMBERS))
    site.enroll(number)
    running = start_kiosk(site, witnesses={"staff-7": PIN_HASHER.hash(PIN)}, staff={"pin_alone": pin_alone})
    hands = Hands(running)
    hands.press("open")
    if not pin_alone:
        hands.sees("nobody")
        return
    hands.identify("staff-7", PIN, None)
    assert [item["code"] for item in hands.sees("home")["items"]] == ["witness", "health", "notice", "light"]
    assert vouch(hands, number, "no_reference").outcome is CheckInOutcome.WITNESSED
    event = next(item for item in ledger(site, running) if item.type is EventType.WITNESSED_CHECK_IN)
    assert (event.evidence, event.details) == ((), {"without_visit": True})


@contextmanager
def worked_on(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hold the work on a PIN until everything was pressed."""
    pressed = threading.Event()

    def held(pin_hash: str | None, pin: str) -> bool:
        pressed.wait(10)
        return pin_matches(pin_hash, pin)

    with monkeypatch.context() as patch:
        patch.setattr(sign_in, "pin_matches", held)
        yield
        pressed.set()


def end_account(site: Any, running: Any) -> None:
    """The account ended yesterday, and the kiosk knows it."""
    version = running.roster.current.version
    with site.real.center.writing() as session:
        ended = update(StaffRow).where(StaffRow.staff_id == site.staff_id).values(expires_at=utc() - timedelta(days=1))
        session.execute(ended)
        bump_gallery(session, site.site_id, utc())
    wait_until(lambda: running.roster.current.version > version)


def wrong_tries(running: Any) -> int:
    with reading(running.kiosk.journal._engine) as session:
        row = session.get(MetaRow, "staff_wrong_tries")
        return 0 if row is None else sum(json.loads(row.value).values())
