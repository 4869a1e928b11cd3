"""The benchmark without its processes: images, arithmetic, plans, what is shown of results made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.bench import data as bench_data
from engine.bench.cells import Cell, by_process, read_cells, standard_cells, write_cells
from engine.bench.choosing import BenchRequest, checked, side_plans
from engine.bench.data import import_data, screen, write_data
from engine.bench.flops import Work, forward_flops, packed_work, separate_work, training_flops, utilisation
from engine.bench.plan import SidePlan, SideResult, StepTimes
from engine.bench.recipes import (
    collator_arguments,
    trainer_arguments,
    unsloth_load_arguments,
    unsloth_lora_arguments,
)
from engine.bench.rows import as_messages, question_rows
from engine.bench.running import BenchResult, _one_row_a_side, adapter_name, module_of, run_process
from engine.cli.bench_table import print_bench, result_as_json
from engine.cli.sizes import memory_bytes
from engine.data.manifest import open_dataset
from engine.errors import UsageError
from engine.preflight.models import ModelShape, Workload
from engine.preflight.parameters import AdapterShape
from engine.preflight.timing import step_operations
from engine.types import QUESTION_IDS, Split
from engine.workspace import Workspace

SMALL = ModelShape(
    text_hidden=8,
    text_layers=2,
    text_heads=2,
    key_value_heads=1,
    head_dim=4,
    text_intermediate=16,
    vocabulary=100,
    tied_head=True,
    vision_hidden=6,
    vision_layers=3,
    vision_heads=2,
    vision_intermediate=12,
    deepstack_layers=0,
    patch=2,
    merge=2,
    position_grid=16,
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bench-data")
    write_data(folder, 2, seed=5)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


# ----- data


def test_the_same_seed_gives_the_same_bytes(images: Path, tmp_path: Path) -> None:
    write_data(tmp_path / "again", 2, seed=5)
    assert files(tmp_path / "again") == files(images)
    write_data(tmp_path / "other", 1, seed=6)
    first = next((images / "images").rglob("*.png")).relative_to(images)
    assert (tmp_path / "other" / first).read_bytes() != (images / first).read_bytes()


def test_images_are_as_large_and_as_costly_as_the_users(images: Path) -> None:
    for file in (images / "images").rglob("*.png"):
        with Image.open(file) as image:
            assert (image.size, image.mode) == ((800, 600), "RGB")
        assert 250_000 < file.stat().st_size < 900_000


def test_complete_data_are_not_drawn_again(images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_data, "_one_image", lambda _job: pytest.fail("drawn again"))
    assert write_data(images, 2, seed=5) == images / "chat.jsonl"


def test_the_products_importer_takes_all_of_it(images: Path, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "w")
    record = import_data(workspace, "bench", images / "chat.jsonl")
    dataset = open_dataset(workspace, "bench")
    assert (record.images, list(dataset.problems)) == (2, [])
    cases = dataset.cases(Split.TRAIN)
    assert [set(case.answers) for case in cases] == [set(QUESTION_IDS)] * 2
    rows = list(question_rows(cases, ("Q7", "Q1")))
    assert len(rows) == 4
    assert rows[0]["question"].startswith("Normality")
    assert rows[0]["answer"] == cases[0].answers["Q7"]


def test_the_screen_keeps_the_phantom_in_its_middle() -> None:
    pixels = np.full((600, 600), 120, np.uint8)
    shown = screen(pixels, np.random.default_rng(0))
    assert shown.shape == (600, 800, 3)
    assert (shown[..., 0] == shown[..., 2]).all()
    assert abs(float(shown[:, 100:700].mean()) - 120) < 0.5
    assert float(shown[:, :100].mean()) < 12


# ----- arithmetic


def test_forward_flops_are_those_worked_out_by_hand() -> None:
    # text layer: q 8x8, k 8x4, v 8x4, o 8x8, gate/up/down 3 x 8x16 = 64+32+32+64+384 = 576; two layers 1152
    # vision block: qkv 6x18, proj 6x6, two of 6x12 = 108+36+144 = 288; three 864
    positions, patches = 10, 4
    linear = 2 * (1152 * positions + 864 * patches)
    attention = 4 * 2 * 8 * 55 + 4 * 3 * 6 * 16
    # patch embedding 6 values x 2x2 x 6 = 144 a patch; merger on 1 token: 24x24+24 + 24x8+8 + norm 12 = 812
    outside = 2 * (144 * patches + 812 * 1 + 8 * 100 * 3)
    work = Work(patches, 16, positions, 55, 3)
    assert forward_flops(SMALL, work) == linear + attention + outside


def test_a_frozen_base_costs_two_products_and_attention_three() -> None:
    work, none = Work(4, 16, 10, 55, 3), AdapterShape(1, vision=False, language=False)
    attention = 4 * 2 * 8 * 55 + 4 * 3 * 6 * 16
    forward = forward_flops(SMALL, work)
    assert training_flops(SMALL, work, none) == 2 * (forward - attention) + 3 * attention
    outside = 2 * (144 * 4 + 812 * 1 + 8 * 100 * 3)
    again = training_flops(SMALL, work, none, recomputed=True) - training_flops(SMALL, work, none)
    assert again == forward - outside
    # rank 1 on the text: q 16, k 12, v 12, o 16, gate/up/down 3 x 24 = 128 a layer, 256 in all
    text = AdapterShape(1, vision=False)
    assert training_flops(SMALL, work, text) - training_flops(SMALL, work, none) == 3 * 2 * 256 * 10


def test_the_preflight_counts_the_same_operations() -> None:
    """The preflight has a formula of its own, for whole rows and without the patch embedding."""
    typical = Workload(
        patches=12,
        image_tokens=3,
        root_tokens=8,
        branch_tokens=24,
        answer_tokens=5,
        samples_per_image=1,
        samples=2,
        images=2,
    )
    layout = Cell("8b", "transformers", "none", checkpointing=False, packed=False, micro_batch=2).layout
    rows, length, patches = 2, 32, 24  # 8 + 24 places, a multiple of 32 already
    work = Work(patches, patches * 12, rows * length, rows * length**2, rows * 5)
    embedding = 2 * 6 * SMALL.patch**2 * SMALL.vision_hidden * patches  # of 6 values a pixel: 3 colours, 2 frames
    assert step_operations(SMALL, typical, layout) == 2 * (forward_flops(SMALL, work) - embedding)


def test_packing_shares_image_and_root_and_nothing_else() -> None:
    alone = separate_work(patches=100, root=30, branch=10, head=4)
    assert (alone.positions, alone.pairs, alone.patch_pairs) == (40, 40 * 41 / 2, 10_000)
    packed = packed_work(patches=100, root=30, branch=10, head=4, samples=8)
    assert (packed.patches, packed.positions, packed.head_positions) == (100 / 8, 30 / 8 + 10, 4)
    # by hand: the root's own pairs once for eight, the branch with the root, the branch with itself
    assert packed.pairs == 30 * 31 / 2 / 8 + 10 * 30 + 10 * 11 / 2
    assert packed_work(100, 30, 10, 4, samples=1) == alone


def test_utilisation_is_a_share_of_what_was_measured() -> None:
    assert utilisation(2e12, 100, 800e12) == pytest.approx(0.25)
    assert utilisation(2e12, 100, None) is None


def test_step_times_leave_the_warm_up_out() -> None:
    times = StepTimes([60.0, 3.0, 1.0, 2.0, 9.0], warmup=2)
    assert (times.median, times.warmup_seconds) == (2.0, 59.0)
    with pytest.raises(ValueError, match="nothing to measure"):
        _ = StepTimes([1.0], warmup=1).median


# ----- plans and the other side's recipe


def request(**changes: object) -> BenchRequest:
    return replace(BenchRequest("train", "8b", sides=("ours", "unsloth", "unsloth-best")), **changes)


def test_every_process_gets_a_plan_that_survives_the_file(tmp_path: Path) -> None:
    plans = list(side_plans(request(memory_limit=20 * 10**9), "w", "m", ""))
    assert [(plan.side, plan.precision) for plan in plans] == [
        ("ours", "4bit"),
        ("unsloth", "4bit"),
        ("unsloth-best", "4bit"),
        ("unsloth-best", "4bit"),
        ("unsloth-best", "16bit"),
        ("unsloth-best", "16bit"),
    ]
    assert [plan.checkpointing for plan in plans] == [True, True, True, False, True, False]
    assert len({plan.name for plan in plans}) == 6  # none overwrites the result of another
    assert plans[2].micro_batches == (8, 16, 32, 64)
    assert {plan.batch for plan in plans} == {64}
    plans[1].write(tmp_path / "plan.json")
    assert SidePlan.read(tmp_path / "plan.json") == plans[1]
    assert [module_of(plan.side) for plan in plans[:3]] == [
        "engine.bench.sides.ours",
        "engine.bench.sides.unsloth",
        "engine.bench.sides.unsloth",
    ]


def test_no_epoch_ends_within_the_measured_steps() -> None:
    assert request().image_count == 64 * 16 // 8
    assert request(questions=1).image_count == 64 * 16
    assert request(images=7).image_count == 7


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "7b"}, "no model 7b"),
        ({"sides": ("ours", "axolotl")}, "no side axolotl"),
        ({"questions": 3}, "3 questions"),
        ({"batch": 60, "micro_batches": (16,)}, "cannot be cut"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match="cannot be run") as refused:
        checked(request(**changes))
    assert words in refused.value.reason


def test_unsloth_is_asked_as_its_documentation_says() -> None:
    plan = next(plan for plan in side_plans(request(), "w", "m", "") if plan.side == "unsloth")
    assert unsloth_load_arguments(plan)["load_in_4bit"] is True
    assert unsloth_load_arguments(replace(plan, precision="16bit"))["load_in_4bit"] is False
    assert unsloth_load_arguments(plan)["use_gradient_checkpointing"] == "unsloth"
    lora = unsloth_lora_arguments(plan)
    assert "use_gradient_checkpointing" not in lora  # its recipe says it when the model is loaded
    assert {lora[f"finetune_{part}"] for part in ("vision_layers", "language_layers", "attention_modules")} == {True}
    assert (lora["finetune_mlp_modules"], lora["r"], lora["lora_alpha"]) == (True, 16, 16)
    kept = replace(plan, checkpointing=False)
    assert unsloth_load_arguments(kept)["use_gradient_checkpointing"] is False
    assert unsloth_lora_arguments(kept)["use_gradient_checkpointing"] is False
    assert not trainer_arguments(kept, 16, "out", gpu=True, optimizer="adamw_8bit")["gradient_checkpointing"]
    trainer = trainer_arguments(plan, 16, "out", gpu=True, optimizer="adamw_8bit")
    assert trainer["gradient_checkpointing"] is True
    assert trainer["per_device_train_batch_size"] * trainer["gradient_accumulation_steps"] == plan.batch
    assert trainer["dataset_kwargs"] == {"skip_prepare_dataset": True}
    assert trainer["remove_unused_columns"] is False
    assert trainer["max_steps"] == plan.warmup + plan.steps
    assert collator_arguments(plan) == {"resize": 512, "resize_dimension": "max", "pad_to_multiple_of": 8}


def test_a_sample_has_the_documented_form(images: Path) -> None:
    file = next((images / "images").rglob("*.png"))
    user, assistant = as_messages(str(file), "What?", "That.")
    assert [part["type"] for part in user["content"]] == ["text", "image"]
    assert user["content"][1]["image"].size == (800, 600)
    assert (assistant["role"], assistant["content"]) == ("assistant", [{"type": "text", "text": "That."}])


# ----- results


def results() -> list[SideResult]:
    ours = SideResult("ours", samples_per_second=90.0, peak_allocated=10**10, peak_reserved=2 * 10**10, gpu="H100")
    plain = SideResult("unsloth", samples_per_second=18.0, settings={"precision": "4bit"})
    recomputed = {"precision": "4bit", "gradient_checkpointing": "unsloth"}
    slow = SideResult("unsloth-best", samples_per_second=20.0, settings=recomputed, tried=[{"micro_batch": 8}])
    kept = {"precision": "16bit", "gradient_checkpointing": False}
    fast = SideResult("unsloth-best", samples_per_second=25.0, settings=kept, tried=[{"micro_batch": 8}])
    fast = fast.ended_early("out of memory")
    return [ours, plain, slow, fast]


def test_a_side_has_one_row_and_ratios_refer_to_plain_unsloth() -> None:
    asked = request()
    result = BenchResult(asked, _one_row_a_side(asked, results()), Path("f"))
    assert [side.side for side in result.sides] == ["ours", "unsloth", "unsloth-best"]
    assert result.sides[2].settings["precision"] == "16bit"
    assert [result.ratio(side, "unsloth") for side in result.sides] == [5.0, 1.0, pytest.approx(25 / 18)]
    # What all processes of a side have tried stands in its row, with what tells them apart.
    assert result.sides[2].tried == [
        {"micro_batch": 8, "precision": "4bit", "gradient_checkpointing": "unsloth"},
        {"micro_batch": 8, "precision": "16bit", "gradient_checkpointing": False},
        {"failure": "out of memory", "precision": "16bit", "gradient_checkpointing": False},
    ]


def test_a_failed_side_is_a_row_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    failed = SideResult("unsloth", failure="out of memory: \x1b[2Jtried to allocate 3 GiB")
    result = BenchResult(request(), [results()[0], failed], Path("f"))
    assert result.ratio(result.sides[0], "unsloth") is None
    print_bench(result, "sonotune bench train")
    printed = capsys.readouterr().out
    assert "10.0 / 20.0" in printed
    assert "unsloth failed: out of memory" in printed
    assert "\x1b[2J" not in printed


def test_json_holds_every_figure_and_the_command() -> None:
    told = result_as_json(BenchResult(request(), results()[:2], Path("f")), "sonotune bench train --model 8b")
    told = json.loads(json.dumps(told))
    assert told["command"] == "sonotune bench train --model 8b"
    assert told["sides"][0]["ratio"] == 5.0
    assert told["sides"][1]["settings"] == {"precision": "4bit"}


def test_answers_of_two_sides_are_counted() -> None:
    ours, plain = results()[:2]
    asked = request(kind="evaluate")
    alike = BenchResult(
        asked, [replace(ours, answers=["a", "b", "c"]), replace(plain, answers=["a", "x", "c"])], Path()
    )
    assert alike.same_answers == "2 of 3"
    assert BenchResult(asked, [ours, plain], Path()).same_answers is None


def test_a_result_survives_its_file(tmp_path: Path) -> None:
    whole = replace(results()[0], tokens={"image": 192.0}, steps=[1.0, float("nan")])
    whole.write(tmp_path / "r.json")
    again = SideResult.read(tmp_path / "r.json")
    assert (again.samples_per_second, again.tokens, again.steps) == (90.0, {"image": 192.0}, [1.0, None])


def test_a_process_that_hangs_is_ended_and_one_that_talks_is_heard(tmp_path: Path) -> None:
    heard: list[str] = []
    code, _ = run_process(["-c", "print('>> loading'); print('noise')"], tmp_path / "a.log", 60, heard.append)
    assert (code, heard) == (0, ["loading"])
    assert "noise" in (tmp_path / "a.log").read_text()
    code, _ = run_process(["-c", "import time; time.sleep(60)"], tmp_path / "b.log", 0.5, heard.append)
    assert code is None
    code, last = run_process(["-c", "raise SystemExit('no such card')"], tmp_path / "c.log", 60, heard.append)
    assert (code, last) == (1, ["no such card"])


@pytest.mark.parametrize(
    ("visible", "seen"), [(None, "0"), ("", ""), ("2,3", "2"), ("GPU-5aa1, GPU-77", "GPU-5aa1"), ("-1", "-1")]
)
def test_a_side_sees_one_card(visible: str | None, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Hugging Face trainer that sees several would spread the model over all of them."""
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    heard: list[str] = []
    run_process(
        ["-c", "import os; print('>>', repr(os.environ['CUDA_VISIBLE_DEVICES']))"], tmp_path / "a.log", 60, heard.append
    )
    assert heard == [repr(seen)]


