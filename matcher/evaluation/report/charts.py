"""The pictures of the report page. Owns which figures are drawn and how they are told apart; refuses to compute any."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from matcher.evaluation.intervals import Interval
from matcher.evaluation.report.drawing import HATCHED, Axis, Frame, Points
from matcher.evaluation.report.figures import Figures
from matcher.evaluation.report.words import Words
from matcher.evaluation.search_rates import SizedRate
from models.biometrics import Float64Array


def det_chart(found: Figures, words: Words) -> str:
    """The detection error trade-off: FNMR over FMR, both logarithmic, with limits and the thresholds in force."""
    fmr = np.array([one.rate for one in found.det.fmr])
    fnmr = np.array([one.rate for one in found.det.fnmr])
    kept = np.flatnonzero((fmr > 0) & (fnmr > 0))
    frame = Frame(
        words("det_title"),
        _rate_axis([fmr[fmr > 0].min(initial=1.0)], words("axis_fmr"), words),
        vertical=_rate_axis([fnmr[fnmr > 0].min(initial=1.0)], words("axis_fnmr"), words),
    )
    if len(kept):
        limits = [found.det.fnmr[at] for at in kept]
        lower = [(float(fmr[at]), one.low) for at, one in zip(kept, limits, strict=True)]
        upper = [(float(fmr[at]), one.high) for at, one in zip(kept, limits, strict=True)]
        frame.band(lower, upper, label=words("legend_band"))
        frame.line([(float(fmr[at]), float(fnmr[at])) for at in kept], label=words("legend_det"))
    frame.line([(1e-9, 1e-9), (1.0, 1.0)], dash="dotted", label=words("legend_equal"), width=1)
    for item in found.at:
        frame.marker(item.fmr.rate, item.fnmr.rate, words(f"use_{item.threshold.use.value}"))
    return frame.svg()


def histogram_chart(found: Figures, words: Words) -> str:
    """How often each score came up, for one person's comparisons and for different people's, with the thresholds."""
    drawn = found.histogram
    top = float(max(drawn.genuine.max(), drawn.impostor.max())) * 1.25
    frame = Frame(
        words("histogram_title"),
        Axis(float(drawn.edges[0]), float(drawn.edges[-1]), words("axis_score"), words.score),
        vertical=Axis(0.0, top, words("axis_share"), words.percent),
    )
    frame.area(_steps(drawn.edges, drawn.impostor), fill=HATCHED, dash="solid", label=words("legend_impostor"))
    frame.area(_steps(drawn.edges, drawn.genuine), fill="#bbbbbbaa", dash="dashed", label=words("legend_genuine"))
    for row, item in enumerate(sorted(found.at, key=lambda one: one.threshold.threshold)):
        label = words(
            "threshold_at", use=words(f"use_{item.threshold.use.value}"), score=words.score(item.threshold.threshold)
        )
        frame.upright(item.threshold.threshold, label, row=row, leftward=row == 0 and len(found.at) > 1)
    return frame.svg()


def size_chart(found: Figures, words: Words) -> str:
    """FPIR and FNIR against the number of people enrolled, with what was computed from single comparisons dashed."""
    curves = [*found.fpir_sizes, *found.fnir_sizes, *found.forecast]
    largest = max([one.gallery for one in curves], default=10)
    top = min(1.0, max([one.high for one in curves], default=0.1) * 1.1 or 0.1)
    frame = Frame(
        words("size_title"),
        Axis(1, max(largest, 10), words("axis_gallery"), words.count, logarithmic=True),
        vertical=Axis(0.0, max(top, 1e-4), words("axis_rate"), words.percent),
    )
    _sized(frame, found.forecast, label=words("legend_forecast"), dash="dashed", hollow=True)
    _sized(frame, found.fpir_sizes, label=words("legend_fpir"), dash="solid")
    _sized(frame, found.fnir_sizes, label=words("legend_fnir"), dash="dotted", square=True)
    return frame.svg()


def interval_chart(judged: Sequence[tuple[str, Interval, float]], words: Words) -> str:
    """Where the true rate may lie, one row per threshold: dot, whisker, and the tolerated rate as a line."""
    least = [value for _, one, tolerated in judged for value in (one.low, one.rate, tolerated) if value > 0]
    axis = _rate_axis(least, words("axis_may_lie"), words)
    rows = Axis(0, len(judged), "", lambda _: "", ticked=False)
    frame = Frame(words("interval_title"), axis, vertical=rows, height=96 + 78 * len(judged))
    for at, (label, one, tolerated) in enumerate(judged):
        row = len(judged) - at - 0.55
        frame.level(one.low, one.high, row)
        frame.marker(max(one.rate, axis.low), row, hollow=one.errors == 0)
        frame.limit(tolerated, row, words("legend_tolerated", rate=words.percent(tolerated)))
        frame.caption(row, label)
    return frame.svg()


def _sized(frame: Frame, points: Sequence[SizedRate], *, label: str, dash: str, hollow: bool = False,
           square: bool = False) -> None:  # fmt: skip
    if not points:
        return
    frame.line([(one.gallery, one.rate) for one in points], dash=dash, label=label)
    for one in points:
        frame.whisker(one.gallery, one.low, one.high)
        frame.marker(one.gallery, one.rate, hollow=hollow, square=square)


def _rate_axis(least: Sequence[float], title: str, words: Words) -> Axis:
    """A logarithmic axis from the power of ten below the least rate to everything."""
    low = 10.0 ** math.floor(math.log10(max(min(least, default=1e-3), 1e-8)) - 1e-9)
    return Axis(min(low, 0.1), 1.0, title, words.percent, logarithmic=True)


def _steps(edges: Float64Array, shares: Float64Array) -> Points:
    """The outline of a histogram's bars."""
    corners: list[tuple[float, float]] = []
    for at, share in enumerate(shares):
        corners += [(float(edges[at]), float(share)), (float(edges[at + 1]), float(share))]
    return corners
