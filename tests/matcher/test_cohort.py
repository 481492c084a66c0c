"""A score is told among other people, never among oneself, and means the same wherever those people stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from matcher.background import Background, background, background_of, save
from matcher.cohort import CAP, NOBODY, Cohort, normalised, pair_scores, person_means
from matcher.enrolled_faces import EnrolledFaces
from models.biometrics import Float32Array, TemplateFormat
from models.errors import InputError

DIMENSIONS = 32
SFACE = TemplateFormat("sface", 1)


def unit(rows: NDArray[np.float64]) -> Float32Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=-1, keepdims=True), np.float32)


def crowd(rng: np.random.Generator, people: int, *, common: float = 0.3, photographs: int = 2) -> Float32Array:
    """(people, photographs, D) synthetic vectors; ``common`` is how much of one direction all of them share."""
    middle = np.zeros(DIMENSIONS)
    middle[0] = common
    faces = rng.normal(size=(people, 1, DIMENSIONS)) / np.sqrt(DIMENSIONS)
    return unit(middle + faces + 0.4 * rng.normal(size=(people, photographs, DIMENSIONS)) / np.sqrt(DIMENSIONS))


@pytest.fixture(scope="module")
def general() -> Background:
    return background_of(crowd(np.random.default_rng(9), 600).mean(axis=1))


def impostor_scores(faces: Float32Array, general: Background) -> tuple[Float32Array, Float32Array]:
    """Normalised scores and cosines of all first photographs of different people."""
    people, photographs = faces.shape[:2]
    rows = faces.reshape(-1, DIMENSIONS)
    cohort = Cohort(person_means(rows, np.repeat(np.arange(people), photographs), people), background=general)
    one, other = np.triu_indices(people, 1)
    first = faces[:, 0]
    against = cohort.against(first)
    similarity = np.einsum("pd,pd->p", first[one], first[other])
    return pair_scores(against, against, similarity, at=(one, other), owner=(one, other)), similarity


def test_a_common_direction_moves_cosines_and_hardly_moves_scores(general: Background) -> None:
    rng = np.random.default_rng(1)
    plain, cosines = impostor_scores(crowd(rng, 60), general)
    alike, cosines_alike = impostor_scores(crowd(rng, 60, common=0.9), general)
    threshold, cosine = np.quantile(plain, 0.99), np.quantile(cosines, 0.99)
    assert np.mean(cosines_alike >= cosine) > 0.3
    assert np.mean(alike >= threshold) < 0.03


def test_leaving_out_is_the_same_as_never_having_been_there(general: Background) -> None:
    rng = np.random.default_rng(2)
    rows = crowd(rng, 9).mean(axis=1)
    probe = crowd(rng, 1)[0, :1]
    whole = Cohort(rows, background=general).against(probe).without([0], [3], [5])
    fewer = Cohort(np.delete(rows, [3, 5], axis=0), background=general).against(probe).without([0])
    assert whole.mean == pytest.approx(fewer.mean, abs=1e-5)
    assert whole.spread == pytest.approx(fewer.spread, abs=1e-5)


def test_somebody_named_twice_is_left_out_once_and_nobody_is_nobody(general: Background) -> None:
    against = Cohort(crowd(np.random.default_rng(3), 6).mean(axis=1), background=general).against(
        crowd(np.random.default_rng(4), 1)[0]
    )
    assert against.without([0], [2], [2]) == against.without([0], [2])
    assert against.without([1], [NOBODY]) == against.without([1])


def test_ones_own_identity_in_the_cohort_would_flatter_or_hide_and_is_capped(general: Background) -> None:
    """A cohort that holds the probe's own person is moved by at most what one rather similar person moves it."""
    rng = np.random.default_rng(5)
    faces = crowd(rng, 10)
    probe = faces[4, :1]
    against = Cohort(faces.mean(axis=1), background=general).against(probe)
    with_own, without = against.without([0]), against.without([0], [4])
    spread = np.sqrt(general.moments(probe)[1])
    assert with_own.mean > without.mean
    assert with_own.mean - without.mean < CAP * spread / 5


