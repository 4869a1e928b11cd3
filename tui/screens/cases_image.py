"""One image, with what several evaluations say of it; the arrow keys go to its neighbours in the list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from engine import api
from tui.screens.base import WorkbenchScreen
from tui.screens.cases_pane import CasePane

AHEAD = 3
"""Neighbours that are loaded ahead in the direction of the last step; one in the other."""


class CaseScreen(WorkbenchScreen):
    """The image, the annotated answer, and every output side by side."""

    TAB = "Leaderboard"
    CSS_PATH = "cases.tcss"
    AUTO_FOCUS = "#replies"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (140, "-wide")]  # noqa: RUF012 - Textual's own class variable
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", "Back", id="case.back", tooltip="Back to the list"),
        Binding("left,h", "step(-1)", "Before", id="case.before", tooltip="The case before in the list"),
        Binding("right,l", "step(1)", "Next", id="case.next", tooltip="The next case of the list"),
        Binding(
            "t", "decision", "Text/P", id="case.decision", tooltip="Decide by text, or by threshold on P(abnormal)"
        ),
        Binding("z", "enlarge", "Enlarge", id="case.enlarge", tooltip="The picture alone, and back"),
        Binding("w", "raw", "Raw", show=False, id="case.raw", tooltip="Grey levels as in the file, or stretched"),
    ]

    def __init__(
        self,
        evaluations: Sequence[int],
        path: str,
        paths: Sequence[str],
        *,
        decision: api.Decision = api.Decision.TEXT,
        root: Path | None = None,
        moved: Callable[[str], None] | None = None,
    ) -> None:
        """Make the screen.

        Args:
            evaluations: whose answers stand side by side; at least one.
            path: of the image.
            paths: the list that it stands in.
            decision: whether outcomes are shown by text or by threshold.
            root: image root, where it is known already.
            moved: told the path of another image of the list that is looked at.
        """
        super().__init__()
        self._evaluations = tuple(evaluations)
        self._paths = list(paths) if path in paths else [path]
        self._at = self._paths.index(path)
        self._decision = decision
        self._root = root
        self._moved = moved
        self._last_step = 1

    def body(self) -> Iterable[Widget]:
        """The pane alone."""
        yield CasePane(self.workbench.settings.images, id="case")

    def on_mount(self) -> None:
        """Show the case."""
        pane = self.query_one(CasePane)
        pane.decision = self._decision
        pane.set_evaluations(self._evaluations)
        self._show()

    @property
    def path(self) -> str:
        """Of the image that is shown."""
        return self._paths[self._at]

    @property
    def crumb(self) -> str:
        """The image."""
        return self.path

    def _show(self) -> None:
        steps = [step * self._last_step for step in range(1, AHEAD + 1)] + [-self._last_step]
        around = [self._paths[self._at + step] for step in steps if 0 <= self._at + step < len(self._paths)]
        self.query_one(CasePane).show_case(self.path, self._root, around)
        by = "by threshold" if self._decision is api.Decision.THRESHOLD else "by text"
        self.show_facts(f"{self._at + 1:,} of {len(self._paths):,} · {by}")
        self.show_place()

    # ----- keys

    def action_step(self, by: int) -> None:
        """The next case, or the one before."""
        to = max(0, min(self._at + by, len(self._paths) - 1))
        if to == self._at:
            return
        self._at, self._last_step = to, by
        self._show()
        if self._moved is not None:
            self._moved(self.path)

    def action_decision(self) -> None:
        """By text, or by threshold."""
        by_text = self._decision is api.Decision.TEXT
        self._decision = api.Decision.THRESHOLD if by_text else api.Decision.TEXT
        self.query_one(CasePane).show_decision(self._decision)
        self._show()

    def action_enlarge(self) -> None:
        """The picture alone, and back."""
        self.toggle_class("enlarged")

    def action_raw(self) -> None:
        """Grey levels as in the file, or stretched."""
        self.query_one(CasePane).toggle_raw()

    def action_back(self) -> None:
        """From the picture to the case; from there to the list."""
        if self.has_class("enlarged"):
            self.remove_class("enlarged")
        else:
            self.app.pop_screen()
