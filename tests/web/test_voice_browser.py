"""The voice in a real Chromium: every shipped clip can be decoded and heard, one at a time, in the right order."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.attendance import CheckInOutcome
from web.panel.app import create_panel
from web.panel.facade import FINGER_CODES, PanelResult
from web.panel.voice.manifest import load_manifest
from web.panel.voice.settings import VoiceSettings

pytestmark = pytest.mark.browser

NOON = datetime(2026, 3, 5, 4, 30, tzinfo=UTC)  # 12:30 in Shanghai
LISTEN = """() => {
  window.heard = [];
  document.addEventListener("voice", (event) => window.heard.push(`${event.detail.what} ${event.detail.slot}`));
  const Plain = window.AudioBufferSourceNode; // fast forward, so that nobody waits for whole sentences
  window.AudioBufferSourceNode = class extends Plain {
    constructor(context, options) { super(context, { ...options, playbackRate: window.speed ?? 16 }); }
  };
}"""
HOLD = """() => {  // a Chromium without a head lets everything sound: be as strict as one with a head is
  window.addEventListener("pointerdown", () => (window.touched = true), true);
  const Plain = window.AudioContext;
  window.AudioContext = class extends Plain {
    constructor() { super(); super.suspend(); }
    get state() { return window.touched ? super.state : "suspended"; }
    resume() { return window.touched ? super.resume() : new Promise(() => {}); }
  };
}"""
DECODE = """async (clips) => {
  const found = [];
  for (const [name, content] of clips) {
    const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
    const decoded = await new OfflineAudioContext(1, 1, 48000).decodeAudioData(bytes.buffer);
    const samples = decoded.getChannelData(0);
    let power = 0, peak = 0;
    for (const sample of samples) { power += sample * sample; peak = Math.max(peak, Math.abs(sample)); }
    found.push([name, decoded.duration, Math.sqrt(power / samples.length), peak]);
  }
  return found;
}"""


@pytest.fixture
def open_page(chromium: Any, station: Any, serve: Callable[..., str]) -> Iterator[Callable[..., Any]]:
    """The screen after somebody has touched it; with ``hold`` before that, silent as browsers are by themselves."""
    contexts: list[Any] = []
    complaints: list[str] = []

    def start(*, voice: VoiceSettings | None = None, hold: bool = False) -> Any:
        address = serve(create_panel(station, clock=lambda: NOON, heartbeat_s=0.5, voice=voice))
        context = chromium.new_context(viewport={"width": 1280, "height": 800})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.add_init_script(f"({LISTEN})()")
        if hold:
            page.add_init_script(f"({HOLD})()")
        page.goto(address)
        page.wait_for_selector("body[data-link=live]")
        if not hold:
            page.mouse.click(640, 5)  # nothing is there; a browser that was not told otherwise wants a touch first
        return page

    yield start
    for context in contexts:
        context.close()
    station.show("idle")
    assert [words for words in complaints if "ERR_ABORTED" not in words] == []


def wait_heard(page: Any, what: str) -> None:
    page.wait_for_function("(what) => window.heard.includes(what)", arg=what)


def started(page: Any) -> list[str]:
    heard: list[str] = page.evaluate("window.heard")
    return [item.removeprefix("started ") for item in heard if item.startswith("started ")]


def test_every_shipped_clip_is_decoded_and_is_as_loud_and_as_long_as_it_should(open_page: Callable[..., Any]) -> None:
    clips = {clip.file: clip for of in load_manifest().values() for clip in of.values()}
    sent = [[name, base64.b64encode(clip.path.read_bytes()).decode()] for name, clip in clips.items()]
    wrong = []
    for name, duration_s, level, peak in open_page().evaluate(DECODE, sent):
        if not (abs(duration_s - clips[name].duration_s) < 0.1 and 0.03 < level < 0.3 and peak <= 1.0):
            wrong.append((name, duration_s, level, peak))
    assert wrong == []


def test_a_visit_is_heard_from_the_first_step_to_the_result(open_page: Callable[..., Any], station: Any) -> None:
    page = open_page()
    station.show("look")
    wait_heard(page, "ended step.look.title")
    station.show("challenge", challenge="turn_left")
    wait_heard(page, "ended challenge.turn_left")
    station.show("finger", finger=FINGER_CODES[1])
    wait_heard(page, f"ended finger_title.{FINGER_CODES[1]}")
    station.show("result", result=PanelResult("accepted", "明", "2026-03-05T04:30:00.000000Z", "0305-0042"))
    wait_heard(page, "ended outcome.accepted.line")
    assert started(page) == [
        "step.look.title", "challenge.turn_left", f"finger_title.{FINGER_CODES[1]}",
        "good", "outcome.accepted.title", "outcome.accepted.line",
    ]  # fmt: skip


def test_a_newer_prompt_replaces_an_older_one_but_never_a_result(open_page: Callable[..., Any], station: Any) -> None:
    page = open_page()
    page.evaluate("window.speed = 0.25")  # nothing ends by itself
    station.show("claim")
    wait_heard(page, "started step.claim.title")
    station.show("finger", finger=FINGER_CODES[0])
    wait_heard(page, f"started finger_title.{FINGER_CODES[0]}")
    page.evaluate("window.speed = 16")
    station.show("result", result=PanelResult("not_identified", "", "2026-03-05T04:30:00.000000Z", "0305-0043"))
    wait_heard(page, "started staff")
    station.show("approach")
    wait_heard(page, "ended step.approach.title")
    said = started(page)
    assert "step.claim.line" not in said
    assert said[-4:] == ["staff", "outcome.not_identified.title", "outcome.not_identified.line", "step.approach.title"]


def test_two_clips_are_never_heard_at_once(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.evaluate("""async () => {
      const { say, sound, replay } = await import("/static/voice.js");
      say("step.look.title"); say("hint.come_closer"); sound("again"); say("hint.hold_still");
      sound("good"); say("outcome.accepted.title"); say("step.approach.title"); say("challenge.look_up");
    }""")
    wait_heard(page, "ended challenge.look_up")
    sounding = 0
    for item in page.evaluate("window.heard"):
        sounding += {"started": 1, "ended": -1}.get(item.split()[0], 0)
        assert sounding in (0, 1)


def test_say_it_again_says_the_last_sentence_again_and_not_the_one_of_the_person_before(
    open_page: Callable[..., Any], station: Any
) -> None:
    page = open_page()
    station.show("claim")
    wait_heard(page, "ended step.claim.line")
    page.evaluate("import('/static/voice.js').then((voice) => { window.heard.length = 0; voice.replay(); })")
    wait_heard(page, "ended step.claim.line")
    station.show("idle")
    page.wait_for_selector("body[data-step=idle]")
    page.evaluate("import('/static/voice.js').then((voice) => { window.heard.length = 0; voice.replay(); })")
    page.wait_for_timeout(100)
    assert page.evaluate("window.heard") == []


def test_a_page_without_permission_to_sound_stays_silent_and_works_and_speaks_from_the_first_touch(
    open_page: Callable[..., Any], station: Any
) -> None:
    page = open_page(hold=True)
    station.show("look")
    wait_heard(page, "blocked step.look.title")
    assert started(page) == []
    page.mouse.click(640, 5)
    wait_heard(page, "ended step.look.title")
    station.show("challenge", challenge="look_up")
    wait_heard(page, "started challenge.look_up")


def test_what_could_not_be_heard_is_not_said_to_the_next_person(open_page: Callable[..., Any], station: Any) -> None:
    page = open_page(hold=True)
    station.show("look")
    wait_heard(page, "blocked step.look.title")
    station.show("idle")
    page.wait_for_selector("body[data-step=idle]")
    page.mouse.click(640, 5)
    page.evaluate("import('/static/voice.js').then((voice) => voice.say('hint.come_closer'))")
    wait_heard(page, "ended hint.come_closer")
    assert started(page) == ["hint.come_closer"]


def test_nothing_is_played_while_the_volume_is_zero(open_page: Callable[..., Any], station: Any) -> None:
    page = open_page(voice=VoiceSettings(volume=0.0))
    station.show("look")
    page.wait_for_selector("body[data-step=look]")
    page.wait_for_timeout(100)
    assert page.evaluate("window.heard") == []


def test_who_walks_through_the_buttons_by_keys_hears_them_but_not_the_digits_of_a_number(
    open_page: Callable[..., Any], station: Any
) -> None:
    page = open_page()
    station.show("claim")
    wait_heard(page, "ended step.claim.line")
    page.evaluate("window.heard.length = 0")
    for _ in range(page.locator("button:visible").count()):
        page.keyboard.press("Tab")
        page.wait_for_timeout(30)
    wait_heard(page, "ended button.someone")
    assert [slot for slot in started(page) if not slot.startswith("button.")] == []
    assert "button.staff" not in started(page)


def test_a_dialect_is_heard_where_it_was_recorded_and_mandarin_elsewhere(
    open_page: Callable[..., Any], station: Any, tmp_path: Path
) -> None:
    (tmp_path / "teochew").mkdir()
    shipped = load_manifest()["mandarin"]["step.look.title"]
    (tmp_path / "teochew" / "step.look.title.ogg").write_bytes(shipped.path.read_bytes())
    page = open_page(voice=VoiceSettings(language="teochew", folder=tmp_path))
    asked: list[str] = []
    page.on("response", lambda answer: asked.append(f"{answer.status} {answer.url.rpartition('/voice/')[2]}"))
    station.show("look")
    wait_heard(page, "ended step.look.title")
    station.show("challenge", challenge="look_up")
    wait_heard(page, "ended challenge.look_up")
    assert "200 teochew/step.look.title" in asked
    assert "200 teochew/challenge.look_up" in asked
    assert page.evaluate("import('/static/voice.js').then((voice) => voice.languages())") == [
        "teochew", "mandarin", "english",
    ]  # fmt: skip


def test_every_outcome_is_heard_without_a_name_and_without_a_number(
    open_page: Callable[..., Any], station: Any
) -> None:
    page = open_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for number, outcome in enumerate(CheckInOutcome):
        result = PanelResult(outcome, "明", "2026-03-05T04:30:00.000000Z", f"0305-004{number}", "2026-03-19")
        station.show("result", result=result)
        wait_heard(page, f"ended outcome.{outcome}.line")
    assert len([url for url in asked if "/voice/" in url]) >= len(CheckInOutcome)
    assert not any("0305" in url or "%E6%98%8E" in url or "明" in url for url in asked)
