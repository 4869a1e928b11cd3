"""The last line: the keys that matter here."""

from __future__ import annotations

from collections.abc import Iterable

from rich.style import Style
from textual import events
from textual.strip import Strip

from tui.widgets.cells import CellWidget, line

KEY_NAMES = {
    "question_mark": "?",
    "slash": "/",
    "space": "space",
    "enter": "enter",
    "escape": "esc",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "plus": "+",
    "minus": "-",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "comma": ",",
    "full_stop": ".",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "shift+up": "⇧↑",
    "shift+down": "⇧↓",
    "shift+left": "⇧←",
    "shift+right": "⇧→",
}


def key_name(key: str) -> str:
    """A key as it stands on the keyboard: `?` for question_mark, `^p` for ctrl+p."""
    if key in KEY_NAMES:
        return KEY_NAMES[key]
    if key.startswith("ctrl+"):
        return f"^{key_name(key.removeprefix('ctrl+'))}"
    return key


class Footer(CellWidget):
    """As many (key, words) pairs as fit, in the order given; `? help` is always there, because it has the rest."""

    DEFAULT_CSS = "Footer { height: 1; width: 1fr; background: $panel; }"
    LAST = ("?", "help")

    def __init__(self) -> None:
        super().__init__()
        self._keys: tuple[tuple[str, str, str], ...] = ()
        self._places: list[tuple[int, int, str]] = []

    def show_keys(self, keys: Iterable[tuple[str, str, str]]) -> None:
        """Set the keys as (key name, words, the key itself)."""
        shown = tuple(keys)
        if shown != self._keys:
            self._keys = shown
            self.repaint()

    def draw(self, width: int, height: int) -> list[Strip]:
        """The line."""
        palette = self.palette
        last = f" {self.LAST[0]} {self.LAST[1]} "
        room = width - len(last)
        parts: list[tuple[str, Style]] = []
        self._places = []
        used = 0
        for key, words, pressed in self._keys:
            length = len(key) + len(words) + 3
            if used + length > room:
                continue
            parts += [(f" {key}", palette.bar_key), (f" {words} ", palette.bar)]
            self._places.append((used, used + length, pressed))
            used += length
        parts.append((" " * max(0, room - used), palette.bar))
        self._places.append((max(0, room), width, "question_mark"))
        return [line(*parts, (f" {self.LAST[0]}", palette.bar_key), (f" {self.LAST[1]} ", palette.bar))][:height]

    def on_click(self, event: events.Click) -> None:
        """A click on a key does what the key does."""
        for left, right, pressed in self._places:
            if left <= event.x < right:
                self.app.simulate_key(pressed)
