"""The report page: its answer follows the rule, every text is there in both languages, and it stands alone."""

from __future__ import annotations

import re
import string
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from matcher.evaluation.intervals import Basis, Interval
from matcher.evaluation.measured import ThresholdInForce, ThresholdUse
from matcher.evaluation.report import write_report
from matcher.evaluation.report.charts import histogram_chart
from matcher.evaluation.report.drawing import Axis
from matcher.evaluation.report.figures import figures
from matcher.evaluation.report.verdict import Answer, Reason, verdict, worst
from matcher.evaluation.report.words import LANGUAGES, TEXTS, Words
from matcher.evaluation.report.writing import render
from models.errors import InputError
from tests.matcher.report_parts import compared, site

REPORT = Path(__file__).parents[2] / "matcher" / "evaluation" / "report"
SMALL = site(40, strangers=30)
ROUNDS = 60


def judged(low: float, rate: float, high: float, *, trials: int = 1000) -> Interval:
    return Interval(
        rate=rate, low=low, high=high, errors=int(rate * trials), trials=trials, people=50, independent=25,
        basis=Basis.BOOTSTRAP,
    )  # fmt: skip


def in_force(**changes: object) -> ThresholdInForce:
    plain = {"use": ThresholdUse.VERIFY, "threshold": 4.0, "target": 0.001, "origin": "default"}
    return ThresholdInForce(**plain | changes)


@pytest.mark.parametrize(
    "low, rate, high, answer, reason",
    [
        (0.0, 0.001, 0.0029, Answer.YES, Reason.BELOW),
        (0.0, 0.001, 0.003, Answer.YES, Reason.BELOW),
        (0.0, 0.001, 0.0031, Answer.NOT_SHOWN, Reason.TOO_FEW),
        (0.001, 0.004, 0.01, Answer.NOT_SHOWN, Reason.HIGH),
        (0.0031, 0.004, 0.01, Answer.NO, Reason.ABOVE),
    ],
)
def test_the_answer_compares_the_whole_interval_with_three_times_the_target(
    low: float, rate: float, high: float, answer: Answer, reason: Reason
) -> None:
    found = verdict(in_force(), judged(low, rate, high))
    assert (found.answer, found.reason) == (answer, reason)


def test_a_threshold_set_on_the_same_comparisons_or_a_computed_rate_is_never_called_safe() -> None:
    fine = judged(0.0, 0.0, 0.001)
    assert verdict(in_force(origin="this"), fine).reason is Reason.SAME_COMPARISONS
    assert verdict(in_force(), fine, computed=True).reason is Reason.COMPUTED
    assert verdict(in_force(origin="this"), judged(0.01, 0.02, 0.03)).answer is Answer.NO


def test_nothing_measured_is_not_shown_and_the_worst_answer_decides() -> None:
    nothing = verdict(in_force(), judged(0, 0, 1, trials=0))
    yes, no = verdict(in_force(), judged(0, 0, 0.001)), verdict(in_force(), judged(0.01, 0.02, 0.03))
    assert nothing.answer is Answer.NOT_SHOWN
    assert worst([yes, nothing]) is nothing
    assert worst([yes, nothing, no]) is no
    assert worst([]).answer is Answer.NO_THRESHOLD


@pytest.mark.parametrize("wrong", [{"threshold": float("inf")}, {"target": 0.0}, {"target": 1.0}, {"tolerated": 2.0}])
def test_an_impossible_threshold_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        in_force(**wrong)


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    chinese, english = (TEXTS[language] for language in ("zh_CN", "en"))
    assert set(chinese) == set(english)
    for key in chinese:
        names = [{name for _, name, _, _ in string.Formatter().parse(text[key]) if name} for text in (chinese, english)]
        assert names[0] == names[1], key


def test_every_text_that_the_page_asks_for_is_there_and_none_is_left_over() -> None:
    code = "".join(path.read_text("utf-8") for path in REPORT.glob("*.py") if not path.name.startswith("texts_"))
    literal = set(re.findall(r'["\']([a-z][a-z0-9_]+)["\']', code))
    families = tuple(re.findall(r'f["\']([a-z_]+_)\{', code))
    unused = [key for key in TEXTS["en"] if key not in literal and not key.startswith(families)]
    assert unused == []
    asked = set(re.findall(r'\bwords\(\s*"([a-z0-9_]+)"', re.sub(r'""".*?"""', "", code, flags=re.DOTALL)))
    assert asked - set(TEXTS["en"]) == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_and_reason_is_written_in_both_languages(language: str) -> None:
    words = Words(language)
    assert all(words.has(f"answer_{answer.value}") and words.has(f"todo_{answer.value}") for answer in Answer)
    assert all(words.has(f"reason_{reason.value}") for reason in Reason)
    assert all(words.has(f"basis_{basis.value}") for basis in Basis)


@pytest.fixture(scope="module")
def page() -> str:
    return render(SMALL, language="en", rounds=ROUNDS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_is_whole_and_holds_no_placeholder(language: str) -> None:
    text = render(SMALL, language=language, rounds=ROUNDS)
    assert Balance.of(text) == []
    assert not re.search(r"[{}]", re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL))
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


