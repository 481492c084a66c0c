"""What goes wrong around a check-in: a full disk, an unknown number, a left visitor, a witness who may not."""

from __future__ import annotations

from typing import Any

import pytest
from center_parts import RealCenter, wait_until
from kiosk_parts import Cast, StartKiosk

from hardware.drivers.zfm_sensor import ZfmSensor
from kiosk.supervisor import EXIT_VITAL_DIED
from models.attendance import AttendanceEvent, CheckInOutcome
from models.biometrics import Template, TemplateFormat
from models.errors import DeviceUnplugged, StoreError


def test_what_could_not_be_stored_was_not_accepted(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: the face matched, but no receipt is shown and the person is sent to staff."""
    site = real_center.new_site()
    site.enroll("2101", faces=cast.faces["visitor_1"])
    running = start_kiosk(site)

    def full(draft: AttendanceEvent) -> Any:
        raise StoreError("The disk is full.", code="store_full")

    monkeypatch.setattr(running.kiosk.journal, "_write", full)
    running.scene.show(cast["visitor_1"], "stand")
    result = running.result()
    assert (result.outcome, result.signed, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, None, "store_full")
    assert result.receipt == ""
    state = running.state
    assert (state.step, state.result, state.hint) == ("help", None, "store_full")
    assert running.kiosk.journal is not None
    assert running.kiosk.journal.counts().pending == 0


def test_an_unknown_number_is_a_hint_and_no_event(real_center: RealCenter, start_kiosk: StartKiosk) -> None:
    """A typing mistake is not worth a record."""
    site = real_center.new_site()
    site.enroll("2201")
    running = start_kiosk(site)
    running.kiosk.screen.claim("999")
    wait_until(lambda: running.state.hint == "number_unknown")
    running.kiosk.screen.cancel()
    running.wait_step("idle")
    assert running.results.empty()


def test_a_visitor_who_leaves_or_cancels_leaves_no_event(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Somebody looked in from the side and went away."""
    site = real_center.new_site()
    site.enroll("2301", faces=cast.faces["visitor_1"])
    running = start_kiosk(site)
    running.scene.show(cast["visitor_3"], "too_dark")
    running.wait_step("look")
    running.scene.leave()
    running.wait_step("idle")
    running.scene.show(cast["visitor_3"], "too_dark")
    running.wait_step("look")
    running.kiosk.screen.cancel()
    running.wait_step("idle", "approach")
    assert running.results.empty()


def test_a_visitor_who_cancels_after_a_failed_try_is_recorded(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Nobody tries a face again and again without a trace; and whoever claims a number is served at once."""
    site = real_center.new_site()
    site.enroll("2311", faces=cast.faces["visitor_1"])
    site.enroll("2312", sensor_fingers=cast.sensor_fingers("visitor_2"))
    running = start_kiosk(site, people=2)
    running.scene.show(cast["visitor_3"], "stand")
    wait_until(lambda: running.state.tries_left == 2)
    running.kiosk.screen.claim("2312")
    result = running.result()
    assert (result.outcome, result.note) == (CheckInOutcome.NOT_IDENTIFIED, "broken_off")
    assert result.signed is not None and result.signed.event.evidence[0].score is not None
    running.wait_step("finger")
    running.kiosk.screen.ask_for_help()
    asked = running.result()
    assert (asked.outcome, asked.note) == (CheckInOutcome.REFERRED_TO_STAFF, "help_asked")
    running.delivered()


def test_a_site_too_large_to_search_asks_for_the_number_first(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Beyond ``identify_up_to`` nobody is searched for; the claimed face is verified."""
    site = real_center.new_site(identify_up_to=1)
    site.enroll("2401", faces=cast.faces["visitor_1"])
    site.enroll("2402", faces=cast.faces["visitor_2"])
    running = start_kiosk(site, people=2)
    running.scene.show(cast["visitor_2"], "stand")
    running.wait_step("claim")
    running.kiosk.screen.claim("2402")
    result = running.result()
    assert (result.outcome, result.method.value) == (CheckInOutcome.ACCEPTED, "claim+face")


def test_an_inactive_person_is_referred_and_not_compared(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """By number, nothing is compared; and nobody finds them by searching."""
    site = real_center.new_site(max_tries=1)
    site.enroll("2501", faces=cast.faces["visitor_1"], active=False)
    site.enroll("2502", faces=cast.faces["visitor_2"])
    running = start_kiosk(site, people=2)
    running.scene.show(cast["visitor_1"], "stand")
    result = running.result()
    assert (result.outcome, result.person_id) == (CheckInOutcome.NOT_IDENTIFIED, None)
    running.kiosk.screen.claim("2501")
    result = running.result()
    assert (result.outcome, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, "person_inactive")


def test_a_damaged_template_does_not_close_the_kiosk_for_the_others(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """It was sealed and signed as it is; whoever it belongs to is referred, everybody else is served."""
    site = real_center.new_site(challenge_required=False)
    good = cast.faces["visitor_1"]
    site.enroll("2621", faces=[Template(good[0].format, good[0].payload[:17])])
    person_id = site.enroll("2622", faces=good)
    running = start_kiosk(site, people=2)
    running.scene.show(cast["visitor_1"], "stand")
    assert running.result().person_id == person_id
    running.scene.leave()
    running.wait_step("idle")
    running.kiosk.screen.claim("2621")
    result = running.result()
    assert (result.outcome, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, "face_not_available")


def test_references_of_another_engine_are_no_refusal(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """There is nothing to compare with: the person is referred, never recorded as not verified."""
    site = real_center.new_site()
    site.enroll("2631", faces=[Template(TemplateFormat("elsewhere", 1), b"0" * 512)])
    running = start_kiosk(site)
    running.kiosk.screen.claim("2631")
    result = running.result()
    assert (result.outcome, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, "face_not_available")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_device_thread_that_dies_ends_the_process_for_a_fresh_one(
    real_center: RealCenter, start_kiosk: StartKiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody would reopen its device any more, and every visit would wait for it."""
    site = real_center.new_site()
    site.enroll("2641")
    running = start_kiosk(site)

    def breaks(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(running.camera, "read", breaks)
    running.thread.join(20)
    assert running.exit_code == EXIT_VITAL_DIED


def test_a_revoked_kiosk_stops_serving_and_says_so(real_center: RealCenter, start_kiosk: StartKiosk) -> None:
    """The site key and the references are gone; the page says that the kiosk was revoked."""
    site = real_center.new_site()
    site.enroll("2701")
    running = start_kiosk(site)
    site.revoke_kiosk(running.pairing.kiosk_id)
    state = wait_until(lambda: running.state if running.state.hint == "kiosk_revoked" else None)
    assert state.step == "pairing"
    assert running.roster.current.people == {}


def test_the_kiosk_runs_its_own_screen(real_center: RealCenter, start_kiosk: StartKiosk) -> None:
    """The panel is served to this machine and follows the station."""
    import http.client
    from urllib.parse import urlsplit

    site = real_center.new_site()
    site.enroll("2801")
    running = start_kiosk(site, panel={"enabled": True, "port": 0})
    address = urlsplit(running.kiosk.panel_url)
    assert address.hostname == "127.0.0.1"
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=10)
    connection.request("GET", "/")
    answer = connection.getresponse()
    assert answer.status == 200
    assert b"<html" in answer.read()
    connection.close()


def test_a_sensor_that_fails_after_it_took_a_finger_sends_for_staff(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever laid a finger on saw the kiosk begin; to go back to the start page without a word helps nobody."""
    site = real_center.new_site()
    site.enroll("2651", fingers=cast.fingers("visitor_2"))
    running = start_kiosk(site)

    def gone(*_: Any, **__: Any) -> Any:
        raise DeviceUnplugged("The cable was pulled.")

    monkeypatch.setattr(ZfmSensor, "image", gone)
    running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
    result = running.result()
    assert (result.outcome, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, "sensor_failed")
