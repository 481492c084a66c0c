"""Cylinder codes: local similarity that does not mind turns, shifts and crops, and tells neighborhoods apart."""

from __future__ import annotations

import numpy as np
import pytest

from matcher.engines.cylinders import BASE, DIRECTIONS, Cylinders, cells, similarity
from matcher.engines.minutiae import prepare
from matcher.engines.seen_area import seen_area
from matcher.ports import Minutiae
from tests.matcher.minutiae_sets import random_minutiae, seen_again


def alike(first: Minutiae, second: Minutiae) -> np.ndarray:
    return similarity(cells(prepare(first).cylinders), cells(prepare(second).cylinders))


def test_every_minutia_is_wholly_like_itself():
    minutiae = random_minutiae(1)
    own = np.diagonal(alike(minutiae, minutiae))
    usable = prepare(minutiae).cylinders.usable > 0
    assert usable.mean() > 0.8
    assert own[usable] == pytest.approx(1, abs=2e-3)
    assert (own[~usable] == 0).all()


def test_similarity_is_a_fraction_and_the_same_from_both_sides():
    first, second = random_minutiae(1), random_minutiae(2, count=30)
    there, back = alike(first, second), alike(second, first)
    assert there.shape == (40, 30)
    assert there.min() >= 0
    assert there.max() <= 1 + 1e-6
    assert there == pytest.approx(back.T, abs=1e-4)


@pytest.mark.parametrize("turn", [0.3, 1.6, 3.1, -2.0])
def test_a_turned_and_shifted_finger_keeps_its_neighborhoods(turn):
    minutiae = random_minutiae(3, size=(400, 400))
    again = seen_again(minutiae, turn=turn, shift=(30, -20), size=(800, 800))
    assert len(again.xy) > 35
    scores = alike(minutiae, again)
    assert np.median(scores.max(axis=1)) > 0.9


def test_a_neighborhood_of_another_finger_is_less_alike_than_the_same_one_disturbed():
    minutiae = random_minutiae(4)
    disturbed = seen_again(minutiae, jitter=2.0)
    mated = np.diagonal(alike(minutiae, disturbed))
    others = alike(minutiae, random_minutiae(5))
    assert np.median(mated[mated > 0]) > np.quantile(others[others > 0], 0.98)


def test_cells_outside_the_picture_are_not_held_against_a_minutia():
    """The left half alone: minutiae near the cut miss neighbors that the sensor could not see."""
    whole = random_minutiae(6, count=60, size=(300, 300))
    half = seen_again(whole, size=(170, 300))
    kept = (whole.xy[:, 0] < 170).nonzero()[0]
    mated = alike(whole, half)[kept, np.arange(len(kept))]
    assert np.median(mated[mated > 0]) > 0.9


@pytest.mark.parametrize("share", [0.35, 0.45])
def test_cylinders_that_share_too_little_seen_ground_are_like_nothing(share):
    ground = np.arange(len(BASE)) < share * len(BASE)
    values = np.repeat(ground, DIRECTIONS)
    seen = cells(Cylinders(np.packbits(values)[None], np.packbits(ground)[None], np.array([True])))
    assert similarity(seen, seen)[0, 0] == pytest.approx(1.0 if share > 0.4 else 0.0)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_minutiae_are_like_nothing(count):
    few = random_minutiae(7, count=count)
    assert alike(few, random_minutiae(8)).shape == (count, 40)
    assert not alike(few, few).any()


def test_the_seen_area_ends_at_the_frame_and_a_margin_outside_the_hull():
    place = np.array([20 - 20j, 80 - 20j, 80 - 80j, 20 - 80j], np.complex64)
    area = seen_area(place, (100, 200))
    inside = area.contains(np.array([50 - 50j, 99 - 50j, 101 - 50j, 50 - 95j, 50 - 120j], np.complex64), 20)
    assert inside.tolist() == [True, True, False, True, False]


@pytest.mark.parametrize("place", [[], [5 - 5j], [5 - 5j, 9 - 9j], [5 - 5j, 10 - 10j, 15 - 15j], [5 - 5j] * 4])
def test_without_a_hull_the_frame_alone_counts(place):
    area = seen_area(np.array(place, np.complex64), (100, 100))
    assert area.contains(np.array([90 - 10j, 110 - 10j], np.complex64), 0).tolist() == [True, False]
