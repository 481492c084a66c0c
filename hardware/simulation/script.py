"""A scene written down: who steps up when, which finger is laid, what breaks. Owns the script's grammar and its clock.

A script is TOML, a list of steps in order of time::

    repeat = true                     # begin again after the last step; default false
    [[step]]
    at_s = 0.5                        # seconds from the start
    do = "show"                       # show join leave challenge lay_finger lift_finger fault
    visitor = "visitor_1"
    behaviour = "approach"            # see behaviours.BEHAVIOURS; default approach
    [[step]]
    at_s = 2.0
    do = "challenge"
    kind = "follow_dot"               # see prompts.PROMPTS
    dot = [0.2, 0.8]                  # only of follow_dot: shares of the screen from its left and top
    [[step]]
    at_s = 4.0
    do = "lay_finger"
    visitor = "visitor_1"
    finger = "right_index"
    condition = "wet"                 # see fingers.CONDITIONS; default normal

Refuses to guess: an unknown step, key or visitor is answered with the known ones, and nothing runs half.
"""

from __future__ import annotations

import difflib
import itertools
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hardware.simulation.behaviours import BEHAVIOURS
from hardware.simulation.fingers import CONDITIONS
from hardware.simulation.prompts import PROMPTS
from hardware.simulation.scene import Scene, Visitor
from models.errors import ConfigurationError

# What each step needs and what it may have, with the type of every value.
STEPS: Mapping[str, tuple[Mapping[str, type], Mapping[str, type]]] = {
    "show": ({"visitor": str}, {"behaviour": str, "portrait": int, "by": str}),
    "join": ({"visitor": str}, {"behaviour": str, "portrait": int}),
    "leave": ({}, {}),
    "challenge": ({"kind": str}, {"dot": list}),
    "lay_finger": ({"visitor": str, "finger": str}, {"condition": str, "number": int}),
    "lift_finger": ({}, {}),
    "fault": ({"device": str, "name": str}, {}),
}
_TYPES = {str: "text", int: "whole number", list: "list"}
_PAUSE_S = 1.0  # between the last step of a round and the first of the next


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happens ``at_s`` seconds after the start; ``options`` are the step's own keys."""

    at_s: float
    do: str
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SceneScript:
    """Steps in order of time. ``repeat`` begins again one second after the last."""

    steps: tuple[Step, ...]
    repeat: bool = False

    @property
    def round_s(self) -> float:
        """How long one round takes."""
        return self.steps[-1].at_s + _PAUSE_S


def read_script(path: Path) -> SceneScript:
    """Read a script file. Raises ConfigurationError naming the file, the step and what is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"The scene script {path} cannot be read as text.") from error
    try:
        return parse_script(text)
    except ConfigurationError as error:
        raise ConfigurationError(f"The scene script {path}: {error}") from error


def parse_script(text: str) -> SceneScript:
    """A script from its text. Raises ConfigurationError with one sentence."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"this is not TOML: {error}.") from error
    _only(document, {"repeat", "step"}, "the script")
    repeat, rows = document.get("repeat", False), document.get("step", [])
    if not isinstance(repeat, bool):
        raise ConfigurationError("repeat must be true or false.")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise ConfigurationError("there must be at least one [[step]].")
    steps = tuple(_step(row, number) for number, row in enumerate(rows, start=1))
    for number, (before, after) in enumerate(itertools.pairwise(steps), start=2):
        if after.at_s < before.at_s:
            raise ConfigurationError(f"step {number} happens at {after.at_s:g} s, before the step above it.")
    return SceneScript(steps, repeat)


def _step(row: Mapping[str, Any], number: int) -> Step:
    where = f"step {number}"
    do, at_s = row.get("do"), row.get("at_s")
    if not isinstance(do, str) or do not in STEPS:
        raise ConfigurationError(f"{where}: do must be one of {', '.join(STEPS)}; {_instead(str(do), STEPS)}")
    if isinstance(at_s, bool) or not isinstance(at_s, int | float) or not 0 <= at_s < 86_400:
        raise ConfigurationError(f"{where}: at_s must be a number of seconds from 0 to a day.")
    needed, possible = STEPS[do]
    _only(row, {"do", "at_s", *needed, *possible}, where)
    for key, kind in {**needed, **possible}.items():
        if key in needed and key not in row:
            raise ConfigurationError(f"{where}: {do} needs {key}.")
        if key in row and (not isinstance(row[key], kind) or isinstance(row[key], bool)):
            raise ConfigurationError(f"{where}: {key} must be a {_TYPES[kind]}.")
    options = {key: value for key, value in row.items() if key not in {"do", "at_s"}}
    _check_words(options, where)
    if do == "challenge":
        options["dot"] = _dot(options, where)
    return Step(float(at_s), do, options)


