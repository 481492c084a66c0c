"""The verdict on a bundle: what was checked, and the first thing that is wrong. Owns its shape; refuses to check."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from models.attendance import format_time


class Fault(StrEnum):
    """What is wrong with a bundle."""

    HEADER = "header"
    HEAD = "head"
    ALTERED = "altered"
    FORGED = "forged"
    MISSING = "missing"
    INSERTED = "inserted"
    MOVED = "moved"
    CUT = "cut"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first thing that is wrong. ``record`` counts from 0 as the log does, ``line`` from 1 as editors do."""

    fault: Fault
    sentence: str
    line: int
    record: int | None = None
    event_id: str | None = None
    kiosk_id: str | None = None
    seq: int | None = None

    def __str__(self) -> str:
        where = "" if self.record is None else f"record {self.record}, "
        names = (("event", self.event_id), ("kiosk", self.kiosk_id), ("its number", self.seq))
        known = "".join(f", {name} {value}" for name, value in names if value is not None)
        return f"{where}line {self.line}{known}: {self.sentence}"


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What was checked. ``events`` counts the records that hold; all of ``size`` do if ``finding`` is None."""

    events: int
    size: int
    kiosks: int
    heads: int
    center_key: str
    center_key_pinned: bool
    signed_at: datetime | None  # None if the newest head itself does not hold
    finding: Finding | None

    @property
    def ok(self) -> bool:
        """Whether everything holds."""
        return self.finding is None

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "ok": self.ok,
            "events": self.size,
            "verified": self.events,
            "kiosks": self.kiosks,
            "heads": self.heads,
            "center_key": self.center_key,
            "center_key_pinned": self.center_key_pinned,
            "signed_at": None if self.signed_at is None else format_time(self.signed_at),
            "finding": None if self.finding is None else str(self.finding),
            "fault": None if self.finding is None else self.finding.fault.value,
            "record": None if self.finding is None else self.finding.record,
        }
