"""`sonotune predictions`: what another tool has predicted, scored like our own."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from engine import api
from engine.cli.confirming import with_purpose
from engine.cli.console import new_table, output, print_json, say, shown
from engine.cli.launching import Purpose
from engine.cli.layers import Normalisation, layers_from
from engine.cli.options import AsJson, workspace_of
from engine.errors import UsageError
from engine.questions.normalise.layers import ALL_LAYERS
from engine.types import Split

SHOWN_REJECTED = 10


def register(app: typer.Typer) -> None:
    """Add the sub-commands."""
    group = typer.Typer(help="Predictions of other tools.", no_args_is_help=True, rich_markup_mode=None)
    group.command("import")(import_)
    group.command()(patterns)
    app.add_typer(group, name="predictions")


def import_(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="JSONL or JSON: image path, question, prediction.")],
    dataset: Annotated[str, typer.Option(help="Dataset whose images were asked about.")],
    name: Annotated[str, typer.Option(help="Name on the leaderboard [default: that of the file].")] = "",
    model: Annotated[str, typer.Option(help="What has made the predictions, in words.")] = "",
    question: Annotated[str | None, typer.Option(help="Q1 to Q8, for entries that name none.")] = None,
    split: Annotated[str | None, typer.Option(help="validation or test [default: both].")] = None,
    normalisation: Normalisation = None,
    test_purpose: Purpose = "",
    as_json: AsJson = False,
) -> None:
    """Score a file of predictions; they enter the leaderboard as a run of kind `imported`."""
    workspace = workspace_of(context)
    if split not in (None, Split.VALIDATION, Split.TEST):
        raise UsageError(f"Nothing is scored on the split {split}", next_step="Choose: validation or test.")
    part = None if split is None else Split(split)
    layers = layers_from(normalisation)
    done = with_purpose(
        lambda purpose: api.import_predictions(
            workspace,
            file,
            dataset,
            name=name,
            model=model,
            question=question,
            split=part,
            test_purpose=purpose,
            normalisation=ALL_LAYERS if layers is None else layers,
        ),
        test_purpose,
    )
    if as_json:
        print_json(asdict(done))
        return
    _print(done)


def _print(done: api.ImportedPredictions) -> None:
    say(f"Run {done.run} holds the predictions: {done.name}")
    table = new_table("question", "split", "scored", "right", "wrong", "no answer", "errors", right=(2, 3, 4, 5, 6))
    for part in done.parts:
        counts = Counter(part.outcomes)
        unread = counts["unparseable"] + counts["cut_off"] + counts["unscored"]
        cells = (f"{part.cases} of {part.of}", counts["right"], counts["wrong"], unread, counts["error"])
        table.add_row(part.question, part.split.value, *(shown(cell) for cell in cells))
    output.print(table)
    for part in done.parts:
        if part.cases < part.of:
            say(
                f"{part.question} on {part.split}: {part.of - part.cases} images have no prediction. These rows rank "
                "by themselves: figures on other images are not compared."
            )
    for what, count in done.tolerated.items():
        say(f"{count} paths were found in spite of their {what}")
    if done.on_training:
        say(f"{done.on_training} predictions on training images were not scored")
    for reason, count in Counter(reason for _, _, reason in done.rejected).most_common(10):
        say(f"rejected {count}: {reason}")
    for number, item, reason in done.rejected[:SHOWN_REJECTED]:
        say(f"  line {number}: {item[:120]}: {reason}")
    if len(done.rejected) > SHOWN_REJECTED:
        say(f"  … and {len(done.rejected) - SHOWN_REJECTED} more: --json lists all")


def patterns(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the patterns that tell serving errors from answers; error-patterns.txt in the workspace sets them."""
    found = api.workspace_patterns(workspace_of(context))
    if as_json:
        print_json(list(found))
        return
    for pattern in found:
        output.print(shown(pattern), soft_wrap=True)
