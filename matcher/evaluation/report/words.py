"""The page's words and numbers in one language. Owns how a rate is written; refuses to know what it means."""

from __future__ import annotations

import math
from collections.abc import Mapping

from matcher.evaluation.report.texts_en import ENGLISH
from matcher.evaluation.report.texts_zh import CHINESE
from models.errors import InputError

TEXTS: Mapping[str, Mapping[str, str]] = {"zh_CN": CHINESE, "en": ENGLISH}
LANGUAGES = tuple(TEXTS)


class Words:
    """Look up a text by key, filling in its values: ``words("people", count=30)``. Raises InputError for a language."""

    def __init__(self, language: str) -> None:
        if language not in TEXTS:
            raise InputError(f"The report is written in {' or '.join(LANGUAGES)}, not in {language!r}.")
        self.language = language
        self._texts = TEXTS[language]

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key."""
        return self._texts[key].format(**values)

    def has(self, key: str) -> bool:
        """Whether there is a text for a key, such as one for a group's name."""
        return key in self._texts

    def percent(self, rate: float) -> str:
        """A fraction as a percentage with two or three digits that count, never as 0 when it is not."""
        if math.isnan(rate):
            return self("not_measured")
        value = 100 * rate
        if value == 0 or value >= 10:
            shown = f"{value:.1f}".removesuffix(".0")
        else:
            places = 1 - math.floor(math.log10(value))
            shown = f"{value:.{places}f}"
            shown = shown.rstrip("0").rstrip(".") if "." in shown else shown
        return f"{shown}%" if self.language == "zh_CN" else f"{shown}\u00a0%"

    def one_in(self, rate: float) -> str:
        """A fraction as "1 in N", rounded to two digits."""
        if not rate > 0:
            return self("never")
        number = 1 / rate
        digits = max(0, math.floor(math.log10(number)) - 1)
        return self("one_in", number=self.count(round(number / 10**digits) * 10**digits))

    def count(self, number: float) -> str:
        """A whole number with separators."""
        return f"{round(number):,}"

    def score(self, value: float) -> str:
        """A comparison score or threshold with three digits that count."""
        return f"{value:.3g}"

    def interval(self, low: float, high: float) -> str:
        """Two limits as a range."""
        return self("range", low=self.percent(low), high=self.percent(high))
