"""The queue: what runs on which device, what waits in which order, what ended lately."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from textual import events, on
from textual.binding import Binding, BindingType
from textual.widget import Widget

from engine import api
from tui.dialogs.confirm import Confirm
from tui.dialogs.prompt import Prompt
from tui.poller import attempt
from tui.screens import queue_text
from tui.screens.base import WorkbenchScreen
from tui.screens.queue_data import QueueData, QueueQuestion, Row, WaitingRow
from tui.screens.queue_parts import Details, PauseLine
from tui.screens.queue_table import QueueModel, QueueTable, job_title
from tui.widgets.table import Table

TIME_SECONDS = 2.0
"""How often to look again where nothing is written: a silent job must be seen as lost, a worker that ended as gone."""
WORKER_WAIT_SECONDS = 3.0
"""How long to wait, in a thread, for a worker to hold its lock: one that ends at once is an error to show."""
LONGEST_REASON = 200


class QueueScreen(WorkbenchScreen):
    """What waits for which device, in the order in which it is started. Moving a job gives it the priority of its new
    neighbour. A paused queue starts nothing new; what runs goes on. The row under the cursor is told whole below."""

    TAB = "Queue"
    CSS_PATH = "queue.tcss"
    AUTO_FOCUS = "QueueTable"
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-normal"), (40, "-tall")]  # noqa: RUF012 - Textual's own class variable
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open_run", "Open", id="queue.open", tooltip="Curves, log and scores of the run"),
        Binding("shift+up,K", "move_job('up')", "Up", id="queue.up", tooltip="Start the job before the one above it"),
        Binding(
            "shift+down,J", "move_job('down')", "Down", id="queue.down", tooltip="Start the job after the one below it"
        ),
        Binding("p", "pause", "Pause", id="queue.pause", tooltip="Start nothing new, or let the queue go on"),
        Binding("r", "retry", "Retry", id="queue.retry", tooltip="Queue a failed or interrupted job again"),
        Binding(
            "x,X", "cancel", "Cancel", id="queue.cancel", tooltip="End a job for good, or take it out of the queue"
        ),
        Binding("s", "stop", "Stop", id="queue.stop", tooltip="Save what a running job has, then end it; resumable"),
        Binding("e,E", "evaluate", "Evaluate", id="queue.evaluate", tooltip="Measure the run on a split"),
        Binding("W", "start_worker", "Worker", id="queue.worker", tooltip="Start the worker if none runs"),
        Binding("T", "move_job('top')", "To the top", show=False, id="queue.top", tooltip="Start the job next"),
        Binding(
            "B", "move_job('bottom')", "To the bottom", show=False, id="queue.bottom", tooltip="Start the job last"
        ),
        Binding("space", "more", "More", show=False, id="queue.more", tooltip="Turn the page of the details below"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._model = QueueModel(lambda: self.query_one(QueueTable))
        self._told: object = None
        """Key of the row that the details tell of."""
        self._said = ""
        """The answer to the last move."""
        self._moves: deque[tuple[api.JobKind, int, str]] = deque()
        self._moving = False

    def body(self) -> Iterable[Widget]:
        """The table, and the row under its cursor in full."""
        yield PauseLine()
        yield QueueTable(self._model)
        yield Details(id="details")

    def on_mount(self) -> None:
        """Ask for the queue."""
        self.watch_data(QueueQuestion(self.workbench.workspace), self._show, every=TIME_SECONDS)

    def on_resize(self, event: events.Resize) -> None:
        """Other columns fit."""
        self.query_one(QueueTable).fit_columns(event.size.width)

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """What has no key."""
        yield "Stop the worker", "nothing new is started; running jobs go on", self._stop_worker

    # ----- showing

    def _show(self, data: QueueData) -> None:
        self._model.data = data
        self.show_facts(queue_text.facts(data))
        self.query_one(PauseLine).show_text(queue_text.pause_line(data))
        self.query_one(QueueTable).rows_changed()
        self._show_details()

    def _show_details(self) -> None:
        row, lines = self._row(), self.query_one(Details)
        key = None if row is None else row.key
        if key != self._told:
            self._told, self._said = key, ""
            lines.action_jump(0)
        lines.show_paragraphs(queue_text.details(row, self._model.data, self._said))

    @on(Table.Highlighted)
    def _highlighted(self) -> None:
        self._show_details()

    def _row(self) -> Row | None:
        return self._model.row_at(self.query_one(QueueTable).cursor)

    def _job(self) -> api.QueueJob | None:
        """The job under the cursor; where there is none, the user is told so."""
        row = self._row()
        if row is not None and row.job is not None:
            return row.job
        self._tell(queue_text.no_job(row))
        return None

    def _run(self) -> int | None:
        """The run of the job under the cursor; where there is none, the user is told so."""
        job = self._job()
        if job is not None and job.run_id is None:
            self._tell("A reference row measures no run of yours: there is none to open or to measure.")
        return None if job is None else job.run_id

    def _tell(self, words: str) -> None:
        self.notify(words, severity="warning", markup=False)

    # ----- keys

    @on(Table.Opened)
    def action_open_run(self) -> None:
        """Open the run under the cursor, or that of the evaluation."""
        run = self._run()
        if run is not None:
            from tui.screens.run import RunScreen

            self.app.push_screen(RunScreen(run))

    def action_move_job(self, where: str) -> None:
        """Move the job under the cursor; the moves of quick fingers are made one after the other."""
        job = self._job()
        if job is not None:
            self._moves.append((job.kind, job.id, where))
            self._next_move()

    def _next_move(self) -> None:
        if self._moving or not self._moves:
            return
        workspace, (kind, job_id, where) = self.workbench.workspace, self._moves.popleft()
        self._moving = True

        # An error is an answer here: the moves after it have to hear of it.
        self.workbench.act(lambda: attempt(lambda: api.move_job(workspace, kind, job_id, where)), self._moved)

    def _moved(self, answer: str | api.SonotuneError) -> None:
        self._moving = False
        if isinstance(answer, api.SonotuneError):
            self._moves.clear()
            self.workbench.report(answer)
        else:
            self._said = answer
            self._show_details()
        self._next_move()

    def action_pause(self) -> None:
        """Pause the queue, with a reason for others; or let it go on."""
        workspace = self.workbench.workspace
        if self._model.data.paused:
            self.workbench.act(lambda: api.unpause_queue(workspace))
            return

        def answered(reason: str | None) -> None:
            if reason is not None:
                self.workbench.act(lambda: api.pause_queue(workspace, reason), self._paused)

        hint = "A reason for others, or none. Enter pauses: nothing new is started, what runs goes on. esc doesn't."
        self.app.push_screen(Prompt("pause the queue", "", hint, check_reason), answered)

    def _paused(self, _sentence: str) -> None:
        self.notify("The queue is paused: nothing new is started. p lets it go on.", markup=False)

    def action_retry(self) -> None:
        """Queue a failed or interrupted job again; of an evaluation that waits for such a run, the run."""
        row, job, workspace = self._row(), self._job(), self.workbench.workspace
        if job is None:
            return
        kind, job_id = job.kind, job.id
        if isinstance(row, WaitingRow) and row.run_can_resume and job.run_id is not None:
            kind, job_id = api.JobKind.TRAINING, job.run_id
        self.workbench.act(lambda: api.resume(workspace, job_id, kind=kind))

    def action_cancel(self) -> None:
        """End a job for good, after a question."""
        job, workspace = self._job(), self.workbench.workspace
        if job is None:
            return
        if job.state in api.ENDED:
            self._tell(f"{job_title(job).capitalize()} has ended already ({job.state}).")
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.workbench.act(lambda: api.cancel(workspace, job.id, kind=job.kind))

        question, detail = queue_text.cancelling(job, self._waiting_for(job))
        self.app.push_screen(Confirm(question, detail, "cancel it"), answered)

    def _waiting_for(self, job: api.QueueJob) -> int:
        if job.kind != api.JobKind.TRAINING:
            return 0
        waiting = (row.job for row in self._model.data.rows if isinstance(row, WaitingRow))
        return sum(bool(each.blocked) and each.run_id == job.id for each in waiting)

    def action_stop(self) -> None:
        """Save and end."""
        job, workspace = self._job(), self.workbench.workspace
        if job is not None:
            self.workbench.act(lambda: api.stop(workspace, job.id, kind=job.kind))

    def action_evaluate(self) -> None:
        """Choose what to measure of the run under the cursor."""
        run = self._run()
        if run is not None:
            from tui.dialogs.evaluate import ask_for_evaluation

            ask_for_evaluation(self.workbench, run)

    def action_start_worker(self) -> None:
        """Start a worker, or say that one runs."""
        workspace = self.workbench.workspace
        self.workbench.act(lambda: start_worker(workspace))

    def _stop_worker(self) -> None:
        workspace = self.workbench.workspace
        self.workbench.act(
            lambda: "The worker has ended; jobs go on." if api.stop_worker(workspace) else "No worker runs."
        )

    def action_more(self) -> None:
        """The next lines of the details; after the last, the first again."""
        self.query_one(Details).turn_page()


def start_worker(workspace: api.Workspace) -> str:
    """Start a worker where none runs, and say what is so now.

    Raises:
        JobError: it could not be started.
    """
    if api.ensure_worker(workspace, WORKER_WAIT_SECONDS):
        return "A worker was started: it starts what waits, and ends after a minute with nothing to do."
    pid = api.worker_status(workspace).pid
    return "A worker runs already" + (f" (process {pid})." if pid is not None else ".")


def check_reason(text: str) -> str:
    """What is wrong with a reason for a pause; "" where nothing is."""
    surplus = len(text.strip()) - LONGEST_REASON
    return f"{surplus} characters too many: at most {LONGEST_REASON} are kept." if surplus > 0 else ""
