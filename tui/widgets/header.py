"""The two lines on top: where one can go, where one is, and what goes on meanwhile."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from engine.api import one_line
from tui.text import cut, fit, width_of
from tui.widgets.cells import CellWidget, line


class Header(CellWidget):
    """First line: the screens with their number keys, and the state of the workspace. Second: breadcrumbs and facts."""

    DEFAULT_CSS = "Header { height: 2; width: 1fr; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._tabs: tuple[tuple[str, str, str], ...] = ()
        self._active = ""
        self._crumbs: tuple[str, ...] = ()
        self._facts = ""
        self._status: tuple[str, str] = ("", "dim")

    def show_place(self, tabs: tuple[tuple[str, str, str], ...], active: str, crumbs: tuple[str, ...]) -> None:
        """Set the tabs as (key, title, short title), the active title, and the breadcrumbs below (untrusted text)."""
        self._tabs, self._active, self._crumbs = tabs, active, crumbs
        self.repaint()

    def show_facts(self, facts: str) -> None:
        """Set what the screen says of itself, on the second line at the right."""
        self._facts = facts
        self.repaint()

    def show_status(self, text: str, tone: str) -> None:
        """Set the state of the workspace; `tone` is good, warn, bad or dim."""
        self._status = (text, tone)
        self.repaint()

    def draw(self, width: int, height: int) -> list[Strip]:
        """Both lines."""
        return [self._first(width), self._second(width)][:height]

    def _first(self, width: int) -> Strip:
        palette = self.palette
        status = self._status_for(width)
        style = palette.bar + palette.named(self._status[1])
        room = width - width_of(status)
        parts: list[tuple[str, Style]] = []
        used = 0
        for key, label, active in self._labels(room):
            # Where there is little room, one space stands between two names; the active one keeps both.
            tight = label and not active and self._tight > room
            piece = f" {key} {label}" if tight else f" {key} {label} " if label else f" {key} "
            if used + len(piece) > room:
                break
            if active:
                parts.append((piece, palette.bar_active))
            else:
                parts += [(f" {key}", palette.bar_key), (piece[len(key) + 1 :], palette.bar)]
            used += len(piece)
        return line(*parts, (" " * max(0, room - used), palette.bar), (status, style))

    def _status_for(self, width: int) -> str:
        """The status; of a long one the last parts, which matter most, so that the tabs keep their names."""
        parts = self._status[0].split(" · ")
        while len(parts) > 1 and self._tightest + width_of(" · ".join(parts)) + 2 > width:
            parts = parts[1:]
        return cut(" · ".join(parts), max(0, width * 3 // 5)) + " "

    @property
    def _tight(self) -> int:
        """Cells of all tabs by their short titles, with a space on both sides of each."""
        return sum(len(key) + len(short) + 3 for key, _, short in self._tabs)

    @property
    def _tightest(self) -> int:
        """The same with one space between two of them."""
        return self._tight - max(0, len(self._tabs) - 1)

    def _labels(self, room: int) -> list[tuple[str, str, bool]]:
        """Key, words and whether active, of every tab: in full, in short, or as numbers, whatever fits."""
        full = [(key, title, title == self._active) for key, title, _ in self._tabs]
        short = [(key, words, title == self._active) for key, title, words in self._tabs]
        if sum(len(key) + len(words) + 3 for key, words, _ in full) <= room:
            return full
        if self._tightest <= room:
            return short
        return [(key, words if active else "", active) for key, words, active in short]

    def _second(self, width: int) -> Strip:
        palette = self.palette
        facts = cut(self._facts, max(0, width * 2 // 3))
        room = max(0, width - width_of(facts) - 2)
        where = " " + " › ".join(one_line(crumb) for crumb in self._crumbs)
        return line((fit(where, room), palette.bar + palette.bold), (f" {facts} ", palette.bar))
