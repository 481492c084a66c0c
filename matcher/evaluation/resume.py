"""A file that lets a long measurement go on where it was stopped. Owns its format; refuses to outlive its purpose.

It holds templates, which are biometric: it is written only when the operator names it, readable by its owner alone, and
removed when the measurement is done unless the operator wants to keep it. One line of JSON per sample, after a first
line that says what made them; samples are known by the SHA-256 of their picture, so a changed picture is measured anew.
A last line that a power cut left in pieces is dropped; anything else that does not read is refused.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from models.errors import InputError

_KIND = "muster acquired samples"
_VERSION = 1


@dataclass(frozen=True, slots=True)
class AcquiredSample:
    """What became of one picture: the template's bytes, None for a failure to acquire, and milliseconds by step."""

    payload: bytes | None
    spent_ms: Mapping[str, float]


class ResumeFile:
    """Samples acquired so far; ``opened`` makes one."""

    def __init__(self, path: Path, handle: IO[bytes]) -> None:
        self._path, self._handle = path, handle
        self._known: dict[str, AcquiredSample] = {}

    def bind(self, made_by: Mapping[str, str]) -> None:
        """Say what makes the samples: engine, template format, options. Reads what an earlier run left.

        Raises InputError if the file holds something else, or what other means have made.
        """
        head = {"kind": _KIND, "version": _VERSION, "made_by": dict(made_by)}
        lines = self._whole_lines()
        if not lines:
            self._append(head)
            return
        if self._parsed(lines[0]).get("kind") != _KIND:
            raise InputError(f"{self._path} is no file of an interrupted measurement.")
        if self._parsed(lines[0]) != head:
            raise InputError(
                f"{self._path} was begun with another engine, format or option; name another file or remove it."
            )
        self._known = dict(self._sample(line) for line in lines[1:])

    def find(self, picture: str) -> AcquiredSample | None:
        """The sample of a picture, known by its SHA-256 in hex, or None."""
        return self._known.get(picture)

    def add(self, picture: str, sample: AcquiredSample) -> None:
        """Keep a sample; it is with the operating system when this returns."""
        payload = None if sample.payload is None else base64.b64encode(sample.payload).decode()
        line = {"picture": picture, "payload": payload, "spent_ms": dict(sample.spent_ms)}
        self._append(line | {"sum": _checksum(line)})
        self._known[picture] = sample

    def __len__(self) -> int:
        return len(self._known)

    def _append(self, line: Mapping[str, Any]) -> None:
        try:
            self._handle.write(json.dumps(line, sort_keys=True).encode() + b"\n")
            self._handle.flush()
        except OSError as error:
            raise InputError(f"{self._path} cannot be written: {error.strerror}.") from error

    def _whole_lines(self) -> list[bytes]:
        """All lines; what follows the last newline was being written when the run ended, and is cut off."""
        self._handle.seek(0)
        content = self._handle.read()
        whole, newline, broken = content.rpartition(b"\n")
        if broken and (not newline or not content.startswith(b'{"kind"')):
            raise InputError(f"{self._path} is no file of an interrupted measurement.")
        if broken:
            self._handle.truncate(len(whole) + 1)
        self._handle.seek(0, os.SEEK_END)
        return whole.split(b"\n") if newline else []

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            values = json.loads(line)
        except ValueError as error:
            raise InputError(f"{self._path} is damaged; remove it and begin anew.") from error
        return values if isinstance(values, dict) else {}

    def _sample(self, line: bytes) -> tuple[str, AcquiredSample]:
        values = self._parsed(line)
        try:
            if values.pop("sum") != _checksum(values):
                raise ValueError("the sum does not fit")
            payload = values["payload"]
            spent = {str(name): float(value) for name, value in values["spent_ms"].items()}
            whole = None if payload is None else base64.b64decode(payload, validate=True)
            return str(values["picture"]), AcquiredSample(whole, spent)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
            raise InputError(f"{self._path} is damaged; remove it and begin anew.") from error


@contextmanager
def opened(path: Path, *, keep: bool = False) -> Iterator[ResumeFile]:
    """Open or begin a file at ``path`` for one measurement, and remove it if that ends well, unless ``keep``.

    Raises InputError if it cannot be opened, is a link, is readable by others, or another run is writing it.
    """
    try:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}.") from error
    with os.fdopen(number, "r+b") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"{path} is being written by another run.") from error
        if os.fstat(number).st_mode & 0o077:
            raise InputError(f"{path} can be read by others than its owner; templates are not kept there.")
        yield ResumeFile(path, handle)
        if not keep:
            path.unlink(missing_ok=True)


def picture_digest(path: Path) -> str:
    """The SHA-256 of a picture's bytes in hex. Raises InputError if it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


def _checksum(line: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(line, sort_keys=True).encode()).hexdigest()[:16]
