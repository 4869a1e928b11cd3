"""The page as one HTML file: its style and its pictures within, nothing fetched, nothing that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.reporting.document.blocks import (
    Block,
    Callout,
    Code,
    Heading,
    Listing,
    Paragraph,
    Plot,
    Row,
    Strong,
    Table,
    Verbatim,
    Words,
)
from engine.reporting.escaping import html_block, html_text
from engine.reporting.style import STYLE

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
<main>
"""
_FOOT = """
</main>
</body>
</html>
"""


def to_html(title: str, blocks: Iterable[Block], drawings: Mapping[str, str]) -> str:
    """The page; every text in it is escaped here.

    Args:
        title: of the window.
        blocks: of the page.
        drawings: SVG elements by the name of their plot, made for standing inside a page (`plots.inline`).
    """
    body = "\n".join(_block(block, drawings, place) for place, block in enumerate(blocks))
    return f"{_HEAD.format(title=html_text(title), style=STYLE)}{body}{_FOOT}"


def _block(block: Block, drawings: Mapping[str, str], place: int) -> str:
    match block:
        case Heading(level, text):
            return f"<h{level}>{html_text(text)}</h{level}>"
        case Paragraph(words):
            return f"<p>{_words(words)}</p>"
        case Callout(words, severe):
            return f'<p class="{"severe" if severe else "note"}">{_words(words)}</p>'
        case Listing(items):
            return "<ul>\n" + "\n".join(f"<li>{_words(item)}</li>" for item in items) + "\n</ul>"
        case Table():
            return _table(block, f"table-{place}")
        case Plot(name, caption, _):
            drawing = f'<div class="scroll">{drawings[name]}</div>'
            return f"<figure>{drawing}<figcaption>{html_text(caption)}</figcaption></figure>"
        case Verbatim(text):
            return f"<pre>{html_block(text)}</pre>"


def _words(words: Words) -> str:
    parts = []
    for part in words:
        match part:
            case Strong(text):
                parts.append(f"<strong>{html_text(text)}</strong>")
            case Code(text):
                parts.append(f"<code>{html_text(text)}</code>")
            case str():
                parts.append(html_text(part))
    return "".join(parts)


def _table(table: Table, name: str) -> str:
    """The caption stands before the part that scrolls, so that it can be read on a narrow screen."""
    heads = [f'<th scope="col"{_class(place, table)}>{html_text(head)}</th>' for place, head in enumerate(table.heads)]
    lines = [
        f'<p class="caption" id="{name}">{html_text(table.caption)}</p>',
        f'<div class="scroll" tabindex="0"><table aria-labelledby="{name}">',
        f"<thead><tr>{''.join(heads)}</tr></thead>",
        "<tbody>",
        *(_row(row, table) for row in table.rows),
        "</tbody></table></div>",
    ]
    return "\n".join(lines)


def _row(row: Row, table: Table) -> str:
    first, *others = row.cells
    cells = [f"<td{_class(place, table)}>{_cell(cell, place, table)}</td>" for place, cell in enumerate(others, 1)]
    kind = ' class="reference"' if row.reference else ""
    return f'<tr{kind}><th scope="row">{html_text(first)}</th>{"".join(cells)}</tr>'


def _class(place: int, table: Table) -> str:
    return "" if place == 0 else ' class="words"' if place in table.words else ' class="figure"'


def _cell(text: str, place: int, table: Table) -> str:
    """A figure above its interval and its n, so that columns stay narrow."""
    value, space, rest = text.partition(" (")
    if place in table.words or not space or rest[:1] not in "0123456789−":
        return html_text(text)
    whole = html_text(rest).replace(" = ", "&nbsp;=&nbsp;")
    return f"{html_text(value)}<br><small>({whole}</small>"
