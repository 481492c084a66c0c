"""The kiosk's screen in a real Chromium: every step appears by itself, can be read, and asks what it should.

With MUSTER_SCREENS set, pictures of every step are written in both sizes and both languages.
"""

from __future__ import annotations

import re
from typing import Any

import cv2
import numpy as np
import pytest
from panel_pages import DONE, IN_CONTRAST, SHOWN, SIZES, readability, show, speak, told, wait_for_state, wait_for_step

from models.attendance import CheckInOutcome
from web.panel.facade import FINGER_CODES, PanelResult, PanelStep

pytestmark = pytest.mark.browser


def test_every_step_appears_without_a_reload(open_page: Any, station: Any) -> None:
    page = open_page()
    page.evaluate("window.sameDocument = true")
    for step, fields in SHOWN.values():
        station.show(step, **fields)
        wait_for_step(page, step)
    assert {step for step, _ in SHOWN.values()} == set(PanelStep)
    assert page.evaluate("window.sameDocument") is True


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_step_can_be_read_and_hit_in_both_sizes_and_languages(
    open_page: Any, station: Any, take_picture: Any, size: str, language: str
) -> None:
    page = open_page(size)
    speak(page, language)
    complaints = {}
    for name in SHOWN:
        show(page, station, name)
        if name.startswith("claim"):
            page.keyboard.type("100427")
            page.mouse.click(5, 5)
        complaints[name] = readability(page, size)
        take_picture(page, f"panel-{name}-{size}-{language}")
    assert {name: said for name, said in complaints.items() if said} == {}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_explanations_and_choices_can_be_read_and_hit(
    open_page: Any, station: Any, take_picture: Any, size: str, language: str
) -> None:
    page = open_page(size)
    speak(page, language)
    for step in PanelStep:  # the longest words of all
        show(page, station, next(name for name, (shown, _) in SHOWN.items() if shown == step))
        page.click("#explain")
        assert (step, readability(page, size)) == (step, [])
        if step == PanelStep.FINGER:
            take_picture(page, f"panel-explain-{size}-{language}")
        page.click("#understood")
    show(page, station, "idle")
    page.click("#language")
    assert readability(page, size) == []
    take_picture(page, f"panel-languages-{size}-{language}")


@pytest.mark.parametrize("size", SIZES)
def test_the_strong_colours_can_be_read_too(open_page: Any, station: Any, take_picture: Any, size: str) -> None:
    page = open_page(size)
    page.click("#language")
    page.click("#contrast")
    page.wait_for_selector("html[data-contrast=more]")
    assert readability(page, size) == []
    page.click("#speech-close")
    complaints = {}
    for name in SHOWN:
        show(page, station, name)
        complaints[name] = readability(page, size)
        if name in IN_CONTRAST:
            take_picture(page, f"panel-{name}-{size}-zh-contrast")
    assert {name: said for name, said in complaints.items() if said} == {}


def test_the_pad_sends_the_number_and_shows_that_it_waits(open_page: Any, station: Any) -> None:
    page = open_page()
    page.click("section[data-steps=idle] [data-do=number]")
    for digit in "10427":
        page.click(f"[data-digit='{digit}']")
    page.click("[data-pad=erase]")
    assert page.inner_text("#number") == "**42"
    page.click("[data-pad=enter]")
    wait_for_step(page, "working")
    station.show("finger", finger="right_index")
    wait_for_step(page, "finger")
    told(page, lambda: station.claimed, ["1042"])


def test_a_number_that_was_not_taken_is_asked_for_again(open_page: Any, station: Any) -> None:
    page = open_page()
    station.show("claim")
    wait_for_step(page, "claim")
    page.keyboard.type("99")
    page.keyboard.press("Enter")
    wait_for_step(page, "working")
    station.show("claim", hint="number_unknown")
    wait_for_step(page, "claim")
    assert page.inner_text("#number") == ""
    assert "核对编号" in page.inner_text("section[data-steps=claim] .hint")


def test_a_face_in_passing_does_not_take_the_pad_away(open_page: Any, station: Any) -> None:
    page = open_page()
    page.click("section[data-steps=idle] [data-do=number]")
    page.click("[data-digit='7']")
    station.show("approach")
    wait_for_state(page, station)
    station.show("idle")
    wait_for_state(page, station)
    assert page.inner_text("#number") == "7"
    page.click("#cancel")
    wait_for_step(page, "idle")
    assert station.cancelled == 0  # there was nothing at the station to cancel


def test_a_pad_that_nobody_touches_closes_after_a_minute_and_the_next_person_sees_the_prompt(
    open_page: Any, station: Any
) -> None:
    page = open_page()
    page.clock.install()
    page.click("section[data-steps=idle] [data-do=number]")
    page.clock.fast_forward(50_000)
    page.click("[data-digit='7']")  # somebody is still there
    page.clock.fast_forward(50_000)
    station.show("challenge", challenge="turn_left")
    wait_for_state(page, station)
    assert page.evaluate("document.body.dataset.step") == "claim"
    page.clock.fast_forward(11_000)
    wait_for_step(page, "challenge")
    assert page.text_content("#number") == ""


def test_somebody_can_be_called_and_the_call_taken_back(open_page: Any, station: Any) -> None:
    page = open_page()
    page.click("#someone")
    wait_for_step(page, "help")
    page.click("#cancel")
    wait_for_step(page, "idle")
    assert (station.helped, station.cancelled) == (1, 1)


def test_both_ways_to_help_are_there_at_every_step(open_page: Any, station: Any) -> None:
    page = open_page()
    for step in PanelStep:
        station.show(step)
        wait_for_step(page, step)
        assert page.is_visible("#explain") and page.is_visible("#someone"), step


