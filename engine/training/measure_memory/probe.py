"""A few optimizer steps on the largest samples, by the trainer of the real run, and what they took.

The adapter is a throw-away one and the weights of the base do not move: nothing is written but a temporary folder.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback
from transformers.trainer_utils import SaveStrategy

from engine.preflight.models import Layout
from engine.telemetry import peak_rss_bytes
from engine.training.callbacks import EpochCallback
from engine.training.dataset import TrainingData, example_lengths, image_lengths, prepare_data
from engine.training.encoding import Encoder
from engine.training.fast.install import compile_blocks
from engine.training.layout import Computation
from engine.training.loss import Objective, unwrapped
from engine.training.measure_memory.largest import largest_cases
from engine.training.measure_memory.wire import MeasureMessage, MeasureStage, MeasureStep, MemoryMeasured
from engine.training.memory_guard import MemoryGuard
from engine.training.meter import StepMeter
from engine.training.model import load_for_training, parameter_counts
from engine.training.order import MicroBatches
from engine.training.recipe_run import TrainingJob, arguments, collator_of, settled
from engine.training.selection import training_cases
from engine.training.trainer import AnswerTrainer
from engine.types import Action, Case, Split

if TYPE_CHECKING:
    from engine.recipe import Recipe

STEPS = 4
"""Optimizer steps: the first compiles and allocates, the others are timed."""
Say = Callable[[MeasureMessage], None]


@dataclass(frozen=True, slots=True)
class Probe:
    """What is to be measured."""

    recipe: Recipe
    source: str
    """Folder or hub id of the base model."""
    computation: Computation
    """How the run would be computed here; of several devices, one is measured."""
    device: torch.device
    cases: Sequence[Case]
    """The training split."""


def measure(probe: Probe, say: Say, steps: int = STEPS) -> MemoryMeasured:
    """Load, build, step; memory that does not suffice is a result, not an error.

    Raises:
        ModelError, DataError: model or data cannot be used.
    """
    layout = replace(probe.computation.layout, devices=1)
    progress = _Progress(say, steps, layout, probe.device)
    with tempfile.TemporaryDirectory(prefix="sonotune-measure-") as folder:
        try:
            trainer = build(probe, steps, Path(folder), progress)
            samples = progress.layout.micro_batch * progress.layout.accumulation
            say(MeasureStage(f"taking {steps} steps of {samples} samples, the largest first"))
            progress.during = "step 1"
            trainer.train()
        except torch.OutOfMemoryError:
            return progress.measured(out_of_memory=progress.during)
    return progress.measured()


class _Progress(TrainerCallback):  # type: ignore[misc]
    """Says how far the steps are, and keeps what is to be reported."""

    def __init__(self, say: Say, steps: int, layout: Layout, device: torch.device) -> None:
        self.say, self.steps, self.layout, self.device = say, steps, layout, device
        self.during = "loading"
        self.seconds: list[float] = []
        self.shape = (0, 0)
        """Rows and tokens of the largest forward pass."""
        self.lora_parameters = 0
        self.meter = StepMeter()

    def on_train_begin(self, *_args: Any, **_options: Any) -> None:
        """Time counts from here."""
        self.meter.mark()

    def on_log(self, _args: Any, _state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """A step has ended."""
        if logs and "step_seconds" in logs:
            self.seconds.append(logs["step_seconds"])
            self.during = f"step {len(self.seconds) + 1}"
            self.say(MeasureStep(len(self.seconds), self.steps, logs["step_seconds"]))

    def measured(self, out_of_memory: str = "") -> MemoryMeasured:
        """What there is to report now."""
        gpu = self.device.type == "cuda"
        return MemoryMeasured(
            card=torch.cuda.get_device_name(self.device) if gpu else "",
            allocated_peak=torch.cuda.max_memory_allocated(self.device) if gpu else None,
            reserved_peak=torch.cuda.max_memory_reserved(self.device) if gpu else None,
            host_peak=peak_rss_bytes(),
            step_seconds=statistics.median(self.seconds[1:]) if len(self.seconds) > 1 else None,
            first_step_seconds=self.seconds[0] if self.seconds else None,
            steps=len(self.seconds),
            rows=self.shape[0],
            length=self.shape[1],
            layout=self.layout,
            lora_parameters=self.lora_parameters,
            out_of_memory=out_of_memory,
        )


class LargestFirst(MicroBatches):
    """The same step again and again: the one of the longest samples, the longest of them first."""

    steps = STEPS

    @classmethod
    def of(cls, data: TrainingData, encoder: Encoder, layout: Layout, steps: int) -> LargestFirst:
        """The order of `steps` equal steps."""
        order = cls(
            [example.sample for example in data.examples[: data.trained]],
            example_lengths(data, encoder),
            micro_batch=layout.micro_batch,
            accumulation=layout.accumulation,
            seed=0,  # nothing is drawn
            together=layout.packed,
            shared=image_lengths(data),
        )
        order.steps = steps
        return order

    def __len__(self) -> int:
        return self.steps * self.accumulation

    def windows(self) -> Iterator[list[int]]:
        """The examples of each step."""
        if self.together:
            groups = sorted(self.groups, key=lambda group: -self.places(group))
            numbers = [number for group in groups for number in group]
        else:
            numbers = sorted(range(len(self.lengths)), key=lambda number: -self.lengths[number])
        for _ in range(self.steps):
            yield numbers[: self.batch_size * self.accumulation]


class _Refusing(MemoryGuard):
    """A run goes on with smaller passes when the memory is not enough; a measurement is to say that it was not."""

    def relieve(self, model: Any, step: int, reason: str) -> None:
        """Give up.

        Raises:
            OutOfMemoryError: always.
        """
        raise torch.OutOfMemoryError(reason)


def build(probe: Probe, steps: int, folder: Path, progress: _Progress) -> AnswerTrainer:
    """The trainer of the run, over the largest samples alone. The one place that knows how a run is put together."""
    progress.say(MeasureStage("loading the model"))
    layout = progress.layout
    model, processor = load_for_training(probe.recipe, probe.source, layout, probe.device)
    progress.lora_parameters = parameter_counts(model)[0]

    progress.say(MeasureStage("looking for the largest samples"))
    job = _job(probe, layout, steps, folder)
    recipe = job.recipe
    data = prepare_data(recipe, processor, job.cases)
    encoder, objective = Encoder(processor), Objective.of(recipe)
    layout = progress.layout = no_larger_than(settled(job, model, data, encoder)[0], data.trained)
    order = LargestFirst.of(data, encoder, layout, steps)
    collator = collator_of(job, data, encoder, objective, packed=layout.packed)
    progress.shape = tuple(collator([{"example": number} for number in order.largest()])["labels"].shape)

    options = arguments(job, data, layout)
    options.save_strategy = SaveStrategy.NO
    trainer = AnswerTrainer(
        meter=progress.meter,
        order=order,
        guard=_Refusing(job.event, checkpointing=layout.checkpointing),
        objective=objective,
        model=model,
        args=options,
        data_collator=collator,
        train_dataset=data.train_rows,
        processing_class=processor,
        callbacks=[progress, EpochCallback(order, *([data.augmentation] if data.augmentation else []))],
    )
    if layout.compiled:
        compile_blocks(unwrapped(model))
    return trainer


def _job(probe: Probe, layout: Layout, steps: int, folder: Path) -> TrainingJob:
    """The run, cut down to the largest images that its training sample has."""
    sample = training_cases(probe.cases, probe.recipe)
    largest = largest_cases(sample, probe.recipe, layout.micro_batch * layout.accumulation)
    return TrainingJob(
        recipe=measuring_recipe(probe.recipe, steps),
        source=probe.source,
        directory=folder,
        cases=lambda split: largest if split == Split.TRAIN else [],
        computation=replace(probe.computation, layout=layout),
        device=probe.device,
        record=None,  # type: ignore[arg-type]  # nothing of this is recorded
        requests=_NoRequests(),
    )


def no_larger_than(layout: Layout, samples: int) -> Layout:
    """The layout of a step that takes no more than `samples` samples, as that of a training so small does."""
    micro_batch = min(layout.micro_batch, samples)
    return replace(
        layout, micro_batch=micro_batch, accumulation=min(layout.accumulation, math.ceil(samples / micro_batch))
    )


class _NoRequests:
    """Nobody can ask this process to stop: it is ended."""

    def check(self) -> Action | None:
        """No wish."""
        return None


def measuring_recipe(recipe: Recipe, steps: int) -> Recipe:
    """The recipe, cut to `steps` steps: no sampling (the samples are chosen already), no checks on the way."""
    return recipe.model_copy(
        update={
            "data": recipe.data.model_copy(update={"limit": 0, "balance": "none"}),
            "training": recipe.training.model_copy(
                update={"max_steps": steps, "epochs": 1.0, "evaluation_steps": 0, "answer_checks": 0}
            ),
        }
    )
