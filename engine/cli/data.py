"""`sonotune data`: import, show, check."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from engine import api
from engine.cli.console import new_table, output, print_json, progress_bar, say, shown
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError

PHANTOM_PRESETS = {"demo": 0.25, "clinical": 0.03}
"""Share of abnormal phantoms by preset: the demo's, and the user's own data."""

Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    group = typer.Typer(help="Import, show and check datasets.", no_args_is_help=True, rich_markup_mode=None)
    group.command("import")(import_)
    group.command()(show)
    group.command()(check)
    app.add_typer(group, name="data")


def import_(
    context: typer.Context,
    source: Annotated[str, typer.Argument(help="`phantoms`, or a chat JSONL file (messages + images).")],
    name: Annotated[str | None, typer.Option(help="Name in the workspace [default: from the source].")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder to which the image paths of a JSONL are relative.")
    ] = None,
    count: Annotated[int, typer.Option(help="Phantoms: how many.")] = 2400,
    size: Annotated[int, typer.Option(help="Phantoms: side in pixels.")] = 160,
    abnormal: Annotated[float | None, typer.Option(help="Phantoms: share of abnormal ones, 0 to 1.")] = None,
    preset: Annotated[str, typer.Option(help="Phantoms: demo (25 % abnormal) or clinical (3 %).")] = "demo",
    seed: Annotated[int, typer.Option(help="Phantoms: seed of the images.")] = 0,
    split_seed: Annotated[int, typer.Option(help="Seed of the 80/10/10 split.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a dataset of this name.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import a dataset: drawn phantoms, or chat JSONL with its images."""
    workspace = workspace_of(context, create=True)
    if source == "phantoms":
        if preset not in PHANTOM_PRESETS:
            raise UsageError(f"There is no phantom preset {preset}", next_step=f"Choose: {', '.join(PHANTOM_PRESETS)}.")
        with progress_bar("Drawing phantoms") as progress:
            summary = api.import_phantom_dataset(
                workspace,
                name or "phantoms",
                count=count,
                seed=seed,
                abnormal_share=PHANTOM_PRESETS[preset] if abnormal is None else abnormal,
                size=size,
                split_seed=split_seed,
                replace=replace,
                progress=progress,
            )
    else:
        file = Path(source)
        with progress_bar("Checking images") as progress:
            summary = api.import_chat_file(
                workspace,
                name or file.stem,
                file,
                images or file.parent,
                split_seed=split_seed,
                replace=replace,
                progress=progress,
            )
    _print(summary, as_json)


def show(context: typer.Context, name: Annotated[str | None, typer.Argument()] = None, as_json: AsJson = False) -> None:
    """Show one dataset, or list all."""
    workspace = workspace_of(context)
    if name is not None:
        _print(api.dataset_summary(workspace, name), as_json)
        return
    summaries = api.dataset_summaries(workspace)
    if as_json:
        print_json([asdict(summary.record) for summary in summaries])
        return
    if not summaries:
        say("No datasets yet. `sonotune data import phantoms` makes one.")
        return
    table = new_table("dataset", "kind", "images", "left out", "fingerprint", right=(2, 3))
    for summary in summaries:
        record = summary.record
        cells = (record.name, record.kind, record.images, record.problems, record.fingerprint[:12])
        table.add_row(*(shown(cell) for cell in cells))
    output.print(table)


def check(context: typer.Context, name: Name, as_json: AsJson = False) -> None:
    """Read every image again and compare it with the import; exit code 1 where something has changed."""
    with progress_bar("Checking images") as progress:
        problems = api.check_dataset(workspace_of(context), name, progress)
    if as_json:
        print_json([asdict(problem) for problem in problems])
    elif not problems:
        output.print("Nothing has changed since the import.")
    for problem in [] if as_json else problems:
        output.print(shown(f"{problem.item}: {problem.reason}"), soft_wrap=True)
    if problems:
        raise typer.Exit(1)


def _print(summary: api.DatasetSummary, as_json: bool) -> None:
    if as_json:
        print_json(asdict(summary))
        return
    record = summary.record
    output.print(shown(f"{record.name} ({record.kind}): {record.images} images, {record.problems} entries left out"))
    output.print(shown(f"fingerprint {record.fingerprint[:12]}, split {record.split_fingerprint[:12]}"))
    output.print(_counts(summary))
    for reason, number in Counter(problem.reason for problem in summary.problems).most_common(10):
        output.print(shown(f"left out {number}: {reason}"), soft_wrap=True)
    for problem in summary.problems[:10]:
        output.print(shown(f"  {problem.source}: {problem.item[:200]}: {problem.reason}"), soft_wrap=True)
    if len(summary.problems) > 10:
        output.print(shown(f"  … and {len(summary.problems) - 10} more: --json lists all"))


def _counts(summary: api.DatasetSummary) -> Table:
    """One row a view: images of each split, the abnormal ones after the stroke."""
    table = new_table("view", "train", "validation", "test", title="images / abnormal", right=(1, 2, 3))
    cells = {(count.view, str(count.split)): f"{count.total} / {count.abnormal}" for count in summary.counts}
    for view in sorted({view for view, _ in cells}):
        table.add_row(shown(view), *(cells.get((view, split), "–") for split in ("train", "validation", "test")))
    return table
