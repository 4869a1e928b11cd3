"""`sonotune export`: results as files that leave the program."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine import api
from engine.cli.console import RESEARCH_NOTE, output, print_json, say, shown
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.errors import UsageError
from engine.types import QUESTION_IDS


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    group = typer.Typer(help="Write results as files.", no_args_is_help=True, rich_markup_mode=None)
    group.callback()(_export)
    group.command()(report)
    app.add_typer(group, name="export")


def _export() -> None:
    """Write results as files that can be handed on."""


def report(
    context: typer.Context,
    question: Annotated[str | None, typer.Option(help="Q1 to Q8 or report [default: measured last].")] = None,
    split: Annotated[str | None, typer.Option(help="validation or test [default: measured last].")] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of the dataset [default: measured last].")] = None,
    run: Annotated[
        list[str] | None, typer.Option(help="A run; the first one is compared with the others. Repeatable.")
    ] = None,
    group: Annotated[
        int | None, typer.Option(min=1, max=LARGEST, help="Number of the ranking among those that fit.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to [default: reports/QUESTION-SPLIT in the workspace].")
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Also beside files of others, or over a report that was changed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a page with figures, plots, comparisons and methods: HTML, Markdown, CSV and JSON.

    Without options: the ranking that was measured last, with its best runs. What must be known before believing a
    figure stands first, and every figure has its 95 % interval and its n.
    """
    query = api.ReportQuery(_question(question), _split(split), dataset, tuple(run or ()), group)
    exported = api.export_report(workspace_of(context), out, query, replace=replace)
    if as_json:
        print_json(
            {**asdict(exported), "folder": str(exported.folder), "files": list(map(str, exported.files)),
             "note": RESEARCH_NOTE}
        )  # fmt: skip
        return
    output.print(shown(exported.title, "bold"))
    for warning in exported.warnings:
        output.print(shown(f"! {api.one_line(warning)}", "bold"))
    output.print(shown(exported.summary))
    output.print(shown(f"{exported.folder / 'report.html'}"), soft_wrap=True)
    say(f"{len(exported.files)} files. {RESEARCH_NOTE}")


def _question(text: str | None) -> str | None:
    if text is None:
        return None
    known = {each.casefold(): each for each in (*QUESTION_IDS, "report")}
    if text.casefold() not in known:
        raise UsageError(f"There is no question {text}", next_step="Choose Q1 to Q8, or report.")
    return known[text.casefold()]


def _split(text: str | None) -> api.Split | None:
    if text is None or text in tuple(api.Split):
        return None if text is None else api.Split(text)
    raise UsageError(f"There is no split {text}", next_step="Choose validation or test.")
