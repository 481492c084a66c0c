"""Rules of the house that no linter knows: the project speaks of itself alone, and its documents are whole."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from muster import COMMANDS

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def tracked() -> list[Path]:
    """Every file of the project: what git knows, or every file where there is no git."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/**/*.md")), ids=lambda p: p.name
)
def test_every_link_of_a_document_leads_to_a_file(document: Path) -> None:
    broken = [link for link in LINK.findall(document.read_text("utf-8")) if not (document.parent / link).exists()]
    assert broken == []


def test_no_file_holds_a_picture_of_a_data_set_or_a_weight() -> None:
    unwanted = {".onnx", ".dat", ".jpg", ".jpeg", ".tif", ".bmp", ".npy", ".npz", ".db", ".sqlite", ".key"}
    assert [path.name for path in tracked() if path.suffix.lower() in unwanted] == []


def test_pictures_are_kept_in_the_folder_of_screens_only() -> None:
    pictures = [path for path in tracked() if path.suffix.lower() == ".png"]
    assert {path.parent.relative_to(ROOT).as_posix() for path in pictures} <= {"docs/screens"}


def test_every_command_is_where_the_command_line_looks_for_it() -> None:
    for module, _ in COMMANDS.values():
        name, _, attribute = module.partition(":")
        source = (ROOT / (name.replace(".", "/") + ".py")).read_text("utf-8")
        assert re.search(rf"^def {attribute}\(", source, re.MULTILINE), module


def test_no_module_is_longer_than_one_idea() -> None:
    long = {
        path.relative_to(ROOT).as_posix(): lines
        for path in tracked()
        if path.suffix == ".py" and "tests" not in path.parts and (lines := path.read_text("utf-8").count("\n")) > 400
    }
    assert long == {}
