"""One training run, from top to bottom: model, data, training, save.

Everything that decides the result is in the recipe. The same call continues a run that was interrupted: where a
complete checkpoint lies in the run's folder, weights, optimizer, schedule, random numbers and data order go on from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from trl import SFTConfig

from engine.training.answer_watch import AnswerWatch
from engine.training.augmented import augmentation_words
from engine.training.backends import BackendChoice
from engine.training.balance_record import BALANCE_EVENT, balance_words
from engine.training.callbacks import EpochCallback, Requests, RunCallback
from engine.training.checkpoints import checkpoint_step, latest_checkpoint
from engine.training.collator import IGNORED, AnswerCollator
from engine.training.dataset import TrainingData, prepare_data
from engine.training.encoding import Encoder
from engine.training.lora_targets import lora_modules
from engine.training.loss import Objective
from engine.training.meter import StepMeter, rates
from engine.training.model import load_for_training, parameter_counts, save_adapter, wants_checkpointing
from engine.training.record import RunRecord, final_loss, git_revision, peaks, versions
from engine.training.schedule import planned_steps, warmup_steps
from engine.training.trainer import AnswerTrainer
from engine.types import Case, Split

if TYPE_CHECKING:
    from engine.recipe import Recipe

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
KEPT_CHECKPOINTS = 2
LOADER_WORKERS = 8
"""Processes that decode images where they do not fit into memory, and change them where a GPU would wait for it."""


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Everything that a run needs."""

    recipe: Recipe
    source: str
    """Folder or hub id of the base model (`engine.training.model_files.resolve_model`)."""
    directory: Path
    """The run's folder: adapter/ and checkpoints/ go there."""
    cases: Callable[[Split], Sequence[Case]]
    """Cases of a split of the dataset."""
    choice: BackendChoice
    device: torch.device
    record: RunRecord
    requests: Requests
    event: Callable[[str, str], None] = lambda _kind, _detail: None
    """Writes a line into the run's history."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a run ended."""

    stopped: bool
    """The user asked to save and stop before the planned end."""
    step: int
    final_loss: float | None
    adapter_sha256: str


def train(job: TrainingJob) -> TrainingResult:
    """Train one adapter.

    Raises:
        ModelError, DataError: model or data cannot be used.
        TrainingDiverged: the loss became NaN or infinite; no adapter is written.
        Cancelled: the user cancelled; nothing is written.
    """
    recipe, record = job.recipe, job.record
    started = time.perf_counter()

    # --- model ---
    model, processor = load_for_training(recipe, job.source, job.choice, job.device)
    record.progress(**circumstances(job, model))

    # --- data ---
    data = prepare_data(recipe, processor, job.cases)
    objective = Objective.of(recipe)
    collator = AnswerCollator(
        data.examples, Encoder(processor), data.pixels, data.augmentation, weighted=objective.weighted
    )
    tell(job, data, objective, collator([{"example": 0}]))
    record.progress(load_seconds=time.perf_counter() - started)

    # --- training ---
    meter = StepMeter()
    callback = RunCallback(record, job.requests, meter)
    planned = planned_steps(recipe, data.trained)
    watch = AnswerWatch(recipe, job.cases(Split.VALIDATION), planned, processor, record, job.event, meter)
    trainer = AnswerTrainer(
        meter=meter,
        objective=objective,
        model=model,
        args=arguments(job, data),
        data_collator=collator,
        train_dataset=data.train_rows,
        eval_dataset=data.validation_rows,
        processing_class=processor,
        callbacks=[callback, watch, *([] if data.augmentation is None else [EpochCallback(data.augmentation)])],
    )
    checkpoint = latest_checkpoint(job.directory / "checkpoints")
    if checkpoint is not None and checkpoint_step(checkpoint) == planned:
        # Only the saving was missed; the trainer would take one more step.
        trainer.restore(checkpoint)
    else:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))

    # --- save ---
    digest, loss = save(job, trainer)
    step = trainer.state.global_step
    return TrainingResult(callback.stopped and step < planned, step, loss, digest)


