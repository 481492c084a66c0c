"""The kiosk's screen as people use it: two buttons instead of the glass, a trembling finger, a language of one's own,
notices, a reload at any moment, a live picture that stops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import pytest
from panel_pages import DONE, SHOWN, drawn_visitor, show, speak, strengthen, told, wait_for_state, wait_for_step

from models.errands import Errand
from models.questions import Question
from web.panel.facade import PanelChoice, PanelHint, PanelStep
from web.panel.slides import LINES_PER_PAGE, text_slides

pytestmark = pytest.mark.browser

FOCUSED = "() => document.activeElement.id || document.activeElement.dataset.choose || document.activeElement.tagName"
VISIBLE_BUTTONS = """() => [...document.querySelectorAll("button")]
  .filter((node) => node.checkVisibility({ visibilityProperty: true })).length"""


def settle(page: Any) -> None:
    """A tap counts once the screen was there for a moment."""
    page.clock.fast_forward(600)


def tap(page: Any, selector: str, path: str = "choose") -> None:
    """Tap on something that asks the station, and wait for its answer."""
    with page.expect_response(f"**/{path}"):
        page.click(selector)


# --- two buttons -----------------------------------------------------------------------------------------------------


def test_two_keys_reach_every_button_of_every_screen(open_page: Any, station: Any) -> None:
    page = open_page()
    for name in SHOWN:
        show(page, station, name)
        wanted = page.evaluate(VISIBLE_BUTTONS)
        page.evaluate("document.activeElement.blur()")
        reached = set()
        for _ in range(wanted):
            page.keyboard.press("ArrowRight")
            reached.add(page.evaluate("[...document.querySelectorAll('button')].indexOf(document.activeElement)"))
        assert (name, len(reached - {-1})) == (name, wanted)


@pytest.mark.parametrize(
    ("name", "main"),
    [("menu", "education_in"), ("question", "no"), ("document", "take"), ("result-done", "next"), ("finger", "replay")],
)
def test_the_focus_is_on_the_main_thing_to_do(open_page: Any, station: Any, name: str, main: str) -> None:
    page = open_page()
    show(page, station, name)
    page.wait_for_function(f"() => ({FOCUSED})() === '{main}'")


def test_a_question_is_answered_with_two_keys(open_page: Any, station: Any) -> None:
    page = open_page()
    page.clock.install()
    show(page, station, "question")
    page.wait_for_function(f"() => ({FOCUSED})() === 'no'")
    settle(page)
    page.keyboard.press("ArrowRight")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    with page.expect_response("**/choose"):
        page.keyboard.press("Enter")
    assert station.chosen == ["yes"]


def test_the_keys_stay_inside_an_open_explanation(open_page: Any, station: Any) -> None:
    page = open_page()
    page.click("#explain")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
        assert page.evaluate(FOCUSED) == "understood"
    page.keyboard.press("Enter")
    page.wait_for_selector("#explanation", state="hidden")


def test_no_ring_is_shown_to_whoever_touches_the_glass(open_page: Any, station: Any) -> None:
    page = open_page()
    page.keyboard.press("ArrowRight")
    page.mouse.click(3, 3)
    page.click("#explain")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "none"


# --- choosing --------------------------------------------------------------------------------------------------------


def test_what_is_due_comes_first_and_larger_and_says_so(open_page: Any, station: Any) -> None:
    page = open_page("portrait")
    station.show(
        "menu", choices=(PanelChoice("service_out", due=True), PanelChoice("leave_return"), PanelChoice("done"))
    )
    wait_for_step(page, "menu")
    due, other = (page.locator(f"[data-choose={code}]") for code in ("service_out", "leave_return"))
    assert due.bounding_box()["y"] < other.bounding_box()["y"]
    assert due.bounding_box()["width"] > 1.5 * other.bounding_box()["width"]
    assert "今天要办" in due.inner_text() and "今天要办" not in other.inner_text()


def test_every_errand_can_be_chosen_and_has_its_own_drawing(open_page: Any, station: Any) -> None:
    page = open_page("portrait")
    page.clock.install()
    station.show("menu", choices=tuple(PanelChoice(errand.value) for errand in Errand))
    wait_for_step(page, "menu")
    drawings = page.eval_on_selector_all("#choices use", "nodes => nodes.map((node) => node.getAttribute('href'))")
    assert drawings == [f"#icon-menu-{errand.value}" for errand in Errand]
    settle(page)
    tap(page, "[data-choose=leave_return]")
    assert station.chosen == ["leave_return"]


def test_a_trembling_finger_is_one_answer_and_does_not_answer_the_next_question(open_page: Any, station: Any) -> None:
    page = open_page()
    page.clock.install()
    show(page, station, "question")
    settle(page)
    page.dblclick("[data-choose=yes]")
    station.show("question", question=Question.JOB_CHANGED)
    wait_for_state(page, station)
    page.click("[data-choose=yes]")  # still the same trembling
    settle(page)
    page.click("[data-choose=no]")
    told(page, lambda: station.chosen, ["yes", "no"])


def test_pages_are_counted_and_can_be_taken_again(open_page: Any, station: Any) -> None:
    page = open_page()
    page.clock.install()
    show(page, station, "document")
    assert not page.is_visible("[data-choose=again]")
    station.show("document", pages=1, hint=PanelHint.PAGE_TAKEN)
    wait_for_state(page, station)
    assert page.inner_text("#pages") == "1"
    settle(page)
    tap(page, "[data-choose=again]")
    assert station.chosen == ["again"]


def take_page(open_page: Any, station: Any, name: str, **came: Any) -> Any:
    """The screen after somebody touched "take", and what came of it."""
    page = open_page()
    page.clock.install()
    show(page, station, name)
    settle(page)
    tap(page, "[data-choose=take]")
    station.show("document", **came)
    wait_for_state(page, station)
    return page


def test_whoever_has_one_page_only_is_done_as_soon_as_it_is_taken(open_page: Any, station: Any) -> None:
    page = take_page(open_page, station, "document", pages=1, hint=PanelHint.PAGE_TAKEN)
    page.click("[data-choose=done]")  # before anybody can have seen that it is taken
    settle(page)
    tap(page, "[data-choose=done]")
    told(page, lambda: station.chosen, ["take", "done"])


def test_a_trembling_finger_takes_one_page(open_page: Any, station: Any) -> None:
    page = take_page(open_page, station, "document", pages=1, hint=PanelHint.PAGE_TAKEN)
    settle(page)
    page.click("[data-choose=take]")  # still the same trembling, though the page was taken meanwhile
    page.clock.fast_forward(1500)
    tap(page, "[data-choose=take]")
    told(page, lambda: station.chosen, ["take", "take"])


def test_whoever_reads_that_a_page_was_unclear_may_go_on_at_once_and_nobody_before_reading_it(
    open_page: Any, station: Any
) -> None:
    page = take_page(open_page, station, "document-pages", pages=2, hint=PanelHint.PAGE_UNCLEAR)
    page.click("[data-choose=done]")  # before anybody can have seen that nothing was taken
    settle(page)
    station.show("document", pages=2)  # the hint goes, which is nothing new
    wait_for_state(page, station)
    tap(page, "[data-choose=done]")
    told(page, lambda: station.chosen, ["take", "done"])


def test_what_was_recorded_is_said_in_its_own_words(open_page: Any, station: Any) -> None:
    page = open_page()
    for errand in ("written_report", "education_in", "presence"):
        station.show("result", result=replace(DONE, errand=errand))
        wait_for_state(page, station)
        assert (
            page.inner_text("#result-title")
            == {
                "written_report": "汇报收到了",
                "education_in": "学习开始了",
                "presence": "记下您来过了",
            }[errand]
        )


# --- language and colours --------------------------------------------------------------------------------------------


def test_strong_colours_go_with_the_person_and_go_back_for_the_next(open_page: Any, station: Any) -> None:
    page = open_page()
    page.clock.install()
    strengthen(page)
    show(page, station, "result-done")
    assert page.get_attribute("html", "data-contrast") == "more"
    show(page, station, "idle")
    page.clock.fast_forward(61_000)
    page.wait_for_selector("html[data-contrast=usual]")


def test_whoever_set_the_device_to_more_contrast_gets_it_at_once(open_page: Any, station: Any) -> None:
    page = open_page(contrast="more")
    assert page.get_attribute("html", "data-contrast") == "more"


def test_the_language_that_is_on_is_marked_and_known_to_readers(open_page: Any, station: Any) -> None:
    page = open_page()
    speak(page, "en")
    page.click("#language")
    assert page.get_attribute("[data-language=english]", "aria-pressed") == "true"
    assert page.get_attribute("[data-language=mandarin]", "aria-pressed") == "false"
    assert page.get_attribute("html", "lang") == "en"


def test_staff_find_their_way_in_and_only_between_visits(open_page: Any, station: Any) -> None:
    page = open_page()
    show(page, station, "finger")
    page.click("#language")
    assert not page.is_visible("#staff-entry")
    page.click("#speech-close")
    show(page, station, "idle")
    page.click("#language")
    tap(page, "#staff-entry", "staff")
    page.wait_for_selector("#speech", state="hidden")
    assert station.staff_acts == [("open", {})]


# --- notices ---------------------------------------------------------------------------------------------------------


def test_notices_follow_each_other_and_can_be_stopped(open_page: Any, station: Any) -> None:
    page = open_page("portrait")
    page.clock.install()
    show(page, station, "look")
    show(page, station, "idle")
    page.wait_for_selector("#slide:visible")
    first = page.is_visible("#slide-text")
    page.clock.fast_forward(12_500)
    page.wait_for_function("was => document.getElementById('slide-text').hidden === was", arg=first)
    page.click("#slide-pause")
    now = page.is_visible("#slide-text")
    page.clock.fast_forward(60_000)
    assert page.is_visible("#slide-text") is now and page.is_visible("#slide-play")


@pytest.mark.parametrize("size", ["landscape", "portrait"])
def test_the_longest_page_of_a_notice_can_be_read(open_page: Any, station: Any, size: str) -> None:
    page = open_page(size)
    page.wait_for_selector("#slide:visible")
    slide = text_slides("为了大家的方便请按时参加\n" + "请大家按时参加学习活动" * 12)[0]
    assert len(slide.lines) == LINES_PER_PAGE
    page.evaluate(
        """([title, lines]) => {
          document.getElementById("slide-picture").hidden = true;
          document.getElementById("slide-text").hidden = false;
          document.getElementById("slide-title").textContent = title;
          document.getElementById("slide-lines").textContent = lines.join("\\n");
        }""",
        [slide.title, list(slide.lines)],
    )
    inner, outer = page.locator("#slide-text").bounding_box(), page.locator("#slide").bounding_box()
    assert inner["height"] <= outer["height"] + 1 and inner["width"] <= outer["width"] + 1


def test_without_a_notice_the_drawing_shows_how_to_begin(open_page: Any, station: Any) -> None:
    page = open_page()
    page.route(
        "**/slides", lambda route: route.fulfill(json={"slides": [{"picture": "/slides/none.png", "label": "x"}]})
    )
    page.route("**/slides/none.png", lambda route: route.fulfill(body=b"no picture", content_type="image/png"))
    page.reload()
    page.wait_for_selector("body[data-link=live]")
    assert page.is_visible("#emblem") and not page.is_visible("#slide")


# --- whatever happens to the page ------------------------------------------------------------------------------------


def test_a_reload_at_any_step_comes_back_to_it(open_page: Any, station: Any) -> None:
    page = open_page()
    for step in PanelStep:
        name = next(name for name, (shown, _) in SHOWN.items() if shown == step)
        show(page, station, name)
        page.reload()
        wait_for_step(page, step)


def test_a_live_picture_that_stops_is_wiped_and_asked_for_again(open_page: Any, station: Any) -> None:
    """The camera hangs, the line to the station does not: nobody may look at a picture of before."""
    page = open_page()
    show(page, station, "look")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/preview") else None)
    canvas = "document.getElementById('preview')"
    pixels = f"[...{canvas}.getContext('2d').getImageData(0, 0, {canvas}.width, {canvas}.height).data]"
    page.wait_for_function(f"() => !{pixels}.some(Boolean)", timeout=15_000)
    station.give_frame(cv2.imencode(".jpg", drawn_visitor())[1].tobytes())
    page.wait_for_function(f"() => {pixels}.some(Boolean)", timeout=15_000)
    assert asked


def test_every_picture_drawn_tells_when_it_was_taken(open_page: Any, station: Any) -> None:
    page = open_page()
    page.evaluate(
        "document.getElementById('preview').addEventListener('drawn', (event) => (window.drawn = event.detail))"
    )
    show(page, station, "look")
    page.wait_for_function("() => window.drawn")
    drawn = page.evaluate("window.drawn")
    assert drawn["captured_ns"] == station.preview(0, 0).captured_ns and drawn["drawn_ms"] > 0


def test_nothing_of_a_number_stays_on_the_page(open_page: Any, station: Any) -> None:
    page = open_page()
    show(page, station, "claim")
    page.keyboard.type("31415926")
    assert "314159" not in page.content() and page.inner_text("#number") == "******26"
    page.keyboard.press("Enter")
    wait_for_step(page, "working")
    assert "26" not in page.inner_text("body") and page.evaluate("document.getElementById('number').textContent") == ""
    told(page, lambda: station.claimed, ["31415926"])
