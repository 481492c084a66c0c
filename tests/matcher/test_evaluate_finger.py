"""The evaluation of a finger engine: which pairs it takes, what it reports, which folders it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
import pytest

from matcher.engines.minutiae import MinutiaeEngine
from matcher.evaluation.finger import compare_all, evaluate_finger, impressions, sensor_view
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


def test_every_third_finger_is_held_out_with_its_own_rates(tmp_path):
    held = evaluate_finger(lay(tmp_path, 7, 3), engine=LabelledEngine())["held_out"]
    assert held == {
        "fingers": "103, 106", "genuine": 6, "impostor": 99,
        "eer": 0, "fnmr_at_fmr": {"1e-2": 0, "1e-3": 0}, "zero_fmr": 0,
    }  # fmt: skip


def test_without_a_third_finger_nothing_is_held_out(tmp_path):
    held = evaluate_finger(lay(tmp_path, 2, 2), engine=LabelledEngine())["held_out"]
    assert held["eer"] is None
    assert held["fnmr_at_fmr"] == {"1e-2": None, "1e-3": None}


def test_a_small_sensor_sees_the_middle_in_sixteen_grays():
    pixels = np.arange(400 * 300, dtype=np.uint32).astype(np.uint8).reshape(400, 300)
    seen = sensor_view(pixels)
    assert seen.shape == (288, 256)
    assert len(np.unique(seen)) <= 16
    assert np.abs(seen.astype(int) - pixels[56:344, 22:278]).max() <= 16
    assert sensor_view(pixels[:100, :90]).shape == (100, 90)


def test_the_cropped_pictures_are_what_the_engine_gets(tmp_path):
    class Seeing(LabelledEngine):
        shapes: ClassVar[list[tuple[int, ...]]] = []

        def extract(self, pixels: UInt8Array, *, dpi: int = 500) -> Template:
            self.shapes.append(pixels.shape)
            return self.template(random_minutiae(int(pixels[0, 0])))

    for finger in (1, 2):
        for touch in (1, 2):
            cv2.imwrite(str(tmp_path / f"{finger}_{touch}.png"), np.full((400, 500), 32 * finger, np.uint8))
    assert evaluate_finger(tmp_path, engine=Seeing(), cropped=True)["cropped"] is True
    assert set(Seeing.shapes) == {(288, 256)}


def ridges(seed: int) -> UInt8Array:
    """Noise of the wavelength of ridges: (200, 180), with endings and bifurcations."""
    noise = np.random.default_rng(seed).normal(size=(200, 180)).astype(np.float32)
    waves = cv2.GaussianBlur(noise, (0, 0), 2.6) - cv2.GaussianBlur(noise, (0, 0), 4.2)
    return np.clip(128 + 400 * waves / np.abs(waves).max(), 0, 255).astype(np.uint8)


def test_another_library_stands_beside_in_the_same_run(tmp_path):
    pytest.importorskip("nbis")
    for finger in (11, 12):
        for touch in (1, 2):
            cv2.imwrite(str(tmp_path / f"{finger}_{touch}.png"), ridges(finger)[: 200 - touch])

    class Finding(MinutiaeEngine):
        def extract(self, pixels: UInt8Array, *, dpi: int = 500) -> Template:
            return self.template(random_minutiae(int(pixels.astype(int).sum() % 97)))

    report = evaluate_finger(tmp_path, engine=Finding(), beside="nbis")
    beside = report["beside"]
    assert 0 <= beside["nbis"]["eer"] <= beside["nbis"]["fnmr_at_fmr"]["1e-3"] <= 1
    assert beside["nbis"]["failure_to_acquire"] == 0
    assert beside["ratio"] == pytest.approx(report["comparisons_per_s"] / beside["nbis"]["comparisons_per_s"])


def test_an_unknown_library_cannot_stand_beside(tmp_path):
    with pytest.raises(InputError, match="bozorth9"):
        evaluate_finger(lay(tmp_path, 2, 2), engine=LabelledEngine(), beside="bozorth9")
