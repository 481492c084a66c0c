"""The kiosk's screen without a browser: what it lets in, what it pushes, what it says."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

import web.panel
from models.attendance import CheckInOutcome
from models.biometrics import FingerPosition
from models.errands import Errand
from models.errors import ConfigurationError, DeviceError, DeviceTimeout, RetryReason
from models.questions import Question
from web.panel.app import MOST_STATE_STREAMS, SERVER_OPTIONS, STREAMS_WORST_CASE, create_panel
from web.panel.facade import (
    CHALLENGE_CODES,
    CHOICE_CODES,
    FINGER_CODES,
    PanelHint,
    PanelResult,
    PanelState,
    PanelStep,
    state_body,
)
from web.panel.push import PREVIEW_STEPS
from web.panel.texts import LANGUAGES, load_texts

NOW = datetime(2026, 3, 5, 1, 30, tzinfo=UTC)
ROOM = Path(web.panel.__file__).parent
POSTS = ("claim", "help", "cancel")


@pytest.fixture
def panel(station: Any) -> Flask:
    return create_panel(station, clock=lambda: NOW, heartbeat_s=0.02, most_frames_per_s=1000)


@pytest.fixture
def client(panel: Flask) -> FlaskClient:
    return panel.test_client()


@pytest.fixture
def token(client: FlaskClient) -> dict[str, str]:
    return {"X-Panel-Token": page_settings(client)["token"]}


def page_settings(client: FlaskClient) -> dict[str, Any]:
    page = client.get("/").text
    return json.loads(re.search(r'id="settings">(.*?)</script>', page, re.S)[1])


def events(response: Any) -> Iterator[tuple[str, str, Any]]:
    """(id, event, data) of every message; comments and the retry field are passed over."""
    for block in response.iter_encoded():
        lines = [line.partition(": ") for line in block.decode().splitlines() if line[:1] not in ("", ":")]
        fields = {name: value for name, _, value in lines}
        if "event" in fields:
            body = json.loads(fields["data"]) if fields["event"] == "state" else fields["data"]
            yield fields.get("id", ""), fields["event"], body


def next_state(messages: Iterator[tuple[str, str, Any]]) -> tuple[str, dict[str, Any]]:
    return next((name, body) for name, event, body in messages if event == "state")


def frames(response: Any) -> Iterator[bytes]:
    for part in response.iter_encoded():
        head, _, rest = part.partition(b"\r\n\r\n")
        if length := re.search(rb"Content-Length: (\d+)", head):
            yield rest[: int(length[1])]


# --- who is let in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8090", "localhost:8090", "[::1]:8090"])
def test_the_page_is_served_under_every_loopback_name(client: FlaskClient, host: str) -> None:
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8090",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "192.168.1.5",
        "[::2]",
        "[",
    ],
)
@pytest.mark.parametrize("path", ["/", "/events", "/preview", "/static/panel.js"])
def test_a_foreign_host_name_is_refused_everywhere(client: FlaskClient, host: str, path: str) -> None:
    """A page elsewhere that points its own name at 127.0.0.1 gets nothing, not even a file."""
    response = client.get(path, headers={"Host": host})
    assert response.status_code in (400, 403)
    assert b"settings" not in response.data


def test_a_caller_from_another_machine_is_refused(client: FlaskClient) -> None:
    response = client.get("/", environ_base={"REMOTE_ADDR": "192.168.1.7"})
    assert (response.status_code, response.json["error"]["code"]) == (403, "not_this_kiosk")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_foreign_page_is_refused_even_with_the_token(
    client: FlaskClient, token: dict[str, str], station: Any, headers: dict[str, str]
) -> None:
    response = client.post("/claim", json={"number": "12"}, headers=token | headers)
    assert (response.status_code, response.json["error"]["code"]) == (403, "not_this_page")
    assert station.claimed == []


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("headers", [{}, {"X-Panel-Token": ""}, {"X-Panel-Token": "guess"}, {"X-Panel-Token": "é"}])
def test_a_post_without_the_pages_token_reaches_nobody(
    client: FlaskClient, station: Any, path: str, headers: dict[str, str]
) -> None:
    response = client.post(f"/{path}", json={"number": "12"}, headers=headers)
    assert (response.status_code, response.json["error"]["code"]) == (403, "token_invalid")
    assert (station.claimed, station.helped, station.cancelled) == ([], 0, 0)


def test_the_token_of_another_start_is_worth_nothing(station: Any, token: dict[str, str]) -> None:
    other = create_panel(station).test_client()
    assert other.post("/help", headers=token).status_code == 403


def test_every_answer_carries_the_headers_that_keep_foreign_code_out(client: FlaskClient) -> None:
    for path in ("/", "/static/panel.css", "/nothing"):
        with client.get(path) as response:
            headers = response.headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers
    assert client.get("/").headers["Cache-Control"] == "no-store"


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No address in the page, its style or its scripts; namespaces of SVG excepted."""
    for path in filter(Path.is_file, [*ROOM.glob("static/**/*"), *ROOM.glob("templates/*")]):
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|src=\"//|@import|url\(", text), path.name