def test_two_models_in_folders_of_one_name_have_adapters_of_their_own(tmp_path: Path) -> None:
    one, other = tmp_path / "a" / "model", tmp_path / "b" / "model"
    assert adapter_name(one) != adapter_name(other)
    assert adapter_name(one) == adapter_name(tmp_path / "a" / ".." / "a" / "model")
    assert adapter_name(one).startswith("model-")


CUT = """
import pathlib, sys, time
from engine.bench.plan import SidePlan, SideResult
from engine.bench.sides.process import side_main

def work(plan, publish):
    publish(SideResult(plan.side, samples_per_second=7.0, tried=[{"micro_batch": 8}]))
    {then}

sys.exit(side_main(work))
"""


@pytest.mark.parametrize(
    ("then", "why"),
    [("time.sleep(60)", "not done after"), ("raise ValueError('no room')", "no room"), ("import os; os._exit(9)", "9")],
)
def test_a_side_that_is_cut_off_returns_what_it_tried(
    then: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.bench.running as module

    (tmp_path / "cut_side.py").write_text(CUT.replace("{then}", then))
    monkeypatch.setattr(module, "module_of", lambda _: "cut_side")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    plan = next(side_plans(request(), "w", "m", ""))
    result = module._run_side(plan, tmp_path, 3, lambda _: None)
    assert (result.samples_per_second, result.failure) == (7.0, None)
    assert result.tried[0] == {"micro_batch": 8}
    assert why in result.tried[1]["failure"]


def test_what_the_sides_do_not_compute_alike_stands_under_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    ours, plain = results()[:2]
    ours = replace(ours, settings={"loss_on": "answers", "samples_per_step": 64})
    plain = replace(plain, settings={"loss_on": "every text token", "samples_per_step": 64})
    print_bench(BenchResult(request(), [ours, plain], Path("f")), "c")
    printed = capsys.readouterr().out
    assert "64 samples a step" in " ".join(printed.split())
    assert "The sides differ. Loss on: ours: answers; unsloth: every text token." in printed
    assert "Samples a step:" not in printed
    other = replace(plain, settings={"samples_per_step": 32})
    print_bench(BenchResult(request(), [ours, other], Path("f")), "c")
    assert "The sides differ. Samples a step: ours: 64; unsloth: 32." in capsys.readouterr().out


@pytest.mark.parametrize(("text", "wanted"), [("20GB", 20 * 10**9), ("20 GiB", 20 * 2**30), ("", None)])
def test_memory_is_read_in_both_units(text: str, wanted: int | None) -> None:
    assert memory_bytes(text) == wanted


@pytest.mark.parametrize("text", ["20", "GB", "-3GB", "0GB"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        memory_bytes(text)


# ----- cells of memory


def test_the_standard_cells_cover_what_the_issue_names() -> None:
    cells = standard_cells()
    assert len(set(cells)) == 28
    assert {cell.size for cell in cells} == {"2b", "4b", "8b"}
    for backend in ("transformers", "unsloth"):
        those = [cell for cell in cells if cell.backend == backend]
        assert {cell.checkpointing for cell in those} == {cell.packed for cell in those} == {True, False}
        assert max(cell.micro_batch for cell in those if not cell.packed) == 16
    assert min(cell.micro_batch for cell in cells) == 1


def test_cells_of_one_loaded_model_share_a_process(tmp_path: Path) -> None:
    groups = by_process(standard_cells())
    assert sum(map(len, groups)) == 28
    assert len(groups) == 3 + 2 * 2  # Unsloth loads anew for checkpointing
    write_cells(groups[0], tmp_path / "c.json")
    assert read_cells(tmp_path / "c.json") == groups[0]
    (tmp_path / "bad.json").write_text('[{"size": "8b"}]')
    with pytest.raises(UsageError):
        read_cells(tmp_path / "bad.json")
    assert Cell("8b", "unsloth", "4bit", True, True, 64).layout.accumulation == 1
