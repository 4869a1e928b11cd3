from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_helpers import finish_evaluation, no_worker, small_dataset, succeed
from store_helpers import add_evaluation, add_run

from engine import api
from engine.errors import DataError, JobError, ModelError, StoreError
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import JobKind, Reference, Split, State
from engine.workspace import Workspace


def recipe(*changes: str) -> Recipe:
    return api.load_recipe(api.find_recipe("demo", Path.cwd()), ["data.dataset=fetal", *changes])


def test_an_empty_workspace_has_nothing_and_stays_empty(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert api.runs(workspace) == []
    assert api.leaderboard(workspace) == []
    assert api.dataset_summaries(workspace) == []
    assert api.worker_status(workspace).running is False
    with pytest.raises(StoreError, match="No runs are recorded"):
        api.run_details(workspace, 1)
    assert list(tmp_path.iterdir()) == []


def test_runs_come_newest_first_by_state_and_number(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        ids = [add_run(writer, f"run {number}") for number in range(5)]
        succeed(writer, JobKind.TRAINING, ids[1])
    assert [row.id for row in api.runs(workspace)] == ids[::-1]
    assert [row.id for row in api.runs(workspace, limit=2)] == ids[:2:-1]
    assert [row.id for row in api.runs(workspace, [State.SUCCEEDED])] == [ids[1]]


def test_the_details_of_a_run_are_its_own(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        first, second = add_run(writer, "first"), add_run(writer, "second")
        own, other = add_evaluation(writer, first), add_evaluation(writer, second)
        add_evaluation(writer, None, Reference.MAJORITY)
        finish_evaluation(writer, own)
        finish_evaluation(writer, other)
        writer.set_tags(first, ["b", "a"])
    details = api.run_details(workspace, "first")
    assert details == api.run_details(workspace, first)
    assert [evaluation.id for evaluation in details.evaluations] == [own]
    assert set(details.scores) == {own}
    assert {score.name for score in details.scores[own]} == {"accuracy", "balanced_accuracy", "auroc"}
    assert [event.kind for event in details.events] == ["queued"]
    assert details.tags == ["a", "b"]
    with pytest.raises(JobError, match="There is no run third"):
        api.run_details(workspace, "third")


def test_a_plan_tells_what_a_launch_does(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    plan = api.plan_launch(workspace, recipe("training.max_steps=0", "training.epochs=3", "training.batch=8"))
    images = plan.split_images
    assert sum(images.values()) == 40
    assert plan.training_samples == images["train"]
    assert plan.steps == 3 * -(-images["train"] // 8)
    both = api.plan_launch(workspace, recipe("data.questions=['Q6','Q7']", "evaluation.splits=['test']"))
    assert both.training_samples == 2 * images["train"]
    assert both.evaluations == ["Q6 on test", "Q7 on test"]
    with no_worker(workspace):
        launched = api.launch(
            workspace, recipe("training.max_steps=0", "training.epochs=3", "training.batch=8"), test_purpose="tests"
        )
    with Reader(workspace) as reader:
        row = reader.run(launched.run_id)
    assert row.planned_steps == plan.steps
    assert (row.dataset_fingerprint, row.split_fingerprint) == (plan.dataset_fingerprint, plan.split_fingerprint)


def test_a_launch_that_cannot_work_is_refused_before_anything_is_queued(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    for change, error in (("data.dataset=nope", DataError), ("model.id=assets/nope", ModelError)):
        with pytest.raises(error):
            api.launch(workspace, recipe(change), start_worker=False, test_purpose="tests")
    assert api.runs(workspace) == []


def test_a_name_that_is_taken_gets_a_number(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    for _ in range(3):
        api.launch(workspace, recipe(), references=False, start_worker=False, test_purpose="tests")
    assert [row.name for row in api.runs(workspace)] == ["demo-3", "demo-2", "demo"]


def test_an_evaluation_of_a_run_that_never_gets_an_adapter_is_refused(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    launched = api.launch(workspace, recipe(), references=False, start_worker=False, test_purpose="tests")
    api.cancel(workspace, launched.run_id, start_worker=False)
    with pytest.raises(JobError, match="no adapter to measure") as caught:
        api.evaluate_run(workspace, launched.run_id, [Split.TEST], test_purpose="tests")
    assert "cancelled" in caught.value.reason
    with Reader(workspace) as reader:
        assert {row.state for row in reader.evaluations()} == {State.CANCELLED}


def test_followers_see_each_change_and_the_end(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    launched = api.launch(
        workspace, recipe("evaluation.splits=[]"), references=False, start_worker=False, test_purpose="tests"
    )
    views = api.follow_jobs(workspace, [(JobKind.TRAINING, launched.run_id)], poll_seconds=0.01)
    with no_worker(workspace), Writer.open(workspace) as writer:
        assert next(views)[0].state == State.QUEUED
        writer.transition(JobKind.TRAINING, 1, State.QUEUED, State.STARTING, "test")
        assert next(views)[0].state == State.STARTING
        writer.transition(JobKind.TRAINING, 1, State.STARTING, State.RUNNING, "test")
        writer.add_metrics(1, 7, {"loss": 0.25})
        writer.update(JobKind.TRAINING, 1, step=7)
        running = next(views)[0]
        assert (running.step, running.planned_steps, running.loss) == (7, 240, 0.25)
        writer.transition(JobKind.TRAINING, 1, State.RUNNING, State.FAILED, "test", error_title="It broke")
        last = next(views)[0]
        assert last.error == ("It broke", "", "")
        assert last.state == State.FAILED
        assert next(views, None) is None


def test_a_long_log_comes_in_pieces_that_join_to_the_whole(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        run_id = add_run(writer)
    with Reader(workspace) as reader:
        log = tmp_path / reader.run(run_id).directory / "log.txt"
    log.parent.mkdir(parents=True)
    text = "x" + "Zoë größer ✓\n" * 150_000  # cuts a character somewhere at every megabyte
    log.write_text(text, encoding="utf-8")
    pieces = list(api.read_log(workspace, run_id))
    assert len(pieces) > 1
    assert "".join(pieces) == text


def test_other_patterns_of_serving_errors_are_another_measurement(tmp_path: Path) -> None:
    """Rows of another protocol rank by themselves: their references have to be measured in it too."""
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        first = api.launch(workspace, recipe("evaluation.splits=['validation']"), test_purpose="tests")
        with Writer.open(workspace) as writer:
            for job in (*first.references, *first.evaluations):
                patterns = json.dumps({"image_size": 160, "error_patterns": list(api.workspace_patterns(workspace))})
                writer.update(JobKind.EVALUATION, job, protocol=patterns)
                succeed(writer, JobKind.EVALUATION, job)
        again = api.launch(workspace, recipe("evaluation.splits=['validation']"))
        assert again.references == []
        (workspace.root / "error-patterns.txt").write_text("^OOPS\n")
        assert len(api.launch(workspace, recipe("evaluation.splits=['validation']")).references) == 4


def test_references_that_were_not_wanted_come_with_the_next_evaluation(tmp_path: Path) -> None:
    workspace = small_dataset(tmp_path)
    with no_worker(workspace):
        run = api.launch(workspace, recipe("evaluation.splits=['validation']"), references=False).run_id
        _, queued = api.evaluate_run(workspace, run, [Split.VALIDATION])
    assert len(queued) == 4  # the evaluation itself is on its way
