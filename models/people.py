"""A supervised person, as far as Muster must know one. Owns the codes and the shown name; refuses offence and health.

Codes follow the field's data standard SF/T 0015: category (矫正类别) and supervision level (管理级别).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from models.errors import InputError

_NUMBER = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,31}")


class Category(StrEnum):
    """矫正类别: the kind of sentence that is served in the community."""

    PUBLIC_SURVEILLANCE = "01"  # 管制
    PROBATION = "02"  # 缓刑
    PAROLE = "03"  # 假释
    TEMPORARY_RELEASE = "04"  # 暂予监外执行
    OTHER = "99"  # 其他


class SupervisionLevel(StrEnum):
    """管理级别: how closely a person is supervised."""

    LOOSE = "1"  # 宽松
    NORMAL = "2"  # 普通
    STRICT = "3"  # 严格


@dataclass(frozen=True, slots=True)
class Person:
    """A person under supervision. ``person_id`` is opaque; ``number`` is what the person can type."""

    person_id: str
    number: str
    name: str
    site_id: str
    level: SupervisionLevel
    category: Category
    active: bool = True
    term_end: date | None = None

    def __repr__(self) -> str:  # names and numbers never reach a log
        return f"Person({self.person_id}, site {self.site_id})"

    def under_supervision(self, today: date) -> bool:
        """Whether the term still runs on ``today``, a date at the person's site."""
        return self.active and (self.term_end is None or today <= self.term_end)


def shown_name(name: str) -> str:
    """What a bystander may see of a name: its last character, with the marks that belong to it; empty for no name."""
    trimmed = name.strip()
    start = len(trimmed) - 1
    while start > 0 and unicodedata.category(trimmed[start]).startswith("M"):
        start -= 1  # combining marks and variation selectors of ideographs
    return trimmed[max(start, 0) :]


def check_number(number: str) -> str:
    """The number, trimmed. Raises InputError unless it is 1 to 32 Latin letters, digits and hyphens."""
    trimmed = unicodedata.normalize("NFKC", number).strip()
    if not _NUMBER.fullmatch(trimmed):
        raise InputError("A person's number is 1 to 32 letters, digits and hyphens.", code="number_invalid")
    return trimmed


def check_name(name: str) -> str:
    """The name, trimmed. Raises InputError if it is empty, longer than 64 characters or holds control characters."""
    trimmed = " ".join(name.split())
    if not 1 <= len(trimmed) <= 64 or not trimmed.isprintable():
        raise InputError("A person's name is 1 to 64 printable characters.", code="name_invalid")
    return trimmed
