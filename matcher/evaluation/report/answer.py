"""The head of the page: is this threshold safe? Owns the first screen a reader sees; refuses what is below."""

from __future__ import annotations

import math
from html import escape

from matcher.evaluation.intervals import Interval
from matcher.evaluation.measured import ThresholdUse
from matcher.evaluation.report.charts import interval_chart
from matcher.evaluation.report.figures import Figures, ThresholdFigures
from matcher.evaluation.report.markup import figure, paragraph
from matcher.evaluation.report.verdict import Reason, worst
from matcher.evaluation.report.words import Words


def answer(found: Figures, words: Words) -> str:
    """The answer, its reasons and what to do, for one measurement; then the picture of what is tolerated."""
    overall = worst([item.verdict for item in found.at])
    kind = overall.answer.value
    parts = [f"<strong>{escape(words(f'answer_{kind}'))}</strong>\n"]
    if not found.at:
        parts.append(paragraph(words("reason_no_threshold")))
    for item in found.at:
        parts.append(_reason(found, item, words))
    parts.append(paragraph(words(f"todo_{kind}")))
    box = f'<div class="answer {kind}">\n{"".join(parts)}</div>\n'
    judged = [(_label(item, words), item.verdict.judged, item.threshold.tolerated) for item in found.at]
    drawn: list[tuple[str, Interval, float]] = [(label, one, rate) for label, one, rate in judged if one is not None]
    return box + (figure(interval_chart(drawn, words), words("interval_note")) if drawn else "")


def _label(item: ThresholdFigures, words: Words) -> str:
    score = words.score(item.threshold.threshold)
    return words("threshold_row", use=words(f"use_{item.threshold.use.value}"), score=score)


def _reason(found: Figures, item: ThresholdFigures, words: Words) -> str:
    """Two sentences on one threshold, then how many people it would take or where the limit would be met."""
    judged = item.verdict.judged
    if judged is None:
        return paragraph(_label(item, words)) + paragraph(words("reason_not_measured"))
    sentence = words(
        f"reason_{item.verdict.reason.value}",
        what=words(f"what_{item.threshold.use.value}"),
        rate=words.percent(judged.rate),
        low=words.percent(judged.low),
        high=words.percent(judged.high),
        tolerated=words.percent(item.threshold.tolerated),
    )
    short = words(f"answer_{item.verdict.answer.value}")
    told = f"<p><b>{escape(words('judged_row', row=_label(item, words), answer=short))}</b><br>{escape(sentence)}</p>\n"
    if item.verdict.reason is Reason.TOO_FEW:
        of_two = 2 if item.threshold.use is ThresholdUse.VERIFY else 1
        people = words.count(math.ceil(3 * of_two / item.threshold.tolerated))
        told += paragraph(
            words(
                f"needed_{item.threshold.use.value}", people=people, tolerated=words.percent(item.threshold.tolerated)
            ),
            small=True,
        )
    return told + _alternative(found, item, words)


def _alternative(found: Figures, item: ThresholdFigures, words: Words) -> str:
    """The lowest threshold of the curve whose limit would be tolerated, where the one in force has been refuted."""
    if item.verdict.reason not in (Reason.ABOVE, Reason.HIGH) or item.threshold.use is not ThresholdUse.VERIFY:
        return ""
    for at, one in enumerate(found.det.fmr):
        if found.det.thresholds[at] > item.threshold.threshold and one.high <= item.threshold.tolerated:
            score, fnmr = words.score(float(found.det.thresholds[at])), words.percent(found.det.fnmr[at].rate)
            return paragraph(words("alternative", score=score, fnmr=fnmr), small=True)
    return ""
