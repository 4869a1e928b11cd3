"""TRL's SFTTrainer with the loss on answers, whole-or-nothing checkpoints, and step figures.

Import this module after `unsloth` where that backend runs: Unsloth replaces the trainer that is subclassed here.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerState
from transformers.trainer_utils import rotate_checkpoints
from trl import SFTTrainer

from engine.training.checkpoints import STAGING
from engine.training.loss import CROSS_ENTROPY, Objective, answer_loss
from engine.training.meter import StepMeter
from engine.training.model import fsync_tree


class AnswerTrainer(SFTTrainer):  # type: ignore[misc]
    """Trains the adapter on answer tokens alone."""

    def __init__(self, *, meter: StepMeter, objective: Objective = CROSS_ENTROPY, **options: Any) -> None:
        super().__init__(**options)
        self.meter = meter
        self.objective = objective
        # `compute_loss` below divides by the tokens of the whole accumulation window; this makes the trainer count
        # them, and keeps it from dividing by the number of micro-batches once more.
        self.model_accepts_loss_kwargs = True
        # TRL turns the adapter of a quantized model to bf16, whose 8 bits of mantissa lose small updates.
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
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
            loss = answer_loss(model, inputs, num_items_in_batch, objective)
        if self.model.training:
            self.meter.count(len(inputs["input_ids"]), inputs["attention_mask"].sum())
        return loss

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
        """Write a checkpoint, flush it to disk, and rename it into place."""
        folder = Path(self.args.output_dir)
        shutil.rmtree(folder / STAGING, ignore_errors=True)
        super()._save_checkpoint(model, trial)
        written = folder / STAGING / f"checkpoint-{self.state.global_step}"
        fsync_tree(written)
        final = folder / written.name
        shutil.rmtree(final, ignore_errors=True)
        written.rename(final)
        shutil.rmtree(folder / STAGING)
        rotate_checkpoints(output_dir=str(folder), save_total_limit=self.args.save_total_limit)
