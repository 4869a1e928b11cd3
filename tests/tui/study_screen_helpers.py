"""Studies as the screens get them, made by hand: in every stage, with results, broken, hostile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import study_result_helpers as results

from engine import api
from tui.screens.studies_model import StudyRow

QUESTION = "Which layers must carry LoRA: is a part of the model enough, and what does leaving out the rest save?"


def cell(arm: str, stage: str, number: int = 1, *, seed: int = 42, **others: Any) -> api.StudyCell:
    """One cell: trained by the run of that number unless it is missing; three measurements once it is done."""
    values: dict[str, Any] = {
        "note": f"what {arm} is",
        "untuned": False,
        "run_id": None if stage == "missing" else number,
        "run_name": f"run {number}",
        "progress": 0.42 if stage == "running" else None,
        "planned_steps": 160,
        "targets_done": 3 if stage == "done" else 1 if stage == "measuring" else 0,
        "targets": 3,
        "changes": {},
        "trouble": f"run {number}: CUDA out of memory" if stage == "failed" else "",
    }
    return api.StudyCell(arm=arm, seed=seed, stage=api.Stage(stage), **(values | others))


def state(name: str, title: str, priority: int, cells: Sequence[api.StudyCell], **others: Any) -> api.StudyState:
    """A study at the scale of demonstrations."""
    values: dict[str, Any] = {
        "question": QUESTION,
        "scale": "demo",
        "scales": ("demo", "full"),
        "scale_reason": "no NVIDIA GPU is here",
        "machine": "any machine, 2 cores, about 9 minutes",
        "note": "Drawn phantoms and the embedded model.",
        "split": "validation",
        "seeds": 1,
        "references_done": 3,
        "references": 3,
        "working": any(each.stage in ("running", "queued", "measuring") for each in cells),
        "dataset": "phantoms",
        "dataset_problem": "",
        "can_draw": False,
        "left_out": (),
        "added": (),
        "launched": 1_800_000_000.0,
        "warnings": (),
    }
    return api.StudyState(name=name, title=title, priority=priority, cells=tuple(cells), **(values | others))


def row(
    name: str, title: str, priority: int, stages: Sequence[str], result: api.StudyResult | None = None, **others: Any
) -> StudyRow:
    """A study with an arm a stage: A, B, C and so on."""
    cells = [cell(chr(65 + place), stage, place + 1) for place, stage in enumerate(stages)]
    rules = ("Is any part better or worse than all layers? Each arm against E.",)
    return StudyRow(name, state(name, title, priority, cells, **others), result, varies=("lora.vision",), rules=rules)


def augmentation() -> StudyRow:
    """A complete study of three arms at three seeds, with every part of a result."""
    cells = [
        cell(arm, "done", 10 * place + seed + 1, seed=42 + seed)
        for place, arm in enumerate(results.ARMS)
        for seed in range(3)
    ]
    found = state("augmentation", "Augmentation", 8, cells, question=results.rich().question, seeds=3)
    return StudyRow("augmentation", found, results.rich(), varies=("data.augment",), rules=("Each against none.",))


def board() -> tuple[StudyRow, ...]:
    """Eight studies in all states that there are, and a broken file."""
    one = replace(results.rich(), answers=results.answers()[:1])
    return (
        row("baseline-q7", "Baseline Q7", 1, ["done"] * 3, one),
        row("model-size", "Model size", 2, ["done", "running"]),
        row("layers", "Layer ablation", 3, ["done", "done", "measuring", "running", "queued"]),
        row("multi-task", "Multi-task Q1-Q8", 4, ["done", "done", "failed", *["missing"] * 7], left_out=("G",)),
        row("report", "Combined report", 5, ["missing"], dataset_problem="there is none", can_draw=True),
        row("class-balance", "Class balance", 6, ["interrupted", *["missing"] * 4]),
        augmentation(),
        StudyRow("mine", None, problems=("arms.x: unknown key", "seeds: found 0", "title: missing")),
    )
