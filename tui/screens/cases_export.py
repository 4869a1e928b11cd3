"""A list of cases as a file."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from engine import api
from tui.screens.leaderboard_export import form_of, write_text

_NO_NAME = re.compile(r"[^\w.-]+")


def default_name(subject: api.CaseSubject) -> str:
    """`cases-baseline-Q7-test.csv`; whatever is no part of a file name becomes `_`."""
    parts = (_NO_NAME.sub("_", part)[:60] for part in (subject.name, subject.question, subject.split))
    return f"cases-{'-'.join(parts)}.csv"


def write_cases(workspace: api.Workspace, file: Path, query: api.CaseQuery, *, overwrite: bool) -> int | None:
    """Write the cases of a query with their outputs in full, whole or not at all; the ending says CSV or Markdown.

    Returns:
        How many cases; None where something is there and must not be replaced.

    Raises:
        SonotuneError: the file can't be written.
    """
    found = api.cases(workspace, replace(query, whole=True))
    text = api.export_cases(found, form_of(file.name) or "csv")
    return len(found.items) if write_text(file, text, overwrite=overwrite) else None
