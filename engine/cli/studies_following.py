"""Progress of a study on the screen: a bar for each cell on a terminal, a line for each change elsewhere."""

from __future__ import annotations

from rich.progress import BarColumn, Progress, TaskID, TextColumn

from engine import api
from engine.cli.console import messages, say


def wait_for_study(workspace: api.Workspace, name: str, scale: str) -> api.StudyState:
    """Show the progress of a study until nothing of it moves any more; return how it stands then."""
    return (_bars if messages.is_terminal else _lines)(workspace, name, scale)


def progress_words(cell: api.StudyCell) -> str:
    """How far a cell is, in words; its progress in tenths, so that lines are few."""
    words = str(cell.stage)
    if cell.progress is not None:
        words += f", {10 * int(10 * cell.progress)} % of {cell.planned_steps} steps"
    if cell.stage == api.Stage.MEASURING:
        words += f", {cell.targets_done} of {cell.targets}"
    return words


class _Pause:
    """Tells who waits that the queue is paused, once a pause: else it would look like hanging."""

    def __init__(self, workspace: api.Workspace) -> None:
        self._workspace = workspace
        self._said = ""

    def look(self) -> None:
        notice = api.pause_notice(self._workspace)
        if notice and notice != self._said:
            say(notice, "yellow")
        self._said = notice


def _lines(workspace: api.Workspace, name: str, scale: str) -> api.StudyState:
    said: dict[str, str] = {}
    pause = _Pause(workspace)
    for state in api.follow_study(workspace, name, scale):
        for cell in state.cells:
            line = f"{api.one_line(cell.name)}: {progress_words(cell)}"
            if said.get(cell.name) != line:
                said[cell.name] = line
                say(line)
        references = f"reference rows: {state.references_done} of {state.references}"
        if said.get("") != references:
            said[""] = references
            say(references)
        pause.look()
    return state


def _bars(workspace: api.Workspace, name: str, scale: str) -> api.StudyState:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=messages) as bars:
        tasks: dict[str, TaskID] = {}
        pause = _Pause(workspace)
        for state in api.follow_study(workspace, name, scale):
            for cell in state.cells:
                if cell.name not in tasks:
                    tasks[cell.name] = bars.add_task(api.one_line(cell.name), total=1.0, note="")
                bars.update(tasks[cell.name], completed=_share(cell), note=progress_words(cell))
            if "" not in tasks:
                tasks[""] = bars.add_task("reference rows", total=1.0, note="")
            done = state.references_done / state.references if state.references else 0.0
            bars.update(tasks[""], completed=done, note=f"{state.references_done} of {state.references}")
            pause.look()
    return state


def _share(cell: api.StudyCell) -> float:
    """How much of a cell is done, roughly: training counts three quarters of it."""
    if cell.stage == api.Stage.DONE:
        return 1.0
    measured = cell.targets_done / max(cell.targets, 1)
    if cell.untuned:
        return measured
    if cell.progress is not None:
        return 0.75 * cell.progress
    return 0.75 + 0.25 * measured if cell.stage == api.Stage.MEASURING else 0.0
