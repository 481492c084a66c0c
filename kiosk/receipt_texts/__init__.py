"""The words on a receipt. Owns one JSON catalogue per language; nothing in them says why a person comes here."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def receipt_texts(language: str) -> dict[str, Any]:
    """The catalogue of ``language``, one of the panel's."""
    catalogue: dict[str, Any] = json.loads(files(__package__).joinpath(f"{language}.json").read_text("utf-8"))
    return catalogue
