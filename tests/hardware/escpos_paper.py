"""A small interpreter of ESC/POS: turns the bytes that a printer was sent into text, pictures and a picture of paper.

Written from the command reference, beside the driver and not with it: a command that it does not know fails the test.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
CELL_PX = 24
LINE_PX = 34


@dataclass
class Paper:
    """What is on the paper: lines with their size and place, and pictures, in order; whether it was cut."""

    width_px: int = 576
    content: list[tuple[str, int, str] | Image.Image] = field(default_factory=list)  # (text, size, align) or a picture
    cut: bool = False

    @property
    def text(self) -> str:
        return "\n".join(item[0] for item in self.content if isinstance(item, tuple))

    @property
    def pictures(self) -> list[Image.Image]:
        """Pictures; strips that follow each other are one."""
        joined: list[list[Image.Image]] = []
        before: object = None
        for item in self.content:
            if isinstance(item, Image.Image):
                joined[-1].append(item) if isinstance(before, Image.Image) else joined.append([item])
            before = item
        return [stacked(strips) for strips in joined]

    def symbol(self) -> str:
        """What a scanner reads off the paper. OpenCV's older reader alone misses one sound symbol in twenty."""
        for picture in self.pictures:
            dots = cv2.copyMakeBorder(np.array(picture.convert("L")), 20, 20, 20, 20, 0, value=255)
            for reader in (cv2.QRCodeDetectorAruco(), cv2.QRCodeDetector()):
                if found := reader.detectAndDecode(dots)[0]:
                    return str(found)
        return ""

    def picture(self) -> Image.Image:
        """The paper, drawn."""
        rows = [item if isinstance(item, Image.Image) else self._row(*item) for item in self.content]
        sheet = stacked([Image.new("L", (self.width_px, 40), 255), *rows])
        framed = Image.new("L", (sheet.width + 80, sheet.height + 40), 225)
        framed.paste(sheet, (40, 0))
        return framed

    def _row(self, text: str, size: int, align: str) -> Image.Image:
        row = Image.new("L", (self.width_px, LINE_PX * size), 255)
        font = ImageFont.truetype(str(FONT), CELL_PX * size)
        left = {"left": 0.0, "center": (self.width_px - font.getlength(text)) / 2}[align]
        ImageDraw.Draw(row).text((left, -4 * size), text, font=font, fill=0)
        return row


def stacked(parts: list[Image.Image]) -> Image.Image:
    whole = Image.new("L", (max(part.width for part in parts), sum(part.height for part in parts)), 255)
    y = 0
    for part in parts:
        whole.paste(part.convert("L"), (0, y))
        y += part.height
    return whole


def interpret(content: bytes, *, width_px: int = 576) -> Paper:  # noqa: PLR0912 - a table of commands
    """Raises AssertionError for a command that it does not know."""
    paper, at, line = Paper(width_px), 0, bytearray()
    size, align, chinese = 1, "left", False
    while at < len(content):
        two, three = content[at : at + 2], content[at : at + 3]
        if two == b"\x10\x04":  # DLE EOT n: a question, not a mark
            at += 3
        elif two == b"\x1b@":
            size, align, chinese, at = 1, "left", False, at + 2
        elif two == b"\x1ba":
            align, at = ("left", "center", "right")[content[at + 2]], at + 3
        elif two == b"\x1bE":
            at += 3
        elif two == b"\x1bd":
            paper.content += [("", 1, "left")] * content[at + 2]
            at += 3
        elif two == b"\x1d!":
            size, at = (content[at + 2] & 7) + 1, at + 3
        elif two == b"\x1c&":
            chinese, at = True, at + 2
        elif two == b"\x1c.":
            chinese, at = False, at + 2
        elif three == b"\x1dv0":
            across, down = struct.unpack("<HH", content[at + 4 : at + 8])
            dots = content[at + 8 : at + 8 + across * down]
            assert len(dots) == across * down, "a picture that ends before it is whole"
            strip = Image.frombytes("1", (across * 8, down), bytes(byte ^ 0xFF for byte in dots))
            paper.content.append(strip.crop((0, 0, min(across * 8, width_px), down)))
            at += 8 + across * down
        elif two == b"\x1dV":
            paper.cut, at = True, at + (3 if content[at + 2] in (0, 1, 48, 49) else 4)
        elif content[at] == 0x0A:
            assert chinese or line.isascii(), "Chinese letters outside of the Chinese mode"
            paper.content.append((line.decode("gb18030"), size, align))
            line, at = bytearray(), at + 1
        else:
            assert content[at] >= 0x20, f"an unknown command at byte {at}: {content[at : at + 4].hex()}"
            pair = chinese and content[at] >= 0x81
            line += content[at : at + 1 + pair]
            at += 1 + pair
    assert not line, "a line that was never ended"
    return paper
