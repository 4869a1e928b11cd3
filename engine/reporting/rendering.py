"""All files of a report, as bytes by name."""

from __future__ import annotations

import hashlib

from engine.reporting.document.page import page, title
from engine.reporting.html import to_html
from engine.reporting.markdown import to_markdown
from engine.reporting.model import Report
from engine.reporting.plots.all import NAMES, draw_all
from engine.reporting.plots.picture import inline
from engine.reporting.tables import figures_csv, report_json

PLOTS = "plots"
JSON, HTML, MARKDOWN, CSV = "report.json", "report.html", "report.md", "figures.csv"
FILES = (HTML, MARKDOWN, CSV, *(f"{PLOTS}/{name}.{end}" for name in NAMES for end in ("svg", "png")), JSON)
"""All that a report can consist of; none of these names comes from data."""


def render(report: Report) -> dict[str, bytes]:
    """The files of a report; the same report gives the same bytes."""
    pictures = draw_all(report)
    blocks = page(report, pictures)
    drawings = {picture.name: inline(picture) for picture in pictures}
    files = {
        HTML: _bytes(to_html(title(report), blocks, drawings)),
        MARKDOWN: _bytes(to_markdown(blocks)),
        CSV: _bytes(figures_csv(report)),
    }
    for picture in pictures:
        files[f"{PLOTS}/{picture.name}.svg"] = _bytes(picture.svg)
        files[f"{PLOTS}/{picture.name}.png"] = picture.png
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    return {**files, JSON: _bytes(report_json(report, sums))}


def _bytes(text: str) -> bytes:
    # A lone surrogate cannot be written as UTF-8; whoever put it into a name must not stop the export.
    return text.encode("utf-8", "replace")
