"""One training run, from top to bottom: model, data, training, save.

Everything that decides the result is in the recipe. The same call continues a run that was interrupted: where a
complete checkpoint lies in the run's folder, weights, optimizer, schedule, random numbers and data order go on from it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from trl import SFTConfig

from engine.jobs.phases import Phase
from engine.preflight.memory import LENGTH_MULTIPLE
from engine.training.answer_watch import AnswerWatch
from engine.training.augmented import augmentation_words
from engine.training.balance_record import BALANCE_EVENT, balance_words
from engine.training.callbacks import EpochCallback, Recorder, Requests, RunCallback
from engine.training.carrying import Carrying
from engine.training.checkpoints import checkpoint_step, latest_checkpoint
from engine.training.collator import IGNORED, TOKENS, AnswerCollator
from engine.training.dataset import Example, TrainingData, example_lengths, image_lengths, prepare_data
from engine.training.disk_patience import DiskPatience
from engine.training.distributed.ranks import ALONE, Ranks
from engine.training.encoding import Encoder
from engine.training.fast.install import compile_blocks
from engine.training.layout import Computation, layout_words
from engine.training.lora_targets import lora_modules
from engine.training.loss import Objective, unwrapped
from engine.training.memory_guard import MemoryGuard
from engine.training.meter import StepMeter, rates
from engine.training.model import has_fast_blocks, load_for_training, parameter_counts, save_adapter
from engine.training.order import MicroBatches
from engine.training.packing.proof import PackingError, packing_error
from engine.training.peak import median_step
from engine.training.phases import Phases
from engine.training.record import final_loss, forget_peak, git_revision, peaks, versions
from engine.training.room import KEPT_CHECKPOINTS, require_room
from engine.training.schedule import planned_steps, warmup_steps
from engine.training.trainer import AnswerTrainer
from engine.types import Action, Case, Split

if TYPE_CHECKING:
    from engine.preflight.models import Layout
    from engine.recipe import Recipe

SCHEDULES = {"linear": "linear", "cosine": "cosine", "constant": "constant_with_warmup"}
LOADER_WORKERS = 8
"""Processes that decode images where they do not fit into memory, and make batches where a GPU would wait for it."""
BATCHES_AHEAD = 4
"""Batches that each of these processes has ready."""
PROVED_QUESTIONS = 8
"""Questions to one image that are asked packed and separately before packing is used. With all wordings there may be
dozens, and each takes a row of its own."""


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
    computation: Computation
    device: torch.device
    record: Recorder
    requests: Requests
    event: Callable[[str, str], None] = lambda _kind, _detail: None
    """Writes a line into the run's history."""
    heard: Callable[[], Action | None] | None = None
    """What the user asks for as far as this process knows; None: as `requests` say, which may ask all ranks."""
    ranks: Ranks = ALONE
    """The processes that share each step; all of them call `train`, and the first one writes."""


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """How a run ended."""

    stopped: bool
    """The user asked to save and stop before the planned end."""
    step: int
    final_loss: float | None
    adapter_sha256: str
    layout: Layout
    """How it was computed."""
    relieved: bool
    """It ran out of memory on the way, and went on with less than the layout says."""
    trained: bool = True
    """This process took steps; it did not only save what another had trained, and so tells of its memory."""
    step_seconds: float | None = None
    """Median of its optimizer steps (`engine.training.peak.median_step`); None where it had too few to tell."""


