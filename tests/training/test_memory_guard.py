"""A run whose card runs out of memory goes on with smaller passes and ends as an undisturbed one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from layout_helpers import as_written
from packing_helpers import mixed_cases
from test_recipe_run import Bench, tensors

from engine.errors import ModelError
from engine.recipe import Recipe
from engine.training.backends import choose_backend
from engine.training.checkpoints import complete_checkpoints
from engine.training.layout import Computation
from engine.training.memory_guard import MemoryGuard
from engine.training.recipe_run import TrainingResult

Build = Callable[..., Recipe]
QUESTIONS = ["Q7", "Q2", "Q8", "Q1"]


@pytest.fixture(scope="module")
def few_cases(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return mixed_cases(tmp_path_factory.mktemp("mixed"))


@pytest.fixture
def bench(tmp_path: Path, base_folder: Path, few_cases: Any) -> Iterator[Bench]:
    made = Bench(tmp_path, base_folder, few_cases)
    yield made
    made.writer.close()


def recipe_of(recipe: Build, **training: Any) -> Recipe:
    # 24 samples to 8 images: 3 steps of 8 in two passes.
    values = {"max_steps": 3, "answer_checks": 0, "checkpoint_steps": 0, "gradient_checkpointing": "off"}
    return recipe(data={"questions": QUESTIONS}, training={**values, **training})


def computed(recipe: Recipe, packed: bool) -> Computation:
    return as_written(recipe, choose_backend(recipe, False, False), packed=packed)


EVERYTHING = 10**9


class Card:
    """A card with room for so many places (rows x length) at once; too many fail in the forward or backward pass."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int, *, in_backward: bool = False) -> None:
        import engine.training.trainer as module

        self.room, self.in_backward = room, in_backward
        self.recomputing_room = room
        """Room while activations are recomputed."""
        self.only: int | None = None
        """Number of the one pass that does not fit, whatever its size."""
        self.passes: list[int] = []
        """Places of each pass that fitted."""
        self.lengths: list[int] = []
        """Tokens of the longest row of each."""
        self.failures: list[int] = []
        """How many passes had gone well before each failure."""
        original = module.answer_loss

        def limited(model: Any, batch: Any, *rest: Any) -> torch.Tensor:
            fits = self.fits(model, batch["labels"])
            if not fits and not self.in_backward:
                self.fail()
            loss: torch.Tensor = original(model, batch, *rest)
            if fits:
                self.passes.append(batch["labels"].numel())
                self.lengths.append(batch["labels"].shape[1])
            else:
                self.fail_later(model)
            return loss

        monkeypatch.setattr(module, "answer_loss", limited)

    def fits(self, model: Any, labels: torch.Tensor) -> bool:
        if len(self.passes) == self.only and not self.failures:
            return False
        return labels.numel() <= (self.recomputing_room if model.is_gradient_checkpointing else self.room)

    def fail_later(self, model: Any) -> None:
        # The backward pass ends in the vision tower: the language layers have added their gradients by then.
        tower, language = model.get_base_model().model.visual, model.get_base_model().model.language_model
        weight = next(each for each in tower.parameters() if each.requires_grad)
        last = [each for each in language.parameters() if each.requires_grad][-1]
        before = None if last.grad is None else last.grad.clone()

        def fail(_: torch.Tensor) -> None:
            handle.remove()
            assert last.grad is not None
            assert before is None or not torch.equal(last.grad, before)
            self.fail()

        handle = weight.register_hook(fail)

    def fail(self) -> None:
        self.failures.append(len(self.passes))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nand more")


def history(bench: Bench, run_id: int) -> list[str]:
    return [detail for kind, detail in bench.events(run_id) if kind == "out of memory"]


def run(bench: Bench, recipe: Recipe, *, packed: bool) -> tuple[int, TrainingResult]:
    run_id = bench.launch(recipe)
    return run_id, bench.train(run_id, recipe, computation=computed(recipe, packed))


