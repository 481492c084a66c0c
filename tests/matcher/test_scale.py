"""What ``muster evaluate scale`` measures and writes. No time is asserted, only that figures are there and agree."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner

from matcher import face_index
from matcher.commands import evaluate
from matcher.engines import load_engine
from matcher.evaluation import scale_finger
from matcher.evaluation.footprint import Progress, one_core, resident_bytes
from matcher.evaluation.fresh_process import measured_apart
from matcher.evaluation.scale import curve_sizes, evaluate_scale
from matcher.evaluation.scale_curve import curve_svg
from matcher.evaluation.scale_face import face_scale
from matcher.evaluation.scale_finger import _compared_here, _doubtful, _drawn_here, finger_scale
from matcher.evaluation.synthetic_faces import SyntheticFaces
from models.biometrics import Modality, Template
from models.errors import InputError, MusterError


class TestSyntheticFaces:
    def test_scores_lie_as_those_of_photographs_in_the_wild(self) -> None:
        """SFace on Labeled Faces in the Wild: genuine 0.655 +- 0.108, impostor 0.085 +- 0.089, FMR 1e-3 at 0.358."""
        faces = SyntheticFaces(3)
        references, probes = faces.references(0, 4_000), faces.probes(0, 4_000, 4_000)
        genuine = (references * probes).sum(axis=1)
        impostor = (references[:2_000] @ references[2_000:].T).ravel()
        assert genuine.mean() == pytest.approx(0.655, abs=0.015)
        assert genuine.std() == pytest.approx(0.108, abs=0.01)
        assert impostor.mean() == pytest.approx(0.085, abs=0.01)
        assert np.quantile(impostor, 0.999) == pytest.approx(0.358, abs=0.015)

    def test_a_seed_gives_the_same_people_in_every_block_and_another_seed_others(self) -> None:
        one, again, other = SyntheticFaces(3), SyntheticFaces(3), SyntheticFaces(4)
        assert (one.references(2, 50) == again.references(2, 50)).all()
        assert (one.probes(2, 50, 7) == again.probes(2, 50, 7)).all()
        assert np.abs((one.references(2, 50) * one.references(1, 50)).sum(axis=1)).mean() < 0.2
        assert np.abs((one.references(2, 50) * other.references(2, 50)).sum(axis=1)).mean() < 0.2


class TestFaceScale:
    def test_the_search_finds_what_comparing_with_everybody_finds(self) -> None:
        told: list[tuple[int, int]] = []
        report = face_scale(700, probes=60, seed=5, progress=lambda done, total: told.append((done, total)))
        assert report["rank1"] == report["exhaustive_rank1"] > 0.8
        assert report["recall_at_1"] == 1.0
        assert report["probes"] == {"mated": 60, "strangers": 15}
        assert report["index"] == "numpy"
        assert told[-1] == (1_400, 1_400)

    def test_probes_of_a_gallery_smaller_than_their_number_are_everybody(self) -> None:
        assert face_scale(30, probes=400, seed=5)["probes"]["mated"] == 30

    def test_a_large_gallery_is_searched_by_faiss_with_the_same_finds(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("faiss")
        monkeypatch.setattr(face_index, "NUMPY_UP_TO", 10_000)
        report = face_scale(12_000, probes=100, seed=5)
        assert report["index"].startswith("faiss")
        assert report["recall_at_1"] >= 0.99


class TestFingerScale:
    def test_the_search_and_comparing_with_everybody_are_judged_on_the_same_probes(self) -> None:
        told: list[tuple[int, int]] = []
        report = finger_scale(
            60, probes=12, seed=2, exhaustive_probes=5, progress=lambda done, total: told.append((done, total))
        )
        assert report["probes"] == {"mated": 12, "exhaustive": 5, "doubtful": 0}
        assert report["search_rank1"] <= 1
        assert report["rank1"] > 0.5
        assert report["exhaustive_rank1"] > 0.5
        assert report["rank1"] <= report["found_at_least"] <= 1.0
        assert report["search_ms"]["p95"] >= report["search_ms"]["median"] > 0
        assert told[-1] == (180, 180)

    def test_a_mate_that_scores_higher_than_what_came_first_may_be_lost_and_another_is_not(self) -> None:
        engine = load_engine("minutiae")
        touches = {finger: [_drawn_here([finger], touch, 2)[0] for touch in (1, 2)] for finger in range(4)}
        payloads = [touches[finger][0] for finger in range(4)]
        mated = {finger: Template(engine.format, touches[finger][1]) for finger in range(4)}
        first = {0: 0, 1: 1, 2: 3, 3: 2}
        assert _doubtful(engine, payloads, mated, first, {0: 0.5, 1: 0.5, 2: -1.0, 3: 2.0}) == [2]

    def test_who_is_lost_counts_against_the_search_only_if_everybody_would_find_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fully, asked = scale_finger._exhaustive, {}
        monkeypatch.setattr(scale_finger, "_doubtful", lambda *_: [1, 3])

        def exhaustive(work: Any, payloads: Any, probes: Any, told: Any) -> dict[int, tuple[float, int]]:
            asked.update(fully(work, payloads, probes, told))
            return asked | {3: (0.15, 2)}  # somebody else scores higher than the mate of 3

        monkeypatch.setattr(scale_finger, "_exhaustive", exhaustive)
        report = finger_scale(8, probes=8, seed=2, exhaustive_probes=1)
        assert asked[1][1] == 1 and {1, 3} <= set(asked)
        assert report["found_at_least"] == pytest.approx(8 * report["rank1"] / (8 * report["rank1"] + 1))

    def test_who_was_found_without_a_clear_score_may_be_nobody_that_everybody_would_find(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fully = scale_finger._exhaustive
        monkeypatch.setattr(scale_finger, "CLEAR", 2.0)  # nobody is clear

        def exhaustive(work: Any, payloads: Any, probes: Any, told: Any) -> dict[int, tuple[float, int]]:
            return fully(work, payloads, probes, told) | {5: (0.6, 2)}

        plain = finger_scale(8, probes=8, seed=2, exhaustive_probes=1, unclear=True)
        assert (plain["unclear"], plain["beaten"], plain["rank1_ratio"]) == (8, 0, 1.0)
        monkeypatch.setattr(scale_finger, "_exhaustive", exhaustive)
        report = finger_scale(8, probes=8, seed=2, exhaustive_probes=1, unclear=True)
        assert (report["beaten"], report["rank1_of_all"], report["highest_stranger"]) == (1, 7 / 8, 0.6)
        assert report["rank1_ratio"] == pytest.approx(8 / 7)
        assert report["found_at_least"] == 1.0

    def test_a_seed_gives_the_same_fingers_and_touches(self) -> None:
        assert _drawn_here([3, 4], 1, 9) == _drawn_here([3, 4], 1, 9)
        assert len({*_drawn_here([3, 4], 1, 9), *_drawn_here([3, 4], 2, 9), *_drawn_here([3], 1, 8)}) == 5

    def test_exhaustive_comparison_finds_the_finger_whose_touch_was_enrolled(self) -> None:
        payloads = _drawn_here(range(6), 1, 9)
        count, best = _compared_here(100, payloads, {2: payloads[2], 5: payloads[5]})
        assert count == 6
        assert {finger: place for finger, (_, place) in best.items()} == {2: 102, 5: 105}


class TestEvaluateScale:
    @pytest.mark.parametrize("gallery", [-1, 0, 1, 10_000_001])
    def test_a_gallery_that_is_none_or_beyond_reason_is_refused(self, gallery: int) -> None:
        with pytest.raises(InputError, match="2 to 10,000,000"):
            evaluate_scale(Modality.FACE, gallery)

    def test_sizes_of_a_curve_end_with_the_gallerys_own(self) -> None:
        assert curve_sizes(20_000) == [1_000, 2_000, 5_000, 10_000, 20_000]
        assert curve_sizes(3_000) == [1_000, 2_000, 3_000]
        assert curve_sizes(40) == [40]

    def test_the_command_writes_figures_and_a_picture_that_say_they_are_simulated(self, tmp_path: Path) -> None:
        figures, picture = tmp_path / "scale.json", tmp_path / "scale.svg"
        wanted = ["scale", "--modality", "face", "--gallery", "1500", "--probes", "50"]
        done = CliRunner().invoke(evaluate, [*wanted, "--json", str(figures), "--svg", str(picture)])
        assert done.exit_code == 0, done.output
        assert "simulated" in done.output
        report = json.loads(figures.read_text("utf-8"))
        assert report["modality"] == "face"
        assert report["gallery"] == 1_500
        assert report["simulated"] is True
        assert report["search_ms"]["p95"] >= report["search_ms"]["median"] > 0
        assert 0.5 < report["rank1"] <= 1
        assert report["memory_mb"] is not None
        assert [point["gallery"] for point in report["curve"]] == [1_000, 1_500]
        assert "simulated" in picture.read_text("utf-8")

    def test_a_file_that_cannot_be_written_is_said_in_a_sentence(self, tmp_path: Path) -> None:
        wanted = ["scale", "--modality", "face", "--gallery", "20", "--json", str(tmp_path / "nowhere" / "a.json")]
        done = CliRunner().invoke(evaluate, wanted)
        assert isinstance(done.exception, InputError)
        assert "cannot be written" in str(done.exception)


def test_the_picture_is_well_formed_and_has_a_mark_for_every_size() -> None:
    points: list[dict[str, Any]] = [
        {"gallery": size, "search_ms": {"median": size / 9e3, "p95": size / 8e3}, "memory_mb": size / 3e3}
        for size in (1_000, 10_000, 1_000_000)
    ]
    text = curve_svg({"modality": "face", **points[-1], "curve": points})
    drawn = ElementTree.fromstring(text)  # noqa: S314 - written a line above
    circles = [element for element in drawn.iter() if element.tag.endswith("circle")]
    assert len(circles) == 3 * 3
    places = [float(circle.attrib["cy"]) for circle in circles[:3]]
    assert places == sorted(places, reverse=True)
    assert all(0 < float(circle.attrib["cx"]) < 640 for circle in circles)


def test_the_picture_of_a_single_size_without_known_memory_can_be_drawn() -> None:
    report = {"modality": "finger", "gallery": 100, "search_ms": {"median": 1.0, "p95": 1.0}, "memory_mb": None}
    assert ElementTree.fromstring(curve_svg(report)) is not None  # noqa: S314 - our own text


def surroundings(*, progress: Progress) -> dict[str, Any]:
    progress(1, 2)
    return {"process": os.getpid(), "threads": os.environ["OPENBLAS_NUM_THREADS"]}


def refusal(sentence: str, *, progress: Progress) -> None:
    raise InputError(sentence, code="told")


def sudden_end(*, progress: Progress) -> None:
    os._exit(9)


class TestMeasuredApart:
    def test_it_runs_in_another_process_with_one_thread_and_tells_how_far_it_is(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
        monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
        told: list[tuple[int, int]] = []
        answer = measured_apart(surroundings, progress=lambda done, total: told.append((done, total)))
        assert answer["process"] != os.getpid()
        assert answer["threads"] == "1"
        assert told == [(1, 2)]
        assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
        assert "MKL_NUM_THREADS" not in os.environ

    def test_its_errors_are_raised_here(self) -> None:
        with pytest.raises(InputError, match="too small") as raised:
            measured_apart(refusal, "too small")
        assert raised.value.code == "told"

    def test_a_process_that_ends_without_an_answer_is_said_in_a_sentence(self) -> None:
        with pytest.raises(MusterError, match="ended from outside"):
            measured_apart(sudden_end)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="only Linux can keep a process on one core")
def test_one_core_is_one_core_and_given_back() -> None:
    before = os.sched_getaffinity(0)
    with one_core() as alone:
        assert alone
        assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_resident_memory_counts_what_is_touched_and_not_what_was_given_back() -> None:
    before = resident_bytes()
    if before is None:
        pytest.skip("this system has no /proc")
    held = np.ones(4_000_000)
    grown = (resident_bytes() or 0) - before
    assert 25e6 < grown < 45e6
    del held
    assert (resident_bytes() or 0) - before < 8e6
