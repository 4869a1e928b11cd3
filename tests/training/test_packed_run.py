"""Whole packed runs: the same training as separate ones, also when they are broken off or refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from layout_helpers import as_written
from packing_helpers import mixed_cases
from test_recipe_run import Bench, Wishes, tensors

from engine.recipe import Recipe
from engine.recipe.presets import REPOSITORY
from engine.store.reader import Reader
from engine.training.backends import choose_backend
from engine.training.layout import Computation
from engine.training.schedule import planned_steps
from engine.types import Action

Build = Callable[..., Recipe]
EIGHT = [f"Q{number}" for number in range(1, 9)]


def computed(recipe: Recipe, *, packed: bool) -> Computation:
    return as_written(recipe, choose_backend(recipe, False, False), packed=packed)


@pytest.fixture
def bench(tmp_path: Path, base_folder: Path) -> Iterator[Bench]:
    """Images of four sizes, to which 1, 2, 3 or 8 questions are answered: 34 samples to 8 images."""
    folder = tmp_path / "images"
    folder.mkdir()
    made = Bench(tmp_path, base_folder, mixed_cases(folder, 8, validation=3))
    yield made
    made.writer.close()


def test_a_packed_run_is_the_separate_run(bench: Bench, recipe: Build) -> None:
    wanted = recipe(
        data={"questions": EIGHT},
        # Small steps, so that rounding does not grow over them.
        training={"max_steps": 6, "batch": 8, "learning_rate": 1e-3, "evaluation_steps": 3, "answer_checks": 0},
    )
    runs = {}
    for packed in (False, True):
        runs[packed] = bench.launch(wanted)
        bench.train(runs[packed], wanted, computation=computed(wanted, packed=packed))
    separate, together = runs[False], runs[True]
    assert len(bench.losses(separate)) == 6
    assert bench.losses(together) == pytest.approx(bench.losses(separate), abs=1e-5)
    one, two = (tensors(bench.directory(run) / "adapter" / "adapter_model.safetensors") for run in (separate, together))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=0, atol=1e-4)
    with Reader(bench.workspace) as reader:
        rows = [reader.run(run) for run in (separate, together)]
        checked = [[point.value for point in reader.metrics(run, ["eval_loss"])] for run in (separate, together)]
        tokens = [[p.value for p in reader.metrics(run, ["tokens_per_second"])] for run in (separate, together)]
        seconds = [[p.value for p in reader.metrics(run, ["step_seconds"])] for run in (separate, together)]
    assert len(checked[0]) == 2
    assert checked[1] == pytest.approx(checked[0], abs=1e-5)
    assert [row.packing for row in rows] == ["off", "on"]
    assert [row.layout["packed"] for row in rows] == [False, True]  # type: ignore[index]
    assert rows[1].layout["micro_batch"] == 8  # type: ignore[index]
    for a, b, c, d in zip(tokens[0], seconds[0], tokens[1], seconds[1], strict=True):
        assert c * d < a * b  # the tokens of shared images went through once
    said = [dict(bench.events(run))["layout"] for run in (separate, together)]
    assert said[0].startswith("one sample a row, 8 samples in a forward pass, 2 of these to a step")
    assert said[1].startswith("questions to an image packed, ")
    assert "On this model packed answers differ from separate ones by " in said[1]


def test_packing_is_refused_where_the_model_passes_over_the_mask(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On random weights what questions see of each other hardly matters; on these it does.
    bench.base = REPOSITORY / "assets" / "base-model"
    monkeypatch.setattr("engine.training.loss.tree_mask", lambda _segments: None)
    training = {"max_steps": 1, "answer_checks": 0, "checkpoint_steps": 0}
    wanted = recipe(data={"questions": EIGHT}, training=training)
    run_id = bench.launch(wanted)
    result = bench.train(run_id, wanted, computation=computed(wanted, packed=True))
    assert not result.layout.packed
    with Reader(bench.workspace) as reader:
        row = reader.run(run_id)
    assert row.packing == "off"
    assert row.layout is not None
    assert row.layout["packed"] is False
    said = dict(bench.events(run_id))["layout"]
    assert said.startswith("one sample a row, ")
    assert "Not packed, because the model does not heed the mask: packed answers differ from separate ones by " in said


def test_packing_is_tried_on_the_image_with_most_questions(bench: Bench, recipe: Build) -> None:
    # The first image answers one question alone, which is no proof of anything.
    bench.all_cases = sorted(bench.all_cases, key=lambda case: len(case.answers))
    assert len(bench.all_cases[0].answers) == 1
    wanted = recipe(data={"questions": EIGHT}, training={"max_steps": 1, "answer_checks": 0})
    result = bench.train(bench.launch(wanted), wanted, computation=computed(wanted, packed=True))
    assert result.layout.packed


def test_a_run_with_one_question_to_each_image_is_not_packed(bench: Bench, recipe: Build) -> None:
    wanted = recipe(data={"questions": ["Q7"]}, training={"max_steps": 1, "answer_checks": 0})
    computation = replace(computed(wanted, packed=True), packing_reason="Nothing to share.")
    run_id = bench.launch(wanted)
    assert not bench.train(run_id, wanted, computation=computation).layout.packed
    assert "Nothing to share." in dict(bench.events(run_id))["layout"]


def test_a_packed_and_augmented_run_that_is_broken_off_ends_as_an_unbroken_one(bench: Bench, recipe: Build) -> None:
    # 34 samples and some repeats make 3 steps an epoch, the last one short; the break lies inside the second epoch.
    wanted = recipe(
        data={"questions": EIGHT, "augment": "advanced", "balance": "oversample", "balance_share": 0.6},
        training={"max_steps": 0, "epochs": 2, "batch": 8, "loss": "weighted_focal", "answer_checks": 0},
    )
    unbroken, broken = bench.launch(wanted), bench.launch(wanted)
    whole = bench.train(unbroken, wanted, computation=computed(wanted, packed=True))
    bench.train(broken, wanted, Wishes(Action.STOP, after=whole.step - 2), computed(wanted, packed=True))
    again = bench.train(broken, wanted, computation=computed(wanted, packed=True))
    assert whole.step == again.step == planned_steps(wanted, 40) == 6
    assert bench.losses(broken) == bench.losses(unbroken)
    one, two = (tensors(bench.directory(run) / "adapter" / "adapter_model.safetensors") for run in (unbroken, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_run_may_be_resumed_with_another_layout(bench: Bench, recipe: Build) -> None:
    """A checkpoint moves to a smaller card: the same steps, in other forward passes."""
    wanted = recipe(
        data={"questions": EIGHT},
        training={"max_steps": 0, "epochs": 2, "batch": 8, "answer_checks": 0, "learning_rate": 1e-3},
    )
    unbroken, broken = bench.launch(wanted), bench.launch(wanted)
    whole = bench.train(unbroken, wanted, computation=computed(wanted, packed=True))
    bench.train(broken, wanted, Wishes(Action.STOP, after=whole.step - 2), computed(wanted, packed=True))
    smaller = computed(wanted, packed=False)
    smaller = replace(smaller, layout=replace(smaller.layout, micro_batch=4, accumulation=4))
    again = bench.train(broken, wanted, computation=smaller)
    assert again.step == whole.step
    assert bench.losses(broken) == pytest.approx(bench.losses(unbroken), abs=1e-4)


def test_a_proof_that_does_not_fit_is_made_with_fewer_questions(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.training.recipe_run as module

    original, asked = module.packing_error, []

    def short_of_memory(model: object, packed: dict[str, int], separate: dict[str, int]) -> object:
        asked.append(packed["samples"])
        if packed["samples"] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(model, packed, separate)

    monkeypatch.setattr(module, "packing_error", short_of_memory)
    wanted = recipe(data={"questions": EIGHT}, training={"max_steps": 1, "batch": 8, "answer_checks": 0})
    run = bench.launch(wanted)
    bench.train(run, wanted, computation=computed(wanted, packed=True))
    assert asked == [8, 4, 2]
    with Reader(bench.workspace) as reader:
        assert reader.run(run).packing == "on"
