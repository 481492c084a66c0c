"""Languages: Chinese first, English beside it. Owns the catalogs and how a page finds its own.

The English text in the code is the key; ``translations/zh_CN/LC_MESSAGES/messages.po`` holds the Chinese. The text
files are compiled in memory when an app starts, so a fresh clone needs no build step and no binary can go stale.
Refuses to choose a language itself: each app hands in its selector.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask
from flask_babel import Babel, Domain, get_locale

LANGUAGES = {"zh_CN": "中文", "en": "English"}
DEFAULT_LANGUAGE = "zh_CN"
SHARED_TRANSLATIONS = Path(__file__).parent / "translations"


class TextDomain(Domain):  # type: ignore[misc]
    """Catalogs read from ``.po`` files instead of compiled ones."""

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__()
        self._folders = tuple(folders)

    def get_translations(self) -> NullTranslations:
        """The catalog of the request's language; English text is its own catalog."""
        return _translations(self._folders, page_language())


def install_languages(app: Flask, folders: Sequence[Path], *, select: Callable[[], str], timezone: str) -> None:
    """Give ``app`` its languages.

    ``folders`` are translation folders beside the shared one; ``select`` names the language of the current request;
    ``timezone`` is an IANA name in which times are shown.
    """
    domain = TextDomain([SHARED_TRANSLATIONS, *folders])
    Babel(
        app,
        default_locale=DEFAULT_LANGUAGE,
        default_timezone=timezone,
        locale_selector=select,
    )
    app.before_request(domain.as_default)
    app.jinja_env.globals["languages"] = LANGUAGES
    app.jinja_env.globals["page_language"] = lambda: page_language().replace("_", "-")


def page_language() -> str:
    """The code of the current page's language, one of ``LANGUAGES``."""
    locale = get_locale()  # writes zh_CN as zh_Hans_CN
    return next((code for code in LANGUAGES if Locale.parse(code) == locale), DEFAULT_LANGUAGE)


def read_catalog(folder: Path, language: str) -> Catalog:
    """The messages of one folder in ``language``; empty if it has none."""
    path = folder / language / "LC_MESSAGES" / "messages.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


@cache
def _translations(folders: tuple[Path, ...], language: str) -> NullTranslations:
    merged = Translations()
    for folder in folders:
        compiled = BytesIO()
        write_mo(compiled, read_catalog(folder, language))
        compiled.seek(0)
        catalog = Translations(compiled)
        merged.merge(catalog)
        merged.plural = catalog.plural  # merge() forgets it
    return merged
