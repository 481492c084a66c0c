"""Where the files of a measurement will go. Owns the look at their folders beforehand; refuses to write anything."""

from __future__ import annotations

import os
from pathlib import Path

from models.errors import InputError


def require_writable(*files: Path | None, page: Path | None = None) -> None:
    """Look before measuring whether each file that is wanted can be written, so that nothing is measured in vain.

    ``page`` is written beside its place and moved there, so its folder must take files even where there is one already.
    Raises InputError: a file's folder is missing, is not a folder or takes no files, or the file is itself a folder.
    """
    for file in (*files, page):
        if file is None:
            continue
        try:
            reason = _hindrance(file, moved=file is page)
        except OSError as error:  # a name too long, a folder above it that may not be entered
            reason = error.strerror or "unknown reason"
        if reason:
            raise InputError(f"{file} cannot be written: {reason}.")


def _hindrance(file: Path, *, moved: bool) -> str | None:
    folder = file.parent
    if not folder.exists():
        return f"there is no folder {folder}"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if file.is_dir():
        return "it is a folder"
    if file.exists() and not moved:
        return None if os.access(file, os.W_OK) else "it is write-protected"
    return None if os.access(folder, os.W_OK | os.X_OK) else f"the folder {folder} is write-protected"
