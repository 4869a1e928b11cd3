"""`sonotune leaderboard`: every figure with n and its interval, beside the rows that tell what it is worth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import groupby
from typing import Annotated, Any

import typer
from rich.text import Text

from engine import api
from engine.cli.board import NOT_YET, BoardOptions, show_board
from engine.cli.console import RESEARCH_NOTE, interval, new_table, output, print_json, say, shown
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.errors import UsageError
from engine.formatting import duration, size
from engine.questions.prompts import REPORT_ID
from engine.store.board_columns import BOARD_COLUMNS, MAIN_SCORES
from engine.store.records import degradation_words
from engine.types import QUESTION_IDS, Reference, Split

LABELS = {
    "balanced_accuracy": "balanced\naccuracy",
    "sensitivity": "sensi-\ntivity",
    "specificity": "speci-\nficity",
    "auroc": "AUROC\n",
    "mcc": "MCC\n",
    "section_accuracy": "section\naccuracy",
    "completeness": "complete-\nness",
    "keyword_agreement": "keyword\nagreement",
    "macro_recall": "macro\nrecall",
}
"""Heads on two lines; other figures have the short title that the leaderboard's screen has."""
WIDE = 110
"""Columns of the terminal from which on speed and memory are shown as well."""


_REFERENCES = list(Reference)
_NO_CHOICE = (Reference.MAJORITY, Reference.SHUFFLED)
"""References for which no threshold is chosen."""
MOST_ROWS = 100
"""Of one group, printed: rich lays out a thousand rows in two seconds, and nobody reads them."""


def register(app: typer.Typer) -> None:
    """Add the sub-command."""
    app.command()(leaderboard)


def leaderboard(
    context: typer.Context,
    question: Annotated[str | None, typer.Option(help="Q1 to Q8.")] = None,
    split: Annotated[str | None, typer.Option(help="validation or test.")] = None,
    dataset: Annotated[str | None, typer.Option(help="Name of a dataset.")] = None,
    as_json: AsJson = False,
    filter_text: Annotated[str, typer.Option("--filter", help="Such as: auroc > 0.8 and model contains 4B.")] = "",
    sort: Annotated[str | None, typer.Option(help="Column to sort by.")] = None,
    ascending: Annotated[bool, typer.Option("--ascending", help="Lowest first.")] = False,
    columns: Annotated[str, typer.Option(help="Columns to show, with commas: name,auroc,study.")] = "",
    group: Annotated[int | None, typer.Option(min=1, max=LARGEST, help="Which group; 1 is the newest.")] = None,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print a Markdown table.")] = False,
) -> None:
    """Compare runs with each other, with the majority class and with the untuned model.

    With any of the options from --filter on, one group is shown: the one measured last, unless --group says otherwise.
    """
    if split is not None and split not in tuple(Split):
        raise UsageError(f"There is no split {split}", next_step=f"Choose: {', '.join(Split)}.")
    if question is not None and question not in (*QUESTION_IDS, REPORT_ID):
        raise UsageError(f"There is no question {question}", next_step=f"Choose: {', '.join(QUESTION_IDS)}.")
    workspace, part = workspace_of(context), None if split is None else Split(split)
    options = BoardOptions(filter_text, sort, ascending, columns, group, as_csv, as_markdown)
    if options.given:
        show_board(workspace, options, (question, part, dataset), as_json)
        return
    rows = api.leaderboard(workspace, question, part, dataset)
    if as_json:
        print_json(rows)
    elif rows:
        print_leaderboard(rows)
        for name in sorted({row["dataset"] for row in rows if row["split"] == Split.TEST}):
            note = api.looks_note(workspace, name, Split.TEST)
            if note:
                output.print(shown(f"Test split of {name}: {note}; `sonotune data looks {name}` says why.", "dim"))
    else:
        say(NOT_YET)


def _group(row: dict[str, Any]) -> tuple[str, ...]:
    """Rows may be ranked together only where cases and protocol are the same."""
    names = ("dataset", "question", "split", "cases_fingerprint", "clean_protocol_fingerprint")
    return tuple(str(row[name]) for name in names)


def print_leaderboard(rows: Iterable[dict[str, Any]]) -> None:
    """One table for each set of cases measured in the same way."""
    ranked = sorted(rows, key=_group)  # stable: the order within a group stays
    for key, members in groupby(ranked, key=_group):
        _print_group(key, list(members))
    output.print(
        shown(f"Intervals: 95 %, Wilson for proportions, stratified bootstrap otherwise. {RESEARCH_NOTE}", "dim")
    )


