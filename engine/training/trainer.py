"""TRL's SFTTrainer with the loss on answers, an order of its own, whole-or-nothing checkpoints, and step figures.

Import this module after `unsloth` where that backend runs: Unsloth replaces the trainer that is subclassed here.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import TrainerState
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.trainer_utils import EvalLoopOutput
from trl import SFTTrainer

from engine.training.callbacks import refuse_broken_weights
from engine.training.carrying import unpacked
from engine.training.checkpoints import STAGING, rotate, write_manifest
from engine.training.collator import IGNORED, SAMPLES, TOKENS
from engine.training.disk_patience import DISK_FULL
from engine.training.loss import CROSS_ENTROPY, Objective, answer_loss
from engine.training.memory_guard import MemoryGuard, memory_words
from engine.training.meter import StepMeter
from engine.training.order import MicroBatches
from engine.training.unreadable import in_mid_training
from engine.training.validation import validation_sums
from engine.training.whole import fsync_tree, is_disk_full, is_failed_write, put_in_place


class AnswerTrainer(SFTTrainer):  # type: ignore[misc]
    """Trains the adapter on answer tokens alone."""

    def __init__(
        self,
        *,
        meter: StepMeter,
        order: MicroBatches,
        guard: MemoryGuard,
        objective: Objective = CROSS_ENTROPY,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.meter = meter
        self.order = order
        self.guard = guard
        self.objective = objective
        # `compute_loss` below divides by the tokens of the whole accumulation window; this makes the trainer count
        # them, and keeps it from dividing by the number of micro-batches once more.
        self.model_accepts_loss_kwargs = True
        # TRL turns the adapter of a quantized model to bf16, whose 8 bits of mantissa lose small updates.
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Batches in the run's own order, made ahead of time by other processes where there are any."""
        workers = self.args.dataloader_num_workers
        loader = DataLoader(
            self.train_dataset,
            batch_sampler=self.order,
            collate_fn=self.data_collator,
            num_workers=workers,
            prefetch_factor=self.args.dataloader_prefetch_factor if workers else None,
            pin_memory=self.args.dataloader_pin_memory,
        )
        return self.prepared(loader)

    def prepared(self, loader: DataLoader[Any]) -> DataLoader[Any]:
        """The loader with its batches on the device."""
        made: DataLoader[Any] = self.accelerator.prepare(loader)
        return made

    def get_batch_samples(self, epoch_iterator: Any, *arguments: Any) -> Any:
        """The batches of one optimizer step; the time that they are waited for is measured."""
        with self._keeping_what_is_done(), self.meter.waiting():
            batches, tokens = super().get_batch_samples(unpacked(epoch_iterator), *arguments)
        self.guard.window = []
        return batches, tokens

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """The run's loss on answer positions (see `engine.training.loss`).

        The validation loss is plain cross entropy whatever is minimised, so that runs of different losses compare.

        Raises:
            ValueError: outputs were asked for; none are kept, because nothing here needs them.
        """
        if return_outputs:
            raise ValueError("AnswerTrainer keeps no outputs; set prediction_loss_only")
        # The trunk is called inside the wrapper whose forward accelerate put under autocast, so enter it here.
        with self.accelerator.autocast():
            objective = self.objective if self.model.training else CROSS_ENTROPY
            return answer_loss(model, inputs, num_items_in_batch, objective)

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Forward and backward of one batch; where the memory is not enough, in smaller passes from then on."""
        self.meter.count(inputs[SAMPLES], inputs[TOKENS])
        self.guard.window.append(inputs)
        try:
            return self._passes(model, inputs, num_items_in_batch)
        except torch.OutOfMemoryError as error:
            reason = memory_words(error)
        # Outside of `except`, whose traceback would keep the activations alive.
        return self._step_again(model, num_items_in_batch, reason)

    def _passes(self, model: Any, batch: Mapping[str, Any], tokens: torch.Tensor | int | None) -> torch.Tensor:
        losses = [super(AnswerTrainer, self).training_step(model, piece, tokens) for piece in self.guard.pieces(batch)]
        return torch.stack(losses).sum()

    def _step_again(self, model: Any, tokens: torch.Tensor | int | None, reason: str) -> torch.Tensor:
        """Everything of this optimizer step so far, once more with less memory; the loss of its last batch."""
        while True:
            self.guard.relieve(model, self.state.global_step, reason)
            self._keep_last_step()
            try:
                return [self._passes(model, batch, tokens) for batch in self.guard.window][-1]
            except torch.OutOfMemoryError as error:
                reason = memory_words(error)

    def _keep_last_step(self) -> None:
        """A checkpoint of the last finished step, in case that it gets worse than this."""
        step = self.state.global_step
        if step and not (Path(self.args.output_dir) / f"checkpoint-{step}").exists():
            with self.meter.paused():
                self._save_checkpoint(self.model, None)

    @contextmanager
    def _keeping_what_is_done(self) -> Iterator[None]:
        """Around what happens between two steps: where it fails (an image that cannot be read any more, a loader
        process that was killed), the steps so far are saved before the error goes on."""
        try:
            yield
        except Exception as error:
            try:
                self._keep_last_step()
            except Exception as second:  # noqa: BLE001 - the first error is the one to tell
                self.guard.event("checkpoint", f"step {self.state.global_step} could not be saved: {second!r}")
            raise in_mid_training(error, Path(self.args.output_dir)) from error

    def try_largest(self) -> None:
        """Take the largest forward and backward pass of the whole training now: if it does not fit, then at once.

        Nothing of it stays: gradients are dropped, and random numbers go on as if nothing had happened.
        """
        if self.args.gradient_checkpointing:
            # As `train` does first of all: without it the pass would need more than any of the training.
            self.model.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs=dict(self.args.gradient_checkpointing_kwargs or {})
            )
        gpus = [self.args.device.index or 0] if self.args.device.type == "cuda" else []
        trained = sum(each.numel() for each in self.model.parameters() if each.requires_grad)
        # In place of the optimizer's two moments, which only come with its first step.
        moments = torch.empty(2 * trained, dtype=torch.float32, device=self.args.device)
        with torch.random.fork_rng(devices=gpus):
            batch = self.data_collator([{"example": number} for number in self.order.largest()])
            self.guard.window = []
            self.training_step(self.model, batch, (batch["labels"] != IGNORED).sum())
        del moments
        self.guard.window = []
        self.model.zero_grad(set_to_none=True)
        self.meter.forget()

    def evaluation_loop(
        self, dataloader: DataLoader[Any], *_arguments: Any, metric_key_prefix: str = "eval", **_options: Any
    ) -> EvalLoopOutput:
        """The validation loss: the mean over all answer tokens, however they were cut into batches.

        The trainer's own mean is one of batch means, so it would change with the card that the batches are planned for.
        """
        self.model.eval()

        def loss_of(batch: Mapping[str, Any]) -> float:
            return float(self.prediction_step(self.model, batch, prediction_loss_only=True)[0])

        with self._keeping_what_is_done():
            sums = validation_sums(unpacked(dataloader), loss_of, self.guard.cuts)
            total, tokens, left_out = self.over_all_devices(sums)
        if left_out:
            words = f"step {self.state.global_step}: no validation loss: one sample was too much. The training goes on"
            self.guard.event("out of memory", words)
        figures = {} if left_out else {f"{metric_key_prefix}_loss": total / tokens}
        return EvalLoopOutput(None, None, figures, len(self.eval_dataset))

    def over_all_devices(self, numbers: Sequence[float]) -> list[float]:
        """Sums over the devices that share the run: here there is one."""
        return list(numbers)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the step's speed to the logged losses, so that checkpoints carry it too."""
        if "loss" in logs:
            logs.update(self.meter.finish_step())
        super().log(logs, start_time)

    def restore(self, checkpoint: Path) -> None:
        """Take adapter and history from a checkpoint without training on."""
        self._load_from_checkpoint(str(checkpoint))
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))

    def create_model_card(self, *_args: Any, **_options: Any) -> None:
        """No model card: the run's row and its recipe tell what it is."""

    def _get_output_dir(self, trial: Any) -> str:
        """Checkpoints are written beside the others first: a killed process leaves no half one that looks whole."""
        return str(Path(super()._get_output_dir(trial)) / STAGING)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint, flush it to disk, and rename it into place; where it cannot be written, go on without.

        Raises:
            TrainingDiverged: weights are no numbers any more.
        """
        refuse_broken_weights(self.state.global_step, self.model)
        folder = Path(self.args.output_dir)
        shutil.rmtree(folder / STAGING, ignore_errors=True)
        try:
            super()._save_checkpoint(model, trial)
            self.put_in_place(folder)
        except Exception as error:
            if not is_failed_write(error):
                raise
            self.go_on_without(folder, error)

    def put_in_place(self, folder: Path) -> None:
        """Flush the checkpoint that was just written, and rename it from the staging folder into `folder`."""
        written = folder / STAGING / f"checkpoint-{self.state.global_step}"
        # A pickle of the trainer's arguments, which nothing reads again: the recipe says what they were.
        (written / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        write_manifest(written)
        fsync_tree(written)
        put_in_place(written, folder / written.name)
        shutil.rmtree(folder / STAGING, ignore_errors=True)
        rotate(folder, self.args.save_total_limit)

    def go_on_without(self, folder: Path, error: BaseException) -> None:
        """What was written of a checkpoint is removed, and the training goes on."""
        shutil.rmtree(folder / STAGING, ignore_errors=True)
        full = is_disk_full(error)
        why = "no room for" if full else f"{type(error).__name__} ({str(error).partition(chr(10))[0]}) while writing"
        self.guard.event(
            DISK_FULL if full else "checkpoint",
            f"{why} the checkpoint of step {self.state.global_step}: the training goes on, and would resume from an "
            f"earlier one. {'Free some space.' if full else 'Look at the disk.'}",
        )
