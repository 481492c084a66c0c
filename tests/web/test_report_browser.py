"""The report page in a real Chromium, as a clerk opens it from a disk: nothing is blocked, cut off or overlapping.

With MUSTER_SCREENS set, pictures of a synthetic site's page are written in both languages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from matcher.evaluation.report import write_report
from tests.matcher.report_parts import site

pytestmark = pytest.mark.browser

LANGUAGES = {"zh_CN": "zh", "en": "en"}
OVERLAPS = """() => {
  const complaints = [];
  for (const svg of document.querySelectorAll("svg")) {
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map((node) => [node.textContent, node.getBoundingClientRect()]);
    texts.forEach(([words, box], at) => {
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 ||
          box.bottom > frame.bottom + 1) complaints.push("cut off: " + words);
      for (const [other, there] of texts.slice(at + 1)) {
        if (box.left < there.right - 1 && there.left < box.right - 1 && box.top < there.bottom - 4 &&
            there.top < box.bottom - 4) complaints.push(words + " over " + other);
      }
    });
  }
  if (document.documentElement.scrollWidth > innerWidth) complaints.push("wider than the window");
  return complaints;
}"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The page of a synthetic site, by language."""
    folder = tmp_path_factory.mktemp("report")
    found = {}
    for language in LANGUAGES:
        found[language] = folder / f"{language}.html"
        write_report(found[language], site(), language=language)
    return found


@pytest.fixture(params=list(LANGUAGES))
def page(request: pytest.FixtureRequest, chromium: Any, pages: dict[str, Path]) -> Iterator[Any]:
    """The open page; whatever the browser complains of fails the test."""
    context = chromium.new_context(viewport={"width": 900, "height": 1200})
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("console", lambda message: complaints.append(message.text))
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.goto(pages[request.param].as_uri())
    yield opened
    context.close()
    assert complaints == []


def test_no_label_is_cut_off_or_lies_on_another_and_the_page_fits_a_window(page: Any) -> None:
    assert page.evaluate(OVERLAPS) == []
    page.set_viewport_size({"width": 700, "height": 1000})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_answer_is_read_before_anything_else(page: Any) -> None:
    answer = page.locator(".answer strong").first
    assert answer.bounding_box()["y"] < 500
    assert float(answer.evaluate("node => parseFloat(getComputedStyle(node).fontSize)")) > 30


def test_pictures_are_taken_of_the_answer_and_of_the_figures(page: Any, screens: Path | None) -> None:
    language = "zh" if page.evaluate("document.documentElement.lang") == "zh-CN" else "en"
    page.set_viewport_size({"width": 900, "height": 1200})
    tops = page.evaluate("[...document.querySelectorAll('h2')].map((node) => node.offsetTop - 16)")
    height = page.evaluate("document.documentElement.scrollHeight")
    parts = [at for at, kind in enumerate(page.evaluate("[...document.querySelectorAll('h2')].map((n) => n.className)"))
             if kind == "part"]  # fmt: skip
    assert len(parts) == 2
    spans = {
        "answer": (0, tops[parts[0]]),
        "rates": (tops[parts[0]], tops[parts[0] + 5]),
        "pictures": (tops[parts[0] + 5], tops[parts[0] + 8]),
        "groups": (tops[parts[0] + 8], tops[parts[1]]),
    }
    assert all(0 <= top < bottom <= height for top, bottom in spans.values())
    for name, (top, bottom) in spans.items():
        clip = {"x": 0, "y": top, "width": 900, "height": bottom - top}
        picture = page.screenshot(full_page=True, clip=clip)
        assert picture.startswith(b"\x89PNG")
        if screens:
            (screens / f"report-{name}-{language}.png").write_bytes(picture)


@pytest.fixture
def screens() -> Path | None:
    """The folder of pictures, if they are wanted."""
    named = os.environ.get("MUSTER_SCREENS")
    if named:
        Path(named).mkdir(parents=True, exist_ok=True)
    return Path(named) if named else None
