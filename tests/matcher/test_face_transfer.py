"""One threshold on several folders: which layout a folder has, which pairs count, and what is reported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from matcher.background import background_of
from matcher.commands import evaluate
from matcher.evaluation.face import evaluate_face
from matcher.evaluation.face_folders import read_folder
from matcher.evaluation.face_pairs import (
    FEW_PEOPLE,
    every_impostor_pair,
    fmr_by_pair_of_people,
    genuine_pairs,
    impostor_pairs,
    score_pairs,
)
from matcher.evaluation.face_samples import Collection, mean_of_each_person
from matcher.evaluation.face_searches import identification_of_several, search_draws, search_set
from matcher.evaluation.face_transfer import transfer
from models.errors import InputError
from tests.matcher.faces import portrait

DIMENSIONS = 32


def picture(folder: Path, session: str, count: int) -> None:
    place = folder / session
    place.mkdir(parents=True)
    for at in range(count):
        (place / f"{at}.png").touch()


def collection(
    counts: list[int], *, seed: int = 1, common: float = 0.0, sessions: list[int] | None = None
) -> Collection:
    """Synthetic people, each with so many photographs; ``common`` moves all of them into one direction."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(len(counts)), counts)
    rows = rng.normal(size=(len(counts), DIMENSIONS))[person] + 0.5 * rng.normal(size=(len(person), DIMENSIONS))
    rows[:, 0] += common * np.sqrt(DIMENSIONS)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    names = tuple(f"{seed}-{at}" for at in range(len(counts)))
    session = None if sessions is None else np.array(sessions)
    return Collection(rows.astype(np.float32), person, np.ones(len(person), bool), names, session)


def test_folders_named_as_sessions_are_sessions_if_somebody_has_several(tmp_path: Path) -> None:
    for session, count in (("0001_00_00_01", 2), ("0001_00_00_02", 1), ("0003_01_05_03", 3)):
        picture(tmp_path, session, count)
    found = read_folder(tmp_path)
    assert found.sessions
    assert [(item.person, item.session) for item in found.photographs[1:4]] == [
        ("0001", "0001_00_00_01"), ("0001", "0001_00_00_02"), ("0003", "0003_01_05_03"),
    ]  # fmt: skip


@pytest.mark.parametrize("names", [("0001_00_00_01", "0003_00_00_01"), ("Ana_de_la_Cruz", "Ana_de_la_Vega")])
def test_other_folders_are_people(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        picture(tmp_path / "images", name, 2)
    found = read_folder(tmp_path)
    assert not found.sessions
    assert {item.person for item in found.photographs} == set(names)


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    picture(tmp_path / "all", "Ana", 2)
    picture(tmp_path / "all", "Bea", 1)
    (tmp_path / "some").mkdir()
    for name in ("Ana", "Bea"):
        (tmp_path / "some" / name).symlink_to(tmp_path / "all" / name)
    assert len(read_folder(tmp_path / "some").photographs) == 3


def test_genuine_pairs_of_sessions_are_of_different_ones() -> None:
    found = collection([3, 2], sessions=[0, 0, 1, 2, 2])
    pairs = genuine_pairs(found)
    assert list(zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)) == [(0, 2), (1, 2)]


def test_few_people_and_sessions_are_compared_with_all_photographs() -> None:
    assert len(impostor_pairs(collection([3, 2, 1]))) == 6 + 3 + 2
    assert len(impostor_pairs(collection([3] * FEW_PEOPLE))) == FEW_PEOPLE * (FEW_PEOPLE - 1) // 2
    assert len(impostor_pairs(collection([2] * FEW_PEOPLE, sessions=list(range(2 * FEW_PEOPLE))))) > 700


def test_two_people_photographed_often_weigh_as_one_pair() -> None:
    found = collection([10, 10, 1])
    pairs = every_impostor_pair(found)
    matched = (found.person[pairs.first] == 0) & (found.person[pairs.second] == 1)
    assert fmr_by_pair_of_people(found, pairs, matched) == pytest.approx(1 / 3)


