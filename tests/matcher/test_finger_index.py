"""Searching many fingers: the two filters lose nobody who is easily found, and what is removed is gone."""

from __future__ import annotations

import numpy as np
import pytest

from matcher import finger_index
from matcher.engines.compressed import LENGTH, codes
from matcher.engines.cylinders import cells, similarity
from matcher.engines.minutiae import MinutiaeEngine, PreparedMinutiae, prepare
from matcher.evaluation.synthetic_minutiae import impression_of, synthetic_finger
from matcher.finger_index import FingerIndex
from models.errors import InputError
from tests.matcher.minutiae_sets import random_minutiae

ENGINE = MinutiaeEngine()


def touch(seed: int, time: int) -> PreparedMinutiae:
    return prepare(impression_of(synthetic_finger(seed), np.random.default_rng((seed, time))))


@pytest.fixture(scope="module")
def references() -> dict[str, PreparedMinutiae]:
    return {f"finger {seed}": touch(seed, 1) for seed in range(450)}


@pytest.fixture(scope="module")
def filled(references) -> FingerIndex:
    """Of everybody; whoever takes from it or adds to it puts it right again."""
    return index_of(references)


def index_of(references) -> FingerIndex:
    made = FingerIndex(ENGINE)
    for key, prepared in references.items():
        made.add(key, prepared)
    return made


def test_the_right_finger_comes_first_with_the_engines_own_score(filled, references):
    probes = {f"finger {seed}": touch(seed, 2) for seed in range(0, 450, 25)}
    found = {key: filled.search(probe) for key, probe in probes.items()}
    assert sum(hits[0][0] == key for key, hits in found.items()) >= 17
    for key, hits in found.items():
        assert len(hits) == (20 if hits[0][1] >= 0.2 else 100)
        assert [score for _, score in hits] == sorted((score for _, score in hits), reverse=True)
        assert hits[0][1] == ENGINE.compare_prepared(probes[key], references[hits[0][0]])


def test_the_filters_alone_mostly_bring_the_right_finger_among_the_first_two(filled):
    """By chance they would in one search of 225; some of the drawn touches show little of their finger."""
    found = [(seed, filled.search(touch(seed, 2), keep=2)) for seed in range(0, 450, 25)]
    assert sum(f"finger {seed}" in dict(hits) for seed, hits in found) >= 14


def test_a_small_index_compares_everybody(references):
    small = FingerIndex(ENGINE)
    for key in list(references)[:15]:
        small.add(key, references[key])
    hits = small.search(touch(3, 2))
    assert {key for key, _ in hits} == {f"finger {seed}" for seed in range(15)}
    assert small.search(touch(3, 2), keep=15) == hits


def test_what_is_removed_is_not_found_and_its_bytes_are_zero(references):
    index = index_of(references)
    assert index.search(touch(50, 2))[0][0] == "finger 50"
    at, row = index._where["finger 50"]
    page = index._pages[at]
    assert page.codes[:, row].any()
    index.remove("finger 50")
    assert len(index) == 449
    assert "finger 50" not in dict(index.search(touch(50, 2), keep=449))
    assert not page.codes[:, row].any()
    assert not page.place[:, row].any()
    assert not page.direction[:, row].any()
    assert page.prepared[row] is None
    assert page.keys[row] == ""
    index.add("again", references["finger 50"])
    assert index._where["again"] == (at, row)
    assert index.search(touch(50, 2))[0][0] == "again"


def test_a_search_among_some_finds_only_these(filled):
    among = {f"finger {seed}" for seed in range(100, 140)} | {"nobody"}
    hits = filled.search(touch(120, 2), among=among)
    assert hits[0][0] == "finger 120"
    assert {key for key, _ in hits} <= among
    assert filled.search(touch(120, 2), among=set()) == []


def test_a_key_is_taken_once_and_removed_once(filled):
    with pytest.raises(InputError, match="finger 7"):
        filled.add("finger 7", touch(7, 3))
    with pytest.raises(InputError, match="nobody"):
        filled.remove("nobody")
    assert len(filled) == 450


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5])
def test_probes_and_references_with_few_minutiae_do_no_harm(filled, count):
    few = prepare(random_minutiae(1, count=count))
    assert all(score == 0 for _, score in filled.search(few)) or count >= 4
    filled.add("few", few)
    assert filled.search(touch(9, 2))[0][0] == "finger 9"
    filled.remove("few")


def test_an_empty_index_finds_nobody():
    assert FingerIndex(ENGINE).search(touch(1, 1)) == []
    assert len(FingerIndex(ENGINE)) == 0


def test_a_finger_takes_the_stated_bytes_for_its_minutiae_rounded_up(references):
    index = FingerIndex(ENGINE)
    finger = references["finger 3"]
    index.add("one", finger)
    (page,) = index._pages
    together = page.codes.nbytes + page.place.nbytes + page.direction.nbytes
    usable = min(int(finger.cylinders.usable.sum()), finger_index.SLOTS)
    assert together == finger_index.BYTES_PER_SLOT * -(-usable // 8) * 8 * page.codes.shape[1]


def test_codes_order_neighborhoods_like_the_whole_cylinders_do():
    one, two = touch(1, 1), touch(1, 2)
    exact = similarity(cells(one.cylinders), cells(two.cylinders))
    short = codes(one.cylinders) @ codes(two.cylinders).T
    assert codes(one.cylinders).shape == (len(one), LENGTH)
    comparable = exact > 0
    assert np.corrcoef(exact[comparable], short[comparable])[0, 1] > 0.8
    best = exact.max(axis=1) > 0.6
    assert (exact.argmax(axis=1) == short.argmax(axis=1))[best].mean() > 0.8
