from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from engine.basemodel import check
from engine.basemodel.architecture import build_model
from engine.basemodel.batches import Vocabulary, assemble, draw_branches
from engine.basemodel.curriculum import OPINION_BY_QUALITY, opinion, random_normality
from engine.basemodel.images import CHECK_SEED, ImageTable, draw_table
from engine.basemodel.model_inputs import PositionTable, answer_loss, forward_inputs, resize
from engine.basemodel.tokenizer import build_processor
from engine.data.phantoms.labels import PhantomLabels
from engine.training.model_files import repository_root

SIZES = {"base-model": (2_000_000, 3_000_000, 6_000_000), "base-model-large": (4_000_000, 5_500_000, 10_000_000)}
"""Fewest and most parameters, and most bytes on disk."""


def load(name: str) -> tuple[Any, Any]:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    folder = repository_root() / "assets" / name
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    processor = AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = "left"
    return model.eval(), processor


@pytest.mark.parametrize("name", SIZES)
def test_the_plain_auto_classes_load_it_and_it_stays_small(name: str) -> None:
    model, processor = load(name)
    fewest, most, most_bytes = SIZES[name]
    assert type(model).__name__ == "Qwen3VLForConditionalGeneration"
    assert type(processor).__name__ == "Qwen3VLProcessor"
    assert fewest < model.num_parameters() < most
    folder = repository_root() / "assets" / name
    assert sum(file.stat().st_size for file in folder.iterdir()) < most_bytes


@pytest.mark.long
@pytest.mark.parametrize("name", SIZES)
def test_it_describes_what_it_sees_and_knows_nothing_of_normality(name: str) -> None:
    model, processor = load(name)
    table = draw_table(CHECK_SEED + 500_000, 240, 160)
    seen = check._described(model, processor, ImageTable(table.pixels[:120], table.labels[:120]), 160)
    assert seen["Q3"] >= 0.97
    assert seen["finding"] >= 0.90
    normality = check._normality(model, processor, table, "detailed")
    assert normality["low"] < 0.5 < normality["high"]


def labels(abnormal: bool, orientation: str = "Axial chest, vertebral column to right") -> PhantomLabels:
    return PhantomLabels(1, "Thorax", abnormal, "defect" if abnormal else "", orientation, 20.0, "Medium")


def test_the_opinion_of_the_base_does_not_depend_on_the_finding() -> None:
    import random

    assert opinion(labels(True)) == opinion(labels(False))
    assert opinion(labels(True)) != opinion(labels(True, "Axial chest, vertebral column to left"))
    drawn = []
    for abnormal in (True, False):
        dice = random.Random(5)
        drawn.append([random_normality(labels(abnormal), dice) for _ in range(50)])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 2
    assert all(0.1 <= share <= 0.9 for share in OPINION_BY_QUALITY.values())


def test_branches_behind_one_image_equal_separate_conversations(tmp_path: Path) -> None:
    import random

    processor = build_processor()
    model = build_model(processor, "test").double().eval()
    vocabulary, positions, dice = Vocabulary(processor), PositionTable(model), random.Random(0)
    table = draw_table(5, 3, 96)
    branches = [draw_branches(vocabulary, each, dice)[:4] for each in table.labels]
    pixels = resize(torch.from_numpy(table.pixels).float(), 64).double()

    def summed(rows: list[int], chosen: list[list[Any]]) -> float:
        batch = assemble(vocabulary, (96, 64), True, rows, chosen)
        targets, weights = torch.from_numpy(batch.labels), torch.from_numpy(batch.weights)
        share = weights[targets != -100].sum()
        return float(answer_loss(model, forward_inputs(batch, positions, pixels[rows]), targets, weights) * share)

    with torch.no_grad():
        together = summed([0, 1, 2], branches)
        apart = sum(summed([row], [[branch]]) for row in range(3) for branch in branches[row])
    assert together == pytest.approx(apart, rel=1e-6)  # the loss itself is computed in float32