def _dot(options: Mapping[str, Any], where: str) -> tuple[float, float] | None:
    """The dot's place, which ``follow_dot`` needs and nothing else has."""
    dot = options.get("dot")
    if (dot is not None) != (options["kind"] == "follow_dot"):
        raise ConfigurationError(f"{where}: follow_dot needs a dot, and nothing else has one.")
    if dot is None:
        return None
    if len(dot) != 2 or not all(isinstance(share, int | float) and 0 <= share <= 1 for share in dot):
        raise ConfigurationError(f"{where}: dot must be two numbers from 0 to 1.")
    return float(dot[0]), float(dot[1])


def _check_words(options: Mapping[str, Any], where: str) -> None:
    known: dict[str, list[str]] = {
        "behaviour": list(BEHAVIOURS),
        "condition": list(CONDITIONS),
        "kind": list(PROMPTS),
    }
    for key, words in known.items():
        if key in options and options[key] not in words:
            raise ConfigurationError(
                f"{where}: there is no {key} {options[key]!r}; known: {', '.join(sorted(words))}; "
                f"{_instead(options[key], words)}"
            )


def _only(row: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in row:
        if key not in known:
            raise ConfigurationError(f"{where}: there is no key {key!r}; {_instead(key, known)}")


def _instead(word: str, known: Mapping[str, Any] | Sequence[str] | set[str]) -> str:
    near = difflib.get_close_matches(word, sorted(known), n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}."


class ScenePlayer:
    """Plays a script on a scene whenever the scene is looked at, catching up with what has become due.

    Raises ConfigurationError at once if the script names a visitor, a finger or a portrait that is not there. A step
    that breaks a device that does not exist is told to ``on_error`` and the script goes on.
    """

    def __init__(
        self,
        scene: Scene,
        script: SceneScript,
        visitors: Mapping[str, Visitor],
        *,
        on_error: Callable[[ConfigurationError], None] = lambda error: None,
    ) -> None:
        self._scene, self._script, self._visitors, self._on_error = scene, script, dict(visitors), on_error
        self._check()
        self._started_s = scene.now_s()
        self._done = 0
        scene.drive(self._due)

    @property
    def finished(self) -> bool:
        """Whether every step was played; never true of a script that repeats."""
        return not self._script.repeat and self._done >= len(self._script.steps)

    def stop(self) -> None:
        """Play no further step."""
        self._scene.drive(None)

    def _check(self) -> None:
        for number, step in enumerate(self._script.steps, start=1):
            for name in (step.options[key] for key in ("visitor", "by") if key in step.options):
                if name not in self._visitors:
                    known = ", ".join(self._visitors) or "none"
                    raise ConfigurationError(f"step {number}: there is no visitor {name!r}; known: {known}.")
            if "visitor" not in step.options:
                continue
            visitor = self._visitors[step.options["visitor"]]
            if "finger" in step.options:
                visitor.finger(step.options["finger"])
            if step.do in {"show", "join"}:
                visitor.head(step.options.get("portrait", 0))

    def _due(self, now_s: float) -> None:
        steps, round_s = self._script.steps, self._script.round_s
        while True:
            rounds, index = divmod(self._done, len(steps))
            if rounds and not self._script.repeat:
                return
            if now_s < self._started_s + rounds * round_s + steps[index].at_s:
                return
            self._done += 1
            self._play(steps[index])

    def _play(self, step: Step) -> None:
        options = dict(step.options)
        try:
            for key in {"visitor", "by"} & options.keys():
                options[key] = self._visitors[options[key]]
            if step.do == "lay_finger":
                options["finger"] = options.pop("visitor").finger(options.pop("finger"))
            getattr(self._scene, step.do)(**options)
        except ConfigurationError as error:  # a fault of a device that nobody attached
            self._on_error(error)
