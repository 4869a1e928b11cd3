"""A batch that is cut trains what the whole batch trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packing_helpers import (
    Exact,
    collators,
    farthest,
    in_double,
    loss_and_gradients,
    mixed_cases,
    prepared,
    trained_tokens,
)

from engine.recipe import Recipe
from engine.training.collator import SAMPLES, SEGMENTS, TOKENS
from engine.training.dataset import TrainingData
from engine.training.loss import Objective, answer_loss
from engine.training.packing.tree import PAD
from engine.training.splitting import halves, parts

Build = Callable[..., Recipe]
BOTH = Objective(gamma=2.0, weighted=True)


@pytest.fixture(scope="module")
def exact(base_folder: Path) -> Exact:
    return Exact(base_folder)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, processor: Any) -> TrainingData:
    from engine.recipe import parse_recipe

    content = {
        "name": "split",
        "data": {"image_size": 96, "questions": ["Q7", "Q2", "Q8", "Q1", "Q5"]},
        "training": {"loss": "weighted"},
    }
    return prepared(parse_recipe(content, "test"), processor, mixed_cases(tmp_path_factory.mktemp("mixed")))


def batch_of(data: TrainingData, processor: Any, numbers: list[int], packed: bool) -> dict[str, Any]:
    return collators(data, processor, weighted=True)[0 if packed else 1]([{"example": n} for n in numbers])


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(draw=st.data(), packed=st.booleans(), cuts=st.integers(1, 4))
def test_the_parts_add_up_to_the_whole(
    exact: Exact, data: TrainingData, processor: Any, draw: st.DataObject, packed: bool, cuts: int
) -> None:
    numbers = sorted(draw.draw(st.sets(st.integers(0, data.trained - 1), min_size=1, max_size=9)))
    whole = batch_of(data, processor, numbers, packed)
    pieces = parts(whole, cuts)
    assert len(pieces) == len(numbers) if 2**cuts >= 2 * len(numbers) else len(pieces) <= 2**cuts
    tokens = trained_tokens(whole)
    assert sum(map(trained_tokens, pieces)) == tokens
    model = exact.of(fast=True)
    with torch.no_grad():
        together = answer_loss(model, in_double(whole), tokens, BOTH)
        summed = sum(float(answer_loss(model, in_double(piece), tokens, BOTH)) for piece in pieces)
    assert summed == pytest.approx(float(together), abs=1e-10)


def test_gradients_of_the_parts_add_up_too(exact: Exact, data: TrainingData, processor: Any) -> None:
    whole = batch_of(data, processor, list(range(9)), packed=True)
    loss, expected = loss_and_gradients(exact.of(fast=True), [whole], BOTH)
    for cuts in (1, 3):
        summed, found = loss_and_gradients(exact.of(fast=True), list(parts(whole, cuts)), BOTH)
        assert summed == pytest.approx(loss, abs=1e-10)
        assert farthest(found, expected) < 1e-10


def test_rows_are_shared_out_before_questions_are(data: TrainingData, processor: Any) -> None:
    numbers = [n for n in range(data.trained) if data.examples[n].sample in (0, 1)]  # five questions, and three
    whole = batch_of(data, processor, numbers, packed=True)
    first, second = halves(whole)
    assert [first[SEGMENTS].max(), second[SEGMENTS].max()] == [5, 3]
    assert first["image_grid_thw"].tolist() == whole["image_grid_thw"][:1].tolist()
    assert len(first["pixel_values"]) + len(second["pixel_values"]) == len(whole["pixel_values"])
    assert [int(part[SEGMENTS].max()) for part in halves(first)] == [2, 3]
    for part in halves(second):
        assert torch.equal(part["pixel_values"], second["pixel_values"])
        assert (part[SEGMENTS] != PAD).all()
        assert part["labels"].shape == part["position_ids"].shape[1:]
    assert not {SAMPLES, TOKENS} & first.keys()


def test_a_single_sample_is_not_cut(data: TrainingData, processor: Any) -> None:
    for packed in (True, False):
        single = batch_of(data, processor, [3], packed)
        [same] = halves(single)
        assert all(same[key] is value for key, value in single.items())
        assert len(parts(single, 5)) == 1
