"""All files of a report, as bytes by name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from engine.reporting.document.blocks import Block
from engine.reporting.document.page import page, title
from engine.reporting.html import to_html
from engine.reporting.markdown import to_markdown
from engine.reporting.model import Report
from engine.reporting.plots.all import NAMES, draw_all
from engine.reporting.plots.picture import Picture, inline
from engine.reporting.tables import figures_csv, report_json

PLOTS = "plots"
JSON, HTML, MARKDOWN, CSV = "report.json", "report.html", "report.md", "figures.csv"
FILES = (HTML, MARKDOWN, CSV, *(f"{PLOTS}/{name}.{end}" for name in NAMES for end in ("svg", "png")), JSON)
"""All that a report can consist of; none of these names comes from data."""


def render(report: Report) -> dict[str, bytes]:
    """The files of a report; the same report gives the same bytes."""
    pictures = draw_all(report)
    files = page_files(title(report), page(report, pictures), pictures, figures_csv(report))
    return {**files, JSON: as_bytes(report_json(report, hashes(files)))}


def page_files(title: str, blocks: Sequence[Block], pictures: Sequence[Picture], figures: str) -> dict[str, bytes]:
    """A page in both forms, its pictures, and the figures for other programs."""
    drawings = {picture.name: inline(picture) for picture in pictures}
    files = {
        HTML: as_bytes(to_html(title, blocks, drawings)),
        MARKDOWN: as_bytes(to_markdown(blocks)),
        CSV: as_bytes(figures),
    }
    for picture in pictures:
        files[f"{PLOTS}/{picture.name}.svg"] = as_bytes(picture.svg)
        files[f"{PLOTS}/{picture.name}.png"] = picture.png
    return files


def hashes(files: Mapping[str, bytes]) -> dict[str, str]:
    """SHA-256 by name: by them a later export knows that nobody has changed these files."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def as_bytes(text: str) -> bytes:
    """UTF-8."""
    # A lone surrogate cannot be written as UTF-8; whoever put it into a name must not stop the export.
    return text.encode("utf-8", "replace")
