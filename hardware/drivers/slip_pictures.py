"""A slip as pictures: the QR symbol, and text for printers without a Chinese font. Owns dots; refuses printers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import segno
from PIL import Image, ImageDraw, ImageFont

from hardware.ports import Slip
from models.errors import ConfigurationError

_QUIET_MODULES = 4
_TEXT_PX, _TITLE_PX = 26, 44
_LEADING = 1.35


class SlipFont:
    """A font file, opened at once so that a wrong name is told at the start. Raises ConfigurationError."""

    def __init__(self, path: str) -> None:
        try:
            self._text = ImageFont.truetype(path, _TEXT_PX)
            self._title = ImageFont.truetype(path, _TITLE_PX)
        except OSError as error:
            raise ConfigurationError(
                f"The font {Path(path).name} cannot be read; on Debian the package fonts-noto-cjk brings one."
            ) from error

    def top(self, slip: Slip, *, width_px: int) -> Image.Image:
        """Title and lines."""
        rows = [(part, self._title, True) for part in _wrapped(slip.title, self._title, width_px)] + [
            (part, self._text, False) for line in ("", *slip.lines) for part in _wrapped(line, self._text, width_px)
        ]
        return _drawn(rows, width_px)

    def foot(self, slip: Slip, *, width_px: int) -> Image.Image | None:
        """What stands under the symbol, None if that is nothing."""
        rows = [(part, self._text, True) for line in slip.foot for part in _wrapped(line, self._text, width_px)]
        return _drawn(rows, width_px) if rows else None


def symbol_picture(content: str, *, width_px: int, share: float) -> Image.Image:
    """A QR symbol in the middle of the paper, about ``share`` of its width; every module has the same whole dots."""
    symbol = segno.make(content, error="m", micro=False)
    modules = int(symbol.symbol_size(border=_QUIET_MODULES)[0])
    dots = max(1, int(width_px * share) // modules)
    paper = Image.new("L", (width_px, modules * dots), 255)
    left = (width_px - modules * dots) // 2
    draw = ImageDraw.Draw(paper)
    for row, line in enumerate(symbol.matrix_iter(border=_QUIET_MODULES)):
        for column, dark in enumerate(line):
            if dark:
                x, y = left + column * dots, row * dots
                draw.rectangle((x, y, x + dots - 1, y + dots - 1), fill=0)
    return paper


def _wrapped(line: str, font: Any, width_px: int) -> list[str]:
    """The line in parts that fit; it breaks behind a space where there is one, Chinese anywhere."""
    parts, part = [], ""
    for letter in line:
        if part and font.getlength(part + letter) > width_px:
            whole = part.rfind(" ") + 1 or len(part)
            parts.append(part[:whole].rstrip())
            part = part[whole:]
        part += letter
    return [*parts, part]


def _drawn(rows: list[tuple[str, Any, bool]], width_px: int) -> Image.Image:
    """Rows of (text, font, centered) from top to bottom."""
    heights = [round(font.size * _LEADING) for _, font, _ in rows]
    paper = Image.new("L", (width_px, sum(heights)), 255)
    draw, y = ImageDraw.Draw(paper), 0
    for (text, font, centered), height in zip(rows, heights, strict=True):
        x = (width_px - font.getlength(text)) / 2 if centered else 0
        draw.text((x, y), text, font=font, fill=0)
        y += height
    return paper
