"""Driver of ESC/POS slip printers on top of python-escpos. Implements ``hardware.ports.ReceiptPrinter``.

Owns the slip's look, Chinese text (as GB18030 in the printer's own font, or drawn here and sent as a picture) and what
a status byte means. python-escpos knows the connections and the commands of letters; its exceptions end here.
"""

from __future__ import annotations

import struct
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, Self

from PIL import Image, ImageOps

from hardware.drivers.printer_lines import Line, make_line
from hardware.drivers.slip_pictures import SlipFont, symbol_picture
from hardware.ports import DeviceInfo, Slip
from models.errors import ConfigurationError, DeviceError, DeviceTimeout, DeviceUnplugged

CHINESE_FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"  # Debian's fonts-noto-cjk

_WIDTHS_PX = range(256, 1025)
_SYMBOL_SHARE = 0.72  # of the paper's width
_CHINESE_ON, _CHINESE_OFF = b"\x1c&", b"\x1c."  # FS & and FS . choose and leave two-byte characters
_STRIP_PX = 128
_INIT = b"\x1b@"
_OFFLINE, _ROLL = 2, 4  # n of DLE EOT n
_COVER_OPEN, _FAILED, _PAPER_END = 0x04, 0x40, 0x20
_ROLL_END = 0x60
_FIXED_BITS, _FIXED_VALUE = 0x93, 0x12  # of every status byte


class EscPosPrinter:
    """A printer behind a ``connection``, at an ``address`` of its sort: ``usb`` ("04b8:0e15", as lsusb shows it),
    ``network`` ("192.168.1.20" or "192.168.1.20:9100"), ``file`` ("/dev/usb/lp0"; it cannot say how it is), or
    ``dummy``, which keeps what was printed.

    ``text``: ``gb18030`` for a printer with a Chinese font, ``raster`` for one without; then ``font`` is drawn here.
    ``width_px``: 576 for paper of 80 mm, 384 for 58 mm.
    """

    driver = "escpos"

    def __init__(
        self,
        connection: str = "usb",
        *,
        address: str = "",
        width_px: int = 576,
        text: Literal["gb18030", "raster"] = "gb18030",
        font: str = CHINESE_FONT,
        timeout_s: float = 2.0,
    ) -> None:
        if text not in ("gb18030", "raster"):
            raise ConfigurationError(f"A receipt's text is sent as gb18030 or as raster, not as {text!r}.")
        if width_px not in _WIDTHS_PX:
            raise ConfigurationError(f"A receipt is 256 to 1024 dots wide, usually 576 or 384, not {width_px}.")
        self._line: Line = make_line(connection, address, timeout_s=timeout_s)
        self._width_px = width_px
        self._drawn = SlipFont(font) if text == "raster" else None
        self._answers = False  # whether it has said how it is since it was opened

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def printed(self) -> bytes:
        """What a ``dummy`` printer was sent; empty for any other."""
        return self._line.printed

    def open(self) -> None:
        """Connect; a printer that is open is left alone."""
        self._line.open()

    def close(self) -> None:
        """Disconnect; closing twice does nothing."""
        self._answers = False
        self._line.close()

    def info(self) -> DeviceInfo:
        """Where the printer is."""
        return DeviceInfo(self._line.name, "receipt_printer", self.driver, "ESC/POS receipt printer", self._line.dummy)

    def check(self) -> None:
        """Ask for the cause of being offline and for the paper sensor (DLE EOT 2 and 4).

        A printer that has answered once must go on answering; one that never does is taken to be well.
        """
        with self._translated():
            offline = self._status(_OFFLINE)
            roll = self._status(_ROLL) if offline is not None or not self._answers else None
        if offline is None and self._answers:
            raise DeviceTimeout("The receipt printer does not answer any more.")
        if offline is not None and offline & _COVER_OPEN:
            raise DeviceError("The receipt printer's cover is open.", code="cover_open")
        if (offline is not None and offline & _PAPER_END) or (roll is not None and roll & _ROLL_END):
            raise DeviceError("The receipt printer has no paper.", code="paper_out")
        if offline is not None and offline & _FAILED:
            raise DeviceError("The receipt printer reports a fault of its own.", code="printer_failed")
        self._answers = offline is not None

    def print(self, slip: Slip) -> None:
        """Print and cut; asks before the first line and after the last whether there is paper."""
        self.check()
        with self._translated():
            self._line.send(_INIT)
            if self._drawn is not None:
                self._picture(self._drawn.top(slip, width_px=self._width_px))
            else:
                self._letters([slip.title], double=True, centered=True)
                self._letters(["", *slip.lines])
            if slip.symbol:
                self._picture(symbol_picture(slip.symbol, width_px=self._width_px, share=_SYMBOL_SHARE))
            if self._drawn is not None:
                self._picture(self._drawn.foot(slip, width_px=self._width_px))
            else:
                self._letters(slip.foot, centered=True)
            self._line.printer.cut()
        self.check()

    def _letters(self, lines: list[str] | tuple[str, ...], *, double: bool = False, centered: bool = False) -> None:
        """Lines in the printer's own font."""
        size = 2 if double else 1
        self._line.printer.set(
            align="center" if centered else "left", bold=double, custom_size=True, width=size, height=size
        )
        self._line.send(_CHINESE_ON + b"".join(plain(line).encode("gb18030") + b"\n" for line in lines) + _CHINESE_OFF)

    def _picture(self, picture: Image.Image | None) -> None:
        if picture is not None:
            self._line.send(raster(picture))

    def _status(self, which: int) -> int | None:
        """A status byte, None if the printer does not answer."""
        answer = self._line.ask(b"\x10\x04" + bytes([which]))
        known = [byte for byte in answer if byte & _FIXED_BITS == _FIXED_VALUE]
        return known[-1] if known else None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """A connection that breaks is a DeviceUnplugged, whatever the library calls it."""
        try:
            yield
        except (OSError, AssertionError, ValueError, self._line.library_error) as error:  # pyusb: an endpoint it lacks
            raise DeviceUnplugged(f"The receipt printer at {self._line.name} went away.") from error


def raster(picture: Image.Image) -> bytes:
    """A picture as GS v 0, in strips that a small buffer holds; the library's own way talks to standard output."""
    dots = ImageOps.invert(picture.convert("L")).convert("1")
    content, across = b"", (dots.width + 7) // 8
    for top in range(0, dots.height, _STRIP_PX):
        strip = dots.crop((0, top, dots.width, min(top + _STRIP_PX, dots.height)))
        content += b"\x1dv0\0" + struct.pack("<HH", across, strip.height) + strip.tobytes()
    return content


def plain(text: str) -> str:
    """The text without control characters: nothing in it can command a printer."""
    return "".join(letter for letter in text if not unicodedata.category(letter).startswith("C"))
