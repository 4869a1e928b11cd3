"""Progress of jobs on the screen: bars on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeRemainingColumn

from engine import api
from engine.cli.console import messages, say
from engine.text import plain
from engine.types import ENDED, JobKind, State

UNITS = {JobKind.TRAINING: "steps", JobKind.EVALUATION: "cases"}
Jobs = Sequence[tuple[JobKind, int]]


def wait_for(workspace: api.Workspace, jobs: Jobs) -> bool:
    """Show the progress of jobs until the last has ended; True when all succeeded, else their errors are printed.

    A job that waits for a run which did not succeed is not waited for.
    """
    views = (_bars if messages.is_terminal else _lines)(workspace, jobs)
    failed = [view for view in views if view.state != State.SUCCEEDED]
    for view in failed:
        say(f"{view.title}: {view.state}, {view.reason}", "bold red")
        for part in view.error or ():
            say(part)
    return not failed


def say_if_paused(workspace: api.Workspace) -> None:
    """Tell who has just queued something that nothing is started now."""
    notice = api.pause_notice(workspace)
    if notice:
        say(notice, "yellow")


def _stuck(views: Sequence[api.JobView]) -> bool:
    """Whether the training has ended badly: evaluations that wait for it will not start."""
    return any(
        view.kind == JobKind.TRAINING and view.state in ENDED and view.state != State.SUCCEEDED for view in views
    )


class _PauseNotice:
    """Tells who waits for a queued job that the queue is paused: once a pause, else it would look like hanging."""

    def __init__(self, workspace: api.Workspace) -> None:
        self._workspace = workspace
        self._said = ""

    def look(self, views: Sequence[api.JobView]) -> None:
        """Say it if it is so and has not been said."""
        if all(view.state != State.QUEUED for view in views):
            return
        notice = api.pause_notice(self._workspace)
        if notice and notice != self._said:
            say(notice, "yellow")
        self._said = notice


def _lines(workspace: api.Workspace, jobs: Jobs) -> list[api.JobView]:
    said: dict[tuple[JobKind, int], str] = {}
    pause = _PauseNotice(workspace)
    views: list[api.JobView] = []
    for views in api.follow_jobs(workspace, jobs):
        for view in views:
            line = f"{view.title}: {view.state}"
            if view.state == State.RUNNING and view.planned_steps:
                tenth = 10 * view.step // view.planned_steps
                line += f", {10 * tenth} % of {view.planned_steps} {UNITS[view.kind]}"
            if said.get((view.kind, view.id)) != line:
                said[view.kind, view.id] = line
                loss = "" if view.loss is None or view.state != State.RUNNING else f", loss {view.loss:.4f}"
                say(line + loss)
        pause.look(views)
        if _stuck(views):
            break
    return views


def _bars(workspace: api.Workspace, jobs: Jobs) -> list[api.JobView]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
    )
    views: list[api.JobView] = []
    with Progress(*columns, console=messages) as bars:
        tasks: dict[tuple[JobKind, int], TaskID] = {}
        pause = _PauseNotice(workspace)
        for views in api.follow_jobs(workspace, jobs):
            for view in views:
                key = (view.kind, view.id)
                if key not in tasks:
                    tasks[key] = bars.add_task(plain(view.title), total=None, note="")
                _update(bars, tasks[key], view)
            pause.look(views)
            if _stuck(views):
                break
    return views


def _update(bars: Progress, task: TaskID, view: api.JobView) -> None:
    note = str(view.state)
    if view.state == State.RUNNING and view.loss is not None:
        note = f"loss {view.loss:.4f}"
    if view.state == State.SUCCEEDED:
        bars.update(task, total=1, completed=1, note=note)
    elif view.planned_steps and view.state == State.RUNNING:
        bars.update(task, total=view.planned_steps, completed=view.step, note=note)
    else:
        bars.update(task, note=note)
