"""Every outcome by the whole line: simulated camera and sensor, real engines, real journal, real center."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from center_parts import RealCenter, Site, wait_until
from kiosk_parts import Cast, RunningKiosk, StartKiosk

from kiosk.checkin import CheckInResult
from models.attendance import (
    AttendanceEvent,
    CheckInOutcome,
    EventType,
    Method,
    SignedEvent,
    WitnessVerdict,
    verify_event,
)
from models.supervision import SecondFactor
from models.wire import decode_key


def recorded(site: Site, running: RunningKiosk, result: CheckInResult) -> AttendanceEvent:
    """The event as the center's ledger holds it; the center checked its signature and chain, and so does this."""
    running.delivered()
    assert result.signed is not None
    kiosk_id = running.pairing.kiosk_id
    row = {row.event_id: row for row in site.real.events(kiosk_id)}[str(result.signed.body["event_id"])]
    signed = SignedEvent(json.loads(row.body), row.hash, row.signature)
    event = verify_event(signed, decode_key(site.kiosk_key(kiosk_id)))
    assert (event.outcome, event.method) == (result.outcome, result.method)
    return event


def enroll_visitor(site: Site, cast: Cast, label: str, number: str, **more: Any) -> str:
    return site.enroll(number, faces=cast.faces[label], **more)