def save(job: TrainingJob, trainer: AnswerTrainer) -> tuple[str, float | None]:
    """Write the adapter, and what the training came to into the run's row.

    Returns:
        SHA-256 of the adapter, and the final loss (nats; None without a step).
    """
    digest = save_adapter(trainer.model, job.directory / "adapter", job.recipe.model.id)
    history = trainer.state.log_history
    loss = final_loss([entry["loss"] for entry in history if "loss" in entry])
    job.record.progress(
        adapter_sha256=digest,
        final_loss=loss,
        step=trainer.state.global_step,
        train_seconds=sum(entry.get("step_seconds", 0.0) for entry in history),
        evaluation_seconds=sum(entry.get("eval_runtime", 0.0) for entry in history),
        **rates(history),
        **peaks(),
    )
    return digest, loss


def tell(job: TrainingJob, data: TrainingData, objective: Objective, first: Mapping[str, torch.Tensor]) -> None:
    """Write into the run's history what it trains on: balance, augmentation, and the loss on its first sample."""
    if data.balance is not None:
        job.event(BALANCE_EVENT, balance_words(data.balance))
    if data.augmentation is not None:
        job.event("augmentation", augmentation_words(data.augmentation.level, data.examples[: data.trained]))
    weights = f"; class weights: {data.weights.words}" if data.weights else ""
    job.event("loss", f"{trained_words(first)}; {objective.words}{weights}")


def trained_words(batch: Mapping[str, torch.Tensor]) -> str:
    """Which tokens of a collated sample the loss stands on, in words for the run's history."""
    trained, tokens = int((batch["labels"] != IGNORED).sum()), int(batch["attention_mask"].sum())
    return f"on the answer alone: {trained} of the {tokens} tokens of the first sample; not on image and question"


def circumstances(job: TrainingJob, model: Any) -> dict[str, Any]:
    """Columns of the run that say what trains where: backend, versions, device, size of the adapter."""
    trained, total = parameter_counts(model)
    return {
        "backend": job.choice.backend,
        "backend_reason": job.choice.reason,
        "quantization": job.choice.quantization,
        "packing": "off",
        "versions": versions(),
        "git_revision": git_revision(),
        "gpu_name": torch.cuda.get_device_name(job.device) if job.device.type == "cuda" else None,
        "trained_parameters": trained,
        "total_parameters": total,
        "lora_modules": len(lora_modules(name for name, _ in model.named_modules())),
    }


def arguments(job: TrainingJob, data: TrainingData) -> SFTConfig:
    """The recipe's training section in the words of TRL."""
    training, gpu = job.recipe.training, job.device.type == "cuda"
    return SFTConfig(
        output_dir=str(job.directory / "checkpoints"),
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        per_device_train_batch_size=training.batch,
        per_device_eval_batch_size=training.batch,
        gradient_accumulation_steps=training.accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULES[training.schedule],
        warmup_steps=warmup_steps(training.warmup, planned_steps(job.recipe, data.trained)),
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        optim="adamw_torch",
        seed=training.seed,
        data_seed=training.seed,
        # Precision and place.
        use_cpu=not gpu,
        bf16=gpu,
        gradient_checkpointing=wants_checkpointing(job.recipe, gpu),
        # The reentrant kind would leave the vision tower's adapter without gradients. Unsloth's own kind is reentrant
        # whatever stands here, and makes the input of both towers require gradients.
        gradient_checkpointing_kwargs={"use_reentrant": False},
        # Data: the collator makes whole batches; TRL neither prepares nor truncates (it would cut image tokens).
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        max_length=None,
        dataloader_num_workers=loader_workers(data, gpu),
        dataloader_pin_memory=gpu,
        # Record: every step, through the callback; NaN must be seen.
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="steps",
        save_steps=training.checkpoint_steps or planned_steps(job.recipe, data.trained),
        save_total_limit=KEPT_CHECKPOINTS,
        eval_strategy="steps" if training.evaluation_steps else "no",
        eval_steps=training.evaluation_steps or None,
        prediction_loss_only=True,
    )


def loader_workers(data: TrainingData, gpu: bool) -> int:
    """Processes that make batches: none while pixels lie ready, or where the same cores train."""
    ready = data.pixels.cached and (data.augmentation is None or not gpu)
    return 0 if ready else min(LOADER_WORKERS, os.cpu_count() or 1)
