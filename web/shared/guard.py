"""Headers that every answer carries. Owns the content security policy; refuses exceptions to it."""

from __future__ import annotations

from flask import Flask, Response

_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)


def install_guard(app: Flask, *, camera: bool = False) -> None:
    """Add the security headers to every answer of ``app``; ``camera`` allows its own pages to ask for one."""

    @app.after_request
    def guard(response: Response) -> Response:
        headers = response.headers
        headers.setdefault("Content-Security-Policy", _POLICY)
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.setdefault("X-Frame-Options", "DENY")
        headers.setdefault("Referrer-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
        headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        headers.setdefault("Permissions-Policy", f"camera=({'self' if camera else ''}), microphone=(), geolocation=()")
        if response.mimetype in {"text/html", "application/json", "text/csv"}:
            headers.setdefault("Cache-Control", "no-store")  # records of people stay out of every cache
        return response
