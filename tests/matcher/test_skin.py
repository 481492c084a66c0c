"""Bent skin: a stretched finger is laid flat again, as far as skin stretches and no further."""

from __future__ import annotations

import math

import numpy as np
import pytest

from matcher.engines.consensus import find_rigid
from matcher.engines.cylinders import cells, similarity
from matcher.engines.minutiae import MinutiaeEngine, prepare
from matcher.engines.skin import _bend, settle
from matcher.ports import Minutiae
from tests.matcher.minutiae_sets import random_minutiae, seen_again

ENGINE = MinutiaeEngine()


def stretched(minutiae: Minutiae, along: float, across: float, shear: float = 0.0) -> Minutiae:
    """The same minutiae stretched about the middle, x by ``along`` and y by ``across``, in a frame that holds them."""
    middle = np.array(minutiae.size) / 2
    xy = (minutiae.xy - middle) @ np.array([[along, 0], [shear, across]]) + middle * 1.4
    size = (int(minutiae.size[0] * 1.4), int(minutiae.size[1] * 1.4))
    return Minutiae(xy.astype(np.float32), minutiae.angle, minutiae.kind, minutiae.score, size)


def laid(first: Minutiae, second: Minutiae):
    """Both prepared, where the first's minutiae lie without bending, the pairs found so, and the whole alignment."""
    one, two = prepare(first), prepare(second)
    alike = similarity(cells(one.cylinders), cells(two.cylinders))
    rigid = find_rigid(one.constellation, two.constellation, alike)
    stiff = one.constellation.place * np.complex64(rigid.turn) + np.complex64(rigid.shift)
    return one, two, stiff, settle(one.constellation, two.constellation, alike, rigid)


@pytest.mark.parametrize("stretch", [(1.1, 0.95, 0.0), (0.92, 1.06, 0.05), (1.0, 1.12, -0.06)])
def test_a_stretched_finger_is_laid_closer_than_a_stiff_one(stretch):
    finger = random_minutiae(5, count=50)
    _, two, rigid, bent = laid(finger, stretched(finger, *stretch))
    stiff = np.abs(rigid - two.constellation.place)
    supple = np.abs(bent.laid - two.constellation.place)
    assert np.median(supple) < 0.6 * np.median(stiff)
    assert (bent.first == bent.second).mean() == 1
    assert len(bent.first) >= 45  # of fifty


def test_a_finger_that_was_not_stretched_stays_where_it_was():
    finger = random_minutiae(6)
    again = seen_again(finger, turn=0.3, shift=(12, -8), size=(500, 500))
    _, _, rigid, bent = laid(finger, again)
    assert np.abs(bent.laid - rigid).max() < 2


def test_no_more_strain_is_believed_than_skin_bears():
    for seed in range(12):
        _, _, rigid, bent = laid(random_minutiae(seed), random_minutiae(seed + 50))
        offset = bent.laid - rigid
        spread = np.abs(rigid[:, None] - rigid[None])
        moved = np.abs(offset[:, None] - offset[None])
        assert (moved <= 0.25 * math.sqrt(2) * spread + 1e-2).all()


def test_where_partners_ask_for_more_strain_than_that_the_most_is_given():
    place = (np.arange(-5, 6)[:, None] * 20 + 1j * np.arange(-5, 6)[None, :] * 20).ravel().astype(np.complex64)
    moved = _bend(place, place, 1.6 * place, np.ones(len(place), np.float32))
    assert np.abs(moved - 0.25 / math.sqrt(2) * place).max() < 0.5


def test_pairs_stay_one_to_one_and_scores_symmetric_for_bent_fingers():
    finger = random_minutiae(7, count=45)
    again = stretched(finger, 1.08, 0.94)
    one, two, _, bent = laid(finger, again)
    assert len(set(bent.first.tolist())) == len(bent.first)
    assert len(set(bent.second.tolist())) == len(bent.second)
    assert ENGINE.compare_prepared(one, two) == ENGINE.compare_prepared(two, one)


def test_minutiae_seen_surely_count_more_and_unknown_scores_count_alike():
    finger = random_minutiae(8)
    spurious = random_minutiae(9, count=12)

    def with_spurious(score: float) -> Minutiae:
        return Minutiae(
            np.concatenate([finger.xy, spurious.xy]),
            np.concatenate([finger.angle, spurious.angle]),
            np.concatenate([finger.kind, spurious.kind]),
            np.concatenate([np.full(40, 0.9, np.float32), np.full(12, score, np.float32)]),
            finger.size,
        )

    probe = prepare(finger)
    faint, sure = with_spurious(0.3), with_spurious(0.9)
    assert ENGINE.compare_prepared(probe, prepare(faint)) > ENGINE.compare_prepared(probe, prepare(sure))
    unknown = Minutiae(finger.xy, finger.angle, finger.kind, np.zeros(40, np.float32), finger.size)
    assert ENGINE.compare_prepared(prepare(unknown), prepare(unknown)) > 0.5
