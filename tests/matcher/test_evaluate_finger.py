"""The evaluation of a finger engine: which pairs it takes, what it reports, which folders it refuses."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from matcher.engines.minutiae import MinutiaeEngine
from matcher.evaluation.finger import compare_all, evaluate_finger, impressions
from models.biometrics import Template, UInt8Array
from models.errors import ImageError, InputError
from tests.matcher.minutiae_sets import random_minutiae, seen_again


class LabelledEngine(MinutiaeEngine):
    """The real matcher; instead of the network, the picture's first two gray levels say which finger it shows."""

    def extract(self, pixels: UInt8Array, *, dpi: int = 500) -> Template:
        finger, impression = int(pixels[0, 0]), int(pixels[0, 1])
        if finger == 0:
            return self.template(random_minutiae(0, count=0))
        again = seen_again(random_minutiae(finger), seed=impression, turn=impression / 10, jitter=1, lost=0.1)
        return self.template(again)


def lay(folder: Path, fingers: int, touches: int, *, suffix: str = ".png") -> Path:
    for finger in range(1, fingers + 1):
        for touch in range(1, touches + 1):
            picture = np.zeros((8, 8), np.uint8)
            picture[0, :2] = finger, touch
            cv2.imwrite(str(folder / f"{100 + finger}_{touch}{suffix}"), picture)
    return folder


def test_the_report_holds_rates_as_fractions_and_latencies(tmp_path):
    report = evaluate_finger(lay(tmp_path, 4, 3), engine=LabelledEngine())
    assert report["modality"] == "finger"
    assert report["engine"] == "minutiae"
    assert report["failure_to_acquire"] == 0
    assert report["fvc"] == {"eer": 0, "zero_fmr": 0}
    assert report["all"] == {"eer": 0, "fnmr_at_fmr": {"1e-2": 0, "1e-3": 0}, "zero_fmr": 0}
    assert set(report["latency_ms"]) == {"extract", "compare"}
    assert report["comparisons"] == {"genuine": 12, "fvc_impostor": 6, "all_impostor": 54}


def test_the_pairs_are_those_of_the_competition(tmp_path):
    scores = compare_all(impressions(lay(tmp_path, 10, 8)), EveryPairEngine())
    assert (len(scores.genuine), len(scores.fvc_impostor), len(scores.impostor)) == (280, 45, 2880)


class EveryPairEngine(LabelledEngine):
    """Only the pairs matter here, not their scores."""

    def prepare(self, template: Template) -> Template:
        return template

    def compare_prepared(self, probe: Template, reference: Template) -> float:
        return 0.0


def test_the_first_impression_of_a_finger_is_its_lowest_number(tmp_path):
    lay(tmp_path, 3, 2)
    (tmp_path / "101_1.png").rename(tmp_path / "101_10.png")
    scores = compare_all(impressions(tmp_path), LabelledEngine())
    assert [item.number for item in impressions(tmp_path) if item.finger == "101"] == [2, 10]
    assert len(scores.fvc_impostor) == 3


def test_a_picture_without_minutiae_is_a_failure_to_acquire_that_matches_nothing(tmp_path):
    lay(tmp_path, 2, 2)
    cv2.imwrite(str(tmp_path / "101_2.png"), np.zeros((8, 8), np.uint8))
    report = evaluate_finger(tmp_path, engine=LabelledEngine())
    assert report["failure_to_acquire"] == 0.25
    assert report["all"]["zero_fmr"] == 0.5


def test_progress_counts_pictures_and_comparisons_to_the_end(tmp_path):
    seen: list[tuple[int, int]] = []
    evaluate_finger(
        lay(tmp_path, 2, 3), engine=LabelledEngine(), progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(done, 21) for done in range(1, 22)]


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp"])
def test_common_picture_formats_are_read(tmp_path, suffix):
    assert evaluate_finger(lay(tmp_path, 2, 2, suffix=suffix), engine=LabelledEngine())["all"]["eer"] == 0


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        evaluate_finger(tmp_path / "nowhere", engine=LabelledEngine())


@pytest.mark.parametrize("fingers, touches", [(0, 0), (1, 8), (8, 1)])
def test_a_folder_too_small_to_measure_on_is_refused(tmp_path, fingers, touches):
    with pytest.raises(InputError, match="two fingers"):
        evaluate_finger(lay(tmp_path, fingers, touches), engine=LabelledEngine())


@pytest.mark.parametrize("name", ["finger.png", "_1.png", "101_x.png", "101_.png", "101_².png"])
def test_a_picture_with_another_name_is_named(tmp_path, name):
    lay(tmp_path, 2, 2)
    (tmp_path / "101_1.png").rename(tmp_path / name)
    with pytest.raises(InputError, match="not named"):
        evaluate_finger(tmp_path, engine=LabelledEngine())


def test_two_pictures_of_one_impression_are_refused(tmp_path):
    lay(tmp_path, 2, 2)
    lay(tmp_path, 1, 1, suffix=".bmp")
    with pytest.raises(InputError, match="two pictures"):
        evaluate_finger(tmp_path, engine=LabelledEngine())


def test_a_file_that_is_no_picture_is_named(tmp_path):
    lay(tmp_path, 2, 2)
    (tmp_path / "102_2.png").write_bytes(b"not a picture")
    with pytest.raises(ImageError, match=r"102_2\.png"):
        evaluate_finger(tmp_path, engine=LabelledEngine())
