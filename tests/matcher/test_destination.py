"""A file that cannot be written is told before anything is measured."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from matcher.commands import evaluate
from matcher.evaluation.destination import require_writable
from models.errors import InputError


@pytest.mark.parametrize(
    "asked",
    [
        ["face", "nowhere", "--html"],
        ["face", "nowhere", "--json"],
        ["finger", "nowhere", "--html"],
        ["finger", "nowhere", "--json"],
        ["attack", "nowhere", "--json"],
        ["scale", "--modality", "face", "--gallery", "2", "--json"],
        ["scale", "--modality", "face", "--gallery", "2", "--svg"],
    ],
    ids=" ".join,
)
def test_a_missing_folder_of_a_file_is_told_before_the_measured_folder_is_looked_at(
    asked: list[str], tmp_path: Path
) -> None:
    file = tmp_path / "gone" / "file"
    error = CliRunner().invoke(evaluate, [*asked, str(file)]).exception
    assert isinstance(error, InputError)
    assert str(error) == f"{file} cannot be written: there is no folder {tmp_path / 'gone'}."


def test_a_file_below_a_file_or_in_place_of_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is not a folder"):
        require_writable(tmp_path / "file" / "page.html")
    with pytest.raises(InputError, match="it is a folder"):
        require_writable(page=tmp_path)


def test_a_page_needs_a_folder_that_takes_files_even_where_there_is_one_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)  # the superuser may write everywhere
    require_writable(None, file)
    with pytest.raises(InputError, match="is write-protected"):
        require_writable(page=file)
    with pytest.raises(InputError, match="is write-protected"):
        require_writable(tmp_path / "new")
