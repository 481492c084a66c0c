"""The kiosk's screen under axe-core: no violation of WCAG 2.2 AA or of axe's best practice on any screen.

axe-core is a part of the tests only. It comes with the wheel axe-playwright-python, unchanged from its own release.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import pytest
from panel_pages import SHOWN, SIZES, show, speak

pytestmark = pytest.mark.browser

AXE_RELEASED_SHA256 = (
    "66a8aaa95a8b044a7fd74a5435873bf04ff65a1ca75567c921b7509742085a14"  # axe.min.js of axe-core 4.12.1
)
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS_CHANGE = ["color-contrast", "target-size", "link-in-text-block"]  # what other colours and borders can break
RUN = """async ([type, values]) => {
  const options = { runOnly: { type, values }, resultTypes: ["violations"], preload: false };
  const quick = await axe.run(document, { ...options, selectors: false });
  if (!quick.violations.length) return [[], quick.passes.length];
  const report = await axe.run(document, options);
  const said = report.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id}: ${node.target.join(" ")}`));
  return [said, report.passes.length];
}"""


@pytest.fixture(scope="module")
def axe() -> str:
    """The script of axe-core."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        if os.environ.get("MUSTER_REQUIRE_BROWSER"):
            pytest.fail("MUSTER_REQUIRE_BROWSER is set, but axe-playwright-python is not installed.")
        pytest.skip("axe-playwright-python is not installed")
    return (Path(found.origin).parent / "axe.min.js").read_text("utf-8").rstrip("\n")


def violations(page: Any) -> list[str]:
    """What axe has to say about the page as it is now."""
    said, passed = page.evaluate(RUN, ["tag", TAGS])
    assert passed > 10  # it did look
    return said


def violations_in_strong_colours(page: Any) -> list[str]:
    """What axe has to say about the colours of the page as it would be in the strong ones."""
    page.evaluate("document.documentElement.dataset.contrast = 'more'")
    said, passed = page.evaluate(RUN, ["rule", COLOURS_CHANGE])
    page.evaluate("document.documentElement.dataset.contrast = 'usual'")
    assert passed > 0
    return said


def test_axe_is_the_released_one(axe: str) -> None:
    assert hashlib.sha256(axe.encode()).hexdigest() == AXE_RELEASED_SHA256


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_screen_violates_a_rule(open_page: Any, station: Any, axe: str, size: str, language: str) -> None:
    page = open_page(size)
    page.evaluate(axe)
    speak(page, language)
    found = {}
    for name in SHOWN:
        show(page, station, name)
        found[name] = violations(page) + violations_in_strong_colours(page)
    page.click("#explain")
    found["explanation"] = violations(page) + violations_in_strong_colours(page)
    page.click("#understood")
    page.click("#language")
    found["languages"] = violations(page) + violations_in_strong_colours(page)
    assert {name: said for name, said in found.items() if said} == {}


def test_axe_would_find_what_is_wrong(open_page: Any, station: Any, axe: str) -> None:
    page = open_page()
    page.evaluate(axe)
    page.evaluate("document.querySelector('#explain span').remove()")
    page.evaluate("document.getElementById('clock').style.color = '#0b4a80'")
    assert {said.split(":")[0] for said in violations(page)} >= {"button-name", "color-contrast"}
