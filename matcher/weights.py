"""The weights files: which there are, where they lie, whether they are whole. Refuses to run or install anything.

The manifest ``weights.toml`` names every file by SHA-256. They live outside the tree, in ``$MUSTER_WEIGHTS`` or in
``muster/weights`` of the cache folder. Fetching them is the work of ``matcher.distributions``.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from models.errors import WeightsError

DEFAULT_GROUPS = frozenset({"kiosk", "demo"})
_MANIFEST = Path(__file__).with_name("weights.toml")
_verified: set[tuple[str, int, int]] = set()  # path, size, mtime_ns: hashed once per process


@dataclass(frozen=True, slots=True)
class Distribution:
    """A file of a package index: ``file`` is its exact name, ``length`` its bytes."""

    name: str
    package: str
    version: str
    file: str
    sha256: str
    length: int


@dataclass(frozen=True, slots=True)
class WeightsFile:
    """One file of the manifest and the distribution's member that it comes from."""

    name: str
    file: str
    sha256: str
    length: int
    license: str
    group: str
    distribution: Distribution
    member: str


@cache
def manifest() -> Mapping[str, WeightsFile]:
    """Every file of ``weights.toml`` by name, in the manifest's order."""
    with _MANIFEST.open("rb") as stream:
        tables = tomllib.load(stream)
    distributions = {
        name: Distribution(name, row["package"], row["version"], row["file"], row["sha256"], row["bytes"])
        for name, row in tables["distributions"].items()
    }
    return {
        name: WeightsFile(
            name=name,
            file=row["file"],
            sha256=row["sha256"],
            length=row["bytes"],
            license=row["license"],
            group=row["group"],
            distribution=distributions[row["distribution"]],
            member=row["member"],
        )
        for name, row in tables["files"].items()
    }


def entry(name: str) -> WeightsFile:
    """The manifest's entry. Raises WeightsError for a name that is not in it."""
    try:
        return manifest()[name]
    except KeyError as error:
        known = ", ".join(manifest())
        raise WeightsError(f"There are no weights called {name!r}; known: {known}.") from error


def folder() -> Path:
    """Where the weights lie: ``$MUSTER_WEIGHTS``, else ``muster/weights`` in the cache folder."""
    chosen = os.environ.get("MUSTER_WEIGHTS")
    if chosen:
        return Path(chosen).expanduser()
    cache_home = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache_home) if cache_home else Path.home() / ".cache") / "muster" / "weights"


def path(name: str) -> Path:
    """The file called ``name`` in the manifest, whole and as named there.

    Raises WeightsError if it is missing, truncated or another file. Its hash is computed once per process.
    """
    wanted = entry(name)
    place = folder() / wanted.file
    problem = defect(wanted, place)
    if problem:
        raise WeightsError(f"The weights file {place} {problem}; run `muster weights fetch {name}`.", name=name)
    return place


def defect(wanted: WeightsFile, place: Path) -> str | None:
    """What is wrong with the file at ``place``, as the end of a sentence; None if it is the one named."""
    try:
        status = place.stat()
        if not place.is_file():
            return "is not a file"
        if status.st_size != wanted.length:
            return f"has {status.st_size:,} bytes instead of {wanted.length:,}"
        stamp = (str(place), status.st_size, status.st_mtime_ns)
        if stamp not in _verified and (found := sha256_of(place)) != wanted.sha256:
            return f"is not {wanted.name!r} (its SHA-256 is {found[:12]}…, not {wanted.sha256[:12]}…)"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    _verified.add(stamp)
    return None


def sha256_of(place: Path) -> str:
    """Lower-case hexadecimal SHA-256 of a file. Raises OSError."""
    with place.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def select(names: tuple[str, ...] = (), *, every: bool = False) -> list[WeightsFile]:
    """The entries to fetch: those named, all of them, or the default groups (kiosk and demo)."""
    if names:
        return [entry(name) for name in names]
    return [item for item in manifest().values() if every or item.group in DEFAULT_GROUPS]
