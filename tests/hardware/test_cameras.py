"""Camera drivers: newest frame, right colors, and a clear word when a camera fails, repeats itself or goes away."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hardware.drivers import CAMERAS, make_camera, open_camera
from hardware.drivers.opencv_camera import OpenCvCamera
from hardware.drivers.recorded_camera import RecordedCamera
from hardware.pictures import read_gray, read_rgb
from hardware.ports import ExposureControl
from models.errors import (
    ConfigurationError,
    DeviceBusy,
    DeviceError,
    DeviceNotFound,
    DeviceTimeout,
    DeviceUnplugged,
    ImageError,
)


class Clock:
    """Seconds that pass when somebody sleeps."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds


class FakeCapture:
    """Behaves like cv2.VideoCapture; hands out what a test puts in, and then waits."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.more = threading.Semaphore(0)
        self.opened = True
        self.released = 0
        self.values: dict[int, float] = {}

    def put(self, *frames: Any) -> None:
        self.frames += frames
        for _ in frames:
            self.more.release()

    def __call__(self, device: int | str) -> FakeCapture:
        return self

    def isOpened(self) -> bool:  # noqa: N802
        return self.opened

    def set(self, name: int, number: float) -> bool:
        self.values[name] = number
        return True

    def get(self, name: int) -> float:
        return self.values.get(name, 0.0)

    def release(self) -> None:
        self.released += 1

    def read(self) -> tuple[bool, Any]:
        if not self.more.acquire(timeout=0.05):
            return True, self.idle
        frame = self.frames.pop(0)
        return (False, None) if frame is None else (True, frame)

    @property
    def idle(self) -> Any:
        return None


def picture(blue: int, green: int = 0, red: int = 0) -> Any:
    return np.full((4, 6, 3), (blue, green, red), np.uint8)


@pytest.fixture
def capture() -> FakeCapture:
    return FakeCapture()


@pytest.fixture
def camera(capture: FakeCapture) -> Iterator[OpenCvCamera]:
    opened = OpenCvCamera(0, capture=capture, sleep=lambda _: None)
    opened.open()
    yield opened
    opened.close()


class TestOpenCvCamera:
    def test_gives_rgb_with_a_growing_sequence_and_both_times(self, camera: OpenCvCamera, capture: FakeCapture) -> None:
        capture.put(picture(blue=200, red=10))
        first = camera.read()
        assert first.pixels[0, 0].tolist() == [10, 0, 200]
        capture.put(picture(blue=100))
        second = camera.read(after=first.sequence)
        assert second.sequence == first.sequence + 1
        assert second.monotonic_ns > first.monotonic_ns
        assert second.captured_at.tzinfo is not None

    def test_gray_pictures_become_three_channels(self, camera: OpenCvCamera, capture: FakeCapture) -> None:
        capture.put(np.full((4, 6), 7, np.uint8))
        assert camera.read().pixels.shape == (4, 6, 3)

    def test_a_reader_that_was_busy_gets_the_newest_frame(self, camera: OpenCvCamera, capture: FakeCapture) -> None:
        capture.put(*(picture(blue=level) for level in range(20)))
        newest = camera.read(after=18)
        assert (newest.sequence, int(newest.pixels[0, 0, 2])) == (19, 19)

    def test_an_exposure_is_set_by_the_thread_that_reads(self, capture: FakeCapture) -> None:
        """A camera that says what its exposure is can be told another one."""
        capture.values[cv2.CAP_PROP_EXPOSURE] = 160
        with OpenCvCamera(0, capture=capture, sleep=lambda _: None) as camera:
            assert isinstance(camera, ExposureControl)
            assert camera.exposure() == 160
            camera.set_exposure(200)
            capture.put(picture(1), picture(2))
            camera.read(after=0)
            assert (camera.exposure(), capture.values[cv2.CAP_PROP_EXPOSURE]) == (200, 200)
            assert capture.values[cv2.CAP_PROP_AUTO_EXPOSURE] == 1

    def test_a_camera_that_knows_no_exposure_is_left_alone(self, camera: OpenCvCamera, capture: FakeCapture) -> None:
        camera.set_exposure(200)
        capture.put(picture(1), picture(2))
        camera.read(after=0)
        assert camera.exposure() is None
        assert cv2.CAP_PROP_EXPOSURE not in capture.values

    def test_no_picture_in_time_is_a_timeout(self, camera: OpenCvCamera) -> None:
        with pytest.raises(DeviceTimeout):
            camera.read(timeout_s=0.01)

    def test_a_camera_that_repeats_itself_is_a_fault_until_the_picture_changes(self, capture: FakeCapture) -> None:
        clock = Clock()
        with OpenCvCamera(0, capture=capture, monotonic=clock, frozen_after_s=5) as camera:
            capture.put(picture(1))
            assert camera.read().sequence == 0
            clock.sleep(4.9)
            capture.put(picture(1))
            assert camera.read(after=0).sequence == 1
            clock.sleep(0.2)
            capture.put(picture(1))
            with pytest.raises(DeviceError) as frozen:
                camera.read(after=1)
            assert frozen.value.code == "camera_frozen"
            capture.put(picture(2))
            for _ in range(100):
                try:
                    assert camera.read(after=1).sequence == 2
                    break
                except DeviceError:
                    threading.Event().wait(0.005)
            else:
                pytest.fail("the camera stays frozen")

    def test_a_lost_camera_says_so_and_comes_back_by_itself(self, camera: OpenCvCamera, capture: FakeCapture) -> None:
        capture.put(picture(1))
        camera.read()
        capture.opened = False
        capture.put(*[None] * 10)
        with pytest.raises(DeviceUnplugged):
            while True:
                camera.read(after=0)
        capture.opened = True
        capture.put(picture(2))
        for _ in range(200):
            try:
                assert int(camera.read(after=0).pixels[0, 0, 2]) == 2
                break
            except DeviceUnplugged:
                threading.Event().wait(0.005)
        else:
            pytest.fail("the camera stays lost")
        assert capture.released >= 1

    def test_closing_twice_and_reading_afterwards(self, capture: FakeCapture) -> None:
        camera = OpenCvCamera(0, capture=capture)
        camera.open()
        camera.open()
        camera.close()
        camera.close()
        assert capture.released == 1
        with pytest.raises(DeviceUnplugged):
            camera.read()

    def test_a_camera_that_another_program_holds(self, capture: FakeCapture) -> None:
        capture.opened = False
        with pytest.raises(DeviceBusy):
            OpenCvCamera(0, capture=capture).open()

    def test_a_camera_that_is_not_there(self) -> None:
        for device in (77, "77", "/dev/video77"):
            with pytest.raises(DeviceNotFound, match="/dev/video77"):
                open_camera("opencv", device=device)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in (1, 2, 10):
        cv2.imwrite(str(tmp_path / f"frame{number}.png"), picture(blue=number * 10, red=5))
    (tmp_path / "notes.txt").write_text("no picture")
    return tmp_path


class TestRecordedCamera:
    def test_plays_a_folder_in_the_order_of_its_names(self, folder: Path) -> None:
        with RecordedCamera(folder, rate_hz=None, loop=True) as camera:
            frames = [camera.read() for _ in range(4)]
        assert [int(frame.pixels[0, 0, 2]) for frame in frames] == [10, 20, 100, 10]
        assert frames[0].pixels[0, 0].tolist() == [5, 0, 10]
        assert [frame.sequence for frame in frames] == [0, 1, 2, 3]

    def test_without_a_loop_it_is_unplugged_at_the_end(self, folder: Path) -> None:
        with RecordedCamera(folder, rate_hz=None, loop=False) as camera:
            for _ in range(3):
                camera.read()
            with pytest.raises(DeviceUnplugged, match="over"):
                camera.read()

    def test_a_slow_reader_misses_frames_and_a_fast_one_waits(self, folder: Path) -> None:
        clock = Clock()
        with RecordedCamera(folder, rate_hz=10, monotonic=clock, sleep=clock.sleep) as camera:
            assert camera.read().sequence == 0
            assert camera.read(after=0).sequence == 1
            assert clock() == pytest.approx(0.1)
            clock.sleep(0.51)
            assert camera.read(after=1).sequence == 6
            assert camera.read(after=3).sequence == 6
            with pytest.raises(DeviceTimeout):
                camera.read(after=60, timeout_s=0.2)

    def test_plays_a_video_round_and_round(self, tmp_path: Path) -> None:
        path = tmp_path / "video.avi"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
        for level in (20, 200):
            writer.write(np.full((48, 64, 3), (level, 0, 0), np.uint8))
        writer.release()
        with RecordedCamera(path, rate_hz=None) as camera:
            blues = [int(camera.read().pixels[20, 20, 2]) for _ in range(3)]
        assert blues == pytest.approx([20, 200, 20], abs=12)

    def test_what_is_no_recording_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(DeviceNotFound):
            open_camera("recorded", path=tmp_path / "none.avi")
        with pytest.raises(DeviceNotFound, match="holds no picture"):
            open_camera("recorded", path=tmp_path)
        (tmp_path / "bad.png").write_bytes(b"not a picture")
        with pytest.raises(ImageError, match=r"bad\.png"):
            open_camera("recorded", path=tmp_path).read()
        (tmp_path / "bad.png").write_bytes(b"")
        with pytest.raises(ImageError, match=r"bad\.png"):
            open_camera("recorded", path=str(tmp_path)).read()
        with pytest.raises(ConfigurationError):
            open_camera("recorded", path=tmp_path, rate_hz=0)

    def test_says_that_it_is_simulated(self, folder: Path) -> None:
        assert RecordedCamera(folder).info().simulated is True


def test_a_camera_that_is_switched_off_says_so() -> None:
    camera = open_camera("disabled")
    with pytest.raises(DeviceError) as off:
        camera.read()
    assert off.value.code == "device_disabled"
    assert camera.info().kind == "camera"
    camera.close()


def test_an_unknown_camera_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="disabled, opencv, recorded, simulated"):
        make_camera("openvc")
    with pytest.raises(ConfigurationError, match="rate_hz"):
        make_camera("recorded", path="x", rate=3)
    assert set(CAMERAS) == {"disabled", "opencv", "recorded", "simulated"}


def test_a_read_that_hung_when_the_camera_was_closed_brings_no_frame_of_the_old_one_back() -> None:
    """The driver's thread may come back from a hung read long after the camera was opened again."""

    class Hung(FakeCapture):
        def read(self) -> tuple[bool, Any]:
            self.more.acquire()
            return True, picture(1)

    old, new = Hung(), FakeCapture()
    sources = iter([old, new])
    camera = OpenCvCamera(0, capture=lambda device: next(sources))
    camera.open()
    hung = camera._thread
    assert hung is not None
    camera._stopping.set()  # as ``close`` does, which then waits two seconds and leaves the thread behind
    camera._thread = None
    camera.open()
    old.more.release()
    hung.join(5)
    assert not hung.is_alive() and old.released == 1
    new.put(picture(9))
    assert int(camera.read(timeout_s=5).pixels[0, 0, 2]) == 9
    camera.close()


