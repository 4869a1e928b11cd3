"""The table of what normalisation makes of every distinct answer of a dataset, for people to check."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.api.reading_answers import AnswerReading
from engine.data.manifest import open_dataset
from engine.errors import UsageError
from engine.questions.normalise.layers import ALL_LAYERS, NORMALISATION_VERSION, Layers, layer_names
from engine.questions.tracing import trace
from engine.text import one_line
from engine.text_cells import RESEARCH_ONLY, spreadsheet_cell
from engine.types import QUESTION_IDS
from engine.workspace import Workspace

CSV_HEADS = (
    "question",
    "images",
    "answer",
    "read_as",
    "changed_by",
    "left_alone",
    "reason",
    "dataset",
    "normalisation_version",
    "layers",
    "note",
)


@dataclass(frozen=True, slots=True)
class NormalisedAnswers:
    """What became of the answers of a dataset."""

    dataset: str
    fingerprint: str
    """Of the dataset's content."""
    version: int
    """Of the tables and rules of normalisation."""
    layers: tuple[str, ...]
    """Those that were applied, in order."""
    distinct: int
    """Different answers, counted for each question; those that `rows` leaves out among them."""
    left_alone: int
    """Those of them in which no meaning was found."""
    rows: tuple[AnswerReading, ...]
    """Question by question; in each, those left alone first, then the most frequent ones."""


def normalised_answers(
    workspace: Workspace,
    dataset: str,
    questions: Sequence[str] = QUESTION_IDS,
    *,
    layers: Layers = ALL_LAYERS,
) -> NormalisedAnswers:
    """What became of every distinct answer of a dataset.

    A large dataset with thousands of spellings takes a few seconds.

    Args:
        workspace: with the dataset.
        dataset: its name.
        questions: Q1 to Q8.
        layers: to apply. Without `meaning` nothing is read, and so nothing but empty text is left alone.

    Raises:
        DataError: there is no such dataset.
        UsageError: there is no such question.
    """
    unknown = [question for question in questions if question not in QUESTION_IDS]
    if unknown:
        raise UsageError(
            f"There is no question {one_line(unknown[0])}", next_step=f"Choose: {', '.join(QUESTION_IDS)}."
        )
    opened = open_dataset(workspace, dataset)
    cases = opened.cases()
    rows = []
    for question in dict.fromkeys(questions):
        texts = (case.answers[question] for case in cases if question in case.answers)
        for change in trace(question, texts, layers):
            names = tuple(layer.value for layer in change.layers)
            rows.append(
                AnswerReading(
                    question, change.raw, change.count, change.canonical, names, change.left_alone, change.reason
                )
            )
    return NormalisedAnswers(
        dataset=opened.record.name,
        fingerprint=opened.record.fingerprint,
        version=NORMALISATION_VERSION,
        layers=layer_names(layers),
        distinct=len(rows),
        left_alone=sum(row.left_alone for row in rows),
        rows=tuple(rows),
    )


def only_left_alone(table: NormalisedAnswers) -> NormalisedAnswers:
    """The same table with the answers alone in which no meaning was found; it counts them all as before."""
    return replace(table, rows=tuple(row for row in table.rows if row.left_alone))


def normalised_answers_csv(table: NormalisedAnswers) -> str:
    """The table as CSV: one line a distinct answer, safe to open in a spreadsheet; every row says what it is of."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(CSV_HEADS)
    end = (table.dataset, table.version, "+".join(table.layers) or "none", RESEARCH_ONLY)
    for row in table.rows:
        left = "yes" if row.left_alone else "no"
        cells = (row.question, row.images, row.raw, row.canonical, "+".join(row.layers), left, row.reason, *end)
        writer.writerow([spreadsheet_cell(cell) for cell in cells])
    return lines.getvalue()
