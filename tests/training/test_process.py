from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.data.importers.phantoms import import_phantoms
from engine.data.manifest import open_dataset
from engine.jobs.keeping import note_stop
from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.store.writer import Writer
from engine.training.checkpoints import complete_checkpoints
from engine.types import Action, JobKind, State
from engine.workspace import Workspace

Build = Callable[..., Recipe]
PATIENCE_SECONDS = 300.0


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    made = Workspace(tmp_path_factory.mktemp("workspace"))
    import_phantoms(made, "phantoms", count=60, seed=3, abnormal_share=0.5, size=96, processes=1)
    note_stop(made)  # tests start processes themselves: a worker that one of them starts would take their jobs
    return made


def launch(workspace: Workspace, recipe: Recipe) -> RunRow:
    record = open_dataset(workspace, recipe.data.dataset).record
    with Writer.open(workspace) as writer:
        run_id = writer.create_run(
            recipe.name,
            recipe_json(recipe),
            record.name,
            record.fingerprint,
            record.split_fingerprint,
            recipe.model.id,
            recipe.training.seed,
        )
    return run_row(workspace, run_id)


def run_row(workspace: Workspace, run_id: int) -> RunRow:
    with Reader(workspace) as reader:
        return reader.run(run_id)


def start(workspace: Workspace, run_id: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "CUDA_VISIBLE_DEVICES": ""}
    log = (workspace.root / f"log-{run_id}.txt").open("ab")
    return subprocess.Popen(
        [sys.executable, "-m", "engine.training", str(run_id), "--workspace", str(workspace.root)],
        stdout=log,
        stderr=log,
        env=environment,
    )


def wait_for(what: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert process.poll() is None, "the process ended too early"
        assert time.monotonic() < deadline, "the process did not get there"
        time.sleep(0.02)


def log_of(workspace: Workspace, run_id: int) -> str:
    return (workspace.root / f"log-{run_id}.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "state", "saved"), [(Action.STOP, State.INTERRUPTED, True), (Action.CANCEL, State.CANCELLED, False)]
)
def test_a_process_obeys_requests_of_the_user(
    workspace: Workspace, base_folder: Path, recipe: Build, action: Action, state: State, saved: bool
) -> None:
    wanted = recipe(model={"id": str(base_folder)}, training={"max_steps": 5000, "checkpoint_steps": 0})
    run = launch(workspace, wanted)
    process = start(workspace, run.id)
    wait_for(lambda: run_row(workspace, run.id).step >= 2, process)
    with Writer.open(workspace) as writer:
        writer.request(JobKind.TRAINING, run.id, action)
    assert process.wait(PATIENCE_SECONDS) == 0, log_of(workspace, run.id)
    row = run_row(workspace, run.id)
    assert row.state is state
    folder = workspace.root / run.directory
    assert (folder / "adapter" / "adapter_model.safetensors").is_file() is saved
    assert bool(complete_checkpoints(folder / "checkpoints")) is saved


def in_process(workspace: Workspace, run_id: int, capsys: Any) -> tuple[int, str]:
    from engine.training.__main__ import main

    code = main([str(run_id), "--workspace", str(workspace.root)])
    return code, capsys.readouterr().err


def test_a_missing_base_model_fails_the_run_with_a_next_step(
    workspace: Workspace, recipe: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launch(workspace, recipe(model={"id": "assets/no-such-model"}))
    code, message = in_process(workspace, run.id, capsys)
    row = run_row(workspace, run.id)
    assert code == 1
    assert row.state is State.FAILED
    assert "assets/no-such-model" in (row.error_title or "")
    assert "model.id" in (row.error_next_step or "")
    assert "Traceback" not in message


def test_a_dataset_that_changed_since_the_launch_is_refused(
    workspace: Workspace, base_folder: Path, recipe: Build, capsys: pytest.CaptureFixture[str]
) -> None:
    run = launch(workspace, recipe(model={"id": str(base_folder)}))
    with Writer.open(workspace) as writer:
        writer.update(JobKind.TRAINING, run.id, dataset_fingerprint="another")
    code, message = in_process(workspace, run.id, capsys)
    assert code == 1
    assert "has changed since the run was launched" in message
    assert run_row(workspace, run.id).state is State.FAILED


def test_a_folder_with_pickled_weights_alone_is_no_model(
    workspace: Workspace, base_folder: Path, recipe: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import shutil

    import torch

    folder = shutil.copytree(base_folder, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    run = launch(workspace, recipe(model={"id": str(folder)}))
    code, _ = in_process(workspace, run.id, capsys)
    row = run_row(workspace, run.id)
    assert code == 1
    assert "no safetensors weights" in (row.error_title or "")
    assert "safetensors" in (row.error_next_step or "")
