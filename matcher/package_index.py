"""Where pip would look, asked for one file by its exact name. Owns pages and downloads; never installs or runs a file.

The index, further indexes, link folders, certificates and proxy are those of pip's own configuration, so a site behind
a mirror configures one thing once. Nothing here names a host. What arrives is checked by its caller's SHA-256, so an
index need not be trusted.
"""

from __future__ import annotations

import ast
import base64
import html
import io
import json
import re
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit
from urllib.request import BaseHandler, HTTPSHandler, ProxyHandler, Request, build_opener, url2pathname

from models.errors import WeightsError

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.9, text/html;q=0.5"
CHUNK = 1 << 18
LARGEST_PAGE = 64 << 20  # bytes; the page of a package with thousands of files has a few million

Progress = Callable[[int], None]  # bytes so far


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """What pip's configuration says. ``indexes`` are simple indexes, ``links`` folders or pages of files."""

    indexes: tuple[str, ...]
    links: tuple[str, ...] = ()
    certificates: str | None = None
    proxy: str | None = None
    timeout_s: float = 60.0


def pip_settings() -> IndexSettings:
    """Ask pip for its configuration. Raises WeightsError if there is no pip to ask."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise WeightsError("pip does not answer, so it is not known which index to fetch weights from.")
    return settings_from(answer.stdout)


def settings_from(listing: str) -> IndexSettings:
    """Read the output of ``pip config list``: environment before command sections before the global one."""
    values: dict[str, str] = {}
    ranks = {"global": 0, "install": 1, "download": 1, ":env:": 2}
    ranked: dict[str, int] = {}
    for line in listing.splitlines():
        where, equals, text = line.partition("=")
        section, _, name = where.rpartition(".")
        if not equals or section not in ranks or ranks[section] < ranked.get(name, 0):
            continue
        values[name], ranked[name] = _unquoted(text), ranks[section]
    indexes = [] if values.get("no-index", "").lower() in ("1", "true", "yes", "on") else _indexes(values)
    return IndexSettings(
        tuple(indexes),
        tuple(values.get("find-links", "").split()),
        values.get("cert") or None,
        values.get("proxy") or None,
        _seconds(values.get("timeout") or values.get("default-timeout")),
    )


class PackageIndex:
    """Finds and downloads files of packages by exact name."""

    def __init__(self, settings: IndexSettings) -> None:
        self._settings = settings
        handlers: list[BaseHandler] = []
        if settings.proxy:
            handlers.append(ProxyHandler({"http": settings.proxy, "https": settings.proxy}))
        try:
            context = ssl.create_default_context(cafile=settings.certificates)
        except (OSError, ssl.SSLError) as error:
            raise WeightsError(f"pip's certificate file {settings.certificates} cannot be read.") from error
        self._opener = build_opener(*handlers, HTTPSHandler(context=context))

    def addresses(self, package: str, file: str) -> Iterator[str]:
        """Every address under which ``file`` is offered, in pip's order of places.

        Raises WeightsError at the end if no address was found and a place could not be asked.
        """
        problems: list[str] = []
        offered = False
        for place, page in self._pages(package):
            try:
                found = [address for name, address in self._listing(page) if name == file]
            except FileNotFoundError:
                continue
            except (OSError, HTTPException, ValueError, KeyError, TypeError) as error:
                if not (isinstance(error, HTTPError) and error.code == 404):
                    problems.append(f"{without_password(place)}: {_reason(error)}")
                continue
            offered = offered or bool(found)
            yield from found
        if problems and not offered:
            raise WeightsError(f"{file} cannot be looked for ({'; '.join(problems)}).", code="index_unreachable")

    def download(self, address: str, target: Path, *, length: int, progress: Progress | None = None) -> None:
        """Bring the file to ``target``; what is there already is continued, never more than ``length`` bytes.

        Raises WeightsError if the transfer breaks; ``target`` then keeps what came, for the next attempt.
        """
        have = target.stat().st_size if target.exists() else 0
        if have >= length:
            have = 0
        try:
            with self._open(address, start=have) as stream:
                continued = have > 0 and getattr(stream, "status", None) == 206
                with target.open("ab" if continued else "wb") as out:
                    _copy(stream, out, have if continued else 0, length, progress)
        except (HTTPException, OSError, ValueError) as error:  # ValueError: an address that is none
            raise WeightsError(f"{_file_of(address)} was not fetched: {_reason(error)}.") from error

    def _pages(self, package: str) -> list[tuple[str, str]]:
        project = re.sub(r"[-_.]+", "-", package).lower()
        links = [(place, _links_page(place)) for place in self._settings.links]
        return links + [(place, f"{place.rstrip('/')}/{project}/") for place in self._settings.indexes]

    def _listing(self, page: str) -> list[tuple[str, str]]:
        with self._open(page) as stream:
            kind = stream.headers.get_content_type() if hasattr(stream, "headers") else "text/html"
            base = stream.geturl() if hasattr(stream, "geturl") else page
            content = stream.read(LARGEST_PAGE)
        if kind.endswith("json"):
            return [(item["filename"], urljoin(base, item["url"])) for item in json.loads(content)["files"]]
        return links_of(content.decode("utf-8", "replace"), base)

    def _open(self, address: str, *, start: int = 0) -> Any:
        parts = urlsplit(address)
        if parts.scheme == "file":
            return _local(Path(url2pathname(parts.path)))
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{parts.scheme} is no way to fetch a file")
        request = Request(without_password(address), headers={"Accept": ACCEPT})  # noqa: S310 - http or https
        if parts.username:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            request.add_unredirected_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
        if start:
            request.add_header("Range", f"bytes={start}-")
        return self._opener.open(request, timeout=self._settings.timeout_s)


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if tag == "a" and name == "href" and value]


def links_of(page: str, base: str) -> list[tuple[str, str]]:
    """(file name, address) of every link of an HTML page (PEP 503); hash fragments are dropped."""
    parser = _Links()
    parser.feed(page)
    addresses = [urlunsplit(urlsplit(urljoin(base, link))._replace(fragment="")) for link in parser.found]
    return [(_file_of(address), address) for address in addresses]


def without_password(address: str) -> str:
    """The address without a name and password before its host."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _indexes(values: dict[str, str]) -> list[str]:
    first = values.get("index-url")
    if not first:
        try:
            from pip._internal.models.index import PyPI
        except ImportError as error:
            raise WeightsError("No package index is configured; set PIP_INDEX_URL.") from error
        first = str(PyPI.simple_url)
    return [first, *values.get("extra-index-url", "").split()]


