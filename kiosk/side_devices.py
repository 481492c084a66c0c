"""The devices that a visit can do without: the card reader and the receipt printer. Owns their threads; refuses rules.

They are made early, so that a mistyped driver is told at the start, and started late, once there are keys.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hardware.drivers import make_card_reader, make_printer
from hardware.ports import CardReader, ReceiptPrinter, Slip
from kiosk.card import CardWorker
from kiosk.checkin import CheckInResult
from kiosk.config import KioskConfig
from kiosk.devices import DeviceThread
from kiosk.receipt import ReceiptDesk, ReceiptStyle
from kiosk.screen import Screen
from models.id_card import card_key

_SETTLE_S = 2.0


class SideDevices:
    """``card`` and ``receipts`` are None where the site has none."""

    def __init__(self, reader: CardReader | None, printer: ReceiptPrinter | None) -> None:
        self.card: CardWorker | None = None
        self.receipts: ReceiptDesk | None = None
        self._reader = reader
        self._printer = printer
        self._screen: Screen | None = None

    @classmethod
    def made(cls, config: KioskConfig, *, reader: CardReader | None, printer: ReceiptPrinter | None) -> Self:
        """As configured, unless handed in. Raises ConfigurationError for a driver or an option that there is not."""
        if reader is None and config.card.driver != "disabled":
            reader = make_card_reader(config.card.driver, **config.card.options)
        if printer is None and config.receipt.driver != "disabled":
            printer = make_printer(config.receipt.driver, **config.receipt.options)
        return cls(reader, printer)

    def start(
        self, closing: ExitStack, screen: Screen, config: KioskConfig, *, site_key: bytes, signing: Ed25519PrivateKey
    ) -> None:
        """Start a thread for each; ``closing`` ends them."""
        self._screen = screen
        if self._reader is not None:
            self.card = CardWorker(
                self._reader,
                key=card_key(site_key),
                note=screen.note_device,
                wanted=lambda: screen.waits_for_card,
                claim=screen.card_claim,
                hint=screen.hint_card,
            )
        if self._printer is not None:
            style = ReceiptStyle(config.receipt.title, config.panel.language, config.panel.timezone)
            self.receipts = ReceiptDesk(
                self._printer,
                note=screen.note_device,
                key=signing,
                style=style,
                simulated=lambda: screen.state().simulated,
            )
        for thread in self.threads:
            thread.start()
            closing.callback(thread.stop)
        for thread in self.threads:
            thread.settle(_SETTLE_S)
        if any(thread.info().simulated for thread in self.threads):
            screen.note_simulated()

    @property
    def threads(self) -> tuple[DeviceThread, ...]:
        """Those that there are."""
        return tuple(thread for thread in (self.card, self.receipts) if thread is not None)

    def print_slip(self, slip: Slip) -> bool:
        """Have a slip of staff's printed; False if there is no printer or it does not work now."""
        return self.receipts is not None and self.receipts.print_slip(slip)

    def told(self, result: CheckInResult) -> None:
        """Print what the person takes home; the next date is the one that the screen shows."""
        if self.receipts is None or self._screen is None:
            return
        shown = self._screen.state().result
        same = shown is not None and shown.receipt == result.receipt
        self.receipts.print(result, next_due=shown.next_due if shown is not None and same else None)
