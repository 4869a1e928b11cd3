"""What tries against the real process begin with: a tiny base model, a dataset, and runs that nothing has broken.

Made once a suite and copied for each try.
"""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import api
from engine.api import evaluating
from engine.jobs.worker import run_worker
from engine.recipe import Recipe, load_recipe, parse_recipe
from engine.store.reader import Reader
from engine.types import Split, State
from engine.workspace import Workspace

SIZE = 96
STEPS = 14
VARIANTS: dict[str, dict[str, Any]] = {
    "one question": {"data": {"questions": ["Q7"]}, "training": {"batch": 8}},
    # Packed rows, an order over several epochs, images that change: all that could differ after a resume.
    "eight questions": {
        "data": {"questions": [f"Q{number}" for number in range(1, 9)], "limit": 15, "augment": "advanced"},
        "training": {"batch": 8},
    },
}
CURVES = ("loss", "learning_rate")


@dataclass(frozen=True, slots=True)
class Template:
    """The folder that tries are copied from. Its parts are made when they are first asked for; others wait for them."""

    folder: Path

    @property
    def base(self) -> Path:
        """The base model."""
        return self._made("base", _build_base)

    @property
    def workspace(self) -> Path:
        """With the dataset, without runs."""
        return self._made("workspace", lambda folder: _import(Workspace(folder)))

    @property
    def trained(self) -> Path:
        """A workspace with the run of one question, complete."""
        return self._unbroken("one question")

    def unbroken(self, variant: str) -> dict[str, dict[str, float]]:
        """Curves of a run that nothing has broken: values by step (as text) by key."""
        return curves(Workspace(self._unbroken(variant)), 1)

    @property
    def answers(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Predictions and scores of evaluations that nothing has broken, by their numbers."""
        folder = self._made("measured", lambda folder: _measure(self.trained, folder))
        found: dict[str, dict[str, dict[str, Any]]] = json.loads((folder / "answers.json").read_text())
        return found

    def _unbroken(self, variant: str) -> Path:
        return self._made(f"unbroken {variant}", lambda folder: _train(self, variant, folder))

    def _made(self, name: str, make: Callable[[Path], None]) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        folder, done = self.folder / name, self.folder / f"{name} is done"
        if done.exists():
            return folder
        with (self.folder / f"{name} lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                make(folder)
                done.touch()
        return folder


def recipe_of(variant: str, base: Path, **sections: dict[str, Any]) -> Recipe:
    """The recipe of a variant; keyword arguments change keys of sections."""
    content: dict[str, Any] = {
        "name": "faults",
        "model": {"id": str(base)},
        "data": {"image_size": SIZE},
        "lora": {"r": 4, "alpha": 8},
        "training": {
            "accumulation": 1,
            "max_steps": STEPS,
            "learning_rate": 1e-2,
            "checkpoint_steps": 4,
            "answer_checks": 0,
            "seed": 7,
        },
        # An image at a time, so that there are many moments between two answers.
        "evaluation": {"splits": [], "max_new_tokens": 8, "batch": 1},
    }
    for changes in (VARIANTS[variant], sections):
        for section, values in changes.items():
            content[section] = {**content[section], **values}
    return parse_recipe(content, "faults")


def _build_base(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", _BASE, str(folder)], check=True, stderr=subprocess.DEVNULL)


def _import(workspace: Workspace) -> None:
    workspace.root.mkdir()
    api.import_phantom_dataset(workspace, "phantoms", count=120, seed=3, abnormal_share=0.5, size=SIZE)


def _train(made: Template, variant: str, folder: Path) -> None:
    """A run that nothing breaks: 8 s."""
    shutil.copytree(made.workspace, folder)
    used = Workspace(folder)
    wanted = recipe_of(variant, made.base)
    run_id = api.launch(used, wanted, references=False, start_worker=False).run_id
    # By a worker that is gone afterwards: a job without one starts its own, which writes while the folder is copied.
    run_worker(used, idle_exit_seconds=0.5)
    with Reader(used) as reader:
        run = reader.run(run_id)
    assert (run.state, run.packing) == (State.SUCCEEDED, "on" if "eight" in variant else "off"), run
    assert load_recipe(folder / run.directory / "recipe.toml") == wanted


def _measure(trained: Path, folder: Path) -> None:
    """The evaluations that nothing breaks, in a copy of the workspace with the run: 20 s."""
    shutil.copytree(trained, folder)
    measured = Workspace(folder)
    queued = queue_evaluation(measured)
    run_worker(measured, idle_exit_seconds=0.5)
    content = {str(each): answers(measured, each) for each in queued}
    assert all(each["scores"] for each in content.values())
    (folder / "answers.json").write_text(json.dumps(content))


def queue_evaluation(workspace: Workspace) -> list[int]:
    """Queue the run of the workspace for measurement; the numbers of all evaluations, references included."""
    with patched_worker():
        return api.evaluate_run(workspace, 1, [Split.VALIDATION], ["Q7"])[1]


@contextmanager
def patched_worker() -> Iterator[None]:
    """Whoever queues starts no worker here: the try starts its own."""
    kept = evaluating.ensure_worker
    evaluating.ensure_worker = lambda *_given, **_named: False
    try:
        yield
    finally:
        evaluating.ensure_worker = kept


def answers(workspace: Workspace, evaluation_id: int) -> dict[str, dict[str, Any]]:
    """Predictions by path and scores by name of one evaluation."""
    with Reader(workspace) as reader:
        predictions = reader.predictions(evaluation_id)
        scores = reader.scores(evaluation_id)
    return {
        "predictions": {each.path: [each.raw_output, each.parsed, each.p_abnormal] for each in predictions},
        "scores": {f"{each.scope} {each.name}": each.value for each in scores},
    }


def curves(workspace: Workspace, run_id: int) -> dict[str, dict[str, float]]:
    """Values by step (as text) by key."""
    found: dict[str, dict[str, float]] = {key: {} for key in CURVES}
    with Reader(workspace) as reader:
        for point in reader.metrics(run_id, list(CURVES)):
            found[point.key][str(point.step)] = point.value
    return found


_BASE = """
import sys, torch
from engine.basemodel.architecture import build_model
from engine.basemodel.tokenizer import build_processor
processor = build_processor(160)
torch.manual_seed(5)
model = build_model(processor, "test")
model.to(torch.bfloat16).save_pretrained(sys.argv[1])
processor.save_pretrained(sys.argv[1])
"""