def _unquoted(text: str) -> str:
    try:
        return str(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        return text


def _seconds(text: str | None) -> float:
    try:
        return min(600.0, max(5.0, float(text or 60.0)))
    except ValueError:
        return 60.0


def _links_page(place: str) -> str:
    return place if "://" in place else Path(place).expanduser().absolute().as_uri()


def _local(place: Path) -> IO[bytes]:
    """A local file; for a folder its index.html, or a page made of its files."""
    if not place.is_dir():
        return place.open("rb")
    index = place / "index.html"
    if index.is_file():
        return index.open("rb")
    files = [item.as_uri() for item in sorted(place.iterdir()) if item.is_file()]
    return io.BytesIO("".join(f'<a href="{html.escape(file)}"></a>' for file in files).encode())


def _copy(stream: Any, out: IO[bytes], done: int, length: int, progress: Progress | None) -> None:
    while block := stream.read(CHUNK):
        done += len(block)
        if done > length:
            raise OSError("it is longer than it should be")
        out.write(block)
        if progress:
            progress(done)


def _file_of(address: str) -> str:
    return unquote(urlsplit(address).path.rpartition("/")[2])


def _reason(error: Exception) -> str:
    if isinstance(error, HTTPError):
        return f"the server answers {error.code}"
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return str(reason)
