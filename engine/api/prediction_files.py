"""Predictions that another tool has made, scored like our own and put on the leaderboard as `imported`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.api.ledger import require_look
from engine.data.labels import target_text
from engine.data.manifest import Dataset, open_dataset
from engine.errors import DataError, UsageError
from engine.evaluation.error_patterns import workspace_patterns
from engine.evaluation.leaks import everything_checked, leak_mark, settle_leaks
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.prompts import REPORT_ID
from engine.questions.serving_errors import compile_patterns
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.text import one_line
from engine.types import QUESTION_IDS, Case, Split, State
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.evaluation.imported.matching import Matched
    from engine.evaluation.imported.scoring import Key
    from engine.store.writer_imports import FinishedEvaluation


@dataclass(frozen=True, slots=True)
class ImportedPart:
    """What was scored for one question on one split."""

    question: str
    split: Split
    evaluation: int
    cases: int
    of: int
    """Images of the split that have an answer to the question; with fewer predictions, the row ranks by itself."""
    outcomes: Mapping[str, int]
    """Number of predictions by outcome: right, wrong, error ..."""


@dataclass(frozen=True, slots=True)
class ImportedPredictions:
    """The outcome of an import."""

    run: int
    name: str
    """Untrusted text."""
    parts: tuple[ImportedPart, ...]
    rejected: tuple[tuple[int, str, str], ...]
    """Line, item and reason of every entry that could not be used; items are untrusted text."""
    tolerated: Mapping[str, int]
    """What had to be forgiven in image paths, with how often."""
    on_training: int
    """Entries on training images, which are not scored."""
    repeats: int


def import_predictions(
    workspace: Workspace,
    file: Path,
    dataset: str,
    *,
    name: str = "",
    model: str = "",
    question: str | None = None,
    split: Split | None = None,
    test_purpose: str = "",
    normalisation: Layers = ALL_LAYERS,
) -> ImportedPredictions:
    """Score a file of predictions and store them as a run of kind `imported`, all or nothing.

    Args:
        workspace: with the dataset.
        file: JSONL or a JSON array; each entry has an image path, a question and an output (docs/data.md).
        dataset: name of the dataset whose images were asked about.
        name: of the run; that of the file where none is given.
        model: what has made the predictions, in words.
        question: of entries that name none.
        split: only these cases; both validation and test where none is given.
        test_purpose: why the test split is looked at.
        normalisation: layers that predictions and targets go through before they are compared.

    Raises:
        DataError: the file or the dataset cannot be read, or no entry fits a case.
        UsageError: the question does not exist.
        UnconfirmedTestError: there are predictions of the test split, and nobody has said why it is looked at.
    """
    from engine.evaluation.imported.matching import match_predictions
    from engine.evaluation.imported.reading import read_predictions
    from engine.evaluation.imported.scoring import finished_evaluations

    if question is not None and question not in (*QUESTION_IDS, REPORT_ID):
        raise UsageError(f"There is no question {question}", next_step=f"Choose: {', '.join(QUESTION_IDS)}.")
    opened = open_dataset(workspace, dataset)
    cases = opened.cases()
    patterns = workspace_patterns(workspace)
    lines = read_predictions(file, question)
    matched = match_predictions(lines, cases, compile_patterns(patterns), normalisation)
    for key in [key for key in matched.predictions if split is not None and key[1] is not split]:
        del matched.predictions[key]
    if not matched.predictions:
        raise _nothing_fits(file, dataset, matched)
    looked = any(part is Split.TEST for _, part in matched.predictions)
    if looked:
        require_look(workspace, dataset, test_purpose)
    training = [case for case in cases if case.split is Split.TRAIN]
    present = _present_references(workspace)
    scored = finished_evaluations(matched, training, patterns, present, normalisation)
    complete = everything_checked(workspace, dataset)
    finished = [_with_leak(workspace, opened, matched, each) for each in scored]
    with Writer.open(workspace) as writer:
        run, ids = writer.add_imported_run(
            name or file.stem,
            model or "imported",
            one_line(file.name),
            opened.record,
            finished,
            test_purpose=test_purpose,
        )
    if not complete and everything_checked(workspace, dataset):
        settle_leaks(workspace, dataset)  # a check has ended meanwhile: it has not seen these evaluations
    parts = tuple(_part(number, each, cases) for number, each in zip(ids, finished, strict=True) if not each.reference)
    with Reader(workspace) as reader:
        stored = reader.run(run).name
    rejected = tuple((each.number, each.item, each.reason) for each in matched.rejected)
    return ImportedPredictions(
        run, stored, parts, rejected, dict(matched.tolerated), matched.on_training, matched.repeats
    )


def _part(evaluation: int, each: FinishedEvaluation, cases: Sequence[Case]) -> ImportedPart:
    asked = sum(case.split is each.split and target_text(case.answers, each.question) is not None for case in cases)
    outcomes = dict(Counter(prediction.outcome.value for prediction in each.predictions))
    return ImportedPart(each.question, each.split, evaluation, len(each.predictions), asked, outcomes)


def _with_leak(
    workspace: Workspace, dataset: Dataset, matched: Matched, each: FinishedEvaluation
) -> FinishedEvaluation:
    """The evaluation with a mark where its images stand in the training split too."""
    if each.reference is not None:
        return each
    cases = [case for case, _ in matched.predictions[each.question, each.split]]
    leak = leak_mark(workspace, dataset, cases)
    return replace(each, marks=[*each.marks, leak]) if leak else each


def _present_references(workspace: Workspace) -> set[Key]:
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return set()
    with reader:
        return {
            (row.reference, row.cases_fingerprint, row.protocol_fingerprint)
            for row in reader.evaluations(None, (State.SUCCEEDED,), reference=True)
            if row.reference is not None
        }


def _nothing_fits(file: Path, dataset: str, matched: Matched) -> DataError:
    reasons = Counter(each.reason for each in matched.rejected)
    lines = [f"- {count} x {one_line(reason)}" for reason, count in reasons.most_common(5)]
    if matched.on_training:
        lines.append(f"- {matched.on_training} x the image belongs to the training split")
    return DataError(
        f"No prediction of {one_line(file.name)} fits a case of {dataset}; nothing was changed.",
        "\n".join(lines) or "The file holds no entries for these splits.",
        'Each entry needs {"image": "<View>/<file>", "question": "Q7", "prediction": "..."}; `sonotune data show` '
        "lists the dataset.",
    )
