"""What can be done with runs of a list: open one, mark several, see the curves of all that are marked together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual import on

from tui.screens.run_actions import RunActions
from tui.widgets.table import Table

MOST_MARKED = 5
"""So many curves can be told apart in one chart."""


class RunMarks(RunActions):
    """Mixin of a screen with one table of runs; it says which run is meant (`chosen_run`) and which are `marked`."""

    if TYPE_CHECKING:

        @property
        def marked(self) -> list[int]:
            """The marked runs, in the order of marking; the screen gives them."""

    def marks_changed(self) -> None:
        """Another run is marked, or one is not any more."""

    @on(Table.Opened)
    def action_open_run(self) -> None:
        """Open the run under the cursor."""
        run = self.chosen_run()
        if run is not None:
            self.open_runs([run])

    def action_mark(self) -> None:
        """Mark or unmark the run under the cursor, and go to the next."""
        run, marked = self.chosen_run(), self.marked
        if run is None:
            return
        if run in marked:
            marked.remove(run)
        elif len(marked) < MOST_MARKED:
            marked.append(run)
        else:
            self.notify(f"At most {MOST_MARKED} runs fit into one chart.", severity="warning", markup=False)
        self.marks_changed()
        self.query_one(Table).action_move(1)

    def open_runs(self, runs: Sequence[int]) -> None:
        """Open the run screen for one run, with the curves of others beside its own."""
        from tui.screens.run import RunScreen

        self.app.push_screen(RunScreen(runs[0], tuple(runs[1:])))
