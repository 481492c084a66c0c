"""The words of the kiosk's screen. Owns one JSON catalogue per language; refuses any logic about what to say when.

The page gets both catalogues at once, so that a person can switch languages in the middle of a check-in.
"""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from models.errors import ConfigurationError

LANGUAGES = ("zh_CN", "en")


@cache
def load_texts(language: str) -> dict[str, Any]:
    """The catalogue of ``language``: nested texts by code. Raises ConfigurationError if there is none."""
    if language not in LANGUAGES:
        raise ConfigurationError(f"The screen speaks {' and '.join(LANGUAGES)}, not {language!r}.")
    catalogue: dict[str, Any] = json.loads(files(__package__).joinpath(f"{language}.json").read_text("utf-8"))
    return catalogue
