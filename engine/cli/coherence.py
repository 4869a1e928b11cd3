"""`sonotune coherence`: do the answers to one image fit each other?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from engine import api
from engine.cli.console import RESEARCH_NOTE, new_table, output, print_json, shown
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.errors import UsageError
from engine.formatting import figure
from engine.types import Score, Split

EXAMPLES = 3
CHARACTERS = 100
"""Of an answer in an example; --json has all of it."""
TITLES = {"coherence": "rules kept, mean over images", "coherent_images": "images that break no rule"}


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(coherence)


def coherence(
    context: typer.Context,
    run: Annotated[
        str | None, typer.Argument(metavar="[RUN]", help="Run, or a reference such as shuffled or base.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="The annotated answers of this dataset instead.")] = None,
    split: Annotated[
        str | None, typer.Option(help="validation or test [default: validation; with --dataset all].")
    ] = None,
    report: Annotated[bool, typer.Option("--report", help="The combined report, not the single questions.")] = False,
    limit: Annotated[int, typer.Option(min=0, max=LARGEST, help="Example images of each rule.")] = EXAMPLES,
    as_json: AsJson = False,
) -> None:
    """Hold answers to several questions about the same images against each other, rule by rule.

    Answers that fit each other can still be wrong: how often they are right stands on the leaderboard.
    """
    if (run is None) == (dataset is None):
        raise UsageError(
            "Whose answers?", "It takes a run or a dataset.", "`sonotune coherence RUN`, or --dataset NAME."
        )
    if report and dataset is not None:
        raise UsageError("--report is for runs", next_step="Leave out --report or --dataset.")
    workspace, part = workspace_of(context), _split(split, of_run=run is not None)
    if dataset is not None:
        view = api.annotated_coherence(workspace, dataset, part, examples=limit)
    else:
        view = api.coherence(workspace, run or "", part or Split.VALIDATION, report=report, examples=limit)
    if as_json:
        print_json({**asdict(view), "note": RESEARCH_NOTE})
    else:
        _print(view)


def _split(text: str | None, *, of_run: bool) -> Split | None:
    allowed = (Split.VALIDATION, Split.TEST) if of_run else tuple(Split)
    if text is None:
        return None
    if text not in allowed:
        raise UsageError(f"There is nothing to look at on the split {text}", next_step=f"Choose: {', '.join(allowed)}.")
    return Split(text)


def _print(view: api.CoherenceView) -> None:
    where = f"{view.split} of {view.dataset}" if view.split else f"all images of {view.dataset}"
    output.print(shown(api.one_line(f"{view.subject}: {where}"), "bold"))
    output.print(shown(f"Held against each other: {_used(view)}."))
    silent = view.images - view.judged
    if silent:
        output.print(shown(f"{silent:,} of {view.images:,} images have no answers that any rule speaks about.", "dim"))
    if not view.judged:
        output.print(shown("! Nothing can be said: no rule needs these questions, or none was read.", "yellow"))
    for score in view.scores:
        if score.scope == "all":
            output.print(shown(f"{TITLES[score.name]}: {_figure(score)}"))
    for score in view.annotated:
        output.print(shown(f"  annotated answers, {TITLES[score.name]}: {_figure(score)}", "dim"))
    _print_rules(view)
    _print_examples(view)
    if view.run is None and not view.annotated:
        output.print(shown("What breaks a rule may be an annotation error; a person should look.", "dim"))
    else:
        output.print(shown("Answers that fit each other can still be wrong.", "dim"))
    output.print(shown(f"Intervals: 95 %. {RESEARCH_NOTE}", "dim"))


def _used(view: api.CoherenceView) -> str:
    return "; ".join(
        f"{each.question} ({each.images:,} images"
        + (")" if each.evaluation is None else f", evaluation {each.evaluation})")
        for each in view.used
    )


def _figure(score: Score) -> str:
    if score.value is None or score.low is None or score.high is None:
        return f"– (n = {score.n:,})"
    return f"{figure(score.value)} ({figure(score.low)}–{figure(score.high)}), n = {score.n:,}"


def _print_rules(view: api.CoherenceView) -> None:
    grid = new_table()
    grid.add_column("rule", overflow="fold")
    grid.add_column("needs", no_wrap=True)
    for name in ("applied", "broken", "share"):
        grid.add_column(name, justify="right", no_wrap=True)
    for row in view.rules:
        style = "bold" if row.broken else "" if row.applied else "dim"
        share = "–" if row.share.value is None else f"{100 * row.share.value:.1f} %"
        if row.share.low is not None and row.share.high is not None:
            share += f"\n{100 * row.share.low:.1f}–{100 * row.share.high:.1f}"
        grid.add_row(
            shown(row.sentence, style), ", ".join(row.questions), f"{row.applied:,}", f"{row.broken:,}", share
        )  # fmt: skip
    output.print(grid)


def _print_examples(view: api.CoherenceView) -> None:
    for row in view.rules:
        if row.examples:
            output.print(shown(f"! {row.sentence} Broken by {row.broken:,}:", "yellow"))
        for each in row.examples:
            output.print(
                shown(f"  {api.one_line(each.path)}").append_text(shown(f"  {api.one_line(each.view)}", "dim"))
            )
            for (question, canonical), (_, raw) in zip(each.said, each.raw, strict=True):
                output.print(shown(f"    {question}  {_short(canonical)}  “{_short(raw)}”"))
        if row.broken > len(row.examples) > 0:
            output.print(shown(f"  … and {row.broken - len(row.examples):,} more: --limit {row.broken}", "dim"))


def _short(text: str) -> str:
    safe = api.one_line(text)
    return safe if len(safe) <= CHARACTERS else f"{safe[: CHARACTERS - 1]}…"
