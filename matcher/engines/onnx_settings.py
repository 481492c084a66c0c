"""What a site says about an embedder it holds a licence for: one TOML file. Owns its keys and the sentences about them.

::

    file = "embedder.onnx"       # beside this file
    sha256 = "..."               # of that file: 64 hexadecimal digits
    license = "..."              # under which the site may use it; shown by `muster kiosk check`

    [input]                      # a 112 x 112 face, eyes and mouth where SFace and ArcFace want them
    channels = "rgb"             # or "bgr"
    layout = "nchw"              # or "nhwc"
    mean = 127.5                 # subtracted from gray levels 0 to 255; one number, or one a channel
    std = 127.5                  # then divided by; for a network that takes 0 to 255: mean = 0, std = 1

    [output]
    name = "embedding"           # only if the network has several outputs
    metric = "cosine"            # or "euclidean": the unit in which [scores] is told

    [scores]                     # left out: it can be measured with, but no kiosk starts with it
    floor = 0.40                 # never match below (cosine), above (euclidean distance of vectors of length 1)
    near = 0.05                  # a match nearer than this to the threshold is in doubt
    apart = 0.08                 # so is one that leads by less
    steps = [[1e-3, 0.32], [1e-4, 0.38], [1e-5, 0.44]]   # false match rate and threshold, as measured
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from matcher.scales import ScoreScale
from models.biometrics import Float32Array
from models.errors import ConfigurationError

_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "": ("file", "sha256", "license", "input", "output", "scores"),
    "input": ("channels", "layout", "mean", "std"),
    "output": ("name", "metric"),
    "scores": ("floor", "near", "apart", "steps"),
}
METRICS: Final = ("cosine", "euclidean")


@dataclass(frozen=True, slots=True, eq=False)
class OnnxSettings:
    """The file's content, checked. ``mean`` and ``std`` are (3,) float32 in the order of ``channels``."""

    source: str
    file: Path
    sha256: str
    license: str
    channels: str
    layout: str
    mean: Float32Array
    std: Float32Array
    output: str | None
    metric: str
    scale: ScoreScale | None

    def fingerprint(self) -> str:
        """16 hexadecimal digits of everything that decides what a vector is: the network and what it is fed.

        Vectors of two networks, or of one that is fed differently, are never compared.
        """
        fed = [self.sha256, self.channels, self.layout, self.mean.tolist(), self.std.tolist(), self.output]
        return hashlib.sha256(json.dumps(fed).encode()).hexdigest()[:16]


def read_settings(file: Path) -> OnnxSettings:
    """The settings in a file. Raises ConfigurationError with one sentence that names the file and the key."""
    try:
        content = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 text; an engine's settings are TOML.") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: is not TOML: {error}.") from error
    return _Reader(str(file), content).settings(file.parent)


class _Reader:
    """One file's content and the sentences about it."""

    def __init__(self, source: str, content: Mapping[str, Any]) -> None:
        self._source = source
        self._tables = {"": content} | {name: self._table(content, name) for name in ("input", "output")}
        if "scores" in content:
            self._tables["scores"] = self._table(content, "scores")
        for name, table in self._tables.items():
            self._check_keys(name, table)

    def settings(self, folder: Path) -> OnnxSettings:
        sha256 = self._text("", "sha256").lower()
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise self._wrong("sha256", "must be 64 hexadecimal digits")
        metric = self._choice("output", "metric", METRICS)
        return OnnxSettings(
            self._source,
            folder / self._text("", "file"),
            sha256,
            self._text("", "license"),
            self._choice("input", "channels", ("rgb", "bgr")),
            self._choice("input", "layout", ("nchw", "nhwc")),
            self._channels("mean"),
            self._channels("std"),
            self._text("output", "name") if "name" in self._tables["output"] else None,
            metric,
            self._scale(metric) if "scores" in self._tables else None,
        )

    def _scale(self, metric: str) -> ScoreScale:
        table = self._tables["scores"]
        floor, near, apart = (self._number("scores", name, table.get(name)) for name in ("floor", "near", "apart"))
        steps = table.get("steps")
        if not isinstance(steps, list) or not steps or any(not isinstance(one, list) or len(one) != 2 for one in steps):
            raise self._wrong("scores.steps", "must be a list of pairs, [false match rate, threshold]")
        pairs = [(self._number("scores", "steps", rate), self._number("scores", "steps", at)) for rate, at in steps]
        if near < 0 or apart < 0:
            raise self._wrong("scores", "near and apart must not be negative")
        if metric == "euclidean":
            near, apart = floor * near, floor * apart  # a similarity falls by d for each unit of distance d
            floor, pairs = _cosine(floor), [(rate, _cosine(distance)) for rate, distance in pairs]
        scale = ScoreScale(floor, tuple(pairs), near=near, apart=apart)
        rates, thresholds = [rate for rate, _ in pairs], [threshold for _, threshold in pairs]
        if not all(0 < rate < 1 for rate in rates) or rates != sorted(set(rates), reverse=True):
            raise self._wrong("scores.steps", "must begin with the highest false match rate, all between 0 and 1")
        if thresholds != sorted(thresholds) or not -1 <= thresholds[0] <= thresholds[-1] <= 1 or not -1 <= floor <= 1:
            raise self._wrong("scores.steps", f"are not {metric} thresholds that grow stricter as the rate falls")
        return scale

    def _channels(self, name: str) -> Float32Array:
        value = self._tables["input"].get(name)
        listed = value if isinstance(value, list) else [value] * 3
        if len(listed) != 3:
            raise self._wrong(f"input.{name}", "must be one number or three")
        numbers = np.array([self._number("input", name, one) for one in listed], np.float32)
        if name == "std" and (numbers <= 0).any():
            raise self._wrong("input.std", "must be above 0")
        return numbers

    def _number(self, table: str, name: str, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
            raise self._wrong(
                f"{table}.{name}", f"must be a number, not {value!r}" if value is not None else "is missing"
            )
        return float(value)

    def _text(self, table: str, name: str) -> str:
        value = self._tables[table].get(name)
        if not isinstance(value, str) or not value.strip():
            key = f"{table}.{name}" if table else name
            raise self._wrong(key, "must be text in quotes" if value is not None else "is missing")
        return value

    def _choice(self, table: str, name: str, choices: tuple[str, ...]) -> str:
        value = self._text(table, name)
        if value not in choices:
            raise self._wrong(f"{table}.{name}", f"must be one of {', '.join(choices)}, not {value!r}")
        return value

    def _table(self, content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
        value = content.get(name)
        if not isinstance(value, dict):
            raise self._wrong(f"[{name}]", "must be a table" if value is not None else "is missing")
        return value

    def _check_keys(self, table: str, content: Mapping[str, Any]) -> None:
        for name in content:
            if name not in _KEYS[table]:
                near = difflib.get_close_matches(name, _KEYS[table], n=1, cutoff=0.5)
                advice = f"did you mean {near[0]!r}?" if near else f"known here: {', '.join(_KEYS[table])}."
                key = f"{table}.{name}" if table else name
                raise ConfigurationError(f"{self._source}: there is no key {key!r}; {advice}")

    def _wrong(self, key: str, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self._source}: {key} {what}.")


def _cosine(distance: float) -> float:
    """The cosine of two vectors of length 1 that are this far apart."""
    return 1.0 - distance * distance / 2.0