def assert_same_run(bench: Bench, one: int, other: int) -> None:
    assert bench.losses(other) == pytest.approx(bench.losses(one), abs=1e-6)
    files = [bench.directory(run_id) / "adapter" / "adapter_model.safetensors" for run_id in (one, other)]
    first, second = map(tensors, files)
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("in_backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("packed", [False, True], ids=["separate", "packed"])
def test_a_run_that_runs_out_of_memory_ends_as_an_undisturbed_one(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch, packed: bool, in_backward: bool
) -> None:
    wanted = recipe_of(recipe)
    plain = Card(monkeypatch, EVERYTHING)
    calm, undisturbed = run(bench, wanted, packed=packed)
    monkeypatch.undo()
    assert not undisturbed.relieved
    assert len(plain.passes) == 6
    tight = Card(monkeypatch, max(plain.passes) - 1, in_backward=in_backward)
    disturbed, result = run(bench, wanted, packed=packed)
    assert result.relieved
    assert len(tight.failures) == 1  # nothing fails in later steps
    assert_same_run(bench, calm, disturbed)
    [told] = history(bench, disturbed)
    failed_at = next(n for n, places in enumerate(plain.passes) if places > tight.room)
    assert told.startswith(f"at step {failed_at // 2 + 1}: each forward pass is cut into 2 from here on")
    assert told.endswith("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.parametrize("in_backward", [False, True], ids=["forward", "backward"])
def test_a_failure_in_the_second_pass_of_a_later_step_takes_back_the_first_one_and_keeps_the_step_before(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch, in_backward: bool
) -> None:
    wanted = recipe_of(recipe)
    calm, _ = run(bench, wanted, packed=True)
    kept: list[list[str]] = []
    card = Card(monkeypatch, EVERYTHING, in_backward=in_backward)
    card.only = 3  # passes count from 0, two to a step
    original = MemoryGuard.relieve

    def watching(self: MemoryGuard, *arguments: Any) -> None:
        original(self, *arguments)
        kept.append([path.name for path in complete_checkpoints(folder)])

    monkeypatch.setattr(MemoryGuard, "relieve", watching)
    run_id = bench.launch(wanted)
    folder = bench.directory(run_id) / "checkpoints"
    bench.train(run_id, wanted, computation=computed(wanted, True))
    assert card.failures == [3]
    assert_same_run(bench, calm, run_id)
    [told] = history(bench, run_id)
    assert told.startswith("at step 2: ")
    assert kept == [[]]  # nothing was asked to be kept before the end
    assert [path.name for path in complete_checkpoints(folder)] == ["checkpoint-1", "checkpoint-3"]


def test_a_packed_row_is_cut_between_its_questions_when_a_pass_has_no_second_row(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe_of(recipe)
    plain = Card(monkeypatch, EVERYTHING)
    calm, _ = run(bench, wanted, packed=True)
    monkeypatch.undo()
    longest = max(plain.lengths)
    card = Card(monkeypatch, longest - 1)
    run_id, _ = run(bench, wanted, packed=True)
    assert_same_run(bench, calm, run_id)
    assert len(card.failures) == len(history(bench, run_id)) > 1
    assert max(card.passes) < longest


def test_when_passes_cannot_be_cut_activations_are_recomputed(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe_of(recipe)
    calm, _ = run(bench, wanted, packed=True)
    card = Card(monkeypatch, 1)
    card.recomputing_room = EVERYTHING
    run_id, _ = run(bench, wanted, packed=True)
    assert_same_run(bench, calm, run_id)
    told = history(bench, run_id)
    assert "activations are recomputed from here on" in told[-1]
    assert all("is cut into" in line for line in told[:-1])


def test_when_nothing_is_left_the_run_fails_with_a_next_step(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    Card(monkeypatch, 1)
    wanted = recipe_of(recipe)
    with pytest.raises(ModelError, match="not enough for a single sample") as caught:
        run(bench, wanted, packed=True)
    assert "4bit" in caught.value.next_step
    assert "sonotune preflight" in caught.value.next_step
    assert "Tried to allocate 2.00 GiB." in caught.value.reason


def test_a_batch_that_can_be_cut_is_cut_though_a_larger_one_cannot(recipe: Build) -> None:
    events: list[str] = []
    guard = MemoryGuard(lambda _kind, words: events.append(words))
    single = batch_of_rows(1, 400)
    guard.window = [single, batch_of_rows(3, 100)]
    guard.relieve(torch.nn.Linear(1, 1), 4, "why")
    assert guard.cuts == 1
    assert not guard.checkpointing
    assert events == [
        "at step 5: each forward pass is cut into 2 from here on; the step is done over, and stays the same. why"
    ]


def batch_of_rows(rows: int, length: int) -> dict[str, torch.Tensor]:
    names = ("input_ids", "mm_token_type_ids", "labels")
    return {
        **{name: torch.zeros(rows, length, dtype=torch.long) for name in names},
        "position_ids": torch.zeros(3, rows, length),
        "pixel_values": torch.zeros(rows * 4, 2),
        "image_grid_thw": torch.tensor([[1, 2, 2]] * rows),
    }


# --- the largest pass first ---


@pytest.mark.parametrize("checkpointing", ["off", "on"])
def test_trying_the_largest_pass_first_leaves_no_trace(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch, checkpointing: str
) -> None:
    from engine.training.trainer import AnswerTrainer

    # With dropout, so that a random number too many would show.
    wanted = recipe_of(recipe, gradient_checkpointing=checkpointing)
    wanted = wanted.model_copy(update={"lora": wanted.lora.model_copy(update={"dropout": 0.2})})
    plain = Card(monkeypatch, EVERYTHING)
    calm, _ = run(bench, wanted, packed=False)
    monkeypatch.undo()
    tried: list[AnswerTrainer] = []
    train = AnswerTrainer.train

    def trying(self: AnswerTrainer, *arguments: Any, **options: Any) -> Any:
        before = torch.get_rng_state()
        self.try_largest()
        assert torch.equal(torch.get_rng_state(), before)
        assert all(parameter.grad is None for parameter in self.model.parameters())
        assert self.model.is_gradient_checkpointing == (checkpointing == "on")
        assert (self.meter.samples, self.meter.tokens, self.guard.window) == (0, 0, [])
        assert (self.state.global_step, self.state.log_history) == (0, [])
        tried.append(self)
        return train(self, *arguments, **options)

    monkeypatch.setattr(AnswerTrainer, "train", trying)
    card = Card(monkeypatch, EVERYTHING)
    run_id, result = run(bench, wanted, packed=False)
    assert len(tried) == 1
    assert card.passes[0] >= max(plain.passes)
    assert len(card.passes) == len(plain.passes) + 1
    assert bench.losses(run_id) == bench.losses(calm)
    assert not result.relieved
    assert history(bench, run_id) == []


def test_a_largest_pass_that_does_not_fit_is_cut_before_the_first_step(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.training.trainer import AnswerTrainer

    wanted = recipe_of(recipe)
    plain = Card(monkeypatch, EVERYTHING)
    calm, _ = run(bench, wanted, packed=True)
    monkeypatch.undo()
    train = AnswerTrainer.train
    monkeypatch.setattr(AnswerTrainer, "train", lambda self, **rest: (self.try_largest(), train(self, **rest))[1])
    card = Card(monkeypatch, max(plain.passes) - 1)
    run_id, _ = run(bench, wanted, packed=True)
    assert card.failures == [0]
    assert_same_run(bench, calm, run_id)
