"""Folders of people's photographs: which layout, whose, and which were taken together. Refuses to open a picture.

Two layouts are known. *People*: a folder per person, all photographs of which count as taken apart. *Sessions*: every
folder is named ``<person>_<x>_<y>_<z>`` with three numbers behind, and at least one person has several folders, as in
the NUAA imposter database (person, glasses, place, session); photographs of one folder were taken together. In both,
the folders lie in the given folder or in ``images`` there.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from models.errors import InputError

PICTURES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_SESSION = re.compile(r"([^_]+)_\d+_\d+_\d+")


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture: whose, of which session (its folder's name), and where it lies."""

    person: str
    session: str
    file: Path


@dataclass(frozen=True, slots=True)
class PhotographFolder:
    """All photographs of a folder, by person, session and file name. ``sessions`` says which layout it has."""

    photographs: tuple[Photograph, ...]
    sessions: bool


def read_folder(folder: Path) -> PhotographFolder:
    """What lies in a folder. Raises InputError if it is not of a known layout or too small to measure on."""
    root = folder / "images" if (folder / "images").is_dir() else folder
    if not root.is_dir():
        raise InputError(f"There is no folder {folder}.")
    found = {place.name: _pictures(place) for place in sorted(root.iterdir()) if place.is_dir()}
    found = {name: files for name, files in found.items() if files}
    names = _people(found)
    photographs = [Photograph(names[session], session, file) for session, files in found.items() for file in files]
    counts = Counter(item.person for item in photographs)
    if len(counts) < 2 or max(counts.values()) < 2:
        raise InputError(f"{folder} needs folders of at least two people, one of them with two photographs or more.")
    photographs.sort(key=lambda item: item.person)  # stable: sessions and files stay in order
    return PhotographFolder(tuple(photographs), len(counts) < len(found))


def photographs(folder: Path) -> dict[str, list[Path]]:
    """Each person's photographs in order of file name, people in order of name. Raises as ``read_folder``."""
    people: dict[str, list[Path]] = {}
    for item in read_folder(folder).photographs:
        people.setdefault(item.person, []).append(item.file)
    return people


def _pictures(place: Path) -> list[Path]:
    return sorted(file for file in place.iterdir() if file.suffix.lower() in PICTURES)


def _people(found: dict[str, list[Path]]) -> dict[str, str]:
    """The person of each folder: its first field where all are sessions and somebody has several, else its name."""
    matches = {name: _SESSION.fullmatch(name) for name in found}
    first = {name: match.group(1) for name, match in matches.items() if match}
    if found and len(first) == len(found) and len(set(first.values())) < len(first):
        return first
    return {name: name for name in found}
