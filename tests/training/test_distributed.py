"""A run that several processes share is the run that one process would train."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rank_helpers import Wanted, launch, train_on_ranks

from engine.data.importers.phantoms import import_phantoms
from engine.data.manifest import open_dataset
from engine.jobs.keeping import note_stop
from engine.jobs.process import process_start
from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.training.checkpoints import complete_checkpoints
from engine.training.order import MicroBatches
from engine.types import Case, JobKind, Split, State
from engine.workspace import Workspace

Build = Callable[..., Recipe]
FIGURES = ("loss", "grad_norm", "learning_rate", "eval_loss")
PATIENCE_SECONDS = 300.0


def figures(root: Path, run_id: int) -> dict[str, list[float]]:
    with Reader(Workspace(root)) as reader:
        return {key: [point.value for point in reader.metrics(run_id, [key])] for key in FIGURES}


def adapter(root: Path, run_id: int) -> dict[str, Any]:
    from safetensors.torch import load_file

    with Reader(Workspace(root)) as reader:
        folder = Path(root) / reader.run(run_id).directory
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def assert_same_training(root: Path, one: int, other: int) -> None:
    assert len(figures(root, one)["loss"]) == 6
    for key, expected in figures(root, one).items():
        assert figures(root, other)[key] == pytest.approx(expected, abs=1e-5), key
    expected_weights, weights = adapter(root, one), adapter(root, other)
    assert weights.keys() == expected_weights.keys()
    worst = max(float((weights[name] - value).abs().max()) for name, value in expected_weights.items())
    assert worst < 1e-5
    assert max(float(value.abs().max()) for name, value in expected_weights.items() if "lora_B" in name) > 1e-3


@pytest.fixture
def wanted(tmp_path: Path, base_folder: Path, phantom_cases: list[Case], recipe: Build) -> Callable[..., Wanted]:
    """A run of 6 steps over 25 images, whose fourth step has a single image left."""

    def build(size: int, *questions: str, **changes: Any) -> Wanted:
        made = recipe(
            data={"questions": list(questions), "limit": 25},
            training={"evaluation_steps": 3, "checkpoint_steps": 2, "answer_checks": 1},
        )
        return Wanted(
            root=tmp_path,
            base=base_folder,
            cases=phantom_cases,
            recipe=made,
            micro_batch=4,
            accumulation=2 // size,
            packed=len(questions) > 1,
            run_id=launch(tmp_path, made),
            size=size,
            **changes,
        )

    return build


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("images", [1, 5, 24, 26, 33])
@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_each_step_out_without_a_sample_left_over(ranks: int, images: int, together: bool) -> None:
    questions = 2 if together else 1
    samples = [number for number in range(images) for _ in range(questions)]
    lengths = [7 + number % 5 for number in range(len(samples))]

    def order(rank: int, size: int) -> MicroBatches:
        passes = 6 // size
        return MicroBatches(
            samples, lengths, micro_batch=2, accumulation=passes, seed=3, together=together, rank=rank, ranks=size
        )

    alone, shared = order(0, 1), [order(rank, ranks) for rank in range(ranks)]
    for epoch in range(2):
        for each in (alone, *shared):
            each.epoch = epoch
        passes = [list(each) for each in shared]
        # All ranks come to the end of each step, and of the epoch, after the same number of passes.
        assert {len(each) for each in passes} == {len(shared[0])}
        per_step = 6 // ranks
        for number, window in enumerate(alone.windows()):
            own = [each[number * per_step : (number + 1) * per_step] for each in passes]
            trained = [example for of_rank in own for one in of_rank for example in one]
            assert sorted(trained) == sorted(window)
    assert {tuple(each.largest()) for each in shared} == {tuple(shared[0].largest())}


@pytest.mark.long
def test_two_processes_train_what_one_does_also_when_stopped_and_resumed(wanted: Callable[..., Wanted]) -> None:
    alone = wanted(1, "Q7")
    train_on_ranks(alone)

    shared = wanted(2, "Q7", stop_after=3)
    halted = train_on_ranks(shared)
    # Only the first rank was asked; both ended after the same step, with one whole checkpoint.
    assert [(each["stopped"], each["step"], each["steps"]) for each in halted] == [(True, 3, 3)] * 2
    with Reader(Workspace(shared.root)) as reader:
        folder = shared.root / reader.run(shared.run_id).directory
    newest = complete_checkpoints(folder / "checkpoints")[-1]
    assert newest.name == "checkpoint-3"
    assert {file.name for file in newest.glob("rng_state*")} == {"rng_state_0.pth", "rng_state_1.pth"}

    ended = train_on_ranks(replace(shared, stop_after=None))
    assert [(each["stopped"], each["step"], each["steps"]) for each in ended] == [(False, 6, 3)] * 2
    assert_same_training(alone.root, alone.run_id, shared.run_id)


def test_packed_questions_are_shared_too_where_one_process_runs_out_of_memory(wanted: Callable[..., Wanted]) -> None:
    alone = wanted(1, "Q7", "Q3")
    train_on_ranks(alone)

    shared = wanted(2, "Q7", "Q3", short_of_memory=(1, 2))
    results = train_on_ranks(shared)
    assert_same_training(alone.root, alone.run_id, shared.run_id)
    # It happened to the second rank; the first one takes smaller passes as well, and tells of it.
    assert [each["relieved"] for each in results] == [True, True]
    with Reader(Workspace(shared.root)) as reader:
        (event,) = [each.detail for each in reader.events(run_id=shared.run_id) if each.kind == "out of memory"]
        samples = [
            [
                point.value * seconds.value
                for point, seconds in zip(
                    reader.metrics(run, ["samples_per_second"]), reader.metrics(run, ["step_seconds"]), strict=True
                )
            ]
            for run in (alone.run_id, shared.run_id)
        ]
    assert event.startswith("at step 2, on another device")
    # Speeds count the samples of all processes.
    assert samples[0] == pytest.approx([8, 8, 8, 8, 8, 8])
    assert samples[1] == pytest.approx(samples[0])


def queued(workspace: Workspace, recipe: Recipe) -> int:
    note_stop(workspace)  # the test starts the process itself: a worker that it starts would take the job
    record = open_dataset(workspace, recipe.data.dataset).record
    with Writer.open(workspace) as writer:
        return writer.create_run(
            recipe.name, recipe_json(recipe), "phantoms", record.fingerprint, record.split_fingerprint, "m", 7
        )


def start(workspace: Workspace, run_id: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "engine.training", str(run_id), "--workspace", str(workspace.root)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )


def wait_for(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert process.poll() is None, "the process ended too early"
        assert time.monotonic() < deadline, "the process did not get there"
        time.sleep(0.02)


def ranks_of(workspace: Workspace, run_id: int) -> list[int]:
    with Reader(workspace) as reader:
        (said,) = [event.detail for event in reader.events(run_id=run_id) if event.kind == "devices"]
    return [int(number) for number in re.findall(r"process (\d+)", said)]


@pytest.mark.long
def test_the_death_of_a_rank_fails_the_run_which_then_resumes(tmp_path: Path, base_folder: Path, recipe: Build) -> None:
    workspace = Workspace(tmp_path)
    import_phantoms(workspace, "phantoms", count=60, seed=3, abnormal_share=0.5, size=96, processes=1)
    wanted = recipe(
        model={"id": str(base_folder)},
        training={"max_steps": 100, "checkpoint_steps": 5, "answer_checks": 0, "devices": 2},
    )
    run_id = queued(workspace, wanted)
    process = start(workspace, run_id)
    with Reader(workspace) as reader:
        checkpoints = workspace.root / reader.run(run_id).directory / "checkpoints"
    wait_for(lambda: bool(complete_checkpoints(checkpoints)), process)
    first, second = ranks_of(workspace, run_id)
    os.kill(second, signal.SIGKILL)
    assert process.wait(PATIENCE_SECONDS) == 1
    assert process_start(first) is None
    with Reader(workspace) as reader:
        row = reader.run(run_id)
    assert (row.state, row.error_title) == (
        State.FAILED,
        "Rank 1 of the run died without a word (killed by signal 9)",
    )
    assert f"sonotune resume {run_id}" in (row.error_next_step or "")

    assert row.layout is not None
    assert (row.layout["micro_batch"], row.layout["accumulation"], row.layout["devices"]) == (4, 1, 2)
    assert (row.peak_rss_bytes or 0) > 200_000_000  # of a rank: the job process loads no torch

    with Writer.open(workspace) as writer:
        assert writer.transition(JobKind.TRAINING, run_id, State.FAILED, State.QUEUED, "resumed")
    dataset = open_dataset(workspace, "phantoms")
    cases = [case for split in (Split.TRAIN, Split.VALIDATION) for case in dataset.cases(split)]
    train_on_ranks(Wanted(tmp_path, base_folder, cases, wanted, 4, 1, packed=False, run_id=run_id, size=2))
    with Reader(workspace) as reader:
        assert reader.run(run_id).step == 100
        assert sorted({point.step for point in reader.metrics(run_id, ["loss"])}) == list(range(1, 101))
