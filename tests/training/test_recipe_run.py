from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from layout_helpers import as_written

from engine.jobs.recording import Recording
from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.training.backends import choose_backend
from engine.training.callbacks import Cancelled, TrainingDiverged
from engine.training.checkpoints import complete_checkpoints, latest_checkpoint
from engine.training.layout import Computation
from engine.training.recipe_run import TrainingJob, TrainingResult, train
from engine.training.record import RunRecord
from engine.training.schedule import planned_steps
from engine.types import Action, Case, JobKind, Split
from engine.workspace import Workspace

Build = Callable[..., Recipe]


class Wishes:
    """A user who asks for something after some steps."""

    def __init__(self, action: Action | None = None, after: int = 0) -> None:
        self.action, self.left = action, after

    def check(self) -> Action | None:
        self.left -= 1
        return self.action if self.left == 0 else None


class Bench:
    """Launches runs in a workspace of its own."""

    def __init__(self, root: Path, base: Path, cases: Sequence[Case]) -> None:
        self.workspace = Workspace(root)
        self.base = base
        self.all_cases = cases
        self.writer = Writer.open(self.workspace)
        self.recordings: list[Recording] = []

    def launch(self, recipe: Recipe) -> int:
        return self.writer.create_run(recipe.name, recipe_json(recipe), "d", "f", "s", recipe.model.id, 7)

    def directory(self, run_id: int) -> Path:
        with Reader(self.workspace) as reader:
            return self.workspace.root / reader.run(run_id).directory

    def recording(self, run_id: int) -> Recording:
        made = Recording(self.workspace, JobKind.TRAINING, run_id, self.directory(run_id), None)
        self.recordings.append(made)
        return made

    def train(
        self, run_id: int, recipe: Recipe, wishes: Wishes | None = None, computation: Computation | None = None
    ) -> TrainingResult:
        job = TrainingJob(
            recipe=recipe,
            source=str(self.base),
            directory=self.directory(run_id),
            cases=lambda split: [case for case in self.all_cases if case.split == split],
            computation=computation or as_written(recipe, choose_backend(recipe, False, False)),
            device=torch.device("cpu"),
            record=RunRecord(self.recording(run_id)),
            requests=wishes or Wishes(),
            event=lambda kind, detail: self.writer.add_event(JobKind.TRAINING, run_id, kind, detail) and None,
        )
        return train(job)

    def events(self, run_id: int) -> list[tuple[str, str]]:
        with Reader(self.workspace) as reader:
            return [(event.kind, event.detail) for event in reader.events(run_id=run_id)]

    def losses(self, run_id: int) -> list[float]:
        return self.figures(run_id, "loss")

    def figures(self, run_id: int, key: str) -> list[float]:
        with Reader(self.workspace) as reader:
            return [point.value for point in reader.metrics(run_id, [key])]


@pytest.fixture
def bench(tmp_path: Path, base_folder: Path, phantom_cases: list[Case]) -> Iterator[Bench]:
    made = Bench(tmp_path, base_folder, phantom_cases)
    yield made
    for recording in made.recordings:
        recording.close()
    made.writer.close()


