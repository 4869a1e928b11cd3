"""What the store keeps together: an attempt and what it measured, a look and its evaluation; and who serves whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import succeed
from store_helpers import add_evaluation, add_run, prediction, raw, score

from engine.errors import JobError, StoreError
from engine.store.reader import Reader
from engine.store.records import MarkRow
from engine.store.writer import Writer
from engine.store.writer_imports import FinishedEvaluation
from engine.types import BLANK, DatasetRecord, JobKind, Mark, Reference, Split
from engine.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def writer(workspace: Workspace) -> Iterator[Writer]:
    with Writer.open(workspace) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer, workspace: Workspace) -> Iterator[Reader]:
    with Reader(workspace) as opened:
        yield opened


def refuse(workspace: Workspace, table: str) -> None:
    """Let the database refuse rows of a table, as a full disk would."""
    with raw(workspace) as connection:
        connection.execute(
            f"CREATE TRIGGER refused BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )


# ----- attempts


def filled(writer: Writer) -> int:
    """An evaluation that an earlier attempt has left something of."""
    evaluation = add_evaluation(writer, add_run(writer, f"run {id(object())}"))
    writer.add_predictions(evaluation, [prediction("Head/old.png"), prediction("Head/both.png")])
    writer.add_scores(evaluation, [score("accuracy", 0.75)])
    writer.set_marks(evaluation, [MarkRow(evaluation, Mark.LEAK, "all", "of another split")])
    return evaluation


def test_a_new_attempt_begins_with_nothing_of_the_last(writer: Writer, reader: Reader) -> None:
    first, other = filled(writer), filled(writer)
    writer.begin_evaluation(first, split_fingerprint="split-2", n=1)
    assert (reader.evaluation(first).split_fingerprint, reader.evaluation(first).n) == ("split-2", 1)
    assert (reader.predictions(first), reader.scores(first), reader.marks([first])) == ([], [], [])
    assert len(reader.predictions(other)) == 2, "others keep theirs"


def test_an_attempt_that_cannot_begin_leaves_everything_as_it_was(writer: Writer, reader: Reader) -> None:
    evaluation = filled(writer)
    with pytest.raises(JobError):
        writer.begin_evaluation(evaluation + 1, n=1)
    with pytest.raises(StoreError):
        writer.begin_evaluation(evaluation, state="succeeded")
    assert len(reader.predictions(evaluation)) == 2
    assert [mark.detail for mark in reader.marks([evaluation])] == ["of another split"]


# ----- looks


def test_an_evaluation_and_its_look_are_written_together(workspace: Workspace, writer: Writer, reader: Reader) -> None:
    run = add_run(writer)
    evaluation = add_evaluation(writer, run, split_fingerprint="split-1", look="  final figure ")
    assert [(look.evaluation_id, look.purpose) for look in reader.test_looks("phantoms", "split-1")] == [
        (evaluation, "final figure")
    ]
    add_evaluation(writer, run, split_fingerprint="split-1")
    assert len(reader.test_looks("phantoms")) == 1
    refuse(workspace, "test_looks")
    with pytest.raises(StoreError):
        add_evaluation(writer, run, split_fingerprint="split-1", look="second")
    assert len(reader.evaluations(run)) == 2, "nothing is measured on the test split that the ledger does not have"


def imported(split: Split, reference: Reference | None = None) -> FinishedEvaluation:
    counts = {"errors": 0, "unparseable": 0, "cut_off": 0}
    return FinishedEvaluation(
        reference, "Q7", split, "{}", "protocol-1", "cases-1", 0.5, "test", counts, [prediction()], [], []
    )


def dataset_record() -> DatasetRecord:
    return DatasetRecord("fetal", "jsonl", "data-1", "split-1", 1, "images", 3, 0, 1.0)


def test_an_import_and_its_looks_are_written_together(workspace: Workspace, writer: Writer, reader: Reader) -> None:
    parts = [imported(Split.VALIDATION), imported(Split.TEST), imported(Split.TEST, Reference.MAJORITY)]
    _, ids = writer.add_imported_run("theirs", "m", "f", dataset_record(), parts, test_purpose=" final ")
    assert [(look.evaluation_id, look.purpose) for look in reader.test_looks("fetal", "split-1")] == [(ids[1], "final")]
    refuse(workspace, "test_looks")
    with pytest.raises(StoreError):
        writer.add_imported_run("again", "m", "f", dataset_record(), parts, test_purpose="second")
    assert len(reader.runs()) == 1


# ----- thresholds


def chosen(writer: Writer, run: int | None, reference: Reference | None = None, **columns: Any) -> int:
    """A succeeded validation evaluation with a threshold."""
    given = {"split": Split.VALIDATION, "threshold": 0.4, **columns}
    threshold = given.pop("threshold")
    evaluation = add_evaluation(writer, run, reference, **given)
    succeed(writer, JobKind.EVALUATION, evaluation, threshold=threshold)
    return evaluation


def test_thresholds_come_from_validation_of_the_same_subject_and_question(writer: Writer, reader: Reader) -> None:
    run, other = add_run(writer, "a"), add_run(writer, "b")
    first, second = chosen(writer, run), chosen(writer, run)
    base = chosen(writer, None, Reference.BASE)
    for columns in (
        {"split": Split.TEST}, {"question": "Q5"}, {"dataset": "fetal"}, {"degradation": BLANK}, {"threshold": None},
    ):  # fmt: skip
        chosen(writer, run, **columns)
    chosen(writer, other)
    add_evaluation(writer, run, split=Split.VALIDATION)  # has not ended
    tested, reference = add_evaluation(writer, run), add_evaluation(writer, None, Reference.BASE)
    assert [row.id for row in reader.threshold_evaluations(reader.evaluation(tested))] == [first, second]
    assert [row.id for row in reader.threshold_evaluations(reader.evaluation(reference))] == [base]
