"""Fuzz target: every function through which untrusted text reaches a terminal, a spreadsheet, Markdown or a web page."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

from fuzzing import Target
from hostile import TEXT, joined, long_text
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from textual.content import Content

from engine.cli.console import shown
from engine.recipe.text import clean
from engine.text import one_line, plain, without_controls
from engine.text_cells import markdown_cell, spreadsheet_cell
from tui.text import cut, fit, width_of, wrap

OBEYED = ("Cc", "Cf", "Cs")
"""Categories that terminals obey, or that are half a character."""
_CONSOLE = Console(
    file=io.StringIO(),
    force_terminal=True,
    color_system="truecolor",
    width=60,
    highlight=False,
    markup=False,
    emoji=False,
)


def check(given: tuple[str, int, str]) -> None:
    """One text in every form in which it is shown."""
    text, width, align = given
    _quiet(plain(text), "\n\t")
    _quiet(one_line(text))
    _quiet(without_controls(text), "\n\t")
    assert not set(one_line(text)) & {"\n", "\r", "\u2028", "\u2029", "\x85"}
    for safe in (fit(text, width, align), cut(text, width)):
        _quiet(safe)
        assert width_of(safe) <= max(0, width)
        assert width_of(safe) == cell_len(safe)
    assert width_of(fit(text, width, align)) == max(0, width)
    for line in wrap(text, max(2, width)):
        _quiet(line)
        assert width_of(line) <= max(2, width)
    _quiet(markdown_cell(text))
    cell = spreadsheet_cell(text)
    _quiet(cell)
    assert cell.lstrip()[:1] not in tuple("=+-@\uff1d\uff0b\uff0d\uff20")
    assert not [each for each in clean(text) if not each.isprintable()]
    assert Content(one_line(text)).plain == one_line(text)
    _on_a_console(text)


def _quiet(text: str, kept: str = "") -> None:
    loud = [each for each in text if each not in kept and unicodedata.category(each) in OBEYED]
    assert not loud, f"{loud!r} in {text!r}"


def _on_a_console(text: str) -> None:
    """What rich writes for the command line: the text's own characters, and no order to the terminal but none at all."""
    stream = _CONSOLE.file
    stream.seek(0)
    stream.truncate()
    _CONSOLE.print(shown(text), soft_wrap=True)
    written = stream.getvalue()
    _quiet(written, "\n")
    assert written.encode("utf-8")


LINES = st.lists(TEXT, max_size=5).map("\n".join)
INPUTS = st.tuples(
    st.one_of(TEXT, TEXT, joined(most=12), joined(most=12), LINES, LINES, st.text(max_size=60), long_text(3_000)),
    st.integers(-1, 90),
    st.sampled_from(("left", "right", "center")),
)
FOUND: tuple[tuple[Any, ...], ...] = ()
TARGET = Target("terminal text", INPUTS, check, FOUND)
