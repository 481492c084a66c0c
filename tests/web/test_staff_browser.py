"""The staff's pages in a real Chromium: every page can be read and hit, and says back what was pressed.

With MUSTER_SCREENS set, pictures of every page are written in both sizes and both languages.
"""

from __future__ import annotations

from typing import Any

import pytest
from panel_pages import SIZES, readability, speak, told, wait_for_state

from kiosk.staff.light import LightAdvice
from kiosk.staff.witnessing import WitnessReason

pytestmark = pytest.mark.browser


def items(*codes: str) -> list[dict[str, str]]:
    return [{"code": code} for code in codes]


PERSON = {"number": "100427", "shown_name": "明"}
VIEWS: dict[str, dict[str, Any]] = {
    "who": {"page": "who", "items": [{"code": "0", "label": "静"}, {"code": "1", "label": "娟"}]},
    "pin": {"page": "pin", "hint": "sign_in_refused", "refused": 1},
    "wait": {"page": "wait", "minutes": 2, "items": items("ok")},
    "how": {"page": "how", "items": items("face", "finger")},
    "home": {"page": "home", "items": items("witness", "enroll", "enroll_self", "health", "notice", "light")},
    "whom": {"page": "whom", "items": items("last", "by_number"), **PERSON},
    "number": {"page": "number", "hint": "number_unknown", "refused": 1},
    "here": {"page": "here", "items": items("was_here", "was_not_here"), "at": "2026-03-05T00:58:00.000000Z", **PERSON},
    "reason": {"page": "reason", "items": items(*list(WitnessReason)[:5], "more"), **PERSON},
    "vouch": {"page": "vouch", "items": items("vouch"), "reason": "cannot_perform_challenge", **PERSON},
    "second": {"page": "second", "items": [{"code": "0", "label": "娟"}]},
    "witness-refused": {"page": "witness_refused", "why": "already_present", "items": items("ok")},
    "notice": {"page": "notice", "line": 4, "lines": 7, "items": items("next", "print"), "printed": True, **PERSON},
    "enroll-face": {
        "page": "enroll_face", "preview": True, "hint": "come_closer", "taken": 1, "wanted": 3, "quality": 64,
        "items": items("skip"),
    },
    "enroll-finger": {
        "page": "enroll_finger", "finger": "left_index", "hint": "finger_few_points", "taken": 2, "wanted": 3,
        "quality": 81, "items": items("other_finger", "skip"),
    },
    "capture-failed": {
        "page": "capture_failed", "hint": "finger_messy", "items": items("again", "other_finger", "skip"),
    },
    "missing": {"page": "missing", "items": items("fingers_unusable", "fingers_declined")},
    "similar": {
        "page": "similar", "count": 2, "items": items("stop", "somebody_else"),
        "similar": [{"shown_name": "明", "modality": "face"}, {"shown_name": "海", "modality": "finger"}],
    },
    "enroll-done": {"page": "enroll_done", "own": False, "items": items("ok"), **PERSON},
    "health": {
        "page": "health", "items": items("other_rows", "test_slip"),
        "rows": [
            {"name": "camera", "ok": True, "code": "ok"},
            {"name": "sensor", "ok": False, "code": "device_unplugged"},
            {"name": "card_reader", "ok": True, "code": "not_configured"},
            {"name": "printer", "ok": True, "code": "ok"},
        ],
    },
    "health-more": {
        "page": "health", "items": items("other_rows", "test_slip"),
        "rows": [
            {"name": "disk_mib", "ok": True, "value": 70623},
            {"name": "clock", "ok": False, "code": "rtc"},
            {"name": "last_event", "ok": True, "value": "2026-03-05T01:28:00.000000Z"},
            {"name": "version", "ok": True, "value": "0.1.0"},
        ],
    },
    "light": {
        "page": "light", "preview": True, "advice": "close_curtain", "items": items("darker", "brighter", "store"),
        "bars": [{"name": "face", "value": 28}, {"name": "background", "value": 81}, {"name": "contrast", "value": 35}],
    },
    "not-stored": {"page": "not_stored", "code": "store_full", "items": items("ok")},
}  # fmt: skip


