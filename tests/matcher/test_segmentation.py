"""Where a picture shows ridges, and what is found in pictures of anything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.simulation.fingers import CONDITIONS, SimulatedFinger, empty_glass
from matcher import weights
from matcher.engines.leader import LeaderNetwork, _on_grid
from matcher.engines.segmentation import BLOCK, print_area
from matcher.pictures import read_gray


@pytest.fixture(scope="module")
def network() -> LeaderNetwork:
    return LeaderNetwork()


def noise(sigma: float, *, size: tuple[int, int] = (288, 256)) -> np.ndarray:
    """Gray noise as coarse as ``sigma`` pixels."""
    grain = np.random.default_rng(1).standard_normal(size)
    grain = cv2.GaussianBlur(grain, (0, 0), sigma) if sigma else grain
    return np.clip(128 + 35 * grain / grain.std(), 0, 255).astype(np.uint8)


def text(height: float) -> np.ndarray:
    """A page of letters."""
    page = np.full((288, 256), 235, np.uint8)
    for line, y in enumerate(range(20, 288, int(34 * height))):
        letters = "".join(chr(65 + (7 * line + 3 * column) % 26) for column in range(24))
        cv2.putText(page, letters, (2, y), cv2.FONT_HERSHEY_SIMPLEX, height, (30,), max(1, int(2 * height)))
    return page


def dirt() -> np.ndarray:
    """Spots and scratches on the glass."""
    rng = np.random.default_rng(4)
    glass = empty_glass(number=5)
    for _ in range(20):
        x, y, radius = (int(value) for value in rng.integers((0, 0, 3), (256, 288, 20)))
        cv2.circle(glass, (x, y), radius, (int(rng.integers(60, 160)),), -1)
        cv2.line(glass, (x, y), (x + 40, y + int(rng.integers(-40, 40))), (80,), 1)
    return glass


@pytest.mark.parametrize("picture", [empty_glass(), noise(0), noise(12), dirt()])
def test_glass_noise_and_dirt_show_no_print(picture):
    assert print_area(picture).mask.mean() < 0.1


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_every_minutia_of_a_finger_lies_within_the_bounds_of_its_print(network, condition):
    picture = SimulatedFinger(2).impression(1, condition=condition)
    area = print_area(picture)
    top, left, bottom, right = area.bounds(margin=0)
    xy = network.find(picture).xy
    assert len(xy) >= 12
    inside = (xy >= (left, top)).all(axis=1) & (xy < (right, bottom)).all(axis=1)
    assert inside.mean() > 0.95


def test_the_bounds_follow_a_print_on_a_large_glass():
    glass = np.full((480, 640), 225, np.uint8)
    glass[100:388, 300:556] = SimulatedFinger(11).impression(1)
    top, left, bottom, right = print_area(glass).bounds(margin=0)
    assert (top, left, bottom, right) == pytest.approx((100, 300, 388, 556), abs=4 * BLOCK)
    wider = print_area(glass).bounds(margin=500)
    assert wider == (0, 0, 480, 640)


def test_a_dirty_spot_far_from_the_print_does_not_widen_its_bounds():
    glass = np.full((480, 640), 225, np.uint8)
    glass[100:388, 300:556] = SimulatedFinger(11).impression(1)
    clean = print_area(glass).bounds(margin=0)
    cv2.circle(glass, (60, 440), 12, (90,), -1)
    cv2.line(glass, (20, 30), (120, 60), (90,), 2)
    assert print_area(glass).bounds(margin=0) == clean


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 9), (31, 33), (64, 65)])
def test_any_size_of_picture_has_a_mask_of_its_blocks(size):
    area = print_area(np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8))
    assert area.mask.shape == (-(-size[0] // BLOCK), -(-size[1] // BLOCK))
    assert area.size == (size[1], size[0])


def test_a_picture_without_ridges_has_no_bounds():
    assert print_area(np.full((64, 64), 200, np.uint8)).bounds(margin=24) is None


@pytest.mark.parametrize(
    "picture",
    [
        empty_glass(number=1),
        noise(0),
        noise(1),
        noise(2),
        noise(3),
        noise(4),
        noise(6),
        text(0.5),
        text(1.2),
        text(2),
        dirt(),
    ],
)
def test_nothing_is_found_where_no_finger_is(network, picture):
    assert len(network.find(picture).xy) == 0


@pytest.mark.parametrize("portrait", ["portrait_visitor_1a", "portrait_visitor_2", "portrait_visitor_3"])
def test_nothing_is_found_in_a_face(network, portrait):
    face = cv2.resize(read_gray(weights.path(portrait)), (256, 288), interpolation=cv2.INTER_AREA)
    assert len(network.find(face).xy) == 0


def test_a_small_part_of_a_finger_is_still_found(network):
    picture = np.full((288, 256), 225, np.uint8)
    picture[80:200, 70:180] = SimulatedFinger(11).impression(1)[80:200, 70:180]
    assert len(network.find(picture).xy) >= 6


@pytest.mark.parametrize(
    ("start", "stop", "length", "expected"),
    [
        (40, 100, 200, (38, 102)),
        (0, 40, 200, (0, 64)),
        (170, 200, 200, (168, 200)),
        (0, 50, 50, (0, 50)),
        (10, 42, 99, (10, 42)),
    ],
)
def test_a_part_of_a_picture_grows_to_the_grid_within_the_picture(start, stop, length, expected):
    assert _on_grid(start, stop, length) == expected
