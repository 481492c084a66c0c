"""The bones of the page: tables, paragraphs, the frame around it all. Owns escaping and the style; refuses figures.

The content security policy of the page allows its own style sheet, by its hash, and nothing else: opened from a disk
or handed out by a server, it loads nothing and runs nothing.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light; }
body { margin: 0 auto; padding: 24px; max-width: 860px; background: #fff; color: #111; line-height: 1.6;
  font: 16px/1.6 "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Microsoft YaHei",
  "PingFang SC", sans-serif; }
h1 { font-size: 26px; line-height: 1.3; margin: 0 0 4px; }
h2 { font-size: 21px; margin: 40px 0 8px; padding-top: 12px; border-top: 2px solid #111; }
.part { font-size: 26px; border-top: 6px solid #111; margin-top: 56px; }
.part + h2 { border-top: 0; margin-top: 0; }
h3 { font-size: 17px; margin: 28px 0 6px; }
p { margin: 6px 0; }
.small, figcaption { font-size: 14px; color: #333; }
.synthetic { border: 2px dashed #111; padding: 8px 12px; font-weight: bold; }
.answer { border: 3px solid #111; padding: 12px 18px; margin: 18px 0; }
.answer.no { border-width: 8px; }
.answer.not_shown, .answer.no_threshold { border-style: dashed; }
.answer strong { display: block; font-size: 34px; line-height: 1.3; }
figure { margin: 12px 0; }
svg { width: 100%; height: auto; display: block; font-family: inherit; }
table { border-collapse: collapse; width: 100%; margin: 8px 0; font-size: 15px; }
th, td { text-align: left; vertical-align: top; padding: 5px 14px 5px 0; border-bottom: 1px solid #bbb; }
thead th { border-bottom: 2px solid #111; }
tbody th { font-weight: normal; }
dt { font-weight: bold; margin-top: 6px; }
dd { margin: 0 0 0 16px; }
code { font-family: "DejaVu Sans Mono", monospace; font-size: 13px; overflow-wrap: anywhere; }
@page { size: A4; margin: 14mm; }
@media print { body { padding: 0; max-width: none; } figure, table, .answer { break-inside: avoid; }
  h2, h3 { break-after: avoid; } }
"""


def document(title: str, body: str, *, language: str) -> str:
    """The whole page around ``body``; ``language`` is a code such as zh_CN."""
    digest = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
    return (
        f'<!doctype html>\n<html lang="{language.replace("_", "-")}">\n<head>\n<meta charset="utf-8">\n'
        f"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{digest}'\">\n"
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def heading(words: str, *, level: int = 2, part: bool = False) -> str:
    """A heading; ``part`` opens a whole part of the page, such as one modality's."""
    kind = ' class="part"' if part else ""
    return f"<h{level}{kind}>{escape(words)}</h{level}>\n"


def paragraph(words: str, *, small: bool = False) -> str:
    """A paragraph of plain text."""
    kind = ' class="small"' if small else ""
    return f"<p{kind}>{escape(words)}</p>\n"


def table(rows: Iterable[Sequence[str]], *, head: Sequence[str] = ()) -> str:
    """A table of plain text, its first column the rows' names."""
    top = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    lines = []
    for name, *cells in rows:
        rest = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        lines.append(f'<tr><th scope="row">{escape(name)}</th>{rest}</tr>')
    above = f"<thead><tr>{top}</tr></thead>" if head else ""
    return f"<table>{above}<tbody>{''.join(lines)}</tbody></table>\n"


def figure(picture: str, caption: str) -> str:
    """A picture (SVG text) with plain words under it."""
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>\n"


def definitions(terms: Iterable[tuple[str, str]]) -> str:
    """Terms, each with its one sentence."""
    inner = "".join(f"<dt>{escape(term)}</dt><dd>{escape(meaning)}</dd>" for term, meaning in terms)
    return f"<dl>{inner}</dl>\n"
