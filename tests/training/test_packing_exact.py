"""The proof that packed rows train the very thing that separate samples train: float64, loss and every gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
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
from engine.training.balance import Origin
from engine.training.collator import IGNORED, SAMPLES, SEGMENTS, TOKENS
from engine.training.dataset import TrainingData
from engine.training.loss import CROSS_ENTROPY, Objective, answer_loss, trunk_inputs, unwrapped
from engine.training.packing.proof import PackingError, packing_error
from engine.training.packing.tree import PAD
from engine.types import Case

Build = Callable[..., Recipe]
ALL = [f"Q{number}" for number in range(1, 9)]
OBJECTIVES = [CROSS_ENTROPY, Objective(weighted=True), Objective(gamma=2.0), Objective(gamma=2.0, weighted=True)]


@pytest.fixture(scope="module")
def exact(base_folder: Path) -> Exact:
    return Exact(base_folder)


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return mixed_cases(tmp_path_factory.mktemp("mixed"))


def both_ways(
    data: TrainingData, numbers: Sequence[int], processor: Any, *, weighted: bool = False
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Some samples as one packed batch, and each as a batch of its own."""
    packed, separate = collators(data, processor, weighted=weighted)
    return packed([{"example": n} for n in numbers]), [separate([{"example": n}]) for n in numbers]


@pytest.fixture(scope="module")
def mixed(cases: list[Case], processor: Any) -> tuple[TrainingData, list[int]]:
    """Weighted samples of four images of different sizes, with 8, 3, 1 and 8 questions, in two wordings each."""
    from engine.recipe import parse_recipe

    recipe = parse_recipe(
        {
            "name": "mixed",
            "data": {"image_size": 96, "questions": ALL, "more_prompts": ["clinical"]},
            "training": {"loss": "weighted"},
        },
        "test",
    )
    data = prepared(recipe, processor, cases[:5])
    return data, [number for number in range(data.trained) if data.examples[number].sample < 4]


def test_the_batch_of_the_proof_has_everything_in_it(mixed: tuple[TrainingData, list[int]], processor: Any) -> None:
    packed, separate = both_ways(*mixed, processor, weighted=True)
    questions = packed[SEGMENTS].amax(dim=1).tolist()
    assert questions == [16, 6, 2, 16]
    assert len({tuple(grid) for grid in packed["image_grid_thw"].tolist()}) > 2
    assert (packed[SEGMENTS] == PAD).any(dim=1).sum() >= 3
    assert packed["input_ids"].shape[1] % 8 == 0
    assert packed[SAMPLES] == len(separate) == sum(questions)
    assert packed[TOKENS] < sum(batch[TOKENS] for batch in separate)
    assert trained_tokens(packed) == sum(map(trained_tokens, separate))
    assert not torch.equal(packed["weights"], torch.ones_like(packed["weights"]))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda each: f"gamma{each.gamma:g}-weighted{each.weighted}")
@pytest.mark.parametrize("fast", [False, True], ids=["stock", "fast"])
def test_loss_and_every_gradient_of_a_packed_batch_are_those_of_separate_samples(
    exact: Exact, mixed: tuple[TrainingData, list[int]], processor: Any, fast: bool, objective: Objective
) -> None:
    packed, separate = both_ways(*mixed, processor, weighted=True)
    loss, found = loss_and_gradients(exact.of(fast=fast), [packed], objective)
    expected_loss, expected = loss_and_gradients(exact.of(fast=fast), separate, objective)
    assert loss == pytest.approx(expected_loss, abs=1e-10)
    assert farthest(found, expected) < 1e-10
    assert len(found) == 44
    assert all(bool(gradient.abs().max() > 1e-6) for gradient in found.values())


@pytest.mark.parametrize("fast", [False, True], ids=["stock", "fast"])
def test_the_same_with_recomputed_activations(
    exact: Exact, mixed: tuple[TrainingData, list[int]], processor: Any, fast: bool
) -> None:
    packed, separate = both_ways(*mixed, processor)
    expected_loss, expected = loss_and_gradients(exact.of(fast=fast), separate)
    model = exact.of(fast=fast)
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    again: list[int] = []
    layer = unwrapped(model).model.language_model.layers[0]
    hook = layer.self_attn.register_forward_pre_hook(lambda *_: again.append(1))
    loss, found = loss_and_gradients(model, [packed])
    hook.remove()
    assert len(again) == 2  # forward, and once more in the backward pass
    assert loss == pytest.approx(expected_loss, abs=1e-10)
    assert farthest(found, expected) < 1e-10


