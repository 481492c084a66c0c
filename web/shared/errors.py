"""Every error as one clear answer: JSON for machines, a page for people. Owns the mapping from error to status.

Refuses to tell a caller what broke inside: an unexpected error is logged by its type and place and answered with a
sentence that says nothing of it.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable

import structlog
from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from models.errors import (
    AccessDenied,
    InputError,
    LedgerError,
    MusterError,
    RequestReplayed,
    StoreError,
    WireError,
)

_log = structlog.get_logger("web")

_STATUS: tuple[tuple[type[MusterError], int], ...] = (
    (AccessDenied, 403),
    (RequestReplayed, 409),
    (WireError, 401),
    (LedgerError, 409),
    (StoreError, 503),
    (InputError, 422),
)

_HTTP_CODES = {
    400: "request_malformed",
    401: "not_signed_in",
    403: "access_denied",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    409: "conflict",
    411: "length_required",
    413: "body_too_large",
    414: "address_too_long",
    415: "media_type_unsupported",
    422: "input_invalid",
    429: "too_many_requests",
    431: "headers_too_large",
    500: "internal_error",
    503: "store_failed",
}

ErrorPage = Callable[[int, str, str], ResponseReturnValue]


class ApiError(MusterError):
    """An error whose status the view knows; ``code`` and sentence reach the caller."""

    def __init__(self, status: int, code: str, sentence: str) -> None:
        super().__init__(sentence, code=code)
        self.status = status


def status_of(error: MusterError) -> int:
    """The HTTP status of an expected error."""
    if isinstance(error, ApiError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def error_json(status: int, code: str, message: str) -> Response:
    """``{"error": {"code", "message"}}`` with its status."""
    answer = jsonify({"error": {"code": code, "message": message}})
    answer.status_code = status
    return answer


def install_errors(app: Flask, *, is_api: Callable[[str], bool], page: ErrorPage) -> None:
    """Answer every error of ``app``.

    ``is_api(path)`` says whether a machine asked; ``page(status, code, sentence)`` renders for a person.
    """

    def answer(status: int, code: str, sentence: str) -> ResponseReturnValue:
        if is_api(request.path):
            return error_json(status, code, sentence)
        return page(status, code, sentence)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> ResponseReturnValue:
        if error.code is None or error.code < 400:
            return error.get_response()
        sentence = (error.description or error.name).split("\n")[0]
        shown = app.make_response(answer(error.code, _HTTP_CODES.get(error.code, f"http_{error.code}"), sentence))
        for name in ("Allow", "Retry-After"):
            if name in error.get_response().headers:
                shown.headers[name] = error.get_response().headers[name]
        return shown

    @app.errorhandler(MusterError)
    def expected(error: MusterError) -> ResponseReturnValue:
        status = status_of(error)
        if status >= 500:
            _log.error("store_or_ledger_failed", code=error.code, path=request.path)
            return answer(status, error.code, "The center cannot store anything at the moment.")
        return answer(status, error.code, str(error))

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> ResponseReturnValue:
        place = traceback.extract_tb(error.__traceback__)[-1]  # the message may hold a person's name: leave it out
        _log.error("unexpected_error", kind=type(error).__name__, file=place.filename, line=place.lineno)
        return answer(500, "internal_error", "Something went wrong inside the center; it was written to its log.")
