from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, score

from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference, Split, State
from engine.workspace import Workspace

PROMISED = {
    "run", "name", "reference", "question", "split", "split_fingerprint", "n",
    "train_seconds", "samples_per_second", "peak_vram_bytes", "peak_rss_bytes",
    "evaluation", "threshold", "threshold_source", "cases_fingerprint", "protocol_fingerprint",
    "unparseable", "cut_off", "seconds_per_image", "tokens_per_second",
} | {
    name + end
    for name in ("accuracy", "balanced_accuracy", "sensitivity", "specificity", "mcc", "auroc")
    for end in ("", "_low", "_high")
}  # fmt: skip


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    with Writer.open(Workspace(tmp_path)) as opened:
        yield opened


@pytest.fixture
def reader(writer: Writer, tmp_path: Path) -> Iterator[Reader]:
    with Reader(Workspace(tmp_path)) as opened:
        yield opened


def finish(writer: Writer, evaluation_id: int, balanced: float | None, **values: Any) -> int:
    kind = JobKind.EVALUATION
    writer.add_scores(
        evaluation_id,
        [
            score("balanced_accuracy", balanced),
            score("auroc", 0.75),
            score("text_accuracy", 0.5),
            score("auroc", 0.25, "view:Head"),
        ],
    )
    writer.transition(kind, evaluation_id, State.QUEUED, State.STARTING, "claimed")
    writer.transition(kind, evaluation_id, State.STARTING, State.RUNNING, "up")
    writer.transition(kind, evaluation_id, State.RUNNING, State.SUCCEEDED, "done", n=40, **values)
    return evaluation_id


def test_rows_have_every_promised_key_for_runs_and_for_references(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer, "tuned")
    writer.update(
        JobKind.TRAINING,
        run_id,
        train_seconds=12.5,
        samples_per_second=80.0,
        peak_vram_allocated_bytes=10,
        peak_vram_reserved_bytes=20,
        peak_vram_device_bytes=30,
        peak_rss_bytes=40,
    )
    tuned = finish(
        writer,
        add_evaluation(writer, run_id, split_fingerprint="split-1"),
        0.8,
        threshold=0.3,
        threshold_source="validation, evaluation 12",
        unparseable=1,
        cut_off=2,
        seconds_per_image=0.5,
        tokens_per_second=30.0,
        peak_rss_bytes=99,
    )
    base = finish(writer, add_evaluation(writer, None, Reference.BASE), 0.5, peak_rss_bytes=77)
    finish(writer, add_evaluation(writer, None, Reference.MAJORITY), 0.5)
    rows = reader.leaderboard()
    assert all(set(row) >= PROMISED for row in rows)
    row = next(row for row in rows if row["run"] == run_id)
    assert (row["name"], row["reference"], row["evaluation"], row["n"]) == ("tuned", None, tuned, 40)
    assert (row["balanced_accuracy"], row["balanced_accuracy_low"], row["auroc"]) == (0.8, pytest.approx(0.7), 0.75)
    assert (row["sensitivity"], row["sensitivity_high"], row["text_accuracy"]) == (None, None, 0.5)
    assert (row["threshold"], row["threshold_source"]) == (0.3, "validation, evaluation 12")
    assert (row["train_seconds"], row["samples_per_second"]) == (12.5, 80.0)
    assert (row["peak_vram_bytes"], row["peak_rss_bytes"]) == (20, 40)
    assert (row["unparseable"], row["cut_off"], row["seconds_per_image"]) == (1, 2, 0.5)
    assert (row["cases_fingerprint"], row["protocol_fingerprint"]) == ("cases-1", "protocol-1")
    assert (row["split"], row["split_fingerprint"], row["question"]) == ("test", "split-1", "Q7")
    reference = next(row for row in rows if row["evaluation"] == base)
    assert (reference["run"], reference["reference"], reference["train_seconds"]) == (None, "base", None)
    assert (reference["name"], reference["peak_rss_bytes"]) == ("untuned assets/base-model", 77)


def test_reference_rows_come_first_then_the_best(writer: Writer, reader: Reader) -> None:
    for name, balanced in (("middling", 0.7), ("best", 0.9), ("unscored", None), ("worst", 0.2)):
        finish(writer, add_evaluation(writer, add_run(writer, name)), balanced)
    finish(writer, add_evaluation(writer, None, Reference.MAJORITY), 0.5)
    finish(writer, add_evaluation(writer, None, Reference.BASE), 0.55)
    names = [row["name"] for row in reader.leaderboard()]
    assert names == ["untuned assets/base-model", "majority class", "best", "middling", "worst", "unscored"]


def test_the_newest_succeeded_measurement_of_the_same_thing_counts(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    finish(writer, add_evaluation(writer, run_id), 0.6)
    newest = finish(writer, add_evaluation(writer, run_id), 0.7)
    add_evaluation(writer, run_id)
    other_protocol = finish(writer, add_evaluation(writer, run_id, protocol="protocol-2"), 0.1)
    other_cases = finish(writer, add_evaluation(writer, run_id, cases="cases-2"), 0.05)
    finish(writer, add_evaluation(writer, None, Reference.BASE), 0.5)
    base = finish(writer, add_evaluation(writer, None, Reference.BASE), 0.5)
    shown = [row["evaluation"] for row in reader.leaderboard()]
    assert shown == [base, newest, other_protocol, other_cases]


def test_filters_narrow_the_board(writer: Writer, reader: Reader) -> None:
    run_id = add_run(writer)
    finish(writer, add_evaluation(writer, run_id), 0.6)
    validation = finish(writer, add_evaluation(writer, run_id, split=Split.VALIDATION), 0.6)
    q3 = finish(writer, add_evaluation(writer, run_id, question="Q3"), 0.6)
    real = finish(writer, add_evaluation(writer, run_id, dataset="real"), 0.6)
    assert len(reader.leaderboard()) == 4
    assert [row["evaluation"] for row in reader.leaderboard(split=Split.VALIDATION)] == [validation]
    assert [row["evaluation"] for row in reader.leaderboard("Q3")] == [q3]
    assert [row["evaluation"] for row in reader.leaderboard(dataset="real")] == [real]
    assert reader.leaderboard("Q3", Split.TRAIN) == []


def test_a_damaged_protocol_takes_no_row_from_the_leaderboard(writer: Writer, reader: Reader) -> None:
    damaged = finish(writer, add_evaluation(writer, add_run(writer, "damaged")), 0.8)
    finish(writer, add_evaluation(writer, add_run(writer, "whole")), 0.7)
    writer.update(JobKind.EVALUATION, damaged, protocol='{"quantization": "4b')
    rows = {row["name"]: row for row in reader.leaderboard()}
    assert set(rows) == {"damaged", "whole"}
    assert rows["damaged"]["quantization"] is None


def test_the_printed_table_has_each_control_behind_its_run_and_every_row_once() -> None:
    from engine.cli.scores import ordered

    def row(evaluation: int, run: int | None, value: float, **more: str) -> dict[str, object]:
        return {
            "evaluation": evaluation, "run": run, "auroc": value, "reference": None, "degradation": None, **more
        }  # fmt: skip

    rows = [
        row(1, 1, 0.7), row(2, 2, 0.9), row(3, 1, 0.5, degradation="blank"), row(4, 2, 0.5, degradation="blank"),
        row(5, None, 0.5, reference="majority"), row(6, 9, 0.5, degradation="blank"),
    ]  # fmt: skip
    assert [each["evaluation"] for each in ordered(rows, "auroc")] == [5, 2, 4, 1, 3, 6]
