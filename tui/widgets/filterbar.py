"""The line in which a filter is typed: it filters while one types, says what is wrong, and completes the word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from rich.style import Style
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.suggester import Suggester
from textual.widgets import Input

from engine import api
from tui.text import fit, width_of
from tui.themes import palette_of
from tui.widgets.cells import line

Columns = Mapping[str, Any]
"""Name to kind of the columns that a filter may name."""


LEAST_CELLS = 12
"""Where less is left beside the filter, what is wrong with it is not said there."""


def _said(error: api.SonotuneError) -> str:
    """What is wrong and what would be right; the reason only repeats the filter."""
    return ". ".join(part.rstrip(".") for part in (error.title, error.next_step) if part)


class _Words(Suggester):
    """Completes the word at the end with a column, an operator or a keyword."""

    def __init__(self, columns: Columns | Callable[[], Columns]) -> None:
        super().__init__(use_cache=False)
        self._columns = columns

    async def get_suggestion(self, value: str) -> str | None:
        # In a thread, because the language is imported when somebody first types.
        return await asyncio.to_thread(self._completed, value)

    def _completed(self, value: str) -> str | None:
        columns = self._columns() if callable(self._columns) else self._columns
        found = [each for each in api.complete_filter(value, len(value), columns) if each.end == len(value)]
        fitting = (value[: each.start] + each.text for each in found)
        return next((text for text in fitting if text != value and text.startswith(value)), None)


class FilterBar(Input):
    """Hidden until it is asked for; escape takes the filter away, enter keeps it and goes back to the list."""

    HELP_TITLE = "Filter"
    DEFAULT_CSS = """
    FilterBar { height: 1; border: none; padding: 0 1; background: $surface; display: none; }
    FilterBar:focus, FilterBar.-invalid, FilterBar.-invalid:focus { border: none; background: $surface; }
    FilterBar.used { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "No filter", id="filter.drop"),
        Binding("enter", "keep", "Keep", id="filter.keep", priority=True),
        Binding("tab", "complete", "Complete", id="filter.complete", priority=True),
    ]

    @dataclass
    class Asked(Message):
        """Another filter is wanted; "" is none."""

        text: str

    @dataclass
    class Left(Message):
        """Typing is over: the list should have the focus."""

    def __init__(self, columns: Columns | Callable[[], Columns], example: str) -> None:
        """Make it for a list with these columns; `example` stands there while it is empty.

        A function is called when somebody types: its columns then cost nothing before the first paint.
        """
        super().__init__(placeholder=f"filter, such as  {example}", suggester=_Words(columns), select_on_focus=False)
        self.cursor_blink = False  # a cursor that blinks sends bytes all day
        self._problem = ""

    def open(self) -> None:
        """Show it and put the cursor there."""
        self.add_class("used")
        self.focus()

    def show_problem(self, error: api.SonotuneError | None) -> None:
        """Say what is wrong with the filter beside it; None: nothing is."""
        self._problem = "" if error is None else _said(error)
        self.set_class(error is not None, "-invalid")
        self.tooltip = None if error is None else api.one_line(error)
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """What is typed, and at the right what is wrong with it."""
        strip = super().render_line(y)
        room = self.content_size.width - width_of(self.value) - 3
        if not self._problem or y or room < LEAST_CELLS:
            return strip
        style = palette_of(self.app).bad + Style(bgcolor=self.rich_style.bgcolor)
        text = fit(self._problem, room, "right")
        return Strip.join([strip.crop(0, self.content_size.width - room), line((text, style))])

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Asked(event.value.strip()))

    def action_drop(self) -> None:
        """No filter."""
        self.value = ""
        self.action_keep()

    def action_keep(self) -> None:
        """Leave the filter as it is and go back."""
        self.set_class(bool(self.value.strip()), "used")
        self.post_message(self.Left())

    def action_complete(self) -> None:
        """Take the completion that is shown in grey."""
        self.action_cursor_right()
