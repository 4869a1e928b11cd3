"""Small studies in small workspaces, whose jobs nobody starts: what tests of studies begin with."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from cli_helpers import small_dataset, succeed

from engine import api
from engine.api.study_finding import found_study
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.study.found import FoundStudy
from engine.types import JobKind, State
from engine.workspace import Workspace

RECIPE = """
name = "tiny"
[data]
dataset = "fetal"
image_size = 96
[model]
id = "assets/base-model"
[training]
max_steps = 4
batch = 4
[evaluation]
max_new_tokens = 8
"""
STUDY = """
name = "rank"
title = "Rank"
question = "Does a larger rank help?"
varies = ["lora.r"]
baseline = "small"
[measure]
split = "validation"
[arms.small]
"lora.r" = 4
[arms.large]
"lora.r" = 8
[[decide]]
ask = "Is large better than small?"
kind = "better"
arm = "large"
than = "small"
[scales.demo]
recipe = "tiny"
"""


def study_workspace(folder: Path, text: str = STUDY) -> Workspace:
    """A workspace with 40 tiny images, a recipe `tiny` and a study."""
    workspace = small_dataset(folder)
    write_study(workspace, text)
    recipes = workspace.root / "assets" / "recipes"
    recipes.mkdir(parents=True, exist_ok=True)
    (recipes / "tiny.toml").write_text(RECIPE)
    return workspace


def write_study(workspace: Workspace, text: str = STUDY) -> Path:
    """Write a study file into a workspace, over the one that has its name."""
    name = text.partition('name = "')[2].partition('"')[0]
    folder = workspace.root / "assets" / "studies"
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.toml"
    file.write_text(text)
    return file


def launch(workspace: Workspace, name: str = "rank", **options: Any) -> api.StudyLaunched:
    """Launch without a worker: everything stays queued."""
    return api.launch_study(workspace, name, start_worker=False, **options)


def finish_run(workspace: Workspace, run_id: int, state: State = State.SUCCEEDED) -> None:
    """Take a queued run to its end; one that succeeds leaves an adapter."""
    with Writer.open(workspace) as writer:
        assert writer.transition(JobKind.TRAINING, run_id, State.QUEUED, State.STARTING, "test")
        assert writer.transition(JobKind.TRAINING, run_id, State.STARTING, State.RUNNING, "test")
        assert writer.transition(JobKind.TRAINING, run_id, State.RUNNING, state, "test")
    if state == State.SUCCEEDED:
        with Reader(workspace) as reader:
            (workspace.root / reader.run(run_id).directory / "adapter").mkdir(parents=True)


def finish_evaluations(workspace: Workspace, ids: Iterable[int] | None = None, state: State = State.SUCCEEDED) -> None:
    """Take queued evaluations to their end; all of them where none are named."""
    with Reader(workspace) as reader:
        queued = [row.id for row in reader.evaluations(states=(State.QUEUED,))]
    with Writer.open(workspace) as writer:
        for each in queued if ids is None else ids:
            if state == State.SUCCEEDED:
                succeed(writer, JobKind.EVALUATION, each, n=4)
            else:
                writer.transition(JobKind.EVALUATION, each, State.QUEUED, State.STARTING, "test")
                writer.transition(JobKind.EVALUATION, each, State.STARTING, state, "test", error_title="out of memory")


def finish_all(workspace: Workspace) -> None:
    """Everything that is queued succeeds."""
    with Reader(workspace) as reader:
        runs = [run.id for run in reader.runs((State.QUEUED,))]
    for run in runs:
        finish_run(workspace, run)
    finish_evaluations(workspace)


def runs_of(found: FoundStudy) -> dict[str, int | None]:
    """The run of each arm (of its first seed)."""
    return {cell.cell.arm: cell.run and cell.run.id for cell in reversed(found.cells)}


def found(workspace: Workspace, name: str = "rank") -> FoundStudy:
    return found_study(workspace, name)


def counts(workspace: Workspace) -> tuple[int, int]:
    """How many runs and evaluations there are."""
    with Reader(workspace) as reader:
        return len(reader.runs()), len(reader.evaluations())


def protocol(workspace: Workspace, evaluation: int) -> dict[str, Any]:
    with Reader(workspace) as reader:
        return dict(json.loads(reader.evaluation(evaluation).protocol))
