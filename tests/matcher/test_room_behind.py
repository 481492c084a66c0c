"""Whether the room that the camera saw when nobody stood there is seen round the head. All pictures are generated."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from matcher.empty_room import EmptyRoom
from matcher.ports import DetectedFace
from matcher.presentation import PresentationCheck
from matcher.room_behind import NAME, RoomBehind
from models.attendance import PresentationEvidence, WitnessVerdict
from models.biometrics import UInt8Array

P, F, U = WitnessVerdict.PASSED, WitnessVerdict.FAILED, WitnessVerdict.UNDECIDED
FACE = DetectedFace((260, 180, 120, 165), np.zeros((5, 2), np.float32), 0.9)
BEHIND = DetectedFace((100, 200, 50, 68), np.zeros((5, 2), np.float32), 0.9)
NOISE = np.random.default_rng(3).normal(0, 2.0, (960, 1280, 3)).astype(np.float32)
Box = tuple[int, int, int, int]


def office(seed: int = 1, size: tuple[int, int] = (640, 480)) -> UInt8Array:
    """A wall with shelves and pictures on it."""
    rng, (width, height) = np.random.default_rng(seed), size
    picture = np.full((height, width, 3), (176, 170, 160), np.float32)
    for _ in range(60):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        corner = (x + int(rng.integers(15, 80)), y + int(rng.integers(15, 80)))
        cv2.rectangle(picture, (x, y), corner, tuple(float(v) for v in rng.integers(50, 230, 3)), -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.uint8)


def head(room: UInt8Array, *, hair: float = 1.0, x: int = 0) -> UInt8Array:
    """A head with shoulders before a room; ``hair`` widens it."""
    seen, (width, height) = room.copy(), room.shape[1::-1]
    middle = (320 + x, 255)
    cv2.rectangle(seen, (170 + x, 375), (470 + x, height), (40, 40, 60), -1)
    cv2.ellipse(seen, middle, (int(74 * hair), int(110 * hair)), 0, 0, 360, (60, 45, 35), -1)
    cv2.ellipse(seen, middle, (56, 84), 0, 0, 360, (205, 160, 135), -1)
    return seen[:, :width]


def held(room: UInt8Array, box: Box, *, film: UInt8Array | None = None) -> UInt8Array:
    """Something flat with a head on it: another room is to be seen on it."""
    seen, (left, top, right, bottom) = room.copy(), box
    seen[top:bottom, left:right] = head(office(9) if film is None else film)[top:bottom, left:right]
    return seen


def noisy(picture: UInt8Array, number: int, *, gain: float = 1.0, ramp: float = 0.0) -> UInt8Array:
    across = gain * (1.0 + ramp * np.linspace(-1, 1, picture.shape[1]))[None, :, None]
    noise = np.roll(NOISE, 37 * number, axis=1)[: picture.shape[0], : picture.shape[1]]
    return np.clip(picture * across.astype(np.float32) + noise, 0, 255).astype(np.uint8)


def idle(
    room: UInt8Array, *, known: EmptyRoom | None = None, from_s: float = 0.0, looks: int = 12, every_s: float = 0.2
) -> EmptyRoom:
    """The kiosk sees nobody for a while."""
    known = known or EmptyRoom()
    for number in range(looks):
        known.feed(noisy(room, number), from_s + every_s * number)
    return known


def watched(
    known: EmptyRoom, picture: UInt8Array, *, gain: float = 1.0, ramp: float = 0.0, looks: int = 10,
) -> PresentationEvidence:  # fmt: skip
    witness = RoomBehind(known)
    for number in range(looks):
        witness.observe(noisy(picture, 100 + number, gain=gain, ramp=ramp), FACE, 10 + 0.15 * number)
    return witness.verdict()


ROOM = office()
SHEET, TABLET, SLATE = (200, 120, 440, 420), (140, 0, 500, 480), (0, 0, 640, 480)


def test_a_head_in_the_known_room_passes_and_says_what_was_seen() -> None:
    found = watched(idle(ROOM), head(ROOM))
    assert found.verdict is P
    assert {"beside_left", "beside_right", "above", "structure", "agreement"} <= found.measures.keys()


def test_without_having_seen_the_empty_room_it_is_not_available_and_nobody_passes() -> None:
    witness = RoomBehind(EmptyRoom())
    witness.observe(head(ROOM), FACE, 1.0)
    assert witness.verdict().verdict is WitnessVerdict.NOT_AVAILABLE
    assert PresentationCheck([witness], frozenset({NAME})).verdict() is WitnessVerdict.NOT_AVAILABLE


def test_a_sheet_round_the_face_does_not_pass_and_is_no_accusation() -> None:
    assert watched(idle(ROOM), held(ROOM, SHEET)).verdict is U


@pytest.mark.parametrize("film", [office(9), office(14), np.full((480, 640, 3), 150, np.uint8)])
def test_a_screen_that_fills_the_view_does_not_pass(film: UInt8Array) -> None:
    assert watched(idle(ROOM), held(ROOM, SLATE, film=film)).verdict is U


def test_where_the_room_is_seen_further_out_but_nowhere_round_the_head_it_objects() -> None:
    assert watched(idle(ROOM), held(ROOM, TABLET, film=np.full((480, 640, 3), 150, np.uint8))).verdict is F


@pytest.mark.parametrize(("gain", "ramp"), [(0.55, 0.0), (1.35, 0.0), (0.8, 0.25), (1.0, -0.25)])
def test_another_light_than_before_is_still_the_same_room(gain: float, ramp: float) -> None:
    known = idle(ROOM)
    assert watched(known, head(ROOM), gain=gain, ramp=ramp).verdict is P
    assert watched(known, held(ROOM, SHEET), gain=gain, ramp=ramp).verdict is not P


@pytest.mark.parametrize(("before", "gain", "ramp"), [(1.6, 1.2, -0.2), (1.6, 1.0, 0.2), (1.1, 1.6, 0.15)])
def test_a_wall_that_was_or_is_white_in_strong_light_is_still_the_same_room(
    before: float, gain: float, ramp: float
) -> None:
    """What the camera could only call white says no more than that it was at least so bright."""
    known = EmptyRoom()
    for number in range(12):
        known.feed(noisy(ROOM, number, gain=before), 0.2 * number)
    assert watched(known, head(ROOM), gain=gain, ramp=ramp).verdict is P
    assert watched(known, held(ROOM, SHEET), gain=gain, ramp=ramp).verdict is U
    assert watched(known, held(ROOM, TABLET), gain=gain, ramp=ramp).verdict is not P


def test_lights_that_leave_hardly_a_picture_accuse_nobody() -> None:
    assert watched(idle(ROOM), head(ROOM), gain=0.03).verdict is not P


def test_somebody_who_waits_on_one_side_is_no_reason_to_refuse() -> None:
    seen = ROOM.copy()
    seen[60:480, 380:560] = (30, 60, 90)
    assert watched(idle(ROOM), head(seen)).verdict is P


def test_people_on_both_sides_or_very_wide_hair_leave_it_undecided() -> None:
    crowd = ROOM.copy()
    crowd[60:480, 380:560] = crowd[60:480, 80:262] = (30, 60, 90)
    assert watched(idle(ROOM), head(crowd)).verdict is U
    assert watched(idle(ROOM), head(ROOM, hair=1.75)).verdict is U


def test_a_sheet_held_askew_ends_where_a_person_behind_would_not() -> None:
    """One side of the face is free of it; on the other the room begins again right behind its edge."""
    assert watched(idle(ROOM), held(head(ROOM), (318, 110, 425, 420))).verdict is not P


def test_a_moved_camera_is_undecided_and_the_room_is_learned_anew_when_nobody_is_there() -> None:
    moved = np.roll(ROOM, (40, 90), axis=(0, 1))
    known = idle(moved, known=idle(ROOM), from_s=5.0, looks=40)
    assert known.agreement < 0.6
    assert watched(known, head(moved)).verdict is U
    idle(moved, known=known, from_s=20.0, looks=165, every_s=1.0)
    assert known.agreement > 0.8
    assert watched(known, head(moved)).verdict is P


def test_nobody_teaches_it_another_room_within_a_minute() -> None:
    other = office(9)
    known = idle(other, known=idle(ROOM), from_s=5.0, looks=60, every_s=1.0)
    assert watched(known, head(other)).verdict is not P
    assert watched(known, head(ROOM)).verdict is not F


def test_another_resolution_begins_anew_and_another_size_of_the_same_view_is_no_accusation() -> None:
    known = idle(ROOM)
    idle(office(size=(960, 540)), known=known, from_s=5.0, looks=2)
    assert not known.available
    larger = np.asarray(cv2.resize(head(ROOM), (1280, 960)), np.uint8)
    witness, known = RoomBehind(idle(ROOM)), idle(ROOM)
    face = replace(FACE, box=tuple(2 * v for v in FACE.box))
    for number in range(10):
        witness.observe(noisy(larger, number), face, 0.2 * number)
    assert witness.verdict().verdict is P


def test_black_frames_teach_nothing_and_unteach_nothing() -> None:
    black = np.zeros((480, 640, 3), np.uint8)
    assert not idle(black, looks=30).available
    known = idle(black, known=idle(ROOM), from_s=5.0, looks=170, every_s=1.0)
    assert watched(known, head(ROOM)).verdict is P
    assert watched(known, black).verdict is not P


def test_who_moves_about_further_back_is_not_learned() -> None:
    known = EmptyRoom()
    for number in range(30):
        seen = noisy(ROOM, number)
        left = 30 * (number % 20)
        seen[300:480, left : left + 40] = 20
        known.feed(seen, 0.2 * number)
    assert watched(known, head(ROOM)).verdict is P


def test_who_sits_further_back_is_left_out_of_the_room() -> None:
    """The room behind that person is not known; the visitor's own surroundings are."""
    seen, known = ROOM.copy(), EmptyRoom()
    seen[180:480, 70:180] = (20, 30, 50)
    for number in range(12):
        known.feed(noisy(seen, number), 0.2 * number, beside=BEHIND.box)
    assert known.available
    assert watched(known, head(seen)).verdict is P


