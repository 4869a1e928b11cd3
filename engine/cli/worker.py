"""`sonotune worker`: the process that starts queued jobs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from engine import api
from engine.cli.console import output, print_json, shown
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(worker)


def worker(
    context: typer.Context,
    detach: Annotated[bool, typer.Option("--detach", help="Start it in the background.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say whether one runs.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End it; running jobs go on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Be this workspace's worker until the queue has been empty for a minute (launches start one by themselves)."""
    workspace = workspace_of(context)
    if detach + status + stop > 1:
        raise UsageError("Choose one of --detach, --status and --stop")
    if status:
        found = api.worker_status(workspace)
        text = f"The worker is process {found.pid}." if found.running else "No worker runs here; a launch starts one."
        notice = api.pause_notice(workspace)
        if as_json:
            print_json({**asdict(found), "queue_paused": bool(notice)})
        else:
            output.print(shown("\n".join(filter(None, (text, notice)))))
    elif stop:
        ended = api.stop_worker(workspace)
        output.print(shown("The worker has ended; running jobs go on." if ended else "No worker ran here."))
    elif detach:
        started = api.ensure_worker(workspace, wait_seconds=10)
        output.print(shown("The worker has started." if started else "A worker runs already."))
    elif not api.run_worker(workspace):
        raise UsageError("A worker runs in this workspace already", next_step="`sonotune worker --status` names it.")
