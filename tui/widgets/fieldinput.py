"""Typing over a value of a form: the line that is put there, and the pane that holds both.

What is typed goes to its owner by calls, not by messages: keys may come faster than messages travel (pasted, or over a
slow line), and the key after the last one of a value must find that value in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.suggester import SuggestFromList
from textual.widgets import Input

from engine.api import one_line
from tui.widgets.form import Form

Typed = Callable[[str, str], None]
"""Takes a key, and the text over its value."""
Ended = Callable[[str, str, bool], None]
"""Takes a key, the text over its value, and whether it is to be kept."""


class FieldInput(Input):
    """One line; enter and leaving it keep what was typed, escape does not."""

    HELP_TITLE = "Typing"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "keep", "Keep", id="field.keep", tooltip="Keep what is typed"),
        Binding("escape", "drop", "Leave as it was", id="field.drop", tooltip="Leave the value as it was"),
        Binding("up", "offer(-1)", "Offer before", show=False, id="field.before", tooltip="The offer before"),
        Binding("down", "offer(1)", "Offers", show=False, id="field.after", tooltip="The next offer"),
        Binding("tab", "complete", "Complete", show=False, id="field.complete", priority=True),
    ]

    def __init__(self, done: Callable[[bool], None]) -> None:
        """Make it; `done` is told when typing is over, and whether the text is to be kept."""
        super().__init__(select_on_focus=False)
        self._tell = done
        self.cursor_blink = False
        self.offers: tuple[str, ...] = ()

    def validate_value(self, value: str) -> str:
        """What is pasted may hold anything; control characters must not reach the terminal."""
        return one_line(value)

    @on(Input.Blurred)
    def _left(self, event: Input.Blurred) -> None:
        event.stop()
        if not self.has_focus:  # else the next value is being typed already
            self._tell(True)

    def action_keep(self) -> None:
        """Keep the text."""
        self._tell(True)

    def action_drop(self) -> None:
        """Leave the value as it was."""
        self._tell(False)

    def action_offer(self, by: int) -> None:
        """The next word on offer, or the one before."""
        if not self.offers:
            return
        now = self.offers.index(self.value) if self.value in self.offers else (-1 if by > 0 else 0)
        self.value = self.offers[(now + by) % len(self.offers)]
        self.cursor_position = len(self.value)

    def action_complete(self) -> None:
        """Take the completion that is shown in grey."""
        self.action_end()
        self.action_cursor_right()


class FormPane(Container):
    """A form, and the line that is laid over the value which is being typed."""

    DEFAULT_CSS = """
    FormPane { layers: rows typing; width: 1fr; height: 1fr; }
    FormPane Form { layer: rows; width: 100%; height: 100%; }
    FormPane FieldInput {
        layer: typing; display: none; height: 1; padding: 0; border: none; background: $panel;
    }
    FormPane FieldInput:focus { border: none; background-tint: $panel 0%; }
    FormPane FieldInput.used { display: block; }
    """

    def __init__(self, form: Form, typed: Typed, ended: Ended) -> None:
        """Make it; `typed` and `ended` are told of every text, and of the last one."""
        super().__init__()
        self._form = form
        self._tell_typed, self._tell_ended = typed, ended
        self._input = FieldInput(self.end)
        self._key = ""

    def compose(self) -> ComposeResult:
        """Both, one over the other."""
        yield self._form
        yield self._input

    @property
    def editing(self) -> str:
        """The key whose value is being typed; "" while none is."""
        return self._key

    def edit(self, text: str, offers: Sequence[str] = ()) -> None:
        """Type over the value under the cursor; `offers` are completed, and gone through with up and down."""
        self._input.offers = tuple(map(one_line, offers))
        self._input.suggester = SuggestFromList(self._input.offers, case_sensitive=False) if offers else None
        with self._input.prevent(Input.Changed):
            self._input.value = text
        self._input.cursor_position = len(self._input.value)
        self._key = self._form.key
        self._form.editing = True
        self._lay_over()
        self._input.add_class("used")
        self.screen.set_focus(self._input)

    def end(self, keep: bool = True) -> None:
        """Stop typing; nothing where nobody types."""
        if not self._key:
            return
        key, self._key = self._key, ""
        self._form.editing = False
        self._input.remove_class("used")
        if self.screen.focused is self._input:
            self.screen.set_focus(self._form)
        self._form.repaint()
        self._tell_ended(key, self._input.value, keep)

    @on(Form.Shifted)
    def _lay_over(self) -> None:
        """Lay the line over the value, wherever that stands now."""
        region = self._form.value_region()
        self._input.styles.offset = (region.x, region.y)
        self._input.styles.width = region.width

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        if self._key:
            self._tell_typed(self._key, self._input.value)
