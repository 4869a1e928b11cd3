"""Our own side: a recipe, launched into a workspace and trained by the very code of `python -m engine.training RUN`.

What it measures is read from runs.db as anybody would read it. Only two things are measured from outside, because the
product carries no stopwatch for them: the time that recording takes, and what goes through the model, pads included.
"""

from __future__ import annotations

import operator
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from engine.bench.plan import ALPHA, DATASET, LEARNING_RATE, RANK, SEED, SidePlan, SideResult, StepTimes
from engine.bench.sides.process import Publish, side_main, tell, unpublished
from engine.jobs.session import JobSession
from engine.recipe import Recipe, load_recipe
from engine.store.reader import Reader
from engine.store.records import RunRow
from engine.types import JobKind, State
from engine.workspace import Workspace

TOLD = ("backend", "layout", "out of memory")
"""Events of the run's history that say how it was computed."""


def run(plan: SidePlan, publish: Publish = unpublished) -> SideResult:
    """Train with sonotune."""
    # No library that Unsloth changes may be imported before the backend is chosen, so none is imported here.
    from engine import api
    from engine.bench.device import limit_memory, measured_peak_flops
    from engine.bench.watching import watched
    from engine.training.start import prepare_environment, run_training

    workspace = Workspace(Path(plan.workspace))
    prepare_environment()
    limit_memory(plan.memory_limit)
    peak_flops = measured_peak_flops()
    recipe = bench_recipe(plan, workspace)
    launched = api.launch(workspace, recipe, references=False, start_worker=False)
    tell(f"{plan.side}: run {launched.run_id}, {plan.warmup} steps to warm up, {plan.steps} measured")
    with (
        JobSession(workspace, JobKind.TRAINING, launched.run_id) as session,
        recording_time() as recording,
        smaller_card(plan.memory_limit),
        decoded_every_time(not plan.cache_pixels),
        watched() as watch,
    ):
        run_training(workspace, session)
    return _result(plan, workspace, launched.run_id, recording.seconds, watch, peak_flops)


def bench_recipe(plan: SidePlan, workspace: Workspace) -> Recipe:
    """The recipe of the run, with the plan's changes; everything that is not written is the product's default.

    Raises:
        RecipeError: a change does not fit.
    """
    questions = ", ".join(f'"{question}"' for question in plan.questions)
    micro = max(min(plan.micro_batches), 1)
    text = f"""
name = "{plan.side}"
[data]
dataset = "{DATASET}"
questions = [{questions}]
image_size = {plan.image_size}
[model]
id = "{plan.model}"
quantization = "none"
[lora]
r = {RANK}
alpha = {ALPHA}
[training]
epochs = 10000
max_steps = {plan.warmup + plan.steps}
batch = {micro}
accumulation = {max(1, plan.batch // micro)}
learning_rate = {LEARNING_RATE}
seed = {SEED}
checkpoint_steps = 0
answer_checks = 0
[evaluation]
splits = []
"""
    file = workspace.root / f"{plan.side}.toml"
    file.write_text(text, encoding="utf-8")
    return load_recipe(file, list(plan.overrides))


@dataclass(slots=True)
class Stopwatch:
    """Seconds that were spent."""

    seconds: float = 0.0


@contextmanager
def recording_time() -> Iterator[Stopwatch]:
    """Time that the run spends writing its figures."""
    from engine.training.record import RunRecord

    watch, record = Stopwatch(), RunRecord.metrics

    def timed(self: RunRecord, *arguments: Any, **options: Any) -> None:
        begun = time.perf_counter()
        record(self, *arguments, **options)
        watch.seconds += time.perf_counter() - begun

    RunRecord.metrics = timed  # type: ignore[method-assign]
    try:
        yield watch
    finally:
        RunRecord.metrics = record  # type: ignore[method-assign]


@contextmanager
def decoded_every_time(wanted: bool) -> Iterator[None]:
    """Let the pixel store keep nothing: a few images would fit into memory, the user's 15,446 do not."""
    from engine.training.pixels import PixelStore

    build = PixelStore.__init__

    def forgetful(self: PixelStore, *arguments: Any, **options: Any) -> None:
        build(self, *arguments, **options)
        self.cached = False

    if wanted:
        PixelStore.__init__ = forgetful  # type: ignore[method-assign]
    try:
        yield
    finally:
        PixelStore.__init__ = build  # type: ignore[method-assign]


@contextmanager
def smaller_card(limit: int | None) -> Iterator[None]:
    """Let the product plan for a card with `limit` bytes; None leaves the card as it is."""
    from engine.training import start

    look = start.card_of

    def smaller(device: Any) -> Any:
        card = look(device)
        if limit is None or card.memory is None:
            return card
        free = card.memory if card.free is None else card.free
        return replace(card, memory=min(card.memory, limit), free=min(free, limit))

    start.card_of = smaller
    try:
        yield
    finally:
        start.card_of = look


def _result(
    plan: SidePlan, workspace: Workspace, run_id: int, recording: float, watch: Any, peak_flops: float
) -> SideResult:
    from engine.bench.sides.measured import bench_cases, training_result
    from engine.bench.tokens import lengths
    from engine.training.model import load_processor

    with Reader(workspace) as reader:
        row = reader.run(run_id)
        seconds, samples = _curve(reader, run_id, "step_seconds"), _curve(reader, run_id, "samples_per_second")
        waited = _curve(reader, run_id, "data_seconds")
        settings = {event.kind: event.detail for event in reader.events(run_id=run_id) if event.kind in TOLD}
    if row.state is not State.SUCCEEDED:
        return SideResult(plan.side, failure=f"the run ended as {row.state}: {row.error_title or ''}")
    times = StepTimes(seconds, plan.warmup)
    facts = lengths(bench_cases(plan), plan.questions, plan.image_size, load_processor(plan.model))
    return training_result(
        plan,
        times,
        facts,
        watch,
        rates=samples[plan.warmup :],
        packed=is_packed(row),
        head=facts.answer,
        peak_flops=peak_flops,
        settings={
            **_columns(row),
            **settings,
            "loss_on": "answers, the head as well",
            # As it really was: `--set` may change it.
            "samples_per_step": round(median(map(operator.mul, samples, seconds))),
        },
        load_seconds=row.load_seconds,
        peak_allocated=row.peak_vram_allocated_bytes,
        peak_reserved=row.peak_vram_reserved_bytes,
        data_share=sum(waited[plan.warmup :]) / sum(times.measured) if waited else None,
        recording_share=recording / sum(seconds),
    )


def is_packed(row: RunRow) -> bool:
    """Whether the samples of an image shared a row, from what the run has recorded."""
    return bool(row.packing) and not str(row.packing).startswith("off")


def _columns(row: RunRow) -> dict[str, Any]:
    return {"backend": row.backend, "quantization": row.quantization, "packing": row.packing}


def _curve(reader: Reader, run_id: int, key: str) -> Sequence[float]:
    return [point.value for point in reader.metrics(run_id, [key])]


if __name__ == "__main__":
    sys.exit(side_main(run))