def test_the_page_has_no_inline_script_or_style(client: FlaskClient) -> None:
    page = client.get("/").text
    assert re.findall(r"<script(?![^>]*(?:src=|application/json))", page) == []
    assert not re.search(r"\sstyle=|\son\w+=|<style", page)


# --- the buttons -----------------------------------------------------------------------------------------------------


def test_a_claimed_number_reaches_the_station(client: FlaskClient, token: dict[str, str], station: Any) -> None:
    assert client.post("/claim", json={"number": "0042"}, headers=token).status_code == 202
    assert station.claimed == ["0042"]


@pytest.mark.parametrize("number", ["", "12a", "-1", " 12", "１２", "²", "1" * 21, 12, True, None, ["1"], {"a": 1}])
def test_what_is_not_a_number_is_refused(client: FlaskClient, token: dict[str, str], station: Any, number: Any) -> None:
    response = client.post("/claim", json={"number": number}, headers=token)
    assert (response.status_code, response.json["error"]["code"]) == (400, "number_invalid")
    assert station.claimed == []


@pytest.mark.parametrize("content", [b"", b"[]", b'"7"', b"{", b"\xff\xfe", b"number=12"])
def test_a_body_that_is_no_object_is_refused(client: FlaskClient, token: dict[str, str], content: bytes) -> None:
    response = client.post("/claim", data=content, content_type="application/json", headers=token)
    assert (response.status_code, response.json["error"]["code"]) == (400, "number_invalid")


def test_a_gigantic_body_is_refused(client: FlaskClient, token: dict[str, str], station: Any) -> None:
    response = client.post("/claim", json={"number": "1" * 5000}, headers=token)
    assert response.status_code in (400, 413)
    assert station.claimed == []


def test_help_and_back_reach_the_station(client: FlaskClient, token: dict[str, str], station: Any) -> None:
    assert client.post("/help", headers=token).status_code == 202
    assert station.state().step == "help"
    assert client.post("/cancel", headers=token).status_code == 202
    assert (station.helped, station.cancelled, station.state().step) == (1, 1, "idle")


@pytest.mark.parametrize("path", POSTS)
def test_a_button_cannot_be_pressed_by_a_link(client: FlaskClient, path: str) -> None:
    response = client.get(f"/{path}")
    assert (response.status_code, response.json["error"]["code"]) == (405, "method_not_allowed")


def test_a_station_that_fails_is_one_sentence_with_its_code(
    client: FlaskClient, token: dict[str, str], station: Any
) -> None:
    station.fails_with = DeviceTimeout("The sensor stays silent.")
    response = client.post("/claim", json={"number": "1"}, headers=token)
    assert (response.status_code, response.json) == (
        503,
        {"error": {"code": "device_silent", "message": "The sensor stays silent."}},
    )


def test_an_unexpected_error_tells_nothing_of_itself(client: FlaskClient, token: dict[str, str], station: Any) -> None:
    station.fails_with = RuntimeError("person 0042")
    response = client.post("/claim", json={"number": "1"}, headers=token)
    assert (response.status_code, response.json["error"]["code"]) == (500, "internal_error")
    assert "0042" not in response.text


# --- the state, pushed -----------------------------------------------------------------------------------------------


def test_the_state_now_is_the_first_event_and_each_change_the_next(client: FlaskClient, station: Any) -> None:
    with client.get("/events") as response:
        assert response.content_type == "text/event-stream; charset=utf-8"
        messages = events(response)
        first_name, first = next_state(messages)
        assert (first["step"], first["now"]) == ("idle", "2026-03-05T01:30:00.000000Z")
        station.show("look", hint=RetryReason.COME_CLOSER)
        name, body = next_state(messages)
        assert (body["step"], body["hint"], body["version"]) == ("look", "come_closer", 2)
        assert name == f"{body['boot']}:2" != first_name


