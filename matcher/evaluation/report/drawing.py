"""A frame with two axes as inline SVG text. Owns pixels, ticks and escaping; refuses to know what is drawn.

Everything is told apart by dash, hatch and marker as well as by gray, so a page printed in black and white says the
same. Only presentation attributes are used, never a style attribute or a script: a strict content security policy
lets the picture through.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 20, 34, 56
INK, FAINT, BAND = "#111", "#c8c8c8", "#dcdcdc"
DASHES = {"solid": "", "dashed": "8 4", "dotted": "2 4"}

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis: its limits in the figures' own unit, whether it is logarithmic, its title, how ticks are written."""

    low: float
    high: float
    title: str
    shown: Callable[[float], str]
    logarithmic: bool = False
    ticked: bool = True

    def place(self, value: float) -> float:
        """Where a value lies: 0 at the low end, 1 at the high end; values beyond are drawn at the end."""
        clipped = min(max(value, self.low), self.high)
        if self.logarithmic:
            return math.log(clipped / self.low) / math.log(self.high / self.low)
        return (clipped - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Round values inside the limits: powers of ten, or about six even steps; none on an axis of mere rows."""
        if not self.ticked:
            return []
        if self.logarithmic:
            powers = range(math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9) + 1)
            return [10.0**power for power in powers]
        rough = (self.high - self.low) / 6
        base = 10.0 ** math.floor(math.log10(rough))
        step = next(base * factor for factor in (1, 2, 2.5, 5, 10) if base * factor >= rough)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [at * step for at in range(first, last + 1)]


class Frame:
    """A picture with two axes to which marks are added; ``svg`` is the whole, with ``title`` for screen readers."""

    def __init__(self, title: str, horizontal: Axis, *, vertical: Axis, height: int = HEIGHT) -> None:
        self._title, self._x, self._y, self._height = title, horizontal, vertical, height
        self._marks: list[str] = []
        self._legend: list[tuple[str, str]] = []

    def x(self, value: float) -> float:
        """The pixel of a value on the horizontal axis."""
        return round(_LEFT + self._x.place(value) * (WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: float) -> float:
        """The pixel of a value on the vertical axis."""
        return round(self._height - _BOTTOM - self._y.place(value) * (self._height - _TOP - _BOTTOM), 1)

    def line(self, points: Points, *, dash: str = "solid", label: str = "", width: float = 2) -> None:
        """A line through ``points`` in order."""
        stroke = _stroke(dash, width)
        self._marks.append(f'<polyline points="{self._path(points)}" fill="none" {stroke}/>')
        if label:
            self._legend.append((f'<line x1="0" y1="0" x2="30" y2="0" {stroke}/>', label))

    def band(self, lower: Points, upper: Points, *, label: str = "") -> None:
        """The gray area between two lines."""
        path = self._path([*lower, *reversed(upper)])
        self._marks.append(f'<polygon points="{path}" fill="{BAND}" stroke="none"/>')
        if label:
            self._legend.append((f'<rect x="0" y="-6" width="30" height="12" fill="{BAND}"/>', label))

    def area(self, points: Points, *, fill: str, dash: str, label: str) -> None:
        """The area between a line and the bottom, filled with a hatch or gray, so that two areas can overlap."""
        ends = [(points[0][0], self._y.low), *points, (points[-1][0], self._y.low)]
        self._marks.append(f'<polygon points="{self._path(ends)}" fill="{fill}" {_stroke(dash, 1.6)}/>')
        swatch = f'<rect x="0" y="-7" width="30" height="14" fill="{fill}" {_stroke(dash, 1.6)}/>'
        self._legend.append((swatch, label))

    def upright(self, value: float, label: str, *, row: int = 0, leftward: bool = False) -> None:
        """A line from bottom to top at a value, with its label beside it; ``row`` moves labels that would overlap."""
        at = self.x(value)
        top = _TOP + 16 * row
        bottom = self._height - _BOTTOM
        self._marks.append(f'<line x1="{at}" y1="{_TOP}" x2="{at}" y2="{bottom}" {_stroke("solid", 2)}/>')
        right = at < WIDTH * 0.75 and not leftward
        anchor = "start" if right else "end"
        self._marks.append(_text(at + (6 if right else -6), top + 12, label, anchor=anchor, halo=True))

    def marker(self, x: float, y: float, label: str = "", *, hollow: bool = False, square: bool = False) -> None:
        """A dot or a square, with an optional label beside it."""
        at, height = self.x(x), self.y(y)
        paint = f'fill="{"#fff" if hollow else INK}" stroke="{INK}" stroke-width="1.6"'
        if square:
            self._marks.append(f'<rect x="{at - 4.5}" y="{height - 4.5}" width="9" height="9" {paint}/>')
        else:
            self._marks.append(f'<circle cx="{at}" cy="{height}" r="5" {paint}/>')
        if label:
            right = at < WIDTH * 0.6
            anchor = "start" if right else "end"
            self._marks.append(_text(at + (9 if right else -9), height - 8, label, anchor=anchor, halo=True))

    def whisker(self, x: float, low: float, high: float) -> None:
        """An interval as an upright line with feet."""
        at, bottom, top = self.x(x), self.y(low), self.y(high)
        path = f"M{at} {bottom}V{top}M{at - 5} {top}h10M{at - 5} {bottom}h10"
        self._marks.append(f'<path d="{path}" fill="none" {_stroke("solid", 1.4)}/>')

    def level(self, low: float, high: float, row: float) -> None:
        """An interval as a level bar with feet, thick enough to be the picture's subject."""
        left, right, at = self.x(low), self.x(high), self.y(row)
        self._marks.append(
            f'<path d="M{left} {at}H{right}M{left} {at - 7}v14M{right} {at - 7}v14" fill="none" {_stroke("solid", 3)}/>'
        )

    def limit(self, value: float, row: float, label: str) -> None:
        """A dashed upright mark through one row, labelled below it."""
        at, middle = self.x(value), self.y(row)
        self._marks.append(f'<line x1="{at}" y1="{middle - 16}" x2="{at}" y2="{middle + 16}" {_stroke("dashed", 2)}/>')
        right = at < WIDTH * 0.6
        anchor = "start" if right else "end"
        self._marks.append(_text(at + (6 if right else -6), middle + 20, label, anchor=anchor, halo=True))

    def caption(self, row: float, label: str) -> None:
        """Words above a row, from the left edge on."""
        self._marks.append(_text(_LEFT + 8, self.y(row) - 20, label, halo=True))

    def svg(self) -> str:
        """The picture: an ``svg`` element that takes the width it is given."""
        legend_rows = (len(self._legend) + 1) // 2
        whole = self._height + 22 * legend_rows
        parts = [self._grid(), *self._marks, self._axes(), self._legend_drawn()]
        return (
            f'<svg viewBox="0 0 {WIDTH} {whole}" role="img" aria-label="{escape(self._title)}">'
            f"<title>{escape(self._title)}</title>{HATCHES}{''.join(parts)}</svg>"
        )

    def _path(self, points: Iterable[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(x)},{self.y(y)}" for x, y in points)

    def _grid(self) -> str:
        bottom, right = self._height - _BOTTOM, WIDTH - _RIGHT
        upright = "".join(f"M{self.x(tick)} {_TOP}V{bottom}" for tick in self._x.ticks())
        level = "".join(f"M{_LEFT} {self.y(tick)}H{right}" for tick in self._y.ticks())
        return f'<path d="{upright}{level}" stroke="{FAINT}" stroke-width="0.7" fill="none"/>'

    def _axes(self) -> str:
        bottom, right = self._height - _BOTTOM, WIDTH - _RIGHT
        parts = [f'<path d="M{_LEFT} {_TOP}V{bottom}H{right}" fill="none" {_stroke("solid", 1.4)}/>']
        parts += [_text(self.x(tick), bottom + 21, self._x.shown(tick), anchor="middle") for tick in self._x.ticks()]
        parts += [_text(_LEFT - 8, self.y(tick) + 4, self._y.shown(tick), anchor="end") for tick in self._y.ticks()]
        parts.append(_text((_LEFT + right) / 2, bottom + 45, self._x.title, anchor="middle"))
        parts.append(_text(_LEFT - 72, _TOP - 16, self._y.title, anchor="start"))
        return "".join(parts)

    def _legend_drawn(self) -> str:
        parts = []
        for at, (swatch, label) in enumerate(self._legend):
            x, y = _LEFT + (at % 2) * (WIDTH - _LEFT) // 2, self._height + 8 + 22 * (at // 2)
            parts.append(f'<g transform="translate({x} {y})">{swatch}{_text(38, 4, label)}</g>')
        return "".join(parts)


HATCHES = (
    '<defs><pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    f'<line x1="0" y1="0" x2="0" y2="6" stroke="{INK}" stroke-width="1"/></pattern></defs>'
)
HATCHED = "url(#hatch)"


def _stroke(dash: str, width: float) -> str:
    pattern = f' stroke-dasharray="{DASHES[dash]}"' if DASHES[dash] else ""
    return f'stroke="{INK}" stroke-width="{width}"{pattern}'


def _text(x: float, y: float, words: str, *, anchor: str = "start", halo: bool = False) -> str:
    edge = ' stroke="#fff" stroke-width="4" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="13" text-anchor="{anchor}" fill="{INK}"{edge}>{escape(words)}</text>'
    )
