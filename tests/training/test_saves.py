"""Trainings whose disk, images, card or base fail on the way: they go on, or are told, and lose no finished step."""

from __future__ import annotations

import errno
import functools
import math
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from test_recipe_run import Bench, Wishes, tensors

from engine.errors import DataError, ModelError
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.training import disk_patience, room, start, trainer
from engine.training.answer_watch import AnswerWatch
from engine.training.callbacks import RunCallback, TrainingDiverged
from engine.training.checkpoints import complete_checkpoints
from engine.training.dataset import prepare_data
from engine.training.distributed.ranks import ALONE
from engine.training.trainer import AnswerTrainer
from engine.types import Action, Case, State

Build = Callable[..., Recipe]
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
TORN = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598")
"""What torch says of a full disk."""


@pytest.fixture
def bench(tmp_path: Path, base_folder: Path, phantom_cases: list[Case]) -> Iterator[Bench]:
    images = tmp_path / "images"
    images.mkdir()
    own = [replace(case, file=Path(shutil.copy(case.file, images))) for case in phantom_cases]
    made = Bench(tmp_path / "workspace", base_folder, own)
    yield made
    for recording in made.recordings:
        recording.close()
    made.writer.close()


def failing_at(function: Callable[..., Any], calls: dict[int, Exception]) -> Callable[..., Any]:
    """The function, whose calls of these numbers (from 1) fail."""
    count = 0

    def call(*given: Any, **named: Any) -> Any:
        nonlocal count
        count += 1
        if count in calls:
            raise calls[count]
        return function(*given, **named)

    return call


def adapter_of(bench: Bench, run_id: int) -> dict[str, torch.Tensor]:
    return tensors(bench.directory(run_id) / "adapter" / "adapter_model.safetensors")


def unbroken(bench: Bench, wanted: Recipe) -> int:
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted)
    return run_id


def require_same(bench: Bench, run_id: int, other: int) -> None:
    assert bench.losses(run_id) == pytest.approx(bench.losses(other), abs=1e-4)
    one, two = adapter_of(bench, run_id), adapter_of(bench, other)
    assert all(torch.allclose(one[name], two[name], rtol=1e-4, atol=1e-5) for name in two)


