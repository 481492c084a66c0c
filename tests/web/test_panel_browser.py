"""The kiosk's screen in a real Chromium: every step appears by itself, can be read, and asks what it should.

With MUSTER_SCREENS set, pictures of every step are written in both sizes and both languages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import cv2
import numpy as np
import pytest

from models.attendance import CheckInOutcome
from web.panel.app import SERVER_OPTIONS, create_panel
from web.panel.facade import FINGER_CODES, PanelResult, PanelStep

pytestmark = pytest.mark.browser

NOW = datetime(2026, 3, 5, 1, 30, tzinfo=UTC)  # 09:30 in Shanghai
SIZES = {"landscape": (1280, 800), "portrait": (1080, 1920)}
DONE = PanelResult("accepted", "明", "2026-03-05T01:30:00.000000Z", "0305-0042", "2026-03-19")
WAIT = PanelResult("not_identified", "", "2026-03-05T01:30:00.000000Z", "0305-0043")
SMALLEST_PX = 28 * 96 / 72
SHOWN: dict[str, tuple[str, dict[str, Any]]] = {  # picture name: step and what comes with it
    "pairing": ("pairing", {"pairing_code": "4071-5526-9138", "hint": "pairing_waiting", "center": "unpaired"}),
    "idle": ("idle", {}),
    "idle-offline": (
        "idle",
        {"center": "unreachable", "pending": 3, "simulated": True, "devices": (("camera", False, "device_unplugged"),)},
    ),
    "approach": ("approach", {"simulated": True}),
    "look": ("look", {"hint": "come_closer"}),
    "challenge-left": ("challenge", {"challenge": "turn_left"}),
    "challenge-right": ("challenge", {"challenge": "turn_right", "hint": "turn_more", "simulated": True}),
    "challenge-up": ("challenge", {"challenge": "look_up"}),
    "challenge-down": ("challenge", {"challenge": "look_down", "hint": "try_again", "tries_left": 2}),
    "challenge-dot": ("challenge", {"challenge": "follow_dot", "dot": (0.95, 0.05)}),
    "claim": ("claim", {}),
    "finger": ("finger", {"finger": "right_index"}),
    "finger-again": ("finger", {"finger": "left_thumb", "hint": "finger_off_center", "tries_left": 2}),
    "working": ("working", {}),
    "result-done": ("result", {"result": DONE}),
    "result-already": (
        "result",
        {"result": PanelResult("already_present", "明", DONE.time, "0305-0044", "2026-03-19")},
    ),
    "result-later": ("result", {"result": PanelResult("outside_window", "", DONE.time, "0305-0045")}),
    "result-wait": ("result", {"result": WAIT}),
    "help": ("help", {}),
    "fault": ("fault", {"devices": (("camera", True, None), ("sensor", False, "device_silent"))}),
}


def drawn_visitor() -> np.ndarray:
    """A drawn head and shoulders, (480, 640, 3) uint8 BGR: nobody's photograph."""
    picture = np.full((480, 640, 3), (216, 208, 200), np.uint8)
    cv2.rectangle(picture, (430, 0), (640, 480), (200, 190, 180), -1)
    shapes = [  # centre, half axes, colour
        ((320, 520), (215, 170), (120, 92, 58)),  # shoulders
        ((320, 345), (48, 70), (140, 168, 205)),  # neck
        ((320, 185), (104, 128), (48, 44, 42)),  # hair
        ((320, 215), (88, 118), (158, 188, 224)),  # face
        ((320, 118), (86, 46), (48, 44, 42)),
        ((283, 205), (9, 7), (48, 44, 42)),
        ((357, 205), (9, 7), (48, 44, 42)),
    ]
    for center, axes, colour in shapes:
        cv2.ellipse(picture, center, axes, 0, 0, 360, colour, -1, cv2.LINE_AA)
    for ends in (
        ((268, 184), (298, 182)),
        ((342, 182), (372, 184)),
        ((298, 285), (342, 285)),
        ((320, 215), (316, 248)),
    ):
        cv2.line(picture, *ends, (90, 100, 130), 5, cv2.LINE_AA)
    return picture


@pytest.fixture(scope="session")
def frame() -> bytes:
    """One camera frame as JPEG."""
    return cv2.imencode(".jpg", drawn_visitor())[1].tobytes()


@pytest.fixture
def address(station: Any, serve: Callable[..., str], frame: bytes) -> str:
    station.give_frame(frame)
    return serve(create_panel(station, clock=lambda: NOW, heartbeat_s=0.5), **SERVER_OPTIONS)


