"""One contract over every face engine, on public-domain portraits; then what is particular to each."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from matcher.engines import load_engine
from matcher.engines.alignment import CANONICAL, aligned_face, similarity_transform
from matcher.engines.landmarks68 import FaceLandmarks68
from matcher.ports import DetectedFace, FaceEngine
from models.biometrics import Template, TemplateFormat, UInt8Array
from models.errors import ConfigurationError, ImageError, TemplateError, WeightsError
from tests.matcher.faces import portrait


@pytest.fixture(scope="module", params=["sface", "dlib"])
def engine(request: pytest.FixtureRequest) -> FaceEngine:
    return request.getfixturevalue("sface" if request.param == "sface" else "dlib_engine")


@pytest.fixture(scope="module")
def templates(engine: FaceEngine) -> dict[str, Template]:
    return {name: template_of(engine, portrait(name, height=900)) for name in ("1a", "1b", "1c", "2", "3")}


def template_of(engine: FaceEngine, pixels: UInt8Array) -> Template:
    return engine.extract(pixels, engine.detect(pixels)[0])


def beside(*pictures: UInt8Array) -> UInt8Array:
    """Pictures of one height, side by side."""
    return np.concatenate(pictures, axis=1)


class TestEveryFaceEngine:
    def test_finds_the_one_face_and_its_landmarks_where_they_are(self, engine: FaceEngine) -> None:
        """The eyes lie above the nose, the nose above the mouth, the person's right to the left of the picture."""
        pixels = portrait("1a")
        faces = engine.detect(pixels)
        assert len(faces) == 1
        x, y, width, height = faces[0].box
        assert 0 < x < x + width < pixels.shape[1]
        assert 0 < y < y + height < pixels.shape[0]
        right_eye, left_eye, nose, right_mouth, left_mouth = faces[0].landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])
        assert faces[0].landmarks.dtype == np.float32
        assert 0 < faces[0].score <= 1

    def test_a_large_picture_gives_landmarks_in_its_own_pixels(self, engine: FaceEngine) -> None:
        small, large = portrait("3", height=512), portrait("3", height=1536)
        one, other = engine.detect(small)[0], engine.detect(large)[0]
        assert other.landmarks / 3 == pytest.approx(one.landmarks, abs=6)

    def test_the_largest_face_comes_first(self, engine: FaceEngine) -> None:
        near, far = portrait("1a", height=600), portrait("3", height=500)
        far = cv2.copyMakeBorder(far, 0, 100, 0, 0, cv2.BORDER_CONSTANT, value=(90, 90, 90))
        faces = engine.detect(beside(np.asarray(far, np.uint8), near))
        assert len(faces) == 2
        assert faces[0].landmarks[2, 0] > far.shape[1] > faces[1].landmarks[2, 0]

    def test_no_face_is_an_empty_list(self, engine: FaceEngine) -> None:
        assert engine.detect(np.full((240, 320, 3), 128, np.uint8)) == []
        assert engine.detect(np.zeros((1, 1, 3), np.uint8)) == []
        assert engine.detect(np.zeros((4, 900, 3), np.uint8)) == []

    @pytest.mark.parametrize(
        "pixels", [np.zeros((50, 50), np.uint8), np.zeros((50, 50, 3), np.float32), np.zeros((0, 50, 3), np.uint8)]
    )
    def test_what_is_no_rgb_picture_is_refused(self, engine: FaceEngine, pixels: UInt8Array) -> None:
        with pytest.raises(ImageError):
            engine.detect(pixels)

    def test_a_crop_that_is_not_contiguous_is_as_good_as_a_copy(self, engine: FaceEngine) -> None:
        crop = portrait("1a")[10:-10, 5:-5]
        assert template_of(engine, crop) == template_of(engine, crop.copy())

    def test_one_person_is_more_alike_than_two(self, engine: FaceEngine, templates: dict[str, Template]) -> None:
        same = [engine.compare(templates[a], templates[b]) for a, b in (("1a", "1b"), ("1a", "1c"), ("1b", "1c"))]
        different = [
            engine.compare(templates[a], templates[b])
            for a in ("1a", "1b", "1c", "2", "3")
            for b in ("2", "3")
            if a != b
        ]
        assert min(same) > max(different) + 0.05

    def test_the_same_picture_gives_the_same_template(self, engine: FaceEngine, templates: dict[str, Template]) -> None:
        assert template_of(engine, portrait("1a", height=900)) == templates["1a"]

    def test_a_score_is_the_dot_product_of_unit_rows(self, engine: FaceEngine, templates: dict[str, Template]) -> None:
        rows = engine.vectors(list(templates.values()))
        assert rows.dtype == np.float32
        assert np.linalg.norm(rows, axis=1) == pytest.approx(np.ones(len(rows)), abs=1e-5)
        assert engine.compare(templates["1a"], templates["2"]) == pytest.approx(float(rows[0] @ rows[3]), abs=1e-5)
        assert engine.compare(templates["1a"], templates["1a"]) == pytest.approx(1.0, abs=1e-5)

    def test_comparing_is_symmetric(self, engine: FaceEngine, templates: dict[str, Template]) -> None:
        one, other = templates["1a"], templates["3"]
        assert engine.compare(one, other) == pytest.approx(engine.compare(other, one), abs=1e-7)

    def test_no_templates_give_no_rows(self, engine: FaceEngine) -> None:
        assert engine.vectors([]).shape[0] == 0

    def test_a_foreign_or_damaged_template_is_refused(self, engine: FaceEngine, templates: dict[str, Template]) -> None:
        good = templates["1a"]
        nan = np.full(len(good.payload) // 4, np.nan, "<f4").tobytes()
        for bad in (
            Template(TemplateFormat("other", 1), good.payload),
            Template(TemplateFormat(engine.name, 2), good.payload),
            Template(engine.format, good.payload[:-1]),
            Template(engine.format, b""),
            Template(engine.format, nan),
            Template(engine.format, bytes(len(good.payload))),
        ):
            with pytest.raises(TemplateError):
                engine.compare(good, bad)

    def test_landmarks_in_one_point_are_no_face(self, engine: FaceEngine) -> None:
        face = DetectedFace((0, 0, 10, 10), np.full((5, 2), 7, np.float32), 0.9)
        with pytest.raises(ImageError):
            engine.extract(portrait("1a"), face)

    def test_a_face_at_the_pictures_edge_still_gives_a_template(self, engine: FaceEngine) -> None:
        pixels = portrait("1a")
        face = engine.detect(pixels)[0]
        left = int(face.landmarks[0, 0])
        cut = DetectedFace(face.box, face.landmarks - np.array([left, 0], np.float32), face.score)
        assert engine.vectors([engine.extract(pixels[:, left:], cut)]).shape[0] == 1


def test_an_unknown_engine_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"no engine called 'deepface'; known: .*dlib.*sface"):
        load_engine("deepface")


