"""The presentation check of one visit: a challenge drawn at random, and the witnesses that watch it being done.

Owns the port of a witness and how several verdicts become one. Refuses to see anything itself. It fails closed: what is
undecided, not available or broken never passes.

Fusion: ``challenge``, ``solid_head``, ``face_relief`` and ``frame_freshness`` must pass, and ``passive_network`` where
a site has configured one. A kiosk demands ``room_behind``, too, and thereby that it has seen its empty room: where it
has not, or where the camera was moved, a face alone lets nobody through, and the finger or staff decides. ``surround``
and ``screen_pattern`` see too little in too many rooms to be demanded: they may only object. Any one that fails makes
the visit an attack; a broken or missing required one lets nobody through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

import structlog

from matcher.challenge import REST, ChallengeScript, Prompt
from matcher.face_points import FacePoints
from matcher.face_relief import FaceRelief
from matcher.frame_freshness import FrameFreshness
from matcher.head_track import HeadTrack
from matcher.obedience import ChallengeHint, Obedience
from matcher.ports import DetectedFace
from matcher.screen_pattern import ScreenPattern
from matcher.solid_head import SolidHead
from matcher.surround import Surround
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array
from models.errors import WeightsError

log = structlog.get_logger("matcher.presentation")
_MOVING = (Obedience.name, SolidHead.name, FaceRelief.name)  # those that need the points of a face
_OWN = frozenset({*_MOVING, FrameFreshness.name})


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


@dataclass(frozen=True, slots=True, eq=False)
class TriesBefore:
    """What the tries of a visit leave to its next one.

    ``strikes``: how many went the wrong way. ``gentle``: the last came to nothing without that, so small movements are
    asked for. ``prompted``: the head may still be where it was sent.
    """

    strikes: int = 0
    gentle: bool = False
    prompted: bool = False


@dataclass(slots=True)
class PresentationCheck:
    """Several witnesses of one try. ``required`` names those that must pass; the others may only object."""

    witnesses: Sequence[PresentationWitness]
    required: frozenset[str]
    before: TriesBefore = field(default_factory=TriesBefore)
    _broken: set[str] = field(default_factory=set)

    def prompt(self) -> Prompt:
        """What to ask of the person now; changes while the try goes on."""
        obedience = self._obedience()
        return obedience.prompt if obedience else REST

    @property
    def challenge(self) -> str:
        """The kind of ``prompt``."""
        return self.prompt().kind

    def observe(self, pixels: UInt8Array, face: DetectedFace, t_s: float) -> None:
        """Let every witness see one frame; one that breaks is never asked again and stays undecided."""
        for witness in self.witnesses:
            if witness.name in self._broken:
                continue
            try:
                witness.observe(pixels, face, t_s)
            except Exception as error:  # whatever a plug-in raises must not let anybody through, nor stop the kiosk
                self._break(witness, error)
        self._go_on()

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

    def hint(self) -> ChallengeHint | None:
        """What the person can do better now; None for nothing."""
        obedience = self._obedience()
        return obedience.hint() if obedience else None

    def spent(self) -> bool:
        """Whether this try can pass no more: a witness broke, or the head went wrongly, or too late."""
        obedience = self._obedience()
        return bool(self._broken & self.required) or (obedience is not None and obedience.spent)

    def then(self) -> TriesBefore:
        """What this try, should it come to nothing, leaves to the next one.

        A strike is a try that ended after the head went where it was never asked to go, or sooner than it can. How the
        face looked from the front is no part of it: glasses may have been taken off since.
        """
        obedience = self._obedience()
        disobeyed = obedience is not None and obedience.disobeyed
        return TriesBefore(self.before.strikes + disobeyed, not disobeyed, prompted=True)

    def _go_on(self) -> None:
        """Ask for more where the answers were enough, but a required witness has not seen enough of them."""
        obedience = self._obedience()
        if obedience is None or self._ask(obedience).verdict is not WitnessVerdict.PASSED:
            return
        others = (witness for witness in self.witnesses if witness.name in self.required)
        if any(self._ask(witness).verdict is WitnessVerdict.UNDECIDED for witness in others):
            obedience.go_on()

    def _obedience(self) -> Obedience | None:
        return next((item for item in self.witnesses if isinstance(item, Obedience)), None)

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
    """Makes a fresh check per visit; the shape predictor behind them is loaded here, so that nobody waits for it.

    ``more`` makes further witnesses, e.g. a passive network; those named in ``required`` must pass, the others may only
    object. Not safe across threads. ``mirrored``: the camera hands out mirror pictures.
    """

    def __init__(
        self,
        *,
        rng: Random | None = None,
        mirrored: bool = False,
        more: Sequence[Callable[[], PresentationWitness]] = (),
        required: frozenset[str] = frozenset(),
    ) -> None:
        self._rng, self._mirrored, self._more = rng, mirrored, tuple(more)
        self._required = _OWN | required
        self._points = _points()

    def draw(self, before: TriesBefore | None = None) -> PresentationCheck:
        """A check with a challenge that nobody could know before; ``before`` are the tries of the same visit."""
        before = before or TriesBefore()
        moving: list[PresentationWitness] = [NotAvailable(name) for name in _MOVING]
        if self._points is not None:
            track = HeadTrack(self._points, prompted=before.prompted)
            script = ChallengeScript(rng=self._rng, gentle=before.gentle)
            moving = [
                Obedience(track, script, mirrored=self._mirrored, strikes=before.strikes),
                SolidHead(track),
                FaceRelief(track),
            ]
        stream: list[PresentationWitness] = [FrameFreshness(), Surround(), ScreenPattern()]
        witnesses = [*moving, *stream, *(make() for make in self._more)]
        return PresentationCheck(witnesses, self._required, before)


def _points() -> FacePoints | None:
    try:
        return FacePoints()
    except (WeightsError, ImportError) as error:
        log.error("landmarks_not_available", error=type(error).__name__)
        return None