def test_few_people_are_told_lower_and_nobody_at_all_lowest(general: Background) -> None:
    rng = np.random.default_rng(6)
    faces = crowd(rng, 200)
    probe, reference = faces[0, 0], faces[0, 1]
    scores = []
    for count in (0, 2, 8, 150):
        cohort = Cohort(faces[1 : 1 + count].mean(axis=1), background=general)
        standings = [cohort.against(row[None]).without([0]) for row in (probe, reference)]
        scores.append(float(normalised(probe @ reference, *standings)[0]))
    assert scores[0] < min(scores[1:])
    assert scores[0] < 0.9 * scores[-1]


def test_the_right_twin_comes_first_though_both_are_in_each_others_cohort(general: Background) -> None:
    """Two people who look alike are both in each other's cohort; the nearer one still comes first."""
    rng = np.random.default_rng(7)
    faces = crowd(rng, 12)
    twin = unit(faces[0].mean(axis=0) + 0.5 * rng.normal(size=DIMENSIONS) / np.sqrt(DIMENSIONS))
    rows = np.concatenate([faces.reshape(-1, DIMENSIONS), twin[None]])
    owner = np.array([*np.repeat(np.arange(12), 2), 12])
    enrolled = EnrolledFaces(rows, owner, people=13, background=general, fusion="centroid")
    hits = enrolled.search(faces[0].mean(axis=0))
    assert [hit.person for hit in hits[:2]] == [0, 12]
    assert hits[0].score > hits[1].score > hits[2].score + 1


def test_a_large_gallery_is_normalised_by_some_of_its_people(general: Background) -> None:
    rng = np.random.default_rng(8)
    faces = crowd(rng, 1300)
    enrolled = EnrolledFaces(faces[:, 0], np.arange(1300), people=1300, background=general, fusion="centroid")
    hits = [enrolled.search(faces[at, 1], most=1)[0] for at in range(0, 1300, 100)]
    assert [hit.person for hit in hits] == list(range(0, 1300, 100))


def test_without_a_background_scores_stay_similarities() -> None:
    rng = np.random.default_rng(10)
    faces = crowd(rng, 40)
    enrolled = EnrolledFaces(faces[:, 0], np.arange(40), people=40, background=None, fusion="centroid")
    assert all(hit.similarity is None for hit in enrolled.search(faces[3, 1]))  # the score is the similarity


def test_the_shipped_background_is_a_covariance_and_nobodys_template() -> None:
    shipped = background(SFACE)
    assert shipped is not None
    assert shipped.mean.shape == (128,) and shipped.covariance.shape == (128, 128)
    assert np.array_equal(shipped.covariance, shipped.covariance.T)
    assert np.linalg.eigvalsh(shipped.covariance.astype(np.float64)).min() > 0
    assert shipped.people > 1000
    assert background(TemplateFormat("sface", 999)) is None


def test_a_background_survives_being_written(
    tmp_path: Path, general: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(general, tmp_path / "background-made-1.json")
    monkeypatch.setattr("matcher.background.FOLDER", tmp_path)
    read = background(TemplateFormat("made", 1))
    assert read is not None
    assert np.allclose(read.covariance, general.covariance, atol=1e-7)
    assert np.allclose(read.mean, general.mean, atol=1e-7)
    assert read.people == general.people


def test_a_background_of_too_few_people_is_refused() -> None:
    with pytest.raises(InputError, match="more than 32 people"):
        background_of(np.zeros((32, 32), np.float32))


def test_a_twin_in_the_cohort_weighs_as_somebody_rather_alike_and_no_more(general: Background) -> None:
    faces = crowd(np.random.default_rng(6), 20)[:, 0]
    probe = faces[:1]

    def mean_beside(nearest: Float32Array) -> float:
        cohort = Cohort(np.concatenate([faces[1:], nearest]), background=general)
        return float(cohort.against(probe).without(np.array([0]), np.array([NOBODY])).mean[0])

    assert mean_beside(probe) == pytest.approx(mean_beside(3 * probe))  # however near: the cap was reached
