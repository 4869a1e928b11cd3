"""From a recipe and a card to a preflight: every part in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.formatting import size
from engine.preflight.calibration import Calibration
from engine.preflight.estimate import estimate
from engine.preflight.fitted import calibration_of
from engine.preflight.margins import room
from engine.preflight.models import Card, Estimate, Layout, Measured, Preflight, Proposal, Workload
from engine.preflight.packing_choice import packing_choice
from engine.preflight.parameters import adapter_parameters
from engine.preflight.planner import PlanRequest, plan
from engine.preflight.proposing import Subject, propose
from engine.preflight.requests import adapter_shape, plan_request
from engine.preflight.shapes import KnownShape
from engine.preflight.smaller import smaller_models
from engine.preflight.warnings import warnings
from engine.preflight.workload import Census, largest_workload, typical_workload
from engine.training.backends import BackendChoice
from engine.training.schedule import planned_steps

if TYPE_CHECKING:
    from engine.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a recipe on a card, with what was found out about both."""

    recipe: Recipe
    choice: BackendChoice
    known: KnownShape
    census: Census
    card: Card
    four_bit_possible: bool = True
    most: int | None = None
    """Bytes by the estimate that cannot be exceeded, where a measurement has shown that it is too low."""

    @property
    def gpu(self) -> bool:
        """Whether the card is a GPU."""
        return self.card.memory is not None


def resolve(question: Question, measured: Sequence[Measured]) -> Preflight:
    """The preflight of a recipe on a card.

    Args:
        question: what is asked.
        measured: peaks that were measured in this workspace, on whatever card; those that come with sonotune are added.

    Raises:
        ModelError: the step of the recipe cannot be shared by its devices.
    """
    recipe, card, shape = question.recipe, question.card, question.known.shape
    packed, packing_reason = packing_choice(recipe, question.census, question.known.config)
    request = plan_request(
        recipe,
        question.choice,
        shape,
        packed=packed,
        gpu=question.gpu,
        four_bit_possible=question.four_bit_possible,
    )
    workload = largest_workload(question.census, shape, recipe.data.image_size)
    typical = typical_workload(question.census, shape, recipe.data.image_size)
    calibration = calibration_of(measured, card.name, request.backend)
    layout, reason = plan(shape, workload, request, card, calibration.factors, typical=typical, most=question.most)
    found = estimate(
        shape,
        workload,
        layout,
        request.lora_parameters,
        calibration.factors,
        typical=typical,
        card=card.name,
        vision_adapted=request.vision_adapted,
    )
    headroom = _headroom(question, calibration, found)
    fits = None if headroom is None else headroom >= 0
    steps = planned_steps(recipe, question.census.samples)
    return Preflight(
        card=card,
        model=recipe.model.id,
        shape_source=question.known.source,
        workload=workload,
        typical=typical,
        layout=layout,
        layout_reason=reason,
        packing_reason=packing_reason,
        estimate=found,
        fits=fits,
        headroom=headroom,
        steps=steps,
        seconds=None if found.step_seconds is None else steps * found.step_seconds,
        calibration=_stands_on(question, calibration, found),
        timed=calibration.factors.timed,
        proposal=_proposal(question, request, calibration) if fits is False else None,
        warnings=_warnings(question, layout, workload),
    )


def _headroom(question: Question, calibration: Calibration, found: Estimate) -> int | None:
    if question.card.memory is None:
        return None
    return room(question.card, calibration.factors, found.peak, question.most) - found.peak


def _stands_on(question: Question, calibration: Calibration, found: Estimate) -> str:
    """The words of the calibration, and where its measurements are of another order than what is asked."""
    if not question.gpu:
        return "no GPU here: what the layout would take on one"
    factors = calibration.factors
    far = factors.measured and not factors.near(found.peak)
    return calibration.words + (f"; none of this card near {size(found.peak)}, so twice the margin stays free" * far)


def trained_parameters(question: Question) -> int:
    """Parameters of the adapter that the recipe would train."""
    return adapter_parameters(question.known.shape, adapter_shape(question.recipe))


def _warnings(question: Question, layout: Layout, workload: Workload) -> list[str]:
    return warnings(layout, workload, question.card, proved=question.known.measured)


def _proposal(question: Question, request: PlanRequest, calibration: Calibration) -> Proposal:
    recipe = question.recipe
    subject = Subject(
        shape=question.known.shape,
        adapter=adapter_shape(recipe),
        image_size=recipe.data.image_size,
        request=request,
        four_bit_possible=question.four_bit_possible,
        workload=lambda shape, image_size: largest_workload(question.census, shape, image_size),
        typical=lambda shape, image_size: typical_workload(question.census, shape, image_size),
        smaller=smaller_models(recipe.model.id, question.known.folder),
    )
    return propose(subject, question.card, calibration.factors, most=question.most)
