"""Engines by name, imported when asked for. A site's own engine joins by the entry point group ``muster.engines``."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from models.errors import ConfigurationError

ENGINES = {
    "sface": "matcher.engines.sface:SFaceEngine",
    "dlib": "matcher.engines.dlib_face:DlibFaceEngine",
    "minutiae": "matcher.engines.minutiae:MinutiaeEngine",
}


def load_engine(name: str, **options: Any) -> Any:
    """Make the engine called ``name``. Raises ConfigurationError for an unknown name, WeightsError without weights."""
    known = ENGINES | {point.name: point.value for point in entry_points(group="muster.engines")}
    if name not in known:
        raise ConfigurationError(f"There is no engine called {name!r}; known: {', '.join(sorted(known))}.")
    module, _, attribute = known[name].partition(":")
    return getattr(import_module(module), attribute)(**options)
