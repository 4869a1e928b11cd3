"""What happens at each step beside the training itself: figures are recorded, and requests of the user are obeyed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from transformers import TrainerCallback

from engine.errors import SonotuneError
from engine.jobs.phases import Phase
from engine.training.meter import StepMeter
from engine.training.phases import Phases
from engine.types import Action


class TrainingDiverged(SonotuneError):  # noqa: N818 - the name says what happened
    """The loss is no number any more."""


_DIVERGED_STEP = (
    "Lower training.learning_rate, lengthen training.warmup, or look for broken answers in the dataset, and launch the "
    "run anew. Where the recipe has trained well before, `sonotune resume` goes on from the last good checkpoint: a "
    "passing fault of the machine is not met again."
)


class Cancelled(Exception):  # noqa: N818 - not an error: the user asked for it
    """The user cancelled the run; nothing is saved."""


class Requests(Protocol):
    """Where the wishes of the user arrive (`engine.jobs.session.JobSession`)."""

    def check(self) -> Action | None:
        """What is asked for now, if anything."""


class Recorder(Protocol):
    """Where figures of the run go (`engine.training.record.RunRecord`)."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of one step."""

    def progress(self, **columns: object) -> None:
        """Columns of the run that changed."""


class DrawnAnew(Protocol):
    """What is another in each epoch: the changes of images (`Augmentation`), the order of samples (`MicroBatches`)."""

    epoch: int


class EpochCallback(TrainerCallback):  # type: ignore[misc]
    """Tells what is drawn anew which epoch begins, before the epoch's first batch is made or its workers start."""

    def __init__(self, *drawn: DrawnAnew) -> None:
        self.drawn = drawn

    def on_epoch_begin(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
        """The state's epoch is a whole number here, or lies within the epoch that a resumed run goes on with."""
        for each in self.drawn:
            each.epoch = math.floor(state.epoch or 0)


RECORDED = (
    "loss",
    "learning_rate",
    "grad_norm",
    "samples_per_second",
    "tokens_per_second",
    "step_seconds",
    "data_seconds",
)


class RunCallback(TrainerCallback):  # type: ignore[misc]
    """Records every step, stops when asked to, and refuses to go on with a loss that is no number."""

    def __init__(self, record: Recorder, requests: Requests, meter: StepMeter, phases: Phases | None = None) -> None:
        self.record = record
        self.phases = phases or Phases(record)
        self.requests = requests
        self.meter = meter
        self.stopped = False
        """The user asked to save and stop."""

    def on_train_begin(self, _args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
        """Note the planned length and where this process starts."""
        self.record.progress(planned_steps=state.max_steps, step=state.global_step)
        self.phases.enter(Phase.TRAINING)
        self.meter.mark()

    def on_step_end(self, _args: Any, _state: Any, control: Any, **_kwargs: Any) -> None:
        """Obey requests: stop saves a checkpoint first, cancel ends at once."""
        action = self.requests.check()
        if action is Action.CANCEL:
            raise Cancelled
        if action is Action.STOP:
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True
        # Nobody is called before a validation loss or a checkpoint, but here the trainer has decided on both.
        if control.should_evaluate or control.should_save:
            self.phases.enter(Phase.VALIDATION if control.should_evaluate else Phase.SAVING)

    def on_log(self, _args: Any, state: Any, _control: Any, logs: dict[str, float] | None = None, **_: Any) -> None:
        """Record the figures of a step, or a validation loss.

        Raises:
            TrainingDiverged: the loss or the gradient norm is not finite. This comes before the step's checkpoint.
        """
        logs = logs or {}
        if "loss" in logs:
            refuse_if_diverged(state.global_step, logs)
            self.record.metrics(state.global_step, {key: float(logs[key]) for key in RECORDED if key in logs})
        elif "eval_loss" in logs:
            self.record.metrics(state.global_step, {"eval_loss": float(logs["eval_loss"])})

    def on_evaluate(self, _args: Any, _state: Any, control: Any, **_kwargs: Any) -> None:
        """The validation loss is no part of the next step's time; a checkpoint may follow it."""
        self.phases.enter(Phase.SAVING if control.should_save else Phase.TRAINING)
        self.meter.mark()

    def on_save(self, _args: Any, state: Any, _control: Any, **_kwargs: Any) -> None:
        """A checkpoint is no part of the next step's time."""
        self.record.progress(step=state.global_step)
        self.phases.enter(Phase.TRAINING)
        self.meter.mark()


def refuse_if_diverged(step: int, logs: Mapping[str, float]) -> None:
    """Raise where the loss or the gradient norm is NaN or infinite."""
    for key, name in (("loss", "loss"), ("grad_norm", "gradient norm")):
        value = float(logs.get(key, 0.0))
        if not math.isfinite(value):
            raise TrainingDiverged(
                "The training diverged",
                f"The {name} became {value} at step {step}. No adapter was written; checkpoints of earlier steps stay.",
                _DIVERGED_STEP,
            )


def refuse_broken_weights(step: int, model: Any) -> None:
    """Raise where a trained weight is no number any more, before a checkpoint of it takes the place of a good one."""
    finite = [each.isfinite().all() for each in model.parameters() if each.requires_grad]
    # All are asked before the first is looked at: a GPU is waited for once.
    if not all(map(bool, finite)):
        raise TrainingDiverged(
            "The training diverged",
            f"A weight of the adapter is no finite number after step {step}. Neither adapter nor checkpoint was "
            "written; checkpoints of earlier steps stay.",
            _DIVERGED_STEP,
        )
