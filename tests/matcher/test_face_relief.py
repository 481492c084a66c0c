"""What lies before what on a face: patches are found again, and their heights are a head's or are not."""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from skull import Skull

from matcher.face_relief import FaceRelief
from matcher.head_track import HeadTrack, Tracked
from matcher.parallax import Points
from matcher.ports import DetectedFace
from matcher.relief import PLACES, FaceAtRest, Heights, _alone
from matcher.solid_head import SolidHead
from models.attendance import WitnessVerdict
from models.biometrics import Float32Array, Float64Array, UInt8Array

PASSED, UNDECIDED = WitnessVerdict.PASSED, WitnessVerdict.UNDECIDED
HEAD = {"tip": 1.0, "ridge": 0.65, "forehead": 0.05, "brow_right": -0.3, "brow_left": -0.3, "lip": 0.6}


class Nowhere:
    """Locates nothing: tests hand in points."""

    def locate(self, pixels: UInt8Array, face: DetectedFace) -> Float32Array:
        raise AssertionError("points are handed in")


def heights(*, tip: float = 0.09, narrowing: float = 0.06, **high: float) -> Heights:
    """One picture of a head that turned sideways, with some places of other heights (in tips)."""
    all_high = HEAD | high
    along = np.array([all_high.get(place, 0.0) * tip for place in PLACES])
    return Heights(tip, (1.0, 0.0), along, np.full(len(PLACES), 0.45), narrowing)


def verdict_of(seen: Heights, frames: int = 10) -> WitnessVerdict:
    witness = FaceRelief(HeadTrack(Nowhere()))
    for _ in range(frames):
        witness.add(seen)
    return witness.verdict().verdict


def test_a_head_whose_nose_is_foremost_passes() -> None:
    assert verdict_of(heights()) is PASSED


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(heights(ridge=1.1, forehead=1.4, brow_right=0.6, brow_left=0.6), id="a mask before other eyes"),
        pytest.param(heights(cheek_right=0.8, cheek_left=0.7), id="a sheet bent round an axis"),
        pytest.param(heights(narrowing=0.24), id="a low fold that was turned far"),
        pytest.param(heights(narrowing=-0.4), id="something that grew wider"),
        pytest.param(heights(tip=0.04), id="a face that hardly turned"),
    ],
)
def test_what_is_no_head_is_undecided(seen: Heights) -> None:
    assert verdict_of(seen) is UNDECIDED


def hidden(seen: Heights, *places: str) -> Heights:
    """The same picture, in which some places were not found again."""
    weights = seen.weights.copy()
    weights[[PLACES.index(place) for place in places]] = 0.0
    return replace(seen, weights=weights)


def test_a_place_that_was_never_found_has_no_height() -> None:
    """A fringe hides a forehead, a shadow a brow; but whoever hides all of them shows no head."""
    assert verdict_of(hidden(heights(), "forehead")) is PASSED
    assert verdict_of(hidden(heights(), "forehead", "brow_left", "cheek_left")) is PASSED
    assert verdict_of(hidden(heights(), "forehead", "brow_left", "brow_right")) is UNDECIDED
    assert verdict_of(hidden(heights(), "cheek_left", "cheek_right")) is UNDECIDED
    assert verdict_of(hidden(heights(ridge=1.1, forehead=1.4), "brow_left", "brow_right")) is UNDECIDED


def test_a_few_pictures_are_not_enough() -> None:
    assert verdict_of(heights(), frames=9) is UNDECIDED
    assert FaceRelief(HeadTrack(Nowhere())).verdict().verdict is UNDECIDED


def test_another_head_begins_anew() -> None:
    witness, points = FaceRelief(HeadTrack(Nowhere())), Skull().seen()
    for epoch in (0,) * 8 + (1,):
        witness.follow(Tracked(0.0, points, epoch, heights=heights()))
    assert witness.verdict().measures["frames"] == 1.0


# patches


def painted(many: Float64Array, *, side: int = 480, seed: int = 1) -> UInt8Array:
    """A picture with something to hold on to at every place, drawn by the points of a face."""
    rng = np.random.default_rng(seed)
    picture = np.full((side, 640, 3), 150, np.uint8)
    scale = float(np.linalg.norm(many[45] - many[36])) / 1.44
    middle = (many[36] + many[45]) / 2
    across, down = (many[45] - many[36]) / 1.44, (many[[48, 54]].mean(axis=0) - middle) / 1.1
    nose = {27, 28, 29, 30, 31, 32, 33, 34, 35}
    spots = [many[number] for number in range(17, 68) if number not in nose]
    spots += [middle + x * across + y * down for x in (-0.62, 0.62) for y in (0.45, 0.6, 0.75)]
    spots += [middle + x * across - 0.5 * down for x in (-0.2, 0.0, 0.2)] + [many[number] for number in sorted(nose)]
    for spot in spots:
        shade = int(rng.integers(10, 120)) if rng.uniform() < 0.5 else int(rng.integers(190, 250))
        size = int(rng.integers(3, 6) * scale / 48) + 1
        cv2.circle(picture, (round(float(spot[0])), round(float(spot[1]))), size, (shade,) * 3, -1, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.0), np.uint8)


