"""One line of text: a new name, a tag, a note, a file."""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import Input

from tui.dialogs.base import Dialog, plain_title
from tui.widgets.lines import Lines

Check = Callable[[str], str]
"""What is wrong with a text, in words; "" where nothing is."""


class Prompt(Dialog[str]):
    """Enter answers with the text, once it is valid."""

    DEFAULT_CSS = """
    Prompt Vertical { width: 70; height: auto; }
    Prompt Lines { height: auto; min-height: 1; max-height: 6; }
    """
    AUTO_FOCUS = "Input"

    def __init__(self, title: str, value: str = "", hint: str = "", check: Check | None = None) -> None:
        super().__init__()
        self._title, self._value, self._hint, self._check = title, value, hint, check

    def compose(self) -> ComposeResult:
        """Title, input, hint or problem."""
        with Vertical(classes="dialog") as frame:
            frame.border_title = plain_title(self._title)
            line = Input(self._value, classes="line", select_on_focus=False)
            line.cursor_blink = False  # a cursor that blinks sends bytes all day
            yield line
            yield Lines()

    def on_mount(self) -> None:
        """Show the hint."""
        self._say(self._value)

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        self._say(event.value)

    def _say(self, value: str) -> None:
        problem = self._check(value) if self._check is not None else ""
        self.query_one(Lines).show_paragraphs([[(problem, "bad")] if problem else [(self._hint, "dim")]])

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if self._check is None or not self._check(event.value):
            self.dismiss(event.value)
