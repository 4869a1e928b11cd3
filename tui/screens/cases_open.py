"""Ways to the cases of an evaluation, for every screen that shows figures; the screens load when they are opened."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from engine import api

if TYPE_CHECKING:
    from tui.app import Workbench


def open_cases(workbench: Workbench, evaluation_id: int) -> None:
    """Open the confusion table of an evaluation, with its cases."""
    from tui.screens.cases import CasesScreen

    workbench.push_screen(CasesScreen(evaluation_id))


def open_case(workbench: Workbench, evaluation_ids: Sequence[int], path: str, paths: Sequence[str] = ()) -> None:
    """Open one image with what several evaluations say of it.

    Args:
        workbench: the app.
        evaluation_ids: of the same question and dataset, the most important first; at least one.
        path: of the image, relative to the image root of the dataset.
        paths: the list that it stands in, for the keys that go to its neighbours.
    """
    from tui.screens.cases_image import CaseScreen

    workbench.push_screen(CaseScreen(tuple(evaluation_ids), path, paths or (path,)))


def open_run_cases(workbench: Workbench, run: int) -> None:
    """Open the cases of a run: of its one finished evaluation, or of the one that is chosen."""
    workbench.poller.ask(
        lambda live: live.run_view(run).evaluations, lambda rows: _choose(workbench, rows), workbench.report
    )


def _choose(workbench: Workbench, rows: Sequence[api.EvaluationRow]) -> None:
    finished = [row for row in reversed(rows) if row.state == api.State.SUCCEEDED]
    if not finished:
        workbench.notify("Nothing of this run has been measured yet: `E` measures it.", markup=False)
        return
    if len(finished) == 1:
        open_cases(workbench, finished[0].id)
        return
    from tui.dialogs.choose import Choose, Option

    def answered(chosen: list[Hashable] | None) -> None:
        for key in chosen or ():
            if isinstance(key, int):
                open_cases(workbench, key)

    options = [Option(row.id, f"{row.question} on {row.split}", _words(row)) for row in finished]
    workbench.push_screen(Choose("cases of which evaluation", options), answered)


def _words(row: api.EvaluationRow) -> str:
    shown = row.images if row.degradation else f"prompt {row.prompt}" if row.prompt else ""
    return ", ".join(part for part in (row.dataset, f"{row.n or 0} cases", shown, f"evaluation {row.id}") if part)
