"""What dialogs share: escape answers nothing, and only changed cells are repainted."""

from __future__ import annotations

from typing import ClassVar, Generic, TypeVar

from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.compositor import TightCompositor

Answer = TypeVar("Answer")


class Dialog(ModalScreen[Answer], Generic[Answer]):
    """A modal screen; `escape` dismisses it with None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "give_up", "Close", id="dialog.close")]

    def __init__(self) -> None:
        super().__init__()
        self._compositor = TightCompositor()

    def action_give_up(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
