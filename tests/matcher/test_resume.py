"""Long measurements that are stopped and go on: what is kept, for whom to read, and what is refused."""

from __future__ import annotations

import os
import stat
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from matcher.commands import evaluate
from matcher.evaluation import acquisition
from matcher.evaluation.acquisition import Stopped, acquire_all
from matcher.evaluation.resume import AcquiredSample, opened, picture_digest
from models.errors import InputError

MADE_BY = {"engine": "lengths", "format": "lengths/1"}


def make(file: Path) -> AcquiredSample:
    """A template that any process can make: the file's length; an empty file is a failure to acquire."""
    length = file.stat().st_size
    return AcquiredSample(str(length).encode() if length else None, {"extract": 1.5})


def counting(made: list[str], file: Path) -> AcquiredSample:
    made.append(file.name)
    return make(file)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    found = []
    for at in range(6):
        found.append(tmp_path / f"{at}.png")
        found[-1].write_bytes(b"." * at)
    return found


def stop_after(count: int, done: int, whole: int) -> None:
    if done == count:
        raise KeyboardInterrupt


def stopped_run(files: list[Path], place: Path, *, after: int) -> Stopped:
    with pytest.raises(Stopped) as told, opened(place) as resume:
        resume.bind(MADE_BY)
        acquire_all(files, make, processes=1, progress=partial(stop_after, after), resume=resume)
    return told.value


def test_a_stopped_run_says_how_far_it_came_and_goes_on_from_there(files: list[Path], tmp_path: Path) -> None:
    place = tmp_path / "resume"
    assert str(stopped_run(files, place, after=4)) == (
        "Stopped after 4 of 6 pictures; the same command goes on from there."
    )
    made: list[str] = []
    with opened(place) as resume:
        resume.bind(MADE_BY)
        samples = acquire_all(files, partial(counting, made), processes=1, resume=resume)
    assert made == ["4.png", "5.png"]
    assert samples == [make(file) for file in files]


def test_without_a_file_a_stopped_run_says_that_nothing_was_kept(files: list[Path]) -> None:
    with pytest.raises(Stopped, match="nothing was kept"):
        acquire_all(files, make, processes=1, progress=partial(stop_after, 2))


def test_the_file_is_private_and_goes_when_the_run_is_done(files: list[Path], tmp_path: Path) -> None:
    place = tmp_path / "resume"
    with opened(place) as resume:
        resume.bind(MADE_BY)
        acquire_all(files, make, processes=1, resume=resume)
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert not place.exists()


def test_the_file_stays_if_the_operator_wants_it_or_the_run_fails(files: list[Path], tmp_path: Path) -> None:
    with opened(tmp_path / "kept", keep=True) as resume:
        resume.bind(MADE_BY)
    assert (tmp_path / "kept").exists()
    stopped_run(files, tmp_path / "failed", after=1)
    assert (tmp_path / "failed").exists()


def test_progress_counts_what_was_there_already(files: list[Path], tmp_path: Path) -> None:
    stopped_run(files, tmp_path / "resume", after=4)
    seen: list[tuple[int, int]] = []
    with opened(tmp_path / "resume") as resume:
        resume.bind(MADE_BY)
        acquire_all(files, make, processes=1, progress=lambda *step: seen.append(step), resume=resume)
    assert seen == [(4, 6), (5, 6), (6, 6)]


def test_a_changed_picture_is_measured_anew(files: list[Path], tmp_path: Path) -> None:
    stopped_run(files, tmp_path / "resume", after=6)
    files[2].write_bytes(b"another picture")
    made: list[str] = []
    with opened(tmp_path / "resume") as resume:
        resume.bind(MADE_BY)
        acquire_all(files, partial(counting, made), processes=1, resume=resume)
    assert made == ["2.png"]


def test_a_last_line_in_pieces_is_dropped(files: list[Path], tmp_path: Path) -> None:
    place = tmp_path / "resume"
    stopped_run(files, place, after=4)
    place.write_bytes(place.read_bytes()[:-20])
    with opened(place, keep=True) as resume:
        resume.bind(MADE_BY)
        assert len(resume) == 3
        resume.add("new", AcquiredSample(b"1", {}))
    with opened(place) as resume:
        resume.bind(MADE_BY)
        assert len(resume) == 4


@pytest.mark.parametrize("byte", range(40, 300, 17))
def test_a_damaged_line_is_refused_in_one_sentence_or_changes_nothing(
    files: list[Path], tmp_path: Path, byte: int
) -> None:
    place = tmp_path / "resume"
    stopped_run(files, place, after=4)
    content = bytearray(place.read_bytes())
    content[byte] ^= 0x01
    place.write_bytes(content)
    with pytest.raises(InputError), opened(place) as resume:
        resume.bind(MADE_BY)


def test_a_file_of_another_engine_or_another_kind_is_refused_and_left_alone(files: list[Path], tmp_path: Path) -> None:
    place = tmp_path / "resume"
    stopped_run(files, place, after=2)
    with pytest.raises(InputError, match="another engine"), opened(place) as resume:
        resume.bind(MADE_BY | {"format": "lengths/2"})
    for content in (b"a letter\n", b"a letter without an end", b"[1, 2]\n", b"\x00\xff\n"):
        other = tmp_path / "other"
        other.write_bytes(content)
        other.chmod(0o600)
        with pytest.raises(InputError), opened(other) as resume:
            resume.bind(MADE_BY)
        assert other.read_bytes() == content


def test_a_file_that_others_can_read_a_link_and_a_second_run_are_refused(tmp_path: Path) -> None:
    place = tmp_path / "resume"
    place.touch(0o644)
    place.chmod(0o644)
    with pytest.raises(InputError, match="read by others"), opened(place):
        pass
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be opened"), opened(link):
        pass
    with opened(tmp_path / "busy"), pytest.raises(InputError, match="another run"), opened(tmp_path / "busy"):
        pass
    with pytest.raises(InputError, match="cannot be opened"), opened(tmp_path / "nowhere" / "resume"):
        pass


def test_two_processes_make_what_one_makes(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acquisition, "FEW_PICTURES", 0)
    assert acquire_all(files, os.path.getsize, processes=2) == [0, 1, 2, 3, 4, 5]


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.png"):
        picture_digest(tmp_path / "gone.png")


def test_keep_without_a_file_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "1_1.png"), np.zeros((8, 8), np.uint8))
    result = CliRunner().invoke(evaluate, ["finger", str(tmp_path), "--keep"])
    assert "--resume" in str(result.exception)
