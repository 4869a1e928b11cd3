"""Problems of a dataset in a window to scroll through."""

from __future__ import annotations

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import Vertical

from engine import api
from tui.dialogs.base import Dialog
from tui.screens.dataset_text import problem_paragraphs
from tui.widgets.lines import Lines, Paragraph


class Findings(Dialog[None]):
    """What was found, one problem below the other."""

    DEFAULT_CSS = """
    Findings Vertical { width: 90%; height: 80%; }
    """

    def __init__(self, title: str, head: Sequence[Paragraph], problems: Sequence[api.Problem]) -> None:
        """Make the dialog; `title` is the program's own words, `head` stands above the problems."""
        super().__init__()
        self._title = title
        self._paragraphs = [*head, [], *problem_paragraphs(problems)]

    def compose(self) -> ComposeResult:
        """A frame with lines."""
        lines = Lines()
        lines.show_paragraphs(self._paragraphs)
        with Vertical(classes="dialog") as frame:
            frame.border_title = self._title
            frame.border_subtitle = "esc closes"
            yield lines