def put(page: Any, station: Any, view: dict[str, Any]) -> None:
    station.show("staff", staff={"signed_in": "静"} | view)
    wait_for_state(page, station)
    page.wait_for_selector(f"#staff[data-page={view['page']}]:not([hidden])")
    if view.get("preview"):
        page.wait_for_selector("#staff-preview[data-frames]")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_page_of_the_staff_can_be_read_and_hit_in_both_sizes_and_languages(
    open_page: Any, station: Any, take_picture: Any, size: str, language: str
) -> None:
    page = open_page(size)
    speak(page, language)
    complaints = {}
    for name, view in VIEWS.items():
        put(page, station, view)
        if view["page"] == "pin":
            page.keyboard.type("271828")
            assert "2718" not in page.text_content("#staff-typed")
        complaints[name] = readability(page, size)
        take_picture(page, f"staff-{name}-{size}-{language}")
    for advice in LightAdvice:
        put(page, station, VIEWS["light"] | {"advice": advice.value})
        complaints[f"light-{advice}"] = readability(page, size)
    for line in range(1, 8):
        put(page, station, VIEWS["notice"] | {"line": line})
        complaints[f"notice-{line}"] = readability(page, size)
    assert {name: said for name, said in complaints.items() if said} == {}


def test_what_is_pressed_is_said_once_and_a_pin_is_never_shown(open_page: Any, station: Any) -> None:
    """A list, the pad, a double tap; the language goes along, for the notice and its paper."""
    page = open_page()
    put(page, station, VIEWS["home"])
    page.dblclick("#staff-items [data-code=health]")
    put(page, station, VIEWS["pin"])
    page.keyboard.type("271828")
    assert page.text_content("#staff-typed") == "******"
    page.click("#staff-pad [data-pad=enter]")
    pressed = [("pick", {"code": "health", "language": "zh_CN"}), ("pin", {"pin": "271828", "language": "zh_CN"})]
    told(page, lambda: station.staff_acts, pressed)


def test_a_second_refusal_is_news_and_the_next_pin_counts_at_once(open_page: Any, station: Any) -> None:
    """Whoever saw nothing change would wait, or type on behind the digits that were wrong."""
    page = open_page()
    put(page, station, VIEWS["pin"] | {"refused": 1})
    page.evaluate("""() => new MutationObserver(() => document.body.dataset.announced = "again")
        .observe(document.querySelector("#staff-hint [aria-live]"), { childList: true, characterData: true })""")
    for refused in (2, 3):
        page.keyboard.type("111111")
        page.click("#staff-pad [data-pad=enter]")
        put(page, station, VIEWS["pin"] | {"refused": refused})
        page.wait_for_function("() => document.body.dataset.announced === 'again'")
        page.evaluate("() => delete document.body.dataset.announced")
        assert page.text_content("#staff-typed") == ""
    told(page, lambda: [fields["pin"] for _, fields in station.staff_acts], ["111111", "111111"])


def test_the_staffs_pages_are_used_with_two_buttons(open_page: Any, station: Any) -> None:
    """One key walks on, Enter presses."""
    page = open_page()
    put(page, station, VIEWS["home"])
    page.wait_for_function("() => document.activeElement?.dataset.code === 'witness'")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    told(page, lambda: [fields["code"] for _, fields in station.staff_acts], ["enroll"])


def test_the_live_picture_is_sent_only_on_pages_that_show_it(open_page: Any, station: Any) -> None:
    page = open_page()
    put(page, station, VIEWS["enroll-face"])
    put(page, station, VIEWS["home"])
    page.wait_for_selector("#staff-preview:not([data-frames])", state="attached")
