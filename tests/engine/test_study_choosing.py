"""Which run counts for a cell, and which evaluations of it: those of the adapter that it ended with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from study_helpers import (
    STUDY,
    finish_all,
    finish_evaluations,
    finish_run,
    found,
    launch,
    runs_of,
    study_workspace,
    write_study,
)

from engine import api
from engine.api.measuring import of_present_adapter
from engine.store.reader import Reader
from engine.store.records import EvaluationRow, RunRow
from engine.store.writer import Writer
from engine.types import IMPORTED, JobKind, Split, State
from engine.workspace import Workspace

BLURRED = STUDY.replace("[measure]", '[measure]\ndegradations = ["blur"]\nseverities = [1]')


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setattr("engine.api.evaluating.ensure_worker", lambda _: None)
    return study_workspace(tmp_path)


def by_hand(workspace: Workspace) -> int:
    """Launch the training of the arm `small` without any measurement."""
    tiny = api.load_recipe(api.find_recipe("tiny", workspace.root), ["lora.r=4", "evaluation.splits=[]"])
    return api.launch(workspace, tiny, references=False, start_worker=False).run_id


def stop(workspace: Workspace, run: int) -> None:
    """Stop a queued run at work; it leaves the adapter of that moment."""
    finish_run(workspace, run, State.INTERRUPTED)
    adapter_of(workspace, run).mkdir(parents=True)


def finish_stopped(workspace: Workspace, run: int) -> None:
    """Take a run that was resumed to its end."""
    adapter_of(workspace, run).rmdir()
    finish_run(workspace, run)


def adapter_of(workspace: Workspace, run: int) -> Path:
    with Reader(workspace) as reader:
        return workspace.root / reader.run(run).directory / "adapter"


def evaluate(workspace: Workspace, run: int) -> list[int]:
    """What `sonotune evaluate RUN` queues of the run itself."""
    _, ids = api.evaluate_run(workspace, run, [Split.VALIDATION])
    with Reader(workspace) as reader:
        return [each for each in ids if reader.evaluation(each).run_id == run]


def cell(workspace: Workspace) -> tuple[str, int | None, int]:
    first = api.study_state(workspace, "rank").cells[0]
    return str(first.stage), first.run_id, first.targets_done


# ----- figures of a training that was not finished


def test_a_half_trained_adapter_is_no_result_of_the_study_that_finishes_it(workspace: Workspace) -> None:
    run = by_hand(workspace)
    stop(workspace, run)
    partial = evaluate(workspace, run)
    finish_evaluations(workspace)
    assert cell(workspace) == ("interrupted", run, 0)
    launched = launch(workspace)
    assert launched.resumed == (run,)
    with Reader(workspace) as reader:
        rows = [reader.evaluation(each) for each in launched.evaluations]
    own = [row for row in rows if row.run_id == run]
    assert [(row.degradation, row.after_run) for row in own] == [(None, True), ("blank", True)]
    assert cell(workspace) == ("queued", run, 0)
    finish_stopped(workspace, run)
    assert cell(workspace) == ("measuring", run, 0)
    assert not launch(workspace).evaluations, "they are on their way"
    finish_evaluations(workspace)
    assert cell(workspace) == ("done", run, 1)
    (row,) = found(workspace).cells[0].measured.values()
    assert row.id == own[0].id and row.id not in partial


def test_measurements_from_before_the_end_are_made_again_by_a_study_that_comes_later(workspace: Workspace) -> None:
    run = by_hand(workspace)
    stop(workspace, run)
    evaluate(workspace, run)
    finish_evaluations(workspace)
    api.resume(workspace, run, start_worker=False)
    finish_stopped(workspace, run)
    assert cell(workspace) == ("missing", run, 0)
    launched = launch(workspace)
    assert launched.reused == (run,)
    with Reader(workspace) as reader:
        own = [each for each in launched.evaluations if reader.evaluation(each).run_id == run]
    assert len(own) == 2, "the figure, and its grey control"


def test_what_broke_on_a_half_trained_adapter_is_not_taken_up_before_the_run_has_ended(workspace: Workspace) -> None:
    run = by_hand(workspace)
    stop(workspace, run)
    broken = evaluate(workspace, run)
    finish_evaluations(workspace, broken, State.FAILED)
    assert set(broken).isdisjoint(launch(workspace).evaluations), "they do not wait for the run"


def test_evaluate_measures_a_run_again_once_it_has_gone_on(workspace: Workspace) -> None:
    run = by_hand(workspace)
    stop(workspace, run)
    assert len(evaluate(workspace, run)) == 2
    assert evaluate(workspace, run) == [], "on their way"
    finish_evaluations(workspace)
    assert evaluate(workspace, run) == [], "the adapter is the same"
    api.resume(workspace, run, start_worker=False)
    waiting = evaluate(workspace, run)
    assert len(waiting) == 2, "the one that it ends with is another"
    finish_stopped(workspace, run)
    finish_evaluations(workspace, waiting)
    assert evaluate(workspace, run) == []


def test_an_evaluation_at_work_while_the_run_ended_is_of_the_adapter_before(workspace: Workspace) -> None:
    run = by_hand(workspace)
    stop(workspace, run)
    early = evaluate(workspace, run)[0]
    with Writer.open(workspace) as writer:
        writer.transition(JobKind.EVALUATION, early, State.QUEUED, State.STARTING, "test")
        assert of_present_adapter(*rows(workspace, early, run))
        writer.transition(JobKind.TRAINING, run, State.INTERRUPTED, State.QUEUED, "resumed while it is measured")
    assert not of_present_adapter(*rows(workspace, early, run))
    finish_stopped(workspace, run)
    evaluation, ended = rows(workspace, early, run)
    assert not of_present_adapter(evaluation, ended)
    assert of_present_adapter(evaluation, replace(ended, kind=IMPORTED)), "predictions of others have no adapter"
    assert of_present_adapter(evaluation, replace(ended, ended_at=None)), "nobody knows"
    assert of_present_adapter(replace(evaluation, started_at=ended.ended_at), ended)


def rows(workspace: Workspace, evaluation: int, run: int) -> tuple[EvaluationRow, RunRow]:
    with Reader(workspace) as reader:
        return reader.evaluation(evaluation), reader.run(run)


# ----- runs whose adapters are gone


def test_what_is_measured_stays_done_when_the_adapter_is_deleted_whatever_else_is_trained(workspace: Workspace) -> None:
    launch(workspace)
    finish_all(workspace)
    adapter_of(workspace, 1).rmdir()
    assert cell(workspace) == ("done", 1, 1)
    other = by_hand(workspace)
    assert cell(workspace) == ("done", 1, 1)
    finish_run(workspace, other, State.FAILED)
    assert cell(workspace) == ("done", 1, 1)
    third = by_hand(workspace)
    finish_run(workspace, third)
    evaluate(workspace, third)
    finish_evaluations(workspace)
    assert runs_of(found(workspace))["small"] == 1, "the oldest counts, never the one that is kept best"
    again = launch(workspace)
    assert (again.anything, again.reused, again.warnings) == (False, (1, 2), ())


def test_a_run_that_cannot_be_measured_any_more_is_told_with_what_comes_in_its_place(workspace: Workspace) -> None:
    launch(workspace)
    finish_all(workspace)
    adapter_of(workspace, 1).rmdir()
    write_study(workspace, BLURRED)
    planned = api.plan_study(workspace, "rank").cells[0]
    said = "run 1 of small, seed 42, had succeeded, but its adapter went before all of it was measured"
    assert (planned.action, planned.notes) == ("train", (f"{said}: another is trained in its place",))
    assert (planned.measure, planned.measured) == (("Q7 on validation", "Q7 on validation, blur:1"), 0)
    launched = launch(workspace)
    assert launched.queued == (3,)
    assert launched.warnings[-1] == f"R{said[1:]}: another is trained in its place."
    assert api.plan_study(workspace, "rank").cells[0].notes == (f"{said}: run 3 counts in its place",)
    assert api.plan_study(workspace, "rank").cells[1].notes == ()
