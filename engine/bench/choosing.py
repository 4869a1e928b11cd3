"""What a benchmark compares: the request of the user, and the plan of each process that follows from it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from engine.bench.plan import SEED, SidePlan
from engine.errors import UsageError
from engine.types import QUESTION_IDS

MODELS = ("tiny", "2b", "4b", "8b")
TRAINING_SIDES = ("ours", "unsloth", "unsloth-best", "transformers")
EVALUATION_SIDES = ("evaluate-ours", "evaluate-plain")
SIDES_OF = {"train": TRAINING_SIDES, "evaluate": EVALUATION_SIDES}
BASELINES = {"train": "unsloth", "evaluate": "evaluate-plain"}
"""What the ratios of each kind refer to."""
EVALUATED = 128
"""Images that an evaluation answers questions about: with eight questions each, they fill plain `generate`'s largest
batch."""
SWEPT = (8, 16, 32, 64)
"""Micro-batches that `unsloth-best` tries in both precisions, with and without checkpointing, until memory is short."""
PRECISIONS = ("4bit", "16bit")


@dataclass(frozen=True, slots=True)
class BenchRequest:
    """What is compared with what, on which work."""

    kind: Literal["train", "evaluate"]
    model: str
    """One of `MODELS`."""
    weights: str = "random"
    """`random`, or the folder of a model."""
    sides: Sequence[str] = ()
    questions: int = 8
    """8 questions an image, or 1 (Q7)."""
    images: int = 0
    """Image files; 0 takes as many as the steps need, so that no epoch ends in between."""
    image_size: int = 512
    steps: int = 12
    warmup: int = 4
    batch: int = 64
    """Samples of one optimizer step, on every side."""
    micro_batches: Sequence[int] = (16,)
    """Samples of one forward pass of the other side; of an evaluation, questions that plain `generate` takes at a
    time. None: it doubles them until that makes it slower."""
    memory_limit: int | None = None
    overrides: Sequence[str] = ()
    """Changes to our recipe."""
    cache_pixels: bool = False
    new_tokens: int = 12
    workers: int = 8
    seed: int = SEED
    keep: Path | None = None
    """Where model, images and logs stay; None for a folder that goes away."""
    timeout: float = 1800.0
    """Seconds after which a process is ended; what it has published by then is its result. `unsloth-best` has four."""

    @property
    def image_count(self) -> int:
        """Image files that are made."""
        if self.images:
            return self.images
        return -(-self.batch * (self.steps + self.warmup) // self.questions) if self.kind == "train" else EVALUATED


def checked(request: BenchRequest) -> BenchRequest:
    """The request itself.

    Raises:
        UsageError: with everything that is wrong with it.
    """
    known = SIDES_OF[request.kind]
    faults = []
    if request.model not in MODELS:
        faults.append(f"there is no model {request.model}; choose {', '.join(MODELS)}")
    if unknown := [side for side in request.sides if side not in known]:
        faults.append(f"there is no side {', '.join(unknown)}; choose {', '.join(known)}")
    if not request.sides:
        faults.append("no side is named")
    if request.questions not in (1, len(QUESTION_IDS)):
        faults.append(f"{request.questions} questions an image; 1 or {len(QUESTION_IDS)} are possible")
    if request.steps < 1 or request.images < 0:
        faults.append("at least one step is needed, and no fewer than no images")
    if any(micro < 1 for micro in request.micro_batches) or (request.kind == "train" and not request.micro_batches):
        faults.append("a micro-batch has at least one sample")
    if request.kind == "train" and any(request.batch % micro for micro in request.micro_batches):
        faults.append(f"a batch of {request.batch} cannot be cut into micro-batches of {request.micro_batches[0]}")
    if faults:
        raise UsageError("This benchmark cannot be run", "; ".join(faults), "`sonotune bench train --help` explains.")
    return request


def side_plans(request: BenchRequest, workspace: str, model: str, adapter: str) -> Iterator[SidePlan]:
    """A plan for every process of a request, in the order in which they run.

    Args:
        request: what is compared.
        workspace: folder of the benchmark's workspace.
        model: folder of the base model.
        adapter: folder of the adapter that evaluations load; "" for training.
    """
    for side in request.sides:
        best = side == "unsloth-best"
        for precision, checkpointing in product(PRECISIONS, (True, False)) if best else (("4bit", True),):
            yield SidePlan(
                side=side,
                workspace=workspace,
                model=model,
                adapter=adapter,
                questions=tuple(QUESTION_IDS) if request.questions > 1 else ("Q7",),
                image_size=request.image_size,
                steps=request.steps if request.kind == "train" else request.image_count,
                warmup=request.warmup,
                batch=request.batch,
                micro_batches=tuple(each for each in SWEPT if request.batch % each == 0)
                if best
                else tuple(request.micro_batches),
                precision=precision,
                checkpointing=checkpointing,
                memory_limit=request.memory_limit,
                overrides=tuple(request.overrides),
                cache_pixels=request.cache_pixels,
                new_tokens=request.new_tokens,
                workers=request.workers,
            )
