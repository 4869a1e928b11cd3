"""Untrusted text made harmless for a page: nothing in a name or an answer becomes markup or a link."""

from __future__ import annotations

import html
import re

from engine.text import one_line, plain

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|~&$@])")
_AUTOLINK = re.compile(r"(?<=[A-Za-z])://|(?<![A-Za-z0-9])www\.", re.IGNORECASE)
_BLOCK_START = re.compile(r"^([-+=#]|\d{1,9}(?=[.)](?:\s|$)))")
"""What would begin a list, a heading or the rule under one."""
_TICKS = re.compile(r"`+")


def html_text(text: object) -> str:
    """Text on one line, for the content or a quoted attribute of an element."""
    return html.escape(one_line(text), quote=True)


def html_block(text: object) -> str:
    """Text with its line breaks, for a `pre`."""
    return html.escape(plain(text), quote=True)


def markdown_cell(text: object) -> str:
    """Text on one line, for a cell of a table or after other text; GitHub's automatic links are broken as well."""
    escaped = _MARKDOWN.sub(r"\\\1", one_line(text).strip())
    return _AUTOLINK.sub(lambda found: found[0].replace(":", r"\:").replace(".", r"\."), escaped)


def markdown_text(text: object) -> str:
    """Text on one line that may stand at the beginning of a paragraph: it does not become a list or a heading."""
    return _BLOCK_START.sub(
        lambda found: rf"\{found[0]}" if not found[0].isdigit() else f"{found[0]}\\", markdown_cell(text)
    )


def markdown_block(text: object) -> str:
    """Text with its line breaks as a fenced code block, whatever fences stand in it."""
    content = plain(text)
    fence = "`" * max(3, 1 + max((len(found) for found in _TICKS.findall(content)), default=0))
    return f"{fence}text\n{content}\n{fence}"
