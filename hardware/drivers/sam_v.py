"""Driver of second-generation identity card readers that speak SAM_V. Implements ``hardware.ports.CardReader``.

Owns the order find, select, read, the meaning of status words and the deadlines. Asks for text and photo, since a
module gives no text alone, and forgets the photo while it comes in; never asks for fingerprints; writes nothing down.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NoReturn, Self

from hardware.drivers.serial_port import Connect, SerialTransport, Transport
from hardware.ports import CardText, DeviceInfo
from hardware.sam_v.codes import (
    BAUD,
    BAUDS,
    SAM_ID_BYTES,
    TEXT_BYTES,
    Order,
    Status,
    decode_text,
    is_simulated,
    sam_number,
)
from hardware.sam_v.frame import SIZES_BYTES, Answer, AnswerReader, encode_order
from models.errors import (
    CaptureRetry,
    ConfigurationError,
    DeviceError,
    DeviceProtocolError,
    DeviceTimeout,
    DeviceUnplugged,
    RetryReason,
)

_BETWEEN_FINDS_S = 0.15
_SLICE_S = 0.1  # silence in the middle of an answer after which it is asked for again
_MOVED = frozenset({Status.NO_CARD, Status.SELECT_FAILED, Status.READ_FAILED, Status.CARD_NOT_PROVEN, Status.EMPTY})
_NONE: frozenset[Status] = frozenset()
_ASK_AGAIN = {Status.DAMAGED, Status.WRONG_LENGTH}


class SamVReader:
    """A reader at a serial port.

    ``timeout_s`` is the total deadline of one exchange, and of what is left to do when the waiting for a card is over:
    ``read`` comes back within its own ``timeout_s`` plus this, whatever the line does.
    """

    driver = "sam_v"

    def __init__(
        self,
        port: str = "/dev/muster-card",
        *,
        baud: int = BAUD,
        timeout_s: float = 2.5,
        connect: Connect = SerialTransport,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if baud not in BAUDS:
            raise ConfigurationError(f"A card reader has no speed of {baud} baud; known: {', '.join(map(str, BAUDS))}.")
        self._port = port
        self._baud = baud
        self._timeout_s = timeout_s
        self._connect = connect
        self._monotonic = monotonic
        self._sleep = sleep
        self._transport: Transport | None = None
        self._sam_id = b""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        """Claim the port, ask the module whether it is well and which one it is."""
        if self._transport is not None:
            return
        self._transport = self._connect(self._port, baud=self._baud)
        try:
            deadline = self._monotonic() + self._timeout_s
            self._ask(Order.STATUS, deadline)
            sam_id = self._ask(Order.SAM_ID, deadline).content[:SAM_ID_BYTES]
            sam_number(sam_id)
            self._sam_id = sam_id
        except ValueError as error:
            self.close()
            raise DeviceProtocolError("The card reader's own number makes no sense.") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give the port back; closing twice does nothing."""
        if self._transport is not None:
            self._transport.close()
        self._transport = None

    def info(self) -> DeviceInfo:
        """The port and the module's number; whether it is simulated is known once it was open."""
        number = f", module {sam_number(self._sam_id)}" if self._sam_id else ""
        simulated = is_simulated(self._sam_id)
        return DeviceInfo(self._port, "card_reader", self.driver, f"SAM_V identity card reader{number}", simulated)

    def check(self) -> None:
        """Ask the module for its status."""
        self._ask(Order.STATUS, self._monotonic() + self._timeout_s)

    def read(self, *, timeout_s: float = 1.0) -> CardText | None:
        """The text of a card that was newly laid on; None if none was within ``timeout_s``.

        A card that is taken away too soon is waited for again, and is a CaptureRetry when the time is over. A module
        finds a card once: one that was read is found again after it was lifted.
        """
        until = self._monotonic() + timeout_s
        deadline = until + self._timeout_s
        touched = False
        while True:
            found, card = self._try_card(deadline)
            touched = touched or found
            if card is not None:
                return card
            left_s = until - self._monotonic()
            if left_s <= 0 and touched:
                raise CaptureRetry(RetryReason.LAY_CARD)
            if left_s <= 0:
                return None
            self._sleep(min(_BETWEEN_FINDS_S, left_s))

    def _try_card(self, deadline: float) -> tuple[bool, CardText | None]:
        """Whether a card lies there, and its text if it could be read."""
        if self._ask(Order.FIND, deadline, also=_MOVED).status[-1] != Status.FOUND:
            return False, None
        if self._ask(Order.SELECT, deadline, also=_MOVED).status[-1] != Status.OK:
            return True, None
        answer = self._ask(Order.READ, deadline, also=_MOVED)
        return True, self._text(answer) if answer.status[-1] == Status.OK else None

    def _text(self, answer: Answer) -> CardText:
        text_bytes = int.from_bytes(answer.content[:2], "big")
        if text_bytes != TEXT_BYTES or len(answer.content) < SIZES_BYTES + TEXT_BYTES:
            raise DeviceProtocolError("The card reader gives a text of another size than a card has.")
        try:
            return decode_text(answer.content[SIZES_BYTES:])
        except ValueError:  # its sentence could quote the card, so it is not carried on
            raise DeviceProtocolError("What the card reader gives is no card's text.") from None

    def _ask(self, order: Order, deadline: float, *, also: frozenset[Status] = _NONE) -> Answer:
        """The answer to an order, if it is good or one of ``also``. A damaged one is asked for again in time."""
        deadline = min(deadline, self._monotonic() + self._timeout_s)
        heard = False
        while True:
            answer, reader = self._exchange(order, deadline)
            heard = heard or reader.damaged > 0 or reader.noise > 0 or reader.pending
            if answer is not None and self._fits(order, answer, also):
                return answer
            heard = heard or answer is not None
            if self._monotonic() >= deadline:
                self._give_up(order, heard=heard)

    def _fits(self, order: Order, answer: Answer, also: frozenset[Status]) -> bool:
        """Whether this is an answer to the order; a late one to another order is not. Raises what a refusal means."""
        status = answer.status[-1]
        if answer.status[:2] != b"\0\0" or status in _ASK_AGAIN:
            return False
        if status == (Status.FOUND if order is Order.FIND else Status.OK):
            return answer.size >= _SIZES[order]
        if status not in also and status not in (Status.OK, Status.FOUND):
            _refuse(order, status)
        return status in also and answer.size == 0

    def _exchange(self, order: Order, deadline: float) -> tuple[Answer | None, AnswerReader]:
        """Send an order and read until an answer is whole, the line falls silent within one, or time is over."""
        transport = self._open_transport()
        reader = AnswerReader()
        transport.discard()
        transport.write(encode_order(order))
        while (left_s := deadline - self._monotonic()) > 0:
            chunk = transport.read(timeout_s=min(left_s, _SLICE_S))
            answer = reader.feed(chunk)
            if answer is not None or reader.damaged or (not chunk and reader.pending):
                return answer, reader
        return None, reader

    def _give_up(self, order: Order, *, heard: bool) -> NoReturn:
        if heard:
            raise DeviceProtocolError(f"What answers {order.name} does not speak a card reader's language.")
        seconds = math.ceil(self._timeout_s * 10) / 10
        raise DeviceTimeout(f"The card reader did not answer {order.name} within {seconds:g} s.")

    def _open_transport(self) -> Transport:
        if self._transport is None:
            raise DeviceUnplugged(f"The card reader at {self._port} is not open.")
        return self._transport


_SIZES = {Order.STATUS: 0, Order.SAM_ID: SAM_ID_BYTES, Order.FIND: 0, Order.SELECT: 0, Order.READ: SIZES_BYTES}


def _refuse(order: Order, status: int) -> NoReturn:
    known = {int(code): code.name for code in Status}.get(status, "for a reason it does not name")
    if status in (Status.SELF_TEST_FAILED, Status.NOT_AUTHORISED, Status.MODULE_NOT_PROVEN):
        raise DeviceError(f"The card reader's module is not fit for use: {known}.", code="card_module_unfit")
    raise DeviceError(f"The card reader refuses {order.name}: {known} (0x{status:02x}).", code="device_refused")