@pytest.mark.parametrize("balance", ["oversample", "synthetic"])
def test_augmented_and_added_samples_are_packed_exactly_too(
    exact: Exact, cases: list[Case], processor: Any, recipe: Build, balance: str
) -> None:
    wanted = recipe(
        data={
            "questions": ["Q2", "Q7", "Q8"], "augment": "advanced", "balance": balance, "balance_share": 0.7,
        },
        training={"loss": "weighted_focal"},
    )  # fmt: skip
    data = prepared(wanted, processor, cases)
    assert data.augmentation is not None
    origins = {"oversample": Origin.REPEATED, "synthetic": Origin.SYNTHETIC}
    added = [n for n in range(data.trained) if data.examples[n].origin is origins[balance]]
    real = [n for n in range(data.trained) if data.examples[n].sample < 2]
    numbers = [*real, *added[:6]]
    rewritten = 0
    for data.augmentation.epoch in range(2):
        packed, separate = both_ways(data, numbers, processor, weighted=True)
        samples = {data.examples[n].sample for n in numbers}
        assert len(packed["labels"]) == len(samples) < len(numbers)
        rewritten += answers_rewritten(data, numbers)
        objective = Objective(gamma=2.0, weighted=True)
        loss, found = loss_and_gradients(exact.of(fast=True), [packed], objective)
        expected_loss, expected = loss_and_gradients(exact.of(fast=True), separate, objective)
        assert loss == pytest.approx(expected_loss, abs=1e-10)
        assert farthest(found, expected) < 1e-10
    assert rewritten > 0


def answers_rewritten(data: TrainingData, numbers: Sequence[int]) -> int:
    """How many of the samples are asked of a mirrored picture and answered otherwise than of the plain one."""
    assert data.augmentation is not None
    count = 0
    for number in numbers:
        example = data.examples[number]
        change = data.augmentation.draw(example)
        if change is not None and change.mirrored:
            count += example.answer_to(mirrored=True) != example.answer
    return count


def test_a_mirrored_image_has_its_answers_rewritten_in_every_question_of_the_row(
    cases: list[Case], processor: Any, recipe: Build
) -> None:
    data = prepared(recipe(data={"questions": ["Q2", "Q7"], "augment": "basic"}), processor, cases)
    assert data.augmentation is not None
    packed, _ = collators(data, processor)
    seen = set()
    for data.augmentation.epoch in range(4):
        for sample in {example.sample for example in data.examples}:
            numbers = [n for n in range(data.trained) if data.examples[n].sample == sample]
            change = data.augmentation.draw(data.examples[numbers[0]])
            assert change is not None
            batch = packed([{"example": n} for n in numbers])
            for segment, number in enumerate(numbers, start=1):
                own = batch["labels"][(batch[SEGMENTS] == segment) & (batch["labels"] != IGNORED)]
                said = processor.tokenizer.decode(own, skip_special_tokens=True)
                assert said == data.examples[number].answer_to(change.mirrored)
            seen.add(change.mirrored)
    assert seen == {True, False}


def test_the_output_head_sees_the_answer_positions_alone(
    exact: Exact, mixed: tuple[TrainingData, list[int]], processor: Any
) -> None:
    packed, _ = both_ways(*mixed, processor)
    packed = in_double(packed)
    model = exact.of(fast=False)
    base = unwrapped(model)
    seen: list[tuple[int, ...]] = []
    hook = base.lm_head.register_forward_pre_hook(lambda _module, inputs: seen.append(tuple(inputs[0].shape)))
    with torch.no_grad():
        ours = answer_loss(model, packed)
    hook.remove()
    assert seen == [(trained_tokens(packed), base.config.text_config.hidden_size)]
    with torch.no_grad():
        hidden = base.model(**trunk_inputs(packed), use_cache=False)[0]
        everywhere = torch.nn.functional.cross_entropy(
            base.lm_head(hidden)[:, :-1].flatten(0, 1), packed["labels"][:, 1:].flatten(), ignore_index=IGNORED
        )
    assert float(ours) == pytest.approx(float(everywhere), abs=1e-10)


