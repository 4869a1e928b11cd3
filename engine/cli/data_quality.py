"""`sonotune data check` and `sonotune data split`: what a dataset is worth, and another split of it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from engine import api
from engine.cli.console import new_table, output, print_json, progress_bar, say, shown
from engine.cli.data_quality_tables import SECTIONS
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.errors import UsageError

Name = Annotated[str, typer.Argument(help="Name of the dataset.")]


def register(group: typer.Typer) -> None:
    """Add the commands to the group `data`."""
    group.command()(check)
    group.command()(split)


def check(
    context: typer.Context,
    name: Name,
    as_json: AsJson = False,
    verify: Annotated[
        bool, typer.Option("--verify/--no-verify", help="Read every file again and compare it with the import.")
    ] = True,
    section: Annotated[
        str, typer.Option(help="overview, answers, rare, odd, images, duplicates, or all.", metavar="S")
    ] = "overview",
    view: Annotated[str | None, typer.Option(help="Answers of this view alone, in the section answers.")] = None,
) -> None:
    """Decode, compare and count everything; exit code 1 where results on this dataset could not be trusted."""
    if section != "all" and section not in SECTIONS:
        raise UsageError(f"There is no section {section}", next_step=f"Choose: {', '.join([*SECTIONS, 'all'])}.")
    workspace = workspace_of(context)
    with progress_bar("Decoding images") as progress:
        outcome = api.check_images(workspace, name, progress)
    changes = None
    if verify:
        with progress_bar("Comparing files") as progress:
            changes = api.compare_files(workspace, name, progress, skip=outcome.read)
    report = api.quality_report(workspace, name, changes=changes)
    if as_json:
        print_json({**asdict(report), "images_per_second": outcome.images_per_second or None})
    else:
        if outcome.decoded:
            say(f"{outcome.decoded:,} images decoded, {outcome.images_per_second:,.0f} a second.")
        for title, show in SECTIONS.items():
            if section in (title, "all"):
                show(_of_view(report, view))
    if report.errors:
        raise typer.Exit(1)


def split(
    context: typer.Context,
    name: Name,
    seed: Annotated[int | None, typer.Option(max=LARGEST, help="Seed [default: that of the dataset].")] = None,
    shares: Annotated[
        str, typer.Option(help="Train, validation and test, such as 0.8,0.1,0.1 [default: as before].")
    ] = "",
    keep_near_duplicates: Annotated[
        bool,
        typer.Option("--keep-near-duplicates/--scatter-near-duplicates", help="Near-duplicates share a split."),
    ] = True,
    file: Annotated[Path | None, typer.Option("--from", help="Your own split: CSV or JSON with paths.")] = None,
    rest: Annotated[str, typer.Option("--split-rest", help="Images that the file doesn't name: refuse, train.")] = (
        "refuse"
    ),
    replace_measured: Annotated[
        bool, typer.Option("--replace", help="Even though something was measured on the present split.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Split a dataset again; its images, answers and their fingerprint stay as they are."""
    if file is not None and (seed is not None or shares):
        raise UsageError("A split file leaves nothing to draw", next_step="Leave out --seed and --shares.")
    if rest not in ("refuse", "train"):
        raise UsageError(f"{rest!r} is no choice for --split-rest", next_step="Choose: refuse, train.")
    with progress_bar("Decoding images") as progress:
        done = api.resplit_dataset(
            workspace_of(context),
            name,
            seed=seed,
            shares=_shares(shares),
            keep_near_duplicates=keep_near_duplicates,
            file=file,
            rest=rest,
            replace=replace_measured,
            progress=progress,
        )
    if as_json:
        print_json(asdict(done))
    else:
        _show_split(name, done)


def _shares(text: str) -> tuple[float, float, float] | None:
    if not text:
        return None
    try:
        train, validation, test = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--shares {text!r} are not three numbers", next_step="Such as 0.8,0.1,0.1.") from None
    return train, validation, test


def _show_split(name: str, done: api.Resplit) -> None:
    output.print(shown(f"{name}: {done.moved:,} of {done.record.images:,} images moved to another split."))
    before, after = done.old_split_fingerprint[:12], done.record.split_fingerprint[:12]
    output.print(shown(f"split {before} -> {after}; content {done.record.fingerprint[:12]} as before"))
    if done.kept_together:
        output.print(shown(f"{done.kept_together:,} groups of near-duplicates share a split each."))
    if done.crossing:
        say(f"{done.crossing:,} pairs of equal or near-duplicate images stand in different splits.", "yellow")
    if done.moved and (done.measured.runs or done.measured.evaluations):
        say(
            f"{done.measured.runs} runs and {done.measured.evaluations} evaluations belong to the old split: they keep "
            "their figures, and are not ranked together with new ones.",
            "yellow",
        )
    table = new_table("split", "images", "normal", "abnormal", "other", right=(1, 2, 3, 4))
    for part in api.Split:
        rows = [count for count in done.counts if count.split == part]
        total, normal, abnormal = (sum(getattr(row, what) for row in rows) for what in ("total", "normal", "abnormal"))
        table.add_row(part.value, f"{total:,}", f"{normal:,}", f"{abnormal:,}", f"{total - normal - abnormal:,}")
    output.print(table)


def _of_view(report: api.QualityReport, view: str | None) -> api.QualityReport:
    """The report with the answers of one view alone."""
    if view is None:
        return report
    known = {name for row in report.answers.distribution for name in row.by_view}
    if view not in known:
        raise UsageError(f"There is no view {view}", next_step=f"Choose: {', '.join(sorted(known))}.")
    rows = [
        replace(row, count=row.by_view[view], by_view={view: row.by_view[view]})
        for row in report.answers.distribution
        if view in row.by_view
    ]
    rows.sort(key=lambda row: (row.question, -row.count, row.canonical))
    return replace(report, answers=replace(report.answers, distribution=tuple(rows)))