def test_the_preview_is_a_mirror_and_left_is_left(open_page: Any, station: Any) -> None:
    """A mark at the camera's right edge, the person's left, shows at the left; so does the arrow to the left."""
    page = open_page()
    picture = np.zeros((480, 640, 3), np.uint8)
    picture[:, 400:] = 255
    station.show("challenge", challenge="turn_left")
    station.give_frame(cv2.imencode(".jpg", picture)[1].tobytes())
    page.wait_for_function(
        "() => document.getElementById('preview').getContext('2d').getImageData(600, 240, 1, 1).data[0] > 200"
    )
    assert page.evaluate("new DOMMatrix(getComputedStyle(document.getElementById('preview')).transform).a") == -1
    assert page.is_visible("#arrow-left") and not page.is_visible("#arrow-right")
    mirror, arrow = page.locator("#mirror").bounding_box(), page.locator("#arrow-left").bounding_box()
    assert arrow["x"] + arrow["width"] < mirror["x"] + mirror["width"] / 2


def test_the_dot_lies_where_the_station_says_and_no_arrow_with_it(open_page: Any, station: Any) -> None:
    page = open_page()
    station.show("challenge", challenge="follow_dot", dot=(0.95, 0.05))
    wait_for_step(page, "challenge")
    page.wait_for_function("() => getComputedStyle(document.getElementById('dot')).visibility === 'visible'")
    page.wait_for_function("() => document.getElementById('dot').getAnimations().length === 0")
    mirror, dot = page.locator("#mirror").bounding_box(), page.locator("#dot").bounding_box()
    across = (dot["x"] + dot["width"] / 2 - mirror["x"]) / mirror["width"]
    down = (dot["y"] + dot["height"] / 2 - mirror["y"]) / mirror["height"]
    assert across > 0.8 and down < 0.2
    assert dot["y"] >= mirror["y"] - 1 and dot["x"] + dot["width"] <= mirror["x"] + mirror["width"] + 1
    assert [side for side in ("left", "right", "up", "down") if page.is_visible(f"#arrow-{side}")] == []


def test_the_last_persons_face_is_wiped_when_the_step_ends(open_page: Any, station: Any) -> None:
    page = open_page()
    station.show("look")
    wait_for_step(page, "look")
    station.show("result", result=DONE)
    wait_for_step(page, "result")
    pixels = "[...document.getElementById('preview').getContext('2d').getImageData(0, 0, 640, 480).data]"
    page.wait_for_function(f"() => !{pixels}.some(Boolean)")


def test_a_tick_and_a_name_are_shown_only_to_who_has_checked_in(open_page: Any, station: Any) -> None:
    page = open_page()
    for outcome in CheckInOutcome:
        station.show("result", result=PanelResult(outcome, "张小明", DONE.time, "0042"))
        wait_for_state(page, station)
        good = outcome in ("accepted", "already_present", "witnessed")
        assert page.is_visible(".verdict.good") is good, outcome
        assert page.inner_text("#result-name").strip() == ("明" if good else ""), outcome
        assert "09:30" in page.inner_text("#result-time")
        assert "张" not in page.content()


def test_the_finger_asked_for_is_the_one_marked(open_page: Any, station: Any) -> None:
    """On a hand seen from its back the right thumb is at the left and the left thumb at the right."""
    page = open_page()
    for finger in FINGER_CODES:
        station.show("finger", finger=finger)
        wait_for_state(page, station)
        marked = page.locator("#hand .finger[data-on]")
        assert (marked.count(), marked.get_attribute("data-finger")) == (1, finger.split("_")[1])
        hand, thumb = page.locator("#hand").bounding_box(), page.locator("[data-finger=thumb] ellipse").bounding_box()
        assert (thumb["x"] < hand["x"] + hand["width"] / 2) is finger.startswith("right")


@pytest.mark.parametrize("size", SIZES)
def test_a_finger_laid_on_too_soon_is_asked_off_at_the_start_page(open_page: Any, station: Any, size: str) -> None:
    page = open_page(size)
    show(page, station, "idle-lift")
    page.wait_for_function("() => document.querySelector('#idle-title').innerText === '请抬起手指'")
    assert page.is_visible("#idle-title")
    show(page, station, "idle")
    page.wait_for_function("() => document.querySelector('#idle-title').innerText !== '请抬起手指'")


def test_the_second_language_goes_with_the_person(open_page: Any, station: Any) -> None:
    page = open_page()
    page.clock.install()
    speak(page, "en")
    station.show("result", result=DONE)
    wait_for_step(page, "result")
    assert page.inner_text("#result-title") == "Check-in done"
    station.show("idle")
    wait_for_step(page, "idle")
    page.clock.fast_forward(61_000)
    page.wait_for_selector("html[lang=zh-CN]")


def test_a_second_window_takes_over_and_the_first_says_so(open_page: Any, station: Any) -> None:
    first, second, third = open_page(), open_page(), open_page()
    first.wait_for_selector("body[data-link=replaced] #resume:visible")
    station.show("look")
    wait_for_step(second, "look")
    wait_for_step(third, "look")
    first.click("#resume")
    wait_for_step(first, "look")


def test_a_page_that_hears_nothing_says_so_and_comes_back_by_itself(open_page: Any, station: Any) -> None:
    page = open_page()
    page.context.set_offline(True)
    page.route("**/events", lambda route: route.abort())
    page.evaluate("window.stop()")  # cuts the open stream, as a dying service would
    page.wait_for_selector("body[data-link=lost] #link:visible")
    assert re.search("正在重新连接", page.inner_text("#link"))
    page.unroute("**/events")
    page.context.set_offline(False)
    page.wait_for_selector("body[data-link=live]")
