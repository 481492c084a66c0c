"""Who may talk to the screen's server. Owns the checks of every request; refuses everybody but the kiosk's own page.

A web page opened elsewhere can point its own host name at 127.0.0.1 (DNS rebinding), or send requests here without
reading the answers (cross-site forgery). Against the first only loopback names are accepted in Host; against the
second come the token that only this page carries, Origin and Sec-Fetch-Site.
"""

from __future__ import annotations

import hmac
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from flask import Request, Response

TOKEN_HEADER: Final = "X-Panel-Token"  # noqa: S105 - the header's name
LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "::1"})
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def refusal(request: Request) -> str | None:
    """The code why this request is not the page's own, or None. Applies to every request."""
    if not _is_loopback_address(request.remote_addr) or not _is_loopback_name(request.host):
        return "not_this_kiosk"
    if request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}:
        return "not_this_page"
    origin = request.headers.get("Origin")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        return "not_this_page"
    return None


def has_token(request: Request, token: str) -> bool:
    """Whether the request carries the page's token, compared in constant time."""
    return hmac.compare_digest(request.headers.get(TOKEN_HEADER, "").encode(), token.encode())


def seal(response: Response) -> Response:
    """Add the headers that keep foreign scripts, frames and caches out."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def _is_loopback_name(host: str) -> bool:
    try:
        return (urlsplit(f"//{host}").hostname or "") in LOOPBACK_NAMES
    except ValueError:
        return False


def _is_loopback_address(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False
