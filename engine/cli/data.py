"""`sonotune data`: import, show, check."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine import api
from engine.cli import answers, data_quality, looks
from engine.cli.console import new_table, output, print_json, progress_bar, say, shown
from engine.cli.data_summary import print_problems, print_summary, print_tolerances
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError

PHANTOM_PRESETS = {"demo": 0.25, "clinical": 0.03}
"""Share of abnormal phantoms by preset: the demo's, and the user's own data."""


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    group = typer.Typer(help="Import, show and check datasets.", no_args_is_help=True, rich_markup_mode=None)
    group.command("import")(import_)
    group.command()(show)
    data_quality.register(group)
    answers.register(group)
    looks.register(group)
    app.add_typer(group, name="data")


def import_(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            help="`phantoms`; an Excel sheet; chat JSONL; ShareGPT JSON; or a folder written by `save_to_disk`."
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name in the workspace [default: from the source].")] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder that holds one folder a view [default: where the source lies].")
    ] = None,
    kind: Annotated[str, typer.Option(help="auto, sheet, jsonl, sharegpt or huggingface.")] = "auto",
    sheet: Annotated[str | None, typer.Option(help="Sheet of a workbook [default: the one that fits best].")] = None,
    split_seed: Annotated[
        int | None, typer.Option(help="Seed of the 80/10/10 split [default: that of the import before, else 0].")
    ] = None,
    split_file: Annotated[
        Path | None, typer.Option(help="Your own split: CSV with path and split, or JSON with one list a split.")
    ] = None,
    split_rest: Annotated[
        str, typer.Option(help="Images that the split file does not name: refuse, train or leave-out.")
    ] = "refuse",
    reread: Annotated[bool, typer.Option("--reread", help="Read every image, even those that did not change.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a dataset of this name.")] = False,
    background_check: Annotated[
        bool,
        typer.Option(
            envvar="SONOTUNE_BACKGROUND_CHECK", help="Decode images and look for near-duplicates in the background."
        ),
    ] = True,
    count: Annotated[int, typer.Option(help="Phantoms: how many.")] = 2400,
    size: Annotated[int, typer.Option(help="Phantoms: side in pixels.")] = 160,
    abnormal: Annotated[float | None, typer.Option(help="Phantoms: share of abnormal ones, 0 to 1.")] = None,
    preset: Annotated[str, typer.Option(help="Phantoms: demo (25 % abnormal) or clinical (3 %).")] = "demo",
    seed: Annotated[int, typer.Option(help="Phantoms: seed of the images.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Import a dataset, or import it again: then only what has changed is read."""
    workspace = workspace_of(context, create=True)
    if source != "phantoms":
        with progress_bar("Checking images") as progress:
            summary = api.import_source(
                workspace,
                Path(source),
                name=name,
                images=images,
                kind=kind,
                sheet=sheet,
                split_seed=split_seed,
                split_file=split_file,
                split_rest=split_rest,
                reread=reread,
                replace=replace,
                progress=progress,
            )
        print_summary(summary, as_json)
        name = summary.record.name
        if background_check and api.start_background_check(workspace, name):
            say(f"Every image is decoded in the background now; `sonotune data check {name}` waits for it.")
        return
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
            split_seed=split_seed or 0,
            replace=replace,
            progress=progress,
        )
    print_summary(summary, as_json)


def show(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument()] = None,
    problems: Annotated[bool, typer.Option("--problems", help="List everything that was left out, and why.")] = False,
    tolerances: Annotated[bool, typer.Option("--tolerances", help="List every difference that was forgiven.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The list as CSV.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one dataset, or list all."""
    workspace = workspace_of(context)
    if as_csv and not (problems or tolerances):
        raise UsageError("--csv is for lists", next_step="Add --problems or --tolerances.")
    if problems and tolerances:
        raise UsageError("One list at a time", next_step="Choose --problems or --tolerances.")
    if name is not None:
        summary = api.dataset_summary(workspace, name)
        if problems:
            print_problems(summary, as_json, as_csv)
        elif tolerances:
            print_tolerances(summary, as_json, as_csv)
        else:
            print_summary(summary, as_json)
            looks.print_looks_line(workspace, name, as_json)
        return
    if problems or tolerances:
        raise UsageError("Which dataset?", next_step="Name it: `sonotune data show NAME --problems`.")
    summaries = api.dataset_summaries(workspace)
    if as_json:
        print_json([asdict(summary.record) for summary in summaries])
        return
    if not summaries:
        say("No datasets yet. `sonotune data import phantoms` makes one.")
        return
    table = new_table("dataset", "kind", "images", "problems", "fingerprint", right=(2, 3))
    for summary in summaries:
        record = summary.record
        cells = (record.name, record.kind, record.images, record.problems, record.fingerprint[:12])
        table.add_row(*(shown(cell) for cell in cells))
    output.print(table)
