"""Cells of files that leave the program: text that no spreadsheet runs and no Markdown reader takes for markup."""

from __future__ import annotations

import re
from typing import Any

from engine.text import one_line

RESEARCH_ONLY = "Research only, not for clinical use."

_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""Spreadsheets run a cell that begins with one of these, full-width ones in some languages too."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")


def spreadsheet_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula, on one line; numbers are left as they are."""
    if not isinstance(value, str):
        return value
    text = one_line(value)
    return f"'{text}" if text.lstrip()[:1] in tuple(_FORMULA) else text


def markdown_cell(text: object) -> str:
    """Untrusted text on one line, with everything that Markdown would read escaped."""
    return _MARKDOWN.sub(r"\\\1", one_line(text))
