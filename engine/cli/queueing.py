"""`sonotune queue` and `sonotune move`: what runs, what waits, in which order, and whether anything is started."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Annotated

import typer
from rich.text import Text

from engine import api
from engine.cli.console import new_table, output, print_json, shown
from engine.cli.control import Evaluation, job_of
from engine.cli.options import AsJson, workspace_of
from engine.cli.reading import STATE_STYLES
from engine.errors import UsageError
from engine.types import JobKind

SHOWN_RECENT = 5


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.command()(queue)
    app.command()(move)


def queue(
    context: typer.Context,
    pause: Annotated[bool, typer.Option("--pause", help="Start nothing new; what runs goes on.")] = False,
    unpause: Annotated[bool, typer.Option("--unpause", help="Start queued jobs again.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why it is paused, for those who wonder.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what runs on which device and what waits in which order; pause and unpause."""
    if pause and unpause:
        raise UsageError("Choose one of --pause and --unpause")
    if reason is not None and not pause:
        raise UsageError("--reason goes with --pause")
    workspace = workspace_of(context)
    if pause or unpause:
        said = api.pause_queue(workspace, reason or "") if pause else api.unpause_queue(workspace)
        if not as_json:
            output.print(shown(said), soft_wrap=True)
            return
    view = api.queue_view(workspace)
    if as_json:
        print_json(asdict(view))
    else:
        _print_view(view, api.pause_notice(workspace))


def move(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Number or name of the run; left out with --evaluation.")],
    where: Annotated[str | None, typer.Argument(metavar="WHERE", help="up, down, top or bottom.")] = None,
    evaluation: Evaluation = None,
) -> None:
    """Move a queued job among the others; it takes the priority of its new neighbour."""
    # With --evaluation the one word is where to.
    named, goal = (None, run) if where is None else (run, where)
    if goal not in tuple(api.Move):
        raise UsageError(f"Say where to move it, not {goal}", next_step=f"Choose: {', '.join(api.Move)}.")
    job, kind = job_of(named, evaluation)
    output.print(shown(api.move_job(workspace_of(context), kind, job, goal)), soft_wrap=True)


def _print_view(view: api.QueueView, notice: str) -> None:
    worker = view.worker
    output.print(shown(f"worker: process {worker.pid}" if worker.running else "worker: none; a launch starts it"))
    if worker.trouble:
        output.print(shown(f"the worker is in trouble: {worker.trouble}", "bold red"), soft_wrap=True)
    if notice:
        output.print(shown(notice, "yellow"), soft_wrap=True)
    for place in view.devices:
        output.print(_device_line(place), soft_wrap=True)
    if view.queued:
        _print_queued(view.queued)
    else:
        output.print(shown("Nothing is queued."))
    _print_recent(view.recent[:SHOWN_RECENT])


def _device_line(place: api.DeviceQueue) -> Text:
    line = shown(" ".join(filter(None, (place.device or "unknown device", f"({place.name})" if place.name else ""))))
    job = place.running
    if job is None:
        return line.append(": free", style="dim")
    progress = f", {job.step} of {job.planned_steps or '?'}"
    line.append_text(shown(f": {_number(job)}, {_what(job)}, "))
    return line.append_text(shown(job.shown_state, STATE_STYLES[job.shown_state])).append(progress)


def _print_queued(items: list[api.QueueItem]) -> None:
    table = new_table("place", "job", "what", "priority", "queued", "", right=(0, 3))
    table.columns[1].no_wrap = True
    for item in items:
        table.add_row(
            str(item.position),
            shown(_number(item)),
            shown(_what(item)),
            str(item.priority),
            time.strftime("%d %b %H:%M", time.localtime(item.queued_at)),
            shown("blocked" if item.blocked else "", "yellow"),
        )
    output.print(table)
    for item in items:
        if item.blocked:  # too long for a column of 80
            output.print(shown(f"{_number(item)}: {item.blocked}", "dim"), soft_wrap=True)


def _print_recent(jobs: list[api.EndedJob]) -> None:
    if not jobs:
        return
    output.print(shown("ended lately", "bold"))
    for job in jobs:
        line = shown(f"  {_number(job)}, {_what(job)}: ")
        line.append_text(shown(job.state, STATE_STYLES[job.state]))
        line.append_text(shown("".join(f", {text}" for text in (job.error_title, job.error_next_step) if text)))
        output.print(line, soft_wrap=True)


def _number(job: api.QueueJob) -> str:
    return f"run {job.id}" if job.kind == JobKind.TRAINING else f"evaluation {job.id}"


def _what(job: api.QueueJob) -> str:
    name = job.name[:60]
    return name if job.question is None else f"{name}, {job.question} on {job.split}"
