"""The slots of the voice: every text of the screen that a person must hear. Owns the rule which texts those are.

A text is a slot unless SILENT says why not, so that a new text of the screen needs a voice from its first day. Slots
have the code of their text. A sentence with a gap becomes one slot per filling, because half sentences that are put
together sound wrong. Refuses gaps that are not listed: nothing that a clip cannot know beforehand is spoken.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from web.panel.facade import FINGER_CODES
from web.panel.texts import load_texts

MANDARIN, ENGLISH = "mandarin", "english"
VOICES: Final = (MANDARIN, "teochew", "hakka", "cantonese", ENGLISH)
SHIPPED: Final = (MANDARIN, ENGLISH)
SILENT: Final = (  # what is never heard; a trailing dot means everything below
    *("language.", "title", "simulated"),  # the screen's furniture
    *("step.pairing.", "explain.pairing", "hint.pairing_waiting", "hint.pairing_expired", "hint.pairing_rejected"),
    *("hint.kiosk_revoked", "device.", "device_line", "error.", "center.", "pending"),  # read by staff
    *("staff.", "step.staff.", "explain.staff", "button.staff", "link.replaced.", "button.resume"),
    *("result.", "pages"),  # names of values; the values are shown and never spoken
    "finger.",  # heard within finger_title
)
_GAP: Final = re.compile(r"\{(\w+)\}")
_QUOTES: Final = re.compile(r"[“”\"]")


@dataclass(frozen=True, slots=True)
class Slot:
    """One thing that is said. ``code`` is the text's key, with the filling behind it where the text has a gap."""

    code: str
    chinese: str
    english: str

    def text(self, voice: str) -> str:
        """What is to be said in ``voice``: the English sentence, or for every other voice the Chinese one."""
        return self.english if voice == ENGLISH else self.chinese


def text_hash(text: str) -> str:
    """Sixteen hexadecimal digits that change with the text: the mark of a clip that says something else by now."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def slots() -> Mapping[str, Slot]:
    """Every slot by its code, in the order of the Chinese texts."""
    chinese, english = (dict(_flat(load_texts(name))) for name in ("zh_CN", "en"))
    found: dict[str, Slot] = {}
    for code, text in chinese.items():
        if is_silent(code) or code not in english:  # a missing translation is the texts' own lint
            continue
        for ending, (first, second) in _fillings(code, text, english[code], chinese, english):
            found[code + ending] = Slot(code + ending, first, second)
    return found


def unspeakable() -> list[str]:
    """Codes of texts that are to be heard, but have a gap for which no fillings are known."""
    return [
        code
        for name in ("zh_CN", "en")
        for code, text in _flat(load_texts(name))
        if not is_silent(code) and code not in _FILLINGS and _GAP.search(text)
    ]


def is_silent(code: str) -> bool:
    """Whether SILENT keeps the text ``code`` from being heard."""
    return any(code.startswith(item) if item.endswith(".") else code == item for item in SILENT)


def spoken(text: str) -> str:
    """The text without what no voice can say: quotation marks."""
    return _QUOTES.sub("", text)


_FILLINGS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {  # code: the gap's name, and how it may be filled
    "finger_title": ("finger", FINGER_CODES),
    "tries_left": ("count", ("2",)),  # one is a text of its own, three are not mentioned
}


def _fillings(
    code: str, first: str, second: str, chinese: Mapping[str, str], english: Mapping[str, str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    """The endings of the slot's code, each with the Chinese and the English sentence."""
    if code not in _FILLINGS:
        if not (_GAP.search(first) or _GAP.search(second)):
            yield "", (first, second)
        return
    gap, values = _FILLINGS[code]
    for value in values:
        words = [texts.get(f"{gap}.{value}", value) for texts in (chinese, english)]
        yield f".{value}", (first.replace(f"{{{gap}}}", words[0]), second.replace(f"{{{gap}}}", words[1]))


def _flat(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, below in node.items():
            yield from _flat(below, f"{path}.{key}" if path else key)
    else:
        yield path, str(node)
