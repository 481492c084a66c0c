"""The kiosk's screen as a small web application. Owns its routes; refuses every decision, which is the station's.

One page is served; it never loads another. Its state arrives by server-sent events, its preview as a multipart JPEG
stream, and its buttons are posts. Serve it with waitress and SERVER_OPTIONS: open streams pin worker threads.
"""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import structlog
from flask import Flask, Response, abort, render_template, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from models.attendance import utc_now
from models.errands import Errand
from models.errors import ConfigurationError, InputError, MusterError
from web.panel.facade import (
    CHALLENGE_CODES,
    CHOICE_CODES,
    FINGER_CODES,
    LONGEST_STAFF_FIELD,
    MOST_DIGITS,
    MOST_STAFF_FIELDS,
    PanelFacade,
    PanelStep,
)
from web.panel.guard import has_token, refusal, seal
from web.panel.push import BOUNDARY, PREVIEW_STEPS, push_frames, push_states, shows_preview
from web.panel.slides import Slides, slide_body
from web.panel.streams import Stream, Streams
from web.panel.texts import LANGUAGES, load_texts
from web.panel.voice.routes import voice_routes
from web.panel.voice.settings import VoiceSettings
from web.panel.voice.voices import Voices
from web.shared.errors import error_json

MOST_STATE_STREAMS: Final = 2
MOST_PREVIEW_STREAMS: Final = 2
MOST_FRAMES_PER_S: Final = 20.0
HEARTBEAT_S: Final = 2.0  # after three of them without a word the page says so and connects anew
MOST_BODY_BYTES: Final = 1024
STREAMS_WORST_CASE: Final = 2 * (MOST_STATE_STREAMS + MOST_PREVIEW_STREAMS)
SERVER_OPTIONS: Final[Mapping[str, Any]] = {
    "threads": STREAMS_WORST_CASE + 4,  # four are left for the page and its buttons, whatever the streams do
    # A slow screen skips frames instead of queueing them: two or three fit into what is allowed to wait.
    "outbuf_high_watermark": 64 * 1024,
    "channel_request_lookahead": 1,  # lets a stream notice that its page is gone
    "ident": None,
}

_log = structlog.get_logger("panel")


