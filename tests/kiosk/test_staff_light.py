"""What is said about the light: measures of painted pictures, and the one thing to change first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from kiosk_parts import Cast

from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.room import View
from hardware.simulation.scene import Scene
from kiosk.staff.light import LightAdvice, LightMeasures, advise, measure_light
from kiosk.staff.lighting import _stepped

FINE = LightMeasures(face=130, contrast=40, background=140, sides=5, overexposed=0)


@pytest.mark.parametrize(
    ("changed", "exposure", "advice"),
    [
        ({}, False, LightAdvice.GOOD),
        ({"background": 220}, True, LightAdvice.CLOSE_CURTAIN),
        ({"face": 60, "background": 70}, True, LightAdvice.MORE_LAMP),
        ({"face": 70, "background": 115}, True, LightAdvice.EXPOSURE_UP),
        ({"face": 70, "background": 115}, False, LightAdvice.MORE_LAMP),
        ({"face": 200, "background": 200}, True, LightAdvice.EXPOSURE_DOWN),
        ({"face": 200, "background": 150}, True, LightAdvice.LESS_LAMP),
        ({"overexposed": 20}, False, LightAdvice.LESS_LAMP),
        ({"sides": -60}, False, LightAdvice.MOVE_LAMP),
        ({"contrast": 10}, False, LightAdvice.CLEAN_LENS),
    ],
)
def test_the_worst_is_said_first(changed: dict[str, int], exposure: bool, advice: LightAdvice) -> None:
    assert advise(replace(FINE, **changed), exposure=exposure) is advice


def test_without_a_face_somebody_is_asked_to_stand_there() -> None:
    assert advise(None, exposure=True) is LightAdvice.NO_FACE


def test_a_bright_window_behind_a_dark_face_is_seen_as_backlight() -> None:
    picture = np.full((480, 640, 3), 230, np.uint8)
    picture[80:480, 200:440] = 60
    measures = measure_light(picture, (240.0, 120.0, 160.0, 200.0))
    assert (measures.face, measures.overexposed) == (60, 0)
    assert measures.backlight > 150


def test_a_lamp_from_one_side_is_told_by_its_sign() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[:, :320] = 200
    assert measure_light(picture, (240.0, 120.0, 160.0, 200.0)).sides == 80


def test_a_face_at_the_edge_of_the_picture_is_measured_too() -> None:
    picture = np.full((480, 640, 3), 120, np.uint8)
    assert measure_light(picture, (-40.0, -30.0, 90.0, 90.0)).face == 120


@pytest.mark.parametrize(
    ("view", "advice"),
    [
        (View(), LightAdvice.GOOD),
        (View(light=0.35), LightAdvice.MORE_LAMP),
        (View(light=2.2), LightAdvice.LESS_LAMP),
    ],
    ids=["office", "dusk", "glare"],
)
def test_a_painted_visitor_in_a_lit_room(cast: Cast, engines: dict[str, Any], view: View, advice: LightAdvice) -> None:
    """The simulated camera's own pictures, with the face where the engine finds it."""
    scene = Scene()
    scene.show(cast["visitor_1"], "stand")
    scene.light(view)
    camera = SimulatedCamera(scene)
    camera.open()
    pixels = camera.read().pixels
    face = engines["sface"].detect(pixels)[0]
    assert advise(measure_light(pixels, face.box), exposure=False) is advice


def test_a_step_of_the_exposure_is_seen_whatever_the_driver_counts_in() -> None:
    assert (_stepped(160, up=True), _stepped(160, up=False)) == (200, 120)
    assert (_stepped(2, up=True), _stepped(-6, up=False)) == (3, -7)
