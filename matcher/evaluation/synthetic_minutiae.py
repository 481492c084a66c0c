"""Synthetic fingers as sets of minutiae, for measuring at sizes no real collection has. Owns how they are drawn.

A finger has a ridge flow of one of the four common classes and minutiae along it. Touches of it are turned, moved, bent
by the skin, cut by the glass, and read with mistakes. Refuses pictures (``hardware.simulation`` has those), and refuses
to stand in for real fingers where an error rate is stated: what is measured on these is written down as synthetic.

Source of the flow: B. Sherlock and D. Monro, A model for interpreting fingerprint topology, Pattern Recognition 26(7),
1993. How the mistakes were chosen: docs/accuracy/fingers-matching.md.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.ports import Minutiae
from models.biometrics import Float64Array, UInt8Array

FINGER: Final = (420, 520)  # width and height of a whole finger's skin, pixels at 500 dpi
SENSOR: Final = (256, 288)
_CLASSES: Final = (("left loop", 0.338), ("right loop", 0.317), ("whorl", 0.279), ("arch", 0.066))  # NIST's shares
_RIDGE: Final = 9.0  # pixels from ridge to ridge
_APART: Final = 9.0  # pixels between two minutiae at least, most often
_CANDIDATES: Final = 260
_MEDIAN_COUNT: Final = 66  # minutiae of a whole finger
_FOLLOWING: Final = 0.9  # of the minutiae point where the flow opens

# One touch. Standard deviations unless said otherwise.
_TURN: Final = math.radians(11)
_SHIFT: Final = (32.0, 38.0)  # pixels
_CONTACT: Final = (0.32, 0.36)  # half axes of the skin that touches, as shares of the finger's sides
_BEND: Final = 3.0  # pixels by which the skin is displaced, in waves about as long as the finger
_BEND_WAVES: Final = 4
_WOBBLE: Final = 0.9  # pixels
_DIRECTION_WOBBLE: Final = math.radians(3)
_LOST: Final = (0.05, 0.32)  # from the best touch to the worst
_ADDED: Final = (0.02, 0.20)  # of those seen
_REVERSED: Final = 0.015  # of the directions
_OTHER_KIND: Final = 0.22  # of the kinds


def synthetic_finger(seed: int) -> Minutiae:
    """The minutiae of one whole finger, the same for the same seed, in a frame of ``FINGER``; 40 to 110 of them."""
    rng = np.random.default_rng((seed, 0x6D75))
    middle = np.array(FINGER) / 2
    place = middle + rng.uniform(-1, 1, (_CANDIDATES, 2)) * middle * 0.94
    place = place[(np.square((place - middle) / (middle * 0.94)).sum(axis=1) <= 1)]
    singular = _singular_points(rng)
    count = int(np.clip(_MEDIAN_COUNT * math.exp(rng.normal(0, 0.2)), 40, 110))
    place = _thinned(place[_by_density(place, singular, rng)], rng)[:count]
    flow = _flow(place, *singular) + rng.normal(0, math.radians(4), len(place))
    return Minutiae(
        xy=place.astype(np.float32),
        angle=np.mod(flow + math.pi * _backward(place, singular, rng), 2 * math.pi).astype(np.float32),
        kind=rng.integers(1, 3, len(place)).astype(np.uint8),
        score=rng.beta(5, 1.6, len(place)).astype(np.float32),
        size=FINGER,
    )


def impression_of(finger: Minutiae, rng: np.random.Generator, *, size: tuple[int, int] = SENSOR) -> Minutiae:
    """One touch of a finger on a sensor of ``size`` (width, height) pixels, with what a real one gets wrong.

    Also of any other set of minutiae. ``rng`` draws everything, so the same generator in the same state gives the same
    touch.
    """
    skin, glass = np.array(finger.size) / 2, np.array(size) / 2
    place = finger.xy - skin
    shift = rng.normal(0, _SHIFT)
    touching = (
        np.square((place + shift) / (np.array(finger.size) * _CONTACT * rng.uniform(0.85, 1.15))).sum(axis=1) <= 1
    )
    badness = rng.beta(1.6, 2.4)
    lost = _LOST[0] + badness * (_LOST[1] - _LOST[0])
    # What was found surely is mostly found again: half of what a touch misses depends on the minutia.
    typical = float(finger.score.mean()) if len(place) else 1.0
    kept = rng.random(len(place)) >= lost * (1.5 - finger.score.astype(np.float64) / typical / 2)
    chosen = touching & kept
    moved, bent = _bend(place[chosen], rng)
    turn = rng.normal(0, _TURN)
    seen = _turned(moved, turn) + shift + glass + rng.normal(0, _WOBBLE, moved.shape)
    angle = finger.angle[chosen] + bent + turn + rng.normal(0, _DIRECTION_WOBBLE, len(seen))
    angle = angle + math.pi * (rng.random(len(seen)) < _REVERSED)
    kind = np.where(rng.random(len(seen)) < _OTHER_KIND, 3 - finger.kind[chosen], finger.kind[chosen])
    score = np.clip(finger.score[chosen] + rng.normal(0, 0.12, len(seen)) - 0.1 * badness, 0.4, 1)
    added = _added(seen, angle, rng.binomial(max(len(seen), 1), _ADDED[0] + badness * (_ADDED[1] - _ADDED[0])), rng)
    return _framed(
        np.concatenate([seen, added[0]]),
        np.concatenate([angle, added[1]]),
        np.concatenate([kind, rng.integers(1, 3, len(added[0]))]).astype(np.uint8),
        np.concatenate([score, rng.uniform(0.4, 0.75, len(added[0]))]),
        size,
    )


def _singular_points(rng: np.random.Generator) -> tuple[Float64Array, Float64Array, float]:
    """Cores and deltas, (C, 2) and (D, 2) pixels, and the direction of the flow far from them (radians)."""
    width, height = FINGER
    kind = rng.choice([name for name, _ in _CLASSES], p=[share for _, share in _CLASSES])
    core = np.array([width / 2, height * 0.44]) + rng.normal(0, (14, 16))
    if kind == "arch":
        return np.zeros((0, 2)), np.zeros((0, 2)), float(rng.normal(0, 0.1))
    below = rng.normal((115, 175), (22, 30))
    if kind == "whorl":
        second = core + rng.normal((0, 45), (14, 20))
        deltas = core + np.array([[-1, 1], [1, 1]]) * rng.normal((130, 170), (22, 30), (2, 2))
        return np.stack([core, second]), deltas, float(rng.normal(0, 0.08))
    side = -1 if kind == "right loop" else 1
    return core[None], (core + below * [side, 1])[None], float(rng.normal(side * -0.15, 0.1))


def _flow(place: Float64Array, cores: Float64Array, deltas: Float64Array, far: float) -> Float64Array:
    """(N,) ridge orientations in radians, counter-clockwise, modulo a half turn (zero-pole model)."""
    at = place[:, 0] - 1j * place[:, 1]
    turned = np.zeros(len(place))
    for core in cores:
        turned += np.angle(at - complex(core[0], -core[1]))
    for delta in deltas:
        turned -= np.angle(at - complex(delta[0], -delta[1]))
    if not len(cores):  # an arch: level ridges that rise toward the middle
        x = (place[:, 0] - FINGER[0] / 2) / (FINGER[0] / 2)
        y = place[:, 1] / FINGER[1]
        return far - np.arctan(1.3 * np.sin(math.pi * x) * np.exp(-np.square((y - 0.5) / 0.3)))
    return far + turned / 2 + (math.pi / 2 if len(cores) == len(deltas) == 1 else 0.0)


def _by_density(
    place: Float64Array, singular: tuple[Float64Array, Float64Array, float], rng: np.random.Generator
) -> NDArray[np.intp]:
    """An order of the candidates in which those near cores and deltas, where ridges end more often, come earlier."""
    points = np.concatenate([singular[0], singular[1]])
    if not len(points):
        return rng.permutation(len(place))
    gap = np.sqrt(np.square(place[:, None] - points[None]).sum(axis=2)).min(axis=1)
    weight = 1 + 1.6 * np.exp(-np.square(gap / 60))
    return np.argsort(rng.exponential(size=len(place)) / weight)


def _thinned(place: Float64Array, rng: np.random.Generator) -> Float64Array:
    """The places of which none is too near to an earlier one; now and then two are, as in a short ridge."""
    near = (
        np.square(place[:, None] - place[None]).sum(axis=2) < (_APART * rng.uniform(0.6, 1.7, len(place))[:, None]) ** 2
    )
    kept = np.zeros(len(place), np.bool_)
    for at in range(len(place)):
        kept[at] = not (near[at] & kept).any()
    return place[kept]


def _backward(
    place: Float64Array, singular: tuple[Float64Array, Float64Array, float], rng: np.random.Generator
) -> Float64Array:
    """(N,) 0 or 1: whether a minutia points against the flow's own sense.

    Where ridges diverge new ones begin, so neighbors mostly point alike: the sense follows a wave along the finger.
    """
    wave = rng.normal(0, 1 / 110, 2)
    sense = np.sin((place - place.mean(axis=0)) @ wave * 2 + rng.uniform(0, 2 * math.pi)) > 0
    backward: Float64Array = (sense ^ (rng.random(len(place)) > _FOLLOWING)).astype(np.float64)
    return backward


def _bend(place: Float64Array, rng: np.random.Generator) -> tuple[Float64Array, Float64Array]:
    """The places displaced by a few slow waves, and by how much the skin turned there (radians)."""
    wave = rng.normal(0, 1 / 95, (_BEND_WAVES, 2))
    push = rng.normal(0, _BEND / math.sqrt(_BEND_WAVES / 2), (_BEND_WAVES, 2)) * rng.gamma(2.0, 0.5)
    phase = place @ wave.T + rng.uniform(0, 2 * math.pi, _BEND_WAVES)
    moved = place + np.sin(phase) @ push
    curl = np.cos(phase) @ (wave[:, 0] * push[:, 1] - wave[:, 1] * push[:, 0])
    return moved, -curl / 2  # y counts down, angles counter-clockwise


def _turned(place: Float64Array, turn: float) -> Float64Array:
    """Turned counter-clockwise as a viewer sees it; y counts down."""
    cosine, sine = math.cos(turn), math.sin(turn)
    turned: Float64Array = place @ np.array([[cosine, -sine], [sine, cosine]])
    return turned


def _added(
    seen: Float64Array, angle: Float64Array, count: int, rng: np.random.Generator
) -> tuple[Float64Array, Float64Array]:
    """False minutiae: within the print, along the flow of the nearest true one."""
    if not len(seen):
        return np.zeros((0, 2)), np.zeros(0)
    near = rng.integers(0, len(seen), count)
    away = rng.normal(0, 22, (count, 2))
    turned = rng.normal(0, math.radians(18), count) + math.pi * rng.integers(0, 2, count)
    return seen[near] + away, angle[near] + turned


def _framed(
    place: Float64Array, angle: Float64Array, kind: UInt8Array, score: Float64Array, size: tuple[int, int]
) -> Minutiae:
    """What lies on the glass, best first as an extraction gives it."""
    inside = ((place >= 2) & (place < np.array(size) - 2)).all(axis=1)
    order = np.flatnonzero(inside)
    order = order[np.argsort(-score[order], kind="stable")]
    return Minutiae(
        xy=place[order].astype(np.float32),
        angle=np.mod(angle[order], 2 * math.pi).astype(np.float32),
        kind=kind[order],
        score=score[order].astype(np.float32),
        size=size,
    )