def train(job: TrainingJob) -> TrainingResult:
    """Train one adapter.

    Raises:
        ModelError, DataError: model or data cannot be used.
        TrainingDiverged: the loss became NaN or infinite; no adapter is written.
        Cancelled: the user cancelled; nothing is written.
    """
    recipe, record, ranks = job.recipe, job.record, job.ranks
    started = time.perf_counter()
    phases = Phases(record, Phase.LOADING)  # as its process has said

    # --- model and data ---
    model, processor = load_for_training(recipe, job.source, job.computation.layout, job.device)
    if job.computation.layout.compiled:
        compile_blocks(unwrapped(model))
    encoder = Encoder(processor)
    data = prepare_data(recipe, processor, job.cases)
    objective = Objective.of(recipe)
    layout, why = ranks.of_first(settled(job, model, data, encoder))
    record.progress(**circumstances(job, model, layout))
    require_room_for(job, model)
    collator = collator_of(job, data, encoder, objective, packed=layout.packed)
    tell(job, data, objective, collator([{"example": 0}]), layout, why)
    record.progress(load_seconds=time.perf_counter() - started)

    # --- training ---
    meter = StepMeter()
    callback = RunCallback(record, job.requests, meter, phases)
    planned = planned_steps(recipe, data.trained)
    watched = job.cases(Split.VALIDATION) if ranks.first else ()
    watch = AnswerWatch(recipe, watched, planned, processor, record, job.event, meter, phases)
    order = order_of(recipe, data, encoder, layout, ranks)
    trainer = trainer_of(
        ranks,
        meter=meter,
        order=order,
        guard=MemoryGuard(job.event, checkpointing=layout.checkpointing),
        objective=objective,
        model=model,
        args=arguments(job, data, layout),
        data_collator=Carrying(collator),
        train_dataset=data.train_rows,
        eval_dataset=data.validation_rows,
        processing_class=processor,
        callbacks=[callback, watch, EpochCallback(order, *([data.augmentation] if data.augmentation else []))],
    )
    ranks.same_start(model.parameters(), recipe.training.seed)
    trained = take_steps(job, trainer, planned)

    # --- save ---
    digest, loss = save(job, trainer, phases, trained=trained)
    step = trainer.state.global_step
    return TrainingResult(
        callback.stopped and step < planned,
        step,
        loss,
        digest,
        layout,
        relieved=trainer.guard.relieved,
        trained=trained,
        step_seconds=median_step(trainer.state.log_history),
    )


def require_room_for(job: TrainingJob, model: Any) -> None:
    """Refuse a run that could not be saved (`engine.training.room`); the first rank looks for all."""
    if job.ranks.first:
        require_room(job.directory, parameter_counts(model)[0], job.event)


def take_steps(job: TrainingJob, trainer: AnswerTrainer, planned: int) -> bool:
    """Train from the newest checkpoint on, or from the beginning; False where all planned steps were taken before."""
    checkpoint = job.ranks.of_first(_newest(job))
    if checkpoint is not None and checkpoint_step(checkpoint) == planned:
        # Only the saving was missed; the trainer would take one more step.
        trainer.restore(checkpoint)
        return False
    if job.device.type == "cuda":
        trainer.try_largest()
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    return True


def _newest(job: TrainingJob) -> Path | None:
    if not job.ranks.first:
        return None  # one process alone may rename what is broken; the others hear of the result
    return latest_checkpoint(job.directory / "checkpoints", lambda words: job.event("checkpoint", words))


def trainer_of(ranks: Ranks, **options: Any) -> AnswerTrainer:
    """The trainer of a process that trains alone, or of one of several ranks."""
    if ranks.alone:
        return AnswerTrainer(**options)
    from engine.training.distributed.trainer import SharedTrainer

    return SharedTrainer(ranks=ranks, **options)


def save(job: TrainingJob, trainer: AnswerTrainer, phases: Phases, *, trained: bool = True) -> tuple[str, float | None]:
    """Write the adapter, and what the training came to into the run's row; peaks of memory only where it has trained.

    Returns:
        SHA-256 of the adapter ("" on all ranks but the first), and the final loss (nats; None without a step).
    """
    phases.enter(Phase.SAVING)
    digest = ""
    if job.ranks.first:
        # Other ranks wait for this one at the next thing that is agreed upon, and not for ever.
        seconds = None if job.ranks.alone else job.ranks.patience_seconds / 2
        asked = job.heard or job.requests.check
        patience = DiskPatience(job.directory / "checkpoints", asked, job.event, phases, seconds)
        folder = job.directory / "adapter"
        digest = patience.write("the adapter", lambda: save_adapter(trainer.model, folder, job.recipe.model.id))
    history = trainer.state.log_history
    loss = final_loss([entry["loss"] for entry in history if "loss" in entry])
    job.record.progress(
        adapter_sha256=digest,
        final_loss=loss,
        step=trainer.state.global_step,
        train_seconds=sum(entry.get("step_seconds", 0.0) for entry in history),
        evaluation_seconds=sum(entry.get("eval_runtime", 0.0) for entry in history),
        **rates(history),
        **(job.ranks.largest(peaks()) if trained else {}),
    )
    return digest, loss