def _print_group(key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    dataset, question, split, cases, protocol = key
    abnormal = next((row["sensitivity_n"] for row in rows if row.get("sensitivity_n")), None)
    title = Text(f"{question} on {split} of {dataset}: {rows[0]['n']} cases", style="bold")
    if abnormal is not None:
        title.append(f", {abnormal} abnormal")
    title.append(f"  cases {cases[:8]} protocol {protocol[:8]}", style="dim")
    wide = output.width >= WIDE
    scores = MAIN_SCORES.get(question, MAIN_SCORES["Q7"])
    table = new_table(title=title)
    table.add_column("run", overflow="fold")
    for name in scores:
        table.add_column(LABELS.get(name, BOARD_COLUMNS[name].short), justify="right")
    for label in ("training", "samples/s", "peak memory") if wide else ():
        table.add_column(label, justify="right")
    listed = ordered(rows, scores[0])
    for row in listed[:MOST_ROWS]:
        cells: list[Text | str] = [_name(row), *(interval(row, name) for name in scores)]
        if wide:
            rate = row["samples_per_second"]
            cells += [
                duration(row["train_seconds"]),
                "–" if rate is None else f"{rate:.1f}",
                size(row["peak_vram_bytes"] or row["peak_rss_bytes"]),
            ]
        table.add_row(*cells)
    output.print(table)
    if (more := len(listed) - MOST_ROWS) > 0:
        output.print(
            shown(f"{more:,} more below these: `--filter` chooses among all, `--json` and `--csv` give all.", "dim")
        )
    _print_notes(rows if more <= 0 else listed[:MOST_ROWS])


def ordered(rows: list[dict[str, Any]], score: str) -> list[dict[str, Any]]:
    """References first, then runs, the best of the main figure first, each with its control behind it."""
    controls: dict[object, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["degradation"]:
            controls[row["run"]].append(row)

    def order(row: dict[str, Any]) -> tuple[bool, float, int]:
        value = row.get(score)
        return value is None, -(value or 0.0), -row["evaluation"]

    clean = [row for row in rows if not row["degradation"]]
    references = sorted((row for row in clean if row["reference"]), key=lambda row: _REFERENCES.index(row["reference"]))
    runs = sorted((row for row in clean if not row["reference"]), key=order)
    listed = [*references, *(each for row in runs for each in (row, *controls.pop(row["run"], ())))]
    done = {row["evaluation"] for row in listed}
    return [*listed, *(row for row in rows if row["evaluation"] not in done)]


def _name(row: dict[str, Any]) -> Text:
    control = bool(row["degradation"])
    words = degradation_words(row["degradation"])
    name = shown(str(row["name"])[:60] + words, "italic" if row["reference"] or control else "bold")
    if row["run"] is not None and not control:
        name.append(f"\nrun {row['run']}", style="dim")
    for kind in dict.fromkeys(mark["kind"] for mark in row["marks"] if not control and not row["reference"]):
        name.append(f"\n! {shown(kind).plain}", style="yellow")
    return name


def _print_notes(rows: list[dict[str, Any]]) -> None:
    """What a reader of the table must know besides."""
    for row in rows:
        name = shown(row["name"]).plain
        if row["degradation"]:
            continue
        for mark in row["marks"] if not row["reference"] else ():
            output.print(shown(f"! {name}: {mark['detail']}.", "yellow"))
        if not row["reference"] and row.get("distinct_answers") is not None:
            said, meant = int(row["distinct_answers"]), int(row["distinct_targets"])
            words = f"{name}: {said} different answers for {row['n']} images with {meant} different targets."
            output.print(shown(words, "dim"))
        if row["reference"] == "majority" and row["accuracy"] is not None:
            output.print(shown(f"Always giving the commonest answer has accuracy {row['accuracy']:.2f}.", "dim"))
        if row["reference"] not in _NO_CHOICE and row["threshold"] is not None:
            output.print(shown(f"{name}: P(abnormal) ≥ {row['threshold']:.3f}, {row['threshold_source']}.", "dim"))
        for count, what in (
            (row["errors"], "are serving errors"),
            (row["unparseable"], "could not be read"),
            (row["cut_off"], "were cut off"),
        ):
            if count:
                output.print(shown(f"{name}: {count} of {row['n']} outputs {what}.", "yellow"))
