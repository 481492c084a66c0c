"""What a person is asked to do at the camera, drawn at random. Owns prompts and their order; refuses to see anything.

A challenge is a short sequence of prompts: turn the head left or right, look up or down, or follow a dot into a corner.
Each sends the head somewhere else than it is. How many there are depends on how they are answered
(``matcher.obedience``), so nobody can know the sequence beforehand, not even its length.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

LOOK_HERE = "look_here"
FOLLOW_DOT = "follow_dot"
Direction = tuple[float, float]
TURNS: dict[str, Direction] = {  # where the nose goes, as the person sees it in a mirror: x to the own right, y down
    "turn_left": (-1.0, 0.0),
    "turn_right": (1.0, 0.0),
    "look_up": (0.0, -1.0),
    "look_down": (0.0, 1.0),
}
_NEAR, _FAR = 0.05, 0.95
CORNERS: tuple[Direction, ...] = ((_NEAR, _NEAR), (_FAR, _NEAR), (_NEAR, _FAR), (_FAR, _FAR))
SIDES: tuple[Direction, ...] = ((_NEAR, 0.5), (_FAR, 0.5), (0.5, _NEAR), (0.5, _FAR))


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to do: ``kind`` is ``look_here``, a key of TURNS or ``follow_dot``.

    ``dot`` is where the dot is on the screen, as shares of its width and height from the left and the top; else None.
    """

    kind: str
    dot: tuple[float, float] | None = None

    @property
    def toward(self) -> Direction | None:
        """Where the nose should go, a unit vector as in TURNS; None where it should stay."""
        if self.dot is None:
            return TURNS.get(self.kind)
        x, y = 2.0 * self.dot[0] - 1.0, 2.0 * self.dot[1] - 1.0
        length = math.hypot(x, y)
        return (x / length, y / length) if length else None


REST = Prompt(LOOK_HERE)
_INTO_CORNERS = tuple(Prompt(FOLLOW_DOT, dot) for dot in CORNERS)
_USUAL = (*(Prompt(kind) for kind in TURNS), *_INTO_CORNERS, *_INTO_CORNERS)  # twice: a dot is answered sooner
_GENTLE = tuple(Prompt(FOLLOW_DOT, dot) for dot in (*SIDES, *CORNERS))


class ChallengeScript:
    """Draws one prompt after the other. ``gentle`` asks to follow a dot only, for those who cannot turn far.

    As hard to foresee as the system's randomness; a test hands in its own.
    """

    def __init__(self, *, rng: Random | None = None, gentle: bool = False) -> None:
        self._rng = rng or secrets.SystemRandom()
        self.gentle = gentle

    def next(self, asked: Sequence[Prompt], *, far: bool = False) -> Prompt:
        """A prompt that sends the head at least a right angle away from where the last one ``asked`` sent it.

        After two nods something sideways is asked: a nod alone says too little about the solid. ``far``: something
        sideways, more often in words, which lead further than a dot does; ``gentle`` ones stay gentle.
        """
        choices = [prompt for prompt in (_GENTLE if self.gentle else _USUAL) if _elsewhere(prompt, asked[-1:])]
        if len(asked) >= 2 and not any(_is_sideways(prompt) for prompt in asked):
            choices = [prompt for prompt in choices if _is_sideways(prompt)]
        if far:
            sideways = list(dict.fromkeys(prompt for prompt in choices if _is_sideways(prompt)))
            choices = [*sideways, *(prompt for prompt in sideways if prompt.dot is None)] or choices
        return self._rng.choice(choices)


def _elsewhere(prompt: Prompt, last: Sequence[Prompt]) -> bool:
    here = prompt.toward or (0.0, 0.0)
    return all(here[0] * way[0] + here[1] * way[1] < 0.1 for each in last if (way := each.toward) is not None)


def _is_sideways(prompt: Prompt) -> bool:
    return prompt.toward is not None and abs(prompt.toward[0]) > 0.1