def tell(
    job: TrainingJob,
    data: TrainingData,
    objective: Objective,
    first: Mapping[str, torch.Tensor],
    layout: Layout,
    why: str,
) -> None:
    """Write into the run's history how it is computed and what it trains on: layout, balance, augmentation, loss."""
    job.event("layout", "; ".join(filter(None, [layout_words(layout), job.computation.layout_reason, why])))
    if data.balance is not None:
        job.event(BALANCE_EVENT, balance_words(data.balance))
    if data.augmentation is not None:
        job.event("augmentation", augmentation_words(data.augmentation.level, data.examples[: data.trained]))
    weights = f"; class weights: {data.weights.words}" if data.weights else ""
    job.event("loss", f"{trained_words(first)}; {objective.words}{weights}")


def trained_words(batch: Mapping[str, torch.Tensor]) -> str:
    """Which tokens of a collated sample the loss stands on, in words for the run's history."""
    trained, tokens = int((batch["labels"] != IGNORED).sum()), int(batch[TOKENS])
    return f"on the answer alone: {trained} of the {tokens} tokens of the first sample; not on image and question"


def settled(job: TrainingJob, model: Any, data: TrainingData, encoder: Encoder) -> tuple[Layout, str]:
    """The layout that is really used, and why questions are packed or not: packing is proved on this very model."""
    layout = job.computation.layout
    # Two images: compiled code for a single row would be code for single rows alone.
    asked = sorted(_by_sample(data.examples[: data.trained]), key=len, reverse=True)[:2]
    if not layout.packed or len(asked[0]) < 2:
        return replace(layout, packed=False), job.computation.packing_reason
    chosen = [number for numbers in asked for number in numbers[:PROVED_QUESTIONS]]
    # No more of them than a forward pass of the training takes.
    error = _proved(job, model, data, encoder, chosen[: max(2, layout.micro_batch)])
    if not error.heeded:
        return replace(layout, packed=False), f"Not packed, because the model does not heed the mask: {error.words}."
    return layout, f"{job.computation.packing_reason} On this model {error.words}."