def test_a_reconnecting_page_hears_only_news(client: FlaskClient, station: Any) -> None:
    with client.get("/events") as response:
        last, _ = next_state(events(response))
    with client.get("/events", headers={"Last-Event-ID": last}) as response:
        messages = events(response)
        assert next(messages)[1] == "alive"  # the heartbeat, not the state it already has
        station.show("finger", finger="right_index")
        assert next_state(messages)[1]["finger"] == "right_index"


def test_after_a_restart_of_the_station_the_same_version_is_news(client: FlaskClient) -> None:
    with client.get("/events", headers={"Last-Event-ID": "anotherboot:1"}) as response:
        assert next_state(events(response))[1]["boot"] == page_settings(client)["boot"]


def test_a_quiet_stream_has_a_heartbeat_with_a_comment(client: FlaskClient) -> None:
    with client.get("/events") as response:
        blocks = response.iter_encoded()
        assert next(blocks) == b"retry: 1000\n\n"
        next(blocks)
        assert next(blocks).startswith(b": alive\nevent: alive\n")


def test_the_oldest_page_gives_way_to_the_newest(client: FlaskClient) -> None:
    opened = [client.get("/events") for _ in range(MOST_STATE_STREAMS + 1)]
    kinds = [event for _, event, _ in events(opened[0])]
    assert kinds[-1] == "replaced"
    assert next_state(events(opened[-1]))[1]["step"] == "idle"
    for response in opened:
        response.close()


def test_too_many_pages_are_refused_until_one_has_gone(client: FlaskClient) -> None:
    opened = [client.get("/events") for _ in range(2 * MOST_STATE_STREAMS)]
    refused = client.get("/events")
    assert (refused.status_code, refused.json["error"]["code"]) == (503, "too_many_streams")
    assert refused.headers["Retry-After"] == "2"
    opened.pop().close()  # not one byte of it was read
    with client.get("/events") as response:
        assert response.status_code == 200
    for response in opened:
        response.close()


def test_asking_only_for_the_head_of_a_stream_takes_no_place(client: FlaskClient) -> None:
    for _ in range(4 * MOST_STATE_STREAMS):
        with client.head("/events") as response:
            assert response.status_code == 200


def test_the_server_keeps_threads_for_the_buttons_whatever_the_streams_do() -> None:
    assert SERVER_OPTIONS["threads"] > STREAMS_WORST_CASE


# --- the preview -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", sorted(set(PanelStep) - PREVIEW_STEPS))
def test_no_picture_leaves_the_station_while_nobody_checks_in(client: FlaskClient, station: Any, step: str) -> None:
    """A bystander in front of the camera is not shown."""
    station.give_frame(b"frame")
    station.show(step)
    response = client.get("/preview")
    assert (response.status_code, response.data) == (204, b"")


def test_the_preview_is_the_newest_frame_and_skips_those_that_came_meanwhile(client: FlaskClient, station: Any) -> None:
    station.show("look")
    station.give_frame(b"first")
    with client.get("/preview") as response:
        assert response.content_type == "multipart/x-mixed-replace; boundary=muster-frame"
        pictures = frames(response)
        assert next(pictures) == b"first"
        for number in range(5):
            station.give_frame(b"frame %d" % number)
        assert next(pictures) == b"frame 4"


def test_every_picture_says_when_it_was_taken(client: FlaskClient, station: Any) -> None:
    station.show("look")
    station.give_frame(b"first")
    with client.get("/preview") as response:
        part = next(part for part in response.iter_encoded() if b"first" in part)
    assert re.search(rb"\r\nX-Captured-Monotonic-Ns: (\d+)\r\n", part)[1] == b"40000000"


def test_the_preview_ends_with_the_step(client: FlaskClient, station: Any) -> None:
    station.show("challenge")
    station.give_frame(b"frame")
    with client.get("/preview") as response:
        pictures = frames(response)
        next(pictures)
        station.show("result")
        station.give_frame(b"after")
        assert list(pictures) == []


def test_a_closed_preview_over_a_real_server_gives_its_place_back(panel: Flask, station: Any, serve: Any) -> None:
    """More pages come and go than there are places; the last one still gets frames."""
    address = urlsplit(serve(panel, channel_request_lookahead=1))
    station.show("look")
    for number in range(12):
        station.give_frame(b"frame %d" % number)
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
        connection.request("GET", "/preview")
        response = connection.getresponse()
        if response.status == 200:
            assert response.read(20).startswith(b"--muster-frame")
        response.close()
        connection.close()
    station.show("idle")  # ends all that are open
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=5)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


