"""What ships: which clip says which text. Owns manifest.json; refuses to play what says something else by now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from web.panel.voice.catalogue import Slot, text_hash

HERE: Final = Path(__file__).parent
CLIPS: Final = HERE / "clips"
MANIFEST_FILE: Final = HERE / "manifest.json"
SOUNDS: Final = ("good", "again", "staff")


@dataclass(frozen=True, slots=True)
class ShippedClip:
    """One clip of the manifest.

    ``file`` lies below clips/, ``text`` is the text_hash of what the screen shows, ``recipe`` changes with everything
    that went into the clip, ``duration_s`` is its length.
    """

    file: str
    text: str
    recipe: str
    duration_s: float

    @property
    def path(self) -> Path:
        """Where the clip lies."""
        return CLIPS / self.file

    def says(self, slot: Slot, voice: str) -> bool:
        """Whether the clip still says what the screen shows."""
        return self.text == text_hash(slot.text(voice))


@cache
def load_manifest() -> Mapping[str, Mapping[str, ShippedClip]]:
    """The shipped clips by voice and slot; those of ``sounds`` by name."""
    return read_manifest(MANIFEST_FILE)


def read_manifest(file: Path) -> dict[str, dict[str, ShippedClip]]:
    """The clips that ``file`` lists; none if there is no such file."""
    content: dict[str, dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else {}
    return {voice: {code: ShippedClip(**clip) for code, clip in clips.items()} for voice, clips in content.items()}


def write_manifest(file: Path, clips: Mapping[str, Mapping[str, ShippedClip]]) -> None:
    """Replace ``file``."""
    content = {voice: {code: asdict(clip) for code, clip in of.items()} for voice, of in clips.items()}
    file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")