def test_one_threshold_holds_where_people_are_alike_and_the_cosine_does_not() -> None:
    general = background_of(collection([1] * 400, seed=5).rows)
    folders = {"main": collection([2] * 120), "alike": collection([4] * 12, seed=2, common=0.7)}
    found = transfer(folders, general)
    assert found["fmr"]["main"] == pytest.approx(1e-3, abs=2e-4)
    assert found["similarity"]["fmr"]["alike"] > 0.05
    assert found["fmr"]["alike"] < 0.005
    assert set(found["fnmr"]) == set(found["similarity"]["fnmr"]) == {"main", "alike"}
    assert found["comparisons"]["alike"] == {"genuine": 12 * 6, "impostor": 66 * 16}


def test_without_a_background_the_threshold_is_a_similarity() -> None:
    found = transfer({"main": collection([2] * 40), "also": collection([2] * 30, seed=2)}, None)
    assert not found["normalised"]
    assert found["threshold"] == found["similarity"]["threshold"]


def test_an_identity_is_never_in_its_own_cohort() -> None:
    """Genuine scores do not change when the person is given more photographs of the same kind."""
    general = background_of(collection([1] * 400, seed=5).rows)
    found = collection([2] * 30)
    once = score_pairs(found, general)
    more = Collection(
        np.concatenate([found.rows, found.rows[:1].repeat(9, axis=0)]),
        np.concatenate([found.person, np.zeros(9, np.int64)]),
        np.ones(len(found.person) + 9, bool),
        found.names,
    )
    again = score_pairs(more, general)
    assert once.normalised is not None and again.normalised is not None
    assert again.normalised[0][0] == pytest.approx(once.normalised[0][0], abs=1e-5)


def test_photographs_are_dealt_into_probes_of_five() -> None:
    found = collection([4, 9, 15, 1, 1, 2, 3])
    draw = search_draws(found, draws=1, seed=1, fusion="centroid", background=None, photographs=5)[0]
    assert draw.person.tolist() == [0, 1, 1, 2, 2, 2]
    assert draw.order.tolist() == [0, 0, 1, 0, 1, 2]
    assert draw.stranger.tolist() == [3, 4]
    report = identification_of_several(found, draws=2, seed=1)
    assert report["strangers_of_several"]["strangers"] == 2
    assert report["fnir_at_fpir"] == {"1e-2": 0.0, "1e-3": 0.0}


def test_searches_are_handed_to_the_report_with_their_candidates() -> None:
    found = collection([5, 6, 1, 1])
    draws = search_draws(found, draws=2, seed=1, fusion="centroid", background=None)
    searches = search_set(found, draws)
    assert searches is not None
    assert (searches.gallery, searches.references, searches.draws) == (2, 3, 2)
    assert len(searches.mated_scores) == 2 * (2 + 3)
    assert searches.stranger_candidates is not None and searches.stranger_candidates.shape == (4, 2)
    assert search_set(found, []) is None


def test_a_folder_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="named twice"):
        evaluate_face(tmp_path, also=[tmp_path])


def test_a_background_takes_more_people_than_dimensions(tmp_path: Path) -> None:
    for at, name in enumerate(("1a", "2")):
        place = tmp_path / "faces" / name
        place.mkdir(parents=True)
        for copy in range(2 - at):
            assert cv2.imwrite(str(place / f"{copy}.png"), portrait(name, height=300)[:, :, ::-1])
    result = CliRunner().invoke(evaluate, ["background", str(tmp_path / "faces"), "--out", str(tmp_path / "made.json")])
    assert isinstance(result.exception, InputError)
    assert "more than 128 people" in str(result.exception)
    assert len(mean_of_each_person(tmp_path / "faces", "sface", without=frozenset({"2"}))) == 1
