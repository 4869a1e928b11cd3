"""The trainer of one rank: takes its share of each optimizer step, and agrees with the others on what the step is.

What they agree upon, and when: at the start of a step the answer tokens of all ranks, which the loss is divided by, and
whether one of them had to save memory; at its end the sum of the gradients; after it what the user asks for
(`RankSession.check`). Everything else follows from these, so that no rank waits for one that has left.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from engine.training.callbacks import refuse_broken_weights
from engine.training.checkpoints import STAGING
from engine.training.collator import IGNORED, SAMPLES, TOKENS
from engine.training.distributed.batches import IdleCollator, as_it_is, is_idle, validation_batches
from engine.training.distributed.ranks import Ranks
from engine.training.trainer import AnswerTrainer
from engine.training.whole import is_failed_write


class SharedTrainer(AnswerTrainer):
    """Trains what an `AnswerTrainer` on one device would, on several."""

    def __init__(self, *, ranks: Ranks, **options: Any) -> None:
        super().__init__(**{**options, "data_collator": IdleCollator(options["data_collator"])})
        self.ranks = ranks
        self._saving = (self.guard.cuts, self.guard.checkpointing)
        """How memory is saved on all ranks, as they last agreed."""
        # Prepared as for evaluation the model is not wrapped (`ranks.py` says why).
        self.accelerator.prepare_model = partial(self.accelerator.prepare_model, evaluation_mode=True)

    # --- data ---

    def prepared(self, loader: DataLoader[Any]) -> DataLoader[Any]:
        """The loader with its batches on the device; they are this rank's share already."""
        return as_it_is(loader, self.args.device, non_blocking=bool(self.accelerator.non_blocking))

    def get_batch_samples(self, *arguments: Any) -> Any:
        """This rank's batches of one optimizer step, and the answer tokens of all ranks."""
        batches, _ = super().get_batch_samples(*arguments)
        with self.meter.waiting():
            return batches, self._agree(batches)

    def _agree(self, batches: Sequence[Mapping[str, Any]]) -> int:
        """Tell the others what this step holds and hear it of them: also how they save memory by now."""
        trained = sum(int((batch["labels"] != IGNORED).sum()) for batch in batches)
        samples, tokens = (sum(batch[key] for batch in batches) for key in (SAMPLES, TOKENS))
        rows = self.ranks.gathered([trained, samples, tokens, self.guard.cuts, self.guard.checkpointing])
        columns = list(zip(*rows, strict=True))
        all_trained, all_samples, all_tokens = (int(sum(column)) for column in columns[:3])
        # The meter counts this rank's batches when they are trained; its figures are those of all ranks.
        self.meter.count(all_samples - samples, all_tokens - tokens)
        saving = (int(max(columns[3])), bool(max(columns[4])))
        if saving != self._saving:
            self._saving = saving
            self.guard.adopt(self.model, *saving, self.state.global_step)
            super()._keep_last_step()
        return all_trained

    # --- a step ---

    def training_step(
        self, model: Any, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Forward and backward of one batch; after the last one of a step, gradients are those of all ranks."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.accelerator.sync_gradients:
            self.ranks.sum_gradients()
        # The trainer logs the mean over the ranks; their parts of the step's loss add up.
        return loss * self.ranks.size

    def _passes(self, model: Any, batch: Mapping[str, Any], tokens: torch.Tensor | int | None) -> torch.Tensor:
        return torch.zeros((), device=self.args.device) if is_idle(batch) else super()._passes(model, batch, tokens)

    def _keep_last_step(self) -> None:
        """Nothing yet: all ranks save together, when they hear of it at the start of the next step."""

    # --- validation loss ---

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """This rank's batches of the validation loss."""
        rows = self.eval_dataset if eval_dataset is None else eval_dataset
        batches = validation_batches(len(rows), self.args.eval_batch_size, self.ranks)
        return self.prepared(DataLoader(rows, batch_sampler=batches, collate_fn=self.data_collator))

    def over_all_devices(self, numbers: Sequence[float]) -> list[float]:
        """Sums over all ranks."""
        return [sum(column) for column in zip(*self.ranks.gathered(numbers), strict=True)]

    # --- checkpoints ---

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write a checkpoint: the first rank everything, the others their random numbers beside it."""
        refuse_broken_weights(self.state.global_step, self.model)
        folder = Path(self.args.output_dir)
        if self.ranks.first:
            shutil.rmtree(folder / STAGING, ignore_errors=True)
        self.ranks.wait()
        fault = self._written(lambda: super(AnswerTrainer, self)._save_checkpoint(model, trial))
        # A rank that could not write must not leave the others waiting for a checkpoint that is whole.
        failed = any(row[0] for row in self.ranks.gathered([fault is not None]))
        if self.ranks.first:
            if failed:
                fault = fault or OSError("another rank could not write")
            else:
                fault = self._written(lambda: self.put_in_place(folder))
            if fault is not None:
                self.go_on_without(folder, fault)
        self.ranks.wait()

    def _written(self, write: Callable[[], None]) -> Exception | None:
        """Write a part of a checkpoint; what has kept it from being written."""
        try:
            write()
        except Exception as error:
            if not is_failed_write(error):
                raise
            return error
        return None
