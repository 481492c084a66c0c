"""What a person is asked to do at the camera, drawn at random. Owns prompts and their order; refuses to see anything.

A challenge is a short sequence of prompts: each asks the head to go somewhere else than it was sent before. How many
there are depends on how they are answered (see ``matcher.obedience``), so nobody can know the sequence beforehand, not
even its length.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass
from random import Random

LOOK_HERE = "look_here"
FOLLOW_DOT = "follow_dot"
TURNS = {  # where the nose goes, as the person sees it in a mirror: x to the own right, y down
    "turn_left": (-1.0, 0.0),
    "turn_right": (1.0, 0.0),
    "look_up": (0.0, -1.0),
    "look_down": (0.0, 1.0),
}
DOTS = tuple(TURNS.values())
_LONGEST_HOLD_S = 0.3


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to do: ``kind`` is ``look_here``, a key of TURNS or ``follow_dot``.

    ``dot`` is where the dot is on the screen, (x, y) from -1 to 1, x to the person's right and y down; None otherwise.
    """

    kind: str
    dot: tuple[float, float] | None = None

    @property
    def toward(self) -> tuple[float, float] | None:
        """Where the nose should go, a unit vector as in TURNS; None where it should stay."""
        if self.dot is not None:
            length = math.hypot(*self.dot)
            return (self.dot[0] / length, self.dot[1] / length) if length else None
        return TURNS.get(self.kind)


REST = Prompt(LOOK_HERE)


class ChallengeScript:
    """Draws one prompt after the other. ``gentle`` asks to follow a dot with small movements, for stiff necks.

    As hard to foresee as the system's randomness; a test hands in its own.
    """

    def __init__(self, *, rng: Random | None = None, gentle: bool = False) -> None:
        self._rng = rng or secrets.SystemRandom()
        self.gentle = gentle
        self._everything = self._prompts()

    def next(self, last: Prompt) -> tuple[Prompt, int]:
        """A prompt that sends the head somewhere else than ``last``, and out of how many it was drawn."""
        choices = [prompt for prompt in self._everything if prompt != last]
        return self._rng.choice(choices), len(choices)

    def hold_s(self) -> float:
        """How long to wait before the next prompt is shown, in seconds."""
        return self._rng.uniform(0.0, _LONGEST_HOLD_S)

    def _prompts(self) -> tuple[Prompt, ...]:
        if self.gentle:
            return tuple(Prompt(FOLLOW_DOT, dot) for dot in DOTS)
        return tuple(Prompt(kind) for kind in TURNS)
