"""``/voice/<language>/<slot>``: the clips for the page. Owns the route; refuses names that are not in the catalogue.

A name from the address is only ever looked up, never made into a path.
"""

from __future__ import annotations

import hashlib

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from web.panel.voice.voices import Voices


def voice_routes(voices: Voices) -> Blueprint:
    """The routes of ``voices``; a slot without any clip is answered with 204, so that the page just stays silent."""
    routes = Blueprint("voice", __name__)

    @routes.get("/voice/<language>/<slot>")
    def clip(language: str, slot: str) -> ResponseReturnValue:
        if not voices.settings.enabled or not voices.has(language, slot):
            abort(404)
        found = voices.sound(slot) if language == "sounds" else voices.clip(language, slot)
        if found is None:
            return Response(status=204)
        response = Response(found.content, content_type=found.media_type)
        response.headers["Cache-Control"] = "private, no-cache"  # kept, but asked about: a recording may be new
        response.set_etag(hashlib.sha256(found.content).hexdigest()[:20])
        return response.make_conditional(request)

    return routes
