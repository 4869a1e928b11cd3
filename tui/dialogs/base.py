"""What dialogs share: escape answers nothing, and only changed cells are repainted."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from engine.api import one_line
from tui.painting import Painted

Answer = TypeVar("Answer")


def plain_title(text: object) -> Content:
    """Untrusted text as the title of a frame, where Textual reads markup in strings."""
    return Content(one_line(text))


class Dialog(Painted, ModalScreen[Answer], Generic[Answer]):
    """A modal screen; `escape` dismisses it with None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Close", id="dialog.close")]

    def action_give_up(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
