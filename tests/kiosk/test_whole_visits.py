"""Whole visits at a whole kiosk: real center, simulated camera, real serial protocol; and what happens in between."""

from __future__ import annotations

import http.client
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from center_parts import RealCenter, Site, wait_until
from kiosk_parts import Cast, RunningKiosk, StartKiosk

from hardware.simulation.papers import Paper
from kiosk import claims
from models.attendance import CheckInOutcome, EventType, Method
from models.errands import DueItem, Errand


def says(running: RunningKiosk, person_id: str, **more: Any) -> None:
    """From now on the center says this of a person, as if it stood in every gallery document that arrives."""
    roster, use = running.roster, running.roster._use

    def changed(newest: Any) -> None:
        person = newest.person(person_id)
        people = dict(newest.people) | ({person_id: replace(person, **more)} if person else {})
        use(replace(newest, people=people))

    roster._use = changed  # type: ignore[method-assign]
    changed(roster.current)


def kinds(site: Site, running: RunningKiosk) -> list[str]:
    running.delivered()
    return [row.type for row in site.real.events(running.pairing.kiosk_id)]


def today() -> Any:
    from models.attendance import utc_now

    return utc_now().date()


def test_a_visit_with_everything(real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast) -> None:
    """By face; a lesson is due, a written report is handed in, and the center has it all."""
    site = real_center.new_site()
    person_id = site.enroll("83001", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, visit={"rest_s": 30.0, "away_after_s": 5.0})
    lesson = DueItem(Errand.EDUCATION_IN, today() - timedelta(days=1), today() + timedelta(days=1))
    says(running, person_id, due=(lesson,))
    screen, scene = running.kiosk.screen, running.scene
    scene.show(cast["visitor_1"], "stand")
    state = running.wait_step("menu")
    assert (state.choices[0].code, state.choices[0].due) == ("education_in", True)
    screen.choose("education_in")
    assert running.wait_step("result").result.errand == "education_in"
    screen.choose("next")
    running.wait_step("menu")
    screen.choose("written_report")
    running.wait_step("document")
    scene.hold_page(Paper(7))
    screen.choose("take")
    wait_until(lambda: running.state.pages == 1)
    scene.lower_page()
    screen.choose("done")
    assert running.wait_step("result").result.errand == "written_report"
    screen.choose("next")
    running.wait_step("menu")
    scene.leave()
    running.wait_step("idle")
    assert kinds(site, running) == ["education_in", "written_report"]
    assert running.kiosk.parcels is not None
    parcels = running.kiosk.parcels
    wait_until(lambda: parcels.counts().pending == 0)
    assert parcels.counts().quarantined == 0
    assert running.results.empty()