def tensors(file: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(file)


def test_training_moves_the_adapter_and_leaves_the_base_alone(bench: Bench, recipe: Build) -> None:
    before = tensors(bench.base / "model.safetensors")
    wanted = recipe()
    run_id = bench.launch(wanted)
    seen: dict[str, Any] = {}

    import engine.training.recipe_run as module

    original = module.load_for_training

    def watching(*arguments: Any) -> Any:
        model, processor = original(*arguments)
        seen["model"] = model
        seen["start"] = {name: value.detach().clone() for name, value in model.named_parameters()}
        return model, processor

    module.load_for_training = watching
    try:
        result = bench.train(run_id, wanted)
    finally:
        module.load_for_training = original
    moved = {name for name, value in seen["model"].named_parameters() if not torch.equal(value, seen["start"][name])}
    adapter = {name for name in seen["start"] if "lora_" in name}
    # A starts at random and B at zero: B moves from the first step on, A from the second.
    assert moved == adapter
    assert not result.stopped
    after = tensors(bench.base / "model.safetensors")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_row_says_what_the_run_is_doing(bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    progress = RunRecord.progress

    def listening(self: RunRecord, **columns: Any) -> None:
        told.extend(str(value) for name, value in columns.items() if name == "phase")
        progress(self, **columns)

    monkeypatch.setattr(RunRecord, "progress", listening)
    wanted = recipe(training={"max_steps": 4, "evaluation_steps": 2, "checkpoint_steps": 4, "answer_checks": 1})
    bench.train(bench.launch(wanted), wanted)
    between = ["training", "validation loss", "training", "validation loss", "answer check", "validation loss"]
    # That it loads has been said by its process, before anything was imported (`engine.training.start`).
    assert told == [*between, "saving", "training", "saving"]


def test_the_saved_adapter_gives_the_trained_models_logits_under_plain_peft(
    bench: Bench, recipe: Build, phantom_cases: list[Case], collate: Callable[..., Any]
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForImageTextToText

    import engine.training.recipe_run as module
    from engine.training.loss import answer_logits

    wanted = recipe()
    run_id = bench.launch(wanted)
    kept: dict[str, Any] = {}
    original = module.save_adapter

    def watching(model: Any, folder: Path, base_model: str) -> str:
        kept["model"] = model
        return original(model, folder, base_model)

    module.save_adapter = watching
    try:
        result = bench.train(run_id, wanted)
    finally:
        module.save_adapter = original
    folder = bench.directory(run_id) / "adapter"
    base = AutoModelForImageTextToText.from_pretrained(bench.base, dtype=torch.float32)
    batch = collate(phantom_cases[:2])
    with torch.no_grad():
        plain = answer_logits(base, batch)[0]
        tuned = answer_logits(PeftModel.from_pretrained(base, folder), batch)[0]
        trained = answer_logits(kept["model"].eval(), batch)[0]
    torch.testing.assert_close(tuned, trained, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(tuned, plain, atol=1e-3)
    from engine.files import sha256_of

    assert result.adapter_sha256 == sha256_of(folder / "adapter_model.safetensors")
    assert str(bench.base) not in (folder / "adapter_config.json").read_text()
    assert not (folder.parent / "adapter.partial").exists()


def test_a_run_leaves_a_complete_row_and_a_point_for_every_step(bench: Bench, recipe: Build) -> None:
    wanted = recipe(training={"evaluation_steps": 3})
    run_id = bench.launch(wanted)
    result = bench.train(run_id, wanted)
    with Reader(bench.workspace) as reader:
        row = reader.run(run_id)
        keys = {"loss", "learning_rate", "grad_norm", "samples_per_second", "tokens_per_second", "step_seconds"}
        for key in keys:
            assert [point.step for point in reader.metrics(run_id, [key])] == [1, 2, 3, 4, 5, 6], key
        assert [point.step for point in reader.metrics(run_id, ["eval_loss"])] == [3, 6]
    assert (row.step, row.planned_steps, row.backend, row.quantization, row.packing) == (
        6,
        6,
        "transformers",
        "none",
        "off",
    )
    assert row.backend_reason is not None
    assert row.versions.keys() >= {"python", "torch", "transformers", "trl", "peft"}
    assert row.lora_modules == 22
    assert 0 < (row.trained_parameters or 0) < (row.total_parameters or 0)
    assert row.final_loss == pytest.approx(bench.losses(run_id)[-1])
    assert row.final_loss == result.final_loss
    for seconds in (row.load_seconds, row.train_seconds, row.evaluation_seconds):
        assert seconds is not None
        assert seconds > 0
    assert (row.peak_rss_bytes or 0) > 0
    assert row.adapter_sha256 == result.adapter_sha256


def test_the_loss_falls_on_what_is_trained(bench: Bench, recipe: Build) -> None:
    wanted = recipe(training={"max_steps": 12, "checkpoint_steps": 0})
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted)
    losses = bench.losses(run_id)
    assert sum(losses[-3:]) / 3 < sum(losses[:3]) / 3 - 0.3


@pytest.mark.parametrize("dropout", [0.0, 0.2])
def test_a_stopped_run_that_is_resumed_ends_as_an_unbroken_one(bench: Bench, recipe: Build, dropout: float) -> None:
    # Two epochs of 4 windows: the resume point lies inside an epoch, and dropout draws from the random state.
    wanted = recipe(lora={"dropout": dropout}, training={"max_steps": 0, "epochs": 2})
    unbroken = bench.launch(wanted)
    whole = bench.train(unbroken, wanted)
    broken = bench.launch(wanted)
    first = bench.train(broken, wanted, Wishes(Action.STOP, after=3))
    assert (first.stopped, first.step) == (True, 3)
    assert (bench.directory(broken) / "adapter" / "adapter_model.safetensors").is_file()
    second = bench.train(broken, wanted)
    assert (second.stopped, second.step) == (False, whole.step)
    assert bench.losses(broken) == pytest.approx(bench.losses(unbroken), abs=1e-4)
    assert second.final_loss == pytest.approx(whole.final_loss, abs=1e-4)
    one = tensors(bench.directory(unbroken) / "adapter" / "adapter_model.safetensors")
    two = tensors(bench.directory(broken) / "adapter" / "adapter_model.safetensors")
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)


def test_a_run_resumed_after_its_last_step_only_saves(bench: Bench, recipe: Build) -> None:
    wanted = recipe()
    run_id = bench.launch(wanted)
    first = bench.train(run_id, wanted)
    shutil.rmtree(bench.directory(run_id) / "adapter")
    second = bench.train(run_id, wanted)
    assert second.adapter_sha256 == first.adapter_sha256
    assert second.final_loss == first.final_loss


def test_cancel_ends_at_once_and_saves_nothing(bench: Bench, recipe: Build) -> None:
    wanted = recipe(training={"checkpoint_steps": 0})
    run_id = bench.launch(wanted)
    with pytest.raises(Cancelled):
        bench.train(run_id, wanted, Wishes(Action.CANCEL, after=2))
    assert not (bench.directory(run_id) / "adapter").exists()
    assert complete_checkpoints(bench.directory(run_id) / "checkpoints") == []


def test_a_loss_that_is_no_number_fails_with_a_next_step_and_writes_no_adapter(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.training.trainer as module

    original = module.answer_loss
    monkeypatch.setattr(module, "answer_loss", lambda *a: original(*a) * math.nan)
    wanted = recipe()
    run_id = bench.launch(wanted)
    with pytest.raises(TrainingDiverged, match="diverged") as caught:
        bench.train(run_id, wanted)
    assert "learning_rate" in caught.value.next_step
    assert not (bench.directory(run_id) / "adapter").exists()
    assert complete_checkpoints(bench.directory(run_id) / "checkpoints") == []


def test_two_checkpoints_are_kept_and_half_written_ones_are_passed_over(bench: Bench, recipe: Build) -> None:
    wanted = recipe()
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted)
    folder = bench.directory(run_id) / "checkpoints"
    assert [path.name for path in complete_checkpoints(folder)] == ["checkpoint-4", "checkpoint-6"]
    assert {path.name for path in folder.iterdir()} == {"checkpoint-4", "checkpoint-6"}
    (folder / "checkpoint-6" / "optimizer.pt").unlink()
    half = shutil.copytree(folder / "checkpoint-4", folder / "checkpoint-9")
    (half / "trainer_state.json").write_text('{"global_step": 9')
    latest = latest_checkpoint(folder)
    assert latest is not None
    assert latest.name == "checkpoint-4"


@pytest.mark.parametrize(
    ("examples", "training", "steps"),
    [
        (32, {"max_steps": 0, "epochs": 2}, 8),
        (30, {"max_steps": 0, "epochs": 1.5}, 6),
        (1, {"max_steps": 0, "epochs": 3}, 3),
        (32, {"max_steps": 5}, 5),
    ],
)
def test_the_planned_length_is_the_trainers(recipe: Build, examples: int, training: dict[str, Any], steps: int) -> None:
    assert planned_steps(recipe(training=training), examples) == steps


def test_gradient_checkpointing_changes_memory_and_not_the_result(bench: Bench, recipe: Build) -> None:
    plain = recipe(training={"max_steps": 3, "gradient_checkpointing": "off"})
    saving = recipe(training={"max_steps": 3, "gradient_checkpointing": "on"})
    first, second = bench.launch(plain), bench.launch(saving)
    bench.train(first, plain)
    bench.train(second, saving)
    assert bench.losses(second) == pytest.approx(bench.losses(first), abs=1e-5)


def test_limit_draws_the_same_sample_whatever_the_order_of_steps(bench: Bench, recipe: Build) -> None:
    from engine.training.dataset import prepare_data
    from engine.training.model import load_processor

    wanted = recipe(data={"limit": 8})
    train_cases = [case for case in bench.all_cases if case.split is Split.TRAIN]
    data = prepare_data(wanted, load_processor(str(bench.base)), lambda split: train_cases)
    assert data.trained == len(data.examples) == len(data.pixels.files) == 8
    assert {"Abnormal" in example.answer for example in data.examples} == {True, False}


def test_the_history_says_which_tokens_are_trained_and_how_varied_the_answers_are(bench: Bench, recipe: Build) -> None:
    wanted = recipe(training={"answer_checks": 3})
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted)
    history = bench.events(run_id)
    assert [kind for kind, _ in history].count("loss") == 1
    said = next(detail for kind, detail in history if kind == "loss")
    assert re.fullmatch(r"on the answer alone: \d+ of the \d+ tokens of the first sample; .*", said)
    trained, tokens = (int(number) for number in re.findall(r"\d+", said))
    assert 0 < trained < tokens / 2
    looked = [detail for kind, detail in history if kind in ("answers", "collapsed")]
    assert [detail.split(",")[0] for detail in looked] == ["step 2", "step 4", "step 6"]
    with Reader(bench.workspace) as reader:
        points = reader.metrics(run_id, ["distinct_answers"])
    assert [point.step for point in points] == [2, 4, 6]
    assert all(point.value >= 1 for point in points)


def test_looking_at_answers_changes_nothing_of_the_training(bench: Bench, recipe: Build) -> None:
    runs = []
    for checks in (0, 6):
        wanted = recipe(training={"answer_checks": checks}, lora={"dropout": 0.1})
        run_id = bench.launch(wanted)
        bench.train(run_id, wanted)
        runs.append(bench.losses(run_id))
    assert runs[0] == runs[1]


def test_a_model_that_says_one_thing_is_told_while_it_trains(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.training.answer_watch import AnswerWatch

    monkeypatch.setattr(AnswerWatch, "_answers", lambda _self, _model, _prompt, cases, _pixels: ["Normal"] * len(cases))
    bench.all_cases = [*bench.all_cases, *(replace(case, split=Split.VALIDATION) for case in bench.all_cases)]
    wanted = recipe(training={"answer_checks": 1})
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted)
    [told] = [detail for kind, detail in bench.events(run_id) if kind == "collapsed"]
    assert told.startswith("step 6, Q7: collapsed: one and the same answer for all 24 images")


def test_the_watch_asks_about_rare_answers_too() -> None:
    from engine.training.answer_watch import check_steps, choose_cases

    def case(number: int, answer: str) -> Case:
        return Case(number, f"V/{number}.png", Path(), "V", Split.VALIDATION, {"Q7": answer}, str(number), 32, 32)

    cases = [case(number, "Normal") for number in range(98)] + [case(98, "Abnormal VSD"), case(99, "Increased NT")]
    chosen = choose_cases(cases, "Q7", 10)
    assert len(chosen) == 10
    assert sum(each.answers["Q7"] != "Normal" for each in chosen) == 2
    assert choose_cases(cases[::-1], "Q7", 10) == chosen
    assert choose_cases(cases, "Q3") == []
    assert check_steps(240, 3) == {80, 160, 240}
    assert check_steps(2, 5) == {1, 2}
    assert check_steps(0, 3) == check_steps(9, 0) == frozenset()