def shown(*, depth: float, yaw_deg: float = 0.0) -> tuple[UInt8Array, Points]:
    points = Skull(depth=depth, noise=0.0).seen(yaw_deg=yaw_deg)
    return painted(points.many.astype(np.float64)), points


@pytest.mark.parametrize("yaw_deg", [-16.0, 14.0])
def test_the_tip_of_a_heads_nose_runs_ahead_the_way_it_turned(yaw_deg: float) -> None:
    seen = FaceAtRest(*shown(depth=1.0)).heights(*shown(depth=1.0, yaw_deg=yaw_deg))
    assert seen is not None
    assert math.copysign(1, seen.nose[0]) == math.copysign(1, yaw_deg)
    assert abs(seen.turned_deg[0]) > 5.0 and abs(seen.turned_deg[1]) < 4.0


def test_on_a_flat_sheet_nothing_leaves_the_plane_and_the_plane_grows_narrow() -> None:
    seen = FaceAtRest(*shown(depth=0.0)).heights(*shown(depth=0.0, yaw_deg=30.0))
    assert seen is None or seen.tip < 0.05


def test_how_far_the_plane_turned_is_told_without_any_height() -> None:
    picture, points = shown(depth=1.0)
    squeeze = np.array([[0.9, 0.0, 32.0], [0.0, 1.0, 0.0]])
    narrow = np.asarray(cv2.warpAffine(picture, squeeze, (640, 480), borderMode=cv2.BORDER_REPLICATE), np.uint8)
    moved = points.many @ squeeze[:, :2].T + squeeze[:, 2]
    moved[27:36, 0] += 4.0  # so that there is a way in which the tip went
    narrow_points = replace(points, many=moved.astype(np.float32))
    seen = FaceAtRest(picture, points).heights(narrow, narrow_points)
    assert seen is not None
    assert abs(seen.narrowing) == pytest.approx(1 - 0.9**2, abs=0.06)


def test_plain_skin_is_not_found_again() -> None:
    points = Skull(noise=0.0).seen()
    plain = np.full((480, 640, 3), 160, np.uint8)
    assert FaceAtRest(plain, points).heights(plain, points) is None


def test_a_place_is_alone_by_so_much_or_by_so_many_times() -> None:
    assert _alone(0.80, 0.74) and not _alone(0.80, 0.76)
    assert _alone(0.995, 0.96)  # smooth skin in hard light: nearly perfect here, clearly worse elsewhere
    assert not _alone(0.99, 0.975) and not _alone(0.97, 0.94)


# the track


def test_patches_say_where_the_head_turned_when_the_points_flicker() -> None:
    track = HeadTrack(Nowhere())
    rest, turned = shown(depth=1.0), shown(depth=1.0, yaw_deg=12.0)
    for number in range(3):
        track.add(rest[1], number / 15, pixels=rest[0])
    seen = track.add(turned[1], 0.2, pixels=turned[0])
    assert seen is not None and seen.heights is not None
    patches = seen.heights.turned_deg  # the points may lengthen what the patches say, not bend it
    assert math.hypot(*seen.turned_deg) >= math.hypot(*patches)
    assert math.atan2(*seen.turned_deg) == pytest.approx(math.atan2(*patches))


def test_points_that_leap_while_the_patches_keep_still_begin_nothing_anew() -> None:
    track, (picture, points) = HeadTrack(Nowhere()), shown(depth=1.0)
    for number in range(4):
        track.add(points, number / 15, pixels=picture)
    leapt = points.many.copy()
    leapt[[29, 30]] += 14.0  # behind glasses points flicker; 31 to 35 lay the picture over the one at rest
    seen = track.add(replace(points, many=leapt), 4 / 15, pixels=picture)
    assert seen is not None and seen.epoch == 0 and seen.moved is not None


def test_a_face_that_one_detector_alone_sees_narrow_is_no_plane() -> None:
    def flattest(*, both: bool) -> float:
        track, skull = HeadTrack(Nowhere()), Skull(depth=0.0, noise=0.0)
        witness = SolidHead(track)
        for number in range(16):
            yaw_deg = 40.0 if number > 5 else 0.0
            seen, front = skull.seen(yaw_deg=yaw_deg), skull.seen()
            tracked = track.add(seen if both else replace(seen, five=front.five), number / 15)
            if tracked is not None:
                witness.follow(tracked)
        return witness.verdict().measures["plane_frames"]

    assert flattest(both=True) >= 5.0
    assert flattest(both=False) == 0.0
