"""`sonotune db`: look for damage, copy runs.db while it is used, thin old curves, make it anew after damage."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine import api
from engine.cli.console import output, print_json, progress_bar, say, shown
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError
from engine.formatting import size

db = typer.Typer(
    help="Keep runs.db in order: check, back up, compact, restore.", no_args_is_help=True, rich_markup_mode=None
)


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    app.add_typer(db, name="db")


@db.command()
def check(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out what reads every byte: indexes, adapters, checkpoints, journals.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look for damage, and for rows that disagree with files and processes. Exit code 1 where something is wrong."""
    found = api.check_database(workspace_of(context), quick=quick)
    if as_json:
        print_json(asdict(found))
    else:
        counts = f"{found.runs} runs, {found.evaluations} evaluations, {found.points:,} points of curves"
        output.print(shown(f"{counts}, {found.predictions:,} predictions, {size(found.bytes)}"))
        for fault in found.faults:
            output.print(shown(f"WRONG  {fault.what}\n       {fault.mend}"))
        if not found.faults:
            output.print(shown("Nothing is wrong."))
    if found.faults:
        raise typer.Exit(1)


@db.command()
def backup(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Of the copy [default: backups/runs-DATE-TIME.db].")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy runs.db while runs write into it; the copy is checked before it counts."""
    with progress_bar("MiB copied") as bar:
        target, count = api.back_up_database(
            workspace_of(context), file, replace=force, progress=lambda done, total: bar(done >> 20, total >> 20)
        )
    if as_json:
        print_json({"file": str(target), "bytes": count})
    else:
        output.print(shown(f"{target} is a whole copy of {size(count)}, readable by you alone."))


@db.command()
def compact(
    context: typer.Context,
    older_than: Annotated[str, typer.Option("--older-than", help="Days since a run ended, as in 30d.")] = "30d",
    keep: Annotated[
        int, typer.Option("--keep", help="Buckets of a curve, four points each at most.", min=1, max=1_000_000)
    ] = 1000,
    except_tag: Annotated[str, typer.Option("--except-tag", help="Leave runs with this tag as they are.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    as_json: AsJson = False,
) -> None:
    """Thin curves and telemetry of old runs: exact per bucket (first, last, smallest, largest), and jobs go on."""
    days = days_of(older_than)
    with progress_bar("Thinning runs") as progress:
        found = api.compact_database(
            workspace_of(context), days, buckets=keep, except_tag=except_tag, dry_run=dry_run, progress=progress
        )
    if as_json:
        print_json(asdict(found))
        return
    would = "would be" if dry_run else "were"
    output.print(shown(f"{found.points:,} points and {found.samples:,} samples of {found.runs} runs {would} removed."))
    if not dry_run:
        output.print(shown(f"{size(found.before)} before, {size(found.after)} now."))
        if found.unshrunk:
            output.print(shown(f"The file was not made smaller: {found.unshrunk}."))


@db.command()
def restore(
    context: typer.Context,
    backup_file: Annotated[
        Path | None, typer.Argument(help="To begin with [default: the newest whole one in backups/].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a damaged or lost runs.db anew: backup, what can still be read, journals and folders of runs."""
    found = api.restore_database(workspace_of(context), backup_file)
    if as_json:
        print_json(asdict(found))
        return
    for passed in found.passed_over:
        say(f"Not begun with {passed}")
    output.print(shown(f"Began with {found.backup}." if found.backup else "There was no backup to begin with."))
    _tell_salvage(found)
    output.print(shown(f"{found.journals} journals with {found.entries:,} entries were taken in."))
    for folder in found.folders:
        output.print(shown(f"  the row of {folder} was made again from its folder"))
    if found.unknown:
        output.print(shown(f"  of runs {', '.join(map(str, found.unknown))} only curves and evaluations are left"))
    for incomplete in found.incomplete:
        say(f"Not everything is known of {incomplete}")
    if found.kept is not None:
        output.print(shown(f"The damaged file is kept as {found.kept}."))


def _tell_salvage(found: api.Restored) -> None:
    if found.salvage is not None:
        for table in found.salvage.tables:
            if table.rows or table.gaps or table.error:
                gaps = f", {table.gaps} places could not be read" if table.gaps else ""
                refused = f", {table.refused} rows were no sound ones" if table.refused else ""
                output.print(shown(f"  {table.table}: {table.rows:,} rows were read{gaps}{refused}"))
        if found.salvage.error:
            output.print(shown(f"Nothing could be read of the damaged file: {found.salvage.error}"))
    for name, count in found.dropped.items():
        output.print(shown(f"  {name}: {count:,} rows were left out, because what they belong to is lost"))


def days_of(text: str) -> float:
    """Days from `30d`, `12h` or a number of days.

    Raises:
        UsageError: it is none of these.
    """
    number, unit = (text[:-1], text[-1]) if text and text[-1] in "dh" else (text, "d")
    try:
        value = float(number)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise UsageError(f"{text} is no span of time", next_step="Write 30d for days, 12h for hours.")
    return value / 24 if unit == "h" else value
