"""`sonotune` alone, `runs`, `show`, `log`: what there is and how it goes."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from engine import api
from engine.cli.annotating import print_notes
from engine.cli.console import new_table, output, print_json, say, shown
from engine.cli.control import Evaluation, Job, job_of
from engine.cli.options import LARGEST, AsJson, RunArgument, workspace_of
from engine.formatting import duration, figure, short_duration, size
from engine.text import plain
from engine.types import State

STATE_STYLES = {
    "running": "green",
    "starting": "green",
    "succeeded": "bold",
    "failed": "red",
    "interrupted": "yellow",
    "cancelled": "dim",
    "queued": "cyan",
    "lost": "bold yellow",
    "stalled": "bold yellow",
}
RECENT = 8
WIDE = 110
"""Columns of the terminal from which on backend and model are listed too."""


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.command()(runs)
    app.command()(show)
    app.command()(log)


def overview(context: typer.Context) -> None:
    """What goes on in this workspace, on one screen."""
    workspace = workspace_of(context)
    recent = api.runs(workspace, limit=RECENT)
    worker = api.worker_status(workspace)
    output.print(shown(f"sonotune in {workspace.root}", "bold"))
    output.print(shown(f"worker: process {worker.pid}" if worker.running else "worker: none; a launch starts it"))
    if worker.trouble:
        output.print(shown(f"the worker is in trouble: {worker.trouble}", "bold red"), soft_wrap=True)
    notice = api.pause_notice(workspace)
    if notice:
        output.print(shown(notice, "yellow"), soft_wrap=True)
    if recent:
        output.print(_runs_table(recent))
        output.print(shown("sonotune leaderboard · show RUN · log RUN -f · launch RECIPE · --help"))
    else:
        output.print(shown("No runs yet. `sonotune demo` shows the whole path on drawn phantoms in a few minutes."))


def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=0, max=LARGEST, help="Newest runs to list; 0 = all.")] = 30,
    as_json: AsJson = False,
) -> None:
    """List runs, newest first."""
    found = api.runs(workspace_of(context), limit=limit or -1)
    if as_json:
        print_json([_with_shown_state(run) for run in found])
    elif found:
        output.print(_runs_table(found))
    else:
        say("No runs yet. `sonotune launch demo` starts one.")


def _runs_table(found: list[api.RunRow]) -> Table:
    wide = output.width >= WIDE
    headers = ["run", "name", "state", "steps", "loss", "trained in", "queued", *(["backend", "model"] if wide else [])]
    table = new_table(*headers, right=(0, 3, 4, 5))
    for run in found:
        state = api.shown_state(run)
        cells: list[str | Text] = [
            str(run.id),
            shown(run.name[:60]),
            shown(_with_duration(state, run), STATE_STYLES[state]),
            f"{run.step}/{run.planned_steps or '?'}",
            "–" if run.final_loss is None else f"{run.final_loss:.4f}",
            duration(run.train_seconds),
            time.strftime("%d %b %H:%M", time.localtime(run.queued_at)),
        ]
        table.add_row(*cells, *([shown(run.backend or "–"), shown(run.model)] if wide else []))
    return table


def show(context: typer.Context, run: RunArgument, as_json: AsJson = False) -> None:
    """Show one run: state, figures, evaluations, history."""
    details = api.run_details(workspace_of(context), run)
    if as_json:
        evaluations = [_with_shown_state(evaluation) for evaluation in details.evaluations]
        print_json({**asdict(details), "run": _with_shown_state(details.run), "evaluations": evaluations})
        return
    row = details.run
    output.print(shown(f"run {row.id}: {row.name}", "bold"))
    table = Table.grid(padding=(0, 2))
    for name, value in {**_facts(row), "tags": ", ".join(details.tags)}.items():
        if value not in (None, "", "–"):
            table.add_row(shown(name, "dim"), shown(value))
    output.print(table)
    _print_scores(details)
    if details.notes:
        output.print(shown("notes", "bold"))
        print_notes(details.notes)
    output.print(shown("history", "bold"))
    for event in details.events:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.time))
        output.print(shown(f"  {when}  {event.kind}: {event.detail}"), soft_wrap=True)


def _with_shown_state(row: api.RunRow | api.EvaluationRow) -> dict[str, Any]:
    """For JSON: `state` as recorded, and `shown_state`, which is `lost` for a job that has gone silent."""
    return {**asdict(row), "shown_state": api.shown_state(row)}


def _with_duration(state: str, row: api.RunRow | api.EvaluationRow) -> str:
    """`stalled 12m05s` for a run that lives but does not get on, else the state alone."""
    since = api.stalled_since(row)
    return state if state != api.STALLED or since is None else f"{state} {short_duration(time.time() - since)}"


def _state(row: api.RunRow | api.EvaluationRow) -> str:
    state = api.shown_state(row)
    phase = getattr(row, "phase", None)  # of a run alone
    if state == api.STALLED:
        return f"{_with_duration(state, row)}: {phase or 'it has not said what it does'} ({row.reason})"
    if state != api.LOST:
        return f"{state}: {phase} ({row.reason})" if phase and row.state == State.RUNNING else f"{state}: {row.reason}"
    silent = "" if row.heartbeat is None else f" for {duration(time.time() - row.heartbeat)}"
    return f"{state}: no sign of life{silent}; it was {row.state} ({row.reason})"


def _way_on(row: api.RunRow | api.EvaluationRow, name: str) -> str:
    """What to do about a job that was stopped, not by an error: by its user, or by a machine that shuts down."""
    return f"`sonotune resume {name}` goes on with it." if row.state == State.INTERRUPTED else ""


def _facts(row: api.RunRow) -> dict[str, object]:
    return {
        "state": _state(row),
        "what to do": api.what_to_do(str(row.id), row.pid) if api.shown_state(row) == api.STALLED else None,
        "error": "\n".join(part for part in (row.error_title, row.error_detail) if part),
        "next step": row.error_next_step or _way_on(row, str(row.id)),
        "model": f"{row.model}, {row.backend or 'backend not chosen yet'}, quantization {row.quantization or '?'}",
        "why": row.backend_reason,
        "computed": api.stored_layout_words(row.layout),
        "wording": api.own_wording(row),
        "dataset": f"{row.dataset}, {row.dataset_fingerprint[:12]}, split {row.split_fingerprint[:12]}",
        "steps": f"{row.step} of {row.planned_steps or '?'}, seed {row.seed}, resumed {row.resumes} times",
        "curves": api.rolled_up_words(row) or None,
        "adapter": f"{row.adapter_path} (SHA-256 {row.adapter_sha256[:12]})" if row.adapter_sha256 else None,
        "parameters": f"{row.trained_parameters} of {row.total_parameters} trained, in {row.lora_modules} modules"
        if row.trained_parameters
        else None,
        "final loss": row.final_loss,
        "seconds": f"load {duration(row.load_seconds)}, train {duration(row.train_seconds)}",
        "throughput": f"{row.samples_per_second:.1f} samples/s" if row.samples_per_second else None,
        "peak memory": f"host {size(row.peak_rss_bytes)}, GPU reserved {size(row.peak_vram_reserved_bytes)}",
        "machine": f"{row.host}, {row.gpu_name or row.device}" if row.host else None,
        "folder": row.directory,
    }


def _print_scores(details: api.RunDetails) -> None:
    for evaluation in details.evaluations:
        what = f"evaluation {evaluation.id}: {evaluation.question} on {evaluation.split}"
        what += evaluation.title.removeprefix(evaluation.name)
        output.print(shown(f"{what}: {_state(evaluation)}", "bold"))
        way_on = evaluation.error_next_step or _way_on(evaluation, f"--evaluation {evaluation.id}")
        for text in (evaluation.error_title, evaluation.error_detail, way_on):
            if text:
                output.print(shown(text, "red"), soft_wrap=True)
        table = new_table("score", "value", "95 % interval", "n", right=(1, 2, 3))
        for score in details.scores[evaluation.id]:
            if score.scope == "all":
                value = "–" if score.value is None else f"{score.value:.3f}"
                bounds = "–" if score.low is None or score.high is None else f"{score.low:.3f} to {score.high:.3f}"
                table.add_row(shown(score.name), value, bounds, str(score.n))
        if table.row_count:
            output.print(table)
            _print_views(details.scores[evaluation.id])


def _print_views(scores: list[api.Score]) -> None:
    """The same figures view by view: an average hides the view in which a model fails."""
    by_view: dict[str, dict[str, api.Score]] = {}
    for score in scores:
        if score.scope.startswith("view:"):
            by_view.setdefault(score.scope.removeprefix("view:"), {})[score.name] = score
    if not by_view:
        return
    headers = ("view", "n (abn.)", "sensitivity", "specificity", "AUROC")
    table = new_table(*headers, right=range(1, len(headers)))
    table.columns[0].no_wrap = True
    for view, named in sorted(by_view.items()):
        cells = [_with_interval(named.get(name)) for name in ("sensitivity", "specificity", "auroc")]
        cases, abnormal = (named[name].n if name in named else 0 for name in ("accuracy", "sensitivity"))
        table.add_row(shown(view[:24]), f"{cases} ({abnormal})", *cells)
    output.print(table)


def _with_interval(score: api.Score | None) -> str:
    if score is None or score.value is None:
        return "–"
    bounds = "" if score.low is None or score.high is None else f"\n{figure(score.low)}–{figure(score.high)}"
    return figure(score.value) + bounds


def log(
    context: typer.Context,
    run: Job = None,
    evaluation: Evaluation = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
) -> None:
    """Print what the process of a run, or of an evaluation, has written."""
    job, kind = job_of(run, evaluation)
    for text in api.read_log(workspace_of(context), job, follow, kind):
        sys.stdout.write(plain(text))
        sys.stdout.flush()
