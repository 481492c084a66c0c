"""Which clip is heard: the chosen language's, else Mandarin's; the site's own recording before the shipped one.

Owns that order and what is missing. Refuses clips that say something else than the screen: better Mandarin than wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any

import structlog

from web.panel.voice.catalogue import ENGLISH, MANDARIN, SHIPPED, SILENT, VOICES, slots
from web.panel.voice.containers import MOST_BYTES
from web.panel.voice.manifest import SOUNDS, load_manifest
from web.panel.voice.recordings import STALE, read_recordings
from web.panel.voice.settings import VoiceSettings

RECORDED, SYNTHETIC, STALE_CLIP, LACKING = "recorded", "synthetic", "stale", "lacking"
_TYPES = {".ogg": "audio/ogg", ".wav": "audio/wav", ".mp3": "audio/mpeg"}

_log = structlog.get_logger("voice")


@dataclass(frozen=True, slots=True)
class Clip:
    """Something to play: its bytes and their media type."""

    content: bytes
    media_type: str


class Voices:
    """The kiosk's voices as one site has them. Looks through the site's folder once, when it is made."""

    def __init__(self, settings: VoiceSettings) -> None:
        self.settings = settings
        self.recordings = read_recordings(settings.folder)

    def clip(self, voice: str, code: str) -> Clip | None:
        """What is heard for the slot ``code`` when ``voice`` was chosen; None if there is nothing to hear."""
        for path in self._paths(voice, code):
            try:
                with path.open("rb") as file:
                    return Clip(file.read(MOST_BYTES), _TYPES[path.suffix])
            except OSError as error:  # a stick that was pulled: the next one in line speaks
                _log.warning("clip_unreadable", voice=voice, slot=code, why=error.strerror)
        return None

    def sound(self, name: str) -> Clip:
        """The sound ``name``, one of SOUNDS."""
        return Clip(load_manifest()["sounds"][name].path.read_bytes(), _TYPES[".ogg"])

    def has(self, voice: str, code: str) -> bool:
        """Whether there are such a voice and such a slot (or ``sounds`` and such a sound)."""
        return (voice in VOICES and code in slots()) or (voice == "sounds" and code in SOUNDS)

    def languages(self) -> list[str]:
        """The voices that can be chosen: those that ship, and the dialects of which the site recorded something."""
        recorded = {voice for voice, _ in self.recordings.found}
        return [voice for voice in VOICES if voice in SHIPPED or voice in recorded]

    def state_of(self, voice: str, code: str) -> str:
        """RECORDED, SYNTHETIC, STALE_CLIP or LACKING: what ``voice`` itself has for the slot."""
        if (voice, code) in self.recordings.found:
            return RECORDED
        shipped = load_manifest().get(voice, {}).get(code)
        if shipped is not None and shipped.path.exists():
            return SYNTHETIC if shipped.says(slots()[code], voice) else STALE_CLIP
        stale = any((item.voice, item.slot, item.kind) == (voice, code, STALE) for item in self.recordings.complaints)
        return STALE_CLIP if stale else LACKING

    def volume_at(self, now: datetime, zone: tzinfo) -> float:
        """How loud to speak at ``now``, 0..1."""
        return self.settings.volume_at(now, zone)

    def page_settings(self) -> dict[str, Any]:
        """What the page has to know, as JSON values; the first voice of the Chinese page is the site's."""
        chosen = self.settings.language
        return {
            "enabled": self.settings.enabled,
            "languages": self.languages(),
            "first": {"zh_CN": MANDARIN if chosen == ENGLISH else chosen, "en": ENGLISH},
            "volume": self.settings.volume,
            "silent": list(SILENT),
        }

    def _paths(self, voice: str, code: str) -> Iterator[Path]:
        for name in dict.fromkeys((voice, ENGLISH if voice == ENGLISH else MANDARIN)):
            recording = self.recordings.found.get((name, code))
            if recording is not None:
                yield recording.path
            shipped = load_manifest().get(name, {}).get(code)
            if shipped is not None and shipped.says(slots()[code], name):
                yield shipped.path


def gaps(voices: Voices) -> Mapping[str, Mapping[str, str]]:
    """By voice and slot: its state, for every slot."""
    return {voice: {code: voices.state_of(voice, code) for code in slots()} for voice in VOICES}
