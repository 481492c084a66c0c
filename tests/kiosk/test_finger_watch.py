"""A finger that lies on the glass too soon: nothing begins, and it is said, but not for ever."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import pytest

from hardware.ports import FingerSensor
from kiosk.finger_watch import FingerWatch
from models.errors import DeviceError


class Glass:
    """Answers at once what lies on the glass; None for a sensor that fails."""

    def __init__(self) -> None:
        self.finger: bool | None = False
        self.now_s = 0.0

    def submit(self, job: Callable[[FingerSensor], bool]) -> Future[bool]:
        answer: Future[bool] = Future()
        if self.finger is None:
            answer.set_exception(DeviceError("The sensor is gone."))
        else:
            answer.set_result(self.finger)
        return answer


@pytest.fixture
def glass() -> Glass:
    return Glass()


def looked(glass: Glass, watch: FingerWatch, seconds: float) -> list[tuple[bool, bool]]:
    """What begins and what is said, every tenth of a second."""
    found = []
    for _ in range(round(10 * seconds)):
        glass.now_s += 0.1
        found.append((watch.laid_on(), watch.left_on))
    return found


def watched(glass: Glass) -> FingerWatch:
    return FingerWatch(glass, lambda: glass.now_s)  # type: ignore[arg-type]


def test_a_finger_on_an_empty_glass_begins_once_and_is_told_to_lift_if_it_stays(glass: Glass) -> None:
    watch = watched(glass)
    looked(glass, watch, 1.0)
    glass.finger = True
    assert sum(began for began, _ in looked(glass, watch, 0.8)) == 1
    watch.rest()
    found = looked(glass, watch, 3.0)
    assert not any(began for began, _ in found)
    assert [said for _, said in found][-1] and not found[0][1]
    glass.finger = False
    assert not looked(glass, watch, 1.0)[-1][1]
    glass.finger = True
    assert sum(began for began, _ in looked(glass, watch, 0.8)) == 1


def test_a_smudge_is_not_spoken_to_for_ever(glass: Glass) -> None:
    watch, glass.finger = watched(glass), True
    said = [said for _, said in looked(glass, watch, 30.0)]
    assert 80 <= sum(said) <= 105
    assert not said[-1]


def test_nothing_is_said_any_more_once_the_sensor_fails(glass: Glass) -> None:
    watch, glass.finger = watched(glass), True
    assert looked(glass, watch, 3.0)[-1][1]
    glass.finger = None
    assert not looked(glass, watch, 1.0)[-1][1]
