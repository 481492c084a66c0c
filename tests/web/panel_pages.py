"""What the tests of the kiosk's screen in a browser share: every screen there is, and what a page must never do.

How small things may be: 28 pt and 24 mm are measured on the glass. Portrait is a 21-inch panel, landscape a panel of
10 inches at least; on larger ones everything is larger.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from models.questions import Question
from tests.browser import PATIENCE_MS
from web.panel.facade import PanelChoice, PanelResult

SIZES = {"landscape": (1280, 800), "portrait": (1080, 1920)}
WIDTH_MM = {"landscape": 217.0, "portrait": 268.0}  # 10.1 inches, 16 to 10; 21.5 inches, 9 to 16
LEAST_TEXT_MM, LEAST_TARGET_MM = 28 * 25.4 / 72, 24.0
LANGUAGES = {"zh": "mandarin", "en": "english"}

DONE = PanelResult("accepted", "明", "2026-03-05T01:30:00.000000Z", "0305-0042", "2026-03-19")
WAIT = PanelResult("not_identified", "", "2026-03-05T01:30:00.000000Z", "0305-0043")
USUAL_MENU = (
    PanelChoice("education_in", due=True),
    PanelChoice("written_report"),
    PanelChoice("service_in"),
    PanelChoice("leave_return"),
    PanelChoice("help_request"),
    PanelChoice("done"),
)
FULL_MENU = (
    PanelChoice("report_in_person", due=True),
    PanelChoice("written_report", due=True),
    PanelChoice("education_out", due=True),
    PanelChoice("service_out", due=True),
    PanelChoice("leave_return"),
    PanelChoice("help_request"),
    PanelChoice("done"),
)
STAFF_ERRANDS = ("witness", "enroll", "enroll_self", "health", "notice", "light")
SHOWN: dict[str, tuple[str, dict[str, Any]]] = {  # picture name: step and what comes with it
    "pairing": ("pairing", {"pairing_code": "4071-5526-9138", "hint": "pairing_waiting", "center": "unpaired"}),
    "idle": ("idle", {}),
    "idle-offline": (
        "idle",
        {"center": "unreachable", "pending": 3, "simulated": True, "devices": (("camera", False, "device_unplugged"),)},
    ),
    "idle-lift": ("idle", {"hint": "lift_finger"}),
    "approach": ("approach", {"simulated": True}),
    "look": ("look", {"hint": "come_closer"}),
    "look-covered": ("look", {"hint": "uncover_face", "tries_left": 1}),
    "challenge-left": ("challenge", {"challenge": "turn_left"}),
    "challenge-right": ("challenge", {"challenge": "turn_right", "hint": "turn_more", "simulated": True}),
    "challenge-up": ("challenge", {"challenge": "look_up"}),
    "challenge-down": ("challenge", {"challenge": "look_down", "hint": "try_again", "tries_left": 2}),
    "challenge-dot": ("challenge", {"challenge": "follow_dot", "dot": (0.95, 0.05)}),
    "claim": ("claim", {}),
    "finger": ("finger", {"finger": "right_index"}),
    "claim-card": ("claim", {"devices": (("card", True, None),)}),
    "finger-again": ("finger", {"finger": "left_thumb", "hint": "finger_few_points", "tries_left": 2}),
    "finger-wipe": ("finger", {"finger": "right_middle", "hint": "finger_messy", "tries_left": 1}),
    "working": ("working", {}),
    "claim-again": ("claim", {"hint": "number_unknown", "devices": (("card", True, None),)}),
    "result-done": ("result", {"result": DONE}),
    "result-already": (
        "result",
        {"result": PanelResult("already_present", "明", DONE.time, "0305-0044", "2026-03-19")},
    ),
    "result-later": ("result", {"result": PanelResult("outside_window", "", DONE.time, "0305-0045")}),
    "result-wait": ("result", {"result": WAIT}),
    "question": ("question", {"question": Question.ADDRESS_CHANGED}),
    "question-phone": ("question", {"question": Question.PHONE_CHANGED}),
    "menu": ("menu", {"choices": USUAL_MENU}),
    "menu-full": ("menu", {"choices": FULL_MENU, "simulated": True}),
    "document": ("document", {}),
    "document-pages": ("document", {"pages": 2, "hint": "page_taken"}),
    "staff": ("staff", {"staff": {"page": "home", "items": [{"code": code} for code in STAFF_ERRANDS]}}),
    "help": ("help", {}),
    "fault": ("fault", {"devices": (("camera", True, None), ("sensor", False, "device_silent"))}),
}
IN_CONTRAST = ("idle", "look", "claim", "finger", "result-done", "question", "menu")


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


def write_slides(folder: Path) -> None:
    """Two notices as an office would put them there: a text in both languages and a drawn poster."""
    (folder / "02 hours.txt").write_text(
        "办公时间 Office hours\n周一至周五 Mon–Fri\n上午 9:00 至 12:00\n下午 14:00 至 17:30\n", "utf-8"
    )
    poster = np.full((900, 1600, 3), (238, 244, 232), np.uint8)
    cv2.circle(poster, (800, 400), 240, (120, 170, 90), -1, cv2.LINE_AA)
    cv2.ellipse(poster, (800, 780), (560, 60), 0, 0, 360, (180, 200, 160), -1, cv2.LINE_AA)
    cv2.imwrite(str(folder / "01 poster.png"), poster)


def show(page: Any, station: Any, name: str) -> None:
    """Put one of SHOWN on the screen and wait until it is there."""
    step, fields = SHOWN[name]
    station.show(step, **fields)
    wait_for_state(page, station)
    wait_for_step(page, step)


def wait_for_step(page: Any, step: str) -> None:
    page.wait_for_selector(f"body[data-step={step}] section[data-steps~={step}]:not([hidden])")
    if step in ("approach", "look", "challenge", "document"):
        page.wait_for_selector("#preview[data-frames]")


def wait_for_state(page: Any, station: Any) -> None:
    version = station.state().version
    page.wait_for_function("version => document.body.dataset.version === String(version)", arg=version)


def told(page: Any, what: Callable[[], list[Any]], wanted: list[Any]) -> None:
    """Wait until the station was told ``wanted``, and nothing else: a page shows its next step before it was heard."""
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while len(what()) < len(wanted) and time.monotonic() < deadline:
        page.wait_for_timeout(20)
    page.wait_for_timeout(50)  # for what should not come
    assert what() == wanted


def speak(page: Any, language: str) -> None:
    """Choose a language as a person does. ``language`` is "zh" or "en"."""
    page.click("#language")
    page.click(f"[data-language={LANGUAGES[language]}]")
    page.wait_for_selector(f"html[lang^={language}]")


def strengthen(page: Any) -> None:
    """Ask for the strong colours as a person does."""
    page.click("#language")
    page.click("#contrast")
    page.click("#speech-close")
    page.wait_for_selector("html[data-contrast=more]")


def readability(page: Any, size: str) -> list[str]:
    """What cannot be read or hit on the page: text under 28 pt, cut off, covered or of a contrast under 4.5, targets
    under 24 mm."""
    mm_per_px = WIDTH_MM[size] / SIZES[size][0]
    return page.evaluate(READABILITY, [LEAST_TEXT_MM / mm_per_px, LEAST_TARGET_MM / mm_per_px])


READABILITY = """([leastText, leastTarget]) => {
  const complaints = [];
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => numbers(colour).slice(0, 3).map((v) => v / 255)
    .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if ((numbers(colour)[3] ?? 1) > 0.99) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const root = document.querySelector("dialog[open]") ?? document.body;
  const seen = (node) => node.checkVisibility({ visibilityProperty: true }) && !node.closest(".heard");
  const boxes = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let text = walker.nextNode(); text; text = walker.nextNode()) {
    const node = text.parentElement;
    if (!text.textContent.trim() || node.tagName === "SCRIPT" || !seen(node)) continue;
    const words = text.textContent.trim();
    const style = getComputedStyle(node);
    if (parseFloat(style.fontSize) < leastText) complaints.push(`small (${style.fontSize}): ${words}`);
    if (contrast(style.color, ground(node)) < 4.5) complaints.push(`contrast: ${words}`);
    const range = document.createRange();
    range.selectNodeContents(text);
    const box = range.getBoundingClientRect();
    const inside = box.left > -1 && box.top > -1 && box.right < innerWidth + 1 && box.bottom < innerHeight + 1;
    if (!inside) complaints.push(`outside: ${words}`);
    const region = node.closest("header, main, nav, #status, dialog, #slide").getBoundingClientRect();
    if (box.top < region.top - 1 || box.bottom > region.bottom + 1) complaints.push(`overflows: ${words}`);
    for (const rect of range.getClientRects()) boxes.push([rect, node, words]);
  }
  for (const [one, node, words] of boxes) {  // nothing lies on top of a text
    const top = document.elementFromPoint((one.left + one.right) / 2, (one.top + one.bottom) / 2);
    if (top && !node.contains(top) && !top.contains(node)) complaints.push(`covered: ${words}`);
  }
  const buttons = [...root.querySelectorAll("button")].filter(seen);
  for (const button of buttons) {
    const box = button.getBoundingClientRect();
    const name = button.textContent.trim();
    if (box.height < leastTarget || box.width < leastTarget) {
      complaints.push(`small target (${Math.round(box.width)} x ${Math.round(box.height)}): ${name}`);
    }
    const above = 16;  // a font's own room above its letters may stand out
    const cut = button.scrollWidth > button.clientWidth + 1 || button.scrollHeight > button.clientHeight + above;
    if (cut) complaints.push(`cut: ${name}`);
    const style = getComputedStyle(button);
    const edge = Math.max(contrast(style.borderColor, ground(button.parentElement)),
      contrast(style.backgroundColor, ground(button.parentElement)));
    if (edge < 3) complaints.push(`edge: ${name}`);
    if (box.left < -1 || box.top < -1 || box.right > innerWidth + 1 || box.bottom > innerHeight + 1) {
      complaints.push(`outside: ${name}`);
    }
  }
  for (const [place, one] of buttons.entries()) {
    const a = one.getBoundingClientRect();
    for (const other of buttons.slice(place + 1)) {
      const b = other.getBoundingClientRect();
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) {
        complaints.push(`overlap: ${one.textContent.trim()} and ${other.textContent.trim()}`);
      }
    }
  }
  return complaints;
}"""
