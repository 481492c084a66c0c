"""What staff do at the desk: vouch and enroll, by simulated camera and sensor, real engines, journal and center."""

from __future__ import annotations

from typing import Any

import pytest
from center_parts import RealCenter, wait_until
from kiosk_parts import Cast, StartKiosk
from sqlalchemy import func, select
from staff_parts import NUMBERS, OTHER_PIN, PIN, Hands, JumpingClock, acts, hire, ledger, staffed, vouch

from enrollment.session import EnrollmentSession
from hardware.simulation.scene import Visitor
from models.attendance import CheckInOutcome, EventType, Method, Subject, Witness
from models.biometrics import Modality
from models.errors import TemplateError
from models.store.engine import reading
from models.store.kiosk import ParcelRow


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
    stale = vouch(hands, site.number, "worn_fingers", until="refused", was_here=False)  # at a session left open
    assert stale is None
    hands.pick("ok")
    hands.sees("home")
    running.scene.show(cast["visitor_2"], "stand")
    result = vouch(hands, site.number, "worn_fingers", was_here=True)  # the face is compared anew meanwhile
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


def test_a_visit_that_names_nobody_is_not_taken_for_the_one_whose_number_is_typed(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Somebody else may have stood there: staff are asked, and a no is recorded as no visit."""
    site = staffed(real_center, cast)
    running = start_kiosk(site)
    running.kiosk.screen.ask_for_help()
    running.result()
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])
    vouch(hands, site.number, "worn_fingers", was_here=False)
    event = next(item for item in ledger(site, running) if item.type is EventType.WITNESSED_CHECK_IN)
    assert (event.person_id, event.details) == (site.person_id, {"without_visit": True})


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


def test_what_cannot_be_enrolled_is_said_and_the_kiosk_goes_on(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = staffed(real_center, cast)
    number = str(next(NUMBERS))
    site.enroll(number, name="赵大海")
    running = start_kiosk(site, people=2)
    hands = Hands(running)
    hands.sign_in("静", PIN, cast["visitor_2"])

    def refuse(*_: Any, **__: Any) -> None:
        raise TemplateError("It cannot be read.")

    monkeypatch.setattr(EnrollmentSession, "add_finger", refuse)
    begin_enrolling(hands, number, cast["visitor_3"], cast["visitor_2"])
    hands.lay_fingers(cast["visitor_3"])
    assert hands.sees("not_stored")["code"] == "template_invalid"
    hands.pick("ok")
    running.scene.show(cast["visitor_2"], "stand")
    hands.sees("home")
    assert parcels(running) == 0


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


def parcels(running: Any) -> int:
    with reading(running.kiosk.journal._engine) as session:
        return session.scalar(select(func.count()).select_from(ParcelRow)) or 0
