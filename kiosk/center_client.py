"""One request to the center and its answer. Owns HTTP, TLS and signing; refuses to decide what an answer means.

The standard library's client on purpose: a kiosk posts a few small documents a minute.
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from kiosk.clock import Clock
from kiosk.config import CenterConfig
from models import wire
from models.errors import ConfigurationError, MusterError

MAX_ANSWER_BYTES = 64 * 1024 * 1024  # a gallery of thousands fits; a babbling server does not fill the memory


class CenterUnreachable(MusterError):  # noqa: N818 - named as models.errors names its kin
    """No answer came: no network, no such host, refused, too slow, cut off, or a certificate that is not trusted."""

    code = "center_unreachable"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, its headers (names in lower case) and its JSON (None where the body was none)."""

    status: int
    headers: Mapping[str, str]
    content: Any

    @property
    def error_code(self) -> str:
        """The center's ``error.code``, or ``http_<status>`` where it gave none."""
        return self._code() or f"http_{self.status}"

    @property
    def from_center(self) -> bool:
        """Whether an error is the center's own and not that of something in between."""
        return bool(self._code())

    def _code(self) -> str:
        error = self.content.get("error") if isinstance(self.content, dict) else None
        code = error.get("code") if isinstance(error, dict) else None
        return str(code) if code else ""


@dataclass(slots=True)
class CenterClient:
    """Talks to one center, signing as ``key_id`` once there is one. Use it from one thread."""

    config: CenterConfig
    clock: Clock
    key: Ed25519PrivateKey | None = None
    key_id: str = ""
    _context: ssl.SSLContext | None = field(default=None, repr=False)

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, timeout_s: float | None = None) -> Answer:
        """GET ``path`` (from the center's address on). Raises CenterUnreachable."""
        return self._request("GET", path, b"", headers or {}, timeout_s)

    def post(self, path: str, content: Any, *, timeout_s: float | None = None) -> Answer:
        """POST ``content`` as JSON. Raises CenterUnreachable."""
        body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
        return self._request("POST", path, body, {"Content-Type": "application/json"}, timeout_s)

    def _request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], timeout_s: float | None
    ) -> Answer:
        url = self.config.url.rstrip("/") + path
        sent = {"Accept": "application/json", "Connection": "close", **headers}
        if self.key is not None and self.key_id:
            sent |= wire.sign_request(method, url, body, key=self.key, key_id=self.key_id, now=self.clock.now())
        address = urlsplit(url)
        target = address.path + (f"?{address.query}" if address.query else "")
        connection = self._connection(timeout_s or self.config.timeout_s)
        try:
            connection.request(method, target, body=body or None, headers=sent)
            response = connection.getresponse()
            received = response.read(MAX_ANSWER_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            raise CenterUnreachable(f"The center at {self.config.url} does not answer: {_plain(error)}.") from error
        finally:
            connection.close()
        if len(received) > MAX_ANSWER_BYTES:
            raise CenterUnreachable(f"The center at {self.config.url} answered with more than it may.")
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, _json(received))

    def _connection(self, timeout_s: float) -> http.client.HTTPConnection:
        address = urlsplit(self.config.url)
        host = address.hostname or ""
        if address.scheme == "https":
            return http.client.HTTPSConnection(host, address.port, timeout=timeout_s, context=self._tls())
        return http.client.HTTPConnection(host, address.port, timeout=timeout_s)

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            try:
                self._context = ssl.create_default_context(cafile=self.config.ca_file or None)
            except (OSError, ssl.SSLError) as error:
                raise ConfigurationError(f"center.ca_file {self.config.ca_file} is no certificate file.") from error
        return self._context


def _plain(error: Exception) -> str:
    """An error of the network in a few words."""
    if isinstance(error, TimeoutError):
        return "it took too long"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _json(received: bytes) -> Any:
    try:
        return json.loads(received) if received else None
    except ValueError:  # an error page of a proxy in between: the status says enough
        return None
