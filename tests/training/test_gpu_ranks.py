"""What only two CUDA devices can show of a run that they share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from engine.data.importers.phantoms import import_phantoms
from engine.data.manifest import open_dataset
from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.training.backends import installed
from engine.types import State
from engine.workspace import Workspace

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.slow,
    pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two NVIDIA GPUs"),
]


def trained(workspace: Workspace, recipe: Recipe) -> list[float]:
    """Losses of a run, from its own job process."""
    record = open_dataset(workspace, recipe.data.dataset).record
    with Writer.open(workspace) as writer:
        run_id = writer.create_run(
            recipe.name, recipe_json(recipe), "phantoms", record.fingerprint, record.split_fingerprint, "m", 7
        )
    command = [sys.executable, "-m", "engine.training", str(run_id), "--workspace", str(workspace.root)]
    subprocess.run(command, check=False, env={**os.environ, "HF_HUB_OFFLINE": "1"}, timeout=500)
    with Reader(workspace) as reader:
        row = reader.run(run_id)
        assert row.state is State.SUCCEEDED, (row.error_title, row.error_detail)
        return [point.value for point in reader.metrics(run_id, ["loss"])]


@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
def test_two_gpus_train_what_one_does(
    tmp_path: Path, base_folder: Path, recipe: Callable[..., Recipe], backend: str
) -> None:
    if backend == "unsloth" and not installed("unsloth"):
        pytest.skip("needs Unsloth")
    workspace = Workspace(tmp_path)
    import_phantoms(workspace, "phantoms", count=60, seed=3, abnormal_share=0.5, size=96, processes=1)

    def wanted(devices: int) -> Recipe:
        return recipe(
            model={"id": str(base_folder), "backend": backend},
            data={"questions": ["Q7", "Q3"]},
            training={"batch": 8, "max_steps": 20, "evaluation_steps": 10, "devices": devices},
        )

    one, two = trained(workspace, wanted(1)), trained(workspace, wanted(2))
    assert len(one) == len(two) == 20
    # Sums in bf16 depend on their order: as much as packed and separate samples may differ, and no more.
    assert two == pytest.approx(one, rel=0.01)