def test_without_weights_the_engine_says_which_file_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("MUSTER_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match=r"yunet.*is missing; run `muster weights fetch yunet`"):
        load_engine("sface")


def test_sface_finds_a_face_that_fills_the_picture(sface: FaceEngine) -> None:
    pixels = portrait("1a", height=900)
    x, y, width, height = (int(value) for value in sface.detect(pixels)[0].box)
    close = np.asarray(cv2.resize(pixels[y : y + height, x : x + width], (900, 1200)), np.uint8)
    assert len(sface.detect(close)) == 1


def test_sface_scores_of_one_person_reach_the_uncalibrated_threshold(sface: FaceEngine) -> None:
    one, other = (template_of(sface, portrait(name)) for name in ("1a", "1c"))
    assert sface.compare(one, other) > 0.5


def test_an_aligned_face_has_its_landmarks_at_the_canonical_places(sface: FaceEngine) -> None:
    pixels = portrait("3", height=1536)
    crop = aligned_face(pixels, sface.detect(pixels)[0].landmarks)
    assert crop.shape == (112, 112, 3)
    padded = np.asarray(cv2.copyMakeBorder(crop, 40, 40, 40, 40, cv2.BORDER_REPLICATE), np.uint8)
    assert sface.detect(padded)[0].landmarks - 40 == pytest.approx(CANONICAL, abs=7)


def test_a_similarity_transform_undoes_a_turn_a_scale_and_a_shift() -> None:
    angle, scale = 0.4, 2.5
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (CANONICAL @ turn.T + (30, -12)).astype(np.float32)
    matrix = similarity_transform(moved, CANONICAL)
    assert moved @ matrix[:, :2].T + matrix[:, 2] == pytest.approx(CANONICAL, abs=1e-3)


def test_68_landmarks_lie_on_the_face_whoever_found_it(sface: FaceEngine, dlib_engine: FaceEngine) -> None:
    """Eyes and mouth corners of the 68 are where YuNet sees them, to a sixth of the eye distance."""
    pixels = portrait("3", height=512)
    face = sface.detect(pixels)[0]
    points = FaceLandmarks68().points(pixels, face)
    assert points.shape == (68, 2)
    eye_distance = np.linalg.norm(face.landmarks[1] - face.landmarks[0])
    five = np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])
    assert np.abs(five - face.landmarks).max() < eye_distance / 6
    own = dlib_engine.landmarks68(pixels, dlib_engine.detect(pixels)[0])  # type: ignore[attr-defined]
    assert np.abs(own - points).max() < eye_distance / 3
