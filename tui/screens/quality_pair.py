"""Two images that show the same picture, side by side; the arrow keys go to the next pair of the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.screens.ask_picture import AskPicture
from tui.screens.base import WorkbenchScreen
from tui.screens.dataset_check import OneLine
from tui.widgets.lines import Lines

AHEAD = (1, -1, 2)
"""Pairs that are loaded ahead, the likeliest first."""
SIDES = ("one", "other")


class PairScreen(WorkbenchScreen):
    """Both images with their paths and splits, and how alike they are."""

    TAB = "Dataset"
    CSS_PATH = "quality.tcss"
    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter", "back", "Back", id="pair.back", tooltip="Back to the list of pairs"),
        Binding("left,up,h,k", "step(-1)", "Before", id="pair.before", tooltip="The pair before"),
        Binding("right,down,l,j", "step(1)", "Next", id="pair.next", tooltip="The next pair"),
    ]

    def __init__(self, pairs: Sequence[api.Pair], at: int, root: Path, moved: Callable[[int], None]) -> None:
        """Make the screen.

        Args:
            pairs: the list that it goes through.
            at: place of the first one to show.
            root: where the images lie.
            moved: told the place of another pair that is looked at.
        """
        super().__init__()
        self._pairs, self._at, self._root, self._moved = pairs, at, root, moved

    def body(self) -> Iterable[Widget]:
        """The verdict, and both images."""
        yield OneLine(id="verdict")
        with Horizontal(id="both"):
            for side in SIDES:
                with Vertical(classes="side", id=side):
                    yield AskPicture(self.workbench.settings.images)
                    yield Lines()

    def on_mount(self) -> None:
        """Show the first one."""
        for lines in self.query(Lines):
            lines.can_focus = False
        self._show()

    @property
    def crumb(self) -> str:
        """Where one is."""
        return "pair"

    def _show(self) -> None:
        pair = self._pairs[self._at]
        around = [self._pairs[self._at + by] for by in AHEAD if 0 <= self._at + by < len(self._pairs)]
        self._show_side("one", pair.path_a, pair.split_a, [each.path_a for each in around])
        self._show_side("other", pair.path_b, pair.split_b, [each.path_b for each in around])
        self.query_one("#verdict", OneLine).show_pieces(pair_pieces(pair))
        self.show_facts(f"{self._at + 1:,} of {len(self._pairs):,} pairs")

    def _show_side(self, side: str, path: str, split: api.Split, around: Sequence[str]) -> None:
        container = self.query_one(f"#{side}")
        container.query_one(AskPicture).show(self._root, path, "", around)
        container.query_one(Lines).show_paragraphs([[(f"{split.value}  ", "accent"), (path, "text")]])

    # ----- keys

    def action_step(self, by: int) -> None:
        """The next pair, or the one before."""
        to = max(0, min(self._at + by, len(self._pairs) - 1))
        if to != self._at:
            self._at = to
            self._show()
            self._moved(to)

    def action_back(self) -> None:
        """Back to the list."""
        self.app.pop_screen()


def pair_pieces(pair: api.Pair) -> list[tuple[str, str]]:
    """What the two are to each other."""
    where = f"✗ {pair.split_a.value} and {pair.split_b.value}" if pair.crosses else f"both in {pair.split_a.value}"
    alike = "equal, byte for byte" if pair.exact else f"near-duplicates, similarity {pair.similarity:.2f}"
    bits = [] if pair.exact else [(f"{pair.distance} of 64 bits of the hash differ", "dim")]
    return [(where, "bad" if pair.crosses else "text"), (alike, "text"), *bits]
