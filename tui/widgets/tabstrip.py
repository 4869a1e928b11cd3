"""A line with the names of panes, the one in sight marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.widgets.cells import CellWidget, line


class TabStrip(CellWidget):
    """Names beside each other; a click chooses one."""

    DEFAULT_CSS = "TabStrip { height: 1; width: 1fr; }"

    @dataclass
    class Clicked(Message):
        """A name was clicked."""

        name: str

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._active = self._names[0]

    def show_active(self, name: str) -> None:
        """Mark another one."""
        self._active = name
        self.repaint()

    def draw(self, width: int, height: int) -> list[Strip]:
        """The line."""
        palette = self.palette
        parts: list[tuple[str, Style]] = []
        for name in self._names:
            active = name == self._active
            parts.append((f"[{name}]" if active else f" {name} ", palette.accent if active else palette.dim))
        used = sum(len(text) for text, _ in parts)
        return [line(*parts, (" ", palette.dim), ("─" * max(0, width - used - 1), palette.track))][:height]

    def on_click(self, event: events.Click) -> None:
        """Say which name was clicked."""
        at = 0
        for name in self._names:
            if at <= event.x < at + len(name) + 2:
                self.post_message(self.Clicked(name))
            at += len(name) + 2
