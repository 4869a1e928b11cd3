"""Our own evaluation: all questions of an image from one pass, end to end from the image files."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator

import torch

from engine.bench.device import limit_memory
from engine.bench.plan import SidePlan, SideResult
from engine.bench.sides.answered import answering_result, load_tuned
from engine.bench.sides.measured import bench_cases
from engine.bench.sides.process import Publish, side_main, tell, unpublished
from engine.bench.sides.rounds import REPEATS, measured_rounds, one_round
from engine.evaluation.tree.answering import answer_images
from engine.evaluation.tree.eligibility import tree_refusal
from engine.evaluation.tree.pictures import Prepared, prepared
from engine.evaluation.tree.rows import Ask, RowBuilder
from engine.questions.prompts import prompt_text
from engine.training.encoding import Encoder
from engine.training.fast.install import freeze_adapters, install
from engine.training.loss import unwrapped
from engine.training.pixels import Geometry, PixelStore


def run(plan: SidePlan, publish: Publish = unpublished) -> SideResult:
    """Answer all questions of all images, `plan.batch` images at a time."""
    limit_memory(plan.memory_limit)
    started = time.perf_counter()
    tell(f"{plan.side}: loading")
    model, processor, device = load_tuned(plan)
    install(unwrapped(model))  # as `engine.evaluation.subject.load_subject` does
    freeze_adapters(unwrapped(model))
    load_seconds = time.perf_counter() - started
    refusal = tree_refusal(model)
    if refusal is not None:
        return SideResult(plan.side, failure=refusal)
    files = [case.file for case in bench_cases(plan)][: plan.steps]
    geometry = Geometry.of(processor)
    asks = [Ask(prompt_text(question), plan.new_tokens) for question in plan.questions]
    builder = RowBuilder(Encoder(processor), asks, geometry.merge)

    def batches(count: int) -> Generator[Prepared]:
        # Without a budget nothing is kept: every round reads and decodes the files anew.
        pixels = PixelStore(files, plan.image_size, geometry, budget_bytes=0)
        numbers = range(min(count, len(files)))
        chunks = [numbers[start : start + plan.batch] for start in range(0, len(numbers), plan.batch)]
        return prepared(pixels, chunks, pinned=device.type == "cuda")

    def answer(batch: Prepared) -> list[str]:
        if batch.failures or batch.pictures is None:
            raise next(iter(batch.failures.values()))
        asked = [tuple(range(len(asks)))] * len(batch.numbers)
        answers = answer_images(model, builder, batch.pictures, asked, force_tokens=plan.new_tokens)
        return [each.generated.text for image in answers for each in image]

    tell(f"{plan.side}: {len(files)} images with {len(asks)} questions, {plan.batch} images at a time, {REPEATS} times")
    one_round(batches(plan.warmup * plan.batch), answer)
    return answering_result(
        plan,
        measured_rounds(lambda: batches(len(files)), answer),
        load_seconds=load_seconds,
        settings={"images_at_a_time": plan.batch, "new_tokens": plan.new_tokens, "passes": "one for an image"},
    )


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    sys.exit(side_main(run))
