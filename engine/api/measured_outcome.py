"""What becomes of a measured preflight: a peak on record, or an estimate refuted and a recipe that needs less."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from engine.formatting import size
from engine.recipe import Recipe
from engine.training.measure_memory.wire import MemoryMeasured
from engine.training.model_files import resolve_model
from engine.workspace import Workspace

if TYPE_CHECKING:
    from engine.preflight.models import Estimate, Preflight, Proposal

CLEARLY_LESS = 0.9
"""Share of an estimate that was too low which the estimate of a proposal may reach."""
AS_MEASURED = 0.05
"""Share by which an estimate may lie above what was measured and still count as right."""
ROUGH_PARTS = ("text_activations", "vision_activations", "overhead")
"""Parts of an estimate that have factors; the others follow from the dimensions of the model alone."""
EXACT_PARTS = ("weights", "adapters", "optimizer", "logits")


def keep_measured(workspace: Workspace, recipe: Recipe, estimated: Preflight, measured: MemoryMeasured) -> bool:
    """Put a measured peak on record, so that later estimates for this card are better ones.

    Returns:
        False where there is nothing to keep: no GPU, or a card that was too small, whose peak is no peak of the recipe.
    """
    if measured.reserved_peak is None or measured.allocated_peak is None or not measured.fitted:
        return False
    from engine.api.preflighting import record_peak
    from engine.preflight.models import Measured
    from engine.preflight.shapes import find_shape

    peak = Measured(
        source="preflight",
        run_id=None,
        card=measured.card,
        model=recipe.model.id,
        shape=find_shape(resolve_model(recipe.model.id, workspace.root)).shape,
        workload=estimated.workload,
        layout=measured.layout,
        lora_parameters=measured.lora_parameters,
        estimated_peak=estimated.estimate.peak,
        allocated_peak=measured.allocated_peak,
        reserved_peak=measured.reserved_peak,
        step_seconds=measured.step_seconds,
        time=time.time(),
        vision_adapted=recipe.lora.vision,
    )
    record_peak(workspace, peak)
    return True


def after_measuring(workspace: Workspace, recipe: Recipe, estimated: Preflight, measured: MemoryMeasured) -> Preflight:
    """The preflight once it has been measured: whether the recipe fits is what the measurement says.

    Where memory ran out though the estimate had said that it fits, the estimate was too low: what is proposed then is
    the nearest recipe for this card whose estimate lies clearly below that of the one that failed.

    Returns:
        `estimated` itself where both agree, or where there is no GPU.
    """
    if measured.reserved_peak is None or measured.fitted == (estimated.fits is not False):
        return estimated
    if not measured.fitted:
        return _refuted(workspace, recipe, estimated, measured)
    memory, before, now = estimated.card.memory, estimated.estimate.peak, measured.reserved_peak
    free = None if memory is None else memory - now
    return replace(
        estimated,
        estimate=_scaled(estimated.estimate, now),
        fits=True,
        headroom=free,
        proposal=None,
        warnings=[*estimated.warnings, _why_it_fits(before, now, free)],
    )


def _why_it_fits(before: int, now: int, free: int | None) -> str:
    """Why something fits of which the estimate had said that it does not."""
    if before > (1 + AS_MEASURED) * now:
        too_high = f"The estimate was too high ({size(before)}, which does not fit)"
        return f"{too_high}; its parts are scaled to what was measured."
    left = "" if free is None else f": {size(max(0, free))} of the card is left"
    return f"It fits, with less than the usual margin{left}. A longer run may meet the end of the memory."


def _scaled(estimate: Estimate, peak: int) -> Estimate:
    """An estimate with the measured peak: the parts that are known only roughly are scaled, the others known exactly.

    Where less was measured than the exact parts alone, these are of another model than was loaded, and all are scaled.
    """
    rough = {name: getattr(estimate, name) for name in ROUGH_PARTS}
    factor = (peak - estimate.peak + sum(rough.values())) / max(1, sum(rough.values()))
    if factor < 0:
        rough |= {name: getattr(estimate, name) for name in EXACT_PARTS}
        factor = peak / estimate.peak
    return replace(estimate, **{name: round(factor * count) for name, count in rough.items()})


def _refuted(workspace: Workspace, recipe: Recipe, estimated: Preflight, measured: MemoryMeasured) -> Preflight:
    """The preflight of a recipe that should have fitted, and did not."""
    from engine.api.preflighting import preflight_on

    most = int(CLEARLY_LESS * estimated.estimate.peak)
    smaller = preflight_on(workspace, recipe, estimated.card, most=most)
    missing = max(0, (measured.reserved_peak or 0) - estimated.estimate.peak)
    ran_out = f"memory ran out in {measured.out_of_memory} when it was measured"
    warning = (
        f"The estimate was too low by {size(missing)} or more, shown as overhead: {ran_out}."
        if missing
        else f"The estimate was too low, or other programs hold a part of the card: {ran_out}."
    )
    return replace(
        estimated,
        estimate=replace(estimated.estimate, overhead=estimated.estimate.overhead + missing),
        fits=False,
        headroom=None,
        proposal=_layout_as_proposal(recipe, smaller) if smaller.fits else smaller.proposal,
        warnings=[*estimated.warnings, warning],
    )


def _layout_as_proposal(recipe: Recipe, smaller: Preflight) -> Proposal:
    """A layout with less memory than the planner would take on this card, written into the recipe."""
    from engine.preflight.models import Proposal

    layout, training = smaller.layout, recipe.training
    wanted: dict[str, object] = {
        "micro_batch": "written",
        "batch": layout.micro_batch,
        "accumulation": layout.accumulation * layout.devices,
        "gradient_checkpointing": "on" if layout.checkpointing else "off",
    }
    changes = {f"training.{name}": value for name, value in wanted.items() if getattr(training, name) != value}
    if layout.quantization != recipe.model.quantization:
        changes["model.quantization"] = layout.quantization
    words = ", ".join(f"{key} = {value}" for key, value in changes.items())
    return Proposal(
        changes,
        layout,
        smaller.estimate,
        True,
        f"{words} needs about {size(smaller.estimate.peak)} by the same estimate; a step stays "
        f"{training.batch * training.accumulation} samples.",
    )
