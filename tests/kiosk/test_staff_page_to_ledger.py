"""Staff at the page in a real Chromium: PIN and the own face or finger, and every act in the center's ledger."""

from __future__ import annotations

import pytest
from center_parts import RealCenter, wait_until
from kiosk_parts import Cast, StartKiosk
from page_parts import PANEL, PATIENT, TEXTS, OpenPage, StaffPage, in_short
from staff_parts import acts, hire, ledger

from hardware.drivers.receipt_printer import EscPosPrinter
from hardware.simulation.printer_emulator import SimulatedPrinter
from models.attendance import EventType, Subject, Witness
from tests.hardware.escpos_paper import interpret

pytestmark = pytest.mark.browser

PIN = "271828"
SLOW = PATIENT | {"finger_timeout_s": 15.0, "look_timeout_s": 15.0, "result_s": 3.0}  # as people who help others are


def test_staff_enroll_somebody_who_then_checks_in_and_look_after_the_kiosk(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast, printer: SimulatedPrinter
) -> None:
    """By PIN and own face: notice, faces and two fingers; health, the notice on paper, the light; each is an event."""
    site = real_center.new_site()
    staff_id = hire(site, "陈静", PIN, faces=cast.faces["visitor_2"])
    person_id = site.enroll("84701", name="赵大海")
    slips = EscPosPrinter("network", address=printer.address, timeout_s=1.0)
    running = start_kiosk(site, printer=slips, panel=PANEL, visit=SLOW)
    at = open_page(running)
    at.sees("idle")
    staff = StaffPage(at, cast["visitor_2"])
    staff.sign_in("静", PIN, by="face")
    staff.names("enroll", "84701")
    staff.sees("notice")
    running.scene.show(cast["visitor_3"], "stand")
    staff.tells_the_notice("told")
    staff.sees("enroll_done", enrolling=cast["visitor_3"])
    at.reads("#staff-whom", "海")
    running.scene.show(cast["visitor_2"], "stand")
    staff.pick("ok")
    staff.sees("home")
    staff.pick("health")
    at.reads("#staff-rows", TEXTS["staff"]["row"]["camera"])
    at.press("#cancel")
    staff.sees("home")
    staff.pick("notice")
    staff.tells_the_notice("done", print_it=True)
    staff.sees("home")
    staff.pick("light")
    at.page.wait_for_selector("#staff-bars dt")
    staff.pick("store")
    at.reads("#staff-hint", TEXTS["staff"]["hint"]["stored"])
    at.press("#cancel")
    staff.sees("home")
    staff.leaves()
    wait_until(lambda: running.roster.current.people[person_id].has_face)
    running.scene.show(cast["visitor_3"], "stand")
    at.sees("result")
    at.reads("#result-name", "海")

    events = ledger(site, running)
    assert acts(site, running) == ["sign_in", "enroll", "health", "notice_printed", "light", "sign_out"]
    assert [(item.subject, item.modality, item.matched) for item in events[0].evidence] == [
        (Subject.STAFF, "face", True)
    ]
    assert {event.details["staff_id"] for event in events[:-1]} == {staff_id}
    assert (events[1].person_id, events[1].details["fingers"]) == (person_id, 2)
    assert (events[-1].person_id, *in_short(events[-1])) == (person_id, "report_in_person", "accepted", "face")
    wait_until(lambda: len(printer.slips) == 2)
    notice, receipt = (interpret(slip) for slip in printer.slips)
    assert TEXTS["notice"]["title"] in notice.text
    assert receipt.symbol()


def test_staff_vouch_for_somebody_who_called_and_take_their_face_anew(
    real_center: RealCenter, start_kiosk: StartKiosk, open_page: OpenPage, cast: Cast
) -> None:
    """By PIN and own finger; the reason and the visit stand in the record, and the day has its report."""
    site = real_center.new_site()
    staff_id = hire(site, "李娟", PIN, fingers=cast.fingers("visitor_3"))
    person_id = site.enroll("84801", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, panel=PANEL, visit=SLOW)
    at = open_page(running)
    at.sees("idle")
    at.press("#someone")
    at.sees("help")
    staff = StaffPage(at, cast["visitor_3"])
    staff.sign_in("娟", PIN, by="finger")
    staff.names("witness", "84801")
    staff.sees("here")
    staff.pick("was_here")
    staff.sees("reason")
    staff.pick("worn_fingers")
    staff.sees("vouch")
    staff.pick("vouch")
    at.reads("#result-line", TEXTS["outcome"]["witnessed"]["line"])
    staff.sees("home")
    staff.names("enroll", "84801")
    staff.sees("notice")
    running.scene.show(cast["visitor_1"], "stand")
    staff.tells_the_notice("told")
    staff.sees("enroll_finger")
    staff.pick("skip")
    staff.sees("missing")
    staff.pick("fingers_declined")
    staff.sees("enroll_done")
    staff.pick("ok")
    staff.sees("home")
    staff.leaves()
    running.scene.show(cast["visitor_1"], "stand")
    at.reads("#result-title", TEXTS["outcome"]["already_present"]["title"])

    called, *others = ledger(site, running)
    assert in_short(called)[:2] == ("help_request", "referred_to_staff")
    assert acts(site, running) == ["sign_in", "witness", "re_enroll", "sign_out"]
    witnessed = next(event for event in others if event.type is EventType.WITNESSED_CHECK_IN)
    assert in_short(witnessed) == ("witnessed_check_in", "witnessed", "witness")
    assert witnessed.witness == Witness(staff_id, "worn_fingers")
    assert (witnessed.person_id, witnessed.details) == (person_id, {"visit": called.event_id})
    assert [(item.subject, item.modality, item.matched) for item in witnessed.evidence] == [
        (Subject.WITNESS, "finger", True)
    ]
    anew = next(event for event in others if event.details.get("act") == "re_enroll")
    assert (anew.person_id, anew.details["missing"]) == (person_id, "fingers_declined")
    assert in_short(others[-1]) == ("report_in_person", "already_present", "face")
