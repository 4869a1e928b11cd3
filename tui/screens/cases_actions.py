"""What can be done with a list of cases: other evaluations beside it, where they differ, one image, a file."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.screens.cases_data import CasesData, CasesWanted, query_of
from tui.screens.cases_list import CasesModel
from tui.text import counted
from tui.widgets.table import Table

if TYPE_CHECKING:
    from tui.app import Workbench

MOST_BESIDE = 3
"""More columns do not fit beside each other."""


class CasesActions(Screen[None]):
    """Mixin of the cases screen; it says what is wanted and shown."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "beside", "Beside", id="cases.beside", tooltip="Lay other runs or references beside this one"),
        Binding("d", "differ", "Differ", show=False, id="cases.differ", tooltip="Where the first one beside differs"),
        Binding("x", "export", "Export", id="cases.export", tooltip="Write the list as CSV or Markdown"),
    ]

    workbench: Workbench
    model: CasesModel
    wanted: CasesWanted
    data: CasesData | None

    if TYPE_CHECKING:  # what the screen itself gives

        def ask(self, wanted: CasesWanted) -> None:
            """Ask for other cases."""

    def open_image(self, path: str) -> None:
        """Open one image; coming back, the cursor is on the one that was looked at last."""
        from tui.screens.cases_image import CaseScreen

        data = self.data
        if data is None:
            return
        evaluations = (data.found.subject.evaluation, *(each.evaluation for each in data.found.others))

        def moved(to: str) -> None:
            self.query_one(Table).move_to_key(to)

        screen = CaseScreen(
            evaluations, path, self.model.paths(), decision=self.wanted.decision, root=data.found.root, moved=moved
        )
        self.app.push_screen(screen)

    # ----- beside

    def action_beside(self) -> None:
        """Choose evaluations to lay beside this one."""
        evaluation = self.wanted.evaluation
        self.workbench.poller.ask(
            lambda live: api.case_evaluations(live, evaluation), self._choose_beside, self.workbench.report
        )

    def _choose_beside(self, found: Sequence[api.CaseSubject]) -> None:
        from tui.dialogs.choose import Choose, Option

        if not found:
            self.notify("Nothing else has been measured on this split and question yet.", markup=False)
            return
        own = None if self.data is None else self.data.confusion.subject.cases_fingerprint
        options = [
            Option(each.evaluation, each.title, "the same cases" if each.cases_fingerprint == own else "! other cases")
            for each in found
        ]

        def answered(chosen: list[Hashable] | None) -> None:
            if chosen is not None:
                others = tuple(key for key in chosen if isinstance(key, int))
                self.ask(replace(self.wanted, others=others, differ=self.wanted.differ if others else ""))

        title = "side by side with"
        self.app.push_screen(
            Choose(title, options, chosen=self.wanted.others, several=True, most=MOST_BESIDE), answered
        )

    def action_differ(self) -> None:
        """All cases; those that only the other gets right; those that only this one gets right; both kinds."""
        if not self.wanted.others:
            self.notify("Lay another run beside this one first: `o`.", markup=False)
            return
        choices = ("", *api.DIFFERENCES)
        at = choices.index(self.wanted.differ)
        # Where the two differ is asked of the whole table: a cell would hide one half of it.
        cell = (None, None) if not self.wanted.differ else self.wanted.cell
        self.ask(replace(self.wanted, differ=choices[(at + 1) % len(choices)], cell=cell))

    # ----- export

    def action_export(self) -> None:
        """Ask for a file."""
        data = self.data
        if data is None or not data.found.found:
            self.notify("There is nothing to write.", severity="warning", markup=False)
            return

        from tui.dialogs.prompt import Prompt
        from tui.screens import cases_export, leaderboard_export

        def answered(typed: str | None) -> None:
            if typed is not None:
                self._export(data, leaderboard_export.target(self.workbench.workspace, typed), overwrite=False)

        hint = "In the workspace, unless another folder is given. .csv has outputs in full; .md is to be read."
        name = cases_export.default_name(data.found.subject)
        self.app.push_screen(
            Prompt(f"write {counted(data.found.found, 'case')} to", name, hint, leaderboard_export.wrong_with), answered
        )

    def _export(self, data: CasesData, file: Path, *, overwrite: bool) -> None:
        from tui.screens import cases_export

        workspace, query = self.workbench.workspace, query_of(self.wanted, data.cell, data.found.query.filter)

        def done(rows: int | None) -> None:
            if rows is None:
                self._ask_to_overwrite(data, file)
            else:
                self.notify(api.plain(f"{counted(rows, 'case')}: {file}"), title="Written", markup=False)

        self.workbench.act(lambda: cases_export.write_cases(workspace, file, query, overwrite=overwrite), done)

    def _ask_to_overwrite(self, data: CasesData, file: Path) -> None:
        from tui.dialogs.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self._export(data, file, overwrite=True)

        self.app.push_screen(Confirm("Replace the file that is there?", str(file), "replace it"), answered)
