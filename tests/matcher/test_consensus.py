"""Rigid consensus: it finds the transform that was applied, and finds little where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from matcher.engines.minutiae import MinutiaeEngine, align, prepare
from matcher.engines.overlay import constellation, near, parallel, partners
from matcher.ports import Minutiae
from tests.matcher.minutiae_sets import random_minutiae, seen_again

ENGINE = MinutiaeEngine()


def score(first, second) -> float:
    return ENGINE.compare_prepared(prepare(first), prepare(second))


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 1000), turn=st.floats(-math.pi, math.pi), x=st.floats(-40, 40), y=st.floats(-40, 40),
    jitter=st.floats(0, 1.5),
)  # fmt: skip
def test_the_applied_transform_is_found(seed, turn, x, y, jitter):
    first = random_minutiae(seed, size=(300, 300))
    second = seen_again(first, seed=seed, turn=turn, shift=(x, y), jitter=jitter, size=(700, 700))
    consensus = align(prepare(first), prepare(second))
    assert abs(np.angle(consensus.turn * np.exp(-1j * turn))) < math.radians(4)
    assert len(consensus.first) >= 0.8 * len(second.xy)


@pytest.mark.parametrize("copies", [1, 3])
def test_pairs_are_one_to_one_and_carry_fractions(copies):
    """Also where minutiae lie on each other, so that several are equally good partners."""
    first, drawn = random_minutiae(1), random_minutiae(2)
    each = np.repeat(np.arange(len(drawn.xy)), copies)
    second = Minutiae(drawn.xy[each], drawn.angle[each], drawn.kind[each], drawn.score[each], drawn.size)
    consensus = align(prepare(first), prepare(second))
    assert len(consensus.first) > 2
    assert len(set(consensus.first.tolist())) == len(consensus.first)
    assert len(set(consensus.second.tolist())) == len(consensus.second)
    assert ((consensus.fit > 0) & (consensus.fit <= 1)).all()


def test_partners_are_each_others_best_and_the_first_of_equals():
    weight = np.array([[0.5, 0.5, 0.0], [0.5, 0.2, 0.0], [0.0, 0.9, 0.0], [-1.0, -1.0, -0.1]], np.float32)
    one, two = partners(weight)
    assert one.tolist() == [0, 2]
    assert two.tolist() == [0, 1]


def test_places_and_directions_are_near_each_other_by_distance_and_angle():
    place = np.array([300 - 400j, 310 - 400j, 340 - 420j], np.complex64)
    direction = np.exp(1j * np.radians([0, 10, 90])).astype(np.complex64)
    placed = constellation(place, direction)
    close = near(placed.place, placed, 12.0)
    assert close.diagonal() == pytest.approx(144, abs=1e-2)
    assert close[0, 1] == pytest.approx(44, abs=1e-2)
    assert close[0, 2] < 0
    alike = parallel(direction, placed)
    assert alike.diagonal() == pytest.approx(1, abs=1e-5)
    assert 0.8 < alike[0, 1] < 0.9
    assert alike[0, 2] == 0


def test_the_same_finger_disturbed_scores_above_every_pair_of_unrelated_fingers():
    fingers = [random_minutiae(seed) for seed in range(12)]
    mated = [
        score(finger, seen_again(finger, seed=9, turn=0.4, shift=(15, -10), jitter=2, lost=0.2)) for finger in fingers
    ]
    unrelated = [score(one, two) for i, one in enumerate(fingers) for two in fingers[:i]]
    assert min(mated) > 2 * max(unrelated)


def test_a_part_of_a_finger_still_matches_the_whole():
    whole = random_minutiae(20, count=60, size=(320, 360))
    part = seen_again(whole, turn=0.2, shift=(-60, -70), jitter=1.5, size=(200, 220))
    assert 15 <= len(part.xy) <= 40
    strangers = max(score(part, random_minutiae(seed, count=60, size=(320, 360))) for seed in range(30, 40))
    assert score(whole, part) > 2 * strangers


def test_a_mirrored_finger_is_another_finger():
    finger = random_minutiae(21)
    mirrored = random_minutiae(21)
    mirrored.xy[:, 0] = 255 - mirrored.xy[:, 0]
    mirrored.angle[:] = np.mod(math.pi - mirrored.angle, 2 * math.pi)
    assert score(finger, mirrored) < score(finger, finger) / 3
