"""The inside of a simulated identity card reader: the card that lies on it, and what it answers. Refuses lines.

The people on its cards are invented, and where a photo and fingerprints would follow there are bytes that spell
"simulated".
"""

from __future__ import annotations

from datetime import date

from hardware.ports import CardKind, CardText
from hardware.sam_v.codes import FINGERS_BYTES, PHOTO_BYTES, TEXT_BYTES, Order, Status, encode_text, simulated_sam_id
from hardware.sam_v.frame import encode_answer
from models.id_card import check_character

_PLACE_OF_NOBODY = "999999"  # no district has this code


def invented_card(serial: int, *, kind: CardKind = CardKind.CITIZEN, valid_until: date | None = None) -> CardText:
    """The card of somebody who does not exist: a district that is none, a name that says so, a check that fits."""
    birth = date(1960, 1, 1 + serial % 28)
    body = f"{_PLACE_OF_NOBODY}{birth:%Y%m%d}{serial % 1000:03d}"
    number = f"SIM{serial:012d}" if kind is CardKind.FOREIGNER_2017 else body + check_character(body)
    citizen = kind in (CardKind.CITIZEN, CardKind.RESIDENCE)
    return CardText(
        kind=kind,
        number=number,
        name=f"模拟{serial}号" if citizen else f"SIMULATED, {serial}",
        sex="1" if serial % 2 else "2",
        nation="01" if citizen else "",
        birth_date=birth,
        address="模拟省模拟县模拟路1号" if citizen else "",
        issuer="模拟县公安局" if citizen else "",
        valid_from=date(2020, 1, 1),
        valid_until=valid_until,
    )


class SamVModule:
    """Like a real module this one finds a card once: after it was read it is found again only when it was lifted."""

    def __init__(self) -> None:
        self.orders: list[str] = []  # the names of what was asked, for whoever wants to know
        self.moving = False  # whether every card is taken away while it is read
        self._card: CardText | None = None
        self._found = self._selected = self._read = False

    def power_cycle(self) -> None:
        """Forget what was found and selected."""
        self._found = self._selected = False

    def lay(self, card: CardText | None) -> None:
        """Lay a card on, or lift it."""
        self._card = card
        self._found = self._selected = self._read = False

    def answer(self, order: bytes | None) -> bytes:
        """The frame that answers an order; None is an order that arrived damaged."""
        if order is None:
            return encode_answer(Status.DAMAGED)
        known = {each.value: each for each in Order}.get(order[:2])
        self.orders.append(known.name if known is not None else order.hex())
        if known is Order.STATUS:
            return encode_answer(Status.OK)
        if known is Order.SAM_ID:
            return encode_answer(Status.OK, simulated_sam_id())
        if known in (Order.FIND, Order.SELECT):
            return self._approach(known)
        if known in (Order.READ, Order.READ_WITH_FINGERS):
            return self._content(fingers=known is Order.READ_WITH_FINGERS)
        return encode_answer(Status.UNKNOWN_COMMAND)

    def _approach(self, order: Order | None) -> bytes:
        """Finding and selecting, in this order and once for each time that the card is laid on."""
        if order is Order.FIND:
            self._found = self._card is not None and not self._read
            return encode_answer(Status.FOUND, bytes(4)) if self._found else encode_answer(Status.NO_CARD)
        self._selected = self._found and self._card is not None
        return encode_answer(Status.OK, bytes(8)) if self._selected else encode_answer(Status.SELECT_FAILED)

    def _content(self, *, fingers: bool) -> bytes:
        card = self._card
        if card is None or not self._selected or self.moving:
            self._found = self._selected = False
            return encode_answer(Status.READ_FAILED)
        self._read, self._found, self._selected = True, False, False
        blocks = [_simulated(PHOTO_BYTES)] + ([_simulated(FINGERS_BYTES)] if fingers else [])
        sizes = b"".join(size.to_bytes(2, "big") for size in (TEXT_BYTES, *map(len, blocks)))
        return encode_answer(Status.OK, sizes + encode_text(card) + b"".join(blocks))


def _simulated(size: int) -> bytes:
    """What stands in the place of a photo or of fingerprints."""
    return (b"simulated " * (size // 10 + 1))[:size]
