"""`sonotune data answers`: what normalisation makes of every answer of a dataset, and what it leaves for people."""

from __future__ import annotations

from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from engine import api
from engine.cli.console import RESEARCH_NOTE, new_table, output, print_json, say, shown
from engine.cli.layers import HELP, layers_from
from engine.cli.options import LARGEST, AsJson, workspace_of
from engine.cli.writing import write_text
from engine.errors import UsageError
from engine.questions.normalise.layers import ALL_LAYERS, Layer
from engine.types import QUESTION_IDS

SHOWN = 20
"""Answers of each question that are printed; --limit, --csv and --json have more."""
CHARACTERS = 120
"""Of an answer in the table; a report of 600 would push the others off the screen."""
LETTERS = {Layer.TEXT: "T", Layer.SPELLING: "S", Layer.MEANING: "M"}


def register(group: typer.Typer) -> None:
    """Add the command to the group `data`."""
    group.command()(answers)


def answers(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the dataset.")],
    question: Annotated[list[str] | None, typer.Option(help="Q1 to Q8; may be given twice [default: all].")] = None,
    layers: Annotated[str | None, typer.Option(help=f"{HELP} [default: all]")] = None,
    left_alone: Annotated[bool, typer.Option("--left-alone", help="Only answers without a meaning found.")] = False,
    limit: Annotated[int, typer.Option(min=0, max=LARGEST, help="Answers of each question; 0 for all.")] = SHOWN,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write a CSV file; - prints it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what every distinct answer is read as, and by which layers; those that were left alone come first."""
    if csv is not None and as_json:
        raise UsageError("--csv and --json exclude each other", next_step="Choose one of them.")
    chosen = layers_from(layers, "--layers")
    asked = [each.upper() for each in question or QUESTION_IDS]
    table = api.normalised_answers(
        workspace_of(context), name, asked, layers=ALL_LAYERS if chosen is None else chosen
    )  # fmt: skip
    if left_alone:
        table = api.only_left_alone(table)
    if as_json:
        print_json({**asdict(table), "note": RESEARCH_NOTE})
    elif csv is not None:
        write_text(csv, api.normalised_answers_csv(table), f"{len(table.rows):,} answers")
    else:
        _print(table, asked, limit)


def _print(table: api.NormalisedAnswers, asked: list[str], limit: int) -> None:
    layers = ", ".join(table.layers) or "none"
    output.print(shown(f"{api.one_line(table.dataset)}  content {table.fingerprint[:12]}", "bold"))
    output.print(shown(f"Normalisation version {table.version}; layers: {layers}."))
    output.print(
        shown(
            f"{table.distinct:,} different answers, {table.left_alone:,} left alone.",
            "bold" if table.left_alone else "",
        )
    )
    found = {key: list(rows) for key, rows in groupby(table.rows, key=lambda row: row.question)}
    for question in dict.fromkeys(asked):
        _print_question(question, found.get(question, []), limit)
    output.print(shown("by: T text, S spelling, M meaning; raw answers are kept as they are.", "dim"))
    output.print(shown(RESEARCH_NOTE, "dim"))


def _print_question(question: str, rows: list[api.AnswerReading], limit: int) -> None:
    if not rows:
        output.print(shown(f"\n{question}: none.", "dim"))
        return
    grid = new_table(title=Text(f"\n{question}", style="bold"))
    grid.add_column("images", justify="right", no_wrap=True)
    grid.add_column("answer", overflow="fold", ratio=1)
    grid.add_column("read as", overflow="fold", ratio=1)
    grid.add_column("by", no_wrap=True)
    grid.expand = True
    listed = rows[:limit] if limit else rows
    for row in listed:
        by = "".join(letter for layer, letter in LETTERS.items() if layer in row.layers)
        grid.add_row(f"{row.images:,}", shown(_short(row.raw)), _read_as(row), by or "–")
    output.print(grid)
    if len(listed) < len(rows):
        say(f"{question}: {len(rows) - len(listed):,} more; --limit 0 shows all, --csv FILE writes them.")


def _read_as(row: api.AnswerReading) -> Text:
    if row.left_alone:
        return shown(f"! left alone: {_short(row.reason)}", "yellow")
    text = shown(_short(row.canonical))
    return text.append_text(shown(f"\n! {_short(row.reason)}", "yellow")) if row.reason else text


def _short(text: str) -> str:
    safe = api.one_line(text) if text.strip() else "(empty)"
    return safe if len(safe) <= CHARACTERS else f"{safe[: CHARACTERS - 1]}…"