def create_panel(
    facade: PanelFacade,
    *,
    language: str = "zh_CN",
    timezone: str = "Asia/Shanghai",
    clock: Callable[[], datetime] = utc_now,
    most_frames_per_s: float = MOST_FRAMES_PER_S,
    heartbeat_s: float = HEARTBEAT_S,
    slides: Path | None = None,
    voice: VoiceSettings | None = None,
) -> Flask:
    """The screen of the station behind ``facade``, in ``language`` first; times are shown in ``timezone``.

    ``slides`` is a folder of pictures and texts that are shown while nobody is there, ``voice`` how the page speaks.

    Raises ConfigurationError for a language or time zone there is none of.
    """
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BODY_BYTES
    token, boot = secrets.token_urlsafe(32), secrets.token_hex(8)
    settings = _page_settings(language=language, timezone=timezone, heartbeat_s=heartbeat_s, token=token, boot=boot)
    state_streams, preview_streams = Streams(MOST_STATE_STREAMS), Streams(MOST_PREVIEW_STREAMS)
    _guard(app, token)
    voices, zone = Voices(voice or VoiceSettings()), ZoneInfo(timezone)
    settings["voice"] = voices.page_settings()
    app.register_blueprint(voice_routes(voices))

    @app.get("/")
    def page() -> ResponseReturnValue:
        return render_template("panel.html", settings=settings, texts=load_texts(language), steps=list(PanelStep))

    @app.get("/events")
    def events() -> ResponseReturnValue:
        stream = _admit(state_streams)
        last = request.headers.get("Last-Event-ID", "")
        content = push_states(
            facade, stream, boot=boot, last_event_id=last, clock=clock, heartbeat_s=heartbeat_s,
            volume_at=lambda now: voices.volume_at(now, zone),
        )  # fmt: skip
        return _streamed(content, stream, "text/event-stream; charset=utf-8")

    @app.get("/preview")
    def preview() -> ResponseReturnValue:
        if not shows_preview(facade.state()):
            return Response(status=204)
        stream = _admit(preview_streams)
        content = push_frames(facade, stream, most_per_s=most_frames_per_s)
        return _streamed(content, stream, f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    shown = Slides(slides)

    @app.get("/slides")
    def list_slides() -> ResponseReturnValue:
        return {"slides": [slide_body(slide) for slide in shown.listed()]}

    @app.get("/slides/<name>")
    def slide(name: str) -> ResponseReturnValue:
        content, mimetype = shown.picture(name) or abort(404)
        return Response(content, mimetype=mimetype, headers={"Cache-Control": "private, max-age=3600"})

    @app.post("/claim")
    def claim() -> ResponseReturnValue:
        facade.claim(_claimed_number())
        return Response(status=202)

    @app.post("/choose")
    def choose() -> ResponseReturnValue:
        facade.choose(_chosen_code())
        return Response(status=202)

    @app.post("/staff")
    def staff() -> ResponseReturnValue:
        facade.staff_act(*_staff_act())
        return Response(status=202)

    @app.post("/help")
    def ask_for_help() -> ResponseReturnValue:
        facade.ask_for_help()
        return Response(status=202)

    @app.post("/cancel")
    def cancel() -> ResponseReturnValue:
        facade.cancel()
        return Response(status=202)

    return app


def _page_settings(**settings: Any) -> dict[str, Any]:
    try:
        ZoneInfo(settings["timezone"])
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise ConfigurationError(f"There is no time zone {settings['timezone']!r}.") from error
    load_texts(settings["language"])
    return {
        **settings,
        "texts": {name: load_texts(name) for name in LANGUAGES},
        "preview_steps": sorted(PREVIEW_STEPS),
        "challenges": CHALLENGE_CODES,
        "fingers": FINGER_CODES,
        "most_digits": MOST_DIGITS,
    }


def _guard(app: Flask, token: str) -> None:
    """Check every request before its view, seal every answer after it, answer every error as JSON."""

    @app.before_request
    def check() -> ResponseReturnValue | None:
        code = refusal(request)
        if code is None and request.method == "POST" and not has_token(request, token):
            code = "token_invalid"
        return None if code is None else error_json(403, code, "Only the kiosk's own page may ask this.")

    app.after_request(seal)

    @app.errorhandler(HTTPException)
    def refuse(error: HTTPException) -> ResponseReturnValue:
        return error_json(error.code or 500, error.name.lower().replace(" ", "_"), error.description or error.name)

    @app.errorhandler(MusterError)
    def report(error: MusterError) -> ResponseReturnValue:
        return error_json(400 if isinstance(error, InputError) else 503, error.code, str(error))

    @app.errorhandler(Exception)
    def fail(error: Exception) -> ResponseReturnValue:
        place = traceback.extract_tb(error.__traceback__)[-1]  # the message may hold a number: leave it out
        _log.error("unexpected_error", kind=type(error).__name__, file=place.filename, line=place.lineno)
        return error_json(500, "internal_error", "The kiosk could not answer.")


def _admit(streams: Streams) -> Stream:
    stream = streams.admit(disconnected=request.environ.get("waitress.client_disconnected", lambda: False))
    if stream is None:
        refused = error_json(503, "too_many_streams", "Too many pages are open on this kiosk.")
        refused.headers["Retry-After"] = "2"
        abort(refused)
    return stream


def _streamed(content: Iterator[bytes], stream: Stream, mimetype: str) -> Response:
    response = Response(content, content_type=mimetype)
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(stream.release)  # also when not one byte was sent, unlike a finally in the generator
    return response


def _chosen_code() -> str:
    """The code in the body. Raises InputError unless it is one that a screen may offer."""
    body = request.get_json(silent=True)
    code = body.get("code") if isinstance(body, dict) else None
    if not isinstance(code, str) or code not in CHOICE_CODES | {errand.value for errand in Errand}:
        raise InputError("There is no such choice.", code="choice_invalid")
    return code


def _staff_act() -> tuple[str, dict[str, str]]:
    """The act and its fields. Raises InputError unless they are a few short texts."""
    body = request.get_json(silent=True)
    act, fields = (body.get("act"), body.get("fields", {})) if isinstance(body, dict) else (None, None)
    if not isinstance(act, str) or not isinstance(fields, dict) or len(fields) > MOST_STAFF_FIELDS:
        raise InputError("There is no such act.", code="act_invalid")
    texts = [act, *fields, *fields.values()]
    if any(not isinstance(text, str) or len(text) > LONGEST_STAFF_FIELD for text in texts):
        raise InputError("There is no such act.", code="act_invalid")
    return act, fields


def _claimed_number() -> str:
    """The number in the body. Raises InputError unless it is 1 to MOST_DIGITS plain digits."""
    body = request.get_json(silent=True)
    number = body.get("number") if isinstance(body, dict) else None
    if not isinstance(number, str) or not (number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS):
        raise InputError(f"A number has 1 to {MOST_DIGITS} digits.", code="number_invalid")
    return number
