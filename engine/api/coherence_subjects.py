"""Which evaluations of one subject may be held against each other: those of the same images, one a question."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from engine.errors import DataError
from engine.questions.prompts import REPORT_ID
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.text import one_line
from engine.types import QUESTION_IDS, Reference, Split, State

BASE = "base:"
"""Prefix of a word that means the untuned model of that name."""
FEWEST = 2
"""Questions that can be held against each other."""


@dataclass(frozen=True, slots=True)
class SameImages:
    """One subject with what it was asked about the same images."""

    title: str
    """`run 3 (baseline)`, `reference shuffled`; untrusted text."""
    run: int | None
    rows: tuple[EvaluationRow, ...]
    """The newest evaluation of each question, in the order of the questions; or that of the combined report alone."""


def same_images(reader: Reader, run: int | str, split: Split, *, report: bool) -> SameImages:
    """The newest succeeded evaluations of one subject on one content of a dataset, with the images as they are.

    Args:
        reader: of the workspace.
        run: number or name; or the name of a reference. The names of references mean those, also where a run has such
            a name.
        split: of the dataset.
        report: the combined report, also where single questions were measured.

    Raises:
        JobError: there is no such run.
        DataError: there are fewer than two questions, and no report.
    """
    title, number, rows = _subject(reader, str(run).strip())
    groups: dict[tuple[object, ...], dict[str, EvaluationRow]] = defaultdict(dict)
    for row in rows:  # oldest first, so the newest one stays
        if row.split is split and row.degradation is None:
            groups[_content(row)][row.question] = row
    for group in sorted(groups.values(), key=lambda group: -max(row.id for row in group.values())):
        chosen = _chosen(group, report)
        if chosen:
            return SameImages(title, number, tuple(chosen))
    raise _too_few(title, number, split, sorted({question for group in groups.values() for question in group}), report)


def _subject(reader: Reader, word: str) -> tuple[str, int | None, list[EvaluationRow]]:
    """Title, number of the run, and all that has succeeded, oldest first."""
    name, model = (Reference.BASE.value, word.removeprefix(BASE)) if word.startswith(BASE) else (word, None)
    if name not in tuple(Reference):
        row = reader.run(word)
        return f"run {row.id} ({row.name})", row.id, reader.evaluations(row.id, (State.SUCCEEDED,))
    rows = reader.evaluations(None, (State.SUCCEEDED,), reference=True)
    return (
        f"reference {word}",
        None,
        [row for row in rows if row.reference == name and (model is None or row.model == model)],
    )


def _content(row: EvaluationRow) -> tuple[object, ...]:
    """What must be equal for two evaluations to be of one subject on the same images."""
    # A base in 4 bits is another subject than the same base in 16.
    quantization = json.loads(row.protocol or "{}").get("quantization") if row.reference is Reference.BASE else None
    return row.dataset, row.dataset_fingerprint, row.split_fingerprint, row.model, quantization


def _chosen(group: dict[str, EvaluationRow], report: bool) -> Sequence[EvaluationRow]:
    single = [group[question] for question in QUESTION_IDS if question in group]
    if len(single) >= FEWEST and not report:
        return single
    return [group[REPORT_ID]] if REPORT_ID in group else []


def _too_few(title: str, run: int | None, split: Split, measured: Sequence[str], report: bool) -> DataError:
    found = f"only {', '.join(measured)}" if measured else "nothing"
    wanted = "no combined report" if report else "fewer than two questions"
    who = "RUN" if run is None else str(run)
    return DataError(
        f"The answers of {one_line(title)} cannot be held against each other",
        f"It was asked {wanted} about the {split} images of one dataset: {found} was measured there.",
        f"`sonotune evaluate {who} --split {split} --question Q7 --question Q8` measures more; --split names another "
        "split."
        if run is not None
        else "Reference rows are measured beside a run; evaluate one on more questions, or name another split.",
    )
