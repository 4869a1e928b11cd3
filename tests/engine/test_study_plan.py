"""The dry run: what would run and where, and what is missing, without ever failing for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_helpers import STUDY, finish_all, launch, study_workspace, write_study

from engine import api
from engine.jobs.devices import Device
from engine.study.places import study_files
from engine.workspace import Workspace

EIGHT = sorted(study_files(Path("/nowhere")))
CELLS = {  # by hand, from the files: arms times seeds
    "augmentation": (3, 3), "baseline-q7": (3, 1), "class-balance": (7, 7), "layers": (5, 5), "model-size": (2, 3),
    "multi-task": (10, 10), "prompts": (13, 13), "report": (1, 1),
}  # fmt: skip


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.jobs.devices import known_devices

    known_devices.cache_clear()
    cpu = Device("cpu", "CPU, 2 cores", 2**33, "")
    monkeypatch.setattr("engine.api.launching.devices", lambda: [cpu])
    for module in ("study_files", "study_planning", "study_finding"):
        monkeypatch.setattr(f"engine.api.{module}.known_devices", lambda: (cpu,))


@pytest.mark.parametrize("name", EIGHT)
def test_every_study_can_be_planned_at_both_scales_in_an_empty_workspace(tmp_path: Path, name: str) -> None:
    workspace = Workspace(tmp_path)
    demo, full = (api.plan_study(workspace, name, scale=scale) for scale in ("demo", "full"))
    assert (len(demo.cells), len(full.cells)) == CELLS[name]
    assert demo.needs == ()
    assert all("phantoms are drawn first" in cell.notes[0] for cell in demo.cells)
    assert all((cell.device, cell.backend, cell.quantization) == ("cpu (CPU, 2 cores)", "transformers", "none")
               for cell in demo.cells)  # fmt: skip
    assert all(cell.model_here for cell in demo.cells)
    assert any("NVIDIA GPU" in need for need in full.needs)
    assert any("--name fetal" in need for need in full.needs)
    assert {cell.quantization for cell in full.cells} == {"4bit"}
    assert all(cell.measure and cell.measured == 0 for cell in (*demo.cells, *full.cells))
    assert not list(tmp_path.iterdir()), "a dry run makes nothing"


def test_a_model_that_is_not_downloaded_is_said_and_stops_nothing(tmp_path: Path) -> None:
    cell = api.plan_study(Workspace(tmp_path), "model-size", scale="full").cells[0]
    assert not cell.model_here
    assert any("Qwen/Qwen3-VL-2B-Instruct are not on this machine" in note for note in cell.notes)
    assert not any("Qwen" in need for need in cell.needs)


def test_optional_arms_are_planned_where_they_are_named(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert api.plan_study(workspace, "model-size", scale="full").state.left_out == ("32B",)
    planned = api.plan_study(workspace, "model-size", scale="full", arms=["32B"])
    assert [cell.model for cell in planned.cells] == ["Qwen/Qwen3-VL-32B-Instruct"]


def test_a_plan_says_what_is_reused_what_goes_on_and_what_is_counted(tmp_path: Path) -> None:
    workspace = study_workspace(tmp_path)
    fresh = api.plan_study(workspace, "rank")
    trained = sum(row.total for row in api.dataset_summary(workspace, "fetal").counts if row.split == "train")
    assert [(cell.action, cell.samples, cell.steps) for cell in fresh.cells] == [("train", trained, 4)] * 2
    assert [cell.measure for cell in fresh.cells] == [("Q7 on validation",)] * 2
    launch(workspace)
    assert [cell.action for cell in api.plan_study(workspace, "rank").cells] == [
        "wait for run 1 (queued)", "wait for run 2 (queued)"
    ]  # fmt: skip
    finish_all(workspace)
    done = api.plan_study(workspace, "rank", seeds=2)
    assert [cell.action for cell in done.cells] == ["reuse run 1", "train", "reuse run 2", "train"]
    assert [(cell.measure, cell.measured) for cell in done.cells][:1] == [((), 1)]


@pytest.mark.parametrize("wish", ["auto", "unsloth"])
def test_on_a_gpu_too_what_a_cell_misses_is_a_need_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wish: str
) -> None:
    card = Device("cuda:0", "NVIDIA H100", 80 * 2**30, "")
    monkeypatch.setattr("engine.api.launching.devices", lambda: [card])
    for module in ("study_files", "study_planning", "study_finding"):
        monkeypatch.setattr(f"engine.api.{module}.known_devices", lambda: (card,))
    workspace = study_workspace(tmp_path)
    launch(workspace)
    keys = f'"model.id" = "./nowhere", "model.quantization" = "auto", "model.backend" = "{wish}"'
    write_study(workspace, STUDY.replace('recipe = "tiny"', f'recipe = "tiny"\nset = {{ {keys} }}'))
    assert not any(cell.targets_done for cell in api.study_state(workspace, "rank").cells)
    (need, *_) = api.plan_study(workspace, "rank").needs
    assert need.startswith("The base model './nowhere' was not found.")
    assert [listed.state is None for listed in api.study_list(workspace) if listed.name == "rank"] == [False]


def test_what_an_arm_needs_stands_in_its_cell(tmp_path: Path) -> None:
    workspace = study_workspace(tmp_path)
    text = STUDY.replace('varies = ["lora.r"]', 'varies = ["lora.r", "model.id"]')
    write_study(workspace, text.replace('"lora.r" = 8', '"lora.r" = 8\n"model.id" = "assets/nothing"'))
    small, large = api.plan_study(workspace, "rank").cells
    assert small.needs == ()
    assert "assets/nothing" in large.needs[0]
