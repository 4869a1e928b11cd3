"""What can be done with a row of the leaderboard, and with the table as it stands."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine import api
from tui.screens.leaderboard_rows import BoardModel, Row
from tui.screens.leaderboard_table import BoardTable
from tui.screens.run_marks import RunMarks

MOST_PINNED = 20
_NOT_HERE = ("stop_run", "cancel_run", "resume_run")
"""Actions on a run that has not ended: what stands here has been trained and measured."""
_PINNING = threading.Lock()
"""One pin after the other: each reads what is pinned, and writes it with one change."""


class BoardActions(RunMarks):
    """Mixin of the leaderboard; it says what is shown (`model`)."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_run", "Open", id="leaderboard.open", tooltip="Curves, gauges, log, scores of the run"),
        Binding("i", "cases", "Cases", id="leaderboard.cases", tooltip="The images behind the row's figures"),
        Binding("p", "pin", "Pin", id="leaderboard.pin", tooltip="Keep the run's row on top, or no longer"),
        Binding(
            "v",
            "compare",
            "Compare",
            show=False,
            id="leaderboard.compare",
            tooltip="Pinned and marked rows, image by image",
        ),
        Binding(
            "space",
            "mark",
            "Mark",
            show=False,
            id="leaderboard.mark",
            tooltip="Mark up to five runs, to see their curves together",
        ),
        Binding(
            "o",
            "overlay",
            "Overlay",
            show=False,
            id="leaderboard.overlay",
            tooltip="Curves of the marked runs together",
        ),
        Binding("y", "copy_row", "Copy", show=False, id="leaderboard.copy", tooltip="Copy the row as text"),
        Binding(
            "w",
            "export",
            "Export",
            show=False,
            id="leaderboard.export",
            tooltip="Write the table as it stands, as CSV or Markdown",
        ),
    ]

    model: BoardModel

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether an action makes sense here."""
        return action not in _NOT_HERE and super().check_action(action, parameters)

    def current_row(self) -> Row | None:
        """The row under the cursor."""
        return self.query_one(BoardTable).current_row()

    def chosen_run(self) -> int | None:
        """The run under the cursor; None, and a word about it, where the cursor is on a reference."""
        row = self.current_row()
        if row is None:
            return None
        if row[2] is not None:
            self.notify("This is a reference row: there is no run behind it.", markup=False)
            return None
        run: int = row[1]
        return run

    # ----- runs

    @property
    def marked(self) -> list[int]:
        """The marked runs."""
        return self.model.marked

    def action_overlay(self) -> None:
        """Open the marked runs together; where none is marked, the one under the cursor."""
        runs = list(self.marked) or [run for run in (self.chosen_run(),) if run is not None]
        if runs:
            self.open_runs(runs)

    def action_pin(self) -> None:
        """Pin or unpin the run under the cursor."""
        run, workspace = self.chosen_run(), self.workbench.workspace
        if run is not None:
            self.workbench.act(lambda: toggle_pin(workspace, run))

    def action_cases(self) -> None:
        """The images behind the figures of the row, which may be a reference."""
        from tui.screens.cases_open import open_cases

        row = self.current_row()
        if row is not None:
            open_cases(self.workbench, row[0])

    def action_compare(self) -> None:
        """Compare the pinned and the marked rows, or the row under the cursor with the majority class."""
        from tui.screens.compare_open import Asked, board_subjects, open_comparison

        board, row = self.model.board, self.current_row()
        if board is None or board.group is None or row is None:
            return
        subjects, left_out = board_subjects(board, self.marked, row)
        if left_out:
            self.notify(f"Left out: {left_out}. They are not in this group, or there are too many.", markup=False)
        group = board.group.key
        asked = Asked(subjects, group.question, api.Split(group.split), group.cases_fingerprint)
        open_comparison(self.workbench, asked)

    # ----- text

    def action_copy_row(self) -> None:
        """Copy the row under the cursor."""
        board, row = self.model.board, self.current_row()
        if board is not None and row is not None:
            self.app.copy_to_clipboard(api.board_text_row(board, row))
            words = (
                "Sent to the clipboard. Whether it arrives is up to the terminal; tmux needs `set -g set-clipboard on`."
            )
            self.notify(words, title="Copied", markup=False)

    def action_export(self) -> None:
        """Ask for a file."""
        board = self.model.board
        if board is None or board.group is None:
            self.notify("There is nothing to write yet.", severity="warning", markup=False)
            return

        from tui.dialogs.prompt import Prompt
        from tui.screens import leaderboard_export as export

        def answered(typed: str | None) -> None:
            if typed is not None:
                self._export(board, export.target(self.workbench.workspace, typed), overwrite=False)

        hint = "In the workspace, unless another folder is given. .csv has every figure; .md is to be read."
        name = export.default_name(board.group)
        self.app.push_screen(Prompt("write the table to", name, hint, export.wrong_with), answered)

    def _export(self, board: api.Board, file: Path, *, overwrite: bool) -> None:
        from tui.screens import leaderboard_export as export

        form = export.form_of(file.name) or "csv"

        def done(written: bool) -> None:
            if written:
                self.notify(api.plain(f"{len(board.rows)} rows: {file}"), title="Written", markup=False)
            else:
                self._ask_to_overwrite(board, file)

        self.workbench.act(lambda: export.write_export(file, board, form, overwrite=overwrite), done)

    def _ask_to_overwrite(self, board: api.Board, file: Path) -> None:
        from tui.dialogs.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self._export(board, file, overwrite=True)

        self.app.push_screen(Confirm("Replace the file that is there?", str(file), "replace it"), answered)


def toggle_pin(workspace: api.Workspace, run: int) -> str:
    """Pin a run, or take its pin away; what is to be told, if anything.

    Raises:
        StoreError: runs.db can't be written.
    """
    with _PINNING:
        pins = api.pins(workspace)
        if run in pins:
            pins.remove(run)
        elif len(pins) < MOST_PINNED:
            pins.append(run)
        else:
            return f"At most {MOST_PINNED} runs can be pinned, those of all groups together."
        api.set_pins(workspace, pins)
    return ""