# --- what a bystander may see ----------------------------------------------------------------------------------------


def test_only_one_character_of_a_name_is_ever_sent() -> None:
    result = PanelResult("accepted", "张小明", "2026-03-05T01:30:00.000000Z", "0042")
    body = state_body(PanelState(version=1, step="result", result=result))
    assert body["result"]["shown_name"] == "明"
    assert "张" not in json.dumps(body, ensure_ascii=False)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_check_in_that_fails_has_the_same_neutral_words(language: str) -> None:
    texts = load_texts(language)["outcome"]
    open_words = {"accepted", "already_present", "witnessed", "outside_window"}
    assert len({json.dumps(texts[outcome]) for outcome in CheckInOutcome if outcome not in open_words}) == 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_on_the_screen_tells_why_somebody_comes(language: str) -> None:
    words = json.dumps(load_texts(language), ensure_ascii=False).lower()
    for forbidden in ("矫正", "罪", "刑", "违", "假释", "管制", "缓", "攻击", "假冒", "失败", "拒绝"):
        assert forbidden not in words
    for forbidden in ("correction", "offence", "offender", "probation", "parole", "attack", "violation", "failed"):
        assert forbidden not in words.split('"outcome": {')[0]  # codes are keys, not words
        assert not re.search(rf': "[^"]*{forbidden}', words)


# --- the catalogues --------------------------------------------------------------------------------------------------


def leaves(node: Any, path: str = "") -> dict[str, str]:
    if isinstance(node, str):
        return {path: node}
    return {
        key: word
        for name, child in node.items()
        for key, word in leaves(child, f"{path}.{name}" if path else name).items()
    }


def error_codes(cls: type[DeviceError] = DeviceError) -> set[str]:
    return {cls.code}.union(*(error_codes(child) for child in cls.__subclasses__()))


def test_both_languages_say_the_same_things_with_the_same_blanks() -> None:
    chinese, english = (leaves(load_texts(language)) for language in LANGUAGES)
    assert chinese.keys() == english.keys()
    for key in chinese:
        assert chinese[key].strip() and english[key].strip(), key
        assert set(re.findall(r"\{\w+\}", chinese[key])) == set(re.findall(r"\{\w+\}", english[key])), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_has_words(language: str) -> None:
    texts = load_texts(language)
    assert set(texts["step"]) == set(PanelStep) == set(texts["explain"])
    assert set(texts["hint"]) == {*RetryReason, *PanelHint}
    assert set(texts["outcome"]) == set(CheckInOutcome)
    assert set(texts["challenge"]) == set(CHALLENGE_CODES)
    assert set(texts["finger"]) == set(FINGER_CODES)
    assert set(texts["error"]) >= error_codes()
    assert set(texts["menu"]) == {*Errand, "done"}
    assert set(texts["recorded"]) == {*Errand, "presence"}
    assert set(texts["question"]) == set(Question)
    assert set(texts["answer"]) == {"yes", "no", "unsure"} <= CHOICE_CODES


def test_every_word_that_the_page_asks_for_is_there() -> None:
    known = leaves(load_texts("zh_CN"))
    asked = set(re.findall(r'data-text="([\w.]+)"', (ROOM / "templates/panel.html").read_text("utf-8")))
    for script in ROOM.glob("static/**/*.js"):
        asked |= set(re.findall(r'\btext\("([\w.]+)"', script.read_text("utf-8")))
    assert asked - known.keys() == set()


def test_finger_codes_follow_the_standard_positions() -> None:
    assert [FingerPosition[code.upper()].value for code in FINGER_CODES] == list(range(1, 11))


def test_an_unknown_language_or_time_zone_is_one_sentence(station: Any) -> None:
    with pytest.raises(ConfigurationError, match="zh_CN and en, not 'fr'"):
        create_panel(station, language="fr")
    for timezone in ("Mars/Olympus", "", "../etc/passwd"):
        with pytest.raises(ConfigurationError, match="no time zone"):
            create_panel(station, timezone=timezone)


def test_the_page_opens_in_the_language_it_was_made_for(station: Any) -> None:
    page = create_panel(station, language="en").test_client().get("/").text
    assert '<html lang="en">' in page and "<title>Check-in</title>" in page
