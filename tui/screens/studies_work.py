"""Working out the answers of studies in the background: one study at a time, none twice for the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine import api
from tui.app import Workbench
from tui.poller import attempt
from tui.screens.studies_model import StudyRow

Known = tuple[str, str]


class Shows(Protocol):
    """The screen that shows how the work goes on."""

    @property
    def workbench(self) -> Workbench:
        """The app."""

    @property
    def is_attached(self) -> bool:
        """Whether it is still there."""

    def say(self, words: str) -> None:
        """Show what is going on; "" ends it."""


class Answering:
    """Asks for results that are not kept yet; the engine keeps what it works out, and the poller finds it there."""

    def __init__(self, screen: Shows, *, wait_for_rest: bool = True) -> None:
        """Make it.

        Args:
            screen: says how the work goes on.
            wait_for_rest: leave studies alone of which something still runs or waits: every measurement that ends
                would be another result.
        """
        self._screen = screen
        self._wait_for_rest = wait_for_rest
        self._at_work = False
        self._tried: dict[Known, object] = {}
        """What each study's result depended on when it was last asked for."""
        self._later: list[StudyRow] = []

    def work_out(self, rows: Sequence[StudyRow]) -> None:
        """Work out the results of those that have none for what is measured now."""
        self._later = [row for row in rows if self._is_wanted(row)]
        self._next()

    def _is_wanted(self, row: StudyRow) -> bool:
        if row.state is None or row.result is not None or not any(cell.targets_done for cell in row.cells):
            return False
        if self._wait_for_rest and row.state.working:
            return False
        return self._tried.get((row.name, row.scale)) != _depends_on(row)

    def _next(self) -> None:
        if self._at_work or not self._later:
            return
        row = self._later.pop(0)
        self._at_work = True
        self._tried[row.name, row.scale] = _depends_on(row)
        self._screen.say(f"Working out the answers of {row.title} …")
        workspace = self._screen.workbench.workspace
        # An error is an answer here: the other studies have to be worked out too.
        self._screen.workbench.act(
            lambda: attempt(lambda: api.study_result(workspace, row.name, row.scale)), self._worked_out
        )

    def _worked_out(self, answer: api.StudyResult | api.SonotuneError) -> None:
        self._at_work = False
        if isinstance(answer, api.SonotuneError):
            self._screen.workbench.report(answer)
        if self._screen.is_attached:
            self._screen.say("")
            self._next()


def _depends_on(row: StudyRow) -> object:
    """What another result would have to come from: rule, marks and looks are in the key."""
    return row.key, row.rules, tuple((cell.name, cell.run_id, cell.targets_done, cell.stage) for cell in row.cells)