# --- and it can fail ---


@pytest.fixture
def lost_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions of a row see each other, as where a backend passes over the mask."""

    def causal(segments: torch.Tensor) -> torch.Tensor:
        length = segments.shape[1]
        return torch.ones(length, length, dtype=torch.bool).tril().expand(len(segments), 1, -1, -1)

    monkeypatch.setattr("engine.training.loss.tree_mask", causal)


@pytest.mark.usefixtures("lost_mask")
def test_with_a_causal_mask_alone_the_loss_is_another(
    exact: Exact, mixed: tuple[TrainingData, list[int]], processor: Any
) -> None:
    packed, separate = both_ways(*mixed, processor)
    loss, found = loss_and_gradients(exact.of(fast=True), [packed])
    expected_loss, expected = loss_and_gradients(exact.of(fast=True), separate)
    assert abs(loss - expected_loss) > 1e-3
    assert farthest(found, expected) > 1e-4


def test_positions_that_go_on_through_the_row_give_another_loss(
    exact: Exact, mixed: tuple[TrainingData, list[int]], processor: Any
) -> None:
    packed, separate = both_ways(*mixed, processor)
    length = packed["input_ids"].shape[1]
    packed["position_ids"] = torch.arange(length).expand(3, len(packed["input_ids"]), length)
    loss, _ = loss_and_gradients(exact.of(fast=True), [packed])
    assert abs(loss - loss_and_gradients(exact.of(fast=True), separate)[0]) > 1e-3


@pytest.fixture(scope="module")
def trained() -> Any:
    """The embedded model: what it says depends on what it reads, which is little true of random weights."""
    from engine.recipe.presets import REPOSITORY
    from engine.training.model import load_base, load_processor

    folder = str(REPOSITORY / "assets" / "base-model")
    return load_base(folder, "none", torch.device("cpu")).train(), load_processor(folder)


def asked_both_ways(cases: list[Case], processor: Any, recipe: Recipe) -> tuple[dict[str, Any], dict[str, Any]]:
    data = prepared(recipe, processor, cases[:1])
    return tuple(make([{"example": n} for n in range(data.trained)]) for make in collators(data, processor))  # type: ignore[return-value]


def test_the_check_before_a_run_finds_next_to_nothing_and_leaves_the_model_as_it_was(
    trained: Any, cases: list[Case], recipe: Build
) -> None:
    model, processor = trained
    error = packing_error(model, *asked_both_ways(cases, processor, recipe(data={"questions": ALL})))
    assert error.masked < 1e-4
    assert error.unmasked > 0.1
    assert error.leaked == 0
    assert error.heeded
    assert model.training


@pytest.mark.usefixtures("lost_mask")
def test_the_check_before_a_run_notices_a_lost_mask(trained: Any, cases: list[Case], recipe: Build) -> None:
    model, processor = trained
    error = packing_error(model, *asked_both_ways(cases, processor, recipe(data={"questions": ALL})))
    assert not error.heeded
    assert error.masked == pytest.approx(error.unmasked)
    assert error.leaked > 0.01


@pytest.mark.parametrize(
    ("leaked", "masked", "unmasked", "rounding", "heeded"),
    [
        (0.0, 1e-5, 0.4, 1e-3, True),
        (0.0, 0.4, 0.4, 1e-3, False),
        (0.0, 0.03, 0.04, 0.05, True),  # less than bf16 can tell
        (0.0, 0.1, 0.4, 0.05, True),
        (0.0, 0.3, 0.4, 0.05, False),
        (0.049, 0.049, 0.049, 0.05, False),  # rounding, but a replaced sibling was noticed
        (math.nan, 0.0, 0.4, 0.05, False),
        (0.0, math.nan, 0.4, 0.05, False),
        (0.0, 0.4, math.nan, 0.05, False),
    ],
)
def test_what_counts_as_heeding_the_mask(
    leaked: float, masked: float, unmasked: float, rounding: float, heeded: bool
) -> None:
    assert PackingError(leaked, masked, unmasked, rounding).heeded is heeded
