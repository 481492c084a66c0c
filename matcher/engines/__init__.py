"""Engines by name, imported when asked for. A site's own engine joins by the entry point group ``muster.engines``."""

from __future__ import annotations

import hashlib
from importlib import import_module
from importlib.metadata import entry_points
from inspect import signature
from pathlib import Path
from typing import Any

from models.errors import ConfigurationError

ENGINES = {
    "sface": "matcher.engines.sface:SFaceEngine",
    "onnx": "matcher.engines.onnx_face:OnnxFaceEngine",
    "dlib": "matcher.engines.dlib_face:DlibFaceEngine",
    "sface+dlib": "matcher.engines.second_opinion:SecondOpinionEngine",
    "minutiae": "matcher.engines.minutiae:MinutiaeEngine",
}


def settings_digest(name: str) -> str:
    """The SHA-256 in hex of the FILE of an engine called ``name:FILE``, "" without one. Raises ConfigurationError."""
    _, _, file = name.partition(":")
    try:
        return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}.") from error


def load_engine(name: str, **options: Any) -> Any:
    """Make the engine called ``name``; ``name:FILE`` hands it a file, such as ``onnx:/etc/muster/face.toml``.

    Raises ConfigurationError for an unknown name or a file it does not take, WeightsError without weights.
    """
    name, colon, file = name.partition(":")
    if colon:
        options["file"] = Path(file)
    known = ENGINES | {point.name: point.value for point in entry_points(group="muster.engines")}
    if name not in known:
        raise ConfigurationError(f"There is no engine called {name!r}; known: {', '.join(sorted(known))}.")
    module, _, attribute = known[name].partition(":")
    engine = getattr(import_module(module), attribute)
    if colon and "file" not in signature(engine).parameters:
        raise ConfigurationError(f"The engine {name!r} takes no file.")
    return engine(**options)