def _proved(job: TrainingJob, model: Any, data: TrainingData, encoder: Encoder, chosen: Sequence[int]) -> PackingError:
    """The packing error over these examples; over half of them where the memory is not enough, down to two."""
    layout, objective = job.computation.layout, Objective.of(job.recipe)
    if layout.checkpointing and has_fast_blocks(job.recipe, layout):
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    while True:
        rows = [{"example": number} for number in chosen]
        batches = [
            {key: value.to(job.device) if isinstance(value, torch.Tensor) else value for key, value in batch.items()}
            for batch in (collator_of(job, data, encoder, objective, packed=packed)(rows) for packed in (True, False))
        ]
        try:
            with torch.autocast("cuda", torch.bfloat16, enabled=autocasts(job, layout)):
                return packing_error(model, *batches)
        except torch.OutOfMemoryError:
            if len(chosen) <= 2:
                raise
        finally:
            del batches
            forget_peak()
        chosen = chosen[: max(2, len(chosen) // 2)]


def autocasts(job: TrainingJob, layout: Layout) -> bool:
    """Whether the training runs under autocast: the fast blocks compute in the precision of the base by themselves."""
    return job.device.type == "cuda" and not has_fast_blocks(job.recipe, layout)


def _by_sample(examples: Sequence[Example]) -> list[list[int]]:
    """Numbers of the examples of each sample."""
    groups = groupby(range(len(examples)), key=lambda number: examples[number].sample)
    return [list(numbers) for _, numbers in groups]


def collator_of(
    job: TrainingJob, data: TrainingData, encoder: Encoder, objective: Objective, *, packed: bool
) -> AnswerCollator:
    """What makes the batches of a run."""
    return AnswerCollator(
        data.examples,
        encoder,
        data.pixels,
        data.augmentation,
        weighted=objective.weighted,
        packed=packed,
        multiple=LENGTH_MULTIPLE if job.device.type == "cuda" else 1,
    )


def order_of(
    recipe: Recipe, data: TrainingData, encoder: Encoder, layout: Layout, ranks: Ranks = ALONE
) -> MicroBatches:
    """The order in which a run sees its examples; of several ranks, in which this one does."""
    return MicroBatches(
        [example.sample for example in data.examples[: data.trained]],
        example_lengths(data, encoder),
        micro_batch=layout.micro_batch,
        accumulation=layout.accumulation,
        seed=recipe.training.seed,
        together=layout.packed,
        shared=image_lengths(data),
        rank=ranks.rank,
        ranks=ranks.size,
    )


def circumstances(job: TrainingJob, model: Any, layout: Layout) -> dict[str, Any]:
    """Columns of the run that say what trains where: backend, layout, versions, device, size of the adapter."""
    trained, total = parameter_counts(model)
    return {
        "backend": layout.backend,
        "backend_reason": job.computation.backend_reason,
        "quantization": layout.quantization,
        "packing": "on" if layout.packed else "off",
        "layout": asdict(layout),
        "versions": versions(),
        "git_revision": git_revision(),
        "gpu_name": torch.cuda.get_device_name(job.device) if job.device.type == "cuda" else None,
        "trained_parameters": trained,
        "total_parameters": total,
        "lora_modules": len(lora_modules(name for name, _ in model.named_modules())),
    }


def arguments(job: TrainingJob, data: TrainingData, layout: Layout) -> SFTConfig:
    """The recipe's training section and the layout in the words of TRL."""
    training, gpu = job.recipe.training, job.device.type == "cuda"
    workers = loader_workers(data, gpu, job.ranks.size)
    config = SFTConfig(
        output_dir=str(job.directory / "checkpoints"),
        num_train_epochs=training.epochs,
        max_steps=training.max_steps or -1,
        per_device_train_batch_size=layout.micro_batch,
        per_device_eval_batch_size=layout.micro_batch,
        gradient_accumulation_steps=layout.accumulation,
        learning_rate=training.learning_rate,
        lr_scheduler_type=SCHEDULES[training.schedule],
        warmup_steps=warmup_steps(training.warmup, planned_steps(job.recipe, data.trained)),
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        optim="adamw_torch_fused" if gpu else "adamw_torch",
        seed=training.seed,
        data_seed=training.seed,
        # Precision and place.
        use_cpu=not gpu,
        bf16=autocasts(job, layout),
        gradient_checkpointing=layout.checkpointing,
        # The reentrant kind would leave the vision tower's adapter without gradients. Unsloth's own kind is reentrant
        # whatever stands here, and makes the input of both towers require gradients.
        gradient_checkpointing_kwargs={"use_reentrant": False},
        # Data: the collator makes whole batches; TRL neither prepares nor truncates (it would cut image tokens).
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        max_length=None,
        dataloader_num_workers=workers,
        dataloader_prefetch_factor=BATCHES_AHEAD if workers else None,
        dataloader_pin_memory=gpu,
        accelerator_config={"non_blocking": gpu},
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
        # The tokens of a step are added up over devices by the ranks themselves.
        average_tokens_across_devices=False,
    )
    # One process trains on one device: where it sees more of them, the trainer would wrap the model to use all.
    _ = config.device  # counts them
    config._n_gpu = min(config._n_gpu, 1)
    return config


def loader_workers(data: TrainingData, gpu: bool, ranks: int = 1) -> int:
    """Processes that make batches: none on a CPU while pixels lie ready, because the same cores train."""
    return 0 if data.pixels.cached and not gpu else min(LOADER_WORKERS, max(1, (os.cpu_count() or 1) // ranks))
