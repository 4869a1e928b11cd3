"""A study with real workers and real jobs: killed in the middle and launched again, it ends with the same table."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from store_helpers import end_process

from engine import api
from engine.jobs.lock import holder
from engine.jobs.process import is_alive
from engine.store.reader import Reader
from engine.types import ACTIVE, JobKind, State
from engine.workspace import Workspace

PATIENCE_SECONDS = 300.0
STUDY = """
name = "rank"
title = "Rank"
question = "Does a larger rank help?"
varies = ["lora.r"]
baseline = "small"
[measure]
split = "validation"
[arms.small]
"lora.r" = 2
[arms.large]
"lora.r" = 4
[[decide]]
ask = "Is large better than small?"
kind = "better"
arm = "large"
than = "small"
[scales.demo]
recipe = "demo"
set = { "model.id" = "BASE", "training.max_steps" = 30, "training.batch" = 4, "training.checkpoint_steps" = 5, \
"training.answer_checks" = 0, "data.image_size" = 96, "evaluation.max_new_tokens" = 4 }
phantoms = { count = 70, size = 96, abnormal_share = 0.4, shares = [0.6, 0.2, 0.2] }
"""


def study_at(folder: Path, base: Path) -> Workspace:
    studies = folder / "assets" / "studies"
    studies.mkdir(parents=True)
    (studies / "rank.toml").write_text(STUDY.replace("BASE", str(base)))
    return Workspace(folder)


def wait_for(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "it did not get there"
        time.sleep(0.02)


def to_its_end(workspace: Workspace) -> api.StudyResult:
    api.launch_study(workspace, "rank", scale="demo")
    try:
        *_, last = api.follow_study(workspace, "rank", "demo")
        assert last.complete, [cell.trouble for cell in last.cells]
    finally:
        end_worker(workspace)
    return api.study_result(workspace, "rank", "demo")


def end_worker(workspace: Workspace) -> None:
    """SIGKILL the worker of this workspace, and no other process."""
    held = holder(workspace.worker_lock)
    if held is not None and held.pid is not None:
        end_process(held.pid, held.process_start)
        wait_for(lambda: not is_alive(held.pid, held.process_start))


def kill_in_mid_training(workspace: Workspace) -> int:
    """SIGKILL worker and job once a checkpoint is there; the steps that were done by then."""
    api.launch_study(workspace, "rank", scale="demo")
    with Reader(workspace) as reader:
        wait_for(lambda: any((workspace.root / run.directory).glob("checkpoints/*") for run in reader.runs(ACTIVE)))
        wait_for(lambda: any(10 <= run.step < 30 for run in reader.runs(ACTIVE)))
        (run,) = reader.runs(ACTIVE)
        end_worker(workspace)
        assert run.pid is not None
        os.kill(run.pid, signal.SIGKILL)
        wait_for(lambda: not is_alive(run.pid, run.process_start))
        assert reader.run(run.id).state is State.RUNNING, "nobody was left to say otherwise"
        return reader.run(run.id).step


@pytest.mark.long
def test_a_study_killed_in_mid_training_ends_with_the_same_table(
    tmp_path: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    beside = study_at(tmp_path / "undisturbed", base_folder)
    request.addfinalizer(lambda: end_worker(beside))
    api.launch_study(beside, "rank", scale="demo")  # it goes on by itself meanwhile
    workspace = study_at(tmp_path / "killed", base_folder)
    request.addfinalizer(lambda: end_worker(workspace))
    assert kill_in_mid_training(workspace) < 30

    state = api.study_state(workspace, "rank", "demo")
    assert [str(cell.stage) for cell in state.cells] == ["interrupted", "queued"]
    again = to_its_end(workspace)
    undisturbed = to_its_end(beside)

    with Reader(workspace) as reader:
        first, second = sorted(reader.runs(), key=lambda run: run.id)
        assert (first.resumes, second.resumes) == (1, 0), "it went on, it was not trained anew"
        assert {job.state for job in reader.jobs(tuple(State))} == {State.SUCCEEDED}
        assert len([job for job in reader.jobs(tuple(State)) if job.kind is JobKind.TRAINING]) == 2
    assert again.dataset_fingerprint == undisturbed.dataset_fingerprint
    assert again.cases_fingerprint == undisturbed.cases_fingerprint
    assert [(each.arm, each.figure, each.estimate) for each in again.figures] == [
        (each.arm, each.figure, each.estimate) for each in undisturbed.figures
    ]
    assert len(again.figures) >= 4, "two arms and the reference rows beside them"
    assert [(each.holds, each.sentence, each.difference, each.p) for each in again.answers] == [
        (each.holds, each.sentence, each.difference, each.p) for each in undisturbed.answers
    ]
