"""Muster's version, as installed."""

from __future__ import annotations

import importlib.metadata
from functools import cache


@cache
def version() -> str:
    """The version of the installed package; 0 in a checkout that was not installed."""
    try:
        return importlib.metadata.version("muster")
    except importlib.metadata.PackageNotFoundError:
        return "0"
