"""The two lines on top: where one can go, where one is, and what goes on meanwhile."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from tui.text import cut, fit, width_of
from tui.widgets.cells import CellWidget, line


class Header(CellWidget):
    """First line: the screens with their number keys, and the state of the workspace. Second: breadcrumbs and facts."""

    DEFAULT_CSS = "Header { height: 2; width: 1fr; background: $panel; }"

    def __init__(self) -> None:
        super().__init__()
        self._tabs: tuple[tuple[str, str], ...] = ()
        self._active = ""
        self._crumbs: tuple[str, ...] = ()
        self._facts = ""
        self._status: tuple[str, str] = ("", "dim")

    def show_place(self, tabs: tuple[tuple[str, str], ...], active: str, crumbs: tuple[str, ...]) -> None:
        """Set the tabs as (key, title), the title of the active one, and the breadcrumbs below it (untrusted text)."""
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
        text, tone = self._status
        status = cut(text, max(0, width // 2)) + " "
        style: Style = palette.bar + getattr(palette, tone)
        room = width - width_of(status)
        parts: list[tuple[str, Style]] = []
        used = 0
        for key, title in self._tabs:
            # Where the window is narrow, only the active title is written out: the others keep their numbers.
            label = title if room >= self._full_width() or title == self._active else title[:4]
            piece = f" {key} {label} "
            if used + len(piece) > room:
                break
            if title == self._active:
                parts.append((piece, palette.bar_active))
            else:
                parts += [(f" {key}", palette.bar_key), (f" {label} ", palette.bar)]
            used += len(piece)
        return line(*parts, (" " * max(0, room - used), palette.bar), (status, style))

    def _full_width(self) -> int:
        return sum(len(key) + len(title) + 3 for key, title in self._tabs)

    def _second(self, width: int) -> Strip:
        palette = self.palette
        facts = cut(self._facts, max(0, width * 2 // 3))
        room = max(0, width - width_of(facts) - 2)
        where = " " + " › ".join(cut(crumb, 40) for crumb in self._crumbs)
        return line((fit(where, room), palette.bar + palette.bold), (f" {facts} ", palette.bar))