class Balance(HTMLParser):
    """Which elements were opened and not closed, or the other way round."""

    EMPTY = frozenset({"meta", "br", "line", "rect", "circle", "path", "polyline", "polygon"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    @classmethod
    def of(cls, text: str) -> list[str]:
        reader = cls()
        reader.feed(text)
        return reader.open

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.EMPTY:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.EMPTY:
            assert self.open.pop() == tag


def test_the_page_loads_nothing_runs_nothing_and_allows_nothing_but_its_own_style(page: str) -> None:
    assert not re.search(r"<(script|link|img|iframe|object)|\bon\w+=|href=|src=|@import|url\((?!#)", page)
    assert " style=" not in page
    assert "default-src 'none'; style-src 'sha256-" in page


def test_labels_are_written_as_text_whatever_they_hold() -> None:
    hostile = replace(
        SMALL.measurements[0],
        collection="<script>alert(1)</script>",
        comparisons=replace(compared(6), people=tuple(f'<b onclick="x">{at}' for at in range(6))),
        searches=None,
        acquisition=None,
    )
    text = render(replace(SMALL, measurements=(hostile,), site="<i>&"), language="en", rounds=20)
    assert "<script" not in text
    assert "<b onclick" not in text
    assert "&lt;i&gt;&amp;" in text


def test_the_page_begins_with_the_answer_and_says_that_it_is_synthetic(page: str) -> None:
    body = page.split("<body>")[1]
    assert body.index("SYNTHETIC") < body.index('class="answer') < body.index("What was measured")


def test_the_same_input_gives_the_same_page(page: str) -> None:
    assert render(SMALL, language="en", rounds=ROUNDS) == page


def test_fingers_without_searches_are_judged_by_single_comparisons(page: str) -> None:
    finger = SMALL.measurements[1]
    searching = replace(finger, thresholds=(in_force(use=ThresholdUse.IDENTIFY, threshold=4.5, target=0.01),))
    found = figures(searching, seed=1, rounds=ROUNDS).at[0]
    assert found.fpir is None
    assert found.computed_fpir is not None
    assert found.verdict.answer is Answer.NOT_SHOWN


def test_a_measurement_without_a_threshold_gets_no_verdict() -> None:
    bare = replace(SMALL.measurements[1], thresholds=())
    text = render(replace(SMALL, measurements=(bare,)), language="en", rounds=20)
    assert "No threshold to judge" in text


def test_a_transfer_table_names_every_folder() -> None:
    carried = {"threshold": 3.1, "fmr": {"here": 0.001, "there": 0.002}, "fnmr": {"here": 0.01, "there": None}}
    text = render(
        replace(SMALL, measurements=(replace(SMALL.measurements[1], transfer=carried),)), language="en", rounds=20
    )
    assert re.search(r"there</th><td>0.2\u00a0%</td><td>not measured", text)


def test_only_comparisons_of_one_person_cannot_be_reported() -> None:
    whole = compared(4)
    own = replace(whole, scores=whole.genuine, first=whole.first[whole.mated], second=whole.second[whole.mated])
    with pytest.raises(InputError, match="different people"):
        figures(replace(SMALL.measurements[1], comparisons=own), seed=1)


def test_an_unwritable_place_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_report(tmp_path / "nowhere" / "report.html", SMALL, language="en", rounds=20)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="zh_CN or en"):
        write_report(tmp_path / "report.html", SMALL, language="de")


@pytest.mark.parametrize(
    "rate, shown",
    [(0.0, "0"), (0.123, "12.3"), (0.0999, "10"), (0.00153, "0.15"), (5.06e-6, "0.00051"), (1.0, "100"), (0.02, "2")],
)
def test_a_rate_keeps_digits_that_count_and_is_never_rounded_to_nothing(rate: float, shown: str) -> None:
    assert Words("en").percent(rate) == f"{shown}\u00a0%"
    assert Words("zh_CN").percent(rate) == f"{shown}%"


def test_one_in_is_rounded_to_two_digits() -> None:
    assert Words("en").one_in(0.00111) == "1 in 900"
    assert Words("en").one_in(1 / 31.4) == "1 in 31"
    assert Words("en").one_in(0.0) == "never"


def test_ticks_are_round_and_inside_the_axis() -> None:
    assert Axis(0.0, 0.53, "", str).ticks() == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert Axis(1e-5, 1.0, "", str, logarithmic=True).ticks() == pytest.approx([1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1])
    assert np.diff(Axis(-4.8, 12.2, "", str).ticks()).round(9).tolist() == [5.0, 5.0]


def test_labels_of_thresholds_close_together_stand_in_rows_of_their_own() -> None:
    near = (in_force(threshold=11.0), in_force(threshold=11.2, use=ThresholdUse.IDENTIFY, target=0.01))
    found = figures(replace(SMALL.measurements[0], thresholds=near), seed=1, rounds=20)
    drawn = histogram_chart(found, Words("en"))
    heights = re.findall(r'y="([0-9.]+)"[^>]*>1:[1N] (?:comparison|search): ', drawn)
    assert len(set(heights)) == 2