def test_a_bare_wall_is_known_by_its_brightness_alone() -> None:
    wall = np.full((480, 640, 3), (176, 170, 160), np.uint8)
    assert watched(idle(wall), head(wall)).verdict is P
    assert watched(idle(wall), held(wall, SHEET)).verdict is not P
    assert watched(idle(wall), head(wall), gain=0.5).verdict is not P


def test_a_witness_that_raises_lets_nobody_through() -> None:
    class Raising(EmptyRoom):
        @property
        def agreement(self) -> float:
            raise RuntimeError("the room is gone")

    room = Raising()
    check = PresentationCheck([RoomBehind(idle(ROOM, known=room))], frozenset({NAME}))
    for number in range(12):
        check.observe(head(ROOM), FACE, 0.2 * number)
    assert check.verdict() is U and check.spent()
    assert check.evidence()[0].measures == {"broken": 1.0}


def test_a_face_at_the_pictures_edge_or_of_no_size_breaks_nothing() -> None:
    witness = RoomBehind(idle(ROOM))
    for number, box in enumerate(
        [(-60.0, -80.0, 120.0, 160.0), (600.0, 440.0, 120.0, 160.0), (300.0, 200.0, 0.0, 0.0)]
    ):
        witness.observe(ROOM, replace(FACE, box=box), 0.2 * number)
    assert witness.verdict().verdict is U