@pytest.fixture
def open_page(chromium: Any, address: str, station: Any) -> Iterator[Callable[..., Any]]:
    """Open the screen; a script error or a request to anywhere else fails the test."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def start(size: str = "landscape", **options: Any) -> Any:
        width, height = SIZES[size]
        context = chromium.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(8000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on(
            "request", lambda request: complaints.append(request.url) if not request.url.startswith(address) else None
        )
        page.goto(address)
        page.wait_for_selector("body[data-link=live]")
        return page

    yield start
    for context in contexts:
        context.close()
    station.show("idle")  # wakes the streams, which find their pages gone
    assert [words for words in complaints if "ERR_ABORTED" not in words] == []


def wait_for_step(page: Any, step: str) -> None:
    page.wait_for_selector(f"body[data-step={step}] section[data-steps~={step}]:not([hidden])")
    if step in ("approach", "look", "challenge"):
        page.wait_for_selector("#preview[data-frames]")


def wait_for_state(page: Any, station: Any) -> None:
    version = station.state().version
    page.wait_for_function("version => document.body.dataset.version === String(version)", arg=version)


def readability(page: Any) -> list[str]:
    """What cannot be read on the page: text under 28 pt, cut off, outside the screen, or of a contrast under 4.5."""
    return page.evaluate(READABILITY, SMALLEST_PX)


READABILITY = """(smallest) => {
  const complaints = [];
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => numbers(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0.99) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.textContent.trim() || node.tagName === "SCRIPT") continue;
    if (!node.checkVisibility({ visibilityProperty: true })) continue;
    const words = text.textContent.trim();
    const style = getComputedStyle(node);
    if (parseFloat(style.fontSize) < smallest) complaints.push(`small: ${words}`);
    const [light, dark] = [luminance(style.color), luminance(ground(node))].sort((a, b) => b - a);
    if ((light + 0.05) / (dark + 0.05) < 4.5) complaints.push(`contrast: ${words}`);
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    const inside = box.left > -1 && box.top > -1 && box.right < innerWidth + 1 && box.bottom < innerHeight + 1;
    if (!inside) complaints.push(`outside: ${words}`);
    const region = node.closest("header, main, footer, #status, dialog").getBoundingClientRect();
    if (box.top < region.top - 1 || box.bottom > region.bottom + 1) complaints.push(`overflows: ${words}`);
  }
  for (const button of document.querySelectorAll("button")) {
    const box = button.getBoundingClientRect();
    if (box.width && (box.height < 72 || box.width < 72)) complaints.push(`small target: ${button.textContent.trim()}`);
    if (box.width && button.scrollWidth > button.clientWidth + 1) complaints.push(`cut: ${button.textContent.trim()}`);
  }
  return complaints;
}"""


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
def test_every_step_can_be_read_in_both_sizes_and_languages(
    open_page: Any, station: Any, take_picture: Any, size: str, language: str
) -> None:
    page = open_page(size)
    if language == "en":
        page.click("#switch")
        page.wait_for_selector("html[lang=en]")
    for name, (step, fields) in SHOWN.items():
        station.show(step, **fields)
        wait_for_state(page, station)
        wait_for_step(page, step)
        if name == "claim":
            page.keyboard.type("0042")
        assert (name, readability(page)) == (name, [])
        take_picture(page, f"panel-{name}-{size}-{language}")
    for step in PanelStep:  # the longest words of all
        station.show(step, **next(fields for shown, fields in SHOWN.values() if shown == step))
        wait_for_step(page, step)
        page.click("#explain")
        assert (step, readability(page)) == (step, [])
        if step == PanelStep.FINGER:
            take_picture(page, f"panel-explain-{size}-{language}")
        page.click("#understood")


def test_the_pad_sends_the_number_and_shows_that_it_waits(open_page: Any, station: Any) -> None:
    page = open_page()
    page.click("section[data-steps=idle] [data-do=number]")
    for digit in "10427":
        page.click(f"[data-digit='{digit}']")
    page.click("[data-pad=erase]")
    assert page.inner_text("#number") == "1042"
    page.click("[data-pad=enter]")
    wait_for_step(page, "working")
    station.show("finger", finger="right_index")
    wait_for_step(page, "finger")
    assert station.claimed == ["1042"]


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


def test_the_second_language_goes_with_the_person(open_page: Any, station: Any) -> None:
    page = open_page()
    page.clock.install()
    page.click("#switch")
    station.show("result", result=DONE)
    wait_for_step(page, "result")
    assert page.inner_text("#result-title") == "Check-in done"
    station.show("idle")
    wait_for_step(page, "idle")
    page.clock.fast_forward(21_000)
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
