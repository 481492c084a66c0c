"""What the stream of pictures itself betrays: loops, a hand's tremor beside the head, the pattern of a screen."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from matcher.approach import Approach
from matcher.frame_freshness import FrameFreshness
from matcher.ports import DetectedFace
from matcher.screen_pattern import ScreenPattern
from matcher.surround import Surround
from models.attendance import WitnessVerdict
from models.biometrics import UInt8Array

FACE = DetectedFace((240, 150, 160, 200), np.zeros((5, 2), np.float32), 0.9)
P, F, U = WitnessVerdict.PASSED, WitnessVerdict.FAILED, WitnessVerdict.UNDECIDED
FRAME_S = 1 / 15


def texture(seed: int = 1, *, blur: float = 2.0) -> UInt8Array:
    """Something to look at, larger than a frame."""
    rough = np.random.default_rng(seed).normal(0, 1, (520, 700)).astype(np.float32)
    soft = cv2.GaussianBlur(rough, (0, 0), blur)
    return np.repeat(np.clip(120 + 40 * soft / soft.std(), 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


def noisy(picture: UInt8Array, number: int, *, noise: float = 2.0) -> UInt8Array:
    rng = np.random.default_rng(number)
    return np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def moved(picture: UInt8Array, x: float, y: float) -> UInt8Array:
    matrix = np.array([[1, 0, x - 20], [0, 1, y - 20]], np.float64)
    return np.asarray(cv2.warpAffine(picture, matrix, (640, 480)), np.uint8)


def way(number: int) -> tuple[float, float]:
    """A movement that does not repeat."""
    return 12 * np.sin(number * 0.31) + 5 * np.sin(number * 0.137), 9 * np.sin(number * 0.223 + 1)


def test_a_loop_that_is_compressed_anew_is_not_fresh() -> None:
    witness, room = FrameFreshness(), texture(blur=12)
    for number in range(60):
        picture = moved(room, *way(number % 24))
        quality = 36 + number
        coded = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        witness.observe(np.asarray(coded, np.uint8), FACE, number * FRAME_S)
    assert witness.verdict().measures["repeated"] <= 4
    assert (witness.verdict().verdict, witness.verdict().measures["looped"]) == (F, 1.0)


@pytest.mark.parametrize("comes_back", [False, True])
def test_who_moves_freely_or_stands_still_twice_is_fresh(comes_back: bool) -> None:
    """To stand as one stood before is no loop: only a movement can be repeated."""
    witness, room = FrameFreshness(), texture(blur=12)
    for number in range(70):
        x, y = (0.0, 0.0) if comes_back and not 20 <= number < 40 else way(number)
        witness.observe(noisy(moved(room, x, y), number), FACE, number * FRAME_S)
    assert witness.verdict().verdict is P


def watched(witness: Surround | ScreenPattern, pictures: list[UInt8Array]) -> WitnessVerdict:
    for number, picture in enumerate(pictures):
        witness.observe(noisy(picture, number), FACE, number * FRAME_S)
    return witness.verdict().verdict


def test_a_room_that_stands_still_beside_a_moving_head_passes() -> None:
    room, head, pictures = moved(texture(), 0, 0), texture(2), []
    for number in range(45):
        x, y = way(number)
        picture = room.copy()
        picture[150:350, 250:390] = moved(head, x, y)[150:350, 250:390]
        pictures.append(picture)
    assert watched(Surround(), pictures) is P


def test_a_room_that_trembles_with_the_face_is_an_objection() -> None:
    rng, room = np.random.default_rng(4), texture()
    assert watched(Surround(), [moved(room, *rng.normal(0, 1.5, 2)) for _ in range(45)]) is F


def test_a_wall_without_anything_on_it_says_nothing() -> None:
    witness = Surround()
    assert watched(witness, [np.full((480, 640, 3), 140, np.uint8) for _ in range(45)]) is U
    assert witness.verdict().measures["pairs"] == 0


def test_stripes_on_the_face_alone_are_an_objection() -> None:
    picture = moved(texture(), 0, 0)
    stripes = 14 * np.sin(np.arange(640) * 2 * np.pi / 3.4)
    striped = picture.astype(np.float64)
    striped[150:350, 240:400] += stripes[240:400, None]
    assert watched(ScreenPattern(), [np.clip(striped, 0, 255).astype(np.uint8)] * 60) is F


def test_stripes_over_the_whole_picture_are_the_cameras_own() -> None:
    stripes = 14 * np.sin(np.arange(640) * 2 * np.pi / 3.4)[None, :, None]
    picture = np.clip(moved(texture(), 0, 0) + stripes, 0, 255).astype(np.uint8)
    assert watched(ScreenPattern(), [picture] * 60) is U


def test_skin_has_no_pattern_and_few_pictures_say_nothing() -> None:
    picture = moved(texture(), 0, 0)
    assert watched(ScreenPattern(), [picture] * 60) is P
    assert watched(ScreenPattern(), [picture] * 5) is U
    assert ScreenPattern().verdict().verdict is U


def test_who_walks_up_is_seen_to_grow_and_who_is_suddenly_there_is_not() -> None:
    walked, there = Approach(), Approach()
    for number in range(20):
        walked.note(0.1 + 0.01 * number, number * 0.1)
        there.note(None if number < 10 else 0.3 + 0.002 * (number % 3), number * 0.1)
    assert walked.evidence().verdict is P
    assert there.evidence().verdict is U
    assert Approach().evidence().measures == {"looks": 0.0, "growth": 1.0}


def test_an_approach_of_somebody_before_does_not_count() -> None:
    history = Approach()
    for number in range(20):
        history.note(0.1 + 0.01 * number, number * 0.1)
    history.note(0.3, 9.0)
    assert history.evidence().verdict is U


def test_a_jump_in_size_is_no_approach() -> None:
    history = Approach()
    history.note(0.1, 0.0)
    history.note(0.3, 0.1)
    assert history.evidence().verdict is U
