"""Quality falls with what spoils a sample, and the worst trouble becomes the hint."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.simulation.fingers import SimulatedFinger
from matcher.ports import DetectedFace, FaceEngine, Minutiae, Quality
from matcher.quality import estimate_pose, face_quality, finger_quality, nfiq2
from models.biometrics import UInt8Array
from models.errors import RetryReason
from tests.matcher.faces import portrait

FRONTAL = np.array([[100, 100], [160, 100], [130, 138], [108, 165], [152, 165]], np.float32)


@pytest.fixture(scope="module")
def seen(sface: FaceEngine) -> tuple[UInt8Array, DetectedFace]:
    pixels = portrait("1a", height=640)
    return pixels, sface.detect(pixels)[0]


def judged(seen: tuple[UInt8Array, DetectedFace], pixels: np.ndarray) -> Quality:
    """The quality of a changed picture with the face where it was."""
    return face_quality(np.clip(pixels, 0, 255).astype(np.uint8), seen[1])


def test_a_good_portrait_has_no_hints(seen: tuple[UInt8Array, DetectedFace]) -> None:
    quality = face_quality(*seen)
    assert quality.hints == ()
    assert quality.value > 0.7


@pytest.mark.parametrize(
    ("reason", "spoil"),
    [
        (RetryReason.TOO_DARK, lambda pixels: pixels * 0.15),
        (RetryReason.TOO_BRIGHT, lambda pixels: pixels * 0.1 + 228),
        (RetryReason.TOO_BRIGHT, lambda pixels: pixels * 3.0 + 40),
        (RetryReason.HOLD_STILL, lambda pixels: cv2.GaussianBlur(pixels, (0, 0), 9)),
        (RetryReason.HOLD_STILL, lambda pixels: cv2.blur(pixels, (41, 3))),
    ],
)
def test_each_spoiling_lowers_the_value_and_names_its_hint(
    seen: tuple[UInt8Array, DetectedFace], reason: RetryReason, spoil: object
) -> None:
    spoiled = judged(seen, spoil(seen[0].astype(np.float32)))  # type: ignore[operator]
    assert spoiled.hints[:1] == (reason.value,)
    assert spoiled.value < 0.5 * face_quality(*seen).value


def test_a_small_face_is_asked_closer_and_a_huge_one_back(sface: FaceEngine) -> None:
    far = np.asarray(cv2.copyMakeBorder(portrait("1a", height=200), 140, 140, 200, 200, cv2.BORDER_REPLICATE), np.uint8)
    assert face_quality(far, sface.detect(far)[0]).hints == (RetryReason.COME_CLOSER.value,)
    pixels = portrait("1a", height=900)
    x, y, width, height = (int(value) for value in sface.detect(pixels)[0].box)
    close = pixels[y : y + height, max(0, x - 40) : x + width + 40]
    assert RetryReason.STEP_BACK.value in face_quality(close, sface.detect(close)[0]).hints


def test_a_face_cut_by_the_edge_is_asked_to_the_middle(seen: tuple[UInt8Array, DetectedFace]) -> None:
    pixels, face = seen
    cut = int(face.landmarks[2, 0])
    moved = DetectedFace(
        (face.box[0] - cut, *face.box[1:]), face.landmarks - np.array([cut, 0], np.float32), face.score
    )
    assert RetryReason.CENTER_FACE.value in face_quality(pixels[:, cut:], moved).hints


def test_a_turned_head_is_asked_to_look_here(seen: tuple[UInt8Array, DetectedFace]) -> None:
    pixels, face = seen
    landmarks = face.landmarks.copy()
    landmarks[2, 0] += 0.45 * (landmarks[1, 0] - landmarks[0, 0])
    turned = face_quality(pixels, DetectedFace(face.box, landmarks, face.score))
    assert RetryReason.LOOK_HERE.value in turned.hints
    assert turned.components["pose_share"] < 0.8


def test_a_frontal_face_has_no_pose() -> None:
    pose = estimate_pose(FRONTAL)
    assert (abs(pose.yaw), abs(pose.pitch), abs(pose.roll)) == pytest.approx((0, 0, 0), abs=3)


def test_yaw_pitch_and_roll_have_their_signs() -> None:
    left, down = FRONTAL.copy(), FRONTAL.copy()
    left[2, 0] += 20
    down[2, 1] += 15
    assert estimate_pose(left).yaw > 15
    assert estimate_pose(down).pitch > 8
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    rolled = estimate_pose((FRONTAL @ turn.T).astype(np.float32))
    assert rolled.roll == pytest.approx(np.degrees(0.3), abs=0.5)
    assert rolled.yaw == pytest.approx(estimate_pose(FRONTAL).yaw, abs=0.5)


def test_the_value_is_always_a_share(seen: tuple[UInt8Array, DetectedFace]) -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        landmarks = rng.uniform(-50, 700, (5, 2)).astype(np.float32)
        quality = face_quality(seen[0], DetectedFace((10, 10, 100, 100), landmarks, 0.9))
        assert 0 <= quality.value <= 1
        assert set(quality.hints) <= set(RetryReason)


def spread(count: int, *, size: tuple[int, int] = (256, 288), region: float = 0.9, corner: bool = False) -> Minutiae:
    """``count`` minutiae spread over the middle (or a corner) of a picture."""
    rng = np.random.default_rng(count)
    low, high = (0.02, region) if corner else (0.5 - region / 2, 0.5 + region / 2)
    xy = (rng.uniform(low, high, (count, 2)) * size).astype(np.float32)
    return Minutiae(xy, np.zeros(count, np.float32), np.ones(count, np.uint8), np.full(count, 0.8, np.float32), size)


def test_a_full_impression_is_good_and_a_sparse_one_asks_again() -> None:
    assert finger_quality(spread(45)).hints == ()
    assert finger_quality(spread(45)).value > 0.8
    assert finger_quality(spread(6)).hints == (RetryReason.FINGER_FEW_POINTS.value,)
    assert finger_quality(spread(45)).value > finger_quality(spread(20)).value > finger_quality(spread(6)).value


def test_no_minutiae_are_no_quality() -> None:
    nothing = finger_quality(spread(0))
    assert (nothing.value, nothing.hints) == (0.0, (RetryReason.FINGER_FEW_POINTS.value,))


def test_a_finger_in_the_corner_is_asked_to_the_middle() -> None:
    assert finger_quality(spread(20, region=0.35, corner=True)).hints == (RetryReason.FINGER_OFF_CENTER.value,)


def test_one_or_two_minutiae_are_survived() -> None:
    for count in (1, 2, 3):
        assert 0 <= finger_quality(spread(count)).value < 0.2


def test_nfiq2_judges_ridges_and_finds_nothing_on_an_empty_glass() -> None:
    pytest.importorskip("nbis")
    score = nfiq2(SimulatedFinger(3).impression(1))
    assert score is not None
    assert 0 <= score <= 100
    assert nfiq2(np.full((288, 256), 255, np.uint8)) is None
