"""From times and counts to the result of a training side. Heavy: torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from engine.bench.device import gpu_name, peaks
from engine.bench.flops import Work, training_flops, utilisation
from engine.bench.plan import RANK, SidePlan, SideResult, StepTimes
from engine.bench.tokens import Lengths
from engine.bench.watching import TrunkWatch
from engine.preflight.parameters import AdapterShape
from engine.preflight.shapes import find_shape
from engine.training.record import versions

ADAPTER = AdapterShape(RANK)


def training_result(
    plan: SidePlan,
    times: StepTimes,
    lengths: Lengths,
    watch: TrunkWatch,
    *,
    rates: Sequence[float],
    packed: bool,
    head: float,
    peak_flops: float,
    settings: Mapping[str, Any],
    **others: Any,
) -> SideResult:
    """The result of a training side.

    Args:
        plan: of the side.
        times: seconds of its steps.
        lengths: of its samples.
        watch: what went through the model, in any number of passes.
        rates: samples a second of each step after the warm-up.
        packed: whether the samples of an image shared a row.
        head: places a sample whose logits were computed.
        peak_flops: of this card.
        settings: what it ran with.
        others: fields of the result that this side alone knows.
    """
    speed = median(rates)
    shape = find_shape(plan.model).shape
    needed = lengths.work(packed, head)
    model = training_flops(shape, needed, ADAPTER)
    seen = _seen(watch, watch.rows * (lengths.samples_per_image if packed else 1), head)
    hardware = None if seen is None else training_flops(shape, seen, ADAPTER, recomputed=watch.checkpointed)
    tokens = lengths.figures(needed.positions)
    if seen is not None:
        tokens |= {"positions_with_pads": seen.positions, "patches_computed": seen.patches}
    return SideResult(
        plan.side,
        samples_per_second=speed,
        tokens_per_second=speed * needed.positions,
        step_seconds=times.median,
        model_flop_utilisation=utilisation(model, speed, peak_flops),
        hardware_flop_utilisation=None if hardware is None else utilisation(hardware, speed, peak_flops),
        peak_flops=peak_flops,
        warmup_seconds=times.warmup_seconds,
        tokens=tokens,
        settings={**settings, "checkpointed": watch.checkpointed},
        versions=versions(),
        gpu=gpu_name(),
        steps=list(times.seconds),
        **{**peaks(), **others},
    )


def _seen(watch: TrunkWatch, samples: float, head: float) -> Work | None:
    """What was computed for one sample; None where nothing was counted."""
    work = watch.work(head * samples)
    return None if work is None else work.scaled(1 / samples)


def bench_cases(plan: SidePlan) -> Sequence[Any]:
    """The cases of the benchmark's dataset, in a fixed order."""
    from engine.bench.plan import DATASET
    from engine.data.manifest import open_dataset
    from engine.types import Split
    from engine.workspace import Workspace

    return open_dataset(Workspace(Path(plan.workspace)), DATASET).cases(Split.TRAIN)
