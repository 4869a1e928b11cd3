"""The benchmark from end to end with a tiny model on a CPU; only Unsloth itself needs a GPU.

All but one test run what a process of a side does here, because each start of one costs seconds of imports.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from engine.bench.cells import Cell
from engine.bench.choosing import BenchRequest, side_plans
from engine.bench.flops import forward_flops, separate_work
from engine.bench.plan import DATASET, SEED, SidePlan, SideResult
from engine.bench.running import adapter_name
from engine.bench.sides.rounds import Round, one_round
from engine.bench.sides.sweeping import Sweep, doubled, fastest
from engine.bench.watching import watched
from engine.cli.app import app
from engine.preflight.rows import measured_row
from engine.preflight.shapes import find_shape
from engine.workspace import Workspace

IMAGES = 2


@pytest.fixture(scope="module", autouse=True)
def nothing_collected() -> Iterator[None]:
    """Sides collect garbage for a GPU's memory; among all that tests have imported it takes 0.3 s a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gc, "collect", lambda: 0)
        yield


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> SidePlan:
    """Two images, a tiny model and an adapter for it, laid out as `sonotune bench --keep FOLDER` does."""
    from engine.bench.data import import_data, write_data
    from engine.bench.model import write_adapter, write_model

    folder = tmp_path_factory.mktemp("bench")
    workspace, base = Workspace(folder / "workspace"), folder / "models" / "tiny-random"
    import_data(workspace, DATASET, write_data(folder / f"data-{IMAGES}-{SEED}", IMAGES, SEED))
    base.parent.mkdir()
    write_model("tiny", base, "cpu")
    write_adapter(base, base.parent / adapter_name(base), "cpu")
    asked = BenchRequest("train", "tiny", sides=("ours",), images=IMAGES, image_size=64, steps=2, warmup=1, batch=16)
    [made] = side_plans(asked, str(workspace.root), str(base), str(base.parent / adapter_name(base)))
    return replace(made, workers=0)


@pytest.fixture(scope="module")
def ours(plan: SidePlan) -> SideResult:
    """Our training."""
    from engine.bench.sides import ours as side

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(plan.workspace)
        return side.run(plan)


def test_training_is_measured_from_files_to_figures(ours: SideResult) -> None:
    assert ours.failure is None
    assert len(ours.steps) == 3
    assert (ours.samples_per_second or 0) > 0
    assert 0 < (ours.recording_share or 0) < 1
    assert 0 < (ours.data_share or 0) < 1
    # Eight questions share the image (64 x 32 px: 8 patches, 2 tokens), so a sample has an eighth of its patches.
    assert ours.settings["packing"] == "on"
    assert ours.settings["samples_per_step"] == 16
    assert ours.tokens["patches_computed"] == pytest.approx(ours.tokens["image"] * 4 / 8)
    assert ours.tokens["positions"] == pytest.approx(ours.tokens["positions_with_pads"], rel=0.25)
    assert 8 < ours.tokens["answer"] < 16
    assert 0 < (ours.model_flop_utilisation or 0) <= (ours.hardware_flop_utilisation or 0) < 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="Unsloth may run here")
def test_a_side_that_cannot_run_is_a_row_with_its_reason(plan: SidePlan) -> None:
    """Through the command and a real process, over what the folder holds already."""
    folder = Path(plan.workspace).parent
    words = ["bench", "train", "--model", "tiny", "--sides", "unsloth", "--keep", str(folder), "--json"]
    done = CliRunner().invoke(app, [*words, "--images", str(IMAGES), "--image-size", "64"])
    assert done.exit_code == 1, done.output  # nothing was measured
    [unsloth] = json.loads(done.stdout)["sides"]
    assert "unsloth" in unsloth["failure"]
    assert unsloth["ratio"] is None
    assert "Traceback" in (folder / "unsloth-4bit.log").read_text()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_unsloth_trains_on_the_same_image_tokens(plan: SidePlan, ours: SideResult) -> None:
    from engine.bench.running import _run_side

    unsloth = _run_side(replace(plan, side="unsloth", micro_batches=(16,)), Path(plan.workspace).parent, 600, print)
    assert unsloth.failure is None
    assert unsloth.tokens["image"] == ours.tokens["image"]
    assert unsloth.tokens["patches_computed"] == 8 * ours.tokens["patches_computed"]