def test_a_full_disk_costs_checkpoints_and_no_training(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = recipe()
    whole = unbroken(bench, wanted)
    monkeypatch.setattr(disk_patience, "POLL_SECONDS", 0.0)
    # Checkpoints of steps 2 (while torch writes), 4 (while it is flushed); then the adapter, which is waited for.
    monkeypatch.setattr(torch, "save", failing_at(torch.save, {1: TORN}))
    monkeypatch.setattr(trainer, "fsync_tree", failing_at(trainer.fsync_tree, {1: FULL}))
    monkeypatch.setattr("engine.training.whole.fsync_tree", failing_at(trainer.fsync_tree, {1: FULL, 2: FULL}))
    run_id = bench.launch(wanted)
    result = bench.train(run_id, wanted)
    assert (result.step, result.stopped) == (6, False)
    require_same(bench, run_id, whole)
    told = [detail for kind, detail in bench.events(run_id) if kind == "disk full"]
    assert [("step 2" in words, "step 4" in words, "the adapter" in words) for words in told] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert {path.name for path in (bench.directory(run_id) / "checkpoints").iterdir()} == {"checkpoint-6"}
    assert not list(bench.directory(run_id).glob("*.partial"))


def test_a_damaged_checkpoint_is_told_and_an_earlier_one_ends_the_same(bench: Bench, recipe: Build) -> None:
    wanted = recipe()
    whole, run_id = unbroken(bench, wanted), unbroken(bench, wanted)
    newest = bench.directory(run_id) / "checkpoints" / "checkpoint-6"
    assert not (newest / "training_args.bin").exists()  # a pickle that nobody needs
    with Reader(bench.workspace) as reader:
        trained = reader.run(run_id).trained_parameters or 0
    takes = sum(file.stat().st_size for file in newest.iterdir())
    assert 12 * trained < takes < room.checkpoint_bytes(trained)  # what the disk is asked for beforehand
    content = bytearray((newest / "optimizer.pt").read_bytes())
    content[len(content) // 2] ^= 1
    (newest / "optimizer.pt").write_bytes(content)
    shutil.rmtree(bench.directory(run_id) / "adapter")
    bench.train(run_id, wanted)
    assert any(kind == "checkpoint" and "optimizer.pt" in detail for kind, detail in bench.events(run_id))
    one, two = adapter_of(bench, run_id), adapter_of(bench, whole)
    assert all(torch.allclose(one[name], two[name], rtol=1e-4, atol=1e-5) for name in two)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_image_that_breaks_in_mid_training_is_named_and_the_run_goes_on_from_its_last_step(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    # Images are read when they are needed, as where they do not fit into memory. 4 steps are an epoch, which other
    # processes read ahead; checkpoints would come after the last step alone.
    lazily = functools.partial(prepare_data, budget_bytes=0)
    monkeypatch.setattr("engine.training.recipe_run.prepare_data", lazily)
    monkeypatch.setattr("engine.training.recipe_run.loader_workers", lambda *_: workers)
    wanted = recipe(training={"checkpoint_steps": 0, "answer_checks": 0})
    whole = unbroken(bench, wanted)
    good = {case.file: case.file.read_bytes() for case in bench.all_cases}

    class Breaking(Wishes):
        def check(self) -> Action | None:
            self.left -= 1
            if self.left == 0:
                for file, content in good.items():
                    file.write_bytes(content[: len(content) // 2])
            return None

    run_id = bench.launch(wanted)
    with pytest.raises(DataError) as raised:
        bench.train(run_id, wanted, Breaking(after=3))
    step = 3 if workers == 0 else 4
    assert raised.value.title.startswith(f"The image {bench.all_cases[0].file.parent}")
    assert len(raised.value.title.splitlines()) == 1  # and no traceback of another process
    assert f"from step {step}" in raised.value.next_step and "Put the file back" in raised.value.next_step
    for file, content in good.items():
        file.write_bytes(content)
    assert bench.train(run_id, wanted).step == 6
    require_same(bench, run_id, whole)


def test_weights_that_are_no_numbers_never_take_the_place_of_a_good_checkpoint(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_log = RunCallback.on_log

    def spoiling(self: RunCallback, args: Any, state: Any, control: Any, model: Any = None, **named: Any) -> None:
        on_log(self, args, state, control, **named)
        if state.global_step == 4:
            next(each for each in model.parameters() if each.requires_grad).data.view(-1)[0] = math.nan

    monkeypatch.setattr(RunCallback, "on_log", spoiling)
    wanted = recipe()
    run_id = bench.launch(wanted)
    with pytest.raises(TrainingDiverged) as raised:
        bench.train(run_id, wanted)
    assert "step 4" in raised.value.reason and "last good checkpoint" in raised.value.next_step
    assert [path.name for path in complete_checkpoints(bench.directory(run_id) / "checkpoints")] == ["checkpoint-2"]
    assert not (bench.directory(run_id) / "adapter").exists()


@pytest.mark.parametrize("room", [1, 0])
def test_a_validation_loss_that_does_not_fit_is_cut_smaller_or_left_out(
    bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    wanted = recipe(training={"evaluation_steps": 3, "answer_checks": 0, "max_steps": 3})
    whole = unbroken(bench, wanted)
    step = AnswerTrainer.prediction_step

    def small(self: AnswerTrainer, model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        if len(inputs["labels"]) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return step(self, model, inputs, *given, **named)

    monkeypatch.setattr(AnswerTrainer, "prediction_step", small)
    run_id = bench.launch(wanted)
    assert bench.train(run_id, wanted).step == 3
    require_same(bench, run_id, whole)
    assert bench.figures(run_id, "eval_loss") == pytest.approx(bench.figures(whole, "eval_loss") if room else [])
    assert any("no validation loss" in detail for _, detail in bench.events(run_id)) is (room == 0)


def test_a_base_that_is_gone_or_torn_is_told_and_once_it_is_back_the_run_goes_on(
    bench: Bench, recipe: Build, tmp_path: Path
) -> None:
    wanted = recipe()
    whole = unbroken(bench, wanted)
    bench.base = Path(shutil.copytree(bench.base, tmp_path / "base"))
    weights = bench.base / "model.safetensors"
    content = weights.read_bytes()
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted, Wishes(Action.STOP, after=3))
    for spoil in (lambda: os.truncate(weights, len(content) // 2), weights.unlink):
        spoil()
        with pytest.raises(ModelError, match="could not be loaded"):
            bench.train(run_id, wanted)
    weights.write_bytes(content)
    assert bench.train(run_id, wanted).step == 6
    require_same(bench, run_id, whole)


def test_an_answer_check_that_fails_is_left_out(bench: Bench, recipe: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = recipe(training={"max_steps": 4, "answer_checks": 2}, lora={"dropout": 0.1})
    whole = unbroken(bench, wanted)
    troubles = {1: torch.OutOfMemoryError("CUDA out of memory"), 2: DataError("The image a.png cannot be decoded.")}
    monkeypatch.setattr(AnswerWatch, "_answers", failing_at(AnswerWatch._answers, troubles))
    run_id = bench.launch(wanted)
    bench.train(run_id, wanted)
    require_same(bench, run_id, whole)
    told = [detail for kind, detail in bench.events(run_id) if kind == "answers"]
    assert [words.partition(":")[0] for words in told] == ["step 2", "step 4"]
    assert "CUDA out of memory" in told[0] and "a.png" in told[1]


@pytest.mark.parametrize(("asked", "ended"), [(Action.STOP, [State.INTERRUPTED]), (Action.CANCEL, [])])
def test_who_does_not_wait_for_room_has_an_interrupted_run(
    recipe: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, asked: Action, ended: list[State]
) -> None:
    def full(_job: object) -> None:
        raise disk_patience.NotAwaitedError("The disk is full: the adapter could not be saved", "", "Free some space.")

    finished: list[tuple[State, str]] = []
    session = SimpleNamespace(
        recording=None,
        event=None,
        check=lambda: asked,
        finish=lambda state, reason: finished.append((state, reason)),
    )
    run = SimpleNamespace(id=1, directory="outputs/1")
    monkeypatch.setattr("engine.training.recipe_run.train", full)
    cpu, nothing = torch.device("cpu"), SimpleNamespace(cases=None)
    start._train(session, ALONE, run, recipe(), nothing, "base", cpu, nothing, tmp_path)  # type: ignore[arg-type]
    # A cancelled one gets its state from the session, which has handed out the request.
    assert [state for state, _ in finished] == ended
    assert all("disk is full" in reason and "Free some space" in reason for _, reason in finished)
