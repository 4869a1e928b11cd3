"""`sonotune demo`: the whole path on drawn phantoms, with the same functions that real data takes."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from engine import api
from engine.cli.console import RESEARCH_NOTE, output, progress_bar, say, shown
from engine.cli.following import wait_for
from engine.cli.options import workspace_of
from engine.cli.scores import print_leaderboard
from engine.formatting import duration
from engine.types import JobKind, Split

DATASET = "phantoms"
COUNT = 2400
SIZE = 160
ABNORMAL_SHARE = 0.25
BOTH_SPLITS = "evaluation.splits=['validation', 'test']"


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(demo)


def _is_ours(workspace: api.Workspace) -> bool:
    """Whether the dataset of this name is the demo's own, perhaps drawn by an older version: then it may be redrawn."""
    records = {summary.record.name: summary.record for summary in api.dataset_summaries(workspace)}
    if DATASET not in records:
        return False
    record = records[DATASET]
    wanted = {"count": COUNT, "size": SIZE, "abnormal_share": ABNORMAL_SHARE}
    return record.kind == "phantoms" and all(record.options.get(key) == value for key, value in wanted.items())


def demo(
    context: typer.Context,
    recipe: Annotated[str, typer.Option(help="Preset or recipe file.")] = "demo",
) -> None:
    """Draw phantoms, fine-tune the embedded Qwen3-VL on Q7, evaluate it, and print the leaderboard."""
    started = time.monotonic()
    workspace = workspace_of(context, create=True)
    say(f"{RESEARCH_NOTE} Phantoms are drawn; their scores say nothing about patients.", "bold")
    with progress_bar(f"Drawing {COUNT} phantoms") as progress:
        summary = api.import_phantom_dataset(
            workspace,
            DATASET,
            count=COUNT,
            size=SIZE,
            abnormal_share=ABNORMAL_SHARE,
            replace=_is_ours(workspace),
            progress=progress,
        )
    say(f"{summary.record.images} phantoms, fingerprint {summary.record.fingerprint[:12]}")
    loaded = api.load_recipe(api.find_recipe(recipe, workspace.root), [BOTH_SPLITS])
    launched = api.launch(workspace, loaded, test_purpose="the demo shows a whole leaderboard")
    jobs = [(JobKind.EVALUATION, job) for job in launched.references]
    jobs += [(JobKind.TRAINING, launched.run_id)]
    jobs += [(JobKind.EVALUATION, job) for job in launched.evaluations]
    if not wait_for(workspace, jobs):
        raise typer.Exit(1)
    print_leaderboard(api.leaderboard(workspace, "Q7", Split.TEST, DATASET))
    output.print(
        shown(f"Done in {duration(time.monotonic() - started)}. All of it is recorded in {workspace.database}.")
    )
    output.print(
        shown(f"Next: sonotune show {launched.run_id} · sonotune leaderboard --split validation · sonotune doctor")
    )
