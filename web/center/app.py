"""The center put together, read from top to bottom. Owns the order of the parts; refuses rules of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from flask import Flask, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.middleware.proxy_fix import ProxyFix

from matcher.engines import load_engine as load_matcher_engine
from models.attendance import utc_now
from models.store.engine import open_store
from web.center.api.openapi import describe
from web.center.api.routes import api
from web.center.console.menu import CONSOLE
from web.center.console.pages import error_page, install_pages
from web.center.console.session import chosen_language
from web.center.context import EXTENSION, Center
from web.center.drafts import DRAFTS, Drafts
from web.center.keys import center_key, session_key
from web.center.lane import LoadEngine, MatcherLane
from web.center.settings import CenterSettings
from web.center.version import version
from web.shared.errors import install_errors
from web.shared.guard import install_guard
from web.shared.i18n import install_languages
from web.shared.skin import install_skin
from web.shared.uploads import MemoryRequest

API = "/api/v1"
TRANSLATIONS = Path(__file__).parent / "translations"


def create_center(
    settings: CenterSettings,
    *,
    clock: Callable[[], datetime] = utc_now,
    load_engine: LoadEngine = load_matcher_engine,
    hasher: PasswordHasher | None = None,
) -> Flask:
    """The center as a WSGI app on a migrated store.

    Raises ConfigurationError for settings that cannot be meant, StoreError if the database or the keys cannot be used.
    """
    folder = settings.keys_folder()
    center = Center(
        settings=settings,
        store=open_store(settings.database, branch="center"),
        key=center_key(folder),
        clock=clock,
        hasher=hasher or PasswordHasher(),
        lane=MatcherLane(load_engine),
    )
    app = Flask(__name__)
    app.request_class = MemoryRequest
    app.extensions[EXTENSION] = center
    app.config.update(
        SECRET_KEY=session_key(folder),
        SESSION_COOKIE_NAME="muster_console",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=settings.https,
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=settings.session_limit_s),
        MAX_CONTENT_LENGTH=settings.console_body_bytes,
        MAX_FORM_MEMORY_SIZE=4 * 1024 * 1024,
        MAX_FORM_PARTS=200,
        WTF_CSRF_TIME_LIMIT=None,  # as long as the session, which has limits of its own
        TEMPLATES_AUTO_RELOAD=False,
    )
    if settings.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=settings.proxies, x_proto=settings.proxies)  # type: ignore[method-assign]
    install_errors(app, is_api=_for_machines, page=error_page)
    install_languages(app, [TRANSLATIONS], select=chosen_language, timezone=settings.timezone)
    install_guard(app, camera=True)
    install_skin(app)
    _install_interface(app, center)
    _install_console(app, center)
    return app


def center_of(app: Flask) -> Center:
    """The center inside an app that ``create_center`` made."""
    center: Center = app.extensions[EXTENSION]
    return center


def _install_interface(app: Flask, center: Center) -> None:
    app.register_blueprint(api, url_prefix=API)
    document = describe(version())

    @app.get("/openapi.json", provide_automatic_options=False)
    def openapi() -> ResponseReturnValue:
        return jsonify(document)

    @app.before_request
    def limit_body() -> None:
        if request.path.startswith(API + "/"):
            parcel = request.path == API + "/parcels"
            limit = center.settings.parcel_body_bytes if parcel else center.settings.api_body_bytes
            request.max_content_length = limit
            if (request.content_length or 0) > limit:
                raise RequestEntityTooLarge


def _install_console(app: Flask, center: Center) -> None:
    limiter = Limiter(get_remote_address, app=app, storage_uri="memory://", headers_enabled=True)
    for blueprint in CONSOLE:
        app.register_blueprint(blueprint)
    install_pages(app)
    protection = CSRFProtect(app)
    protection.exempt(api)
    limiter.limit(center.settings.api_limit)(api)
    _limit(app, limiter, "api.open_", center.settings.pairing_limit)
    _limit(app, limiter, "account.sign_in", center.settings.sign_in_limit)
    _limit(app, limiter, "account.password_now", center.settings.sign_in_limit)
    _limit(app, limiter, "account.pin_now", center.settings.sign_in_limit)
    _limit(app, limiter, "kiosks.approve", center.settings.sign_in_limit)
    app.extensions[DRAFTS] = Drafts()

    @app.get("/")
    def index() -> ResponseReturnValue:
        return redirect(url_for("overview.show"))


def _limit(app: Flask, limiter: Limiter, endpoint: str, rate: str) -> None:
    view: Any = app.view_functions[endpoint]
    app.view_functions[endpoint] = limiter.limit(rate, methods=["POST"])(view)


def _for_machines(path: str) -> bool:
    return path == "/openapi.json" or path.startswith("/api/")
