"""A hand-made head of points, solid or flat, and somebody who obeys prompts with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import numpy as np

from matcher.challenge import ChallengeScript, Prompt
from matcher.head_track import HeadTrack
from matcher.obedience import Obedience
from matcher.parallax import Points
from matcher.solid_head import SolidHead
from models.attendance import WitnessVerdict
from models.biometrics import Float32Array, Float64Array

FRAME_S = 1 / 15
Pose = tuple[float, float]  # yaw and pitch in degrees; yaw above 0 is the own left
Answer = Callable[[Prompt], Pose]


@dataclass(frozen=True)
class Skull:
    """A hand-made head of 68 + 5 points in eye distances, x right, y down, z to the camera; ``depth`` 0 flattens it."""

    depth: float = 1.0
    noise: float = 0.004
    seed: int = 0
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(3))

    def points(self) -> tuple[Float64Array, Float64Array]:
        many = np.zeros((68, 3))
        angles = np.linspace(0, np.pi, 17)
        many[0:17] = np.column_stack([-1.15 * np.cos(angles), 1.9 * np.sin(angles) + 0.1, -1.1 + 0.9 * np.sin(angles)])
        many[17:27] = np.column_stack([np.linspace(-0.9, 0.9, 10), np.full(10, -0.35), np.full(10, 0.05)])
        many[27:31] = np.column_stack([np.zeros(4), np.linspace(0.05, 0.62, 4), np.linspace(0.1, 0.43, 4)])
        many[31:36] = np.column_stack([np.linspace(-0.22, 0.22, 5), np.full(5, 0.72), [0.15, 0.25, 0.3, 0.25, 0.15]])
        for start, middle in ((36, -0.5), (42, 0.5)):
            turn = np.linspace(np.pi, -np.pi, 7)[:6]
            many[start : start + 6] = np.column_stack([middle + 0.22 * np.cos(turn), 0.08 * np.sin(turn), np.zeros(6)])
        turn = np.linspace(np.pi, -np.pi, 21)[:20]
        many[48:68] = np.column_stack([0.42 * np.cos(turn), 1.1 + 0.15 * np.sin(turn), np.full(20, 0.03)])
        many[54] = [0.42, 1.1, 0.03]
        five = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.62, 0.43], [-0.42, 1.1, 0.03], [0.42, 1.1, 0.03]])
        return many * [1, 1, self.depth], five * [1, 1, self.depth]

    def seen(self, *, yaw_deg: float = 0.0, pitch_deg: float = 0.0, x: float = 0.0, away: float = 9.5) -> Points:
        """Perspective projection at ``away`` eye distances (0.6 m), focal length 560 pixels."""
        yaw, pitch = np.deg2rad([yaw_deg, pitch_deg])
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])

        def project(points: Float64Array) -> Float32Array:
            placed = points @ (nod @ turn).T
            shaken = placed[:, :2] + [x, 0.0] + self.rng.normal(0, self.noise, (len(points), 2))
            return np.asarray(320 + 560 * shaken / (away - placed[:, 2:]), dtype=np.float32)

        many, five = self.points()
        return Points(project(five), project(many))


def obeys(prompt: Prompt, *, reach_deg: float = 20.0) -> Pose:
    """Where a head goes that does what it is asked; a look up or down reaches less far."""
    toward = prompt.toward or (0.0, 0.0)
    return -reach_deg * toward[0], 0.7 * reach_deg * toward[1]


@dataclass
class Visitor:
    """Moves a skull as ``answer`` says, after ``reaction_s``, within ``takes_s``, and shows it to the witnesses.

    ``urged``: asked for more while the solid is not decided, as a presentation check does.
    """

    challenge: Obedience
    solid: SolidHead
    track: HeadTrack
    answer: Answer = obeys
    skull: Skull = field(default_factory=Skull)
    reaction_s: float = 0.5
    takes_s: float = 0.5
    urged: bool = False
    now_s: float = 0.0

    def stand(self, seconds: float) -> None:
        """Let time pass until ``seconds`` are over or the challenge is."""
        aims: list[tuple[float, Pose]] = []
        heard: Prompt | None = None
        end_s, at = self.now_s + seconds, (0.0, 0.0)
        while self.now_s < end_s and not self.challenge.spent and self.challenge.verdict().verdict.value != "passed":
            if self.challenge.prompt != heard:
                heard = self.challenge.prompt
                aims.append((self.now_s + self.reaction_s, self.answer(heard)))
            begun = [aim for starts_s, aim in aims if self.now_s >= starts_s]
            if begun:
                at = _toward(at, begun[-1], step=30.0 * FRAME_S / self.takes_s)
            self.show(at)
            if self.urged and self.solid.verdict().verdict is WitnessVerdict.UNDECIDED:
                self.challenge.go_on()

    def show(self, at: Pose) -> None:
        """One frame of the skull in this pose."""
        seen = self.track.add(self.skull.seen(yaw_deg=at[0], pitch_deg=at[1]), self.now_s)
        if seen is not None:
            self.challenge.follow(seen)
            self.solid.follow(seen)
        self.now_s += FRAME_S


def _toward(at: Pose, aim: Pose, *, step: float) -> Pose:
    away = np.hypot(aim[0] - at[0], aim[1] - at[1])
    share = 1.0 if away <= step else step / float(away)
    return at[0] + share * (aim[0] - at[0]), at[1] + share * (aim[1] - at[1])


def visitor(
    seed: int = 1,
    *,
    answer: Answer = obeys,
    skull: Skull | None = None,
    reaction_s: float = 0.5,
    takes_s: float = 0.5,
    strikes: int = 0,
    gentle: bool = False,
    mirrored: bool = False,
    urged: bool = False,
) -> Visitor:
    track = HeadTrack(points=None)  # type: ignore[arg-type]  # points are handed in
    challenge = Obedience(track, ChallengeScript(rng=Random(seed), gentle=gentle), strikes=strikes, mirrored=mirrored)
    figure = skull or Skull(rng=np.random.default_rng(seed))
    return Visitor(challenge, SolidHead(track), track, answer, figure, reaction_s, takes_s, urged)


def verdicts(who: Visitor) -> tuple[WitnessVerdict, WitnessVerdict]:
    return who.challenge.verdict().verdict, who.solid.verdict().verdict
