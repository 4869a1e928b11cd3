"""The nearest recipe that fits a card, with the same samples in a step.

Changes are tried from the cheapest to the dearest: a smaller micro-batch and checkpointing cost time, 4 bits some
precision, a smaller image detail, a smaller model ability. A dearer change is tried with all the cheaper ones before an
even dearer one is.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from engine.formatting import size
from engine.preflight.coefficients import Coefficients
from engine.preflight.estimate import estimate
from engine.preflight.margins import margin, room
from engine.preflight.models import Card, Estimate, Layout, ModelShape, Proposal, Workload
from engine.preflight.parameters import AdapterShape, adapter_parameters
from engine.preflight.planner import PlanRequest, plan
from engine.training.backends import FOUR_BIT

SMALLER_SIDES = (1536, 1024, 768, 640, 512, 448, 384, 320, 256)
"""Image sizes that are tried, in pixels; below them findings of a few millimetres are gone."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What does not fit."""

    shape: ModelShape
    adapter: AdapterShape
    image_size: int
    request: PlanRequest
    four_bit_possible: bool
    workload: Callable[[ModelShape, int], Workload]
    """The largest workload for a shape and an image size: decides what fits."""
    typical: Callable[[ModelShape, int], Workload]
    """The mean one: decides what is fast, as it does where a run is planned."""
    smaller: Sequence[tuple[str, ModelShape]] = ()
    """Smaller models by their ids, largest first (`engine.preflight.smaller`)."""


@dataclass(frozen=True, slots=True)
class _Try:
    changes: dict[str, object]
    layout: Layout
    estimate: Estimate


def propose(subject: Subject, card: Card, factors: Coefficients, most: int | None = None) -> Proposal:
    """The nearest recipe that fits; where none does, the smallest that was tried, and it says so.

    Args:
        subject: what does not fit.
        card: with its memory.
        factors: of card and backend.
        most: see `engine.preflight.margins.room`.
    """
    last: _Try | None = None
    for tried in _tries(subject, card, factors, most):
        free = room(card, factors, tried.estimate.peak, most)
        if tried.estimate.peak <= free:
            return Proposal(tried.changes, tried.layout, tried.estimate, True, _words(subject, tried, free, most))
        if last is None or tried.estimate.peak < last.estimate.peak:
            last = tried
    if last is None:  # `_tries` always has at least the recipe itself
        raise ValueError("nothing was tried")
    words = (
        f"Nothing that was tried fits {size(card.memory or 0)}: even {_listed(last.changes)} needs "
        f"{size(last.estimate.peak)}, and {_limit(card, factors, last.estimate.peak, most)}."
    )
    return Proposal({}, last.layout, last.estimate, False, words)


def _limit(card: Card, factors: Coefficients, peak: int, most: int | None) -> str:
    """What stands against the whole card being taken."""
    if most is not None and most < room(card, factors, peak):
        return f"by the same estimate, which was too low, it may be {size(most)} at the most"
    return f"{size(margin(card, factors, peak))} must stay free"


def _tries(subject: Subject, card: Card, factors: Coefficients, most: int | None) -> Iterator[_Try]:
    request = subject.request
    fixed_bits = request.quantizations == ("none",)
    models = [("", subject.shape), *subject.smaller]
    sides = [subject.image_size, *(side for side in SMALLER_SIDES if side < subject.image_size)]
    bits = [False, True] if fixed_bits and subject.four_bit_possible else [False]
    recomputed = [False, True] if request.checkpointing is False else [False]
    split = [False, True] if request.written else [False]
    for (model, shape), side, packed, again, smaller in itertools.product(models, sides, bits, recomputed, split):
        changes: dict[str, object] = {}
        if again:
            changes["training.gradient_checkpointing"] = "on"
        if packed:
            changes["model.quantization"] = FOUR_BIT
        if side != subject.image_size:
            changes["data.image_size"] = side
        if model:
            changes["model.id"] = model
        wanted = replace(
            request,
            quantizations=(FOUR_BIT,) if packed else request.quantizations,
            checkpointing=True if again else request.checkpointing,
            written=request.written and not smaller,
            lora_parameters=adapter_parameters(shape, subject.adapter),
        )
        yield _try(subject, shape, side, wanted, changes, card, factors, most)


def _try(
    subject: Subject,
    shape: ModelShape,
    side: int,
    request: PlanRequest,
    changes: dict[str, object],
    card: Card,
    factors: Coefficients,
    most: int | None,
) -> _Try:
    workload, typical = subject.workload(shape, side), subject.typical(shape, side)
    layout, _ = plan(shape, workload, request, card, factors, typical=typical, most=most)
    if subject.request.written and not request.written:
        # Fields of their own: the recipe keeps saying what a micro-batch is.
        split = {"training.batch": layout.micro_batch, "training.accumulation": layout.accumulation * layout.devices}
        changes = {**split, **changes}
    found = estimate(
        shape,
        workload,
        layout,
        request.lora_parameters,
        factors,
        typical=typical,
        card=card.name,
        vision_adapted=request.vision_adapted,
    )
    return _Try(changes, layout, found)


def _words(subject: Subject, tried: _Try, free: int, most: int | None) -> str:
    needs = f"{_listed(tried.changes)} needs about {size(tried.estimate.peak)}"
    spare = size(max(0, free - tried.estimate.peak))
    beside = f" and leaves {spare} beside the safety margin" if most is None else " by the same estimate"
    return f"{needs}{beside}; a step stays {subject.request.samples} samples."


def _listed(changes: dict[str, object]) -> str:
    if not changes:
        return "the recipe as it is"
    return ", ".join(f"{key} = {_toml(value)}" for key, value in changes.items())


def _toml(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
