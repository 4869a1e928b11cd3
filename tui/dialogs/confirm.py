"""May this be done? For what cannot be undone."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.dialogs.base import Dialog
from tui.widgets.lines import Lines


class Confirm(Dialog[bool]):
    """`y` answers True, everything else that closes it answers None: enter is never a yes."""

    DEFAULT_CSS = """
    Confirm Vertical { width: 66; height: auto; }
    Confirm Lines { height: auto; max-height: 12; }
    Confirm #keys { dock: bottom; height: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "yes", "Yes", id="confirm.yes"),
        Binding("n", "give_up", "No", id="confirm.no"),
    ]

    def __init__(self, question: str, detail: str = "", yes: str = "yes") -> None:
        super().__init__()
        self._question, self._detail, self._yes = question, detail, yes

    def compose(self) -> ComposeResult:
        """Question, detail, keys."""
        text, keys = Lines(id="question"), Lines(id="keys")
        text.show_paragraphs(
            [[(self._question, "bold")], *([[(self._detail, "text")]] if self._detail else []), [], []]
        )
        keys.show_paragraphs(
            [[(" y ", "bar_active"), (f" {self._yes}    ", "text"), (" n ", "bar_key"), (" no", "text")]]
        )
        with Vertical(classes="dialog") as frame:
            frame.border_title = "please confirm"
            yield text
            yield keys

    def action_yes(self) -> None:
        """Do it."""
        self.dismiss(True)
