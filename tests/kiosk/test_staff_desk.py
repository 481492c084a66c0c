"""Staff at the kiosk by the whole line: simulated camera and sensor, real engines, real journal, real center."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from center_parts import RealCenter, utc, wait_until
from kiosk_parts import Cast, StartKiosk
from sqlalchemy import func, select, update
from staff_parts import PIN_HASHER, Hands, JumpingClock, acts, hire, ledger

from enrollment.repository import bump_gallery
from hardware.simulation.scene import Visitor
from kiosk.staff import sign_in
from kiosk.staff.onlooker import Onlooker
from kiosk.staff.pins import pin_matches
from models.attendance import CheckInOutcome, EventType, Method, Subject, Witness
from models.biometrics import Modality
from models.store.center import StaffRow
from models.store.engine import reading
from models.store.kiosk import MetaRow, ParcelRow

PIN, OTHER_PIN = "271828", "314159"
NUMBERS = itertools.count(70_001)  # one center serves every test, and a number is one person's


@pytest.fixture
def jumping(monkeypatch: pytest.MonkeyPatch) -> Iterator[JumpingClock]:
    clock = JumpingClock()
    monkeypatch.setattr("kiosk.app.Clock.of_this_machine", lambda: clock.clock)
    return clock


def staffed(real_center: RealCenter, cast: Cast, **policy: Any) -> Any:
    """A site with one person, and a staff member who is visitor 2."""
    site = real_center.new_site(**policy)
    site.number = str(next(NUMBERS))  # type: ignore[attr-defined]
    site.person_id = site.enroll(site.number, faces=cast.faces["visitor_1"])  # type: ignore[attr-defined]
    site.staff_id = hire(site, "陈静", PIN, faces=cast.faces["visitor_2"])  # type: ignore[attr-defined]
    return site


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
    running = start_kiosk(site)
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


def test_a_witness_with_the_own_face_in_the_evidence_labelled_for_ever(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, jumping: JumpingClock
) -> None:
    """For the visit that just ended unrecognised; it counts for the day, once; an old comparison is made again."""
    site = staffed(real_center, cast)
    running = start_kiosk(site)
    running.kiosk.screen.ask_for_help()
    visit = running.result()
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    jumping.forward(70)
    running.scene.show(cast["visitor_3"], "stand")
    stale = vouch(hands, site.number, "worn_fingers", until="refused")  # somebody else at a session left open
    assert stale is None
    hands.pick("ok")
    hands.sees("home")
    running.scene.show(cast["visitor_2"], "stand")
    result = vouch(hands, site.number, "worn_fingers")  # the face is compared anew meanwhile
    assert (result.outcome, result.method) == (CheckInOutcome.WITNESSED, Method.WITNESS)
    hands.sees("home")
    hands.pick("witness")
    hands.sees("number")
    hands.press("number", number=site.number)
    assert hands.sees("witness_refused")["why"] == "already_present"
    hands.pick("ok")
    hands.press("out")
    running.scene.leave()
    running.wait_step("idle")
    event = next(item for item in ledger(site, running) if item.type is EventType.WITNESSED_CHECK_IN)
    assert event.witness == Witness(site.staff_id, "worn_fingers")
    assert (event.person_id, event.details) == (site.person_id, {"visit": visit.signed.body["event_id"]})
    assert [(item.subject, item.matched) for item in event.evidence] == [(Subject.WITNESS, True)]
    assert acts(site, running) == ["sign_in", "sign_in_refused", "witness", "witness_refused", "sign_out"]
    running.scene.show(cast["visitor_1"], "stand")
    assert running.result().outcome is CheckInOutcome.ALREADY_PRESENT


def test_a_second_witness_where_the_policy_asks_for_one(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """By PIN and own face, too; nobody is one's own second witness, and another face is none."""
    site = staffed(real_center, cast, second_witness=True)
    second_id = hire(site, "李娟", OTHER_PIN, faces=cast.faces["visitor_3"])
    running = start_kiosk(site)
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    for visitor in ("visitor_1", "visitor_3"):
        running.scene.show(cast["visitor_2"], "stand")
        hands.pick("witness")
        hands.sees("number")
        hands.press("number", number=site.number)
        hands.sees("reason")
        hands.pick("injured")
        hands.sees("vouch")
        hands.pick("vouch")
        hands.sees("second")
        assert hands.names() == ["娟"]
        hands.identify("娟", OTHER_PIN, cast[visitor], page="second")
        if visitor == "visitor_1":
            hands.sees("refused")
            hands.pick("ok")
            hands.sees("home")
    running.result()
    (event,) = [item for item in ledger(site, running) if item.type is EventType.WITNESSED_CHECK_IN]
    assert event.witness == Witness(site.staff_id, "injured", second_id)
    assert [item.subject for item in event.evidence] == [Subject.WITNESS, Subject.SECOND_WITNESS]
    assert event.details == {"without_visit": True}