def test_pixels_that_cannot_be_shown_are_a_failed_read_and_do_not_end_the_driver() -> None:
    source = FakeCapture()
    camera = OpenCvCamera(0, capture=source)
    camera.open()
    source.put(np.zeros((4, 4, 2), np.uint8), picture(7))
    assert int(camera.read(timeout_s=5).pixels[0, 0, 2]) == 7
    camera.close()


def test_a_recording_waits_for_a_reader_who_was_away(tmp_path: Path) -> None:
    """Otherwise an hour's absence would mean decoding an hour of pictures at once."""
    for number in range(3):
        assert cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((8, 8, 3), number, np.uint8))
    clock = Clock()
    camera = RecordedCamera(tmp_path, rate_hz=10, monotonic=clock, sleep=clock.sleep)
    camera.open()
    first = camera.read().sequence
    clock.now_s += 3600
    after_an_hour = camera.read(after=first).sequence
    assert first < after_an_hour <= first + 31
    clock.now_s += 0.1
    assert camera.read(after=after_an_hour).sequence == after_an_hour + 1


def test_a_small_file_does_not_unfold_into_gigabytes(tmp_path: Path) -> None:
    content = bytearray(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes())
    content[16:24] = (30_000).to_bytes(4, "big") * 2  # width and height of the header
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    bomb = tmp_path / "1_1.png"
    bomb.write_bytes(content)
    for read in (read_rgb, read_gray):
        with pytest.raises(ImageError, match=r"1_1\.png is too large"):
            read(bomb)


@pytest.mark.parametrize(
    "content", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"BM" + b"\xff" * 60, b"II*\0" + b"\xff" * 40]
)
def test_a_broken_picture_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "1_1.png"
    file.write_bytes(content)
    for read in (read_rgb, read_gray):
        with pytest.raises(ImageError, match=r"1_1\.png"):
            read(file)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("opencvv", {}, "did you mean 'opencv'"),
        ("opencv", {"devic": 0}, "did you mean 'device'"),
        ("nonsense", {}, "Known: disabled, opencv, recorded, simulated"),
        ("opencv", {"zzz": 0}, "Known: device"),
    ],
)
def test_a_mistyped_driver_or_option_is_answered_with_the_nearest(
    name: str, options: dict[str, int], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        make_camera(name, **options)