class TestAccepted:
    def test_a_known_face_is_accepted_by_face(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """A visitor steps up, is identified, and a receipt is shown with one character of the name."""
        site = real_center.new_site()
        person_id = enroll_visitor(site, cast, "visitor_1", "1001")
        running = start_kiosk(site)
        running.scene.show(cast["visitor_1"])
        shown = running.wait_step("result").result
        result = running.result()
        assert (result.outcome, result.method, result.person_id) == (CheckInOutcome.ACCEPTED, Method.FACE, person_id)
        assert (shown.outcome, shown.shown_name, shown.receipt) == ("accepted", "明", "000001")
        event = recorded(site, running, result)
        assert event.type is EventType.REPORT_IN_PERSON
        assert [(item.engine, item.matched, item.simulated) for item in event.evidence] == [("sface", True, True)]
        assert {"detect", "template", "compare", "store", "total"} <= set(result.timings_ms)

    def test_a_face_that_may_not_stand_alone_is_backed_by_a_finger_on_the_sensor(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """The policy asks for both; the finger is compared by the sensor, and the evidence says so."""
        site = real_center.new_site(face_alone=False, second_factor=SecondFactor.ALWAYS)
        enroll_visitor(site, cast, "visitor_2", "1002", sensor_fingers=cast.sensor_fingers("visitor_2"))
        running = start_kiosk(site)
        running.scene.show(cast["visitor_2"])
        assert running.wait_step("finger").finger == "right_index"
        running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
        result = running.result()
        assert (result.outcome, result.method) == (CheckInOutcome.ACCEPTED, Method.FACE_FINGER)
        engines = [item.engine for item in recorded(site, running, result).evidence]
        assert engines == ["sface", "zfm-on-sensor"]

    def test_a_claimed_number_is_verified_by_a_finger_from_its_picture(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """Nobody stands at the camera; a person types the number and lays a finger without a sensor template."""
        site = real_center.new_site()
        person_id = site.enroll("1003", fingers=cast.fingers("visitor_3"))
        running = start_kiosk(site)
        running.kiosk.screen.claim("1003")
        running.wait_step("finger")
        running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=2)
        result = running.result()
        assert (result.outcome, result.method) == (CheckInOutcome.ACCEPTED, Method.CLAIM_FINGER)
        event = recorded(site, running, result)
        assert event.person_id == person_id
        assert [item.engine for item in event.evidence] == ["minutiae"]

    def test_a_head_that_turns_when_told_passes_the_presentation_check(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """With the challenge required, the visitor hears it and obeys."""
        site = real_center.new_site(challenge_required=True)
        enroll_visitor(site, cast, "visitor_1", "1004")
        running = start_kiosk(site)
        running.scene.show(cast["visitor_1"], "stand")
        result = obey(running)
        assert result.outcome is CheckInOutcome.ACCEPTED
        verdicts = {item.witness: item.verdict for item in recorded(site, running, result).evidence[0].presentation}
        assert verdicts["challenge"] is verdicts["solid_head"] is WitnessVerdict.PASSED


def obey(running: RunningKiosk) -> CheckInResult:
    """Whoever stands there obeys every prompt until the visit has a result."""
    heard: list[object] = [None]

    def listen() -> bool:
        state = running.state
        spoken = (state.challenge, state.dot, state.tries_left)
        if state.step == "challenge" and spoken != heard[-1]:
            heard.append(spoken)
            running.scene.challenge(state.challenge, dot=state.dot)
        return not running.results.empty()

    wait_until(listen, timeout_s=120)
    return running.result()


def test_a_photograph_held_up_is_an_attack_suspected(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """A photo turns as a plane; nothing is compared and nobody is named.

    How the hand answers is drawn by chance, so about one visit in ten ends without an answer: referred to staff.
    """
    site = real_center.new_site(challenge_required=True)
    enroll_visitor(site, cast, "visitor_1", "1101")
    running = start_kiosk(site)
    for _ in range(4):
        running.scene.show(cast["visitor_1"], "photo")
        result = obey(running)
        assert result.outcome in (CheckInOutcome.ATTACK_SUSPECTED, CheckInOutcome.REFERRED_TO_STAFF)
        assert (result.method, result.person_id) == (Method.NONE, None)
        if result.outcome is CheckInOutcome.ATTACK_SUSPECTED:
            break
        running.scene.leave()
        wait_until(lambda: running.state.step == "idle", timeout_s=30)
    assert result.outcome is CheckInOutcome.ATTACK_SUSPECTED
    event = recorded(site, running, result)
    assert event.type is EventType.FAILED_ATTEMPT
    assert WitnessVerdict.FAILED in {item.verdict for item in event.evidence[0].presentation}
    assert event.evidence[0].score is None


def test_a_stranger_is_not_identified_and_gets_three_tries(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Unknown is an answer; no person is named in the event."""
    site = real_center.new_site()
    enroll_visitor(site, cast, "visitor_1", "1201")
    running = start_kiosk(site)
    running.scene.show(cast["visitor_3"])
    result = running.result()
    assert (result.outcome, result.person_id) == (CheckInOutcome.NOT_IDENTIFIED, None)
    assert running.state.tries_left == 0
    evidence = recorded(site, running, result).evidence[0]
    assert evidence.score is not None and evidence.threshold is not None
    assert evidence.score < evidence.threshold


def test_a_wrong_finger_after_a_claim_is_not_verified(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Somebody types another person's number and lays an own finger, three times."""
    site = real_center.new_site(max_tries=2)
    person_id = site.enroll("1301", sensor_fingers=cast.sensor_fingers("visitor_2"))
    running = start_kiosk(site)
    running.kiosk.screen.claim("1301")
    running.wait_step("finger")
    for number in (1, 2):
        running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=number)
        if number == 1:
            wait_until(lambda: running.state.hint == "lift_finger")
            running.scene.lift_finger()
            wait_until(lambda: running.state.hint == "try_again")
    result = running.result()
    assert (result.outcome, result.method) == (CheckInOutcome.NOT_VERIFIED, Method.CLAIM_FINGER)
    event = recorded(site, running, result)
    assert (event.person_id, event.type) == (person_id, EventType.FAILED_ATTEMPT)


def test_another_enrolled_persons_finger_does_not_answer_for_a_claimed_number(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """From the picture too the finger is compared with the claimed person only; whose else it is, nobody asks."""
    site = real_center.new_site(max_tries=1)
    person_id = site.enroll("1311", fingers=cast.fingers("visitor_2"))
    site.enroll("1312", fingers=cast.fingers("visitor_3"))
    running = start_kiosk(site, people=2)
    running.kiosk.screen.claim("1311")
    running.wait_step("finger")
    running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=2)
    result = running.result()
    assert (result.outcome, result.method) == (CheckInOutcome.NOT_VERIFIED, Method.CLAIM_FINGER)
    event = recorded(site, running, result)
    assert (event.person_id, [item.operation for item in event.evidence]) == (person_id, ["verify"])
    assert not event.evidence[0].matched


def test_a_report_outside_the_window_is_recorded_as_such(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """The person is recognised, and told when the window opens; the day is not used up."""
    hour = datetime.now(UTC).hour
    closed = (("23:58", "23:59"),) if hour < 12 else (("00:01", "00:02"),)
    site = real_center.new_site(timezone="UTC", windows=closed)
    enroll_visitor(site, cast, "visitor_1", "1401")
    running = start_kiosk(site)
    running.scene.show(cast["visitor_1"])
    shown = running.wait_step("result").result
    result = running.result()
    assert result.outcome is CheckInOutcome.OUTSIDE_WINDOW
    assert shown.next_due is not None and closed[0][0] in shown.next_due
    recorded(site, running, result)


def test_the_second_visit_of_a_day_is_already_present(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """The first visit counts, the second is recognised as such; both are in the ledger."""
    site = real_center.new_site()
    enroll_visitor(site, cast, "visitor_1", "1501")
    running = start_kiosk(site)
    outcomes = []
    for _ in range(2):
        running.scene.show(cast["visitor_1"], "stand")
        result = running.result()
        outcomes.append(result.outcome)
        running.scene.leave()
        running.wait_step("idle")
    assert outcomes == [CheckInOutcome.ACCEPTED, CheckInOutcome.ALREADY_PRESENT]
    assert recorded(site, running, result).seq == 2


class TestReferenceRevoked:
    def test_a_claimed_person_without_a_valid_reference_is_told_so(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """All references were revoked before: nothing is compared."""
        site = real_center.new_site()
        person_id = enroll_visitor(site, cast, "visitor_1", "1601")
        site.revoke_references(person_id)
        running = start_kiosk(site)
        running.kiosk.screen.claim("1601")
        result = running.result()
        assert (result.outcome, result.method) == (CheckInOutcome.REFERENCE_REVOKED, Method.NONE)
        assert recorded(site, running, result).person_id == person_id

    def test_references_revoked_during_a_visit_do_not_count(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """While the kiosk waits for the finger the center revokes everything of this person."""
        site = real_center.new_site()
        person_id = site.enroll("1602", sensor_fingers=cast.sensor_fingers("visitor_2"))
        running = start_kiosk(site, visit={"finger_timeout_s": 10})
        running.kiosk.screen.claim("1602")
        running.wait_step("finger")
        site.revoke_references(person_id)
        wait_until(lambda: running.roster.current.people[person_id].all_revoked)
        running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
        result = running.result()
        assert (result.outcome, result.note) == (CheckInOutcome.REFERENCE_REVOKED, "revoked_during_visit")
        recorded(site, running, result)


class TestFailureToAcquire:
    def test_a_face_that_is_never_good_enough(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """Too dark all the time: the screen says so, and after the tries it is a failure to acquire, not a refusal."""
        site = real_center.new_site(max_tries=2)
        enroll_visitor(site, cast, "visitor_1", "1701")
        running = start_kiosk(site, visit={"look_timeout_s": 0.6})
        running.scene.show(cast["visitor_1"], "too_dark")
        assert wait_until(lambda: running.state.hint == "too_dark")
        result = running.result()
        assert (result.outcome, result.person_id) == (CheckInOutcome.FAILURE_TO_ACQUIRE, None)
        assert recorded(site, running, result).evidence == ()

    def test_a_finger_that_is_never_laid_on(self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast) -> None:
        """The number was typed, but the sensor saw nothing in any try."""
        site = real_center.new_site(max_tries=2)
        site.enroll("1702", sensor_fingers=cast.sensor_fingers("visitor_2"))
        running = start_kiosk(site, visit={"finger_timeout_s": 0.3})
        running.kiosk.screen.claim("1702")
        result = running.result()
        assert (result.outcome, result.note) == (CheckInOutcome.FAILURE_TO_ACQUIRE, "finger_not_acquired")
        recorded(site, running, result)


class TestReferredToStaff:
    def test_whoever_asks_for_help_is_referred(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """The button is always there; the screen says that help is on the way."""
        site = real_center.new_site()
        enroll_visitor(site, cast, "visitor_1", "1801")
        running = start_kiosk(site)
        running.kiosk.screen.ask_for_help()
        result = running.result()
        assert (result.outcome, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, "help_asked")
        assert running.wait_step("help").hint == "help_on_the_way"
        recorded(site, running, result)

    def test_a_second_factor_is_never_waived_because_the_sensor_is_gone(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """The face matched, a finger is demanded, the sensor was unplugged: a person has to look."""
        site = real_center.new_site(face_alone=False)
        enroll_visitor(site, cast, "visitor_2", "1802", sensor_fingers=cast.sensor_fingers("visitor_2"))
        running = start_kiosk(site)
        running.chip.unplug()
        running.scene.show(cast["visitor_2"])
        result = running.result()
        assert (result.outcome, result.note) == (CheckInOutcome.REFERRED_TO_STAFF, "sensor_failed")
        assert ("sensor", False) in [(name, ok) for name, ok, _ in running.state.devices]
        recorded(site, running, result)

    def test_a_broken_camera_leaves_the_finger_where_the_policy_allows_it(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """The other modality takes over; the fault is on the screen in a line."""
        site = real_center.new_site()
        enroll_visitor(site, cast, "visitor_2", "1803", sensor_fingers=cast.sensor_fingers("visitor_2"))
        running = start_kiosk(site)
        running.camera.unplug()
        wait_until(lambda: ("camera", False) in [(name, ok) for name, ok, _ in running.state.devices])
        running.kiosk.screen.claim("1803")
        running.wait_step("finger")
        running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=3)
        result = running.result()
        assert (result.outcome, result.method) == (CheckInOutcome.ACCEPTED, Method.CLAIM_FINGER)
