"""What a plot is once it is drawn, and how it is put into a page."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.reporting.escaping import html_text

INK, MUTED, GRID, PAPER = "#16181d", "#5b616b", "#d5d9e0", "#fffffe"
"""Colours that a page replaces by its own, so that a plot can be read on light and on dark paper."""
_IN_PAGE = {INK: "currentColor", MUTED: "var(--muted)", GRID: "var(--line)", PAPER: "none"}
_PROLOGUE = re.compile(r"\A.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_NAMESPACE = re.compile(r'\sxmlns(:\w+)?="[^"]*"')
_DEFINED = re.compile(r'\bid="([^"]*)"')
_USED = re.compile(r'(url\(#|xlink:href="#|href="#)')
FAMILY = "'DejaVu Sans', Verdana, sans-serif"
"""Verdana has the widths of DejaVu Sans."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One plot."""

    name: str
    """Of its files; never from data."""
    caption: str
    alternative: str
    """What it shows, in words and numbers; untrusted text, it holds names."""
    svg: str
    png: bytes


def inline(picture: Picture) -> str:
    """The plot as an element of an HTML page: its colours follow the page, and its ids are its own."""
    text = _METADATA.sub("", _PROLOGUE.sub("", picture.svg))
    for ours, theirs in _IN_PAGE.items():
        text = text.replace(ours, theirs)
    text = _DEFINED.sub(rf'id="{picture.name}-\1"', text)
    text = _USED.sub(rf"\1{picture.name}-", text)
    head, end, rest = text.partition(">")
    head = _NAMESPACE.sub("", head)
    return f'{head} role="img" aria-label="{html_text(picture.alternative)}"{end}{rest}'.replace(
        "xlink:href", "href"
    ).strip()
