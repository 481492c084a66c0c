"""Putting the page together and on the disk. Owns its order and the file; refuses figures and pictures of its own."""

from __future__ import annotations

from html import escape
from pathlib import Path

from matcher.evaluation.bootstrap import ROUNDS
from matcher.evaluation.measured import ReportInput
from matcher.evaluation.report import sections
from matcher.evaluation.report.answer import answer
from matcher.evaluation.report.figures import Figures, figures
from matcher.evaluation.report.markup import definitions, document, heading, paragraph, table
from matcher.evaluation.report.words import Words
from models.errors import InputError

TERMS = ("fmr", "fnmr", "fpir", "fnir", "fta", "fte", "eer")
WORDS = ("threshold", "interval", "mated", "gallery")


def write_report(path: Path, measured: ReportInput, *, language: str = "zh_CN", rounds: int = ROUNDS) -> None:
    """Write the page about ``measured`` to ``path``, whole or not at all.

    ``language`` is zh_CN or en. Raises InputError for another language, for a measurement without comparisons of one
    person or of two, and if the file cannot be written.
    """
    page = render(measured, language=language, rounds=rounds)
    beside = path.with_name(f"{path.name}.part")
    try:
        beside.write_text(page, encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written: {error.strerror}.") from error


def render(measured: ReportInput, *, language: str = "zh_CN", rounds: int = ROUNDS) -> str:
    """The page as text; raises as ``write_report`` does."""
    words = Words(language)
    origin = measured.provenance
    found = [figures(one, seed=origin.seed, rounds=rounds) for one in measured.measurements]
    first = measured.measurements[0]
    title = (
        words("title_site", site=measured.site)
        if measured.site
        else words("title_collection", collection=first.collection)
    )
    made = words("made_at", date=origin.measured_at.strftime("%Y-%m-%d %H:%M"), version=origin.version)
    body = f"<h1>{escape(title)}</h1>\n" + paragraph(made, small=True)
    if measured.synthetic:
        body += f'<p class="synthetic">{escape(words("synthetic"))}</p>\n'
    several = len(found) > 1
    body += "".join(_titled(one, words, shown=several) + answer(one, words) for one in found)
    for one in found:
        body += _titled(one, words, shown=several, level=2) + _measurement(one, words, seed=origin.seed)
    body += _repeat(measured, words) + _terms(words)
    return document(title, body, language=language)


def _titled(found: Figures, words: Words, *, shown: bool, level: int = 3) -> str:
    return heading(words(f"modality_{found.measurement.modality.value}"), level=level, part=level == 2) if shown else ""


def _measurement(found: Figures, words: Words, *, seed: int) -> str:
    return "".join(
        (
            sections.what_was_measured(found, words),
            sections.acquisition(found, words),
            sections.error_rates(found, words, seed=seed),
            sections.claims(found, words),
            sections.pictures(found, words),
            sections.groups(found, words),
            sections.nearest(found, words),
            sections.transfer(found, words),
        )
    )


def _repeat(measured: ReportInput, words: Words) -> str:
    origin = measured.provenance
    rows = [
        (words("command"), origin.command),
        (words("seed"), str(origin.seed)),
        (words("version"), origin.version),
        *((words("engine"), one.engine) for one in measured.measurements),
    ]
    rows += [(words("weights"), f"{name} {digest}") for name, digest in sorted(origin.weights.items())]
    if not origin.weights:
        rows.append((words("weights"), words("no_weights")))
    return heading(words("repeat_heading")) + paragraph(words("repeat_note")) + table(rows)


def _terms(words: Words) -> str:
    terms = [(words(f"word_{name}"), words(f"term_{name}")) for name in WORDS]
    terms += [(words(name), words(f"term_{name}")) for name in TERMS]
    return heading(words("terms_heading")) + paragraph(words("terms_note"), small=True) + definitions(terms)
