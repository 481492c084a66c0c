"""What an answer of the center means for the events that were sent. Pure rules; refuses the network and the store.

2xx or a known duplicate: done. No answer, 5xx, 429: wait and try again, for ever. A request that was not trusted (401:
our clock may be wrong) or not understood in between (407, 408, 425): the same, since it says nothing about the event.
So is a 4xx without an error code of the center's: a proxy or a portal answered in its place. ``kiosk_revoked``: stop.
Any other 4xx is about the event itself: quarantine it, visible, never deleted. Only ``chain_gap`` is about others: the
center misses an event of before, so this one waits.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from kiosk.center_client import Answer
from kiosk.config import CenterConfig

_TAKEN = ("stored", "duplicate")
_LONGEST_RETRY_AFTER_S = 3_600.0  # a server that asks for a year is not believed
CHAIN_GAP = "chain_gap"
_SAYS_NOTHING_OF_THE_EVENT = frozenset({401, 407, 408, 425, 429})


class Meaning(StrEnum):
    """What to do after an answer."""

    DONE = "done"
    LATER = "later"
    REFUSED = "refused"
    REVOKED = "revoked"


def meaning(answer: Answer) -> Meaning:
    """What an answer to events means."""
    if 200 <= answer.status < 300:
        return Meaning.DONE
    if answer.status == 403 and answer.error_code == "kiosk_revoked":
        return Meaning.REVOKED
    if answer.status == 413:  # from whomever: a smaller request may pass
        return Meaning.REFUSED
    if 400 <= answer.status < 500 and answer.status not in _SAYS_NOTHING_OF_THE_EVENT and answer.from_center:
        return Meaning.REFUSED
    return Meaning.LATER


@dataclass(frozen=True, slots=True)
class Sorted:
    """A batch's events by what became of them; ``refused`` holds (event_id, code). The rest was not looked at."""

    done: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    revoked: bool = False


def sort_results(content: Any, sent: list[str]) -> Sorted:
    """What became of each event of a batch. An answer that does not fit what was sent counts for nothing."""
    results = content.get("results") if isinstance(content, dict) else None
    done: list[str] = []
    for event_id, result in zip(sent, results if isinstance(results, list) else [], strict=False):
        if not isinstance(result, dict) or result.get("event_id") != event_id:
            break
        if result.get("status") in _TAKEN:
            done.append(event_id)
            continue
        error = result.get("error")
        code = str(error.get("code", "rejected")) if isinstance(error, dict) else "rejected"
        if code == "kiosk_revoked":
            return Sorted(tuple(done), (), revoked=True)
        return Sorted(tuple(done), ((event_id, code),) if result.get("status") == "rejected" else ())
    return Sorted(tuple(done), ())


def is_receipt(content: Any, **of: str) -> bool:
    """Whether an answer is the center's receipt for one thing, such as ``event_id=...``; a proxy's page is none."""
    return (
        isinstance(content, dict)
        and all(content.get(name) == value for name, value in of.items())
        and content.get("status") in _TAKEN
    )


class Backoff:
    """How long to wait after the n-th failure: exponential, capped, and each wait drawn anew (full jitter above half).

    Kiosks of a county that lost the center together do not come back together.
    """

    def __init__(self, config: CenterConfig, rng: random.Random) -> None:
        self._first_s, self._longest_s = config.retry_first_s, config.retry_longest_s
        self._rng = rng
        self._failures = 0

    def failed(self, answer: Answer | None, now: datetime) -> float:
        """Note a failure; seconds to wait. ``Retry-After`` is obeyed as a lower limit."""
        ceiling_s = min(self._longest_s, self._first_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        drawn_s = ceiling_s * self._rng.uniform(0.5, 1.0)
        return max(drawn_s, _retry_after(answer, now)) if answer is not None else drawn_s

    def succeeded(self) -> None:
        """Begin anew."""
        self._failures = 0


def _retry_after(answer: Answer, now: datetime) -> float:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3), 0 without a usable one."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), _LONGEST_RETRY_AFTER_S)
    try:
        wanted_s = (parsedate_to_datetime(text) - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return min(max(0.0, wanted_s), _LONGEST_RETRY_AFTER_S)
