"""Giving memory back, after a visit or before measuring. Owns the one call to the C library; refuses to keep anything.

What was freed stays with the process otherwise, as high as the busiest moment so far: a kiosk that runs for months
grows by every new coincidence, and pictures of people lie in it for as long. Returned pages are wiped by the system.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Any


def _trimmer() -> Any:
    """glibc's ``malloc_trim``; None where the C library has none."""
    return getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform.startswith("linux") else None


_TRIM = _trimmer()


def give_back() -> None:
    """Return to the system what is free. Takes some milliseconds; for a moment at which nobody waits."""
    if _TRIM is not None:
        _TRIM(0)
