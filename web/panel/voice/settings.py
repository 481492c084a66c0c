"""How a site wants the kiosk to speak. Owns the volume by time of day; refuses volumes outside of 0 to 1."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from pathlib import Path
from typing import Final

from models.errors import ConfigurationError
from web.panel.voice.catalogue import MANDARIN, VOICES

_SPAN: Final = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A daily span of local time from ``start`` up to but not including ``end``; it may go over midnight."""

    start: time
    end: time

    def holds_at(self, moment: time) -> bool:
        """Whether ``moment`` lies in the span."""
        if self.start <= self.end:
            return self.start <= moment < self.end
        return moment >= self.start or moment < self.end


def parse_quiet_hours(text: str) -> tuple[QuietHours, ...]:
    """Spans such as ``"12:00-14:00, 21:00-07:00"``; empty text means none. Raises ConfigurationError."""
    spans = []
    for part in filter(None, (item.strip() for item in text.split(","))):
        match = _SPAN.fullmatch(part)
        if match is None or match.group(1, 2) == match.group(3, 4):
            raise ConfigurationError(f"Quiet hours are written like 12:00-14:00, not {part!r}.")
        start_hour, start_minute, end_hour, end_minute = map(int, match.groups())
        spans.append(QuietHours(time(start_hour, start_minute), time(end_hour, end_minute)))
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """The voice as a site has set it. ``folder`` holds its own recordings; volumes are 0 (mute) to 1."""

    enabled: bool = True
    language: str = MANDARIN
    volume: float = 0.8
    quiet_hours: tuple[QuietHours, ...] = ()
    quiet_volume: float = 0.4
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.language not in VOICES:
            raise ConfigurationError(f"The voice speaks {', '.join(VOICES)}, not {self.language!r}.")
        if not (0 <= self.volume <= 1 and 0 <= self.quiet_volume <= 1):
            raise ConfigurationError("A volume is a number from 0 to 1.")

    def volume_at(self, now: datetime, zone: tzinfo) -> float:
        """How loud the voice is at ``now`` (aware), by the clock on the wall in ``zone``."""
        if not self.enabled:
            return 0.0
        moment = now.astimezone(zone).time()
        return self.quiet_volume if any(span.holds_at(moment) for span in self.quiet_hours) else self.volume