def test_the_product_plans_for_the_card_that_the_limit_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.bench.sides.ours import smaller_card
    from engine.preflight.models import Card
    from engine.training import start

    monkeypatch.setattr(start, "card_of", lambda _device: Card("H100", 80, 70))
    with smaller_card(20):
        assert start.card_of(torch.device("cuda")) == Card("H100", 20, 20)
    with smaller_card(None):
        assert start.card_of(torch.device("cuda")) == Card("H100", 80, 70)
    assert start.card_of(torch.device("cuda")) == Card("H100", 80, 70)


def test_evaluation_gives_the_answers_of_plain_generate(plan: SidePlan, monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.bench.sides import evaluate_ours, evaluate_plain

    loaders: list[Any] = []
    build = evaluate_plain.DataLoader
    monkeypatch.setattr(
        evaluate_plain, "DataLoader", lambda *rows, **how: loaders.append(build(*rows, **how)) or loaders[-1]
    )
    asked = replace(plan, steps=IMAGES, batch=1, new_tokens=4, micro_batches=(6, 24), workers=1)
    ours, plain = evaluate_ours.run(asked), evaluate_plain.run(asked)
    assert [loader.persistent_workers for loader in loaders] == [True, True]  # started once for all rounds
    assert list(ours.answers) == list(plain.answers)
    assert len(ours.answers) == IMAGES * 8
    assert len(set(ours.answers)) > 5  # a model that says one thing agrees with itself whatever it is asked
    assert [each["questions_at_a_time"] for each in plain.tried] == [6, 24]
    assert plain.samples_per_second == max(each["questions_per_second"] for each in plain.tried)
    # Measured alike: as many rounds, and what each waited for after its first batch.
    assert len(ours.steps) == len(plain.steps) == ours.settings["rounds"] == 3
    for side in (ours, plain):
        assert side.data_share is not None
        assert 0 <= side.data_share < 1


def test_the_clock_of_a_round_starts_with_its_first_batch() -> None:
    now = 0.0

    def batches() -> Iterator[str]:
        nonlocal now
        for name, seconds in (("a", 100.0), ("b", 3.0)):
            now += seconds  # preparing it
            yield name

    def answer(batch: str) -> list[str]:
        nonlocal now
        now += 10
        return [batch]

    assert one_round(batches(), answer, clock=lambda: now) == Round(seconds=23.0, waited=3.0, answers=["a", "b"])


RATES = {32: 10.0, 64: 20.0, 128: 19.9, 256: 30.0, 512: 29.0, 1024: 99.0}


def swept(rates: dict[int, float], until_slower: bool, plan: SidePlan) -> tuple[SideResult, list[SideResult]]:
    """What a sweep over rates made by hand comes to, and what it publishes; a size without a rate has no room."""
    published: list[SideResult] = []

    def measure(size: int) -> SideResult:
        if size not in rates:
            raise torch.OutOfMemoryError
        return SideResult(plan.side, samples_per_second=rates[size])

    return fastest(plan, Sweep(doubled(2000), "size", "rate", until_slower), measure, published.append), published


def test_sizes_are_doubled_until_they_are_slower_or_find_no_room(plan: SidePlan) -> None:
    assert [list(doubled(rows)) for rows in (8, 33, 512)] == [[32], [32, 64], [32, 64, 128, 256, 512]]
    assert list(doubled(9999))[-1] == 1024
    best, published = swept(RATES, True, plan)
    # 128 is as fast as 64 within the noise, and no reason to end; 512 is.
    assert [each["size"] for each in best.tried] == [32, 64, 128, 256, 512]
    assert best.samples_per_second == 30.0
    assert [each.samples_per_second for each in published] == [10.0, 20.0, 20.0, 30.0, 30.0]
    assert [len(each.tried) for each in published] == [1, 2, 3, 4, 5]  # each as it stood, for a side that is cut off
    assert swept(RATES, False, plan)[0].samples_per_second == 99.0
    short, _ = swept({32: 10.0, 64: 20.0}, False, plan)
    assert [each["size"] for each in short.tried] == [32, 64, 128]
    assert "out of memory" in short.tried[-1]["failure"]
    with pytest.raises(RuntimeError, match="no size ran"):
        swept({}, True, plan)


def test_the_plain_trainer_is_timed_by_its_clock(plan: SidePlan) -> None:
    from engine.bench.sides import transformers

    side = transformers.run(replace(plan, side="transformers", steps=1, warmup=1, batch=8, micro_batches=(4,)))
    assert len(side.steps) == 2
    assert side.settings["samples_per_step"] == 8
    assert 0 < (side.data_share or 0) < 1
    # Every sample computes its own image, and one more token than ours: the line break behind the answer.
    assert side.tokens["patches_computed"] == side.tokens["image"] * 4
    assert side.tokens["positions_with_pads"] >= side.tokens["positions"] + 1


def test_cells_of_memory_are_measured_by_the_real_loss(plan: SidePlan) -> None:
    from engine.bench.cell_process import measured_cells

    cells = [
        Cell("tiny", "transformers", "none", checkpointing=False, packed=True, micro_batch=8),
        Cell("tiny", "transformers", "none", checkpointing=True, packed=False, micro_batch=2),
    ]
    rows = measured_cells(cells, Path(plan.model), Path(plan.workspace))
    peaks = {"allocated_peak": 1, "reserved_peak": 1}  # a CPU has none, and a row without one is refused
    packed, separate = (measured_row(json.loads(json.dumps(values | peaks))) for values in rows)
    assert [row.layout for row in (packed, separate)] == [cell.layout for cell in cells]
    assert (packed.workload.images, packed.workload.samples_per_image) == (1, 8)
    assert (separate.workload.images, separate.workload.samples_per_image) == (2, 1)
    assert packed.workload.image_tokens == 192  # 512 x 384 px
    assert (packed.step_seconds or 0) > 0


def test_our_formula_counts_what_torch_counts(model: Any, processor: Any, base_folder: Path) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    shape = find_shape(str(base_folder)).shape
    text = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}], tokenize=False
    )
    batch = processor(text=[text], images=[[Image.new("RGB", (128, 96))]], return_tensors="pt")
    length, patches = batch["input_ids"].shape[1], int(batch["image_grid_thw"].prod())
    model.set_attn_implementation("eager")  # attention in plain products, which the counter sees
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(**batch)
    ours = forward_flops(shape, separate_work(patches, length - 1, 1, head=length))
    # Torch sees attention over whole rows, ours counts the pairs that may see each other.
    full = 4 * shape.text_layers * shape.text_heads * shape.head_dim * (length**2 - length * (length + 1) / 2)
    assert counter.get_total_flops() == pytest.approx(ours + full, rel=0.005)


def test_the_watch_counts_rows_places_and_patches(model: Any, processor: Any) -> None:
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is it?"}]}]
    text = processor.apply_chat_template(chat, tokenize=False)
    batch = processor(text=[text] * 2, images=[[Image.new("RGB", (128, 96))]] * 2, return_tensors="pt")
    model.train()
    with watched() as watch:
        model(**batch)
        model.eval()
        model(**batch)  # answers that are looked at are no part of the training
    assert (watch.rows, watch.places) == (2, batch["input_ids"].numel())
    assert (watch.images, watch.patches, watch.patch_pairs) == (2, 2 * 48, 2 * 48.0**2)
    model.train()
    model(**batch)
    assert watch.rows == 2  # the hooks have gone
    assert not watch.checkpointed
