"""A site's calibration: what its own references show, and no more than they can."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from matcher.calibration import calibrate, lower_rate, upper_rate
from matcher.decision import identification_threshold, veto_threshold
from matcher.engines.minutiae import MinutiaeEngine
from matcher.engines.sface import SFaceEngine
from matcher.engines.vectors import to_payload
from matcher.evaluation.site import _face_table
from matcher.shipped import SHIPPED, TRANSFERS
from matcher.site import ModalityCalibration, SiteCalibration, alike, calibrating
from matcher.site_scores import SiteScores, face_scores, finger_scores, usable
from models.biometrics import FingerPosition, Modality, Reference, Template, TemplateFormat
from models.errors import InputError
from tests.matcher.faces import NOW, SFACE
from tests.matcher.minutiae_sets import random_minutiae, seen_again

ENGINE = SFaceEngine.__new__(SFaceEngine)  # vectors are compared without the network


def people(
    count: int, *, references: int = 3, noise: float = 0.5, seed: int = 1, apart: bool = True
) -> list[Reference]:
    """People as random directions, each reference a little off; captured on different days unless in one sitting."""
    random = np.random.default_rng(seed)
    made = []
    for person in range(count):
        middle = random.normal(size=128)
        for number in range(references):
            vector = middle + noise * random.normal(size=128)
            at = NOW + timedelta(days=number if apart else 0)
            template = Template(SFACE, to_payload((vector / np.linalg.norm(vector)).astype(np.float32)))
            made.append(Reference(f"{person}-{number}", f"p{person:04d}", Modality.FACE, None, template, 0.9, at))
    return made


def built(references: list[Reference], **options: Any) -> SiteCalibration:
    return SiteCalibration.build(references, face_engine=ENGINE, finger_engine=None, now=NOW, **options)


def test_a_site_counts_one_score_for_each_pair_of_people() -> None:
    site = built(people(30))
    assert site.face is not None
    assert (site.face.people, site.face.comparisons, site.face.possible) == (30, 435, 435)
    assert (site.face.genuine, site.face.genuine_people) == (90, 30)
    assert site.finger is None


def test_pictures_of_one_sitting_are_no_genuine_comparisons() -> None:
    site = built(people(30, apart=False))
    assert site.face is not None
    assert site.face.genuine == 0
    assert site.face.likelihood is not None
    assert site.face.likelihood.source == SHIPPED["sface"].likelihood.source


def test_a_person_is_never_compared_with_the_own_references_as_an_impostor() -> None:
    twins_of_oneself = people(10, noise=0.0)
    work = face_scores(usable(twins_of_oneself, Modality.FACE, ENGINE), ENGINE, np.random.default_rng(1))
    scores = finished(work)
    assert (scores.first < scores.second).all()
    assert scores.highest.max() < scores.genuine.min()
    assert (scores.drawn <= scores.highest + 1e-5).all()


def finished(work: Any) -> Any:
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def test_the_same_seed_gives_the_same_calibration_in_any_order_of_the_references() -> None:
    references = people(12)
    assert built(references, seed=3) == built(references[::-1], seed=3)


def test_nothing_of_a_template_is_written_down_and_people_only_as_look_alikes() -> None:
    references = people(12)
    text = json.dumps(built(references).to_json())
    assert "p0003" not in text
    assert SiteCalibration.from_json(json.loads(text)) == built(references)


@pytest.mark.parametrize(
    "change", [{"face": 1}, {"lookalikes": [{}]}, {"calibrated_on": "now"}, {"face": {"format": "x"}}]
)
def test_a_malformed_calibration_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        SiteCalibration.from_json(built(people(3)).to_json() | change)
    assert caught.value.code == "calibration_malformed"


def test_people_who_look_alike_are_watched_and_nobody_else() -> None:
    references = people(12)
    twin = [
        Reference(f"t-{item.reference_id}", "twin", Modality.FACE, None, item.template, 0.9, item.enrolled_at)
        for item in references[:3]
    ]
    site = built(references + twin)
    assert site.watched(Modality.FACE) == {"p0000", "twin"}
    assert not site.watched(Modality.FINGER)
    pair = site.lookalikes[0]
    assert (pair.first, pair.second, pair.modality) == ("p0000", "twin", Modality.FACE)
    assert pair.score >= pair.threshold
    weighing = site.weighing(Modality.FACE)
    assert weighing is not None
    assert weighing.watched == {"p0000", "twin"}


@pytest.mark.parametrize("count", [1, 2, 5, 12, 19])
def test_one_person_enrolled_twice_is_watched_and_refuses_nobody(count: int) -> None:
    references = people(count)
    again = [
        Reference(f"t-{item.reference_id}", "again", Modality.FACE, None, item.template, 0.9, item.enrolled_at)
        for item in references[:3]
    ]
    site = built(references + again)
    assert {"p0000", "again"} <= site.watched(Modality.FACE)
    assert site.face is not None
    for fpir, size in ((0.01, count + 1), (0.01 / 40, 1)):
        point = site.face.operating_point(wanted_fpir=fpir, gallery_size=size)
        assert point == identification_threshold(SFACE, fpir, size)


def test_an_engine_nobody_measured_has_its_look_alikes_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.site.shipped", lambda format: None)
    references = people(4, apart=False)
    twin = Reference("t", "twin", Modality.FACE, None, references[0].template, 0.9, NOW)
    site = built([*references, twin])
    weighing = site.weighing(Modality.FACE)
    assert weighing is not None
    assert weighing.likelihood is None
    assert weighing.watched >= {"p0000", "twin"}


def test_who_matches_somebody_else_under_a_claim_is_watched_in_the_largest_gallery() -> None:
    one = ModalityCalibration(SFACE, None, None, 100_000, 0, 1, 0, 0)
    everybody = tuple(str(person) for person in range(100_000))
    score = np.array([4.7], np.float32)  # below what a search among so many asks for, above what a claim does
    nothing = np.empty(0, np.int64)
    scores = SiteScores(everybody, np.array([0]), np.array([1]), score, score, score[:0], nothing, 1)
    assert [(pair.first, pair.second) for pair in alike(scores, one, Modality.FACE, wanted_fpir=0.01)] == [("0", "1")]


def test_a_genuine_score_is_told_of_the_reference_that_it_is_of() -> None:
    held = usable(people(4), Modality.FACE, ENGINE)
    table = _face_table(held, ENGINE)
    assert table.at.tolist() == list(range(12))
    assert table.owner[table.at].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    scores = finished(face_scores(held, ENGINE, np.random.default_rng(1)))
    assert scores.genuine_person.tolist() == table.owner.tolist()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_site_with_hardly_anybody_has_the_thresholds_that_ship(count: int) -> None:
    site = built(people(count))
    assert site.face is not None
    assert site.face.operating_point(wanted_fpir=0.01, gallery_size=40) == identification_threshold(SFACE, 0.01, 40)


def test_a_handful_of_people_hardly_move_the_likelihood_ratio_that_ships() -> None:
    found = built(people(5)).face
    assert found is not None
    assert found.likelihood is not None
    assert found.likelihood.slope == pytest.approx(SHIPPED["sface"].likelihood.slope, rel=0.05)
    assert found.likelihood.llr(4.5) == pytest.approx(SHIPPED["sface"].likelihood.llr(4.5), abs=0.3)


def test_only_valid_references_of_the_engines_own_format_are_compared() -> None:
    first, second, third = people(3, references=1)
    other = TemplateFormat("dlib", 1)
    held = [first, replace(second, revoked_at=NOW), replace(third, template=Template(other, third.template.payload))]
    assert usable(held, Modality.FACE, ENGINE) == [first]


def test_a_threshold_moves_when_the_gallery_grows() -> None:
    site = built(people(12))
    assert site.face is not None
    sizes = [site.face.operating_point(wanted_fpir=0.01, gallery_size=size).threshold for size in (10, 1000, 10**5)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_few_people_never_lower_a_threshold_and_never_raise_it_without_cause() -> None:
    shipped = SHIPPED["sface"].impostors
    ordinary = calibrate(SFACE, like_the_shipped(435), calibrated_on=NOW, dataset="ordinary")
    assert ordinary.surplus(shipped, 1e-4) == 0.0
    assert identification_threshold(SFACE, 0.01, 30, ordinary) == identification_threshold(SFACE, 0.01, 30)


def like_the_shipped(count: int) -> np.ndarray:
    """Scores that lie as the shipped figures say, drawn evenly."""
    rarity, score = zip(*((-math.log(rate), at) for rate, at in SHIPPED["sface"].impostors), strict=True)
    return np.interp(-np.log((np.arange(count) + 0.5) / count), (0.0, *rarity), (0.0, *score))


def test_people_who_surely_score_higher_raise_the_threshold_by_so_much() -> None:
    alike = calibrate(SFACE, like_the_shipped(435) + 1.5, calibrated_on=NOW, dataset="alike")
    point = identification_threshold(SFACE, 0.01, 30, alike)
    assert point.threshold > identification_threshold(SFACE, 0.01, 30).threshold + 0.2
    assert point.calibrated_on is None
    assert "alike" in point.dataset
    assert veto_threshold(SFACE, alike) > veto_threshold(SFACE)


def test_enough_people_set_their_own_threshold() -> None:
    many = calibrate(SFACE, like_the_shipped(200_000), calibrated_on=NOW, dataset="many")
    point = identification_threshold(SFACE, 0.01, 40, many)
    assert point.calibrated_on == NOW
    assert point.threshold == pytest.approx(3.95, abs=0.15)


def test_the_lower_limit_of_a_rate_lies_below_it_and_the_upper_above() -> None:
    assert lower_rate(0, 100) == 0.0
    assert lower_rate(1, 100) == pytest.approx(0.0513 / 100, rel=0.01)
    assert lower_rate(10, 1000) == pytest.approx(5.425 / 1000, rel=0.02)
    for matches in (1, 2, 5, 50):
        assert lower_rate(matches, 1000) < matches / 1000 < upper_rate(matches, 1000)


def test_a_shipped_ratio_claims_no_more_than_transfers() -> None:
    for known in SHIPPED.values():
        assert known.likelihood.highest <= math.log(TRANSFERS / 3)
        rates, scores = zip(*known.impostors, strict=True)
        assert list(rates) == sorted(rates, reverse=True)
        assert list(scores) == sorted(scores)


def test_fingers_are_compared_within_a_bounded_number_of_comparisons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("matcher.site_scores.FINGER_COMPARISONS", 10)
    monkeypatch.setattr("matcher.site_scores.WATCH_COMPARISONS", 10)
    engine = MinutiaeEngine()
    made = {
        (person, number): seen_again(random_minutiae(person), seed=number, jitter=1.0, lost=0.1)
        for person in range(8)
        for number in range(2)
    }
    index = FingerPosition.RIGHT_INDEX
    references = [
        Reference(
            f"{person}-{number}", f"p{person}", Modality.FINGER, index, engine.template(minutiae), 0.9,
            NOW + timedelta(days=number),
        )
        for (person, number), minutiae in made.items()
    ]  # fmt: skip
    compared = 0
    compare = engine.compare_prepared

    def counted(probe: Any, reference: Any) -> float:
        nonlocal compared
        compared += 1
        return compare(probe, reference)

    monkeypatch.setattr(engine, "compare_prepared", counted)
    scores = finished(finger_scores(references, engine, np.random.default_rng(1)))
    assert compared <= 17 + 10 + 2
    assert len(scores.drawn) == 5 < scores.possible == 28
    assert scores.genuine.min() > scores.drawn.max()


def test_whoever_shares_a_finger_is_watched_whatever_is_drawn() -> None:
    """Two people with one finger in common, enrolled under either: the likeness is found under every seed."""
    engine = MinutiaeEngine()
    owned = {"p1": (0, 8), "p2": (1, 8), "p3": (2, 3), "p4": (4, 5), "p5": (6, 7)}
    sides = (FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX)
    references = [
        Reference(
            f"{person}-{side.value}-{again}", person, Modality.FINGER, side,
            engine.template(seen_again(random_minutiae(finger), seed=again, jitter=1.0, lost=0.1)), 0.9, NOW,
        )
        for person, fingers in owned.items()
        for side, finger in zip(sides, fingers, strict=True)
        for again in range(2)
    ]  # fmt: skip
    for seed in range(8):
        scores = finished(finger_scores(references, engine, np.random.default_rng(seed)))
        alike = int(np.argmax(scores.highest))
        assert (scores.people[scores.first[alike]], scores.people[scores.second[alike]]) == ("p1", "p2")
        assert scores.highest[alike] > 2 * np.sort(scores.highest)[-2]


def test_the_work_pauses_so_that_visitors_are_looked_after() -> None:
    work = calibrating(people(200, references=1), face_engine=ENGINE, finger_engine=None, now=NOW)
    assert sum(1 for _ in work) >= 4
