"""All files of the report of a study, as bytes by name."""

from __future__ import annotations

from engine.reporting.folder import Kind
from engine.reporting.plots.study_forest import forest_plots
from engine.reporting.rendering import CSV, HTML, JSON, MARKDOWN, as_bytes, hashes, page_files
from engine.reporting.study.forms import title_of
from engine.reporting.study.model import StudyPage
from engine.reporting.study.numbers import MADE_BY, figures_csv, study_json
from engine.reporting.study.page import page_blocks
from engine.reporting.study.parts import draw_parts, parts_of

STUDY = Kind(MADE_BY, frozenset({HTML, MARKDOWN, CSV, JSON}), "--output")
"""Plots are as many as the study has charts, so they are known by the JSON that lists them."""


def render_study(page: StudyPage) -> dict[str, bytes]:
    """The files of a report; the same page gives the same bytes. No name of a file comes from a study's own words."""
    forests = forest_plots(page.result.figures, "figures")
    parts = parts_of(page.result)
    pictures = draw_parts(parts)
    blocks = page_blocks(page, forests, parts, pictures)
    files = page_files(title_of(page.result), blocks, [*forests, *pictures.values()], figures_csv(page.result))
    return {**files, JSON: as_bytes(study_json(page, hashes(files)))}
