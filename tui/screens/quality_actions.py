"""What enter does on the quality page: to the pane behind a finding, to both images of a pair, to the images."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING

from textual import on
from textual.screen import Screen

from tui.screens.quality_reading import QualityData
from tui.widgets.table import Table

PLACES = {
    "unreadable": "images",
    "changed": "images",
    "blank": "images",
    "tiny": "images",
    "silent": "images",
    "unchecked": "images",
    "duplicates_cross": "pairs",
    "near_duplicates_cross": "pairs",
    "duplicates": "pairs",
    "near_duplicates": "pairs",
    "chains": "pairs",
    "rare": "unusual",
}
"""Panes by the code of a finding; `odd_Q1` and its like are unusual answers, everything else is about labels."""


class QualityActions(Screen[None]):
    """Mixin of the quality page; it has the report, its tables and the panes."""

    data: QualityData | None = None
    """None before the first report, and where there is none."""

    if TYPE_CHECKING:  # what the screen itself gives

        def table(self, pane: str) -> Table:
            """The table of a pane."""

        def go_to(self, pane: str) -> None:
            """Show another pane."""

        def list_images(self, condition: str) -> None:
            """Leave for the list of images, with a filter."""

    @on(Table.Opened, "#findings")
    def _open_finding(self) -> None:
        """To the pane that lists everything that a finding counts."""
        row = self.table("findings").cursor
        if self.data is not None and row < len(self.data.report.findings):
            code = self.data.report.findings[row].code
            if code.startswith("odd_"):
                self.go_to("unusual")
            else:
                self.go_to(PLACES.get(code, "labels"))

    @on(Table.Opened, "#pairs")
    def _open_pair(self, message: Table.Opened) -> None:
        """Both images side by side."""
        if self.data is not None and isinstance(message.key, int):
            from tui.screens.quality_pair import PairScreen

            self.app.push_screen(PairScreen(self.data.pairs, message.key, self.data.root, self._at_pair))

    def _at_pair(self, place: int) -> None:
        """The cursor follows whoever steps from pair to pair."""
        self.table("pairs").move_to_key(place)

    @on(Table.Opened, "#unusual")
    @on(Table.Opened, "#readings")
    def _list_answer(self, message: Table.Opened) -> None:
        """The images that have an answer."""
        self._list(message.key, lambda question, answer: f"{question} = {answer}")

    @on(Table.Opened, "#images")
    def _list_image(self, message: Table.Opened) -> None:
        """The image in the list."""
        self._list(message.key, lambda _, path: f"path = {path}")

    def _list(self, key: Hashable, condition: Callable[[str, str], str]) -> None:
        if not isinstance(key, tuple):
            return
        name, value = key
        if not value.isprintable():
            self.notify("This text cannot be written as a filter.", severity="warning", markup=False)
            return
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        self.list_images(condition(name, f'"{quoted}"'))