def test_a_second_witness_by_the_pin_alone_is_none(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """A colleague's PIN, told or looked at, would be enough to be one's own second witness."""
    site = staffed(real_center, cast, second_witness=True)
    hire(site, "李娟", OTHER_PIN)
    running = start_kiosk(site)
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    vouch(hands, site.number, "injured", until="second")
    hands.identify("娟", OTHER_PIN, None, page="second")
    hands.sees("approval_needs_face")
    hands.pick("ok")
    hands.sees("home")
    assert acts(site, running) == ["sign_in"]


def test_a_session_left_open_enrolls_nobody(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, jumping: JumpingClock
) -> None:
    """Neither a person anew nor the own self: whoever comes next is compared before the first page of it."""
    site = staffed(real_center, cast)
    running = start_kiosk(site)
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    running.scene.show(cast["visitor_3"], "stand")
    jumping.forward(70)
    hands.pick("enroll")
    hands.sees("number")
    hands.press("number", number=site.number)
    hands.sees("refused")
    hands.pick("ok")
    hands.sees("home")
    hands.pick("enroll_self")
    hands.sees("refused")
    assert acts(site, running) == ["sign_in", "sign_in_refused", "sign_in_refused"]


def test_one_face_behind_two_accounts_needs_a_third_colleague(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Or whoever knows a new colleague's PIN would approve the own face for it, and be two witnesses."""
    site = staffed(real_center, cast)
    new_id = hire(site, "李娟", OTHER_PIN)
    running = start_kiosk(site)
    hands = Hands(running)
    hands.sign_in("娟", OTHER_PIN)
    hands.pick("enroll_self")
    hands.identify("静", PIN, cast["visitor_2"], page="approve")
    hands.sees("notice")
    hands.hear_notice()
    hands.sees("enroll_finger")
    hands.pick("skip")
    hands.sees("missing")
    hands.pick("fingers_unusable")
    assert hands.sees("similar")["similar"] == [{"shown_name": "静", "modality": "face"}]
    hands.pick("somebody_else")
    hands.sees("nobody")
    hands.pick("ok")
    hands.sees("home")
    assert acts(site, running) == ["sign_in"]
    assert (parcels(running), running.roster.current.staff[new_id].references) == (0, ())


def test_what_is_enrolled_reaches_the_center_sealed_and_counts_once_it_was_taken(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Faces and two fingers. Before that somebody similar is shown, and stopping leaves nothing but the event."""
    site = staffed(real_center, cast)
    similar_id = site.enroll(similar_number := str(next(NUMBERS)), name="周平")
    person_id = site.enroll(number := str(next(NUMBERS)), name="赵大海")
    running = start_kiosk(site, people=3)
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    begin_enrolling(hands, similar_number, cast["visitor_1"])
    hands.sees("enroll_finger")
    hands.pick("skip")
    hands.sees("missing")
    hands.pick("fingers_declined")
    assert hands.sees("similar")["similar"] == [{"shown_name": "明", "modality": "face"}]
    hands.pick("stop")
    hands.sees("enroll_stopped", why="similar")
    hands.pick("ok")
    hands.sees("home")
    stopped = ledger(site, running)[-1]
    assert (stopped.person_id, stopped.details["similar"], parcels(running)) == (similar_id, 1, 0)

    begin_enrolling(hands, number, cast["visitor_3"], cast["visitor_2"])
    hands.lay_fingers(cast["visitor_3"])
    done = hands.sees("enroll_done")
    assert (done["faces"] >= 3, done["fingers"], done["shown_name"]) == (True, 2, "海")
    hands.pick("ok")
    wait_until(lambda: running.roster.current.people[person_id].has_face)
    person = running.roster.current.people[person_id]
    assert len([item for item in person.references if item.modality is Modality.FINGER]) == 6
    assert len(person.sensor_references) == 2
    assert not running.roster.current.people[similar_id].has_face
    event = next(item for item in ledger(site, running) if item.details.get("act") == "enroll")
    assert (event.person_id, event.details["staff_id"]) == (person_id, site.staff_id)
    assert {"faces", "fingers", "references", "parcel", "similar"} <= set(event.details)
    assert (event.details["notice"], event.details["simulated"]) == ("2026-1", True)


def test_staff_without_references_enroll_themselves_with_a_colleagues_approval_and_a_power_cut_leaves_nothing(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Until the last step nothing lies on the disk; a session of theirs offers nothing else."""
    site = staffed(real_center, cast)
    person_id = site.enroll(number := str(next(NUMBERS)), name="赵大海")
    new_id = hire(site, "李娟", OTHER_PIN)
    running = start_kiosk(site, people=2)
    hands = Hands(running)
    hands.sign_in("娟", OTHER_PIN)
    assert hands.view["items"] == [{"code": "enroll_self"}]
    hands.pick("enroll_self")
    hands.identify("静", PIN, cast["visitor_2"], page="approve")
    hands.sees("notice")
    running.scene.show(cast["visitor_3"], "stand")
    hands.hear_notice()
    hands.sees("enroll_finger")
    hands.pick("skip")
    hands.sees("missing")
    hands.pick("fingers_unusable")
    hands.sees("enroll_done", own=True)
    hands.pick("ok")
    wait_until(lambda: running.roster.current.staff[new_id].has_face)
    event = next(item for item in ledger(site, running) if item.details.get("act") == "enroll_self")
    assert (event.details["approved_by"], event.details["approved_with"]) == (site.staff_id, "face")
    assert event.person_id is None
    hands.press("out")
    running.scene.leave()
    running.wait_step("idle")

    hands.sign_in("娟", OTHER_PIN, cast["visitor_3"])
    begin_enrolling(hands, number, cast["visitor_1"])
    hands.sees("enroll_finger")
    running.delivered()
    wait_until(lambda: parcels(running) == 0)
    assert running.kiosk.station is not None
    assert running.kiosk.journal is not None
    running.kiosk.station.stop()  # nothing is written on the way out but that the session ended
    newest = running.kiosk.journal.newest()
    assert newest is not None
    assert (newest.event.details["act"], parcels(running)) == ("sign_out", 0)
    assert not running.roster.current.people[person_id].references


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


def begin_enrolling(hands: Hands, number: str, visitor: Visitor, staff: Visitor | None = None) -> None:
    """The number, the notice, and the visitor before the camera, where the staff member stood until now."""
    if staff is not None:
        hands.running.scene.show(staff, "stand")
    hands.pick("enroll")
    hands.sees("number")
    hands.press("number", number=number)
    hands.sees("notice")
    hands.running.scene.show(visitor, "stand")
    hands.hear_notice()


def vouch(hands: Hands, number: str, reason: str, *, until: str | None = None) -> Any:
    """A typing error, the number, the reason, the word; the result, or None once page ``until`` is there."""
    hands.pick("witness")
    hands.sees("number")
    hands.press("number", number="404")
    hands.sees("number", hint="number_unknown")
    hands.press("number", number=number)
    assert hands.sees("reason")["shown_name"] == "明"
    if reason not in [item["code"] for item in hands.view["items"]]:
        hands.pick("more")
        wait_until(lambda: reason in [item["code"] for item in hands.view["items"]])
    hands.pick(reason)
    hands.sees("vouch", reason=reason)
    hands.pick("vouch")
    if until is not None:
        hands.sees(until)
        return None
    return hands.running.result()


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


def parcels(running: Any) -> int:
    with reading(running.kiosk.journal._engine) as session:
        return session.scalar(select(func.count()).select_from(ParcelRow)) or 0
