"""The simulated camera keeps the port's promises: a frame rate, new frames only, and faults with their own names."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import numpy as np
import pytest
from scene_parts import StillClock, visitor

from hardware.drivers import make_camera
from hardware.ports import Camera
from hardware.simulation.camera import SimulatedCamera
from hardware.simulation.scene import Scene
from hardware.simulation.script import ScenePlayer, parse_script
from models.errors import ConfigurationError, DeviceError, DeviceNotFound, DeviceTimeout, DeviceUnplugged

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def camera(clock: StillClock) -> SimulatedCamera:
    camera = SimulatedCamera(Scene(clock=clock), fps=10, clock=clock, wait=clock.wait, now=lambda: NOW)
    camera.open()
    return camera


def test_it_says_that_it_is_simulated(camera: SimulatedCamera) -> None:
    info = camera.info()
    assert info.simulated
    assert info.kind == "camera"


def test_it_is_known_by_name_and_implements_the_port() -> None:
    camera: Camera = make_camera("simulated", fps=20)
    assert camera.info().driver == "simulated"


def test_frames_come_at_the_frame_rate_and_are_never_handed_out_twice(
    camera: SimulatedCamera, clock: StillClock
) -> None:
    first = camera.read()
    second = camera.read(after=first.sequence)
    assert second.sequence == first.sequence + 1
    assert clock.now_s == pytest.approx(100.1, abs=0.001)
    assert not np.array_equal(first.pixels, second.pixels)
    assert second.captured_at == NOW
    clock.now_s += 1.0
    assert camera.read(after=second.sequence).sequence == second.sequence + 10


def test_asking_again_without_waiting_gives_the_same_frame(camera: SimulatedCamera) -> None:
    assert camera.read() is camera.read()


def test_no_frame_in_time_is_a_timeout(camera: SimulatedCamera) -> None:
    frame = camera.read()
    with pytest.raises(DeviceTimeout):
        camera.read(after=frame.sequence, timeout_s=0.01)


def test_an_unplugged_camera_is_gone_until_it_is_plugged_and_opened_again(camera: SimulatedCamera) -> None:
    camera.unplug()
    with pytest.raises(DeviceUnplugged):
        camera.read()
    with pytest.raises(DeviceNotFound):
        camera.open()
    camera.plug()
    with pytest.raises(DeviceError, match="not open"):
        camera.read()
    camera.open()
    assert camera.read().sequence == 0


def test_a_frozen_camera_says_so(camera: SimulatedCamera) -> None:
    camera.freeze()
    with pytest.raises(DeviceError, match="same picture"):
        camera.read()
    camera.thaw()
    assert camera.read().pixels.shape == (480, 640, 3)


def test_opening_and_closing_twice_does_nothing(camera: SimulatedCamera) -> None:
    camera.open()
    camera.close()
    camera.close()
    with pytest.raises(DeviceError, match="not open"):
        camera.read()


def test_a_script_can_unplug_the_camera_that_is_being_read(camera: SimulatedCamera, clock: StillClock) -> None:
    text = "".join(
        f'[[step]]\nat_s = {at}\ndo = "fault"\ndevice = "camera"\nname = "{name}"\n'
        for at, name in ((1, "unplug"), (2, "plug"))
    )
    ScenePlayer(camera.scene, parse_script(text), {})
    assert camera.read().sequence == 0
    clock.now_s += 1.0
    with pytest.raises(DeviceUnplugged):
        camera.read()
    clock.now_s += 1.0
    with pytest.raises(DeviceError, match="not open"):
        camera.read()


def test_a_frame_rate_out_of_reason_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="1 to 60"):
        SimulatedCamera(fps=0)


def test_the_scene_may_change_while_others_look() -> None:
    """Rendering, the glass and the visitors' coming and going from four threads at once."""
    scene, somebody, wrong = Scene(), visitor(), []
    camera = SimulatedCamera(scene, fps=60, wait=lambda seconds: None)
    camera.open()
    scene.show(somebody, "stand")

    def guarded(work: object) -> None:
        try:
            for _ in range(12):
                work()  # type: ignore[operator]
        except Exception as error:
            wrong.append(error)

    works = [
        camera.read,
        scene.glass.impression,
        lambda: (scene.show(somebody, "stand"), scene.challenge("turn_left"), scene.leave()),
        lambda: (scene.lay_finger(somebody.finger("left_thumb"), number=0), scene.lift_finger()),
    ]
    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert wrong == []
    assert not any(thread.is_alive() for thread in threads)
