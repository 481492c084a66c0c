"""How a center is served by waitress. Owns the options of the server; refuses to start one.

Waitress moves what is large into temporary files: a picture that is sent, a table that is asked for. Neither may lie on
a disk, not even for a moment, so both stay in memory; what a request may hold is limited.
"""

from __future__ import annotations

from typing import Any

from web.center.settings import MIB, CenterSettings

THREADS = 8


def server_options(settings: CenterSettings) -> dict[str, Any]:
    """Keyword arguments for ``web.shared.serving.open_server``, beside the app and its address."""
    largest_body = settings.console_body_bytes + MIB
    return {
        "threads": THREADS,
        "ident": "muster",
        "max_request_body_size": largest_body,
        "inbuf_overflow": largest_body + MIB,
        "outbuf_overflow": 1024 * MIB,
        "clear_untrusted_proxy_headers": not settings.proxies,
    }