def test_whoever_walks_away_from_the_menu_cannot_be_acted_for(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """The next person is somebody else, and a tap of theirs records nothing for the one before."""
    site = real_center.new_site()
    person_id = site.enroll("83101", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, visit={"rest_s": 30.0, "away_after_s": 5.0})
    says(running, person_id, due=())
    running.scene.show(cast["visitor_1"], "stand")
    running.wait_step("menu")
    running.scene.show(cast["visitor_3"], "stand")
    for _ in range(3):
        running.kiosk.screen.choose("service_in")
    wait_until(lambda: running.state.step != "menu")
    recorded = kinds(site, running)
    assert "service_in" not in recorded
    assert recorded[0] == "presence"


def test_somebody_who_takes_the_place_during_the_challenge_is_not_accepted(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """One turns the head, the other is compared: no."""
    site = real_center.new_site(challenge_required=True, max_tries=1)
    site.enroll("83201", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, visit={"challenge_timeout_s": 3.0})
    running.scene.show(cast["visitor_3"], "stand")
    running.wait_step("challenge")
    running.scene.show(cast["visitor_1"], "ignore")
    result = running.result()
    assert result.outcome is not CheckInOutcome.ACCEPTED
    assert kinds(site, running) == ["failed_attempt"]


def type_unknown_numbers(running: RunningKiosk) -> None:
    """As many as the kiosk takes."""
    for number in range(claims.MOST_UNKNOWN):
        running.kiosk.screen.claim(f"99{number}")
        wait_until(lambda: running.state.hint == "number_unknown")
        running.kiosk.screen.cancel()
        running.wait_step("idle")


class TestClaims:
    """A number or a card goes first."""

    def test_a_card_is_a_claim_and_an_unknown_card_one_hint(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """The digest is in no event."""
        site = real_center.new_site()
        person_id = site.enroll("83301", sensor_fingers=cast.sensor_fingers("visitor_2"))
        running = start_kiosk(site)
        says(running, person_id, id_card="a" * 64)
        running.kiosk.screen.card_claim("b" * 64)
        wait_until(lambda: running.state.hint == "card_unknown")
        running.kiosk.screen.card_claim("a" * 64)
        running.wait_step("finger")
        running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
        result = running.result()
        assert (result.outcome, result.method, result.person_id) == (
            CheckInOutcome.ACCEPTED, Method.CLAIM_FINGER, person_id,
        )  # fmt: skip
        running.delivered()
        for row in site.real.events(running.pairing.kiosk_id):
            assert "a" * 64 not in row.body

    def test_unknown_numbers_are_slowed_down_and_faces_are_not(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """After five the kiosk looks no number up for a while, known or not; then it does again."""
        site = real_center.new_site()
        site.enroll("83401", faces=cast.faces["visitor_1"])
        running = start_kiosk(site, visit={"rest_s": 30.0, "away_after_s": 5.0})
        screen = running.kiosk.screen
        type_unknown_numbers(running)
        for number in ("995", "83401"):
            screen.claim(number)
            wait_until(lambda: running.state.hint == "too_many_numbers")
            assert running.state.step == "help"
            screen.cancel()
            running.wait_step("idle")
        running.scene.show(cast["visitor_1"], "stand")
        assert running.result().outcome is CheckInOutcome.ACCEPTED
        screen.cancel()
        running.scene.leave()
        running.wait_step("idle")
        monkeypatch.setattr(claims, "PAUSE_S", 0.0)
        screen.claim("996")
        wait_until(lambda: running.state.hint == "number_unknown")
        assert kinds(site, running) == ["report_in_person"]

    def test_whoever_types_a_number_meanwhile_is_searched_for_and_the_number_is_not(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """A stranger at the keys keeps nobody out; what the screen says is the same for a number that nobody has."""
        site = real_center.new_site()
        person_id = site.enroll("83411", fingers=cast.fingers("visitor_3"))
        site.enroll("83412", fingers=cast.fingers("visitor_2"))
        running = start_kiosk(site, people=2)
        says(running, person_id, id_card="a" * 64)
        type_unknown_numbers(running)
        said = []
        for number in ("995", "83412", "83411"):
            running.kiosk.screen.claim(number)
            said.append(replace(running.wait_step("finger"), version=0))
            if number != "83411":
                running.kiosk.screen.cancel()
                running.wait_step("idle")
        assert said[0] == said[1] == said[2]
        running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=2)
        result = running.result()
        assert (result.outcome, result.method, result.person_id) == (
            CheckInOutcome.ACCEPTED, Method.FINGER, person_id,
        )  # fmt: skip
        running.scene.leave()
        running.wait_step("idle")
        running.kiosk.screen.card_claim("a" * 64)  # typing keeps no card away
        assert running.wait_step("finger").finger is not None
        running.kiosk.screen.cancel()
        running.wait_step("idle")
        assert kinds(site, running) == ["report_in_person"]

    def test_where_the_number_goes_first_nobody_is_searched_for_meanwhile(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        site = real_center.new_site(identify_up_to=0)
        site.enroll("83421", fingers=cast.fingers("visitor_3"))
        running = start_kiosk(site)
        type_unknown_numbers(running)
        running.kiosk.screen.claim("83421")
        wait_until(lambda: running.state.hint == "too_many_numbers")


class TestFingerAlone:
    """The touch screen is dead, or nobody wants to touch it."""

    def test_a_finger_laid_on_at_the_start_page_checks_in(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        """Searched among everybody's; nothing was typed, nobody was seen."""
        site = real_center.new_site()
        person_id = site.enroll("83501", fingers=cast.fingers("visitor_3"))
        site.enroll("83502", fingers=cast.fingers("visitor_2"))
        running = start_kiosk(site, people=2)
        running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=2)
        result = running.result()
        assert (result.outcome, result.method, result.person_id) == (
            CheckInOutcome.ACCEPTED, Method.FINGER, person_id,
        )  # fmt: skip
        running.wait_step("idle")
        assert running.results.empty()  # the finger still lies there, and begins nothing more
        wait_until(lambda: (running.state.step, running.state.hint) == ("idle", "lift_finger"))
        running.scene.lift_finger()
        wait_until(lambda: (running.state.step, running.state.hint) == ("idle", None))
        running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=3)
        assert running.result().outcome is CheckInOutcome.ALREADY_PRESENT
        assert kinds(site, running) == ["report_in_person"] * 2

    def test_a_policy_that_does_not_let_a_finger_suffice_does_not_search_one(
        self, real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
    ) -> None:
        site = real_center.new_site(finger_alone=False)
        site.enroll("83511", fingers=cast.fingers("visitor_3"))
        running = start_kiosk(site)
        running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=2)
        running.kiosk.screen.claim("000")
        wait_until(lambda: running.state.hint == "number_unknown")
        running.kiosk.screen.cancel()
        running.wait_step("idle")
        assert running.results.empty()


def first_state(url: str) -> dict[str, Any]:
    """What a page that was just loaded is told."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=10)
    connection.request("GET", "/events")
    answer = connection.getresponse()
    line = b""
    while not line.startswith(b"data: "):
        line = answer.readline()
    connection.close()
    content: dict[str, Any] = json.loads(line[6:])
    return content


def test_a_page_that_is_loaded_again_shows_the_visit_as_it_stands(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Twice, in the middle of the menu; the visit goes on from there."""
    site = real_center.new_site()
    person_id = site.enroll("83601", faces=cast.faces["visitor_1"])
    running = start_kiosk(site, panel={"enabled": True, "port": 0}, visit={"rest_s": 30.0, "away_after_s": 5.0})
    says(running, person_id, due=())
    running.scene.show(cast["visitor_1"], "stand")
    running.wait_step("menu")
    for _ in range(2):
        state = first_state(running.kiosk.panel_url)
        assert state["step"] == "menu"
        assert {"code": "done", "due": False} in state["choices"]
    running.kiosk.screen.choose("service_in")
    running.wait_step("result")
    assert kinds(site, running) == ["service_in"]


def test_a_report_that_counted_elsewhere_today_is_already_present(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """Two kiosks, one day, one person."""
    from models.attendance import utc_now

    site = real_center.new_site()
    person_id = site.enroll("83701", faces=cast.faces["visitor_1"])
    running = start_kiosk(site)
    says(running, person_id, last_report=utc_now(), due=None)
    running.scene.show(cast["visitor_1"], "stand")
    result = running.result()
    assert result.outcome is CheckInOutcome.ALREADY_PRESENT
    assert result.signed is not None and result.signed.event.type is EventType.REPORT_IN_PERSON
