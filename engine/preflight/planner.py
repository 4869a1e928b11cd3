"""How a run is computed: micro-batch, accumulation, checkpointing, and 4 bits where the recipe says auto.

Pure and deterministic: the preflight shows what the training then does. An optimizer step is always the same step of
batch x accumulation samples; only how it is cut into forward passes is chosen here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from engine.errors import ModelError
from engine.preflight.cards import REFERENCE, speed_of
from engine.preflight.coefficients import DEFAULTS, Coefficients
from engine.preflight.margins import room
from engine.preflight.memory import memory_terms
from engine.preflight.models import Card, Layout, ModelShape, Workload
from engine.preflight.timing import time_terms

AS_FAST = 0.98
"""Layouts that reach this share of the best speed count as equally fast; the one of them with least memory is taken."""


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a recipe leaves open and what it fixes, after the backend was chosen."""

    backend: str
    quantizations: tuple[str, ...]
    """One where it is fixed. Where the recipe says auto, the one that is wanted and the one to fall back upon where no
    layout fits with it: precision changes what is trained, so a little speed must not decide upon it."""
    packed: bool
    batch: int
    accumulation: int
    devices: int
    written: bool
    """The micro-batch stays as the recipe writes it."""
    checkpointing: bool | None
    """None: auto."""
    compiled: bool
    lora_parameters: int
    vision_adapted: bool

    @property
    def samples(self) -> int:
        """Samples of an optimizer step, over all devices."""
        return self.batch * self.accumulation


@dataclass(frozen=True, slots=True)
class _Candidate:
    layout: Layout
    peak: float
    speed: float
    """Samples a second; on a card of unknown speed only good for comparing."""


def plan(
    shape: ModelShape,
    workload: Workload,
    request: PlanRequest,
    card: Card,
    factors: Coefficients | None = None,
    *,
    typical: Workload | None = None,
    most: int | None = None,
) -> tuple[Layout, str]:
    """The fastest layout that fits the card, and why, in words.

    Args:
        shape: of the model.
        workload: of the largest image and question: decides what fits.
        request: what is open and what is fixed.
        card: the device; without memory (a CPU) the layout stays as written, but for whole images.
        factors: of card and backend; None takes those of a card that was never measured.
        typical: workload of the mean image and question, which decides what is fast; None takes `workload`.
        most: see `room`.

    Returns:
        The layout; where none fits, the one that needs least memory.

    Raises:
        ModelError: the step cannot be shared by so many devices.
    """
    factors = factors or DEFAULTS[request.backend]
    share = device_share(request.batch, request.accumulation, request.devices, written=request.written)
    if card.memory is None:
        return _on_cpu(workload, request, share)
    candidates = [
        _judged(shape, workload, layout, request, card, factors, typical or workload)
        for layout in layouts(workload, request, share)
    ]
    fitting = [each for each in candidates if each.peak <= room(card, factors, each.peak, most)]
    if not fitting:
        least = min(candidates, key=lambda each: each.peak)
        return least.layout, _too_large(len(candidates))
    first = next(each for each in request.quantizations if any(one.layout.quantization == each for one in fitting))
    fitting = [each for each in fitting if each.layout.quantization == first]
    chosen = _fastest(_whole_images(fitting, workload, request))
    return chosen.layout, _why(request, card, len(candidates), len(fitting), first)


def layouts(workload: Workload, request: PlanRequest, share: int) -> Iterator[Layout]:
    """Everything that may be tried.

    Args:
        workload: how many questions an image has.
        request: what is open.
        share: samples of a step on one device.
    """
    micro_batches = (request.batch,) if request.written else divisors(share)
    checkpointing = [False, True] if request.checkpointing is None else [request.checkpointing]
    for quantization, recomputed, micro in itertools.product(request.quantizations, checkpointing, micro_batches):
        yield Layout(
            backend=request.backend,
            quantization=quantization,
            packed=request.packed,
            micro_batch=micro,
            accumulation=share // micro,
            checkpointing=recomputed,
            compiled=request.compiled,
            devices=request.devices,
        )


