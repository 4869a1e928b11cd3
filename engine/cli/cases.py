"""`sonotune cases`: from a figure to the images behind it, with what several runs say of each."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from engine import api
from engine.cli import cases_text
from engine.cli.console import print_json
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.cli.writing import write_text
from engine.errors import UsageError

SHOWN = 20
"""Cases that are printed where no limit is given; files get all of them."""


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(cases)


def cases(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run, or majority, majority_by_view, shuffled, base.")],
    question: Annotated[str | None, typer.Option(help="Q1 to Q8 or report [default: measured last].")] = None,
    split: Annotated[str | None, typer.Option(help="validation or test [default: measured last].")] = None,
    cell: Annotated[
        list[str] | None, typer.Option(help="TARGET:SAID, such as abnormal:normal; * stands for any. Repeatable.")
    ] = None,
    view: Annotated[list[str] | None, typer.Option(help="A view; NT stands for all NT views. Repeatable.")] = None,
    outcome: Annotated[str, typer.Option(help="With commas: right, wrong, unparseable, cut_off, error.")] = "",
    beside: Annotated[
        list[str] | None, typer.Option("--with", help="Another run or reference beside it. Repeatable.")
    ] = None,
    differ: Annotated[
        str, typer.Option(help="fixed (only the first --with is right), broken (only RUN is right) or any.")
    ] = "",
    decision: Annotated[str, typer.Option(help="Q7: text, or threshold on P(abnormal).")] = "text",
    filter_text: Annotated[str, typer.Option("--filter", help="Words in output or path; p_abnormal > 0.4.")] = "",
    sort: Annotated[str, typer.Option(help="view (NT first), path, p_abnormal or latency.")] = "view",
    descending: Annotated[bool, typer.Option("--descending", help="Highest first.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=0, max=LARGEST, help=f"So many cases [default: {SHOWN} on the screen].")
    ] = None,
    path: Annotated[str, typer.Option(help="One image in full.")] = "",
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a CSV file; - prints it.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show which images a run gets wrong: confusion table, views with NT first, and the cases with their outputs.

    Without --cell, --outcome, --differ or --filter, the cases that are not right are listed.
    """
    if sum((csv is not None, markdown, as_json)) > 1:
        raise UsageError("--csv, --markdown and --json exclude each other", next_step="Choose one of them.")
    workspace, chosen = workspace_of(context), _decision(decision)
    evaluation = api.find_case_evaluation(workspace, run, question=question, split=_split(split))
    others = tuple(api.find_case_evaluation(workspace, each, like=evaluation) for each in beside or ())
    if path:
        _one(workspace, (evaluation, *others), path, chosen, as_json)
        return
    confusion = api.confusion(workspace, evaluation, decision=chosen)
    views = tuple(dict.fromkeys(name for each in view or () for name in api.find_views(confusion, each)))
    if views:
        confusion = api.confusion(workspace, evaluation, decision=chosen, views=views)
    outcomes = tuple(each.strip() for each in outcome.split(",") if each.strip())
    narrowed = bool(cell or outcomes or differ or filter_text.strip())
    to_file = csv is not None or markdown or as_json
    query = api.CaseQuery(
        evaluation=evaluation,
        others=others,
        decision=chosen,
        cells=tuple(api.parse_cell(each, workspace, evaluation, chosen) for each in cell or ()),
        views=views,
        outcomes=outcomes if narrowed else api.NOT_RIGHT,
        differ=differ,
        filter=filter_text,
        sort=sort,
        descending=descending,
        limit=limit if to_file or limit is not None else SHOWN,
        whole=to_file,
    )
    found = api.cases(workspace, query)
    if as_json:
        print_json(api.cases_as_json(found, confusion))
    elif csv is not None:
        write_text(csv, api.export_cases(found, "csv"), f"{len(found.items)} cases")
    elif markdown:
        sys.stdout.write(api.export_cases(found, "markdown"))
    else:
        cases_text.print_confusion(confusion, _by_threshold(workspace, confusion))
        cases_text.print_cases(found)


def _one(
    workspace: api.Workspace, evaluations: tuple[int, ...], path: str, chosen: api.Decision, as_json: bool
) -> None:
    details = api.case_details(workspace, evaluations, path)
    quality = api.case_quality(workspace, details.replies[0].subject.dataset, path) if details.image else None
    if as_json:
        print_json(api.case_as_json(details, quality))
    else:
        cases_text.print_one(details, quality, chosen)


def _decision(text: str) -> api.Decision:
    if text not in tuple(api.Decision):
        raise UsageError(f"There is no decision {text!r}", next_step="Choose: text or threshold.")
    return api.Decision(text)


def _split(text: str | None) -> api.Split | None:
    if text is not None and text not in tuple(api.Split):
        raise UsageError(f"There is no split {text}", next_step=f"Choose: {', '.join(api.Split)}.")
    return None if text is None else api.Split(text)


def _by_threshold(workspace: api.Workspace, confusion: api.Confusion) -> api.Confusion | None:
    """The other table of Q7, where there are probabilities and the first one is by text."""
    if confusion.subject.question != "Q7" or confusion.decision is api.Decision.THRESHOLD:
        return None
    evaluation, views = confusion.subject.evaluation, confusion.shown_views
    other = api.confusion(workspace, evaluation, decision=api.Decision.THRESHOLD, views=views)
    return other if cases_text.has_probabilities(other) else None
