"""The protocol of measuring faces: which pairs, which gallery, what counts as a miss; and the command that shows it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from matcher.commands import evaluate as evaluate_command
from matcher.evaluation import acquisition
from matcher.evaluation.face import (
    Collection,
    evaluate_face,
    genuine_scores,
    impostor_scores,
    photographs,
    subject,
)
from matcher.evaluation.face_searches import identification
from matcher.evaluation.finger import evaluate_finger
from matcher.evaluation.terminal import without_nan
from matcher.ports import DetectedFace
from models.biometrics import UInt8Array
from models.errors import ConfigurationError, InputError
from tests.matcher.faces import portrait


def save(pixels: UInt8Array, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One visitor four times, two visitors once, and a photograph without a face."""
    place = tmp_path_factory.mktemp("faces")
    for at, name in enumerate(("1a", "1b", "1c"), 1):
        save(portrait(name, height=400), place / "images" / "First" / f"First_000{at}.jpg")
    mirrored = np.ascontiguousarray(portrait("1a", height=300)[:, ::-1])
    save(mirrored, place / "images" / "First" / "First_0004.jpg")
    save(portrait("2", height=400), place / "images" / "Second" / "Second_0001.jpg")
    save(portrait("3", height=400), place / "images" / "Third" / "Third_0001.jpg")
    save(np.full((100, 100, 3), 90, np.uint8), place / "images" / "Wall" / "Wall_0001.jpg")
    return place


def collection(*people: int, dimensions: int = 16, spread: float = 0.1) -> Collection:
    """As many photographs of each person as asked for, each person around an axis of its own."""
    rng = np.random.default_rng(1)
    person = np.repeat(np.arange(len(people)), people)
    rows = np.eye(dimensions)[person] + spread * rng.normal(size=(len(person), dimensions))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return Collection(rows.astype(np.float32), person, np.ones(len(person), bool))


def test_genuine_pairs_are_all_of_up_to_eight_photographs() -> None:
    assert len(genuine_scores(collection(1, 3, 10))) == 3 + 28


def test_impostor_pairs_are_first_photographs_of_everyone() -> None:
    scores = impostor_scores(collection(1, 3, 10, 2))
    assert len(scores) == 6
    assert scores.max() < 0.8


def test_photographs_without_a_face_take_no_part_in_pairs() -> None:
    whole = collection(1, 3, 2)
    found = whole.found.copy()
    found[0] = found[1] = False
    partial = Collection(whole.rows, whole.person, found)
    assert len(genuine_scores(partial)) == 1 + 1
    assert len(impostor_scores(partial)) == 0


def test_the_subject_is_the_face_nearest_to_the_middle() -> None:
    landmarks = np.zeros((5, 2), np.float32)
    aside, middle = DetectedFace((0, 0, 90, 90), landmarks, 1.0), DetectedFace((110, 110, 40, 40), landmarks, 0.7)
    assert subject([aside, middle], width=250, height=250) is middle
    assert subject([], width=250, height=250) is None


def test_a_folder_is_measured_with_the_numbers_of_its_protocol(folder: Path) -> None:
    steps: list[tuple[int, int]] = []
    report = evaluate_face(folder, draws=3, progress=lambda done, total: steps.append((done, total)))
    assert steps[0] == (1, 7)
    assert steps[-1] == (7, 7)
    assert set(report) == {
        "modality", "engine", "failure_to_acquire", "comparisons", "pairs", "pairs_normalised", "identification",
        "identification_probe5", "latency_ms",
    }  # fmt: skip
    assert (report["modality"], report["engine"]) == ("face", "sface")
    assert report["failure_to_acquire"] == pytest.approx(1 / 7)
    assert report["comparisons"] == {"genuine": 6, "impostor": 3}  # strangers' first photographs only
    assert report["pairs"] == {"eer": 0.0, "fnmr_at_fmr": {"1e-2": 0.0, "1e-3": 0.0, "1e-4": 0.0}}
    assert report["identification"] == {
        "gallery": 1,
        "references": 3,
        "fnir_at_fpir": {"1e-2": 0.0, "1e-3": 0.0},
    }
    assert report["pairs_normalised"] == report["pairs"]
    assert report["identification_probe5"]["photographs"] == 5
    assert set(report["latency_ms"]) == {"detect", "extract"}
    assert all(value > 0 for value in report["latency_ms"].values())