@lru_cache(maxsize=256)
def divisors(number: int) -> tuple[int, ...]:
    """All divisors, smallest first; looked for up to the square root, as a step may have millions of samples."""
    small = [each for each in range(1, math.isqrt(number) + 1) if number % each == 0]
    return (*small, *(number // each for each in reversed(small) if each * each != number))


def device_share(batch: int, accumulation: int, devices: int, *, written: bool) -> int:
    """Samples of an optimizer step on one device.

    Args:
        batch: `training.batch` of the recipe.
        accumulation: `training.accumulation`.
        devices: `training.devices`.
        written: micro-batches have `batch` samples, whatever fits.

    Raises:
        ModelError: the step does not part into so many equal shares.
    """
    samples = batch * accumulation
    if samples % (batch * devices if written else devices) == 0:
        return samples // devices
    cut = f"micro-batches of {batch} on each of " if written else ""
    raise ModelError(
        f"A step of {samples} samples cannot be shared by {devices} devices",
        f"training.batch x training.accumulation is {samples}, which does not part into {cut}{devices} devices.",
        "Choose training.batch and training.accumulation so that training.devices divides their product"
        + (", and training.accumulation itself." if written else "."),
    )


def _on_cpu(workload: Workload, request: PlanRequest, share: int) -> tuple[Layout, str]:
    """As written; packed, a micro-batch holds whole images, because a part of an image costs as much as all of it."""
    micro, reason = request.batch, "as the recipe writes it: on a CPU memory decides nothing"
    if share % micro:
        micro = max(each for each in divisors(share) if each <= micro)
        reason = f"micro-batches of {micro}, so that {request.devices} processes share each step"
    wanted = workload.samples_per_image
    if request.packed and not request.written and micro < wanted:
        whole = [each for each in divisors(share) if each >= wanted]
        whole = [each for each in whole if each % wanted == 0] or whole or [share]
        micro, reason = max(micro, whole[0]), f"widened to whole images of {wanted} samples, so that each is seen once"
    quantization, recomputed = request.quantizations[0], request.checkpointing is True
    return Layout(
        request.backend,
        quantization,
        request.packed,
        micro,
        share // micro,
        recomputed,
        request.compiled,
        request.devices,
    ), reason


def _judged(
    shape: ModelShape,
    workload: Workload,
    layout: Layout,
    request: PlanRequest,
    card: Card,
    factors: Coefficients,
    typical: Workload,
) -> _Candidate:
    vision = request.vision_adapted
    terms = memory_terms(shape, workload, layout, request.lora_parameters, vision_adapted=vision)
    speed = speed_of(card.name) or REFERENCE
    seconds = time_terms(shape, typical, layout, speed, vision_adapted=vision).total(factors)
    return _Candidate(layout, terms.total(factors), request.samples / seconds)


def _whole_images(candidates: list[_Candidate], workload: Workload, request: PlanRequest) -> list[_Candidate]:
    """Of packed layouts those whose forward passes hold whole images, where there are such."""
    if not request.packed:
        return candidates
    whole = [each for each in candidates if each.layout.micro_batch % workload.samples_per_image == 0]
    return whole or candidates


def _fastest(candidates: Iterable[_Candidate]) -> _Candidate:
    candidates = list(candidates)
    enough = AS_FAST * max(each.speed for each in candidates)
    return min((each for each in candidates if each.speed >= enough), key=lambda each: (each.peak, -each.speed))


def _why(request: PlanRequest, card: Card, tried: int, fitting: int, quantization: str) -> str:
    memory = f"{(card.memory or 0) / 2**30:.0f} GiB"
    if tried == 1:
        return f"as the recipe writes it, which fits {memory}"
    names = ["micro-batch"] * (not request.written) + ["checkpointing"] * (request.checkpointing is None)
    names += ["precision"] * (len(request.quantizations) > 1)
    fell_back = f"; quantization {request.quantizations[0]} fits in no way" * (quantization != request.quantizations[0])
    return f"{' and '.join(names)} chosen: the fastest of {fitting} ways that fit {memory} ({tried} tried{fell_back})"


def _too_large(tried: int) -> str:
    if tried == 1:
        return "as the recipe writes it, which does not fit"
    return f"none of {tried} ways fits the card; this one needs least memory"
