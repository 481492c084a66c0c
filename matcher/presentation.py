"""The presentation check of one visit: a head turn drawn at random, and the witnesses that watch it being done.

Owns the drawing, the port of a witness and how several verdicts become one. Refuses to see anything itself. It fails
closed: what is undecided, not available or broken never passes.

It is a first check, not the last: about one in a hundred simulated photographs that were turned by hand passed it, and
a recording of a turning head passes half of the time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from random import Random
from typing import Protocol

import structlog

from matcher.face_points import FacePoints
from matcher.frame_freshness import FrameFreshness
from matcher.head_turn import HeadTurn, TurnHint
from matcher.ports import DetectedFace
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array
from models.errors import WeightsError

log = structlog.get_logger("matcher.presentation")
KINDS = ("turn_left", "turn_right")  # the person's own left and right


@dataclass(frozen=True, slots=True)
class HeadTurnChallenge:
    """What the person is asked to do: turn the head to their own left or right."""

    kind: str

    @classmethod
    def draw(cls, rng: Random | None = None) -> HeadTurnChallenge:
        """One of the two, as hard to foresee as the system's randomness; a test hands in its own."""
        return cls((rng or secrets.SystemRandom()).choice(KINDS))


class PresentationWitness(Protocol):
    """Somebody who watches one visit and says whether a living person stands there. Seconds never go back."""

    name: str

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """See one frame, (H, W, 3) uint8 RGB, and the face in it, at ``t_s`` seconds."""

    def verdict(self) -> PresentationEvidence:
        """The verdict so far; may be asked at any time."""


class NotAvailable:
    """A witness that could not be called, e.g. because its weights are missing. It never passes."""

    def __init__(self, name: str) -> None:
        self.name = name

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """See nothing."""

    def verdict(self) -> PresentationEvidence:
        """Not available."""
        return PresentationEvidence(self.name, WitnessVerdict.NOT_AVAILABLE)


@dataclass(slots=True)
class PresentationCheck:
    """Several witnesses of one challenge. ``required`` names those that must pass; the others may only object."""

    drawn: HeadTurnChallenge
    witnesses: Sequence[PresentationWitness]
    required: frozenset[str]
    _broken: set[str] = field(default_factory=set)

    @property
    def challenge(self) -> str:
        """What to ask of the person: ``turn_left`` or ``turn_right``."""
        return self.drawn.kind

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Let every witness see one frame; one that breaks is never asked again and stays undecided."""
        for witness in self.witnesses:
            if witness.name in self._broken:
                continue
            try:
                witness.observe(pixels, face, t_s)
            except Exception as error:  # whatever a plug-in raises must not let anybody through, nor stop the kiosk
                self._break(witness, error)

    def evidence(self) -> tuple[PresentationEvidence, ...]:
        """Each witness's verdict so far."""
        return tuple(self._ask(witness) for witness in self.witnesses)

    def verdict(self) -> WitnessVerdict:
        """FAILED if any failed; PASSED if every required witness passed and none failed; else UNDECIDED.

        NOT_AVAILABLE if nothing can pass any more because a required witness cannot be called.
        """
        verdicts = {item.witness: item.verdict for item in self.evidence()}
        if WitnessVerdict.FAILED in verdicts.values():
            return WitnessVerdict.FAILED
        needed = [verdicts.get(name, WitnessVerdict.NOT_AVAILABLE) for name in self.required]
        if WitnessVerdict.NOT_AVAILABLE in needed or not needed:
            return WitnessVerdict.NOT_AVAILABLE
        passed = all(verdict is WitnessVerdict.PASSED for verdict in needed)
        return WitnessVerdict.PASSED if passed else WitnessVerdict.UNDECIDED

    def hint(self) -> TurnHint | None:
        """What the person can do now, of the first witness that says so; None for nothing."""
        for witness in self.witnesses:
            if isinstance(witness, HeadTurn):
                return witness.hint()
        return None

    def spent(self) -> bool:
        """Whether this challenge can pass no more: a witness broke, or the head turned wrongly, early or late."""
        if self._broken & self.required:
            return True
        return any(isinstance(witness, HeadTurn) and witness.spent for witness in self.witnesses)

    def _ask(self, witness: PresentationWitness) -> PresentationEvidence:
        if witness.name not in self._broken:
            try:
                return witness.verdict()
            except Exception as error:  # as in ``observe``
                self._break(witness, error)
        return PresentationEvidence(witness.name, WitnessVerdict.UNDECIDED, {"broken": 1.0})

    def _break(self, witness: PresentationWitness, error: Exception) -> None:
        self._broken.add(witness.name)
        log.error("presentation_witness_broken", witness=witness.name, error=type(error).__name__)


class PresentationChecks:
    """Makes a fresh check per visit; the shape predictor behind them is loaded once, with the first one.

    ``more`` makes further witnesses that may object, e.g. a passive network. Not safe across threads. ``mirrored``:
    the camera hands out mirror pictures.
    """

    def __init__(
        self,
        *,
        rng: Random | None = None,
        mirrored: bool = False,
        more: Sequence[Callable[[], PresentationWitness]] = (),
    ) -> None:
        self._rng, self._mirrored, self._more = rng, mirrored, tuple(more)

    @cached_property
    def _points(self) -> FacePoints | None:
        try:
            return FacePoints()
        except (WeightsError, ImportError) as error:
            log.error("head_turn_not_available", error=type(error).__name__)
            return None

    def draw(self) -> PresentationCheck:
        """A check with a challenge that nobody could know before."""
        challenge = HeadTurnChallenge.draw(self._rng)
        turn: PresentationWitness = NotAvailable(HeadTurn.name)
        if self._points is not None:
            turn = HeadTurn(challenge.kind, points=self._points, mirrored=self._mirrored)
        witnesses = [turn, FrameFreshness(), *(make() for make in self._more)]
        return PresentationCheck(challenge, witnesses, frozenset({HeadTurn.name, FrameFreshness.name}))
