"""The page as Markdown: CommonMark with tables, pictures in `plots/`."""

from __future__ import annotations

from collections.abc import Iterable

from engine.reporting.document.blocks import (
    Block,
    Callout,
    Code,
    Heading,
    Listing,
    Paragraph,
    Plot,
    Strong,
    Table,
    Verbatim,
    Words,
)
from engine.reporting.escaping import markdown_block, markdown_cell, markdown_text
from engine.text import one_line


def to_markdown(blocks: Iterable[Block]) -> str:
    """The page; every text in it is escaped here."""
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading(level, text):
            return f"{'#' * level} {markdown_text(text)}"
        case Paragraph(words):
            return _words(words)
        case Callout(words, severe):
            return f"> {'⚠ ' if severe else ''}{_words(words)}"
        case Listing(items):
            return "\n".join(f"- {_words(item)}" for item in items)
        case Table():
            return _table(block)
        case Plot(name, caption, alternative):
            return f"![{markdown_cell(alternative)}](plots/{name}.png)\n\n*{markdown_cell(caption)}*"
        case Verbatim(text):
            return markdown_block(text)


def _words(words: Words) -> str:
    parts = []
    for place, part in enumerate(words):
        match part:
            case Strong(text):
                parts.append(_around("**", text))
            case Code(text):
                parts.append(_code(text))
            case str():
                parts.append(_spaced(part, first=place == 0))
    return "".join(parts).strip()


def _spaced(text: str, *, first: bool) -> str:
    """Escaped text that keeps the spaces at its ends: they stand between it and what is strong."""
    lead, inner, tail = _ends(text)
    return f"{lead}{markdown_text(inner) if first else markdown_cell(inner)}{tail}"


def _around(marks: str, text: str) -> str:
    """Emphasis begins and ends at a letter, so spaces stay outside."""
    lead, inner, tail = _ends(text)
    return f"{lead}{marks}{markdown_cell(inner)}{marks}{tail}" if inner else lead


def _ends(text: str) -> tuple[str, str, str]:
    """The spaces before a text, the text, and those behind it."""
    line = one_line(text)
    inner = line.strip()
    if not inner:
        return line, "", ""
    start = line.index(inner)
    return line[:start], inner, line[start + len(inner) :]


def _code(text: str) -> str:
    line = one_line(text)
    return f"`{line}`" if "`" not in line and line else markdown_cell(line)


def _table(table: Table) -> str:
    heads = [markdown_cell(head) for head in table.heads]
    rules = ["---" if place in (0, *table.words) else "---:" for place in range(len(heads))]
    lines = [_row(heads), _row(rules)]
    for row in table.rows:
        first = markdown_cell(row.cells[0])
        lines.append(_row([f"*{first}*" if row.reference else first, *(markdown_cell(cell) for cell in row.cells[1:])]))
    return "\n".join([_around("**", table.caption), "", *lines])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
