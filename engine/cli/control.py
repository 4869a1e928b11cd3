"""`sonotune stop|cancel|resume`: what a user asks of a job."""

from __future__ import annotations

from typing import Annotated

import typer

from engine import api
from engine.cli.console import output, shown
from engine.cli.following import say_if_paused
from engine.cli.options import LARGEST, workspace_of
from engine.errors import UsageError
from engine.types import JobKind

Job = Annotated[str | None, typer.Argument(metavar="RUN", help="Number or name of the run.")]
Evaluation = Annotated[
    int | None, typer.Option("--evaluation", min=1, max=LARGEST, help="Number of an evaluation, not a run.")
]


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.command()(stop)
    app.command()(cancel)
    app.command()(resume)


def stop(context: typer.Context, run: Job = None, evaluation: Evaluation = None) -> None:
    """Save and end at the next step; `resume` goes on from there."""
    job, kind = job_of(run, evaluation)
    output.print(shown(api.stop(workspace_of(context), job, kind=kind)))


def cancel(context: typer.Context, run: Job = None, evaluation: Evaluation = None) -> None:
    """End for good, without saving; a queued one leaves the queue."""
    job, kind = job_of(run, evaluation)
    output.print(shown(api.cancel(workspace_of(context), job, kind=kind)))


def resume(context: typer.Context, run: Job = None, evaluation: Evaluation = None) -> None:
    """Queue a failed or interrupted job again; a run goes on from its last checkpoint."""
    job, kind = job_of(run, evaluation)
    workspace = workspace_of(context)
    output.print(shown(api.resume(workspace, job, kind=kind)))
    say_if_paused(workspace)


def job_of(run: str | None, evaluation: int | None) -> tuple[int | str, JobKind]:
    """The job that the user means; UsageError unless exactly one of the two was given."""
    if (run is None) == (evaluation is None):
        raise UsageError("Name a run, or an evaluation with --evaluation", next_step="`sonotune runs` lists runs.")
    return (run, JobKind.TRAINING) if run is not None else (evaluation or 0, JobKind.EVALUATION)
