"""Synthetic fingers: repeatable, within their frame, and told apart as little and as much as fingers are."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from matcher.engines.minutiae import MinutiaeEngine, prepare
from matcher.evaluation.synthetic_minutiae import FINGER, SENSOR, impression_of, synthetic_finger


def test_a_seed_gives_the_same_finger_and_another_seed_another():
    one, again, other = synthetic_finger(3), synthetic_finger(3), synthetic_finger(4)
    assert (one.xy == again.xy).all()
    assert (one.angle == again.angle).all()
    assert len(one.xy) != len(other.xy) or not np.allclose(one.xy, other.xy)


@pytest.mark.parametrize("seed", range(12))
def test_fingers_and_touches_fit_into_a_template(seed):
    engine = MinutiaeEngine()
    finger = synthetic_finger(seed)
    touch = impression_of(finger, np.random.default_rng(seed))
    for minutiae, size in ((finger, FINGER), (touch, SENSOR)):
        assert minutiae.size == size
        assert ((minutiae.xy >= 0) & (minutiae.xy < size)).all()
        assert ((minutiae.angle >= 0) & (minutiae.angle < 2 * math.pi)).all()
        assert len(engine.minutiae(engine.template(minutiae)).xy) == len(minutiae.xy)
    assert 40 <= len(finger.xy) <= 110


def test_touches_of_one_finger_are_more_alike_than_touches_of_two_but_not_the_same():
    engine, rng = MinutiaeEngine(), np.random.default_rng(1)
    touches = [[prepare(impression_of(synthetic_finger(seed), rng)) for _ in range(3)] for seed in range(10)]
    mated = [engine.compare_prepared(*pair) for finger in touches for pair in combinations(finger, 2)]
    unrelated = [engine.compare_prepared(one[0], two[0]) for one, two in combinations(touches, 2)]
    assert np.median(mated) > 2 * max(unrelated)
    assert max(mated) < 0.8


def test_a_finger_without_minutiae_touches_without_any():
    empty = impression_of(synthetic_finger(1), np.random.default_rng(1), size=(4, 4))
    assert len(empty.xy) == 0
    assert len(impression_of(empty, np.random.default_rng(2)).xy) == 0
