"""A site's own recordings: ``<folder>/<language>/<slot>.ogg``, ``.wav`` or ``.mp3``. Owns the look through the folder.

Refuses files that belong to no slot, that no browser would play, that lie elsewhere, and recordings of a sentence that
has changed since: each is told in one sentence and not played. Never writes into the folder but for ``noted.json``,
when it is asked to note which sentences were recorded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.errors import ConfigurationError, InputError, StoreError
from web.panel.voice.catalogue import VOICES, slots, text_hash
from web.panel.voice.containers import MOST_BYTES, SUFFIXES, clip_duration_s

NOTE_FILE: Final = "noted.json"
BAD, STALE, NO_SLOT = "bad", "stale", "no_slot"


@dataclass(frozen=True, slots=True)
class Recording:
    """A file of the site's folder that can be played for a slot."""

    path: Path
    duration_s: float


@dataclass(frozen=True, slots=True)
class Complaint:
    """A file that is not played: ``kind`` is BAD, STALE or NO_SLOT, ``said`` a sentence that names it."""

    voice: str
    slot: str
    kind: str
    said: str


@dataclass(frozen=True, slots=True)
class Recordings:
    """What a folder holds: recordings by voice and slot, and what is wrong with the rest."""

    found: Mapping[tuple[str, str], Recording]
    complaints: tuple[Complaint, ...]


def read_recordings(folder: Path | None) -> Recordings:
    """Look through ``folder``; None means the site has none. What cannot be read is complained about, never raised."""
    if folder is None:
        return Recordings({}, ())
    found: dict[tuple[str, str], Recording] = {}
    complaints: list[Complaint] = []
    try:
        noted = _read_notes(folder)
    except InputError as error:
        noted = {}
        complaints.append(Complaint("", "", BAD, str(error)))
    try:
        for voice, path in _files(folder):
            judged = _judge(folder, voice, path, noted.get(voice, {}).get(path.stem))
            if isinstance(judged, Complaint):
                complaints.append(judged)
            else:
                found.setdefault((voice, path.stem), judged)
    except OSError as error:  # no reason for a kiosk to stay closed
        complaints.append(Complaint("", "", BAD, f"The folder {folder} cannot be read: {error.strerror}."))
    return Recordings(found, tuple(complaints))


def note_recordings(folder: Path, recordings: Recordings) -> int:
    """Write down which sentence every recording says, if that is not written yet; answers how many were added.

    From then on a recording whose sentence changes on the screen is stale. Raises StoreError if it cannot be written.
    """
    noted = {voice: dict(of) for voice, of in _read_notes(folder).items()}
    added = 0
    for voice, code in recordings.found:
        if code not in noted.setdefault(voice, {}):
            noted[voice][code] = text_hash(slots()[code].text(voice))
            added += 1
    try:
        (folder / NOTE_FILE).write_text(json.dumps(noted, indent=1, sort_keys=True) + "\n", "utf-8")
    except OSError as error:
        raise StoreError(f"{folder / NOTE_FILE} cannot be written: {error.strerror}.") from error
    return added


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Voice and path of every file, in the order in which they are preferred."""
    for below in sorted(folder.iterdir()):
        if below.name.startswith(".") or below.name == NOTE_FILE:
            continue
        if not below.is_dir() or below.name not in VOICES:
            yield "", below
            continue
        files = [path for path in below.iterdir() if not path.name.startswith(".")]
        yield from ((below.name, path) for path in sorted(files, key=_preference))


def _preference(path: Path) -> tuple[str, int]:
    return path.stem, SUFFIXES.index(path.suffix) if path.suffix in SUFFIXES else len(SUFFIXES)


def _judge(folder: Path, voice: str, path: Path, noted: str | None) -> Recording | Complaint:
    name, code = path.relative_to(folder), path.stem
    if not voice:
        return Complaint(
            "", "", NO_SLOT, f"{name}: folders here are called {', '.join(VOICES)}, nothing else is heard."
        )
    if code not in slots():
        return Complaint(voice, code, NO_SLOT, f"{name}: there is no slot {code!r}.")
    if not path.resolve().is_relative_to(folder.resolve()) or not path.is_file():
        return Complaint(voice, code, BAD, f"{name}: it is no file of this folder.")
    if noted is not None and noted != text_hash(slots()[code].text(voice)):
        return Complaint(voice, code, STALE, f"{name}: the sentence has changed since it was recorded.")
    try:
        return Recording(path, _duration_s(path))
    except InputError as error:
        return Complaint(voice, code, BAD, f"{name}: {error}.")


def _duration_s(path: Path) -> float:
    try:
        with path.open("rb") as file:
            return clip_duration_s(file.read(MOST_BYTES + 1), path.suffix)
    except OSError as error:
        raise InputError(f"it cannot be read: {error.strerror}") from error


def _read_notes(folder: Path) -> Mapping[str, Mapping[str, str]]:
    file = folder / NOTE_FILE
    try:
        content = json.loads(file.read_text("utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} is damaged; delete it and note the recordings again.") from error
    if not isinstance(content, dict) or not all(isinstance(of, dict) for of in content.values()):
        raise ConfigurationError(f"{file} is damaged; delete it and note the recordings again.")
    return content
