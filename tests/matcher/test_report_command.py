"""``muster evaluate finger --html``: from a folder to a page, with the thresholds of a kiosk not yet calibrated."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from matcher.commands import evaluate
from matcher.engines import ENGINES
from matcher.evaluation.finger import engine_named
from matcher.evaluation.html_option import thresholds, weights_used
from matcher.evaluation.measured import ThresholdUse
from matcher.evaluation.terminal import finish
from models.biometrics import TemplateFormat
from models.errors import InputError
from tests.matcher.test_evaluate_finger import lay


@pytest.fixture
def labelled(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(ENGINES, "labelled", "tests.matcher.test_evaluate_finger:LabelledEngine")
    engine_named.cache_clear()
    return "labelled"


def test_a_folder_becomes_a_page_and_the_templates_kept_meanwhile_are_gone(tmp_path: Path, labelled: str) -> None:
    folder, page, resume = lay_in(tmp_path / "fingers"), tmp_path / "page.html", tmp_path / "resume"
    result = CliRunner().invoke(
        evaluate,
        ["finger", str(folder), "--engine", labelled, "--html", str(page), "--language", "en", "--resume", str(resume)],
        catch_exceptions=False,
    )
    assert result.exit_code == 0
    text = page.read_text("utf-8")
    assert '<html lang="en">' in text
    assert "Not shown" in text
    assert "from 5 fingers" in text
    assert not resume.exists()


def test_kept_templates_are_taken_by_the_next_run(tmp_path: Path, labelled: str) -> None:
    folder, resume = lay_in(tmp_path / "fingers"), tmp_path / "resume"
    asked = ["finger", str(folder), "--engine", labelled, "--resume", str(resume), "--keep"]
    assert CliRunner().invoke(evaluate, asked, catch_exceptions=False).exit_code == 0
    lines = resume.read_bytes().count(b"\n")
    assert lines == 1 + 15
    assert CliRunner().invoke(evaluate, asked, catch_exceptions=False).exit_code == 0
    assert resume.read_bytes().count(b"\n") == lines


def test_templates_of_another_resolution_are_not_taken(tmp_path: Path, labelled: str) -> None:
    folder, resume = lay_in(tmp_path / "fingers"), tmp_path / "resume"
    asked = ["finger", str(folder), "--engine", labelled, "--resume", str(resume), "--keep"]
    CliRunner().invoke(evaluate, asked, catch_exceptions=False)
    result = CliRunner().invoke(evaluate, [*asked, "--dpi", "569"])
    assert isinstance(result.exception, InputError)
    assert "another engine, format or option" in str(result.exception)


def test_a_search_is_judged_only_where_a_gallery_was_searched_and_unknown_formats_are_not() -> None:
    both = thresholds(TemplateFormat("sface", 1), gallery=30)
    assert [item.use for item in both] == [ThresholdUse.IDENTIFY, ThresholdUse.VERIFY]
    assert both[0].threshold >= both[1].threshold
    assert [item.use for item in thresholds(TemplateFormat("minutiae", 1), gallery=None)] == [ThresholdUse.VERIFY]
    assert thresholds(TemplateFormat("nobody", 1), gallery=30) == ()


def test_the_page_names_the_weights_by_their_hashes() -> None:
    used = weights_used("sface (sface/1)")
    assert len(used) == 2
    assert all(len(digest) == 64 for digest in used.values())
    assert weights_used("something else") == {}


def lay_in(folder: Path) -> Path:
    folder.mkdir()
    return lay(folder, 5, 3)


def test_the_terminal_says_every_third_finger_where_json_says_held_out(tmp_path: Path, labelled: str) -> None:
    folder, rates = lay_in(tmp_path / "fingers"), tmp_path / "rates.json"
    asked = ["finger", str(folder), "--engine", labelled, "--json", str(rates)]
    result = CliRunner().invoke(evaluate, asked, catch_exceptions=False)
    assert "every third finger: genuine" in result.stdout
    assert "held_out" not in result.stdout
    assert "held_out" in rates.read_text("utf-8")


def test_the_terminal_makes_no_claim_that_so_few_comparisons_cannot_carry(capsys: pytest.CaptureFixture[str]) -> None:
    report = {
        "modality": "face", "engine": "sface", "comparisons": {"genuine": 40, "impostor": 5_000},
        "pairs": {"eer": 0.01, "fnmr_at_fmr": {"1e-3": 0.02, "1e-4": 0.0}},
    }  # fmt: skip
    finish(report, None)
    shown = " ".join(capsys.readouterr().out.split())
    assert "1e-3 │ 2.000 % │" in shown
    assert "no claim: 5,000 comparisons" in shown and shown.count("no claim") == 1
