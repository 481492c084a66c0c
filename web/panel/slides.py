"""What an office shows while nobody is at the kiosk: a folder of pictures and short texts.

Owns which files are slides, their order and how a text is cut into pages that can be read; refuses everything that is
neither a whole picture nor plain text. Files are shown in the order of their names; a file that cannot be shown is left
out and named in the log once. Drawings with scripts in them (SVG) are no slides.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import structlog

from hardware.pictures import read_rgb
from models.errors import ImageError, InputError

PICTURE_TYPES: Final = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
MOST_SLIDES: Final = 60
MOST_TEXT_BYTES: Final = 8192
LINE_UNITS: Final = 26  # of a line; a Chinese character takes two units, a Latin letter one
LINES_PER_PAGE: Final = 4  # what fits at 28 pt on the smallest screen, under a title of two lines

_log = structlog.get_logger("panel")


@dataclass(frozen=True, slots=True)
class TextSlide:
    """A title and a few lines."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PictureSlide:
    """A picture in the folder. ``label`` is its file's name without number and ending."""

    name: str
    label: str
    stamp: int


Slide = TextSlide | PictureSlide


class Slides:
    """The slides of ``folder``; none if it is None or cannot be read. Safe across threads: it only remembers checks."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._checked: dict[tuple[str, int, int], tuple[Slide, ...]] = {}

    def listed(self) -> list[Slide]:
        """Every slide there is now, at most MOST_SLIDES."""
        found = [slide for path in self._paths() for slide in self._checked_slides(path)]
        return found[:MOST_SLIDES]

    def picture(self, name: str) -> tuple[bytes, str] | None:
        """Content and media type of the picture ``name``; None unless it is one of the slides."""
        for path in self._paths():
            if path.name == name and path.suffix.lower() in PICTURE_TYPES and self._checked_slides(path):
                return path.read_bytes(), PICTURE_TYPES[path.suffix.lower()]
        return None

    def _paths(self) -> list[Path]:
        if self._folder is None:
            return []
        try:
            paths = sorted(self._folder.iterdir(), key=lambda path: path.name)
            home = self._folder.resolve()
            return [p for p in paths if not p.name.startswith(".") and p.is_file() and home in p.resolve().parents]
        except OSError as error:
            _log.warning("slides_unreadable", kind=type(error).__name__)
            return []

    def _checked_slides(self, path: Path) -> tuple[Slide, ...]:
        """The slides in one file; each version of a file is looked at once."""
        try:
            status = path.stat()
            key = (path.name, status.st_mtime_ns, status.st_size)
            if key not in self._checked:
                self._checked[key] = _slides_in(path, stamp=status.st_mtime_ns)
        except (OSError, InputError, UnicodeDecodeError) as error:
            _log.warning("slide_skipped", file=path.name, kind=type(error).__name__)
            if isinstance(error, OSError):  # it may be readable the next time
                return ()
            self._checked[key] = ()
        return self._checked[key]


def slide_body(slide: Slide) -> dict[str, Any]:
    """A slide as plain JSON values for the page."""
    if isinstance(slide, TextSlide):
        return {"title": slide.title, "lines": list(slide.lines)}
    return {"picture": f"/slides/{quote(slide.name)}?v={slide.stamp}", "label": slide.label}


def text_slides(text: str) -> tuple[TextSlide, ...]:
    """The first line is the title of all pages, the rest is cut into lines and pages. Raises InputError if empty."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError("A slide needs a line of text.", code="slide_empty")
    body = [part for line in lines[1:] for part in _cut(line)]
    pages = [tuple(body[at : at + LINES_PER_PAGE]) for at in range(0, len(body), LINES_PER_PAGE)] or [()]
    return tuple(TextSlide(title, page) for title in _cut(lines[0])[:1] for page in pages)


def _slides_in(path: Path, *, stamp: int) -> tuple[Slide, ...]:
    """Raises OSError, UnicodeDecodeError or InputError."""
    kind = path.suffix.lower()
    if kind == ".txt":
        content = path.read_bytes()
        if len(content) > MOST_TEXT_BYTES:
            raise InputError("A slide's text is short.", code="slide_long")
        return text_slides(content.decode("utf-8-sig"))
    if kind not in PICTURE_TYPES:
        raise ImageError("A slide is a picture or a text.")
    read_rgb(path)
    return (PictureSlide(path.name, path.stem.lstrip("0123456789 _-.") or path.stem, stamp),)


def _cut(line: str) -> list[str]:
    """A line as lines of at most LINE_UNITS, cut at a space where there is one."""
    parts = []
    while _units(line) > LINE_UNITS:
        fits = next(at for at in range(len(line), 0, -1) if _units(line[:at]) <= LINE_UNITS)
        space = line.rfind(" ", 1, fits + 1)
        at = space if space > 0 else fits
        parts.append(line[:at].strip())
        line = line[at:].strip()
    return [*parts, line]


def _units(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
