"""What is said to somebody whose finger did not match, and that the sensor's own findings reach the screen."""

from __future__ import annotations

import numpy as np
import pytest
from center_parts import RealCenter, wait_until
from kiosk_parts import Cast, StartKiosk

from hardware.simulation.fingers import SimulatedFinger, empty_glass
from kiosk.finger_advice import advice, ridge_share
from models.attendance import CheckInOutcome


@pytest.fixture(scope="module")
def fingers() -> list[SimulatedFinger]:
    """Twenty that the limits were not set on; each takes a while to grow."""
    return [SimulatedFinger(seed) for seed in range(300, 320)]


@pytest.mark.parametrize(
    ("condition", "said"),
    [("normal", None), ("off_center", None), ("dry", "finger_few_points"), ("wet", "finger_messy"),
     ("smeared", "finger_messy")],
)  # fmt: skip
def test_dry_fingers_are_told_to_press_and_wet_ones_to_be_wiped(
    fingers: list[SimulatedFinger], condition: str, said: str | None
) -> None:
    """Nineteen in twenty."""
    told = [advice(finger.impression(5, condition=condition)) for finger in fingers]
    assert sum(item == said for item in told) >= 19


def test_a_glass_that_is_hardly_touched_asks_for_more(cast: Cast) -> None:
    assert ridge_share(empty_glass()) is None
    assert advice(np.full((288, 256), 230, np.uint8)) == "finger_few_points"


def test_a_wet_finger_that_does_not_match_is_asked_to_be_wiped(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast
) -> None:
    """From the picture: after a try without a match the next one says what to do."""
    site = real_center.new_site(max_tries=2)
    site.enroll("3901", fingers=cast.fingers("visitor_2"))
    running = start_kiosk(site, visit={"finger_timeout_s": 4.0})
    running.kiosk.screen.claim("3901")
    running.wait_step("finger")
    running.scene.lay_finger(cast["visitor_3"].finger("right_index"), number=1, condition="wet")
    wait_until(lambda: running.state.hint == "lift_finger")
    running.scene.lift_finger()
    wait_until(lambda: running.state.hint == "finger_messy")
    running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
    assert running.result().outcome is CheckInOutcome.ACCEPTED


def test_what_the_sensor_finds_is_said_at_once(
    real_center: RealCenter, start_kiosk: StartKiosk, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared on the sensor: it refuses the impression, and the person hears why."""
    from hardware.zfm.codes import Confirmation

    site = real_center.new_site(max_tries=3)
    site.enroll("3911", sensor_fingers=cast.sensor_fingers("visitor_2"))
    running = start_kiosk(site, visit={"finger_timeout_s": 4.0})
    refused = [Confirmation.FEW_POINTS, Confirmation.MESSY]
    found = running.chip._matcher.characteristics
    chip = running.chip._matcher
    monkeypatch.setattr(chip, "characteristics", lambda seen: refused.pop(0) if refused else found(seen))
    running.kiosk.screen.claim("3911")
    assert running.wait_step("finger").finger == "right_index"
    for hint in ("finger_few_points", "finger_messy"):
        running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
        wait_until(lambda hint=hint: running.state.hint == hint)  # type: ignore[misc]
        running.scene.lift_finger()
        wait_until(lambda: running.state.step == "finger" and running.scene.on_glass() is None)
    running.scene.lay_finger(cast["visitor_2"].finger("right_index"), number=1)
    assert running.result().outcome is CheckInOutcome.ACCEPTED