def test_worker_processes_see_the_same_as_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = evaluate_face(folder, draws=2, processes=1)
    monkeypatch.setattr(acquisition, "FEW_PICTURES", 0)
    together = evaluate_face(folder, draws=2, processes=2)
    assert {**alone, "latency_ms": None} == {**together, "latency_ms": None}


def test_identification_that_cannot_be_measured_stays_null(folder: Path, tmp_path: Path) -> None:
    for name in ("1a", "1b"):
        save(portrait(name, height=300), tmp_path / "First" / f"{name}.png")
    save(portrait("2", height=300), tmp_path / "Second" / "2.png")
    report = evaluate_face(tmp_path)
    assert report["identification"]["fnir_at_fpir"] == {"1e-2": None, "1e-3": None}


def test_a_wrong_first_rank_and_a_missing_face_are_misses() -> None:
    """Two people of four photographs each; the fourth of one is the other's face."""
    rows = np.repeat(np.eye(2, 16), 4, axis=0).astype(np.float32)
    strangers = np.eye(16)[5:9].astype(np.float32)
    person = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 4, 5])
    everyone = np.concatenate([rows, strangers])
    fine = Collection(everyone, person, np.ones(12, bool))
    report, _ = identification(fine, draws=4, seed=1, fusion="best")
    assert report["fnir_at_fpir"] == {"1e-2": 0.0, "1e-3": 0.0}
    found = np.ones(12, bool)
    found[:4] = False
    found[0] = True
    blind, _ = identification(Collection(everyone, person, found), draws=4, seed=1, fusion="best")
    assert blind["fnir_at_fpir"]["1e-2"] >= 0.375


@pytest.mark.parametrize("people", [{}, {"A": 2}, {"A": 1, "B": 1}])
def test_a_folder_too_small_or_of_another_layout_is_refused(tmp_path: Path, people: dict[str, int]) -> None:
    for name, count in people.items():
        for at in range(count):
            save(np.zeros((10, 10, 3), np.uint8), tmp_path / name / f"{at}.png")
    with pytest.raises(InputError, match="at least two people"):
        photographs(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        photographs(tmp_path / "nowhere")


def test_the_command_shows_a_table_and_writes_json(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "rates.json"
    result = CliRunner().invoke(
        evaluate_command, ["face", str(folder), "--json", str(out), "--draws", "1"], catch_exceptions=False
    )
    assert result.exit_code == 0
    assert "fnmr_at_fmr 1e-4" in result.output
    assert json.loads(out.read_text())["pairs"]["eer"] == 0.0


def test_json_has_null_where_there_is_no_number() -> None:
    assert without_nan({"a": {"b": float("nan"), "c": 0.5, "d": None}}) == {"a": {"b": None, "c": 0.5, "d": None}}


def test_an_unknown_engine_is_told_at_once_also_by_worker_processes(tmp_path: Path) -> None:
    """Workers that end while they start would be started again for ever."""
    for at in range(acquisition.FEW_PICTURES + 1):
        save(np.full((20, 20, 3), 90, np.uint8), tmp_path / f"person {at % 5}" / f"{at}.png")
    with pytest.raises(ConfigurationError, match="no engine called 'nosuch'"):
        evaluate_face(tmp_path, engine="nosuch", processes=1)
    with pytest.raises(ConfigurationError, match="no engine called 'nosuch'"):
        evaluate_face(tmp_path, engine="nosuch", processes=2)


def test_an_engine_of_the_other_modality_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="'minutiae' does not compare faces"):
        evaluate_face(folder, engine="minutiae", processes=1)
    with pytest.raises(InputError, match="'sface' does not compare fingers"):
        evaluate_finger(folder, engine="sface")


def test_a_gallery_of_faceless_references_misses_everyone() -> None:
    blind = collection(4, 4, 1)
    blind.found[:8] = False
    rates, _ = identification(blind, draws=2, seed=1)
    assert rates["fnir_at_fpir"] == {"1e-2": 1.0, "1e-3": 1.0}


def test_a_file_that_cannot_be_written_is_told_before_anything_is_measured(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "nowhere" / "rates.json"
    result = CliRunner().invoke(evaluate_command, ["face", str(folder), "--json", str(place)])
    assert "photographs" not in result.output and isinstance(result.exception, InputError)
