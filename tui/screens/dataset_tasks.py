"""What takes a while on a dataset: drawing phantoms, checking every file, listing what the import left out."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.worker import get_current_worker

from engine import api
from tui.dialogs.confirm import Confirm
from tui.screens.dataset_findings import Findings

if TYPE_CHECKING:
    from tui.app import Workbench

Progress = Callable[[int, int], None]
"""Called with (done, total), in the thread that works."""
PHANTOMS = "phantoms"
COUNT, SIZE, ABNORMAL_SHARE = 2400, 160, 0.25
"""Those of `sonotune data import phantoms` and of `sonotune demo`, so that both find their dataset done."""


class DatasetTasks(Screen[None]):
    """Mixin of a screen; it says which dataset is meant, and shows what goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("i", "import_phantoms", "Draw phantoms", id="dataset.import", tooltip="Import synthetic images"),
        Binding("c", "check_files", "Check files", show=False, id="dataset.check", tooltip="Read every image again"),
        Binding(
            "P", "list_problems", "All problems", show=False, id="dataset.left_out", tooltip="What the import left out"
        ),
    ]

    workbench: Workbench
    _busy = ""
    """What goes on, for the facts line; "" is nothing."""

    def chosen_dataset(self) -> str | None:
        """The dataset that the keys mean; None where there is none."""
        return None

    def show_busy(self, words: str) -> None:
        """Say what goes on; "" when it is over."""
        self._busy = words

    def show_check(self, dataset: str, problems: list[api.Problem]) -> None:
        """A check is over."""

    # ----- phantoms

    def action_import_phantoms(self) -> None:
        """Draw phantoms, after a question."""

        def answered(yes: bool | None) -> None:
            if yes:
                self._import_phantoms()

        self.app.push_screen(
            Confirm(
                f"Draw {COUNT:,} phantoms and import them?",
                f"Synthetic images with all eight answers, {ABNORMAL_SHARE:.0%} of them abnormal. They take about "
                "40 MB and a minute, and say nothing about patients.",
                "draw them",
            ),
            answered,
        )

    def _import_phantoms(self) -> None:
        workspace = self.workbench.workspace

        def work(progress: Progress) -> str:
            _start_tracker()
            summary = api.import_phantom_dataset(
                workspace,
                PHANTOMS,
                count=COUNT,
                size=SIZE,
                abnormal_share=ABNORMAL_SHARE,
                progress=progress,
            )
            return f"{summary.record.images:,} phantoms are imported."

        self._begin("drawing phantoms", work, lambda words: self.notify(words, markup=False))

    # ----- problems

    def action_check_files(self) -> None:
        """Read every image again and compare it with the import."""
        dataset, workspace = self.chosen_dataset(), self.workbench.workspace
        if dataset is not None:
            self._begin(
                "checking files",
                lambda progress: api.check_dataset(workspace, dataset, progress),
                lambda problems: self._checked(dataset, problems),
            )

    def _checked(self, dataset: str, problems: list[api.Problem]) -> None:
        self.show_check(dataset, problems)
        if not problems:
            self.notify(f"Every file of {api.one_line(dataset)} is as it was imported.", markup=False)
            return
        if self.is_current:
            head = [[(f"{len(problems):,} differences between {dataset} and its import", "bold")]]
            self.app.push_screen(Findings("check of files", head, problems))
        else:
            words = f"{len(problems):,} files of {api.one_line(dataset)} differ; they are marked in the list."
            self.notify(words, severity="warning", markup=False)

    def action_list_problems(self) -> None:
        """Everything that the import left out, lines without an image too."""
        dataset = self.chosen_dataset()
        if dataset is not None:
            self.workbench.poller.ask(
                lambda live: api.dataset_problems(live, dataset),
                lambda problems: self._listed(dataset, problems),
                self.workbench.report,
            )

    def _listed(self, dataset: str, problems: list[api.Problem]) -> None:
        if not problems:
            self.notify(f"The import of {api.one_line(dataset)} left nothing out.", markup=False)
            return
        head = [[(f"{len(problems):,} entries were left out of {dataset}", "bold")]]
        self.app.push_screen(Findings("left out at import", head, problems))

    # ----- one at a time, in a thread

    def _begin(self, words: str, work: Callable[[Progress], Any], done: Callable[[Any], None]) -> None:
        if self._busy:
            self.notify(f"One thing at a time: {self._busy}.", severity="warning", markup=False)
            return
        self.show_busy(words)
        workbench = self.workbench  # a thread cannot ask for it once the workbench is being left

        def job() -> Any:
            try:
                return work(self._progress(workbench, words))
            finally:
                workbench.from_thread(lambda: self.show_busy(""))

        workbench.act(job, done)

    def _progress(self, workbench: Workbench, words: str) -> Progress:
        """Shows each whole percent; called, like what it returns, in the thread that works."""
        worker = get_current_worker()
        shown = -1

        def progress(done: int, total: int) -> None:
            nonlocal shown
            if worker.is_cancelled:  # the workbench is being left, and must not wait for the end
                raise api.SonotuneError(f"Not finished: {words}", "The workbench was left.", "Begin again.")
            percent = 100 * done // max(total, 1)
            if percent != shown:
                shown = percent
                workbench.from_thread(lambda: self.show_busy(f"{words} {percent} %"))

        return progress


def _start_tracker() -> None:
    """Start the helper process without which no process pool can be made.

    It is handed the file of sys.stderr; where Textual has put an object without one there, it could not be started.
    """
    from multiprocessing import resource_tracker

    with contextlib.redirect_stderr(sys.__stderr__):
        resource_tracker.ensure_running()
