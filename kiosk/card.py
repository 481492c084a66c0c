"""The identity card at the kiosk: a thread that reads a card and claims with its digest. Refuses to keep what it read.

A card is read only while the screen waits for somebody. Its number becomes a digest in the line after it was read, and
nothing else of the card is looked at.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from hardware.ports import CardReader
from kiosk.devices import HEARTBEAT_S, DeviceThread, NoteDevice
from models.errors import CaptureRetry, InputError
from models.id_card import digest

log = structlog.get_logger("kiosk.card")

_WAIT_S = 0.6  # for a card, before it is asked again whether one is wanted
_REST_S = 0.2
UNUSABLE = "unusable"  # in the place of a digest: nobody's card, so the person is asked for the number


class CardWorker(DeviceThread):
    """Reads cards while ``wanted``; hands each one's digest to ``claim``. ``hint`` is told what to do better."""

    def __init__(
        self,
        reader: CardReader,
        *,
        key: bytes,
        note: NoteDevice,
        wanted: Callable[[], bool],
        claim: Callable[[str], None],
        hint: Callable[[str], None],
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        super().__init__("card", reader, note=note)
        self._reader = reader
        self._key = key
        self._wanted = wanted
        self._claim = claim
        self._hint = hint
        self._heartbeat_s = heartbeat_s

    def prove(self) -> None:
        """A reader that answers."""
        self._reader.check()

    def serve(self) -> None:
        """Until the reader fails: read while a card is wanted, otherwise ask now and then whether it is still there."""
        idle_s = 0.0
        while not self._stopping.is_set():
            self.pulse.beat()
            if self._wanted():
                self._read_once()
                idle_s = 0.0
                continue
            self._stopping.wait(_REST_S)
            idle_s += _REST_S
            if idle_s >= self._heartbeat_s:
                self._reader.check()
                idle_s = 0.0

    def _read_once(self) -> None:
        try:
            card = self._reader.read(timeout_s=_WAIT_S)
        except CaptureRetry as retry:
            self._hint(retry.reason.value)
            return
        if card is None or not self._wanted():  # the visit that began meanwhile has nothing to do with this card
            return
        try:
            claimed = digest(card.number, self._key)
        except InputError as error:  # a kind of card without such a number
            log.info("card_unusable", code=error.code)
            claimed = UNUSABLE
        self._claim(claimed)
