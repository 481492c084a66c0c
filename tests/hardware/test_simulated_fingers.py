"""Simulated fingers: the same on every machine, alike when they are one finger, and shaped like prints."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from hardware.simulation.fingers import CONDITIONS, SimulatedFinger, empty_glass
from hardware.simulation.ridges import PatternClass, Singularities, draw_class, orientation_field
from models.errors import ConfigurationError


@pytest.fixture(scope="module")
def finger() -> SimulatedFinger:
    return SimulatedFinger(5)


def ridge_period_px(picture: np.ndarray) -> float:
    """The strongest ripple of the middle of a print, from its spectrum."""
    middle = picture[80:208, 64:192].astype(np.float32)
    window = np.outer(np.hanning(128), np.hanning(128))
    power = np.abs(np.fft.fftshift(np.fft.fft2((middle - middle.mean()) * window))) ** 2
    rows, columns = np.mgrid[-64:64, -64:64]
    radius = np.hypot(rows, columns)
    power[radius < 5] = 0
    row, column = np.unravel_index(int(power.argmax()), power.shape)
    return 128 / float(radius[row, column])


def test_the_same_seed_number_and_condition_give_the_same_picture(finger: SimulatedFinger) -> None:
    again = SimulatedFinger(5)
    assert np.array_equal(again.impression(2), finger.impression(2))
    assert np.array_equal(again.impression(2, condition="wet"), finger.impression(2, condition="wet"))


def test_two_impressions_of_one_finger_are_never_the_same_picture(finger: SimulatedFinger) -> None:
    assert not np.array_equal(finger.impression(0), finger.impression(1))


def test_an_impression_has_the_sensor_s_size_and_kind(finger: SimulatedFinger) -> None:
    picture = finger.impression(0)
    assert picture.shape == (288, 256)
    assert picture.dtype == np.uint8
    assert finger.impression(0, size=(300, 320)).shape == (320, 300)


@pytest.mark.parametrize("seed", [1, 5, 9])
def test_ridges_lie_as_far_apart_as_at_500_dpi(seed: int) -> None:
    assert 7.0 < ridge_period_px(SimulatedFinger(seed).impression(0)) < 12.0


def test_ridges_are_dark_on_a_light_background(finger: SimulatedFinger) -> None:
    assert finger.impression(0)[100:190, 90:170].mean() < empty_glass().mean() - 40
    assert empty_glass().mean() > 200


def test_a_wet_finger_is_darker_and_a_dry_one_lighter(finger: SimulatedFinger) -> None:
    normal, wet, dry = (
        np.mean([finger.impression(n, condition=c) for n in range(4)]) for c in ("normal", "wet", "dry")
    )
    assert wet < normal < dry


def test_a_finger_off_center_leaves_a_good_part_of_the_glass_empty(finger: SimulatedFinger) -> None:
    def covered(condition: str) -> float:
        blurred = cv2.GaussianBlur(finger.impression(1, condition=condition), (0, 0), 9)
        return float((blurred < 185).mean())

    assert covered("off_center") < 0.75 * covered("normal")
    assert covered("light") < 0.75 * covered("normal")


def test_an_unknown_condition_names_the_known_ones(finger: SimulatedFinger) -> None:
    with pytest.raises(ConfigurationError, match="known: dry, light, normal, off_center, smeared, wet"):
        finger.impression(0, condition="soaked")


def test_a_negative_seed_or_a_tiny_picture_is_refused(finger: SimulatedFinger) -> None:
    with pytest.raises(ConfigurationError, match="must not be negative"):
        SimulatedFinger(-1)
    with pytest.raises(ConfigurationError, match="too small"):
        finger.impression(0, size=(8, 8))


def test_the_field_turns_half_a_turn_round_a_loop() -> None:
    """The Poincaré index of a zero is one half, of a pole minus one half (Sherlock and Monro, 1993)."""
    field = orientation_field(Singularities(((60.0, 60.0),), ((140.0, 140.0),)), shape=(200, 200))

    def index(x: int, y: int) -> float:
        turns = np.linspace(0, 2 * np.pi, 65)
        along = [field[round(y - 12 * np.sin(a)), round(x + 12 * np.cos(a))] for a in turns]
        steps = np.mod(np.diff(along) + np.pi / 2, np.pi) - np.pi / 2
        return float(steps.sum() / (2 * np.pi))

    assert index(60, 60) == pytest.approx(0.5, abs=0.05)
    assert index(140, 140) == pytest.approx(-0.5, abs=0.05)


def test_every_pattern_class_is_drawn() -> None:
    rng = np.random.default_rng(0)
    assert {draw_class(rng) for _ in range(200)} == set(PatternClass)


@pytest.mark.parametrize("condition", sorted(CONDITIONS))
def test_every_condition_gives_a_picture_with_contrast(finger: SimulatedFinger, condition: str) -> None:
    assert finger.impression(3, condition=condition).std() > 15
