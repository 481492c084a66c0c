"""Cost against size as one SVG picture that stands alone. Owns the axes and the marks; measures nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

_WIDTH: Final = 640
_HEIGHT: Final = 300  # of one panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 78, 24, 44, 52
_INK, _PALE = "#1f2933", "#d5dbe1"
_LINES: Final = (("#0b6bcb", ""), ("#b7410e", "6 4"))

_Line = tuple[str, list[tuple[float, float]]]


def curve_svg(report: Mapping[str, Any]) -> str:
    """Two panels, both axes logarithmic: a search in milliseconds, then memory in MB, against references held.

    ``report`` is ``evaluate_scale``'s, with or without its curve.
    """
    points = list(report.get("curve") or [report])
    searches: list[_Line] = [
        ("median", [(point["gallery"], point["search_ms"]["median"]) for point in points]),
        ("95th percentile", [(point["gallery"], point["search_ms"]["p95"]) for point in points]),
    ]
    memory: list[_Line] = [("", [(at["gallery"], at["memory_mb"]) for at in points if at["memory_mb"] is not None])]
    title = f"One search among {report['modality']}s, one core (simulated)"
    panels = _panel(title, "ms a search", searches, 0) + _panel("Resident memory (simulated)", "MB", memory, _HEIGHT)
    size = f'viewBox="0 0 {_WIDTH} {2 * _HEIGHT}" width="{_WIDTH}" height="{2 * _HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13" fill="{_INK}">'
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{2 * _HEIGHT}" fill="white"/>', *panels, "</svg>", ""])


def _panel(title: str, unit: str, lines: Sequence[_Line], top: int) -> list[str]:
    places = [point for _, line in lines for point in line if point[1] > 0]
    across, up = _decades([x for x, _ in places]), _decades([y for _, y in places])
    bottom, right = top + _HEIGHT - _BOTTOM, _WIDTH - _RIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            _LEFT + (right - _LEFT) * (math.log10(x) - across[0]) / (across[-1] - across[0]),
            bottom - (bottom - top - _TOP) * (math.log10(y) - up[0]) / (up[-1] - up[0]),
        )

    drawn = [_text(_LEFT, top + 22, title, "start", bold=True), _text(right, bottom + 40, "references held", "end")]
    drawn.append(_text(_LEFT, top + 38, unit, "end"))
    for power in across:
        x = place(10.0**power, 10.0 ** up[0])[0]
        drawn += [_stroke(x, top + _TOP, x, bottom), _text(x, bottom + 20, f"{10**power:,}", "middle")]
    for power in up:
        y = place(10.0 ** across[0], 10.0**power)[1]
        drawn += [_stroke(_LEFT, y, right, y), _text(_LEFT - 8, y + 4, f"{10.0**power:g}", "end")]
    for (name, line), (color, dash) in zip(lines, _LINES, strict=False):
        seen = [place(x, y) for x, y in line if y > 0]
        drawn += _line(name, seen, color, dash)
    return drawn


def _line(name: str, seen: Sequence[tuple[float, float]], color: str, dash: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in seen)
    drawn = [f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="2" stroke-dasharray="{dash}"/>']
    drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{color}"/>' for x, y in seen]
    if name and seen:
        above = -8 if dash else 18
        drawn.append(_text(seen[-1][0], seen[-1][1] + above, name, "end", color=color))
    return drawn


def _decades(values: Sequence[float]) -> list[int]:
    """Powers of ten from just below the smallest to just above the largest, two at least."""
    low = math.floor(math.log10(min(values, default=1.0)) + 1e-9)
    high = math.ceil(math.log10(max(values, default=10.0)) - 1e-9)
    return list(range(low, max(high, low + 1) + 1))


def _stroke(x: float, y: float, to_x: float, to_y: float) -> str:
    return f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" stroke="{_PALE}"/>'


def _text(x: float, y: float, text: str, anchor: str, *, bold: bool = False, color: str = _INK) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}"{weight}>{escape(text)}</text>'
