"""`sonotune worker`: the process that starts queued jobs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from engine import api
from engine.cli.console import output, print_json, say, shown
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError
from engine.text import one_line


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(worker)


def worker(
    context: typer.Context,
    detach: Annotated[bool, typer.Option("--detach", help="Start it in the background.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Say whether one runs, and whether all is well.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End it; running jobs go on.")] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Queue again what died without a word (a kill, a restart of the machine).")
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="Keep a worker here by a systemd user unit, also over restarts.")
    ] = False,
    no_start: Annotated[bool, typer.Option("--no-start", help="With --install: only write the unit.")] = False,
    uninstall: Annotated[bool, typer.Option("--uninstall", help="Stop and remove that unit; jobs go on.")] = False,
    notify_test: Annotated[
        bool, typer.Option("--notify-test", help="Run the command of [notify] once, and say what came of it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Be this workspace's worker until the queue has been empty for a minute (launches start one by themselves)."""
    workspace = workspace_of(context)
    if detach + status + stop + install + uninstall + notify_test > 1:
        raise UsageError("Choose one of --detach, --status, --stop, --install, --uninstall and --notify-test")
    if resume and status + stop + uninstall + notify_test:
        raise UsageError("--resume goes with --detach, with --install or alone")
    if no_start and not install:
        raise UsageError("--no-start goes with --install")
    if status:
        _status(workspace, as_json)
    elif notify_test:
        _notify_test(workspace)
    elif install:
        _say_all(api.install_unit(workspace, resume=resume, start=not no_start))
    elif stop or uninstall:
        _say_all([api.stop_unattended(workspace)] if stop else api.uninstall_unit(workspace))
    else:
        _work(workspace, resume, detach)


def _work(workspace: api.Workspace, resume: bool, detach: bool) -> None:
    if detach:
        started = api.ensure_worker(workspace, wait_seconds=10, resume=resume)
        output.print(shown("The worker has started." if started else "A worker runs already."))
    elif not api.run_worker(workspace, resume=resume):
        raise UsageError("A worker runs in this workspace already", next_step="`sonotune worker --status` names it.")


def _status(workspace: api.Workspace, as_json: bool) -> None:
    found, unit = api.worker_status(workspace), api.unit_status(workspace)
    notice = api.pause_notice_or_none(workspace)
    if as_json:
        words = {**asdict(unit), "file": str(unit.file)}
        print_json({**asdict(found), "queue_paused": bool(notice), "unit": words})
        return
    text = f"The worker is process {found.pid}." if found.running else "No worker runs here; a launch starts one."
    output.print(shown("\n".join(filter(None, (text, api.unit_words(unit), notice)))), soft_wrap=True)
    if found.trouble:
        say(f"It is in trouble: {found.trouble}", "bold red")


def _notify_test(workspace: api.Workspace) -> None:
    settings = api.notify_settings(workspace)
    for problem in settings.problems:
        say(problem, "yellow")
    delivery = api.try_notification(workspace)
    if delivery is None:
        raise UsageError(
            "No command is set",
            f"{api.settings_file()} has no [notify] with a command that can be used.",
            "docs/unattended.md shows one.",
        )
    for line in delivery.output.decode("utf-8", "replace").splitlines():
        output.print(shown(f"| {one_line(line)}"), soft_wrap=True)
    if delivery.problem:
        raise UsageError("The command did not do its work", delivery.problem, "Its output stands above, if it had any.")
    output.print(shown(f"The command has ended well. Told of: {', '.join(sorted(settings.on))}."), soft_wrap=True)


def _say_all(lines: list[str]) -> None:
    for line in lines:
        output.print(shown(line), soft_wrap=True)
